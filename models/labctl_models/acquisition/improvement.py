"""Expected improvement on a logarithmic scale, exact far into the tail where the plain one is 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx, log_ndtr

from labctl_models.surrogates.protocol import Averaged

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array, Differentiable, Fitted

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
SQRT_HALF = math.sqrt(0.5)
SQRT_HALF_PI = math.sqrt(0.5 * math.pi)
# Left of -1 the sum φ + zΦ cancels; left of -50 even 1 + zΦ/φ does (by z² digits), while the series there
# is exact to 10395/50^10, below the rounding of doubles.
DIRECT_FROM = -1.0
SERIES_BELOW = -50.0


def log_expected_improvement(mean: Array, sd: Array, incumbent: float) -> Array:
    """Logarithm of E[max(f - incumbent, 0)] for f normal with the given mean and sd (both (q,)).

    Where sd is 0 the improvement is certain: log(mean - incumbent), or -inf when there is none.
    The logarithm follows Ament et al., Unexpected Improvements to Expected Improvement for Bayesian
    Optimization, NeurIPS 2023; the quantity is that of Jones, Schonlau and Welch, J. Global Optim. 13 (1998).
    """
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    gain = mean - incumbent
    uncertain = sd > 0.0
    safe_sd = np.where(uncertain, sd, 1.0)
    with np.errstate(over="ignore", divide="ignore"):
        # A subnormal sd may send z to ±inf: then nothing is uncertain about the gain either.
        z = gain / safe_sd
        settled = ~uncertain | np.isinf(z)
        certain = np.log(np.maximum(gain, 0.0))
    spread = np.log(safe_sd) + log_h(np.where(settled, 0.0, z))
    return np.asarray(np.where(settled, certain, spread), dtype=np.float64)


def log_expected_improvement_slopes(mean: Array, sd: Array, incumbent: float) -> tuple[Array, Array, Array]:
    """Log expected improvement (q,) and its derivatives by mean and by sd, both (q,).

    With h(z) = φ(z) + zΦ(z) and z = (mean - incumbent) / sd, EI = sd·h, dEI/dmean = Φ and dEI/dsd = φ.
    Where sd is 0 both slopes are given as 0, since there is no tail to climb.
    """
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    value = log_expected_improvement(mean, sd, incumbent)
    sloped = (sd > 0.0) & np.isfinite(value)
    safe_value = np.where(sloped, value, 0.0)
    with np.errstate(over="ignore", under="ignore"):
        z = np.where(sloped, (mean - incumbent) / np.where(sloped, sd, 1.0), 0.0)
        by_mean = np.exp(log_ndtr(z) - safe_value)
        by_sd = np.exp(-0.5 * z * z - LOG_SQRT_2PI - safe_value)
    return value, np.where(sloped, by_mean, 0.0), np.where(sloped, by_sd, 0.0)


def log_expected_improvement_at(fitted: Fitted, X: Array, incumbent: float) -> Array:
    """Log expected improvement (q,) at the rows of X (q x d) as `fitted` believes.

    An average of surrogates has the mean of its members' expected improvements (Snoek, Larochelle and
    Adams, NeurIPS 2012), which is the expected improvement of its mixture, exactly.
    """
    if not isinstance(fitted, Averaged):
        belief = fitted.predict(X)
        return log_expected_improvement(belief.mean, belief.sd, incumbent)
    each = fitted.components(X)
    return _log_mean(log_expected_improvement(each.mean, each.sd, incumbent))


def log_expected_improvement_slopes_at(
    fitted: Differentiable | Averaged, X: Array, incumbent: float
) -> tuple[Array, Array]:
    """Log expected improvement (q,) at the rows of X (q x d) and its slope by x (q x d)."""
    if not isinstance(fitted, Averaged):
        belief, slope_mean, slope_sd = fitted.predict_with_slopes(X)
        value, by_mean, by_sd = log_expected_improvement_slopes(belief.mean, belief.sd, incumbent)
        return value, by_mean[:, None] * slope_mean + by_sd[:, None] * slope_sd
    each, slopes_mean, slopes_sd = fitted.components_with_slopes(X)
    values, by_mean, by_sd = log_expected_improvement_slopes(each.mean, each.sd, incumbent)
    value = _log_mean(values)
    # Each member counts by its share of the improvement.
    shares = np.exp(values - np.where(np.isfinite(value), value, 0.0)) / len(values)
    slopes = by_mean[:, :, None] * slopes_mean + by_sd[:, :, None] * slopes_sd
    return value, np.einsum("sq,sqd->qd", shares, slopes)


def _log_mean(values: Array) -> Array:
    """Logarithm of the mean over the first axis of exp(values), -inf only where all are."""
    highest = values.max(axis=0)
    safe = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(np.exp(values - safe).mean(axis=0)), dtype=np.float64)


def log_h(z: Array) -> Array:
    """Logarithm of φ(z) + zΦ(z) for z of any shape and any finite size, to a relative error of h near 1e-12.

    Three ways to the same number: the sum itself; φ(z)(1 + zΦ/φ) with Φ/φ from the scaled complementary
    error function; and the asymptotic series of that bracket, 1/z² - 3/z⁴ + 15/z⁶ - 105/z⁸ + 945/z¹⁰.
    """
    z = np.asarray(z, dtype=np.float64)
    with np.errstate(all="ignore"):
        # Each branch is computed everywhere and kept where it holds; elsewhere it may overflow unseen.
        log_phi = -0.5 * z * z - LOG_SQRT_2PI
        direct = np.log(np.exp(log_phi) + z * np.exp(log_ndtr(z)))
        middle = log_phi + np.log1p(z * SQRT_HALF_PI * erfcx(-z * SQRT_HALF))
        t = 1.0 / (z * z)
        series = 1.0 - t * (3.0 - t * (15.0 - t * (105.0 - t * 945.0)))
        tail = log_phi - 2.0 * np.log(-z) + np.log(series)
    return np.asarray(
        np.where(z > DIRECT_FROM, direct, np.where(z > SERIES_BELOW, middle, tail)), dtype=np.float64
    )


def noisy_incumbent(fitted: Fitted, X_observed: Array) -> float:
    """The value to beat: the highest posterior mean response over the observed recipes (n x d).

    The best raw reading of n noisy ones is too high by about the noise times √(2 log n): it was picked
    for its luck. Taken as the target, it makes every true improvement look like a loss. The posterior mean
    at the same recipes averages that luck out ("EI with plug-in" in Picheny, Wagner and Ginsbourger,
    Struct. Multidiscip. Optim. 48, 607 (2013); the same concern leads to noisy EI in Letham et al.,
    Bayesian Analysis 14, 495 (2019)).

    Raises:
        ValueError: there are no observed recipes.
    """
    if len(X_observed) == 0:
        raise ValueError("an incumbent needs at least one observed recipe")
    return float(fitted.predict(X_observed).mean.max())
