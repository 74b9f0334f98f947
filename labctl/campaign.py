"""The loop: fold the ledger, propose, review, dispatch, record; and the one object that holds it together."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from labctl import review
from labctl.beginning import opening, refuse_by_hand, refuse_no_seed, refuse_to_begin, seed_that_holds
from labctl.bench import Bench, set_up
from labctl.config import CampaignConfig, load_config
from labctl.cost import Purse
from labctl.dispatch import attempt_of, not_started
from labctl.errors import LabctlError, RefusedError
from labctl.lanes import Arrived, Job, Lanes
from labctl.ledger import Entry, Ledger
from labctl.proposal import Interval
from labctl.review import Keeper, why_none_is_left
from labctl.state import CampaignState, Experiment, experiment_id, fold
from labctl.stopping import Ended, budgeted, unaffordable, why_distrusted, why_to_stop
from labctl.strategy import propose
from labctl.summary import Summary, summarise
from labctl.trust import due, judge
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_drivers.engine import Lane

Watcher = Callable[[Experiment], None]
Own = tuple[Recipe, str]
_ASKED = "asked for by a person"


class Campaign:
    """A campaign that this process controls.

    The only stateful object of labctl, with the lanes that it holds. Its state is what the ledger says: every
    change is first an event there, committed to disk, and then folded. Use it as a context manager::

        with Campaign.open("campaign.yaml") as campaign:
            summary = campaign.run()
    """

    def __init__(
        self, config: CampaignConfig, ledger: Ledger, bench: Bench, *, folder: Path | None, seed: int
    ) -> None:
        self.config = config
        self.bench = bench
        self.seed = seed
        self.predict_always = self.validates = True
        self._ledger = ledger
        self._lanes = Lanes(config, bench, documents=None if folder is None else folder / "documents.jsonl")
        self._stop_reason: str | None = None
        self._run_from = 0
        self._keeper, self._purse = Keeper(None, {}), Purse()
        self._state = fold(ledger.events())
        self._lanes.distrust(self._state.suspects.values())
        self._append(*opening(config, bench, self._state, seed))

    @classmethod
    def open(cls, path: Path | str, *, folder: Path | str | None = None, seed: int | None = None) -> Self:
        """Open a campaign for work; begins it if its ledger is empty.

        Args:
            path: the campaign file.
            folder: where the ledger and everything else goes; beside the file unless given.
            seed: overrides the file's seed when the campaign begins.

        Raises:
            RequestError: the file, table, limits or seed are wrong, or changed since the campaign began.
            BusyError: another controller holds it.
        """
        refuse_no_seed(seed)
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
        """Keep every lane busy until one experiment has its outcome; None if there is nothing left to try.

        What an earlier run left unfinished comes first. Where the file asks for batches, several experiments
        are proposed at once, each in the light of those before it and of those that still run; a failure of
        one is its own.

        Args:
            most: how many experiments may be proposed at the most.

        Raises:
            RefusedError: no instrument can be connected.
        """
        limit = None if most is None else len(self._state) + most
        while True:
            while (experiment := self._next_to_start(limit)) is not None:
                if experiment.decision is None:
                    experiment = self._review(experiment)
                    if experiment.status == "rejected":
                        return experiment
                if not self._start(experiment):
                    break
            if not self._lanes.busy:
                stuck = self._waiting() or not self._lanes.any_free(self._state.suspects)
                if self._lanes.problem is not None and stuck and self._may_start():
                    raise RefusedError(f"{self._lanes.problem}; the attempt was not started")
                return None
            ended = self._record(self._lanes.next())
            if ended is not None and not self._state.retry_allowed(ended):
                return ended

    def run(self, *, experiments: int | None = None, watch: Watcher | None = None) -> Summary:
        """Run until the budget is spent, a stopping rule applies, or a person has to look.

        Args:
            experiments: the budget, in place of the file's; experiments done in earlier runs count.
            watch: called with every experiment that has its outcome.

        Raises:
            RequestError: the campaign is carried out by hand.
        """
        refuse_by_hand(self.config)
        budget = self.config.model.budget.experiments if experiments is None else experiments
        self._run_from = self._state.seq
        try:
            while (experiment := self.step(most=self._may_propose(budget))) is not None:
                if watch is not None:
                    watch(experiment)
        except LabctlError:
            # What runs on other lanes is finished and written down before anybody hears of it.
            while self._lanes.busy:
                self._record(self._lanes.next(), go_on=False)
            raise
        if self._stop_reason is None:
            # Whoever reads the summary is told how far to trust what was found.
            self._validate()
        return self._summary(*(self._why_to_stop(budget) or self.none_left()))

    def stop(self, reason: str) -> None:
        """Let running experiments finish, then stop; safe from signal handlers and other threads."""
        self._stop_reason = reason

    def abort(self, reason: str) -> None:
        """Break off the running experiments, then stop; safe from other threads, and to call again."""
        self._stop_reason = reason
        self._lanes.break_off(reason)

    def carry_out_on(self, make: "Callable[..., Lane]") -> None:
        """Have experiments carried out on lanes of another kind, made from a lane's arguments."""
        self._lanes.make = make

    def resume(self, *, by: str, because: str) -> None:
        """Let the campaign go on after an interlock tripped or a device became suspect.

        ``by`` says who has looked, and ``because`` what was found and done.

        Raises:
            RequestError: there is nothing to resume, or nobody says who and why.
            RefusedError: an attempt still goes on.
        """
        from labctl.settle import resumed  # noqa: PLC0415 - only people need it

        body = resumed(self._state, by=by, because=because)
        self._lanes.release(self._state.suspects.values())
        self._append(Entry("resume", body.body()))

    # By hand ----------------------------------------------------------------------------------------

    def propose(self, n: int = 1) -> list[Experiment]:
        """Propose n experiments that wait for results; RefusedError where the lab's limits leave none.

        What the budget's cost has no room for is left alone, unless nothing else is left.
        """
        proposed = []
        for _ in range(n):
            self._validate()
            experiment = self._propose("hand", paid=unaffordable(self.config, self._state) is None)
            if experiment is None and self._purse.why_nothing_fits() is not None:
                experiment = self._propose("hand", paid=False)
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
        from labctl.record import recorded  # noqa: PLC0415 - only people need it

        found, told = self.find(experiment), {"actual": actual or {}, "bounds": bounds or {}}
        how: dict[str, Any] = {"by": by, "failed": failed, "message": message, **told}
        self._append(*recorded(self.config, found, values or {}, **how))
        return self._state[found.id]

    def settle(
        self,
        experiment: str,
        verdict: Literal["measured", "failed", "never"],
        values: Mapping[str, float] | None = None,
        *,
        by: str,
        **told: Any,  # noqa: ANN401 - those of record()
    ) -> Experiment:
        """Write down what a person found became of an attempt of which nobody could tell.

        It was ``measured``, it ``failed``, or it ``never`` used up a sample and may be tried again; the rest
        is as for :meth:`record`.

        Raises:
            RequestError: there is nothing to settle, or what was said does not fit together.
        """
        from labctl.settle import settled  # noqa: PLC0415 - only people need it

        found = self.find(experiment)
        self._append(*settled(self.config, found, verdict, values or {}, by=by, **told))
        return self._state[found.id]

    def expert(self, recipe: Recipe, *, because: str = _ASKED, by_hand: bool = False) -> Experiment:
        """Propose a recipe of a person's own, with the surrogate's prediction for it.

        The next run carries it out, unless the campaign has no instrument or ``by_hand`` says otherwise.

        Raises:
            RequestError: the recipe is not one of this space, or breaks a hard limit of the lab.
        """
        wanted = review.accepted(recipe, self.bench.space, self.bench.limits())
        route = "hand" if by_hand or self.config.model.instrument.kind == "hand" else "lane"
        proposed = self._propose(route, only=(wanted, because), paid=False)
        assert proposed is not None  # noqa: S101 - only a choice can run out of candidates
        return proposed

    def find(self, experiment: str) -> Experiment:
        """The experiment with this id, however it was typed.

        Raises:
            RequestError: there is none.
        """
        from labctl.record import found  # noqa: PLC0415 - only people need it

        return found(self._state, experiment)

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
        unfinished = self._waiting() and self._may_start()
        return None if unfinished else self._why_to_stop(self.config.model.budget.experiments)

    def none_left(self) -> Ended:
        """Status and reason why the last choice found no recipe, or why one that was chosen cannot start."""
        if self._waiting() and (why := why_distrusted(self.config, self._state)) is not None:
            return "halted", why
        if (why := self._purse.why_nothing_fits()) is not None:
            return "finished", why
        vetoes = bool((advice := self.config.model.advice).vetoes) and advice.doubt == 0.0
        return why_none_is_left(self.bench.space, self._state, self._keeper, vetoes=vetoes)

    def summary(self) -> Summary:
        """Where the campaign stands."""
        return self._summary(*(self.ended() or ("open", "more experiments can be done")))

    # One turn of the loop, part by part -------------------------------------------------------------

    def _validate(self) -> None:
        """Ask, when it is due, how far the surrogate can be trusted; strategies obey the verdict."""
        if self.validates and due(self.config, self._state):
            self._append(Entry("verdict", judge(self.config, self.bench.space, self._state, self.seed)))

    def _may_start(self) -> bool:
        """Whether anything may start at all: nobody has asked to stop, and no interlock has tripped."""
        return self._stop_reason is None and self._state.halt is None

    def _may_propose(self, budget: int) -> int:
        """How many more experiments may be proposed now."""
        return 0 if self._why_to_stop(budget) is not None else budget - budgeted(self._state)

    def _waiting(self) -> list[Experiment]:
        """The experiments without an outcome that are on no lane, in order."""
        pending = (e for e in self._state.pending if e.proposal.route == "lane")
        return [e for e in pending if not self._lanes.carries(e.id)]

    def _next_to_start(self, limit: int | None) -> Experiment | None:
        """The experiment whose turn it is, if a lane is free for it; proposes new ones where none waits."""
        if not self._may_start():
            return None
        for experiment in self._waiting():
            if experiment.status == "running":
                self._lanes.ask(experiment)
        waiting = [e for e in self._waiting() if e.status != "running"]
        if not waiting and self._lanes.any_free(self._state.suspects):
            waiting = self._propose_batch(limit)
        if not waiting or not self._lanes.free(waiting[0].proposal.fidelity, self._state.suspects):
            return None
        return waiting[0]

    def _propose_batch(self, limit: int | None) -> list[Experiment]:
        """Propose as many experiments as the file wants at once, up to so many in all."""
        proposed: list[Experiment] = []
        if limit is None or len(self._state) < limit:
            self._validate()
        for _ in range(self.config.model.strategy.batch):
            if (limit is not None and len(self._state) >= limit) or unaffordable(self.config, self._state):
                break
            experiment = self._propose("lane")
            if experiment is None:
                break
            proposed.append(experiment)
        return proposed

    def _propose(self, route: str, only: Own | None = None, *, paid: bool = True) -> Experiment | None:
        keeper = self._keeper = Keeper(self.bench.limits(), self.bench.space.units)
        purse = self._purse = Purse(self.config, self._state) if paid else Purse()
        proposed = propose(
            self.config,
            self.bench.space,
            self._state,
            seed=self.seed,
            allowed=lambda recipe: keeper.allows(recipe) and purse.pays(recipe),
            limits=keeper.limits,
            route=route,
            predict_always=self.predict_always,
            only=only,
            repeatable=lambda recipe: self.bench.repeatable(recipe, self._state.tries(recipe)),
            offers=lambda fidelity, recipe: self.bench.of(fidelity).offers(recipe),
        )
        if proposed is None or not purse.pays(proposed.proposal.recipe, proposed.proposal.fidelity):
            return None
        self._purse = Purse()  # which has refused nothing that would matter now
        new = {c["hash"]: Entry("surrogate", c) for c in proposed.cards if c["hash"] not in self._state.cards}
        name = experiment_id(len(self._state) + 1)
        self._append(*new.values(), Entry("proposal", proposed.proposal.body(), name, 0))
        return self._state[name]

    def _review(self, experiment: Experiment) -> Experiment:
        decision = review.by_rule(experiment.proposal, self.bench.space, self.bench.limits())
        self._append(Entry("decision", decision.body(), experiment.id, 0))
        return self._state[experiment.id]

    def _start(self, experiment: Experiment) -> bool:
        """Reserve a lane, write the intent, act; False if it has to wait for what another one holds."""
        number = len(experiment.intents) + 1
        job = self._lanes.reserve(experiment, self._key(experiment, number), self._state.suspects)
        if job is None:
            return False
        with self._lanes.cleared_if_it_fails(job):
            self._append(Entry("intent", job.intent().body(), experiment.id, number))
            self._act(job)
        return True

    def _act(self, job: Job) -> None:
        """Have the instrument carry out the attempt whose intent was written last."""
        experiment = self._state[job.experiment]
        # Asked a third time, just before anything moves: the file may have changed since the decision.
        rejection = review.by_rule(experiment.proposal, self.bench.space, self.bench.limits())
        if job.refusal is not None:
            self._lanes.refuse(job, not_started(job.refusal, by="resources"))
        elif rejection.verdict == "rejected":
            self._lanes.refuse(job, not_started(rejection.reason))
        else:
            self._lanes.start(job, attempt_of(experiment, experiment.intents[-1], self.config))

    def _record(self, arrived: Arrived, *, go_on: bool = True) -> Experiment | None:
        """Outcome into the ledger, with what it says of its lane; None if there is none yet."""
        job = arrived.job
        with self._lanes.cleared_if_it_fails(job):
            if arrived.never and go_on and self._may_start():
                self._act(job)
                return None
            self._append(*arrived.entries(len(self._state[job.experiment].intents)))
        self._lanes.clear(job, suspect=arrived.suspect is not None)
        return None if arrived.outcome is None else self._state[job.experiment]

    def _key(self, experiment: Experiment, number: int) -> str:
        return f"{self._state.campaign['token']}/{experiment.id}/{number}" if self._state.campaign else ""

    # The ledger, and ending --------------------------------------------------------------------------

    def _append(self, *entries: Entry) -> None:
        self._state = self._state.extend(self._ledger.append_all(entries) if entries else ())

    def _why_to_stop(self, budget: int) -> Ended | None:
        if self._stop_reason is not None:
            return "stopped", self._stop_reason
        return why_to_stop(self.config, self._state, budget, now=datetime.now(UTC), since=self._run_from)

    def _summary(self, status: str, why: str) -> Summary:
        path = None if self._ledger.path is None else str(self._ledger.path)
        return summarise(self.config, self._state, status=status, why=why, ledger=path)

    def close(self) -> None:
        """Close the lanes and the ledger; safe to call twice."""
        self._lanes.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
