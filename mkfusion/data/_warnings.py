"""What users are told of what was handled for them, and of what they got."""

from __future__ import annotations


class ConstantPredictionWarning(UserWarning):
    """A model says one class for every sample.

    The message names the class, its share of the samples, and what may help.

    Parameters
    ----------
    message : str
        What was found.

    Examples
    --------
    >>> import warnings
    >>> from mkfusion import ConstantPredictionWarning
    >>> warnings.simplefilter("error", ConstantPredictionWarning)
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class MissingCellsWarning(UserWarning):
    """Missing cells were filled, in training or at prediction.

    It comes from kernels that "auto" has chosen for numbers, which act on columns without gaps. The
    message says how many cells were filled, and how.

    Parameters
    ----------
    message : str
        What was found.

    Examples
    --------
    >>> import warnings
    >>> from mkfusion import MissingCellsWarning
    >>> warnings.simplefilter("ignore", MissingCellsWarning)
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class MissingModalityWarning(UserWarning):
    """``missing="marginalise"`` where hardly any training sample lacks a modality.

    A model that has learned to lean on a modality is not made to do without it: samples that lack
    it are predicted worse than by a model without that modality. The message names other ways.

    Parameters
    ----------
    message : str
        What was found.

    Examples
    --------
    >>> import warnings
    >>> from mkfusion import MissingModalityWarning
    >>> warnings.simplefilter("ignore", MissingModalityWarning)
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class UnknownCategoriesWarning(UserWarning):
    """Samples have categories that the training samples did not have.

    A kernel of categories takes them for like no others. The message says which column has them,
    in how many cells, and names the first.

    Parameters
    ----------
    message : str
        What was found.

    Examples
    --------
    >>> import warnings
    >>> from mkfusion import UnknownCategoriesWarning
    >>> warnings.simplefilter("error", UnknownCategoriesWarning)
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
