"""Frozen values of the ledger: proposals with their predictions, decisions, intents and outcomes."""

import hashlib
import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from labctl_drivers.documents import plain
from labctl_drivers.protocol import FailureKind, Json, Recipe, Setting

Arm = Literal["initial", "improve", "explore", "novelty", "random", "replicate", "expert"]
"""Why a recipe was chosen."""


_LARGEST_READING = 1e150


class Written(BaseModel):
    """A frozen value that is kept in the ledger as canonical JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def body(self) -> dict[str, Any]:
        """The value as plain JSON types; what is None is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Predicted(Written):
    """What the surrogate expected of one objective, in the objective's unit.

    Attributes:
        mean: expected value.
        sd: how unsure the surrogate is of the true value.
        noise_sd: scatter of a single measurement about the true value, as learned.
        widened: factor in both, because earlier predictions were too sure of themselves; 1 for none.
    """

    mean: float
    sd: float = Field(ge=0)
    noise_sd: float = Field(default=0.0, ge=0)
    widened: float = Field(default=1.0, ge=1)

    @property
    def measurement_sd(self) -> float:
        """How far a single measurement may lie from ``mean``, one standard deviation."""
        return math.hypot(self.sd, self.noise_sd)


class Stamp(Written):
    """Where a recipe lies with respect to the recipes that were measured.

    Attributes:
        where: inside their domain, at its edge, or outside.
        percentile: share of the measured recipes that lie nearer to their own nearest neighbour.
        nearest_success: the nearest experiment with a result.
        nearest_failure: the nearest one that failed, where one did.
    """

    where: Literal["inside", "edge", "outside"]
    percentile: float
    nearest_success: str | None = None
    nearest_failure: str | None = None


class Alternative(Written):
    """A recipe that was considered and not chosen."""

    recipe: dict[str, Setting]
    value: float = Field(description="its acquisition value, on the scale of the chosen one")
    predictions: dict[str, Predicted] = Field(default_factory=dict)


class Proposal(Written):
    """An experiment that the controller wants to do, with what it expected, written before anything moves.

    Attributes:
        recipe: the settings, in the units of the campaign.
        arm: why it was chosen, and ``because`` says the same in a sentence.
        fidelity: which cheaper measurement it is to be; None for the one that counts.
        strategy: its name in a campaign file, where a strategy chose it.
        domain: where it lies with respect to what was measured.
        shares: of the budget among the arms at this moment, where the evidence decides on them.
        evidence: what decided on them, in a sentence.
        predictions: by objective; empty while there is too little to fit a surrogate to.
        acquisition: name of the score that ranked the candidates, and ``value`` its value here.
        alternatives: the strongest candidates not chosen.
        feasibility: probability that the recipe makes a sample; None as long as every recipe made one.
        surrogate: hash of the surrogate's card, which is in the ledger as an event of its own.
        data: hash of the results that the surrogate was fitted to.
        code: version of labctl.
        seed: of the campaign; with the number of the experiment it repeats every draw.
        route: ``lane`` for the instruments, ``hand`` for a person.
        cpu_seconds: computing time spent on the choice.
    """

    recipe: dict[str, Setting]
    arm: Arm
    because: str
    fidelity: str | None = None
    strategy: str | None = None
    domain: Stamp | None = None
    shares: dict[str, float] | None = None
    evidence: str | None = None
    predictions: dict[str, Predicted] = Field(default_factory=dict)
    acquisition: str | None = None
    value: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    feasibility: float | None = Field(default=None, ge=0, le=1)
    surrogate: str | None = None
    data: str
    code: str
    seed: int
    route: Literal["lane", "hand"] = "lane"
    cpu_seconds: float = Field(default=0.0, ge=0)


class Decision(Written):
    """What a person or a rule said of a proposal."""

    verdict: Literal["approved", "rejected"]
    by: str = Field(description="'rule' or a person's name")
    reason: str = ""


class Intent(Written):
    """Written before an instrument is told to start, so that a crash leaves a trace to ask after.

    Attributes:
        key: by which the instrument remembers the attempt.
        instrument: its name.
        lane: that it is carried out on.
        time_limit_s: how long it may take.
        needs: what it takes of the resources that lanes share, until it has its outcome.
        memory: which memory the instrument had, where it says so.
    """

    key: str
    instrument: str
    lane: str
    time_limit_s: float
    needs: dict[str, int] | None = None
    memory: str | None = None


