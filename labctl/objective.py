"""What is wanted of a measured quantity: as much or as little as can be, a target, or limits to keep."""

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from labctl.space.parameters import Number, Strict, check_unit


class Objective(Strict):
    """A quantity that is measured, and what is wanted of it.

    ``goal`` says what the campaign looks for; ``at_least`` and ``at_most`` are limits that a result must keep
    to count as a success, whatever the goal. Numbers are in the objective's unit.
    """

    goal: Literal["maximize", "minimize", "target", "observe"] = Field(
        description="observe: measured and predicted, but not optimised"
    )
    unit: str
    about: str = Field(default="", description="What it is, for people.")
    target: Number | None = Field(default=None, description="goal: target only; the value to come close to")
    at_least: Number | None = Field(default=None, description="a result below it is no success")
    at_most: Number | None = Field(default=None, description="a result above it is no success")

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Objective":
        if (self.goal == "target") != (self.target is not None):
            raise ValueError("goal: target and target: NUMBER belong together; give both or neither")
        low, high = self.limits
        if low >= high:
            raise ValueError(f"at_least ({low:g}) must lie below at_most ({high:g})")
        if self.target is not None and not low <= self.target <= high:
            raise ValueError(
                f"target ({self.target:g}) lies outside at_least and at_most; change one of them"
            )
        return self

    @property
    def wanted(self) -> bool:
        """Whether the campaign optimises it."""
        return self.goal != "observe"

    @property
    def needed(self) -> bool:
        """Whether a result without it is incomplete."""
        return self.wanted or self.limited

    @property
    def limits(self) -> tuple[float, float]:
        """The range that a success keeps, infinite where open."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low, high

    @property
    def limited(self) -> bool:
        """Whether there is a limit to keep."""
        return self.at_least is not None or self.at_most is not None

    @property
    def sign(self) -> float:
        """-1 where less is better, else +1; a surrogate is fitted to the values times it."""
        return -1.0 if self.goal == "minimize" else 1.0

    @property
    def direction(self) -> float:
        """+1 where more of what ``judged`` gives is better, -1 where less is."""
        return 1.0 if self.goal in ("maximize", "observe") else -1.0

    def judged(self, value: float) -> float:
        """What a value is judged by: itself, or how far it misses the target."""
        return value if self.target is None else abs(value - self.target)

    def worth(self, value: float) -> float:
        """How good a value is, larger being better."""
        return self.direction * self.judged(value)

    def keeps(self, value: float) -> bool:
        """Whether a value keeps the limits."""
        low, high = self.limits
        return low <= value <= high
