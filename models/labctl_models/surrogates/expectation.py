"""Expectation propagation: what intervals instead of numbers say about normal responses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dlauum, dpotrf, dtrtri

from labctl_models.surrogates.truncation import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

MOST_SWEEPS = 60
CLOSE = 1e-6
LEAST_PRECISION = 1e-8
"""An interval that tells less than a reading with 10⁴ times the spread of the responses tells nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """The intervals as if each were one reading with a normal error of its own.

    Attributes:
        location: (m,) those readings.
        precision: (m,) one over the variances of their errors, at least `LEAST_PRECISION`.
        log_evidence: Log probability of all intervals together.
        pull: (m,) A⁻¹ (location - mean) with A the covariance of these readings.
        half: (m x m) lower triangular, of which half' half is the inverse of I + √precision covariance
            √precision.
        sweeps: How often the intervals were gone through.
    """

    location: Array
    precision: Array
    log_evidence: float
    pull: Array
    half: Array
    sweeps: int

    @property
    def informative(self) -> NDArray[np.bool_]:
        """Which intervals say anything at all (m,)."""
        return np.asarray(self.precision > 2.0 * LEAST_PRECISION, dtype=bool)

    def inverse(self) -> Array:
        """A⁻¹ (m x m)."""
        product, _ = dlauum(self.half, lower=1)
        whole = np.tril(product) + np.tril(product, -1).T
        root = np.sqrt(self.precision)
        return np.asarray(whole * np.outer(root, root), dtype=np.float64)


def propagate(
    mean: Array,
    covariance: Array,
    noise_variance: float,
    low: Array,
    high: Array,
    *,
    start: Sites | None = None,
    close: float = CLOSE,
) -> Sites:
    """Responses f ~ normal(mean (m,), covariance (m x m)), of which f + noise lies within [low, high].

    Each interval is replaced by the normal reading that has the same effect on mean and variance of f given
    all others (Minka, UAI 2001; Rasmussen and Williams (2006), section 3.6). All are replaced at once in
    each sweep, with shorter steps where that would oscillate. Intervals are log-concave, so there is one
    answer; it agrees with long Monte Carlo runs far better than a mode does (Kuss and Rasmussen,
    J. Mach. Learn. Res. 6, 1679 (2005)).

    Args:
        mean: of the responses.
        covariance: of the responses, without noise.
        noise_variance: of one reading; above 0.
        low: (m,) lower ends of the intervals, minus infinity where open.
        high: (m,) upper ends, above the lower ones, infinity where open.
        start: sites of a similar problem, to begin with.
        close: largest change that counts as none: of a mean in standard deviations, or of a variance as a
            share of itself.
    """
    spread = np.sqrt(np.diagonal(covariance))
    precision = np.full(len(mean), LEAST_PRECISION) if start is None else start.precision
    natural = precision * (mean if start is None else start.location)
    step, before = 1.0, math.inf
    for sweep in range(1, MOST_SWEEPS + 1):
        state = _State.of(mean, covariance, precision, natural)
        found = inside(state.without, state.variance_without + noise_variance, low, high)
        left = 1.0 - state.variance_without * found.curvature
        new_precision = np.maximum(found.curvature / left, LEAST_PRECISION)
        # Where an interval tells nothing, so does its slope, and the reading is put where it is expected.
        new_natural = (found.slope + state.without * found.curvature) / left
        new_natural = np.where(new_precision > LEAST_PRECISION, new_natural, LEAST_PRECISION * state.without)
        # How far means, in standard deviations, and variances, as shares, move if each site alone changes.
        tighter = new_precision - precision
        moved = (new_natural - natural - tighter * state.mean) * state.variance / spread
        change = float(np.maximum(np.abs(moved), np.abs(tighter * state.variance)).max(initial=0.0))
        if change < close or sweep == MOST_SWEEPS:
            return state.sites(float(found.log_probability.sum()), sweep)
        if change > 0.9 * before:
            step = max(0.2, 0.75 * step)
        before = change
        precision = precision + step * (new_precision - precision)
        natural = natural + step * (new_natural - natural)
    raise AssertionError("unreachable: the last sweep returns")


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The responses (m) given all sites, and given all but each one's own."""

    location: Array
    precision: Array
    prior_mean: Array
    half: Array
    pull: Array
    mean: Array
    variance: Array
    without: Array
    variance_without: Array

    @classmethod
    def of(cls, prior_mean: Array, covariance: Array, precision: Array, natural: Array) -> _State:
        location = natural / precision
        root = np.sqrt(precision)
        B = covariance * np.outer(root, root)
        B.flat[:: len(B) + 1] += 1.0
        # B has no eigenvalue below 1, so that this cannot fail.
        lower, _ = dpotrf(B, lower=1, clean=1)
        half, _ = dtrtri(lower, lower=1)
        share = np.einsum("ij,ij->j", half, half)
        pull = root * (half.T @ (half @ (root * (location - prior_mean))))
        # With M the inverse covariance of the readings, its diagonal is precision * share, and leaving one
        # out is as in Rasmussen and Williams (2006), equation 5.12.
        variance = np.maximum((1.0 - share) / precision, 0.0)
        variance_without = np.maximum((1.0 / share - 1.0) / precision, 0.0)
        mean = location - pull / precision
        without = location - pull / (precision * share)
        return cls(location, precision, prior_mean, half, pull, mean, variance, without, variance_without)

    def sites(self, log_probability: float, sweeps: int) -> Sites:
        """The sites with the evidence: that of the readings, each with its own error in scale put right."""
        gap = self.location - self.without
        stretched = 1.0 + self.precision * self.variance_without
        evidence = (
            log_probability
            + 0.5 * float(np.log(stretched).sum())
            + float(np.log(np.diagonal(self.half)).sum())
            - 0.5 * float((self.location - self.prior_mean) @ self.pull)
            + 0.5 * float((gap * gap * self.precision / stretched).sum())
        )
        return Sites(self.location, self.precision, evidence, self.pull, self.half, sweeps)