class Interval(Written):
    """What a censored measurement still tells of a value, in the objective's unit."""

    low: float | None = None
    high: float | None = None


class Outcome(Written):
    """What became of an attempt: measured, or failed and how.

    Attributes:
        status: ``measured`` only if every objective has a finite value.
        kind: of a failure.
        stage: where a failure happened.
        message: what happened, for people.
        values: measured objectives in the campaign's units; of a failure, what was measured all the same.
        bounds: of a censored failure, what is still known.
        actual: the settings that were really reached, as far as the instrument can tell.
        raw: everything else the instrument said.
        run: uid of the Bluesky run.
        seconds: wall time of the attempt.
        source: who said it: an instrument or a person.
    """

    status: Literal["measured", "failed"]
    kind: FailureKind | None = None
    stage: str | None = None
    message: str = ""
    values: dict[str, float] = Field(default_factory=dict)
    bounds: dict[str, Interval] = Field(default_factory=dict)
    actual: dict[str, Setting] = Field(default_factory=dict)
    raw: dict[str, Any] = Field(default_factory=dict)
    run: str | None = None
    seconds: float | None = None
    source: str


class Halt(Written):
    """An interlock tripped; nothing starts any more until a person resumes the campaign.

    Attributes:
        lane: on which the attempt ran.
        instrument: its name.
        reason: the interlock and what it said.
    """

    lane: str
    instrument: str
    reason: str


class Suspect(Written):
    """A device can no longer be trusted to do what it is told; its lane stops until a person resumes it.

    Attributes:
        lane: that stops.
        instrument: its name.
        reason: what it did, or did not do.
        key: of the attempt, which may still be using what it took.
        needs: what it took.
    """

    lane: str
    instrument: str
    reason: str
    key: str
    needs: dict[str, int] | None = None


class Resume(Written):
    """A person has looked, and lets the campaign go on.

    Attributes:
        by: who.
        because: what was found and done.
    """

    by: str
    because: str


class Settled(Written):
    """What a person found became of an attempt of which nobody could tell, or added to a result in part.

    Attributes:
        verdict: it was measured, it failed, or it never used up a sample and may be tried again.
        outcome: stands in place of the one that was unknown, or that lacked a quantity.
        by: who says so.
    """

    verdict: Literal["measured", "failed", "never"]
    outcome: Outcome
    by: str


NEVER = "never"
"""The stage of an attempt of which a person says that it never used up a sample."""
NOT_STARTED = ("limits", "guard", "interlock", "lane", "queue", "resources", NEVER)
"""Stages of outcomes whose attempt moved nothing, and which cost nothing."""
_BEFORE = ("check", "connect")


def moved_nothing(outcome: Outcome) -> bool:
    """Whether an attempt was refused, or its instrument failed, before anything moved for it."""
    at_fault = outcome.kind in (FailureKind.INSTRUMENT_FAULT, FailureKind.ABORTED)
    return outcome.stage in NOT_STARTED or (outcome.stage in _BEFORE and at_fault)


def canonical_json(value: object) -> str:
    """The one spelling of a JSON value that is hashed: sorted keys, no spaces, shortest floats.

    Raises:
        ValueError: NaN or infinity, which JSON cannot hold.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of a JSON value in its canonical spelling."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def recipe_key(recipe: Recipe) -> str:
    """The same text for the same recipe, whatever the order of its settings or the type of its numbers."""
    return canonical_json({k: float(v) if isinstance(v, int | float) else v for k, v in recipe.items()})


def writable(text: str) -> str:
    """The text with a question mark for every half of a character, which no UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode()


def is_wild(value: float) -> bool:
    """Whether a number is larger than any reading: its square, which models need, has no room in a float."""
    return not abs(value) <= _LARGEST_READING


def jsonable(value: object) -> Json:
    """A raw reading in plain JSON types; numbers that JSON cannot hold become their names as text."""
    return plain(value, not_finite=str)
