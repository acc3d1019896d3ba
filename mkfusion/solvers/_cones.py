"""Pairs of points in second-order cones, and what brings them to one scale.

A point x of the cone has ``x_0 >= norm(x_1, x_2, ...)``. Arrays of shape (m, 1 + d) hold m of them.

References
----------
Nesterov and Todd, "Self-scaled barriers and interior-point methods for convex programming",
Mathematics of Operations Research 22 (1997).
"""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats

_TINY = float(np.finfo(float).tiny)


class Cones:
    """Points ``(t, P_k)`` and ``(eta_k, -w_k)`` of second-order cones, one pair for each kernel.

    Rows are kernels: arrays (m, 1 + n_tasks). With J = diag(1, -1, ..., -1), the scaling of
    Nesterov and Todd is ``W = size (2 v v' - J)``, which brings both points of a pair to the same
    ``middle = W z = W^-1 s``.
    """

    def __init__(self, s: Floats, z: Floats) -> None:
        s_size, z_size = _size(s), _size(z)
        s_unit, z_unit = s / s_size[:, np.newaxis], z / z_size[:, np.newaxis]
        half = np.sqrt(0.5 * (1.0 + np.sum(s_unit * z_unit, axis=1)))
        turned = (s_unit + mirror(z_unit)) / (2.0 * half[:, np.newaxis])
        self._v = turned.copy()
        self._v[:, 0] += 1.0
        self._v /= np.sqrt(2.0 * (turned[:, :1] + 1.0))
        self._scale = np.sqrt(s_size / z_size)[:, np.newaxis]
        self.middle = self.times(z)
        # W^-2 = (2 (J u)(J u)' - J) / size**2
        self.inverse = 2.0 * mirror(turned)[:, :, np.newaxis] * mirror(turned)[:, np.newaxis]
        self.inverse[:, 0, 0] -= 1.0
        for u in range(1, s.shape[1]):
            self.inverse[:, u, u] += 1.0
        self.inverse /= (self._scale**2)[:, :, np.newaxis]

    def times(self, x: Floats) -> Floats:
        """Return ``W x``."""
        along = np.sum(self._v * x, axis=1, keepdims=True)
        return self._scale * (2.0 * along * self._v - mirror(x))

    def over(self, x: Floats) -> Floats:
        """Return ``W^-1 x``."""
        v = mirror(self._v)
        along = np.sum(v * x, axis=1, keepdims=True)
        return (2.0 * along * v - mirror(x)) / self._scale

    def target(self, mu: float, ds: Floats, dz: Floats) -> Floats:
        """Return r where the next dz is to be ``r - W^-2 ds``, for products `mu`.

        ``ds`` and ``dz`` are the last step, whose product is what the system leaves out.
        """
        wanted = -_circle(self.middle, self.middle) - _circle(self.over(ds), self.times(dz))
        wanted[:, 0] += mu
        first, rest = self.middle[:, :1], self.middle[:, 1:]
        # The x of which middle o x is wanted
        x = np.empty_like(wanted)
        across = np.sum(rest * wanted[:, 1:], axis=1, keepdims=True)
        x[:, :1] = (first * wanted[:, :1] - across) / (_size(self.middle) ** 2)[:, np.newaxis]
        x[:, 1:] = (wanted[:, 1:] - rest * x[:, :1]) / first
        return self.over(x)


def mirror(x: Floats) -> Floats:
    """Return ``J x``."""
    turned = -x
    turned[:, 0] = x[:, 0]
    return turned


def _size(x: Floats) -> Floats:
    """Return ``sqrt(x' J x)``."""
    length = np.sqrt(np.sum(x[:, 1:] ** 2, axis=1))
    size: Floats = np.sqrt(np.maximum((x[:, 0] - length) * (x[:, 0] + length), _TINY))
    return size


def _circle(a: Floats, b: Floats) -> Floats:
    """Return the product of the cone's Jordan algebra."""
    product = a[:, :1] * b + b[:, :1] * a
    product[:, 0] = np.sum(a * b, axis=1)
    return product


def reach_in_cones(x: Floats, dx: Floats) -> float:
    """Return how far along `dx` all of the points stay in their cones."""
    a = dx[:, 0] ** 2 - np.sum(dx[:, 1:] ** 2, axis=1)
    b = x[:, 0] * dx[:, 0] - np.sum(x[:, 1:] * dx[:, 1:], axis=1)
    c = _size(x) ** 2
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    # The first root of a t**2 + 2 b t + c, if there is one ahead.
    below = root - b
    reach = np.where((a < 0.0) | ((b < 0.0) & (b * b >= a * c)), c / below, np.inf)
    return float(reach[below > 0.0].min(initial=np.inf))
