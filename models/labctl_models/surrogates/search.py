"""The search for the most probable hyperparameters, from several starts, that never raises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.optimize import minimize

from labctl_models.surrogates.evidence import (
    NOISE_PRIOR,
    SMALLEST_LENGTHSCALE,
    SMALLEST_NOISE_VARIANCE,
    NotPositiveDefiniteError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Hyperparameter
    from labctl_models.surrogates.evidence import LogNormal
    from labctl_models.surrogates.protocol import Array

# A thousand lengthscales across the cube is a flat line, and a noise variance of 100 is ten times the
# spread of the data: bounds that only keep exp() within range.
LARGEST_LOG = math.log(1e3)
LARGEST_NOISE_LOG = math.log(1e2)
MAX_STEPS = 200
HOPELESS = 1e25


class Landscape(Protocol):
    """What is climbed: minus a log posterior over theta = (log lengthscales (d), log noise variance)."""

    @property
    def X(self) -> Array:  # noqa: N802  a matrix has a capital
        """The recipes (n x d)."""
        ...

    @property
    def prior(self) -> LogNormal:
        """Prior of every lengthscale."""
        ...

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta and its gradient; `NotPositiveDefiniteError` where it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The best hyperparameters: lengthscales (d,), noise variance of z, and what went unusually."""

    lengthscales: Array
    noise_variance: float
    remarks: tuple[str, ...]


def usual_starts(n: int, d: int = 0) -> int:
    """How many ascents n rows of d columns are worth by default: six up to 150 rows, falling to one.

    They fall as 900 / n, because an ascent takes about 7 ms at 60 rows and 0.4 s at 500, and peaks grow
    fewer as data accumulate. With no more rows than columns the prior leaves one broad peak: there a second
    ascent looks whether the first was lucky, and no more are made.
    """
    return max(1, min(6 if n > d else 2, 900 // n))


def most_probable(
    problem: Landscape, *, seed: int, start: Mapping[str, Hyperparameter] | None, starts: int
) -> Found:
    """Maximise the posterior density of the hyperparameters with L-BFGS-B from `starts` places.

    The posterior has several peaks: columns may share an effect in more than one way, and roughness may pass
    for noise. It is climbed from the hyperparameters of the earlier fit if there is one, the prior's mode,
    its median with little noise, and seeded draws with a lengthscale for each column, in this order as
    far as `starts` goes; the highest end is kept. An earlier fit that ends below the height at which the
    prior's mode only begins is followed by an ascent from there, however few starts were granted.
    """
    d = problem.X.shape[1]
    remarks: list[str] = []
    earlier = _from_card(start, d, remarks)
    fresh = [_prior_mode(problem), _smooth(problem), *_draws(problem, seed, max(0, starts - 2))]
    places = [*([] if earlier is None else [earlier]), *fresh][:starts]
    best = _climb_all(problem, places)
    alone = earlier is not None and starts == 1
    if alone and (best is None or safely(problem, _clip(fresh[0]))[0] < best[0]):
        best = _climb_all(problem, [fresh[0]])
    if best is None:
        remarks.append("The likelihood could not be computed anywhere; the prior's typical values are used.")
        theta = _clip(_prior_median(problem))
    else:
        theta = best[1]
    return Found(np.exp(theta[:d]), math.exp(theta[d]), tuple(remarks))


def _climb_all(problem: Landscape, starts: list[Array]) -> tuple[float, Array] | None:
    ends = [end for end in (_climb(problem, _clip(theta)) for theta in starts) if end is not None]
    return min(ends, key=lambda end: end[0], default=None)


def _climb(problem: Landscape, theta: Array) -> tuple[float, Array] | None:
    """One ascent from theta: (minus log posterior, theta) at its end, or None when nothing was finite."""
    d = len(theta) - 1
    lower, upper = bounds(d)
    result = minimize(
        lambda t: safely(problem, t),
        theta,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([lower, upper]),
        options={"maxiter": MAX_STEPS, "ftol": 1e-9, "gtol": 1e-4, "maxcor": 20},
    )
    value = float(result.fun)
    return None if value >= HOPELESS else (value, np.asarray(result.x, dtype=np.float64))


def safely(problem: Landscape, theta: Array) -> tuple[float, Array]:
    """Minus the log posterior at theta and its gradient; hopeless and flat where it does not exist."""
    try:
        value, gradient = problem.negative(theta)
    except NotPositiveDefiniteError:
        return HOPELESS, np.zeros_like(theta)
    if not (math.isfinite(value) and np.isfinite(gradient).all()):
        return HOPELESS, np.zeros_like(theta)
    return value, gradient


def bounds(d: int) -> tuple[Array, Array]:
    """Lowest and highest theta (both d + 1) that are searched."""
    lower = np.append(np.full(d, math.log(SMALLEST_LENGTHSCALE)), math.log(SMALLEST_NOISE_VARIANCE))
    upper = np.append(np.full(d, LARGEST_LOG), LARGEST_NOISE_LOG)
    return lower, upper


def _clip(theta: Array) -> Array:
    return np.asarray(np.clip(theta, *bounds(len(theta) - 1)), dtype=np.float64)


def _prior_mode(problem: Landscape) -> Array:
    d = problem.X.shape[1]
    return np.append(np.full(d, math.log(problem.prior.mode)), math.log(NOISE_PRIOR.mode))


def _prior_median(problem: Landscape) -> Array:
    d = problem.X.shape[1]
    return np.append(np.full(d, problem.prior.location), NOISE_PRIOR.location)


def _smooth(problem: Landscape) -> Array:
    """The prior's median lengthscales with hardly any noise: a response that explains everything."""
    theta = _prior_median(problem)
    theta[-1] = math.log(3.0 * SMALLEST_NOISE_VARIANCE)
    return theta


def _draws(problem: Landscape, seed: int, count: int) -> list[Array]:
    """Lengthscales between the prior's mode and median, each column for itself, with a noise of the prior."""
    d = problem.X.shape[1]
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(math.log(problem.prior.mode), problem.prior.location, size=(count, d))
    noise = NOISE_PRIOR.location + NOISE_PRIOR.scale * rng.standard_normal((count, 1))
    return list(np.hstack([lengths, noise]))


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
