"""The search for the most probable hyperparameters, from several starts, that never raises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from labctl_models.surrogates.evidence import (
    NOISE_PRIOR,
    SMALLEST_LENGTHSCALE,
    SMALLEST_NOISE_VARIANCE,
    NotPositiveDefiniteError,
    Problem,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Hyperparameter
    from labctl_models.surrogates.protocol import Array

# A thousand lengthscales across the cube is a flat line, and a noise variance of 100 is ten times the
# spread of the data: bounds that only keep exp() within range.
LARGEST_LOG = math.log(1e3)
LARGEST_NOISE_LOG = math.log(1e2)
MAX_STEPS = 200
HOPELESS = 1e25


@dataclass(frozen=True, slots=True)
class Found:
    """The best hyperparameters: lengthscales (d,), noise variance of z, and what went unusually."""

    lengthscales: Array
    noise_variance: float
    remarks: tuple[str, ...]


def most_probable(
    problem: Problem, *, seed: int, start: Mapping[str, Hyperparameter] | None, cheap_up_to: int
) -> Found:
    """Maximise the posterior density of the hyperparameters with L-BFGS-B.

    The posterior has several peaks (smooth with noise, rough without), so up to `cheap_up_to` rows it is
    climbed from the prior's mode, its median and one seeded draw, and the highest peak is kept. Above that,
    from the prior's mode alone or, given the hyperparameters of an earlier fit, from those alone, unless
    they end below the height at which the prior's mode only begins.
    """
    d = problem.X.shape[1]
    remarks: list[str] = []
    earlier = _from_card(start, d, remarks)
    fresh = [_prior_mode(problem), _prior_median(problem), _draw(problem, seed)]
    if len(problem.z) <= cheap_up_to:
        starts = fresh if earlier is None else [earlier, *fresh]
    else:
        starts = fresh[:1] if earlier is None else [earlier]
    best = _climb_all(problem, starts)
    if earlier is not None and len(problem.z) > cheap_up_to:
        beginning = _safe(problem, _clip(fresh[0]))[0]
        if best is None or beginning < best[0]:
            again = _climb_all(problem, fresh[:1])
            best = min((b for b in (best, again) if b is not None), key=lambda b: b[0], default=None)
    if best is None:
        remarks.append("The likelihood could not be computed anywhere; the prior's typical values are used.")
        theta = _prior_median(problem)
    else:
        theta = best[1]
    return Found(np.exp(theta[:d]), math.exp(theta[d]), tuple(remarks))


def _climb_all(problem: Problem, starts: list[Array]) -> tuple[float, Array] | None:
    ends = [end for end in (_climb(problem, _clip(theta)) for theta in starts) if end is not None]
    return min(ends, key=lambda end: end[0], default=None)


def _climb(problem: Problem, theta: Array) -> tuple[float, Array] | None:
    """One ascent from theta: (minus log posterior, theta) at its end, or None when nothing was finite."""
    d = len(theta) - 1
    lower, upper = _bounds(d)
    result = minimize(
        lambda t: _safe(problem, t),
        theta,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([lower, upper]),
        options={"maxiter": MAX_STEPS, "ftol": 1e-9, "gtol": 1e-4, "maxcor": 20},
    )
    value = float(result.fun)
    return None if value >= HOPELESS else (value, np.asarray(result.x, dtype=np.float64))


def _safe(problem: Problem, theta: Array) -> tuple[float, Array]:
    try:
        value, gradient = problem.negative(theta)
    except NotPositiveDefiniteError:
        return HOPELESS, np.zeros_like(theta)
    if not (math.isfinite(value) and np.isfinite(gradient).all()):
        return HOPELESS, np.zeros_like(theta)
    return value, gradient


def _bounds(d: int) -> tuple[Array, Array]:
    lower = np.append(np.full(d, math.log(SMALLEST_LENGTHSCALE)), math.log(SMALLEST_NOISE_VARIANCE))
    upper = np.append(np.full(d, LARGEST_LOG), LARGEST_NOISE_LOG)
    return lower, upper


def _clip(theta: Array) -> Array:
    return np.asarray(np.clip(theta, *_bounds(len(theta) - 1)), dtype=np.float64)


def _prior_mode(problem: Problem) -> Array:
    d = problem.X.shape[1]
    return np.append(np.full(d, math.log(problem.prior.mode)), math.log(NOISE_PRIOR.mode))


def _prior_median(problem: Problem) -> Array:
    d = problem.X.shape[1]
    return np.append(np.full(d, problem.prior.location), NOISE_PRIOR.location)


def _draw(problem: Problem, seed: int) -> Array:
    """Lengthscales between the prior's mode and median, each by itself, and a noise of the prior."""
    d = problem.X.shape[1]
    rng = np.random.default_rng(seed)
    low, high = math.log(problem.prior.mode), problem.prior.location
    noise = NOISE_PRIOR.location + NOISE_PRIOR.scale * rng.standard_normal()
    return np.append(rng.uniform(low, high, size=d), noise)


def _from_card(start: Mapping[str, Hyperparameter] | None, d: int, remarks: list[str]) -> Array | None:
    """Theta of an earlier card, or None and a remark when that card describes another problem."""
    if start is None:
        return None
    try:
        values = np.append(np.asarray(start["lengthscales"], dtype=np.float64), start["noise_variance"])
        usable = values.shape == (d + 1,) and bool((values > 0).all()) and bool(np.isfinite(values).all())
    except (KeyError, TypeError, ValueError):
        usable = False
    if not usable:
        remarks.append(f"The earlier hyperparameters do not fit {d} columns and were not used.")
        return None
    return np.asarray(np.log(values), dtype=np.float64)
