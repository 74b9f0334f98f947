"""The loop: fold the ledger, propose, review, dispatch, record; and the one object that holds it together."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labctl import review
from labctl.beginning import first_event, refuse_by_hand, refuse_to_begin, seed_that_holds
from labctl.bench import Bench, set_up
from labctl.config import CampaignConfig, load_config
from labctl.dispatch import answered, attempt_of, not_started, outcome, refuse_wild
from labctl.errors import RefusedError, RequestError
from labctl.ledger import Entry, Ledger
from labctl.proposal import Decision, Intent, Interval, Outcome
from labctl.review import Keeper, why_none_is_left
from labctl.state import CampaignState, Experiment, experiment_id, fold, number_of
from labctl.stopping import Ended, budgeted, unaffordable, why_to_stop
from labctl.strategy import code_version, propose
from labctl.summary import Summary, summarise
from labctl.trust import due, judge
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_drivers.engine import Lane

Watcher = Callable[[Experiment], None]
_ASK_AGAIN_S = 1.0


class Campaign:
    """A campaign that this process controls.

    The only stateful object of labctl. Its state is what the ledger says: every change is first an event
    there, committed to disk, and then folded. Use :meth:`open` as a context manager::

        with Campaign.open("campaign.yaml") as campaign:
            summary = campaign.run()
    """

    def __init__(
        self, config: CampaignConfig, ledger: Ledger, bench: Bench, *, folder: Path | None, seed: int
    ) -> None:
        self.config = config
        self.bench = bench
        self.seed = seed
        self.predict_always = True
        self.validates = True
        self._ledger = ledger
        self._folder = folder
        self._lane: Lane | None = None
        self._stop_reason: str | None = None
        self._keeper = Keeper(None, {})
        self._state = fold(ledger.events())
        self._begin()

    @classmethod
    def open(cls, path: Path | str, *, folder: Path | str | None = None, seed: int | None = None) -> Self:
        """Open a campaign for work; begins it if its ledger is empty.

        Args:
            path: the campaign file.
            folder: where the ledger and everything else goes; beside the file unless given.
            seed: overrides the file's seed when the campaign begins.

        Raises:
            RequestError: the file, its table or its limits are wrong, or changed since the campaign began.
            BusyError: another controller holds it.
        """
        config = load_config(path)
        where = Path(folder) if folder is not None else config.folder
        # Everything that can be wrong with the request is found before anything is written.
        bench = set_up(config, folder=where, seed=config.model.seed if seed is None else seed)
        refuse_to_begin(config, bench, where / "ledger.sqlite")
        ledger = Ledger.write(where / "ledger.sqlite")
        try:
            seed = seed_that_holds(ledger, config, bench, seed)
            bench = bench.with_seed(seed)
            return cls(config, ledger, bench, folder=where, seed=seed)
        except BaseException:
            ledger.close()
            raise

    @classmethod
    def in_memory(cls, config: CampaignConfig, bench: Bench, seed: int) -> Self:
        """A campaign whose ledger is forgotten afterwards, for replays and tests."""
        return cls(config, Ledger.write(None), bench, folder=None, seed=seed)

    # The loop ---------------------------------------------------------------------------------------

    def step(self, *, most: int | None = None) -> Experiment | None:
        """Take one experiment to its outcome; None if there is nothing left to try.

        What an earlier run left unfinished comes first. Where the file asks for batches, several experiments
        are proposed at once, each in the light of those before it, and a failure of one is its own.

        Args:
            most: how many experiments may be proposed at the most.
        """
        experiment = self._unfinished()
        if experiment is None:
            self._validate()
            batch = self.config.model.strategy.batch
            for i in range(batch if most is None else min(batch, max(1, most))):
                if (i and unaffordable(self.config, self._state)) or self._propose("lane") is None:
                    break
            experiment = self._unfinished()
        if experiment is None:
            return None
        if experiment.decision is None:
            experiment = self._review(experiment)
        while experiment.status in ("approved", "running") or self._state.retry_allowed(experiment):
            experiment = self._dispatch(experiment)
        return experiment

    def run(self, *, experiments: int | None = None, watch: Watcher | None = None) -> Summary:
        """Run until the budget is spent or a stopping rule applies.

        Args:
            experiments: the budget, in place of the file's; experiments done in earlier runs count.
            watch: called with every experiment that has its outcome.

        Raises:
            RequestError: the campaign is carried out by hand.
        """
        refuse_by_hand(self.config)
        budget = self.config.model.budget.experiments if experiments is None else experiments
        while (why := self._why_to_stop(budget)) is None:
            experiment = self.step(most=budget - budgeted(self._state))
            if experiment is None:
                why = self.none_left()
                break
            if watch is not None:
                watch(experiment)
        # Whoever reads the summary is told how far to trust what was found.
        self._validate()
        return self._summary(*why)

    def stop(self, reason: str) -> None:
        """Let the running experiment finish, then stop; safe from signal handlers and other threads."""
        self._stop_reason = reason

    def abort(self, reason: str) -> None:
        """Break off the running experiment, then stop; safe from other threads."""
        self._stop_reason = reason
        if self._lane is not None:
            self._lane.abort(reason)

    # By hand ----------------------------------------------------------------------------------------

    def propose(self, n: int = 1) -> list[Experiment]:
        """Propose n experiments that wait for results; RefusedError where the lab's limits leave none."""
        proposed = []
        for _ in range(n):
            self._validate()
            experiment = self._propose("hand")
            if experiment is None:
                break
            proposed.append(experiment)
        if not proposed and (why := self.none_left())[0] == "halted":
            raise RefusedError(why[1])
        return proposed

    def record(
        self,
        experiment: str,
        values: Mapping[str, float] | None = None,
        *,
        failed: str | None = None,
        message: str = "",
        actual: Recipe | None = None,
        bounds: Mapping[str, Interval] | None = None,
        by: str = "hand",
    ) -> Experiment:
        """Record what a person measured, or how the experiment failed.

        Args:
            experiment: its id.
            values: each objective in its unit; may be given beside ``failed`` too.
            failed: a failure kind, if it failed.
            message: what happened.
            actual: settings that were really reached; others than were asked make it ``off_recipe``.
            bounds: what is known of objectives beyond the scale; they make it ``censored``.
            by: who says so.

        Raises:
            RequestError: there is no such experiment, it has a result already, or a value is unusable.
        """
        from labctl.record import checked_outcome  # noqa: PLC0415 - only people need it

        found = self.find(experiment)
        if found.status in ("measured", "failed"):
            raise RequestError(
                f"{found.id} has its result already; a result that was recorded stays as it is",
                key="EXPERIMENT",
            )
        if found.status not in ("proposed", "approved") or found.proposal.route != "hand":
            raise RequestError(
                f"{found.id} is {found.status} and cannot be recorded by hand; `labctl status` lists those"
            )
        result = checked_outcome(
            self.config,
            values or {},
            asked=found.proposal.recipe,
            failed=failed,
            message=message,
            actual=actual or {},
            bounds=bounds or {},
            by=by,
        )
        refuse_wild(result)
        entries = [Entry("outcome", result.body(), found.id, 1)]
        if found.decision is None:
            decision = Decision(verdict="approved", by=by, reason="carried out by hand")
            entries.insert(0, Entry("decision", decision.body(), found.id, 0))
        # Both or neither: a decision without its outcome would leave the experiment half recorded.
        self._append_all(entries)
        return self._state[found.id]

    def expert(self, recipe: Recipe, *, because: str = "asked for by a person") -> Experiment:
        """Propose a recipe of a person's own, with the surrogate's prediction for it.

        Raises:
            RequestError: the recipe is not one of this space.
        """
        problems = self.bench.space.problems(recipe)
        if problems:
            raise RequestError(f"{problems[0]}; change the recipe")
        wanted = self.bench.space.canonical(recipe)
        if not Keeper(self.bench.limits(), self.bench.space.units).allows(wanted):
            raise RequestError("the recipe breaks the lab's hard limits; change it")
        proposed = self._propose("hand", only=(wanted, because))
        assert proposed is not None  # noqa: S101 - only a choice can run out of candidates
        return proposed

    def find(self, experiment: str) -> Experiment:
        """The experiment with this id, however it was typed.

        Raises:
            RequestError: there is none.
        """
        number = number_of(experiment)
        if number is None or number not in self._state.experiments:
            raise RequestError(
                f"there is no experiment {experiment!r}; `labctl status` lists those there are",
                key="EXPERIMENT",
            )
        return self._state.experiments[number]

    # What is known ----------------------------------------------------------------------------------

    @property
    def state(self) -> CampaignState:
        """What the ledger says."""
        return self._state

    @property
    def ledger(self) -> Ledger:
        """The record itself."""
        return self._ledger

    def ended(self) -> Ended | None:
        """Status and reason if the campaign has ended by its own file, or None if it goes on."""
        return self._why_to_stop(self.config.model.budget.experiments)

    def none_left(self) -> Ended:
        """Status and reason why the last choice found no recipe."""
        vetoes = bool(self.config.model.advice.vetoes)
        return why_none_is_left(self.bench.space, self._state, self._keeper, vetoes=vetoes)

    def summary(self) -> Summary:
        """Where the campaign stands."""
        return self._summary(*(self.ended() or ("open", "more experiments can be done")))

    # One turn of the loop, part by part -------------------------------------------------------------

    def _validate(self) -> None:
        """Ask, when it is due, how far the surrogate can be trusted; strategies obey the verdict."""
        if self.validates and due(self.config, self._state):
            self._append("verdict", judge(self.config, self.bench.space, self._state, self.seed))

    def _unfinished(self) -> Experiment | None:
        """The first experiment that an earlier turn left without its outcome."""
        return next((e for e in self._state.pending if e.proposal.route == "lane"), None)

    def _propose(self, route: str, only: tuple[Recipe, str] | None = None) -> Experiment | None:
        keeper = self._keeper = Keeper(self.bench.limits(), self.bench.space.units)
        proposed = propose(
            self.config,
            self.bench.space,
            self._state,
            seed=self.seed,
            allowed=keeper.allows,
            route=route,
            predict_always=self.predict_always,
            only=only,
            repeatable=lambda recipe: self.bench.repeatable(recipe, self._state.tries(recipe)),
            offers=lambda fidelity, recipe: self.bench.of(fidelity).offers(recipe),
        )
        if proposed is None:
            return None
        new = {c["hash"]: Entry("surrogate", c) for c in proposed.cards if c["hash"] not in self._state.cards}
        name = experiment_id(len(self._state) + 1)
        self._append_all([*new.values(), Entry("proposal", proposed.proposal.body(), name, 0)])
        return self._state[name]

    def _review(self, experiment: Experiment) -> Experiment:
        decision = review.by_rule(experiment.proposal, self.bench.space, self.bench.limits())
        self._append("decision", decision.body(), experiment.id, 0)
        return self._state[experiment.id]

    def _dispatch(self, experiment: Experiment) -> Experiment:
        """Intent into the ledger, act, outcome into the ledger; after a crash, ask before acting."""
        bench = self.bench.of(experiment.proposal.fidelity)
        if experiment.status == "running":
            result = self._ask(experiment, bench)
        else:
            number = len(experiment.intents) + 1
            intent = Intent(
                key=self._key(experiment, number),
                instrument=bench.instrument.name,
                lane="lane-1",
                time_limit_s=bench.time_limit_s,
            )
            self._append("intent", intent.body(), experiment.id, number)
            result = self._act(self._state[experiment.id], bench)
        self._append("outcome", result.body(), experiment.id, len(self._state[experiment.id].intents))
        return self._state[experiment.id]

    def _ask(self, experiment: Experiment, bench: Bench) -> Outcome:
        """What became of an attempt that was under way when a controller died."""
        source, key = bench.instrument.name, experiment.intents[-1].key
        self._open_lane(bench)
        deadline = time.monotonic() + experiment.intents[-1].time_limit_s
        while True:
            answer = bench.instrument.ask(key)
            known = answered(
                answer, self.config, source=source, quantities=bench.quantities, reads=bench.reads
            )
            if known is not None:
                return known
            if answer.state == "never":
                return self._act(experiment, bench)
            if time.monotonic() > deadline:
                return outcome(bench.overdue(), self.config, source=source)
            time.sleep(_ASK_AGAIN_S)

    def _act(self, experiment: Experiment, bench: Bench) -> Outcome:
        """Have the instrument carry out the attempt whose intent was written last."""
        # Asked a third time, just before anything moves: the file may have changed since the decision.
        rejection = review.by_rule(experiment.proposal, self.bench.space, self.bench.limits())
        if rejection.verdict == "rejected":
            return not_started(rejection.reason)
        finished = self._open_lane(bench).run(
            bench.instrument, attempt_of(experiment, experiment.intents[-1], self.config)
        )
        result = finished.reading if finished.reading is not None else finished.failure
        assert result is not None  # noqa: S101 - a lane gives one or the other
        return outcome(
            result,
            self.config,
            source=bench.instrument.name,
            quantities=bench.quantities,
            reads=bench.reads,
            run=finished.run_uid,
            seconds=finished.seconds,
        )

    def _key(self, experiment: Experiment, number: int) -> str:
        return f"{self._state.campaign['token']}/{experiment.id}/{number}" if self._state.campaign else ""

    def _open_lane(self, bench: Bench) -> "Lane":
        from labctl_drivers.engine import Lane, LaneError  # noqa: PLC0415 - bluesky takes a moment to import

        if self._lane is None:
            documents = None if self._folder is None else self._folder / "documents.jsonl"
            self._lane = Lane("lane-1", documents=documents, time_limit_s=self.bench.time_limit_s)
        self._lane.time_limit_s = bench.time_limit_s
        try:
            self._lane.connect(bench.instrument)
        except LaneError as error:
            raise RefusedError(f"{error}; the attempt was not started") from error
        return self._lane

    # The ledger, and ending --------------------------------------------------------------------------

    def _begin(self) -> None:
        content = self.config.as_json()
        if self._state.campaign is None:
            self._append("campaign", first_event(self.config, self.bench, self.seed))
        elif content != self._state.config:
            self._append("change", {"config": content, "code": code_version()})

    def _append(
        self, kind: str, body: Mapping[str, Any], experiment: str | None = None, attempt: int | None = None
    ) -> None:
        self._append_all([Entry(kind, body, experiment, attempt)])

    def _append_all(self, entries: Sequence[Entry]) -> None:
        self._state = self._state.extend(self._ledger.append_all(entries))

    def _why_to_stop(self, budget: int) -> Ended | None:
        if self._stop_reason is not None:
            return "stopped", self._stop_reason
        if self._unfinished() is not None:
            return None
        return why_to_stop(self.config, self._state, budget, now=datetime.now(UTC))

    def _summary(self, status: str, why: str) -> Summary:
        path = None if self._ledger.path is None else str(self._ledger.path)
        return summarise(self.config, self._state, status=status, why=why, ledger=path)

    def close(self) -> None:
        """Close the lane and the ledger; safe to call twice."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None
            self.bench.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
