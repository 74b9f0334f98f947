"""Surrogates of a campaign's objectives, fitted when first asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Predicted
from labctl.strategies.knowledge import Knowledge, Results

if TYPE_CHECKING:
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess, FittedAverage
    from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess

Floats = NDArray[np.float64]

LEAST_RESULTS = 2
"""With fewer results there is no scatter to learn from."""
ENOUGH_RESULTS = 5
"""Below this a surrogate may rank candidates, but its standard deviations are not worth writing down
unless the choice rests on them: two results that happen to agree would promise a certainty nobody has."""


@dataclass(frozen=True)
class Surrogates:
    """An averaged Gaussian process for each objective, in that objective's own unit and direction.

    Recipes under way are taken to come out as expected (the kriging believer of Ginsbourger et al. 2010),
    so that a second proposal does not repeat the first.
    """

    knowledge: Knowledge
    signs: Mapping[str, float]
    seed: int
    kind: str = "gp-ard"
    _fitted: dict[str, "FittedAverage | FittedGP"] = field(default_factory=dict, repr=False)

    @property
    def ready(self) -> bool:
        """Whether there are results enough to fit to."""
        return self.knowledge.n >= LEAST_RESULTS

    @property
    def trustworthy(self) -> bool:
        """Whether there are results enough for a prediction that nothing rests on but its own record."""
        return self.knowledge.n >= ENOUGH_RESULTS

    def of(self, objective: str) -> "FittedAverage | FittedGP":
        """The surrogate of ``sign * objective``, so that more is better where a goal has a direction."""
        if objective not in self._fitted:
            results = self.knowledge.results[objective]
            fitted = fit(results, self.signs[objective], self.seed, kind=self.kind)
            pending = self.knowledge.X_pending
            if len(pending):
                fitted = fitted.condition_on(pending, fitted.predict(pending).mean)
            self._fitted[objective] = fitted
        return self._fitted[objective]

    def predict(self, X: Floats) -> list[dict[str, Predicted]]:
        """What is expected of every objective at each row of X (n x d), in its own unit and direction."""
        if not self.ready or not len(X):
            return [{} for _ in X]
        rows: list[dict[str, Predicted]] = [{} for _ in X]
        for objective, sign in self.signs.items():
            if len(self.knowledge.results[objective].y) < LEAST_RESULTS:
                continue
            fitted = self.of(objective)
            prediction = fitted.predict(X)
            for row, mean, sd in zip(rows, prediction.mean, prediction.sd, strict=True):
                row[objective] = Predicted(
                    mean=sign * float(mean), sd=float(sd), noise_sd=float(fitted.noise_sd)
                )
        return rows


SURROGATES: Mapping[str, str] = {
    "gp-ard": "labctl_models.surrogates.gp_averaged:AveragedGaussianProcess",
    "gp-isotropic": "labctl_models.surrogates.gp_isotropic:IsotropicGaussianProcess",
}
"""Surrogates that a campaign can choose its experiments by, since they tell how unsure they are; by the
names that they have in a validation."""


def fit(results: Results, sign: float, seed: int, *, kind: str = "gp-ard") -> "FittedAverage | FittedGP":
    """Fit an averaged Gaussian process to ``sign * y``, and let it know the bounds of censored measurements.

    A bound only matters where the surrogate contradicts it: there, and only there, the value at the
    bound is added and the surrogate is fitted again. What lies beyond a detector is thus never taken for
    a number as long as the surrogate already agrees with it.
    """
    module, _, name = SURROGATES[kind].partition(":")
    process: AveragedGaussianProcess | IsotropicGaussianProcess = getattr(import_module(module), name)()
    X, y = results.X, sign * results.y
    fitted = process.fit(X, y, seed=seed)
    if not len(results.X_bounded):
        return fitted
    low, high = (results.low, results.high) if sign > 0 else (-results.high, -results.low)
    expected = fitted.predict(results.X_bounded).mean
    nearest = np.clip(expected, low, high)
    against = nearest != expected
    if not against.any():
        return fitted
    X_all = np.vstack([X, results.X_bounded[against]])
    return process.fit(X_all, np.concatenate([y, nearest[against]]), seed=seed)
