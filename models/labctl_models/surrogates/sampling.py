"""Draws from the posterior of hyperparameters by elliptical slices, which need no tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.evidence import NotPositiveDefiniteError
from labctl_models.surrogates.search import bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl_models.surrogates.marginal import Marginal
    from labctl_models.surrogates.protocol import Array

STEPS = 4
"""Steps between two draws that are kept, and before the first."""
WIDER = 1.5
"""The ellipse is this many times as wide as the curvature at the mode says, since a slice mixes badly
where its normal has thinner tails than the posterior."""
DIFFERENCE = 1e-4
SHRUNK = 1e-9


def draws(marginal: Marginal, mode: Array, count: int, seed: int) -> Array:
    """`count` draws of theta (count x (d + 1)), the same for the same seed, from a chain begun at the mode.

    Each step moves twice: along an ellipse fitted to the posterior about its mode (Nishihara, Murray and
    Adams, J. Mach. Learn. Res. 15, 2087 (2014)), which is quick where the data decide, and along one of the
    prior (Murray and Adams, NeurIPS 2010), which leaves a peak for another. Both keep the posterior exactly.
    """
    rng = np.random.default_rng(seed)
    lower, upper = bounds(len(mode) - 1)

    def likelihood(theta: Array) -> float:
        if (theta < lower).any() or (theta > upper).any():
            return -math.inf
        try:
            return marginal.log_likelihood(theta)
        except NotPositiveDefiniteError:
            return -math.inf

    axes = _axes(marginal, mode)
    whiten = np.linalg.inv(axes)

    def near_mode(theta: Array) -> float:
        white = whiten @ (theta - mode)
        return marginal.log_prior(theta) + 0.5 * float(white @ white)

    def nothing(_: Array) -> float:
        return 0.0

    fitted = _Ellipse(mode, axes, near_mode)
    prior = _Ellipse(marginal.prior_location, np.diag(marginal.prior_scale), nothing)
    theta, height = mode, likelihood(mode)
    kept = np.empty((count, len(mode)))
    for row in range(count):
        for _ in range(STEPS):
            theta, height = fitted.step(theta, height, likelihood, rng)
            theta, height = prior.step(theta, height, likelihood, rng)
        kept[row] = theta
    return kept


@dataclass(frozen=True, slots=True)
class _Ellipse:
    """A normal about `centre` with covariance axes axes', and what turns it into the prior: its log ratio."""

    centre: Array
    axes: Array
    correction: Callable[[Array], float]

    def step(
        self, theta: Array, height: float, likelihood: Callable[[Array], float], rng: np.random.Generator
    ) -> tuple[Array, float]:
        """The next theta and its log likelihood; the old ones where the slice shrank to nothing."""
        push = self.axes @ rng.standard_normal(len(theta))
        level = height + self.correction(theta) + math.log(max(rng.random(), math.ulp(0.0)))
        angle = rng.uniform(0.0, 2.0 * math.pi)
        low, high = angle - 2.0 * math.pi, angle
        offset = theta - self.centre
        while high - low > SHRUNK:
            candidate = self.centre + offset * math.cos(angle) + push * math.sin(angle)
            value = likelihood(candidate)
            if value > -math.inf and value + self.correction(candidate) > level:
                return candidate, value
            if angle < 0.0:
                low = angle
            else:
                high = angle
            angle = rng.uniform(low, high)
        return theta, height


def _axes(marginal: Marginal, mode: Array) -> Array:
    """Matrix A with A A' the widened inverse curvature of minus the log posterior at the mode."""
    p = len(mode)
    _, at = marginal.negative(mode)
    curvature = np.empty((p, p))
    for column in range(p):
        shifted = mode.copy()
        shifted[column] += DIFFERENCE
        try:
            _, there = marginal.negative(shifted)
        except NotPositiveDefiniteError:
            there = at
        curvature[column] = (there - at) / DIFFERENCE
    # In units of the prior, of which the posterior has at least half the precision in every direction.
    scaled = 0.5 * (curvature + curvature.T) * np.outer(marginal.prior_scale, marginal.prior_scale)
    values, vectors = np.linalg.eigh(np.where(np.isfinite(scaled), scaled, 0.0))
    widths = WIDER / np.sqrt(np.maximum(values, 0.5))
    return np.asarray(marginal.prior_scale[:, None] * vectors * widths, dtype=np.float64)
