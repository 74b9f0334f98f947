"""When a campaign ends: what it may spend, and the rules that end it earlier."""

from pydantic import Field, field_validator, model_validator

from labctl import units
from labctl.space.parameters import Number, Strict, Whole, check_unit

MOST_PRICE = 1e30
"""Far beyond any price, and far enough below the largest float that a campaign's costs add up."""


class Target(Strict):
    """Stop as soon as an experiment is this good; of a goal with a target, this near to it."""

    value: Number
    unit: str

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)


class CostConfig(Strict):
    """What an attempt costs, in whatever the lab counts in; all costs of a campaign are in the same.

    Attributes:
        each: of every attempt.
        hour: of every hour that an attempt takes.
        of: by parameter, the price of one unit of it, such as of a reagent.
    """

    each: Number = Field(default=0.0, ge=0)
    hour: Number = Field(default=0.0, ge=0)
    of: dict[str, Number] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _costs_something(self) -> "CostConfig":
        if not (self.each or self.hour or any(self.of.values())):
            raise ValueError("costs nothing; give each, hour or of a number above zero")
        if any(price < 0 for price in self.of.values()):
            raise ValueError("of: a price must be zero or more")
        if max(self.each, self.hour, *self.of.values(), 0.0) > MOST_PRICE:
            raise ValueError(f"a price above {MOST_PRICE:g} adds up to no number; count in a larger unit")
        return self


class BudgetConfig(Strict):
    """What a campaign may spend.

    Attributes:
        experiments: how many experiments; what a cheaper fidelity reads is none and is limited by ``cost``.
        cost: what all attempts together may cost, by the instrument's ``cost``; what would go beyond it is
            not begun.
        time: how long after its first event it may begin another experiment, with its unit.
        failures_in_a_row: stop for a person after so many failures without one success.
        target: stop as soon as a result is this good.
    """

    experiments: Whole = Field(default=50, ge=1, le=10_000_000)
    cost: Number | None = Field(default=None, gt=0)
    time: str | None = None
    failures_in_a_row: Whole | None = Field(
        default=10, ge=1, description="stop for a person after so many failures without one success"
    )
    target: Target | None = None

    @field_validator("time")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            seconds_in(value)
        return value


class StopRule(Strict):
    """One reason to stop; everything that it names must hold, and any one rule ends the campaign.

    Attributes:
        stagnation: so many results came since the last better one, or at all while none keeps the limits.
        improvement_chance: none of the last ``proposals`` of the improve arm had a chance as large as this
            of a better result, by the prediction written before it.
        proposals: how many of them.
        failure_rate: a larger share of the last ``last`` experiments than this failed and gave nothing,
            neither a result off the recipe nor a bound.
        last: how many of them.
        experiments: at least so many experiments are done, those of a cheaper fidelity left out.
    """

    stagnation: Whole | None = Field(default=None, ge=1)
    improvement_chance: Number | None = Field(default=None, gt=0, lt=1)
    proposals: Whole = Field(default=5, ge=1)
    failure_rate: Number | None = Field(default=None, ge=0, lt=1)
    last: Whole = Field(default=20, ge=2)
    experiments: Whole | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _names_something(self) -> "StopRule":
        if self.stagnation is None and self.improvement_chance is None and self.failure_rate is None:
            raise ValueError("needs stagnation, improvement_chance or failure_rate")
        return self


def seconds_in(text: str) -> float:
    """A time such as ``10 min`` in seconds.

    Raises:
        ValueError: it is no positive time with a unit.
    """
    number, _, unit = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    conversion = units.factor(unit.strip(), "second") if units.canonical(unit) else None
    if conversion is None or not 0 < value * conversion < float("inf"):
        raise ValueError(f"{text!r} is no time; write a number and a unit, such as '10 min'")
    return value * conversion
