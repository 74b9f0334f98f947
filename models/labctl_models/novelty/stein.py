"""Novelty of predicted outcomes: how far off the trend of the observed ones they are, after Stein."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

PUBLISHED_VARIANCE = 1.0
CHUNK_ENTRIES = 2_000_000
# Median and mean absolute deviation of a normal variable are sd / these numbers.
MEDIAN_TO_SD = 1.482602218505602
MEAN_TO_SD = 1.2533141373155001
FARTHEST = 1e100
"""Widths beyond which an outcome is no farther away; the square of so many is still a number."""


def usual_variance(n: int, p: int) -> float:
    """The kernel's variance for n outcomes in p objectives: n^(-2 / (p + 4)), at most the published 1.

    The kernels' sum is an estimate of the density of outcomes, and this is Scott's rule for it (Multivariate
    Density Estimation, 1992). A kernel that stays 1 wide sees the outer edge of the observed alone; outcomes
    in gaps between them, which a growing archive could tell apart, are never novel to it.
    """
    return float(max(n, 1) ** (-2.0 / (p + 4)))


@dataclass(frozen=True, slots=True)
class Scale:
    """Where observed outcomes lie and how far apart, in each of p objectives.

    Attributes:
        centre: (p,) medians, in the objectives' units.
        width: (p,) standard deviations as the median absolute deviation tells them, above 0.
    """

    centre: Array
    width: Array

    @classmethod
    def of(cls, observed: Array, noise_sd: Array | None = None) -> Scale:
        """The scale of the observed outcomes (n x p).

        Standardising by mean and sd, as published, lets one strange reading among ten shrink all other
        distances; medians do not. Where half of the outcomes agree, the mean absolute deviation stands in,
        and 1 where all agree. No width is below the noise of one measurement (``noise_sd``, (p,)): what
        the noise does alone is nobody's novelty.

        Raises:
            ValueError: there is no outcome, or a value is not finite.
        """
        observed = np.asarray(observed, dtype=np.float64)
        if not len(observed) or not np.isfinite(observed).all():
            raise ValueError("a scale needs at least one observed outcome, and finite ones only")
        centre = np.median(observed, axis=0)
        off = np.abs(observed - centre)
        width = MEDIAN_TO_SD * np.median(off, axis=0)
        width = np.where(width > 0.0, width, MEAN_TO_SD * off.mean(axis=0))
        if noise_sd is not None:
            width = np.maximum(width, noise_sd)
        return cls(centre, np.where(width > 0.0, width, 1.0))

    def standardised(self, outcomes: Array) -> Array:
        """Outcomes (q x p) in widths from the centre, at most `FARTHEST` of them.

        Where half of the outcomes agree to 300 digits and one does not, it would be more widths away than a
        double can say; beyond the farthest, nothing is told apart.
        """
        off = np.asarray(outcomes, dtype=np.float64) - self.centre
        with np.errstate(over="ignore"):
            return np.asarray(np.clip(off / self.width, -FARTHEST, FARTHEST), dtype=np.float64)

    def widths(self, sd: Array) -> Array:
        """Standard deviations (q x p) of outcomes in widths, at most `FARTHEST` of them."""
        with np.errstate(over="ignore"):
            return np.asarray(np.minimum(np.asarray(sd) / self.width, FARTHEST), dtype=np.float64)


def stein_novelty(outcomes: Array, observed: Array, *, variance: float = PUBLISHED_VARIANCE) -> Array:
    """Stein novelty (q,) of certain outcomes (q x p) against the observed ones (n x p), both standardised.

    -2 / (n (n + 1)) Σ_k (p / s - r_k² / s²) exp(-r_k² / 2s), where r_k is the distance to observed outcome k
    and s the kernel's variance (BLOX: Terayama et al., Chem. Sci. 11, 5959 (2020), with s = 1). Below 0 amid
    the observed, greatest next to their cloud (for n = 1 at r = √(s (p + 2))) and 0 far away, where the
    kernel has forgotten them: it asks for outcomes just off the trend, not for the farthest ones.

    Raises:
        ValueError: the numbers of objectives differ, or the variance is not above 0.
    """
    outcomes = np.asarray(outcomes, dtype=np.float64)
    return expected_stein_novelty(outcomes, np.zeros_like(outcomes), observed, variance=variance)


def expected_stein_novelty(
    mean: Array, sd: Array, observed: Array, *, variance: float = PUBLISHED_VARIANCE
) -> Array:
    """Mean Stein novelty (q,) of outcomes that are known as independent normals only (mean, sd: q x p).

    Predicted means lie nearer to each other than true outcomes do, so that the novelty of a mean is too
    low. This is the mean of the novelty over what the outcome may be. It needs no draws: each term is the
    Laplacian of a Gaussian kernel, and a normal smooths that kernel to variance s + sd_j² in objective j,

        Σ_j ((m_j - y_j)² / w_j² - 1 / w_j) Π_j √(s / w_j) exp(-(m_j - y_j)² / 2 w_j),  w_j = s + sd_j².

    The sd is that of the response without the noise of its measurement, in the same standardised units:
    an outcome that only the noise carries away is no new one.

    Raises:
        ValueError: the shapes do not fit, or the variance is not above 0.
    """
    mean, sd, observed = (np.asarray(a, dtype=np.float64) for a in (mean, sd, observed))
    if variance <= 0.0:
        raise ValueError(f"the kernel's variance is {variance:g}; it must be above 0")
    if mean.shape != sd.shape or mean.shape[1] != observed.shape[1]:
        raise ValueError(
            f"means are {mean.shape}, sds {sd.shape} and observed outcomes {observed.shape}; the first two "
            "must agree and all have as many columns"
        )
    n, p = observed.shape
    novelty = np.zeros(len(mean))
    if not n:
        return novelty
    rows = max(1, CHUNK_ENTRIES // (n * p))
    for begin in range(0, len(mean), rows):
        block = slice(begin, begin + rows)
        wide = (variance + sd[block] ** 2)[:, None, :]
        ratio = (mean[block][:, None, :] - observed[None]) ** 2 / wide
        kernel = np.exp(0.5 * (np.log(variance / wide) - ratio).sum(axis=2))
        novelty[block] = (((ratio - 1.0) / wide).sum(axis=2) * kernel).sum(axis=1)
    novelty *= 2.0 / (n * (n + 1))
    return novelty
