"""What a reading of any source would tell about the best response of the target, in closed form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx

from labctl_models.surrogates.data import checked_rows
from labctl_models.surrogates.evidence import factorise
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from labctl_models.fidelity.surrogate import FittedFidelities, Joint
    from labctl_models.surrogates.protocol import Array

SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
SQRT_HALF = math.sqrt(0.5)
SHORTLIST = 400
DRAWS = 64


def best_responses(fitted: FittedFidelities, X: Array, *, seed: int, draws: int = DRAWS) -> Array:
    """Draws (draws,) of the target's highest response over the candidates X (q x d), in the units of y.

    Responses are drawn jointly, at the `SHORTLIST` candidates of highest mean + 2 sd when there are more:
    independent draws, as of a Gumbel fit to the margins, put the maximum of a smooth response too high.
    """
    X = checked_rows(X, fitted.X.shape[1])
    belief = fitted.predict(X, fitted.m - 1)
    if len(X) > SHORTLIST:
        X = X[np.argsort(-(belief.mean + 2.0 * belief.sd), kind="stable")[:SHORTLIST]]
        belief = fitted.predict(X, fitted.m - 1)
    unit = float(fitted.scale[-1])
    covariance = fitted.covariance(X, fitted.m - 1) / unit**2
    with one_thread():
        # The least that a double can tell apart from a perfectly correlated pair of candidates.
        covariance.flat[:: len(X) + 1] += 1e-6
        lower = factorise(covariance).lower
        normal = np.random.default_rng(seed).standard_normal((len(X), draws))
        return np.asarray((belief.mean[:, None] + unit * (lower @ normal)).max(axis=0), dtype=np.float64)


def information(joint: Joint, best: Array) -> Array:
    """Information (q,), in nats, of a reading about the best response of the target, drawn as `best`.

    A reading of correlation ρ with the target's response f tells about its best f* what it loses in
    entropy when f <= f* is known. With γ = (f* - mean) / sd and λ = φ(γ) / Φ(γ), that is at least
    -½ log(1 - ρ² λ (γ + λ)), the mean of which over `best` is given: the closed form of Moss, Leslie,
    Gonzalez and Rayson, GIBBON, J. Mach. Learn. Res. 22, 235 (2021), for multi-fidelity max-value entropy
    search (Takeno et al., ICML 2020).
    """
    # A subnormal sd cannot be divided by, and nothing is left to tell about such a response.
    certain = joint.sd < np.finfo(np.float64).tiny
    sd = np.where(certain, 1.0, joint.sd)
    total = np.zeros(len(sd))
    for value in best:
        # Above 30 nothing is told and below -1e4 all that there is; in between the quotient keeps its digits.
        gamma = np.clip((value - joint.mean) / sd, -1e4, 30.0)
        ratio = SQRT_2_OVER_PI / erfcx(-gamma * SQRT_HALF)
        share = np.clip(ratio * (gamma + ratio), 0.0, 1.0 - 1e-12)
        total -= 0.5 * np.log1p(-(joint.correlation**2) * share)
    return np.where(certain, 0.0, total / len(best))
