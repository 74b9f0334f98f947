"""What is known of a campaign: a pure fold over the events of its ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from json import loads
from typing import Any, Literal

from rpds import HashTrieMap

from labctl.errors import RefusedError
from labctl.ledger import GENESIS, Event
from labctl.proposal import (
    NEVER,
    Decision,
    Halt,
    Intent,
    Outcome,
    Proposal,
    Resume,
    Settled,
    Suspect,
    moved_nothing,
    recipe_key,
)
from labctl_drivers.protocol import FailureKind, Recipe

Status = Literal["proposed", "approved", "running", "measured", "failed", "rejected"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a person said of an attempt in place of what the controller knew.

    Attributes:
        attempt: its number.
        verdict: measured, failed, or never begun.
        by: who said so.
        at: UTC, when it was written.
        before: the outcome that it supersedes.
    """

    attempt: int
    verdict: str
    by: str
    at: str
    before: Outcome


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment and all that happened to it.

    Its status moves along::

        proposed -> approved -> running -> measured
            |                    ^   |
            v                    |   v
         rejected                +- failed (tried again where the kind of failure allows, or where
                                            a person says that an unknown attempt never began)

    Attributes:
        id: such as ``e0007``.
        number: 7 for ``e0007``.
        proposal: with its prediction.
        decision: of a person or a rule, once there is one.
        intents: by attempt, from 1.
        outcomes: by attempt, from 1.
        proposed_at: UTC, when the proposal was written; ``proposed_seq`` is that event's number.
        decided_at: UTC, when the decision was written.
        started_at: UTC, when the first intent was written, before anything moved.
        ended_at: UTC, when the last outcome was written; ``ended_seq`` is that event's number.
        result_hash: hash of the event that holds the last outcome.
        settled: what people said of attempts of which the controller could not tell, or added to a result in
            part; ``outcomes`` holds the outcomes that they gave.
    """

    id: str
    number: int
    proposal: Proposal
    proposed_at: str
    proposed_seq: int
    decided_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    ended_seq: int | None = None
    decision: Decision | None = None
    intents: tuple[Intent, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    result_hash: str = ""
    settled: tuple[Settlement, ...] = ()

    @property
    def outcome(self) -> Outcome | None:
        """The last outcome; None where there is none, or where the attempt never began."""
        return self.outcomes[-1] if self.outcomes and self.outcomes[-1].stage != NEVER else None

    @property
    def status(self) -> Status:
        """Where the experiment stands."""
        if len(self.intents) > len(self.outcomes):
            return "running"
        if self.outcome is not None:
            return self.outcome.status
        if self.decision is None:
            return "proposed"
        return "approved" if self.decision.verdict == "approved" else "rejected"

    @property
    def made(self) -> Recipe:
        """The recipe that was really made: what was asked, with the settings that the instrument reached."""
        actual = self.outcome.actual if self.outcome is not None else {}
        return {name: actual.get(name, value) for name, value in self.proposal.recipe.items()}

    @property
    def finished(self) -> bool:
        """Whether it has an outcome, or never will."""
        return self.status in ("measured", "failed", "rejected")

    @property
    def unsettled(self) -> bool:
        """Whether nobody can say what became of its sample, so that a person has to."""
        return self.status == "failed" and self.outcomes[-1].kind == FailureKind.UNKNOWN

    @property
    def never_begun(self) -> bool:
        """Whether it ended before anything moved for it, so that it is no experiment of the budget."""
        return self.status == "failed" and all(moved_nothing(outcome) for outcome in self.outcomes)

    def attempts_failed_by(self, kind: FailureKind) -> int:
        """How many attempts ended with this kind of failure."""
        return sum(outcome.kind == kind for outcome in self.outcomes)


@dataclass(frozen=True)
class CampaignState:
    """A campaign as its ledger tells it; ``extend`` gives the state after more events.

    Attributes:
        campaign: the first event's body: config, seed, table, code version; None for an empty ledger.
        config: the config in force.
        experiments: by number, from 1.
        unfinished: numbers of the experiments that still wait for an outcome or for another attempt.
        tried: recipes that need not be proposed again, each with the number of its last experiment.
        faults: how many experiments with a recipe ended in an instrument fault, or were never begun.
        cards: hashes of the surrogate cards that the ledger holds.
        verdict: the last verdict on the surrogate, where there is one.
        halt: why nothing may start until a person resumes the campaign; None if it may.
        suspects: by lane, why it has stopped until a person resumes the campaign.
        seq, head: number and hash of the last event seen.
    """

    campaign: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    experiments: "HashTrieMap[int, Experiment]" = HashTrieMap()  # noqa: RUF009 - immutable
    unfinished: "HashTrieMap[int, None]" = HashTrieMap()  # noqa: RUF009 - immutable
    tried: "HashTrieMap[str, int]" = HashTrieMap()  # noqa: RUF009 - immutable
    faults: "HashTrieMap[str, int]" = HashTrieMap()  # noqa: RUF009 - immutable
    cards: "HashTrieMap[str, None]" = HashTrieMap()  # noqa: RUF009 - immutable
    verdict: dict[str, Any] | None = None
    halt: Halt | None = None
    suspects: "HashTrieMap[str, Suspect]" = HashTrieMap()  # noqa: RUF009 - immutable
    seq: int = 0
    head: str = GENESIS

    def __len__(self) -> int:
        return len(self.experiments)

    def __iter__(self) -> Iterator[Experiment]:
        for number in range(1, len(self.experiments) + 1):
            yield self.experiments[number]

    def __getitem__(self, experiment: str) -> Experiment:
        """The experiment with this id.

        Raises:
            KeyError: there is none.
        """
        number = number_of(experiment)
        if number is None or number not in self.experiments:
            raise KeyError(experiment)
        return self.experiments[number]

    @property
    def pending(self) -> list[Experiment]:
        """Experiments that still wait for an outcome or for another attempt, in order."""
        return [self.experiments[n] for n in sorted(self.unfinished)]

    @cached_property
    def measured(self) -> list[Experiment]:
        """Experiments with a result that counts, in order; those of a cheaper fidelity are ``stand_ins``."""
        return [e for e in self if e.status == "measured" and e.proposal.fidelity is None]

    @cached_property
    def failed(self) -> list[Experiment]:
        """Experiments that ended in a failure, in order; without those of a cheaper fidelity."""
        return [e for e in self if e.status == "failed" and e.proposal.fidelity is None]

    @cached_property
    def stand_ins(self) -> list[Experiment]:
        """Experiments of a cheaper fidelity that were carried out, in order."""
        return [e for e in self if e.status in ("measured", "failed") and e.proposal.fidelity is not None]

    def retry_allowed(self, experiment: Experiment) -> bool:
        """Whether its last failure allows another attempt and the limit of such attempts is not reached."""
        outcome = experiment.outcome
        if outcome is None or outcome.kind is None or experiment.proposal.route == "hand":
            return False
        most = (self.config or {}).get("retries", {}).get(outcome.kind.value, 0)
        return experiment.attempts_failed_by(outcome.kind) <= int(most)

    def tries(self, recipe: Recipe) -> int:
        """How many experiments that count were proposed with exactly this recipe."""
        key = recipe_key(recipe)
        counting = (e for e in self if e.proposal.fidelity is None and not e.never_begun)
        return sum(recipe_key(e.proposal.recipe) == key for e in counting)

    def extend(self, events: Iterable[Event]) -> "CampaignState":
        """The state after these further events.

        Raises:
            RefusedError: an event holds what no labctl of this version writes; its place is named.
        """
        state = self
        for event in events:
            try:
                state = _APPLY.get(event.kind, _skip)(state, event)
            except (KeyError, TypeError, ValueError):
                raise RefusedError(
                    f"event {event.seq} ({event.kind}) of the ledger cannot be read; another version of "
                    "labctl or another hand wrote it, and `labctl verify` says whether it was changed"
                ) from None
            state = replace(state, seq=event.seq, head=event.hash)
        return state


def fold(events: Iterable[Event]) -> CampaignState:
    """The state after these events, from the first on."""
    return CampaignState().extend(events)


def experiment_id(number: int) -> str:
    """The id of the n-th experiment, from 1."""
    return f"e{number:04d}"


def number_of(experiment: object) -> int | None:
    """The number in an experiment's id, typed as ``e0007``, ``e7`` or ``7``; None if it is no id."""
    if not isinstance(experiment, str):
        return None
    digits = experiment.removeprefix("e")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None  # noqa: PLR2004


