"""Model files: what they hold, and how they are read without running any of it."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
import skops.io
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

import mkfusion
from mkfusion import ColumnKernelizer, MKLClassifier, MKLRegressor, MKLSurvivalAnalysis
from mkfusion._sigmoids import class_chances
from mkfusion.cli import model_parts
from mkfusion.cli._errors import UsageError, listed, note, output
from mkfusion.cli._kinds import KINDS, Kind

# 1 named classes by the modules where they were defined in mkfusion 0.1.0; 2 by names that stay.
_FORMAT = 2
_SCHEMA = "schema.json"  # where skops says what is made of what
# What a file may hold in memory: so much, or so many times its size. Numbers are hardly ever
# compressed to a hundredth, and a model of which they are is written uncompressed.
_ALWAYS_READ, _MOST_GROWTH = 2**28, 100
# What pipelines of `mkfusion fit` are made of, beside what is in `model_parts`: name by name, as
# none of them does more at loading than to take its attributes.
_PUBLIC = (
    "ChiSquaredKernel",
    "ClinicalKernel",
    "ColumnKernelizer",
    "CosineKernel",
    "LaplacianKernel",
    "LinearKernel",
    "MKLClassifier",
    "MKLRegressor",
    "MKLSurvivalAnalysis",
    "MaternKernel",
    "OverlapKernel",
    "PolynomialKernel",
    "RBFKernel",
    "TanimotoKernel",
)
# The class's own module and name -> the module and name in files
_NAMES = {
    (thing.__module__, thing.__qualname__): (home.__name__, name)
    for home, names in ((mkfusion, _PUBLIC), (model_parts, model_parts.__all__))
    for name in names
    for thing in [getattr(home, name)]
}
# Beside what skops trusts of Python, NumPy and scikit-learn
TRUSTED = frozenset(
    {".".join(name) for name in _NAMES.values()} | {"numpy.ravel", "scipy.sparse._csr.csr_matrix"}
)
# Module and name in files of format 1 -> the name that stays
_NAMES_OF_FORMAT_1 = {
    (f"mkfusion.{module}", name): (
        "mkfusion" if name in _PUBLIC else model_parts.__name__,
        name,
    )
    for module, names in {
        "kernels._feature_kernels": ("CosineKernel", "RBFKernel"),
        "kernels.kernelizer._adapters": ("PipelineKernel",),
        "kernels.kernelizer._column_kernelizer": ("ColumnKernelizer",),
        "kernels.kernelizer._evaluation": ("FittedKernel", "KernelView"),
        "kernels.kernelizer._kernelizer_base": ("Entry",),
        "kernels.kernelizer._missing": ("Marginaliser",),
        "kernels.kernelizer._normalize": ("CosineNormalization",),
        "kernels.stack._factor_view": ("FactorView",),
        "kernels.tables._categories": ("OverlapKernel",),
        "kernels.tables._tables": ("ClinicalKernel",),
        "kernels.tables._variables": ("Cells", "Graded", "Nominal"),
        "mkl._classifier": ("MKLClassifier",),
        "mkl._regressor": ("MKLRegressor",),
    }.items()
    for name in names
}


class Curves(NamedTuple):
    """Logistic curves from decision values to probabilities, one for each problem.

    Attributes
    ----------
    slopes, intercepts : list of float
        Of minus the logit, as Platt has them: one of two classes, or one for each of more.
    together : bool
        Whether logits of more than two classes are compared by a softmax, as
        :class:`mkfusion.MKLClassifierCV` does. Files of 0.1.0 do not say so: of theirs, sigmoids of
        each class are divided by their sum.
    """

    slopes: list[float]
    intercepts: list[float]
    together: bool = False

    @classmethod
    def of(cls, calibration: NDArray[np.float64]) -> Curves:
        """Return those of the `calibration_` of an MKLClassifierCV, of shape (n_columns, 2)."""
        slopes, intercepts = (-calibration).T.tolist()
        return cls(slopes, intercepts, together=True)

    @property
    def words(self) -> str:
        """What they are, in a sentence."""
        if len(self.slopes) == 1:
            return "a logistic curve"
        return "a softmax" if self.together else "logistic curves, divided by their sum,"

    def probabilities(self, decisions: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        values = decisions[:, np.newaxis] if decisions.ndim == 1 else decisions
        if self.together or decisions.ndim == 1:
            return class_chances(-np.column_stack([self.slopes, self.intercepts]), values)
        found = expit(-(values * np.array(self.slopes) + np.array(self.intercepts)))
        total = found.sum(axis=1, keepdims=True)
        equal = np.full_like(found, 1.0 / found.shape[1])
        return np.divide(found, total, out=equal, where=total > 0)


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
        As `--id` names the columns that name samples, "" for the ids that files have without a
        word, None where rows have numbers only.
    curves : Curves or None
        From decision values to probabilities, if these were asked for.
    id_regex : str or None
        What of an id counts, if not all.
    """

    pipeline: Pipeline
    kinds: dict[str, dict[str, Kind]]
    takes_gaps: dict[str, bool]
    keeps: bool
    target: str
    id: str | None
    curves: Curves | None = None
    id_regex: str | None = None


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
    if model.id_regex is not None:
        held["id_regex"] = model.id_regex
    if model.curves is not None:
        held["curves"] = model.curves._asdict()
    data = _renamed(skops.io.dumps(held), _NAMES)
    if _size(data) > _most(data):
        data = _renamed(data, {}, zipfile.ZIP_STORED)
    with output(path) as file:
        file.write_bytes(data)


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
        If there is no such file, it is no model, it holds types that are not trusted or numbers
        that are none, or it is far larger than its file.
    """
    held = _load(path)
    refusal = f"{path!r} is no model that mkfusion fit has written"
    if not isinstance(held, dict) or "format" not in held:
        raise UsageError(refusal)
    if held["format"] not in (1, _FORMAT):
        raise UsageError(
            f"{path!r} has format {held['format']!r}, and mkfusion {mkfusion.__version__} reads "
            f"1 and {_FORMAT}; it was written by mkfusion {held.get('mkfusion')}"
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
        curves = None if held.get("curves") is None else Curves(**held["curves"])
        model = Model(
            pipeline,
            kinds,
            takes_gaps,
            bool(held["keeps"]),
            held["target"],
            held["id"],
            curves,
            held.get("id_regex"),
        )
        sound = isinstance(pipeline, Pipeline) and isinstance(pipeline[0], ColumnKernelizer)
        named = [*kinds, *(column for one in kinds.values() for column in one), model.target]
        sound = sound and all(isinstance(name, str) for name in named)
        sound = sound and (curves is None or _fits(curves, pipeline))
        sound = sound and all(
            one is None or isinstance(one, str) for one in (model.id, model.id_regex)
        )
        sound = sound and {one.name for some in kinds.values() for one in some.values()} <= KINDS
        finite = not sound or all(
            np.isfinite(values).all()
            for values in [*_coefficients(pipeline), *(curves[:2] if curves else ())]
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(refusal) from error
    if not sound:
        raise UsageError(refusal)
    if not finite:
        raise UsageError(
            f"{path!r} has coefficients that are NaN or infinite; expected finite ones, as "
            "mkfusion fit writes them"
        )
    _note_versions(path, held)
    return model


def _load(path: str) -> Any:
    """Read what a file holds."""
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
            size, most = _size(data), _most(data)
            if size > most:
                raise UsageError(
                    f"{path!r} has {len(data)} bytes that grow to {size} when they are read; "
                    f"expected {most} at most, as of models that mkfusion fit has written"
                )
            data = _renamed(data, _NAMES_OF_FORMAT_1)
            unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - TRUSTED)
            if not unknown:
                return skops.io.loads(data, trusted=sorted(TRUSTED))
        except (MemoryError, UsageError):
            raise
        except Exception as error:  # anyone's bytes can fail in any way
            raise UsageError(
                f"{path!r} is no model that mkfusion fit has written: {type(error).__name__}"
                f"{f', {error}' if str(error) else ''}"
            ) from error
    raise UsageError(
        f"{path!r} holds types that are not trusted, and was not loaded: {listed(unknown)}"
    )


def _fits(curves: Curves, pipeline: Pipeline) -> bool:
    """Return whether there is a curve for each column of decision values."""
    n_classes = len(pipeline.classes_)
    n_curves = 1 if n_classes == 2 else n_classes
    numbers = [np.asarray(some, dtype=np.float64) for some in curves[:2]]
    return isinstance(curves.together, bool) and all(len(some) == n_curves for some in numbers)


def _coefficients(pipeline: Pipeline) -> list[NDArray[Any]]:
    """Return the numbers of a model that make its predictions of kernels."""
    machine = pipeline[-1]
    machines = [machine]
    if isinstance(machine, TransformedTargetRegressor):
        machines = [machine.regressor_, machine.transformer_]
    if not isinstance(machines[0], MKLClassifier | MKLRegressor | MKLSurvivalAnalysis):
        raise TypeError(f"{type(machines[0]).__name__} is no machine of mkfusion fit")
    learned = ("weights_", "dual_coef_", "intercept_", "event_times_", "cum_baseline_hazard_")
    names = (*learned, "mean_", "scale_")
    found = [getattr(one, name) for one in machines for name in names if hasattr(one, name)]
    return [np.asarray(values, dtype=np.float64) for values in found]


def _size(data: bytes) -> int:
    """Return how many bytes a ZIP file says it holds; `_renamed` reads no more of it."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = file.infolist()
    # Of other methods zipfile reads all there is, whatever the file says.
    if {member.compress_type for member in members} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise zipfile.BadZipFile("it is compressed otherwise than by deflate")
    return sum(member.file_size for member in members)


