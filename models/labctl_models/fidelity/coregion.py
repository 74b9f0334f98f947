"""How sources of measurement go together: their amplitudes and correlations, with priors and slopes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

AMPLITUDE_SCALE = 0.5
"""Sd of the log of a source's amplitude about the sample sd of its measurements."""
WITH_TARGET = (0.7, 0.7)
"""Mean and sd of atanh of a source's correlation with the target. The most probable correlation is 0.6
and 95 % lie between -0.6 and 0.97: a few target measurements can neither make it 1 nor shut it out."""
WITH_EACH_OTHER = (0.5, 1.0)
"""The same for two cheap sources, as a partial correlation given the target."""


@dataclass(frozen=True, slots=True)
class Coregion:
    """The covariance B (m x m) of m sources at one recipe, from phi = (log amplitudes (m), atanh z).

    B = diag(a) L L' diag(a), where L L' is a correlation matrix. Row i of L comes from partial correlations
    z_ik, k < i, by L_ij = z_ij Π_{k<j} √(1 - z_ik²): any z in (-1, 1) gives a valid matrix (Lewandowski,
    Kurowicka and Joe, J. Multivar. Anal. 100, 1989 (2009)). The target is the first row of L though the
    last source, so that z_i0 is source i's plain correlation with the target.
    """

    m: int

    @property
    def size(self) -> int:
        """Length of phi."""
        return self.m + self.m * (self.m - 1) // 2

    @property
    def location(self) -> Array:
        """Prior mean of phi, which is normal with independent parts."""
        return self._prior(0)

    @property
    def scale(self) -> Array:
        """Prior standard deviation of phi."""
        return self._prior(1)

    def correlations(self, z: Array) -> Array:
        """Lower factor L (m x m) of the correlations, the target first."""
        L = np.zeros((self.m, self.m))
        for i, row in enumerate(self._rows(z)):
            rest = 1.0
            for k, partial in enumerate(row):
                L[i, k] = partial * rest
                rest *= math.sqrt(1.0 - partial * partial)
            L[i, i] = rest
        return L

    def matrix(self, phi: Array) -> Array:
        """B (m x m), sources in their own order."""
        L = self.correlations(np.tanh(phi[self.m :]))
        amplitudes = np.exp(phi[: self.m])
        return np.asarray(self._own_order(L @ L.T) * np.outer(amplitudes, amplitudes), dtype=np.float64)

    def pull_back(self, phi: Array, by_B: Array) -> Array:
        """Slope by phi, from the slope `by_B` (m x m, symmetric) of any function of B."""
        z = np.tanh(phi[self.m :])
        amplitudes = np.exp(phi[: self.m])
        L = self.correlations(z)
        correlation = self._own_order(L @ L.T)
        weighted = by_B * np.outer(amplitudes, amplitudes)
        by_amplitude = 2.0 * (weighted * correlation).sum(axis=1)
        order = self._target_first()
        by_L = 2.0 * weighted[np.ix_(order, order)] @ L
        by_z: list[float] = []
        for i, row in enumerate(self._rows(z)):
            for k, partial in enumerate(row):
                # d L_ik / d atanh z_ik = (1 - z²) L_ik / z, and every later entry of the row loses a share z.
                rest = math.sqrt(float(np.prod(1.0 - np.square(row[:k]))))
                later = float(by_L[i, k + 1 : i + 1] @ L[i, k + 1 : i + 1])
                by_z.append(float(by_L[i, k]) * (1.0 - partial * partial) * rest - partial * later)
        return np.concatenate([by_amplitude, by_z])

    def _rows(self, z: Array) -> list[Array]:
        """The partial correlations of each row of L; the first row has none."""
        ends = [i * (i - 1) // 2 for i in range(self.m + 1)]
        return [z[ends[i] : ends[i + 1]] for i in range(self.m)]

    def _target_first(self) -> list[int]:
        return [self.m - 1, *range(self.m - 1)]

    def _own_order(self, C: Array) -> Array:
        back = [*range(1, self.m), 0]
        return np.asarray(C[np.ix_(back, back)], dtype=np.float64)

    def _prior(self, part: int) -> Array:
        amplitude = (0.0, AMPLITUDE_SCALE)
        pairs = [
            (WITH_TARGET if k == 0 else WITH_EACH_OTHER)[part] for i in range(1, self.m) for k in range(i)
        ]
        return np.array([amplitude[part]] * self.m + pairs)
