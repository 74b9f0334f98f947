"""What carries experiments out: the instrument whose results count, and cheaper stand-ins for it."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from labctl.budget import CostConfig, seconds_in
from labctl.objective import Objective
from labctl.registry import INSTRUMENTS
from labctl.space.parameters import Strict, Whole

TARGET = "target"
"""What the fidelity is called that counts, where it has to be called something."""
PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""How the name of something is spelled that has a folder of its own."""


def one_of(known: tuple[str, ...]) -> AfterValidator:
    """A check that a text is one of these names."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"is {value!r}, but must be one of {', '.join(known)}")
        return value

    return AfterValidator(check)


def _plain(value: object, place: str) -> object:
    """An option as JSON holds it; infinity, which JSON has not, by its name."""
    if isinstance(value, dict):
        return {str(name): _plain(one, f"{place}.{name}") for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{place}.{i}") for i, one in enumerate(value)]
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and not math.isnan(value) and value != -math.inf:
        return "inf" if value == math.inf else value
    if value is None:
        raise ValueError(f"{place} is empty; give it a value, or remove it")
    raise ValueError(
        f"{place} is {value!r}, but must be a number, a text, true or false, a list or a mapping"
    )


InstrumentKind = Annotated[str, one_of(INSTRUMENTS), Field(json_schema_extra={"enum": list(INSTRUMENTS)})]


class InstrumentConfig(Strict):
    """What carries the experiments out.

    ``replay`` answers from a historical table, ``furnace`` is a simulated furnace with a hardness tester,
    ``devices`` are Bluesky objects of the lab's own and ``plan`` is a Bluesky plan of theirs, ``hand`` is a
    person who uses ``labctl propose`` and ``labctl record``.
    """

    kind: InstrumentKind
    lanes: Whole = Field(
        default=1, ge=1, le=64, description="how many such instruments work side by side, each on a lane"
    )
    dataset: str | None = Field(
        default=None,
        description="replay: a name from `labctl datasets list`, or a card (.yaml) beside this file",
    )
    replicates: Literal["draw", "mean"] = Field(
        default="draw",
        description="replay: draw one of a recipe's rows as it was measured, or take their mean",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="the instrument's own settings; which there are depends on its kind"
    )
    time_limit: str = Field(
        default="1 hour", description="longest that one experiment may take, with its unit"
    )

    cost: CostConfig | None = Field(default=None, description="what an attempt costs, for a budget")

    @field_validator("options", mode="before")
    @classmethod
    def _options_are_plain(cls, value: object) -> object:
        return (
            {name: _plain(one, str(name)) for name, one in value.items()}
            if isinstance(value, dict)
            else value
        )

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
        if self.lanes > 1 and self.kind in ("replay", "hand"):
            raise ValueError(
                f"lanes are for instruments that take their time, and this is {self.kind}; remove them"
            )
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
        if not re.fullmatch(PLAIN_NAME, name):
            raise ValueError(
                f"fidelities: {name!r} has a folder of its own; name it with up to 64 letters, digits, _ . "
                "and -, the first one a letter or a digit"
            )
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


def refuse_twins(fidelities: Mapping[str, FidelityConfig]) -> None:
    """See that no two fidelities would share a folder where capitals make no difference.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    seen: dict[str, str] = {}
    for name in fidelities:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise ValueError(f"fidelities.{name}: differs from {other} in capitals only; rename one")
