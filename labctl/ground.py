"""The ground a campaign stands on: the recipes it has measured, and where a new one lies among them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Stamp
from labctl.space import Space
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind, Recipe

if TYPE_CHECKING:
    from labctl_models.validation.domain import Domain

LEAST_KNOWN = 2
_OF_THE_MACHINE = (FailureKind.INSTRUMENT_FAULT, FailureKind.ABORTED, FailureKind.UNKNOWN)


@dataclass(frozen=True)
class Ground:
    """The recipes that were measured, as ground to stand on.

    Attributes:
        space: of the campaign.
        known: experiments with a usable result or a failure that says something of the recipe.
        succeeded: which of them have a result.
        domain: of the recipes with a result.
    """

    space: Space
    known: tuple[Experiment, ...]
    succeeded: NDArray[np.bool_]
    domain: "Domain"
    X: NDArray[np.float64]

    def inside(self, X: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which rows of X (n x d) do not lie outside the domain; the edge counts as inside."""
        return np.array([stamp != "outside" for stamp in self.domain.place(X).stamp], dtype=bool)

    def stamp(self, recipe: Recipe) -> Stamp:
        """Where a recipe lies, and the nearest success and failure to it."""
        x = self.space.encode([recipe])
        place = self.domain.place(x)
        squared = ((self.X - x) ** 2).sum(axis=1)
        return Stamp(
            where=place.stamp[0],
            percentile=round(float(place.percentile[0]), 4),
            nearest_success=self._nearest(squared, self.succeeded),
            nearest_failure=self._nearest(squared, ~self.succeeded),
        )

    def _nearest(self, squared: NDArray[np.float64], among: NDArray[np.bool_]) -> str | None:
        rows = np.flatnonzero(among)
        return self.known[int(rows[squared[rows].argmin()])].id if len(rows) else None


def ground(space: Space, state: CampaignState) -> Ground | None:
    """The ground that a campaign stands on, or None as long as fewer than two results are in."""
    from labctl_models.validation.domain import Domain  # noqa: PLC0415 - sklearn's trees take a moment

    ended = (e for e in state if e.status in ("measured", "failed") and e.proposal.fidelity is None)
    known = tuple(e for e in ended if not _of_the_machine(e))
    succeeded = np.array([e.status == "measured" for e in known], dtype=bool)
    if succeeded.sum() < LEAST_KNOWN:
        return None
    X = space.encode([e.proposal.recipe for e in known])
    return Ground(space, known, succeeded, Domain.of(X[succeeded]), X)


def _of_the_machine(experiment: Experiment) -> bool:
    outcome = experiment.outcome
    return outcome is not None and outcome.kind in _OF_THE_MACHINE