MOST_FAULTS = 2
"""Experiments with one recipe that may end in an instrument fault before it is left alone: a recipe that
meets a fault each time may well be its cause."""
MOST_REFUSALS = 6
"""The same of experiments that were never begun, of which a recipe is seldom the cause."""


def _skip(state: CampaignState, _event: Event) -> CampaignState:
    return state


def _campaign(state: CampaignState, event: Event) -> CampaignState:
    body = loads(event.body)
    return replace(state, campaign=body, config=body["config"])


def _change(state: CampaignState, event: Event) -> CampaignState:
    return replace(state, config=loads(event.body)["config"])


def _surrogate(state: CampaignState, event: Event) -> CampaignState:
    return replace(state, cards=state.cards.insert(loads(event.body)["hash"], None))


def _verdict(state: CampaignState, event: Event) -> CampaignState:
    return replace(state, verdict=loads(event.body))


def _proposal(state: CampaignState, event: Event) -> CampaignState:
    number = len(state.experiments) + 1
    experiment = Experiment(
        id=str(event.experiment),
        number=number,
        proposal=Proposal.model_validate_json(event.body),
        proposed_at=event.time,
        proposed_seq=event.seq,
    )
    return _with(state, experiment)


def _decision(state: CampaignState, event: Event) -> CampaignState:
    experiment = state[str(event.experiment)]
    decision = Decision.model_validate_json(event.body)
    return _with(state, replace(experiment, decision=decision, decided_at=event.time))


