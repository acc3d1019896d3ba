"""Make ``mkfusion/datasets/data/exercises.npz`` from the data that the package seglearn carries.

``pip install --no-deps seglearn==1.2.5 numpy==2.4.6``, and ``python benchmarks/make_exercises.py``.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "mkfusion" / "datasets" / "data" / "exercises.npz"
NAMES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
RIGHT, STEPS, THOUSANDTHS = 1, 4, 1000.0  # of 50 Hz; g and rad/s


def main() -> None:
    """Write the sets of the right arm, the means of four time steps, in thousandths."""
    spec = find_spec("seglearn")
    if spec is None or not spec.origin:
        raise ImportError("seglearn is not installed")
    path = Path(spec.origin).parent / "data" / "watch_dataset.npy"
    raw = np.load(path, allow_pickle=True).item()
    right = np.flatnonzero(raw["side"] == RIGHT)
    right = right[np.lexsort((raw["y"][right], raw["subject"][right]))]
    sets = []
    for i in right:
        values = raw["X"][i]
        n_steps = len(values) // STEPS
        means = values[: n_steps * STEPS].reshape(n_steps, STEPS, -1).mean(axis=1)
        sets.append(np.rint(means * THOUSANDTHS).astype(np.int16))
    np.savez_compressed(
        TARGET,
        values=np.concatenate(sets).T,
        length=np.array([len(one) for one in sets], dtype=np.int16),
        y=np.array([NAMES[k] for k in raw["y"][right]]),
        subject=raw["subject"][right].astype(np.int8),
    )
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(sets)} sets")


if __name__ == "__main__":
    main()