def _most(data: bytes) -> int:
    return max(_ALWAYS_READ, _MOST_GROWTH * len(data))


def _renamed(
    data: bytes,
    names: Mapping[tuple[str, str], tuple[str, str]],
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Call classes otherwise in what skops wrote, a ZIP file whose `schema.json` describes them.

    Parameters
    ----------
    data : bytes
    names : mapping from (module, name) to (module, name)
        Classes that are not in it are left as they are.
    compression : int, default=zipfile.ZIP_DEFLATED

    Returns
    -------
    bytes
    """

    def rename(node: dict[str, Any]) -> dict[str, Any]:
        known = names.get((node.get("__module__", ""), node.get("__class__", "")))
        return node if known is None else {**node, "__module__": known[0], "__class__": known[1]}

    renamed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(renamed, "w", compression) as target,
    ):
        for member in source.infolist():
            with source.open(member) as file:
                content = file.read(member.file_size)  # not read(), which inflates all there is
            if member.filename == _SCHEMA:
                content = json.dumps(json.loads(content, object_hook=rename)).encode()
            target.writestr(member.filename, content)
    return renamed.getvalue()


def _note_versions(path: str, held: dict[str, Any]) -> None:
    """Say if this package or scikit-learn is another one than that which made the model."""
    for package, module in (("mkfusion", mkfusion), ("scikit-learn", sklearn)):
        made, here = str(held.get(package)), module.__version__
        if made.split(".")[:2] != here.split(".")[:2]:
            note(
                f"{path!r} was made with {package} {made}, and here is {here}: predictions may "
                "differ; fit it again to be sure"
            )
