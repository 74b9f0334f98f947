"""YAML to a frozen CampaignConfig; the only reader of what a user typed about a campaign."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from labctl import units
from labctl.advice import Advice
from labctl.budget import BudgetConfig, StopRule, Target
from labctl.complaints import keys_beside, problem
from labctl.errors import RequestError
from labctl.instrument import PLAIN_NAME, FidelityConfig, InstrumentConfig, one_of, refuse_twins
from labctl.law import LawConfig, RecipesConfig
from labctl.objective import Objective
from labctl.proposal import is_wild
from labctl.registry import ARMS, FOR_ONE_GOAL
from labctl.space import Space
from labctl.space.parameters import Fixed, Formula, Number, Ordinal, Strict, Whole
from labctl.yamlfile import KeyPath, YamlFile, read_yaml

Name = str


ArmName = Annotated[str, one_of(ARMS), Field(json_schema_extra={"enum": list(ARMS)})]


class CandidatesConfig(Strict):
    """A finite table of recipes to choose from; its columns are named as the parameters are."""

    table: str = Field(description="a CSV file beside this one")


class Floors(Strict):
    """Least shares of the budget after the start, whatever the evidence says."""

    random: Number = Field(default=0.1, ge=0, le=0.5)
    replicate: Number = Field(default=0.05, ge=0, le=0.4)


class PluggedConfig(Strict):
    """An optimiser from outside, whose suggestions the arm ``plugged`` proposes.

    Attributes:
        optimizer: what makes it, as ``package.module:factory``.
        modules: folder of the lab's own modules, beside the campaign file; what is installed needs none.
        options: passed on to the factory by name.
    """

    optimizer: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    modules: str | None = None
    options: dict[Name, JsonValue] = Field(default_factory=dict)


class StrategyConfig(Strict):
    """How the next experiments are chosen.

    Attributes:
        initial: experiments before any surrogate is asked.
        start: how these are laid out.
        arms: how the budget after the start is shared, by weights; left out, the evidence decides.
        floors: least shares where the evidence decides: of the random arm, which keeps everything honest, and
            of replicates, which tell how far readings scatter.
        batch: experiments that are proposed at once, each in the light of those before it.
        neighbours: how many known recipes novelty is measured against.
        replicates: largest share of the experiments that may measure a surprising recipe again.
        fixed: settings that every new proposal has; results with others are learnt from all the same.
        plugged: an optimiser from outside, for the arm of this name.
    """

    initial: Whole = Field(default=8, ge=1, le=10_000)
    start: Literal["space_filling", "random"] = "space_filling"
    arms: dict[ArmName, Number] | None = None
    floors: Floors = Floors()
    batch: Whole = Field(default=1, ge=1, le=1_000)
    neighbours: Whole = Field(default=15, ge=1)
    replicates: Number = Field(default=0.1, ge=0, le=1)
    fixed: dict[Name, Fixed] = Field(
        default_factory=dict, description="settings of every new proposal; results at others still teach"
    )
    plugged: PluggedConfig | None = Field(
        default=None, description="an optimiser from outside, for the arm of this name"
    )

    @field_validator("arms")
    @classmethod
    def _shares_make_sense(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value is None:
            return None
        if any(v < 0 for v in value.values()) or sum(value.values()) <= 0:
            raise ValueError("shares must be zero or more, and one of them above zero")
        return value


class ValidationConfig(Strict):
    """How often a campaign asks whether its own surrogate can be trusted.

    Attributes:
        every: after so many further results; 0 for never.
        start: not before so many results.
        cpu_seconds: processor time that one validation may take.
    """

    every: Whole = Field(default=20, ge=0)
    start: Whole = Field(default=20, ge=20)
    cpu_seconds: Number = Field(default=30.0, gt=0)


class RetryConfig(Strict):
    """How often the same recipe is tried again after a failure that says nothing about the recipe."""

    instrument_fault: Whole = Field(default=2, ge=0, le=20)
    bad_reading: Whole = Field(default=1, ge=0, le=20)


class CampaignModel(RecipesConfig):
    """A campaign: what may be varied, what is wanted, and what carries it out."""

    campaign: Name = Field(pattern=PLAIN_NAME, description="short name")
    purpose: str = Field(default="", description="what the campaign is to find out, for people")
    candidates: CandidatesConfig | None = None
    objectives: dict[Name, Objective] = Field(min_length=1, max_length=100)
    main: Name | None = Field(
        default=None, description="the goal that progress is shown by; the first of the file unless given"
    )
    instrument: InstrumentConfig
    fidelities: dict[Name, FidelityConfig] = Field(
        default_factory=dict, max_length=10, description="cheaper measurements that may stand in for the goal"
    )
    resources: dict[Name, Annotated[Whole, Field(ge=1)]] = Field(
        default_factory=dict,
        max_length=100,
        description="how many there are of what lanes share, such as slots of a rack",
    )
    limits: str | None = Field(default=None, description="the lab's hard limits: a file apart from this one")
    strategy: StrategyConfig = StrategyConfig()
    advice: Advice = Advice()
    validation: ValidationConfig = ValidationConfig()
    law: LawConfig | None = None
    budget: BudgetConfig = BudgetConfig()
    stop: tuple[StopRule, ...] = Field(default=(), max_length=20)
    retries: RetryConfig = RetryConfig()
    seed: Whole = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="before")
    @classmethod
    def _main_is_named(cls, data: object) -> object:
        # The ledger sorts its keys, so which goal came first has to be said.
        objectives = data.get("objectives") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(objectives, dict) or data.get("main") is not None:
            return data
        goals = (n for n, o in objectives.items() if isinstance(o, dict) and o.get("goal") != "observe")
        first = next(goals, None)
        return data if not isinstance(first, str) else {**data, "main": first}

    @field_validator("parameters", "objectives", "mixtures", "fidelities", "resources")
    @classmethod
    def _names_are_plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not name.strip() or len(name) > 100 or not name.isprintable():  # noqa: PLR2004 - fits a column head
                raise ValueError(f"{name!r} is no name; use 1 to 100 printable characters")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "CampaignModel":
        both = set(self.parameters) & set(self.objectives)
        if both:
            raise ValueError(f"objectives.{min(both)}: is a parameter too; rename one")
        wanted = [name for name, o in self.objectives.items() if o.wanted]
        if not wanted:
            raise ValueError(
                "objectives: none has a goal; give at least one goal: maximize, minimize or target"
            )
        if self.main is not None and self.main not in wanted:
            raise ValueError(f"main: {self.main} is no goal; choose among {', '.join(wanted)}")
        self._check_sizes()
        self.check_laws(self.strategy.fixed)
        self._check_instrument()
        if self.law is not None:
            self.law.written(self.parameters)
        if self.budget.target is not None:
            self._check_target(self.budget.target, wanted[0])
        self._check_costs()
        self._check_fidelities()
        self._check_arms()
        self._check_shares()
        self.advice.check(self.parameters, self.strategy.fixed)
        return self

    def _check_sizes(self) -> None:
        for name, objective in self.objectives.items():
            for key in ("target", "at_least", "at_most"):
                number = getattr(objective, key)
                if number is not None and is_wild(number):
                    raise ValueError(f"objectives.{name}.{key}: {number:g} is larger than any reading")

    def _check_instrument(self) -> None:
        kind = self.instrument.kind
        for name, parameter in self.parameters.items():
            listed_elsewhere = kind == "replay" or self.candidates is not None
            if isinstance(parameter, Formula) and not parameter.choices and not listed_elsewhere:
                raise ValueError(f"parameters.{name}: a formula needs choices, or a candidates table")
        if kind == "replay" and self.candidates is not None:
            raise ValueError("candidates: a replay can only choose from its own table; remove candidates")
        kinds = {kind, *(fidelity.instrument.kind for fidelity in self.fidelities.values())}
        if kinds - {"replay", "hand"} and self.limits is None:
            raise ValueError("limits: an instrument that moves needs the file of the lab's hard limits")
        if kinds != {"replay"}:
            for part, items in (("parameters", self.parameters), ("objectives", self.objectives)):
                for name, item in items.items():
                    if getattr(item, "unit", None) == units.UNKNOWN:
                        raise ValueError(
                            f"{part}.{name}.unit: is unknown, which serves a replay, never an instrument"
                        )

    def _check_costs(self) -> None:
        cost = self.instrument.cost
        if self.budget.cost is not None and cost is None:
            raise ValueError("budget.cost: needs instrument.cost, which says what an attempt costs")
        prices = {
            "instrument": cost,
            **{f"fidelities.{name}.instrument": f.instrument.cost for name, f in self.fidelities.items()},
        }
        for place, price in prices.items():
            for name in price.of if price is not None else ():
                if getattr(self.parameters.get(name), "unit", None) is None:
                    raise ValueError(f"{place}.cost.of: {name} is no parameter that has an amount")
        if self.instrument.kind == "hand" and cost is not None and cost.hour:
            raise ValueError("instrument.cost.hour: nobody times a person; give each or of in its place")
        one_goal = sum(o.wanted for o in self.objectives.values()) == 1
        for i, rule in enumerate(self.stop):
            if rule.improvement_chance is not None and not one_goal:
                raise ValueError(f"stop.{i}.improvement_chance: serves one goal; use stagnation for several")

    def _check_arms(self) -> None:
        goals = [o for o in self.objectives.values() if o.wanted]
        simple = len(goals) == 1 and goals[0].target is None
        for arm in self.strategy.arms or {}:
            if arm in FOR_ONE_GOAL and not simple:
                raise ValueError(f"strategy.arms.{arm}: serves one goal to maximize or minimize; use improve")
        if ("plugged" in (self.strategy.arms or {})) != (self.strategy.plugged is not None):
            raise ValueError(
                "strategy.plugged: is the optimiser of the arm plugged in strategy.arms; give both or neither"
            )

    def _check_fidelities(self) -> None:
        if not self.fidelities:
            return
        if sum(o.wanted for o in self.objectives.values()) != 1 or any(
            o.limited for o in self.objectives.values()
        ):
            raise ValueError(
                "fidelities: serve one goal without limits on outcomes; remove them, or the others"
            )
        if self.instrument.cost is None:
            raise ValueError("instrument.cost: is needed beside fidelities, which are weighed against it")
        refuse_twins(self.fidelities)
        for name, fidelity in self.fidelities.items():
            fidelity.check(name, self.instrument, self.objectives)

    def _check_shares(self) -> None:
        floors, doubt = self.strategy.floors, self.advice.doubt if self.advice.vetoes else 0.0
        if floors.random + floors.replicate + doubt >= 1:
            raise ValueError(
                "strategy.floors: random and replicate, with advice.doubt, leave nothing to the other arms; "
                "lower one of them"
            )

    def _check_target(self, target: Target, wanted: str) -> None:
        if units.factor(target.unit, self.objectives[wanted].unit) is None:
            raise ValueError(
                f"budget.target: {target.unit} is no unit for {wanted} in {self.objectives[wanted].unit}"
            )


@dataclass(frozen=True)
class CampaignConfig:
    """A checked campaign file.

    Attributes:
        path: the file it came from.
        model: its content.
    """

    path: Path
    model: CampaignModel

    @property
    def name(self) -> str:
        """The campaign's short name."""
        return self.model.campaign

    @property
    def goal(self) -> tuple[str, Objective]:
        """Name and objective of the optimised quantity that progress is shown by."""
        return next(iter(self.goals.items()))

    @property
    def goals(self) -> Mapping[str, Objective]:
        """All quantities that are optimised, the main one first and the others in the file's order."""
        wanted = {n: o for n, o in self.model.objectives.items() if o.wanted}
        main = self.model.main
        return wanted if main not in wanted else {str(main): wanted[str(main)], **wanted}

    @property
    def limited(self) -> Mapping[str, Objective]:
        """The quantities that have limits to keep."""
        return {n: o for n, o in self.model.objectives.items() if o.limited}

    def instrument(self, fidelity: str | None) -> InstrumentConfig:
        """The instrument of a fidelity; None for the one that counts."""
        return self.model.instrument if fidelity is None else self.model.fidelities[fidelity].instrument

    @property
    def lanes(self) -> int:
        """How many experiments may run side by side."""
        return max(
            i.lanes for i in (self.model.instrument, *(f.instrument for f in self.model.fidelities.values()))
        )

    @property
    def sign(self) -> float:
        """-1 where the goal is to be minimised, else +1."""
        return self.goal[1].sign

    @property
    def direction(self) -> float:
        """+1 where more of what the goal is judged by is better, -1 where less is."""
        return self.goal[1].direction

    def worth(self, value: float) -> float:
        """How good a value of the goal is, larger being better."""
        return self.goal[1].worth(value)

    def keeps(self, values: Mapping[str, float]) -> bool:
        """Whether measured values keep every limit; one that was not measured is not kept."""
        return all(name in values and o.keeps(values[name]) for name, o in self.limited.items())

    @property
    def folder(self) -> Path:
        """Where a campaign keeps its ledger and everything else it makes, unless told otherwise."""
        return self.path.parent / f"{self.path.stem}.lab"

    @cached_property
    def space(self) -> Space:
        """The space as the file gives it, still without the rows of a table."""
        return self.model.space(self.model.strategy.fixed)

    def beside(self, name: str) -> Path:
        """A file that the campaign file names, relative to it."""
        return self.path.parent / name

    def as_json(self) -> dict[str, Any]:
        """The content as the ledger keeps it."""
        return self.model.model_dump(mode="json", exclude_none=True)


def load_config(path: Path | str) -> CampaignConfig:
    """Read and check a campaign file.

    Raises:
        RequestError: in one sentence with file, line, key and remedy.
    """
    file = read_yaml(path)
    try:
        model = CampaignModel.model_validate(file.data)
    except ValidationError as error:
        raise first_problem(file, error) from None
    return CampaignConfig(Path(path), model)


def first_problem(file: YamlFile, error: ValidationError) -> RequestError:
    """The first thing that is wrong with a file, in one sentence."""
    return problem(file, error, place=_place, known=lambda place: keys_beside(CampaignModel, place))


def _place(loc: KeyPath) -> KeyPath:
    """Where in the file an error is: pydantic puts the name of a union's branch into its place."""
    branch = 2 if loc[:1] == ("parameters",) else 3 if loc[:2] == ("instrument", "options") else len(loc)
    return tuple(part for i, part in enumerate(loc) if i != branch and part != "[key]")


def json_schema() -> str:
    """The JSON schema of a campaign file, from which editors complete keys."""
    schema = CampaignModel.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "labctl campaign"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


__all__ = ["CampaignConfig", "CampaignModel", "Ordinal", "json_schema", "load_config"]
