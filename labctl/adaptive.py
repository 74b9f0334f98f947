"""A campaign as an optimiser of bluesky-adaptive: its plans ask and tell, and the ledger keeps everything."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labctl.campaign import Campaign
from labctl.errors import RefusedError, RequestError
from labctl.front import front
from labctl.plural import counted
from labctl.state import Experiment
from labctl.summary import best
from labctl_drivers.protocol import FailureKind, Recipe

ID = "_id"
"""The key under which a point carries the id of its experiment."""

Point = Mapping[str, Any]
"""Settings or outcomes by name, with the id of the experiment under ``_id``."""


class CampaignOptimizer:
    """Gives a campaign the methods that bluesky-adaptive 1.0 asks of an optimiser.

    It satisfies ``Optimizer``, ``CanRegisterSuggestions``, ``TrialFaultAware``, ``SupportsStoppingCriteria``
    and ``Checkpointable`` of ``bluesky_adaptive.protocols``, and needs nothing of that package itself. Points
    are named and measured as in the campaign file, and their ids are those of the experiments. Every
    suggestion is written down with its prediction before it is given away, keeps the lab's limits, and is
    given once: after a crash, :attr:`waiting` lists those that never got a result.

    Args:
        campaign: open, and not run by anything else.
        failure: the kind of a failure of which bluesky-adaptive does not say what it was; as long as nobody
            knows whether a sample was used up, ``unknown`` is true, and keeps the recipe from being repeated.
    """

    def __init__(self, campaign: Campaign, *, failure: FailureKind = FailureKind.UNKNOWN) -> None:
        self.campaign = campaign
        self._failure = failure

    @property
    def waiting(self) -> list[Mapping[str, Any]]:
        """Suggestions without a result, such as an earlier session's: ingest them, or say they failed."""
        return [_point(e) for e in self.campaign.state.pending if e.proposal.route == "hand"]

    def suggest(self, num_points: int | None = None) -> Sequence[Mapping[str, Any]]:
        """The next points, each in the light of those before it.

        Raises:
            RefusedError: no recipe is left that may be proposed.
        """
        proposed = self.campaign.propose(1 if num_points is None else num_points)
        if not proposed:
            raise RefusedError(self.campaign.none_left()[1])
        return [_point(experiment) for experiment in proposed]

    def ingest(self, points: Sequence[Point]) -> None:
        """Write down what was measured.

        A point with the id of an experiment is its result. Any other needs all settings beside its outcomes,
        and becomes an experiment that a person asked for; so does a baseline. An outcome may be a pair of
        value and standard error, of which the value is kept. One that is no finite number is a bad reading.

        Raises:
            RequestError: a point lacks its settings or its goal, or has its result already.
        """
        for point in points:
            experiment = self._of(point) or self._new(point)
            values, bad = _values(point, self.campaign.config.model.objectives)
            wild = not any(name in values for name in self.campaign.config.goals) and bad
            self.campaign.record(
                experiment.id,
                values,
                failed=FailureKind.BAD_READING.value if wild else None,
                message=f"no finite number: {', '.join(bad)}" if bad else "",
                actual={name: _plain(point[name]) for name in experiment.proposal.recipe if name in point},
                by="bluesky-adaptive",
            )

    def get_best_points(self) -> Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]]:
        """Id, settings and outcomes of the best result, or of each on the Pareto front; empty before any."""
        config, state = self.campaign.config, self.campaign.state
        if len(config.goals) > 1:
            return [(c.experiment, c.recipe, c.values) for c in front(config, state)]
        found = best(config, state)
        if found is None:
            return []
        outcome = state[found.experiment].outcome
        return [(found.experiment, found.recipe, {} if outcome is None else dict(outcome.values))]

    def register_suggestions(self, suggestions: Sequence[Point]) -> Sequence[Mapping[str, Any]]:
        """Write down points of a person's own, and give them ids; those that have one of ours keep it.

        Raises:
            RequestError: a point is none of this campaign's space, or breaks the lab's limits.
        """
        return [_point(self._of(point, open_only=True) or self._new(point)) for point in suggestions]

    def register_failures(self, suggestions: Sequence[Point]) -> None:
        """Write down that suggestions failed; those that have a result keep it.

        Raises:
            RequestError: a point has no id of an experiment.
        """
        for point in suggestions:
            experiment = self._of(point)
            if experiment is None:
                raise RequestError(
                    f"{point.get(ID)!r} is no experiment of {self.campaign.config.name}", key=ID
                )
            if not experiment.finished:
                self.campaign.record(
                    experiment.id,
                    failed=self._failure.value,
                    message="bluesky-adaptive reported that it failed, and not how",
                    by="bluesky-adaptive",
                )

    def should_stop(self) -> tuple[bool, str | None]:
        """Whether the campaign's budget is spent or one of its stopping rules applies, and why."""
        ended = self.campaign.ended()
        return (False, None) if ended is None else (True, ended[1])

    def checkpoint(self) -> None:
        """Nothing is left to do: each suggestion and each result is on the disk before its call returns."""

    def _of(self, point: Point, *, open_only: bool = False) -> Experiment | None:
        """The experiment that a point is of, if it says so with an id of this campaign's own."""
        name = point.get(ID)
        if not isinstance(name, str):
            return None
        try:
            found = self.campaign.find(name)
        except RequestError:
            return None
        return None if open_only and found.finished else found

    def _new(self, point: Point) -> Experiment:
        parameters = self.campaign.config.model.parameters
        lacking = [name for name in parameters if name not in point]
        if lacking:
            raise RequestError(
                f"{point.get(ID)!r} is no experiment of {self.campaign.config.name}, and a new point needs "
                f"{counted(len(lacking), 'more setting')}: {', '.join(lacking)}",
                key=ID,
            )
        recipe: Recipe = {name: _plain(point[name]) for name in parameters}
        return self.campaign.expert(recipe, because="asked for through bluesky-adaptive", by_hand=True)


def _point(experiment: Experiment) -> Mapping[str, Any]:
    return {ID: experiment.id, **experiment.proposal.recipe}


def _values(point: Point, objectives: Iterable[str]) -> tuple[dict[str, float], list[str]]:
    """The outcomes that are finite numbers, and the names of those that are not."""
    values: dict[str, float] = {}
    bad: list[str] = []
    for name in objectives:
        if name not in point:
            continue
        told = point[name]
        try:
            value = float(told[0] if isinstance(told, tuple | list) else told)
        except (TypeError, ValueError, IndexError):
            value = math.nan
        if math.isfinite(value):
            values[name] = value
        else:
            bad.append(name)
    return values, bad


def _plain(value: Any) -> Any:  # noqa: ANN401 - a setting, or NumPy's kind of one
    """A setting in a type of Python's own."""
    return value.item() if hasattr(value, "item") else value
