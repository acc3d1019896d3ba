"""Model files: what they hold, and how they are read without running any of it."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import sklearn
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

import mkfusion
from mkfusion import ColumnKernelizer
from mkfusion.cli._errors import UsageError, listed, note
from mkfusion.cli._kinds import KINDS, Kind

__all__ = ["Model", "load_model", "save_model"]

_FORMAT = 1
# Beside what skops trusts of Python, NumPy and scikit-learn: what pipelines of `mkfusion fit` are
# made of. None of them does more at loading than to take its attributes.
_TRUSTED = frozenset(
    {
        "mkfusion.kernels.kernelizer._adapters.PipelineKernel",
        "mkfusion.kernels.tables._categories.OverlapKernel",
        "mkfusion.kernels.kernelizer._column_kernelizer.ColumnKernelizer",
        "mkfusion.kernels.kernelizer._evaluation.FittedKernel",
        "mkfusion.kernels.kernelizer._evaluation.KernelView",
        "mkfusion.kernels.stack._factor_view.FactorView",
        "mkfusion.kernels._feature_kernels.CosineKernel",
        "mkfusion.kernels._feature_kernels.RBFKernel",
        "mkfusion.kernels.kernelizer._kernelizer_base.Entry",
        "mkfusion.kernels.kernelizer._missing.Marginaliser",
        "mkfusion.kernels.kernelizer._normalize.CosineNormalization",
        "mkfusion.kernels.tables._tables.ClinicalKernel",
        "mkfusion.kernels.tables._variables.Cells",
        "mkfusion.kernels.tables._variables.Graded",
        "mkfusion.kernels.tables._variables.Nominal",
        "mkfusion.mkl._classifier.MKLClassifier",
        "mkfusion.mkl._regressor.MKLRegressor",
        "numpy.ravel",
        "scipy.sparse._csr.csr_matrix",
    }
)


class Model(NamedTuple):
    """A fitted pipeline, and what data it is for.

    Attributes
    ----------
    pipeline : Pipeline
        From `Modalities` of DataFrames to predictions.
    kinds : dict of str to dict of str to Kind
        By modality and column.
    takes_gaps : dict of str to bool
        By modality: whether its kernel has an answer for rows with some empty cells.
    keeps : bool
        Whether samples may lack a modality.
    target : str
        Name of the column that was learned.
    id : str or None
        Name of the column that names samples.
    """

    pipeline: Pipeline
    kinds: dict[str, dict[str, Kind]]
    takes_gaps: dict[str, bool]
    keeps: bool
    target: str
    id: str | None


def save_model(model: Model, path: Path) -> None:
    """Write a model.

    Parameters
    ----------
    model : Model
    path : Path

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    from skops import io

    modalities = [
        {
            "name": name,
            "takes_gaps": model.takes_gaps[name],
            "columns": [
                {"name": column, "kind": kind.name, "levels": list(kind.levels)}
                for column, kind in kinds.items()
            ],
        }
        for name, kinds in model.kinds.items()
    ]
    held = {
        "format": _FORMAT,
        "mkfusion": mkfusion.__version__,
        "scikit-learn": sklearn.__version__,
        "target": model.target,
        "id": model.id,
        "keeps": model.keeps,
        "modalities": modalities,
        "pipeline": model.pipeline,
    }
    try:
        io.dump(held, path, compression=zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error}") from error


def load_model(path: str) -> Model:
    """Read a model, of trusted types only.

    Parameters
    ----------
    path : str

    Returns
    -------
    Model

    Raises
    ------
    UsageError
        If there is no such file, it is no model, or it holds types that are not trusted.
    """
    held = _load(path)
    refusal = f"{path!r} is no model that mkfusion fit has written"
    if not isinstance(held, dict) or "format" not in held:
        raise UsageError(refusal)
    if held["format"] != _FORMAT:
        raise UsageError(
            f"{path!r} has format {held['format']!r}, and mkfusion {mkfusion.__version__} reads "
            f"{_FORMAT}; it was written by mkfusion {held.get('mkfusion')}"
        )
    try:
        kinds = {
            one["name"]: {
                column["name"]: Kind(column["kind"], tuple(column["levels"]))
                for column in one["columns"]
            }
            for one in held["modalities"]
        }
        takes_gaps = {one["name"]: bool(one["takes_gaps"]) for one in held["modalities"]}
        pipeline = held["pipeline"]
        model = Model(pipeline, kinds, takes_gaps, bool(held["keeps"]), held["target"], held["id"])
        sound = isinstance(pipeline, Pipeline) and isinstance(pipeline[0], ColumnKernelizer)
        named = [*kinds, *(column for one in kinds.values() for column in one), model.target]
        sound = sound and all(isinstance(name, str) for name in named)
        sound = sound and (model.id is None or isinstance(model.id, str))
        sound = sound and {one.name for some in kinds.values() for one in some.values()} <= KINDS
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(refusal) from error
    if not sound:
        raise UsageError(refusal)
    _note_versions(path, held)
    return model


def _load(path: str) -> Any:
    """Read what a file holds."""
    from skops import io

    if Path(path).is_dir():
        raise UsageError(f"{path!r} is a folder; expected a model that mkfusion fit has written")
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path!r}") from error
    except OSError as error:
        raise UsageError(f"{path!r} cannot be read: {error.strerror}") from error
    with warnings.catch_warnings():
        # What this says of every estimator is said once, of the file.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            unknown = sorted(set(io.get_untrusted_types(data=data)) - _TRUSTED)
            if not unknown:
                return io.loads(data, trusted=sorted(_TRUSTED))
        except Exception as error:  # anyone's bytes can fail in any way
            raise UsageError(
                f"{path!r} is no model that mkfusion fit has written: {type(error).__name__}"
                f"{f', {error}' if str(error) else ''}"
            ) from error
    raise UsageError(
        f"{path!r} holds types that are not trusted, and was not loaded: {listed(unknown)}"
    )


def _note_versions(path: str, held: dict[str, Any]) -> None:
    """Say if scikit-learn is another one than that which made the model."""
    made, here = str(held.get("scikit-learn")), sklearn.__version__
    if made.split(".")[:2] != here.split(".")[:2]:
        note(
            f"{path!r} was made with scikit-learn {made}, and here is {here}: predictions may "
            "differ; fit it again to be sure"
        )
