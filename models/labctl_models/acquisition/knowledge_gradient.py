"""Knowledge gradient: by how much one measurement is expected to raise the best expected response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl_models.acquisition.improvement import log_h
from labctl_models.acquisition.logs import log_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array


def log_knowledge_gradient(
    mean: Array, covariance: Array, noise_variance: float, *, candidates: Sequence[int] | None = None
) -> Array:
    """Log knowledge gradient (c,) of measuring each candidate, for m recipes with jointly normal responses.

    Measuring recipe x moves the posterior mean of all m by b Z, with Z standard normal and b = covariance
    with x / √(variance of a reading at x); the value is log(E[max(mean + b Z)] - max(mean)), -inf where no
    reading could make another recipe the best. Exact, after
    Frazer, Powell and Dayanik, INFORMS J. Comput. 21, 599 (2009), algorithm 2. It differs from expected
    improvement where a measurement tells about other recipes than itself or is noisy. O(m log m) for each
    candidate, so the m are a shortlist; it should hold the recipe with the best mean.

    Args:
        mean: (m,) posterior mean.
        covariance: (m x m) posterior covariance of the responses.
        noise_variance: Of one reading, in squared units of the mean.
        candidates: Rows that may be measured; None for all.

    Raises:
        ValueError: the shapes do not match, or the noise variance is negative.
    """
    mean, covariance = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    m = len(mean)
    if covariance.shape != (m, m) or m == 0:
        raise ValueError(f"{m} means need a covariance of {m} x {m}; its shape is {covariance.shape}")
    if not noise_variance >= 0.0:
        raise ValueError(f"the noise variance is {noise_variance}; it must be 0 or more")
    rows = range(m) if candidates is None else candidates
    gains = np.full(len(rows), -np.inf)
    for i, row in enumerate(rows):
        reading = covariance[row, row] + noise_variance
        if reading > 0.0:
            gains[i] = log_expected_rise(mean, covariance[:, row] / np.sqrt(reading))
    return gains


def log_expected_rise(a: Array, b: Array) -> float:
    """Logarithm of E[max(a + b Z)] - max(a) for lines of intercepts a and slopes b (both (m,)), Z normal.

    Where the upper envelope of the lines passes from one to the next, at Z = c, the slope grows by Δ and
    adds Δ h(-|c|) with h(z) = φ(z) + zΦ(z). Summed as logarithms, since far crossings add less than a double
    can hold. -inf where one line is highest everywhere.
    """
    _, slopes, crossings = upper_envelope(a, b)
    if len(crossings) == 0:
        return -np.inf
    return float(log_sum(np.log(np.diff(slopes)) + log_h(-np.abs(crossings))))


def upper_envelope(a: Array, b: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """The lines a + b z that are highest somewhere: their indices and slopes, and the k - 1 crossings."""
    order = np.lexsort((a, b))
    # Of parallel lines only the highest, which lexsort puts last.
    steeper = np.append(np.diff(b[order]) > 0.0, True)
    order = order[steeper]
    order = order[_near_the_top(a[order], b[order])]
    kept: list[int] = []
    crossings: list[float] = []
    for line in order.tolist():
        crossing = -np.inf
        while kept:
            last = kept[-1]
            with np.errstate(over="ignore"):  # nearly parallel lines cross at infinity, which is never
                crossing = (a[last] - a[line]) / (b[line] - b[last])
            if len(kept) == 1 or crossing > crossings[-1]:
                break
            kept.pop()
            crossings.pop()
        if kept:
            crossings.append(float(crossing))
        kept.append(line)
    rows = np.asarray(kept, dtype=np.intp)
    return rows, b[rows], np.asarray(crossings)


def _near_the_top(a: Array, b: Array) -> NDArray[np.bool_]:
    """Which lines (by rising slope) are not below the flattest, the highest and the steepest everywhere."""
    top = int(np.argmax(a))
    keep = np.zeros(len(a), dtype=bool)
    for end in (0, len(a) - 1):
        keep[[top, end]] = True
        if b[end] == b[top]:
            continue
        with np.errstate(over="ignore"):
            z = (a[top] - a[end]) / (b[end] - b[top])
        # A line between two others that is highest anywhere is above them where they cross.
        between = (b > min(b[end], b[top])) & (b < max(b[end], b[top]))
        keep |= between & ((a + b * z >= a[top] + b[top] * z) if np.isfinite(z) else True)
    return keep
