"""The search for the most probable hyperparameters of several sources, that never raises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from labctl_models.surrogates.evidence import (
    NOISE_PRIOR,
    SMALLEST_LENGTHSCALE,
    SMALLEST_NOISE_VARIANCE,
)
from labctl_models.surrogates.search import HOPELESS, LARGEST_LOG, LARGEST_NOISE_LOG, MAX_STEPS, safely

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Hyperparameter
    from labctl_models.fidelity.evidence import FidelityProblem
    from labctl_models.surrogates.protocol import Array

HIGHEST_AMPLITUDE_LOG = math.log(20.0)
HIGHEST_ATANH = 4.0
"""Correlations up to 0.9993; beyond, the covariance of noise-free twins is singular to double precision."""


def usual_starts(n: int) -> int:
    """How many ascents n rows are worth: four up to 100 rows, falling as 400 / n to one."""
    return max(1, min(4, 400 // n))


def most_probable(
    problem: FidelityProblem, *, seed: int, start: Mapping[str, Hyperparameter] | None, starts: int
) -> tuple[Array, tuple[str, ...]]:
    """Theta of the highest posterior density that L-BFGS-B finds from `starts` places, and remarks.

    Climbed are the earlier fit if there is one, the prior's mode, its median with hardly any noise and
    sources that agree closely, the mode with sources that have nothing in common, then seeded draws.
    """
    remarks: list[str] = []
    earlier = _from_card(problem, start, remarks)
    places = [*([] if earlier is None else [earlier]), *_fresh(problem, seed, starts)][:starts]
    lower, upper = bounds(problem)
    best: tuple[float, Array] | None = None
    for place in places:
        result = minimize(
            lambda theta: safely(problem, theta),
            np.clip(place, lower, upper),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([lower, upper]),
            options={"maxiter": MAX_STEPS, "ftol": 1e-8, "gtol": 1e-3, "maxcor": 20},
        )
        if result.fun < HOPELESS and (best is None or result.fun < best[0]):
            best = float(result.fun), np.asarray(result.x, dtype=np.float64)
    if best is None:
        remarks.append("The likelihood could not be computed anywhere; the prior's typical values are used.")
        return _fresh(problem, seed, 1)[0], tuple(remarks)
    return best[1], tuple(remarks)


def bounds(problem: FidelityProblem) -> tuple[Array, Array]:
    """Lowest and highest theta that are searched."""
    d, m = problem.X.shape[1], problem.m
    pairs = np.full(m * (m - 1) // 2, HIGHEST_ATANH)
    amplitudes = np.full(m, HIGHEST_AMPLITUDE_LOG)
    lower = [np.full(d, math.log(SMALLEST_LENGTHSCALE)), np.full(m, math.log(SMALLEST_NOISE_VARIANCE))]
    upper = [np.full(d, LARGEST_LOG), np.full(m, LARGEST_NOISE_LOG)]
    return np.concatenate([*lower, -amplitudes, -pairs]), np.concatenate([*upper, amplitudes, pairs])


def _fresh(problem: FidelityProblem, seed: int, count: int) -> list[Array]:
    d, m, coregion = problem.X.shape[1], problem.m, problem.coregion
    ends = np.full(d, math.log(problem.prior.mode)), np.full(d, problem.prior.location)
    noise = np.full(m, math.log(NOISE_PRIOR.mode))
    close, apart = coregion.location, coregion.location
    close[m:] += coregion.scale[m:]
    apart[m:] = 0.0
    places = [
        np.concatenate([ends[0], noise, coregion.location]),
        np.concatenate([ends[1], np.full(m, math.log(3.0 * SMALLEST_NOISE_VARIANCE)), close]),
        np.concatenate([ends[0], noise, apart]),
    ]
    rng = np.random.default_rng(seed)
    while len(places) < count:
        lengths = rng.uniform(ends[0], ends[1])
        scatter = NOISE_PRIOR.location + NOISE_PRIOR.scale * rng.standard_normal(m)
        phi = coregion.location + coregion.scale * rng.standard_normal(coregion.size)
        places.append(np.concatenate([lengths, scatter, phi]))
    return places[: max(1, count)]


def _from_card(
    problem: FidelityProblem, start: Mapping[str, Hyperparameter] | None, remarks: list[str]
) -> Array | None:
    """Theta of an earlier card, or None and a remark when that card describes another problem."""
    if start is None:
        return None
    d, m = problem.X.shape[1], problem.m
    try:
        theta = np.concatenate(
            [np.log(start["lengthscales"]), np.log(start["noise_variances"]), np.atleast_1d(start["phi"])]
        )
        usable = theta.shape == (d + m + problem.coregion.size,) and bool(np.isfinite(theta).all())
    except (KeyError, TypeError, ValueError):
        usable = False
    if not usable:
        remarks.append(
            f"The earlier hyperparameters do not fit {d} columns and {m} sources, and stay unused."
        )
        return None
    return theta
