"""What carries experiments out: the instrument whose results count, and cheaper stand-ins for it."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from labctl.budget import CostConfig, seconds_in
from labctl.objective import Objective
from labctl.registry import INSTRUMENTS
from labctl.space.parameters import Strict

TARGET = "target"
"""What the fidelity is called that counts, where it has to be called something."""


def one_of(known: tuple[str, ...]) -> AfterValidator:
    """A check that a text is one of these names."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"is {value!r}, but must be one of {', '.join(known)}")
        return value

    return AfterValidator(check)


InstrumentKind = Annotated[str, one_of(INSTRUMENTS), Field(json_schema_extra={"enum": list(INSTRUMENTS)})]


class InstrumentConfig(Strict):
    """What carries the experiments out.

    ``replay`` answers from a historical table, ``furnace`` is a simulated furnace with a hardness tester,
    ``hand`` is a person who uses ``labctl propose`` and ``labctl record``.
    """

    kind: InstrumentKind
    dataset: str | None = Field(
        default=None,
        description="replay: a name from `labctl datasets list`, or a card (.yaml) beside this file",
    )
    replicates: Literal["draw", "mean"] = Field(
        default="draw",
        description="replay: draw one of a recipe's rows as it was measured, or take their mean",
    )
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    time_limit: str = Field(
        default="1 hour", description="longest that one experiment may take, with its unit"
    )

    cost: CostConfig | None = Field(default=None, description="what an attempt costs, for a budget")

    @field_validator("options", mode="before")
    @classmethod
    def _infinity_by_name(cls, value: object) -> object:
        # JSON, which the ledger is written in, has no infinity; the bench makes one of the word again.
        if not isinstance(value, dict):
            return value
        return {k: "inf" if isinstance(v, float) and v == math.inf else v for k, v in value.items()}

    @field_validator("time_limit")
    @classmethod
    def _time_limit_is_a_time(cls, value: str) -> str:
        seconds_in(value)
        return value

    @model_validator(mode="after")
    def _dataset_where_needed(self) -> "InstrumentConfig":
        if self.kind == "replay" and not self.dataset:
            raise ValueError("a replay needs dataset: a name from `labctl datasets list` or a card file")
        if self.kind != "replay" and self.dataset:
            raise ValueError(f"dataset is for kind: replay, and this is kind: {self.kind}; remove it")
        return self


class FidelityConfig(Strict):
    """A cheaper measurement of the goal, such as a simulation or a quick scan.

    What it reads is never taken for a result of the goal. It teaches the surrogate as far as it is seen to
    agree with the goal, and is dropped where it misleads.

    Attributes:
        instrument: what carries it out, with its cost.
        reads: by objective, the name under which this instrument reads it; the same name unless given.
        about: what it is, for people.
    """

    instrument: InstrumentConfig
    reads: dict[str, str] = Field(default_factory=dict)
    about: str = ""

    def check(self, name: str, target: InstrumentConfig, objectives: Mapping[str, Objective]) -> None:
        """See that it fits beside the instrument whose results count.

        Raises:
            ValueError: one sentence that begins with the key.
        """
        if name.casefold() == TARGET:
            raise ValueError(
                f"fidelities.{name}: this name belongs to the instrument that counts; use another"
            )
        if self.instrument.cost is None:
            raise ValueError(f"fidelities.{name}.instrument.cost: is needed, to weigh it against the target")
        if "hand" in (self.instrument.kind, target.kind):
            raise ValueError(f"fidelities.{name}: is for instruments, and kind: hand is a person; remove it")
        unknown = next((n for n in self.reads if n not in objectives), None)
        if unknown is not None:
            raise ValueError(f"fidelities.{name}.reads.{unknown}: no such objective")
        twice = next((q for q, n in Counter(self.reads.values()).items() if n > 1), None)
        if twice is not None:
            raise ValueError(f"fidelities.{name}.reads: {twice} cannot be the reading of two objectives")
