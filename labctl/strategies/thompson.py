"""Recipes that are best in one draw of what the response may be: Thompson sampling."""

import numpy as np

from labctl.proposal import Arm
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.ranked import choose, promising

_EXACT = 600
"""Up to so many candidates are drawn jointly and exactly; more of them along a path through all."""


class Thompson:
    """Choose the best candidate of one function drawn from the posterior, hyperparameters included.

    Each recipe is chosen as often as it is likely to be the best (Thompson, Biometrika 25, 285 (1933)), which
    spreads the members of a batch by itself. Serves one goal that is maximised or minimised.
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe that wins one draw."""
        from labctl_models.acquisition.thompson import joint_draws, pathwise_draws  # noqa: PLC0415
        from labctl_models.surrogates.gp_averaged import FittedAverage  # noqa: PLC0415

        among = promising(situation)
        if among is None:
            return None
        fitted = situation.surrogates.of(situation.goal)
        if isinstance(fitted, FittedAverage):
            fitted = fitted.members[int(situation.rng.integers(len(fitted.members)))]
        seed = int(situation.rng.integers(2**31))
        if len(among) <= _EXACT:
            mean = fitted.predict(among.X).mean
            draw = joint_draws(mean, fitted.covariance(among.X), 1, seed)[0]
        else:
            draw = pathwise_draws(fitted, among.X, 1, seed)[0]
        what = "the best of all in one draw of what the response may be"
        return choose(situation, among, np.asarray(draw, dtype=np.float64), "thompson_draw", what)