def _intent(state: CampaignState, event: Event) -> CampaignState:
    experiment = state[str(event.experiment)]
    intents = (*experiment.intents, Intent.model_validate_json(event.body))
    return _with(state, replace(experiment, intents=intents, started_at=experiment.started_at or event.time))


def _outcome(state: CampaignState, event: Event) -> CampaignState:
    experiment = state[str(event.experiment)]
    outcomes = (*experiment.outcomes, Outcome.model_validate_json(event.body))
    ended = replace(
        experiment, outcomes=outcomes, ended_at=event.time, ended_seq=event.seq, result_hash=event.hash
    )
    return _with(state, ended)


def _settled(state: CampaignState, event: Event) -> CampaignState:
    experiment = state[str(event.experiment)]
    told = Settled.model_validate_json(event.body)
    *others, before = experiment.outcomes
    settlement = Settlement(len(others) + 1, told.verdict, told.by, event.time, before)
    ended = replace(
        experiment,
        outcomes=(*others, told.outcome),
        settled=(*experiment.settled, settlement),
        ended_at=event.time,
        ended_seq=event.seq,
        result_hash=event.hash,
    )
    return _with(state, ended)


def _halt(state: CampaignState, event: Event) -> CampaignState:
    # The first reason stands: what came after it may only be its consequence.
    return replace(state, halt=state.halt or Halt.model_validate_json(event.body))


def _suspect(state: CampaignState, event: Event) -> CampaignState:
    suspect = Suspect.model_validate_json(event.body)
    return replace(state, suspects=state.suspects.insert(suspect.lane, suspect))


def _resume(state: CampaignState, event: Event) -> CampaignState:
    Resume.model_validate_json(event.body)
    return replace(state, halt=None, suspects=HashTrieMap())


def _with(state: CampaignState, experiment: Experiment) -> CampaignState:
    unfinished, tried = state.unfinished.discard(experiment.number), state.tried
    if not experiment.finished or state.retry_allowed(experiment):
        unfinished = unfinished.insert(experiment.number, None)
    if experiment.proposal.fidelity is not None:
        # A recipe that was only read by a stand-in has still to be measured.
        experiments = state.experiments.insert(experiment.number, experiment)
        return replace(state, experiments=experiments, unfinished=unfinished)
    key = recipe_key(experiment.proposal.recipe)
    tried, faults = tried.insert(key, experiment.number), state.faults
    if experiment.number not in unfinished and _fault(experiment):
        faults = faults.insert(key, faults.get(key, 0) + 1)
        if faults[key] < (MOST_REFUSALS if experiment.never_begun else MOST_FAULTS):
            # The machine failed, not the recipe, so it may be proposed once more.
            tried = tried.discard(key)
    return replace(
        state,
        experiments=state.experiments.insert(experiment.number, experiment),
        unfinished=unfinished,
        tried=tried,
        faults=faults,
    )


def _fault(experiment: Experiment) -> bool:
    outcome = experiment.outcome
    return outcome is not None and (outcome.kind == FailureKind.INSTRUMENT_FAULT or experiment.never_begun)


_APPLY = {
    "campaign": _campaign,
    "change": _change,
    "surrogate": _surrogate,
    "verdict": _verdict,
    "proposal": _proposal,
    "decision": _decision,
    "intent": _intent,
    "outcome": _outcome,
    "settled": _settled,
    "halt": _halt,
    "suspect": _suspect,
    "resume": _resume,
}
