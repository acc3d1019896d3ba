"""Samples that are images, and what is counted in them: colours, textures and edges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import as_plain

_EXPECTED = (
    "images: an array (n_samples, height, width) or (n_samples, height, width, 3), or a list of "
    "arrays (height, width) or (height, width, 3)"
)
_CHANNELS = (1, 3)
# ITU-R BT.601: how bright red, green and blue are.
_BRIGHTNESS = np.array([0.299, 0.587, 0.114])

_COLORS = 4  # of a channel: 64 together (Swain and Ballard)
_GRAYS = 16
_ORIENTATIONS = 9  # unsigned (Dalal and Triggs)
# Of a pixel's step in brightness: less is no edge. A flat image has all orientations alike.
_FAINT = 1e-6
# Counting takes some ten numbers for a value of a pixel: 1e6 of them fit in a cache or nearly.
_TOGETHER = 1_000_000
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def read_images(X: Any) -> list[NDArray[Any]]:
    """Check samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, height, width), or (n_samples, height, width, n_channels), \
            or a list of array-likes of shape (height, width) or (height, width, n_channels)

    Returns
    -------
    list of n_samples ndarray of shape (height, width, n_channels)
        Unsigned integers or booleans of any size, or floats from 0 to 1.

    Raises
    ------
    ValueError, TypeError
        If they are no images, have another number of channels or values out of range.
    """
    X = as_plain(X)
    if isinstance(X, str | bytes) or issparse(X) or not hasattr(X, "__len__"):
        raise TypeError(f"X is {shown(X)}; expected {_EXPECTED}.")
    if hasattr(X, "columns") or len(X) == 0:
        raise ValueError(f"X is {type(X).__name__} of {len(X)} rows; expected {_EXPECTED}.")
    images = [_as_image(one, f"X[{i}]") for i, one in enumerate(X)]
    n_channels = images[0].shape[2]
    for i, image in enumerate(images):
        if image.shape[2] != n_channels:
            raise ValueError(
                f"X[{i}] has {image.shape[2]} channels, X[0] has {n_channels}; expected the same."
            )
    return images


def _as_image(image: Any, name: str) -> NDArray[Any]:
    pixels = np.asarray(image)
    if pixels.dtype.kind not in "fiub":
        raise TypeError(f"{name} is an array of dtype {pixels.dtype}; expected {_EXPECTED}.")
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS or pixels.size == 0:
        hint = ""
        if pixels.ndim == 3 and pixels.shape[0] in _CHANNELS:
            hint = " Images whose channels come first are X.transpose(0, 2, 3, 1)."
        elif pixels.ndim == 3 and pixels.shape[2] == 4:
            hint = " Images without the channel of opacity are X[..., :3]."
        raise ValueError(f"{name} has shape {np.shape(image)}; expected {_EXPECTED}.{hint}")
    if pixels.dtype.kind == "i":
        raise TypeError(
            f"{name} is an array of dtype {pixels.dtype}; expected uint8, or floats 0 to 1."
        )
    if pixels.dtype.kind != "f":
        return pixels
    if not np.isfinite(pixels).all():
        i, j, channel = np.argwhere(~np.isfinite(pixels))[0].tolist()
        raise ValueError(
            f"{name} is {pixels[i, j, channel]} at row {i}, column {j}; expected finite numbers."
        )
    if pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(
            f"{name} has values from {shown(pixels.min())} to {shown(pixels.max())}; expected "
            "uint8, or floats from 0 to 1, as X / 255 are."
        )
    return pixels


# An array of bytes in three dimensions holds images if both sides have so many pixels, and one is
# at most so much longer: signals have few channels and many time steps.
_LEAST_SIDE, _LONGEST = 8, 4


def image_size(data: Any) -> tuple[int, int] | None:
    """Return the least height and width of samples that are images; None if they are none.

    Parameters
    ----------
    data : ndarray, or list of n_samples items
        Items that are None are not looked at.

    Returns
    -------
    tuple of int or None
        Images are arrays (height, width, 1 or 3); and of unsigned bytes (height, width), where
        these are not the channels and time steps of a signal.
    """
    if isinstance(data, list | tuple) or (data.dtype == object and data.ndim == 1):
        shapes = {shape_of(one) for one in data if one is not None}
        bytes_only = all(getattr(one, "dtype", None) == np.uint8 for one in data if one is not None)
    else:
        shapes, bytes_only = {np.shape(data)[1:]}, data.dtype == np.uint8
    if not shapes or {len(shape) for shape in shapes} not in ({2}, {3}):
        return None
    size = min(shape[0] for shape in shapes), min(shape[1] for shape in shapes)
    if all(len(shape) == 3 for shape in shapes):
        return size if all(shape[2] in _CHANNELS for shape in shapes) and min(size) > 0 else None
    square = all(max(shape) <= _LONGEST * min(shape) for shape in shapes)
    return size if bytes_only and square and min(size) >= _LEAST_SIDE else None


def shape_of(item: Any) -> tuple[int, ...]:
    """Return the shape of a sample; that of a single thing for lists of different lengths."""
    try:
        return np.shape(item)
    except ValueError:
        return ()


def by_shape(images: list[NDArray[Any]]) -> Iterable[tuple[NDArray[np.intp], Floats]]:
    """Yield the indices (s,) and pixels (s, height, width, n_channels) of images as large.

    The pixels are from 0 to 1, and of no more images at a time than there is room for.
    """
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        shapes.setdefault(image.shape, []).append(i)
    for shape, alike in shapes.items():
        n_together = max(1, _TOGETHER // math.prod(shape))
        for first in range(0, len(alike), n_together):
            rows = alike[first : first + n_together]
            yield np.array(rows), np.array([_from_0_to_1(images[i]) for i in rows])


def _from_0_to_1(image: NDArray[Any]) -> Floats:
    most = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    return image.astype(np.float64) / float(most)


def brightness(images: Floats) -> Floats:
    """Return the brightness (n, height, width) of images (n, height, width, n_channels)."""
    return images[..., 0] if images.shape[-1] == 1 else images @ _BRIGHTNESS


def color_counts(images: Floats, levels: int) -> list[Floats]:
    """Count colours: 64 of RGB, or 16 grays; see `_counts`."""
    n_values = _GRAYS if images.shape[-1] == 1 else _COLORS
    steps = np.minimum((images * n_values).astype(np.intp), n_values - 1)
    codes = steps @ (n_values ** np.arange(images.shape[-1]))
    return _counts([codes], [np.ones(codes.shape)], n_values ** images.shape[-1], levels)


def texture_counts(images: Floats, levels: int) -> list[Floats]:
    """Count uniform local binary patterns (Ojala et al. 2002): 58 of them, and all others."""
    gray = brightness(images)
    center = gray[:, 1:-1, 1:-1]
    height, width = gray.shape[1:]
    codes = np.zeros(center.shape, dtype=np.intp)
    for bit, (i, j) in enumerate(_NEIGHBOURS):
        codes |= (gray[:, 1 + i : height - 1 + i, 1 + j : width - 1 + j] >= center) * (1 << bit)
    return _counts([_UNIFORM[codes]], [np.ones(codes.shape)], _UNIFORM.max() + 1, levels)


def gradient_counts(images: Floats, levels: int) -> list[Floats]:
    """Count orientations of edges by how strong they are, shared by the two nearest of nine."""
    gray = brightness(images)
    down = gray[:, 2:, 1:-1] - gray[:, :-2, 1:-1]
    right = gray[:, 1:-1, 2:] - gray[:, 1:-1, :-2]
    strength = np.hypot(down, right)
    place = np.arctan2(down, right) / np.pi * _ORIENTATIONS % _ORIENTATIONS
    lower = np.floor(place)
    upper_share = place - lower
    codes = lower.astype(np.intp) % _ORIENTATIONS
    counted = _counts(
        [codes, (codes + 1) % _ORIENTATIONS],
        [strength * (1.0 - upper_share), strength * upper_share],
        _ORIENTATIONS,
        levels,
    )
    return [one + _FAINT * strength[0].size / one.shape[1] for one in counted]


def _uniform_patterns() -> NDArray[np.intp]:
    """Return the number of each pattern of eight bits: those of at most two changes, and one more.

    58 circular patterns change from 0 to 1 and back at most once.
    """
    bits = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, uniform.sum())


_UNIFORM = _uniform_patterns()


def _counts(
    codes: list[NDArray[np.intp]], weights: list[Floats], n_codes: int, levels: int
) -> list[Floats]:
    """Count codes in the cells of a pyramid.

    Parameters
    ----------
    codes, weights : list of ndarray of shape (n, height, width)
        Each pixel counts its code with its weight, in each of the lists.
    n_codes : int
    levels : int

    Returns
    -------
    list of levels + 1 ndarray of shape (n, 4**level * n_codes)
        The image is cut in 2**level parts in both directions.
    """
    n, height, width = codes[0].shape
    counted = []
    for level in range(levels + 1):
        parts = 2**level
        rows = np.arange(height) * parts // height
        columns = np.arange(width) * parts // width
        cells = rows[:, np.newaxis] * parts + columns
        size = parts * parts * n_codes
        offsets = np.arange(n)[:, np.newaxis, np.newaxis] * size + cells * n_codes
        total = np.zeros(n * size)
        for one, weight in zip(codes, weights, strict=True):
            total += np.bincount((offsets + one).ravel(), weight.ravel(), minlength=n * size)
        counted.append(total.reshape(n, size))
    return counted
