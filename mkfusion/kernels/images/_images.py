"""Kernels between images that compare counts of colours, textures and edges, and where they are."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.kernels._intersection import IntersectionKernel
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._rows import ChiSquaredKernel, FeatureKernel
from mkfusion.kernels.images._pixels import (
    by_shape,
    color_counts,
    gradient_counts,
    read_images,
    texture_counts,
)

_COUNTS: dict[str, Callable[[Floats, int], list[Floats]]] = {
    "color": color_counts,
    "texture": texture_counts,
    "gradients": gradient_counts,
}
_KERNELS: dict[str, Callable[[Any], FeatureKernel]] = {
    "intersection": lambda gamma: IntersectionKernel(),
    "chi2": lambda gamma: ChiSquaredKernel(gamma=gamma),
}


class ImageKernel(Kernel):
    """A spatial pyramid kernel between images: what is in them, and roughly where.

    An image is described by histograms, of its whole, its quarters, their quarters and so on. Each
    level of this pyramid has the sum 1, and finer ones count more: level l of L has the weight
    2^-L for l = 0 and 2^(l - L - 1) for the others [1]_. The kernel compares these histograms h,
    weights included, by intersection, ``sum_i min(h_i, g_i)`` [2]_, which is the pyramid match
    kernel of [1]_, or by the exponential chi-squared kernel ``exp(-gamma sum_i (h_i - g_i)^2 /
    (h_i + g_i))`` [3]_. An image with itself is 1. Both are positive semi-definite.

    What histograms count is one of

    - ``"color"``: the 64 colours of 4 steps in red, green and blue each [2]_, or 16 grays. Where an
      object is, how large and how turned matters little, the light much.
    - ``"texture"``: local binary patterns, which neighbours of a pixel are at least as bright: the
      58 uniform ones and all others [4]_. No monotone change of brightness changes them.
    - ``"gradients"``: the orientations of edges, in 9 directions without sign, by their strength,
      as in histograms of oriented gradients [5]_: the shapes.

    They are modalities of the same images: kernels of all three are made by
    ``[ImageKernel("color"), ImageKernel("texture"), ImageKernel("gradients")]``.

    Images are an array (n_samples, height, width), gray, or (n_samples, height, width, 3), RGB, or
    a list of arrays of one image each, which may have different sizes; of unsigned integers, or
    floats from 0 to 1.

    Parameters
    ----------
    feature : {"color", "texture", "gradients"}, default="gradients"
        What is counted.
    levels : int, default=2
        L: the finest cells are 1 / 2^L of an image high and wide. 0 is no pyramid: one histogram,
        and nothing of where things are.
    kernel : {"intersection", "chi2"}, default="intersection"
        Between histograms.
    gamma : float, {"scale", "median"} or None, default="median"
        As in :class:`ChiSquaredKernel`; not used by "intersection".

    Attributes
    ----------
    gamma_ : float or None
        The number that `gamma` stands for; None if ``kernel="intersection"``.
    n_channels_in_ : int
        1 or 3, as seen during fit.

    Raises
    ------
    ValueError, TypeError
        At fit and at evaluation, if samples are no images, or smaller than the finest cells.

    See Also
    --------
    ChiSquaredKernel, IntersectionKernel : For histograms that other software has counted.

    References
    ----------
    .. [1] Lazebnik, Schmid and Ponce, "Beyond bags of features: spatial pyramid matching for
       recognizing natural scene categories", CVPR 2006.
    .. [2] Swain and Ballard, "Color indexing", International Journal of Computer Vision 7, 1991;
       Barla, Odone and Verri, "Histogram intersection kernel for image classification", ICIP 2003.
    .. [3] Zhang, Marszalek, Lazebnik and Schmid, "Local features and kernels for classification of
       texture and object categories", International Journal of Computer Vision 73, 2007.
    .. [4] Ojala, Pietikainen and Maenpaa, "Multiresolution gray-scale and rotation invariant
       texture classification with local binary patterns", IEEE TPAMI 24, 2002.
    .. [5] Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.

    Examples
    --------
    Stripes that lie, stripes that stand, and stripes that lie in other colours.

    >>> import numpy as np
    >>> from mkfusion import ImageKernel
    >>> stripes = np.zeros((16, 16, 3), dtype=np.uint8)
    >>> stripes[::4, :, 0] = 255
    >>> images = [stripes, stripes.transpose(1, 0, 2), stripes[..., ::-1]]
    >>> ImageKernel("color", levels=0)(images)
    array([[1.  , 1.  , 0.75],
           [1.  , 1.  , 0.75],
           [0.75, 0.75, 1.  ]])
    >>> ImageKernel("gradients")(images).round(2)
    array([[1., 0., 1.],
           [0., 1., 0.],
           [1., 0., 1.]])
    """

    n_channels_in_: int
    _between: FeatureKernel

    def __init__(
        self,
        feature: str = "gradients",
        *,
        levels: int = 2,
        kernel: str = "intersection",
        gamma: float | str | None = "median",
    ) -> None:
        self.feature = feature
        self.levels = levels
        self.kernel = kernel
        self.gamma = gamma

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        for name, offered in (("feature", _COUNTS), ("kernel", _KERNELS)):
            # `in` on a list: what is not hashable is refused with this message too.
            if getattr(self, name) not in list(offered):
                raise ValueError(
                    f"{name} is {shown(getattr(self, name))}; expected one of {list(offered)}."
                )
        levels: Any = self.levels
        if isinstance(levels, bool) or not isinstance(levels, Integral) or levels < 0:
            raise ValueError(f"levels is {shown(levels)}; expected an integer from 0 on.")
        images = read_images(X)
        self.n_channels_in_ = images[0].shape[2]
        samples = self._describe(images)
        self._between = _KERNELS[self.kernel](self.gamma)
        self._between._fit_prepare(samples)
        self.gamma_ = getattr(self._between, "gamma_", None)
        return samples

    def _prepare(self, X: Any) -> Any:
        images = read_images(X)
        n_channels = images[0].shape[2]
        if n_channels != self.n_channels_in_:
            raise ValueError(
                f"X has images of {n_channels} channels; expected {self.n_channels_in_} as in fit."
            )
        return self._describe(images)

    def _describe(self, images: list[NDArray[Any]]) -> Floats:
        """Return the weighted histograms (n_samples, n_features)."""
        # Textures and edges are seen between the pixels of the border.
        least = 2 ** int(self.levels) + (0 if self.feature == "color" else 2)
        for i, image in enumerate(images):
            if min(image.shape[:2]) < least:
                raise ValueError(
                    f"X[{i}] has {image.shape[0]} x {image.shape[1]} pixels; expected at least "
                    f"{least} x {least} with feature={shown(self.feature)} and "
                    f"levels={self.levels}."
                )
        described: Floats | None = None
        for rows, pixels in by_shape(images):
            counts = _COUNTS[self.feature](pixels, int(self.levels))
            weights = [2.0 ** (max(level, 1) - self.levels - 1) for level in range(len(counts))]
            found = np.hstack(
                [
                    weight * one / one.sum(axis=1, keepdims=True)
                    for weight, one in zip(weights, counts, strict=True)
                ]
            )
            if described is None:
                described = np.empty((len(images), found.shape[1]))
            described[rows] = found
        assert described is not None
        return described

    def _evaluate(self, samples: Floats, others: Floats | None = None) -> FloatArray:
        return self._between._evaluate(samples, others)

    def _diagonal(self, samples: Floats) -> Floats:
        return self._between._diagonal(samples)

    def _is_psd(self) -> bool:
        return True
