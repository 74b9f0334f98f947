"""Surrogates of a campaign's objectives, and of what can be made at all, fitted when first asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Predicted
from labctl.strategies.knowledge import Knowledge, Results

if TYPE_CHECKING:
    from labctl_models.acquisition.score import Score
    from labctl_models.surrogates.feasibility import FittedFeasibility
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess, FittedAverage
    from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess
    from labctl_models.surrogates.protocol import Surrogate

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

    Attributes:
        knowledge: the results and failures that they are fitted to.
        signs: by objective, +1 where more is better and -1 where less is.
        seed: of the campaign.
        kind: of the objectives' surrogates, among ``SURROGATES``.
        heeds_failures: False leaves bounds and failures aside, to measure what they are worth.
    """

    knowledge: Knowledge
    signs: Mapping[str, float]
    seed: int
    kind: str = "gp-ard"
    heeds_failures: bool = True
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
            if not self.heeds_failures:
                results = without_bounds(results)
            fitted = fit(results, self.signs[objective], self.seed, kind=self.kind)
            pending = self.knowledge.X_pending
            if len(pending):
                fitted = fitted.condition_on(pending, fitted.predict(pending).mean)
            self._fitted[objective] = fitted
        return self._fitted[objective]

    @cached_property
    def feasibility(self) -> "FittedFeasibility | None":
        """Of the chance that a recipe makes a sample; None as long as every recipe made one."""
        from labctl_models.surrogates.feasibility import Feasibility  # noqa: PLC0415 - scipy is slow to import

        if not self.heeds_failures or self.knowledge.made.all():
            return None
        return Feasibility().fit(self.knowledge.X_labelled, self.knowledge.made)

    @property
    def weight(self) -> "Score | None":
        """By what a recipe's acquisition is weighed: its chance of a sample, or nothing."""
        from labctl_models.acquisition.weighed import Feasible  # noqa: PLC0415

        return None if self.feasibility is None else Feasible(self.feasibility)

    def chance(self, X: Floats) -> Floats | None:
        """The chance (n,) of a sample at each row of X (n x d); None as long as every recipe made one."""
        return None if self.feasibility is None else self.feasibility.probability(X)

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


POINT = "gp-point"
_POINT_FROM = 10_000_000
"""Entries of the pool-by-results covariance from which averaging takes too long for one proposal."""


def kind_for(chosen: str, pool: int, results: int) -> str:
    """The surrogate to fit: the chosen one, or one set of hyperparameters where the pool is very large."""
    return POINT if chosen == "gp-ard" and pool * results > _POINT_FROM else chosen


def maker(kind: str) -> "Surrogate":
    """The surrogate of this kind, ready to be fitted."""
    module, _, name = (_POINT_PROCESS if kind == POINT else SURROGATES[kind]).partition(":")
    made: Surrogate = getattr(import_module(module), name)()
    return made


_POINT_PROCESS = "labctl_models.surrogates.gp:GaussianProcess"


def fit(results: Results, sign: float, seed: int, *, kind: str = "gp-ard") -> "FittedAverage | FittedGP":
    """Fit a Gaussian process to ``sign * y``, and teach it the bounds of censored measurements.

    A bound enters as the probability that a reading lies within it, never as a value that nobody read.
    """
    process = cast("AveragedGaussianProcess | IsotropicGaussianProcess", maker(kind))
    fitted = process.fit(results.X, sign * results.y, seed=seed)
    if not len(results.X_bounded):
        return fitted
    from labctl_models.surrogates.censored import with_bounds  # noqa: PLC0415 - few campaigns need it

    low, high = (results.low, results.high) if sign > 0 else (-results.high, -results.low)
    return with_bounds(fitted, results.X_bounded, low, high)


def without_bounds(results: Results) -> Results:
    """The results without what is known of censored measurements."""
    nothing = np.empty(0)
    return replace(results, X_bounded=results.X_bounded[:0], low=nothing, high=nothing)
