"""Make ``mkfusion/datasets/data/photographs.npz`` from photographs that packages carry.

``pip install --no-deps scikit-image==0.26.0 scikit-learn==1.9.1 pillow==13.0.0 numpy==2.4.6``, and
``python benchmarks/make_photographs.py``.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

TARGET = Path(__file__).parents[1] / "mkfusion" / "datasets" / "data" / "photographs.npz"
PHOTOGRAPHS = {
    "astronaut": "skimage/data/astronaut.png",
    "cat": "skimage/data/chelsea.png",
    "coffee": "skimage/data/coffee.png",
    "flower": "sklearn/datasets/images/flower.jpg",
    "retina": "skimage/data/retina.jpg",
    "rocket": "skimage/data/rocket.jpg",
    "temple": "sklearn/datasets/images/china.jpg",
    "tissue": "skimage/data/ihc.png",
}
STRIPS, OF_STRIP, SIDE, SMALLER = 5, 6, 48, 2


def folder_of(package: str) -> Path:
    """Return where a package lies, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.origin:
        raise ImportError(f"{package} is not installed")
    return Path(spec.origin).parent.parent


def patches(pixels: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[int]]:
    """Draw squares that do not overlap from each of five vertical strips, and halve them."""
    height, width, _ = pixels.shape
    found, strips = [], []
    for strip, (left, right) in enumerate(zip(*_borders(width), strict=True)):
        corners = [
            (top, side)
            for top in range(0, height - SIDE + 1, SIDE)
            for side in range(left, right - SIDE + 1, SIDE)
        ]
        for k in np.sort(rng.choice(len(corners), OF_STRIP, replace=False)):
            top, side = corners[k]
            square = pixels[top : top + SIDE, side : side + SIDE].astype(float)
            half = SIDE // SMALLER
            means = square.reshape(half, SMALLER, half, SMALLER, 3).mean(axis=(1, 3))
            found.append(np.rint(means).astype(np.uint8))
            strips.append(strip)
    return found, strips


def _borders(width: int) -> tuple[np.ndarray, np.ndarray]:
    borders = np.linspace(0, width, STRIPS + 1).astype(int)
    return borders[:-1], borders[1:]


def main() -> None:
    """Write thirty squares of each photograph."""
    rng = np.random.default_rng(0)
    images, names, strips = [], [], []
    for name, path in PHOTOGRAPHS.items():
        with Image.open(folder_of(path.split("/")[0]) / path) as photograph:
            squares, where = patches(np.asarray(photograph.convert("RGB")), rng)
        images += squares
        names += [name] * len(squares)
        strips += where
    np.savez_compressed(
        TARGET, image=np.array(images), y=np.array(names), strip=np.array(strips, dtype=np.int8)
    )
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(images)} squares")


if __name__ == "__main__":
    main()
