"""The loaders: one ``.npz`` of arrays and one ``.rst`` of terms per data set."""

from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from mkfusion.data import Modalities

_VIEW = "view_"


def _load(name: str) -> tuple[Modalities, dict[str, np.ndarray], str]:
    """Read the modalities, the other arrays and the description of one data set."""
    arrays, descr = _arrays(name)
    views = {
        key.removeprefix(_VIEW): _as_view(array)
        for key, array in arrays.items()
        if key.startswith(_VIEW)
    }
    others = {key: array for key, array in arrays.items() if not key.startswith(_VIEW)}
    return Modalities(**views), others, descr


def _arrays(name: str) -> tuple[dict[str, np.ndarray], str]:
    """Read the arrays and the description of one data set."""
    folder = files("mkfusion.datasets")
    with (
        folder.joinpath("data", f"{name}.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        found = dict(arrays)
    return found, folder.joinpath("descr", f"{name}.rst").read_text(encoding="utf-8")


def _as_view(array: np.ndarray) -> np.ndarray | list[str]:
    return array.tolist() if array.dtype.kind == "U" else array.astype(np.float64)


def _bunch(data: Modalities, target: np.ndarray, descr: str, **more: np.ndarray) -> Bunch:
    return Bunch(data=data, target=target, target_names=np.unique(target), DESCR=descr, **more)


def load_basic_motions(*, return_X_y: bool = False) -> Any:
    """Load BasicMotions: four activities, seen by the two sensors of a smart watch.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``data`` : Modalities of 80 samples, `accelerometer` (80, 3, 100) and `gyroscope`
          (80, 3, 100): axes, then time steps at 10 Hz; float64
        - ``target`` : ndarray of str, shape (80,), the activity
        - ``target_names`` : ndarray of str, shape (4,), the sorted activities
        - ``split`` : ndarray of str, shape (80,), "train" or "test" as published
        - ``DESCR`` : str, what the data are, their source and terms
    (data, target) : tuple of Modalities and ndarray of shape (80,)
        If `return_X_y` is True.

    References
    ----------
    Bagnall et al., "The UEA multivariate time series classification archive, 2018",
    arXiv:1811.00075.

    Examples
    --------
    >>> from mkfusion.datasets import load_basic_motions
    >>> motions = load_basic_motions()
    >>> motions.data["gyroscope"].shape
    (80, 3, 100)
    >>> print(*motions.target_names)
    Badminton Running Standing Walking
    """
    data, others, descr = _load("basic_motions")
    if return_X_y:
        return data, others["y"]
    return _bunch(data, others["y"], descr, split=others["split"])


def load_exercises(*, return_X_y: bool = False) -> Any:
    """Load Shoulder Exercises: long recordings of the two sensors of a smart watch.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(recordings, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``recordings`` : list of 70 dict, of the arrays `accelerometer` (3, n_steps), in g, and
          `gyroscope` (3, n_steps), in rad/s: axes, then 236 to 635 time steps; float64
        - ``rate`` : float, 12.5 time steps in a second
        - ``target`` : ndarray of str, shape (70,), the exercise
        - ``target_names`` : ndarray of str, shape (7,), the sorted exercises
        - ``subject`` : ndarray of int, shape (70,), who did it: keep each one's recordings together
          in cross-validation
        - ``DESCR`` : str, what the data are, their source and terms
    (recordings, target) : tuple of list and ndarray of shape (70,)
        If `return_X_y` is True.

    See Also
    --------
    mkfusion.cut_windows : Cut recordings into windows.

    References
    ----------
    Burns et al., "Shoulder physiotherapy exercise recognition: machine learning the inertial
    signals from a smartwatch", Physiological Measurement 39, 2018.

    Examples
    --------
    >>> from mkfusion import cut_windows
    >>> from mkfusion.datasets import load_exercises
    >>> sets = load_exercises()
    >>> windows = cut_windows(
    ...     sets.recordings, length=4.0, rate=sets.rate, labels=sets.target, groups=sets.subject
    ... )
    >>> windows.data
    Modalities with 552 samples
      accelerometer  ndarray  (552, 3, 50)
      gyroscope      ndarray  (552, 3, 50)
    """
    arrays, descr = _arrays("exercises")
    borders = np.cumsum(arrays["length"], dtype=np.int64)[:-1]
    parts = np.split(arrays["values"] / 1000.0, borders, axis=1)
    recordings = [{"accelerometer": one[:3], "gyroscope": one[3:]} for one in parts]
    target = arrays["y"]
    if return_X_y:
        return recordings, target
    return Bunch(
        recordings=recordings,
        rate=12.5,
        target=target,
        target_names=np.unique(target),
        subject=arrays["subject"].astype(np.int64),
        DESCR=descr,
    )


def load_mfeat(*, return_X_y: bool = False) -> Any:
    """Load Multiple Features: six descriptions of the same 2,000 handwritten numerals.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``data`` : Modalities of 2,000 samples, `fou` (2000, 76), `fac` (2000, 216), `kar`
          (2000, 64), `pix` (2000, 240), `zer` (2000, 47), `mor` (2000, 6); float64
        - ``target`` : ndarray of int, shape (2000,), the digit
        - ``target_names`` : ndarray of int, shape (10,), the sorted digits
        - ``DESCR`` : str, what the data are, their source and terms
    (data, target) : tuple of Modalities and ndarray of shape (2000,)
        If `return_X_y` is True.

    References
    ----------
    Duin, "Multiple Features", UCI Machine Learning Repository, 1998, doi:10.24432/C5HC70.

    Examples
    --------
    >>> from mkfusion.datasets import load_mfeat
    >>> X, y = load_mfeat(return_X_y=True)
    >>> print(*X.names)
    fou fac kar pix zer mor
    """
    data, others, descr = _load("mfeat")
    target = others["y"].astype(np.int64)
    if return_X_y:
        return data, target
    return _bunch(data, target, descr)


def load_photographs(*, return_X_y: bool = False) -> Any:
    """Load Photographs: small squares that were cut from eight photographs.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``data`` : Modalities of 240 samples with one modality, `image` (240, 24, 24, 3): height,
          width, and red, green and blue; uint8
        - ``target`` : ndarray of str, shape (240,), what the photograph shows
        - ``target_names`` : ndarray of str, shape (8,), the sorted photographs
        - ``group`` : ndarray of str, shape (240,), the fifth of the photograph, from left to right,
          that a square was cut from: keep its squares together in cross-validation
        - ``DESCR`` : str, what the data are, their sources and terms
    (data, target) : tuple of Modalities and ndarray of shape (240,)
        If `return_X_y` is True.

    Examples
    --------
    >>> from mkfusion.datasets import load_photographs
    >>> photographs = load_photographs()
    >>> photographs.data["image"].shape
    (240, 24, 24, 3)
    >>> print(*photographs.target_names)
    astronaut cat coffee flower retina rocket temple tissue
    """
    arrays, descr = _arrays("photographs")
    data, target = Modalities(image=arrays["image"]), arrays["y"]
    if return_X_y:
        return data, target
    group = np.array(
        [f"{name} {strip}" for name, strip in zip(target, arrays["strip"], strict=True)]
    )
    return _bunch(data, target, descr, group=group)


def load_promoters(*, return_X_y: bool = False) -> Any:
    """Load Promoter Gene Sequences: short pieces of DNA at which a gene begins, or none does.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``data`` : Modalities of 106 samples with one modality, `sequence`, a list of str: 57
          letters each, aligned at the beginning of the gene
        - ``target`` : ndarray of str, shape (106,), "promoter" or "other"
        - ``target_names`` : ndarray of str, shape (2,)
        - ``group`` : ndarray of int, shape (106,), the same for samples that overlap: keep them
          together in cross-validation
        - ``name`` : ndarray of str, shape (106,), the gene, or where a window begins
        - ``DESCR`` : str, what the data are, their source and terms
    (data, target) : tuple of Modalities and ndarray of shape (106,)
        If `return_X_y` is True.

    References
    ----------
    Towell, Shavlik and Noordewier, "Refinement of approximate domain theories by knowledge-based
    neural networks", AAAI, 1990; doi:10.24432/C5S01D.

    Examples
    --------
    >>> from mkfusion.datasets import load_promoters
    >>> promoters = load_promoters()
    >>> promoters.data["sequence"][0]
    'tactagcaatacgcttgcgttcggtggttaagtatgtataatgcgcgggcttgtcgt'
    >>> print(promoters.name[0], promoters.target[0])
    S10 promoter
    """
    data, others, descr = _load("promoters")
    target = np.where(others["y"] == "+", "promoter", "other")
    if return_X_y:
        return data, target
    group = others["group"].astype(np.int64)
    return _bunch(data, target, descr, group=group, name=others["name"])


def load_sonar(*, return_X_y: bool = False) -> Any:
    """Load Sonar: echoes of a mine or of a rock in 60 frequency bands.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    bunch : sklearn.utils.Bunch
        With the attributes

        - ``data`` : Modalities of 208 samples with one modality, `bands` (208, 60); float64
        - ``target`` : ndarray of str, shape (208,), "mine" or "rock"
        - ``target_names`` : ndarray of str, shape (2,)
        - ``DESCR`` : str, what the data are, their source and terms
    (data, target) : tuple of Modalities and ndarray of shape (208,)
        If `return_X_y` is True.

    References
    ----------
    Gorman and Sejnowski, "Analysis of hidden units in a layered network trained to classify
    sonar targets", Neural Networks 1, 1988; doi:10.24432/C5T01Q.

    Examples
    --------
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> X["bands"].shape
    (208, 60)
    """
    data, others, descr = _load("sonar")
    target = np.where(others["y"] == "M", "mine", "rock")
    if return_X_y:
        return data, target
    return _bunch(data, target, descr)
