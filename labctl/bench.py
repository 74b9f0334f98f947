"""What a campaign works with: its instrument, its pool of candidates, its table and the lab's limits."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl.advice import Advice, leaves_nothing
from labctl.budget import seconds_in
from labctl.config import CampaignConfig
from labctl.driver import builder, check_options
from labctl.errors import RefusedError, RequestError
from labctl.files import refuse_odd
from labctl.plural import counted, verb
from labctl.proposal import recipe_key
from labctl.space import Formula, NoRecipeError, Space, sample
from labctl.space.chemistry import refuse_no_formulas, refuse_twins
from labctl.space.parameters import NUMERIC, ends
from labctl_drivers.limits import Limits, LimitsError, load_limits, of_numbers
from labctl_drivers.protocol import ExperimentFailed, FailureKind, Instrument, Recipe, Surroundings

if TYPE_CHECKING:
    from labctl_drivers.replay import HistoricalRow


@dataclass(frozen=True)
class Bench:
    """Everything outside the ledger that a campaign needs.

    Attributes:
        space: with the rows of its pool, where it has one.
        build: makes the instrument, which is done on first use because it may open files.
        surroundings: where the instrument keeps its memory, and the seed that simulations draw from.
        table: path and sha256 of the table the campaign rests on, or None.
        notes: what was assumed or left out when the table was read.
        time_limit_s: longest that one attempt may take.
        rows: of a replay, the rows of the table that it is answered from.
        reads: by objective, the name under which the instrument reads it, where that is another.
        stand_ins: a bench for each cheaper fidelity, by name.
        lanes: how many such instruments there are.
    """

    space: Space
    build: Callable[[Surroundings], Instrument]
    surroundings: Surroundings
    time_limit_s: float
    limits_file: Path | None = None
    table: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    rows: tuple["HistoricalRow", ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, "Bench"] = field(default_factory=dict)
    lanes: int = 1
    _read: dict[str, Limits] = field(default_factory=dict, repr=False)
    _built: dict[int, Instrument] = field(default_factory=dict, repr=False)

    @property
    def instrument(self) -> Instrument:
        """The instrument, or the first of several."""
        return self.on(1)

    def on(self, lane: int) -> Instrument:
        """The instrument of a lane, from 1; where there are several, its name ends in the lane's number.

        Raises:
            RefusedError: its memory of earlier attempts cannot be read, so nothing may start.
        """
        if lane not in self._built:
            self._built[lane] = self._build(lane)
        return self._built[lane]

    def _build(self, lane: int) -> Instrument:
        around = self.surroundings
        # The first lane's memory stays where it is when a second lane is added to a campaign.
        if lane > 1:
            folder = None if around.folder is None else around.folder / f"lane-{lane}"
            around = replace(around, folder=folder, lane=lane)
        try:
            instrument = self.build(around)
        except sqlite3.Error as error:
            raise RefusedError(
                f"what the instrument remembers of earlier attempts cannot be read ({error}), so nothing may "
                "start; put back its file in the campaign's folder"
            ) from None
        if self.lanes > 1 or lane > 1:
            instrument.name = f"{instrument.name}-{lane}"
        return instrument

    @property
    def quantities(self) -> Mapping[str, str]:
        """The instrument's own unit of each quantity, where it says so."""
        own: Mapping[str, str] = getattr(self.instrument, "quantity_units", {})
        return own

    @property
    def seed(self) -> int:
        """The seed that simulated instruments draw from."""
        return self.surroundings.seed

    def with_seed(self, seed: int) -> "Bench":
        """The same bench with an instrument of its own, which draws by another seed."""
        around = replace(self.surroundings, seed=seed)
        return replace(
            self,
            surroundings=around,
            _built={},
            stand_ins={name: stand_in.with_seed(seed) for name, stand_in in self.stand_ins.items()},
        )

    def of(self, fidelity: str | None) -> "Bench":
        """The bench of a fidelity; None for the one that counts."""
        return self if fidelity is None else self.stand_ins[fidelity]

    def close(self) -> None:
        """Close every instrument that was built."""
        for bench in (self, *self.stand_ins.values()):
            for instrument in bench._built.values():  # noqa: SLF001 - benches of one class
                instrument.close()
            bench._built.clear()  # noqa: SLF001 - see above

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(recipe_key(row.recipe) for row in self.rows)

    def offers(self, recipe: Recipe) -> bool:
        """Whether this bench can carry a recipe out: a replay has only the rows of its table."""
        return not self.rows or recipe_key(recipe) in self._keys

    @property
    def token(self) -> str:
        """What tells this campaign's attempts from another's in an instrument's memory.

        It comes from the seed, so that the same seed gives the same campaign; where an instrument remembers
        the attempts of several campaigns, a random one is drawn when a campaign begins.
        """
        return f"seed-{self.seed}"

    def repeatable(self, recipe: Recipe, tries: int) -> bool:
        """Whether measuring this recipe once more, after so many tries, can say anything new.

        A replay can only answer with the rows it has; a reading given twice would pass for a second one.
        """
        if not self.rows:
            return True
        key = recipe_key(recipe)
        return sum(recipe_key(row.recipe) == key for row in self.rows) > tries

    def limits(self) -> Limits | None:
        """The lab's hard limits as the file stands now; None only where the campaign needs none.

        Raises:
            RequestError: the file cannot be read or understood, so nothing may start.
        """
        if self.limits_file is None:
            return None
        try:
            # Neither its time nor its size tells for certain that a file is as it was.
            refuse_odd(self.limits_file)
            digest = hashlib.sha256(self.limits_file.read_bytes()).hexdigest()
            known = self._read.get("limits")
            if known is None or known.sha256 != digest:
                known = self._read["limits"] = load_limits(self.limits_file)
        except LimitsError as error:
            raise RequestError(str(error)) from None
        except ValueError:  # a NUL, which no operating system takes
            raise RequestError(
                f"{str(self.limits_file)!r} is no name of a file; give one", key="limits"
            ) from None
        except OSError as error:
            raise RequestError(
                f"the lab's hard limits cannot be read ({error.strerror}), so nothing may start",
                file=self.limits_file,
            ) from None
        return known

    def overdue(self) -> ExperimentFailed:
        """What is recorded when an instrument that ran on by itself never finishes."""
        return ExperimentFailed(
            FailureKind.UNKNOWN,
            f"the instrument still said 'running' after {self.time_limit_s:g} s, its time limit; look at it",
            stage="recover",
        )


def set_up(config: CampaignConfig, *, folder: Path | None, seed: int) -> Bench:
    """Read everything that a campaign file names, and write nothing.

    Args:
        config: of the campaign.
        folder: where simulated instruments keep their memory; None keeps it in this process.
        seed: of the campaign.

    Raises:
        RequestError: something named in the file is missing or does not fit.
    """
    instrument = config.model.instrument
    for name, parameter in config.model.parameters.items():
        if isinstance(parameter, Formula):
            where = f"parameters.{name}.choices"
            refuse_no_formulas(parameter.choices, file=config.path, key=where)
            refuse_twins(parameter.choices, file=config.path, key=where)
    limits_file = None if config.model.limits is None else config.beside(config.model.limits)
    seconds = seconds_in(instrument.time_limit)
    memory = None if folder is None else folder / "instruments"
    beside = config.path.resolve().parent
    surroundings = Surroundings(folder=memory, seed=seed, limits=limits_file, beside=beside)
    if instrument.kind == "replay":
        bench = _replay(config, surroundings, seconds, limits_file)
    else:
        space, table = _with_candidates(config)
        bench = Bench(space, builder(config), surroundings, seconds, limits_file, table)
        if instrument.kind != "hand":
            check_options(config)
    _check_laws(config, bench.space)
    bench.limits()
    bench = replace(bench, lanes=instrument.lanes)
    stand_ins = {name: _stand_in(config, name, folder, seed) for name in config.model.fidelities}
    return replace(bench, stand_ins=stand_ins) if stand_ins else bench


def _stand_in(config: CampaignConfig, name: str, folder: Path | None, seed: int) -> Bench:
    """The bench of a cheaper fidelity: that of a campaign which has its instrument and its names."""
    fidelity = config.model.fidelities[name]
    # What is only observed, it may read or not.
    objectives = {
        fidelity.reads.get(n, n): objective
        for n, objective in config.model.objectives.items()
        if objective.wanted or n in fidelity.reads
    }
    told = {"instrument": fidelity.instrument, "objectives": objectives, "advice": Advice()}
    model = config.model.model_copy(update={**told, "fidelities": {}})
    own = None if folder is None else folder / "fidelities" / name
    try:
        bench = set_up(CampaignConfig(config.path, model), folder=own, seed=seed)
    except RequestError as error:
        key = f"fidelities.{name}.{error.key}" if error.key else f"fidelities.{name}"
        raise RequestError(error.what, file=error.file, key=key) from None
    # A row without a reading is one that this fidelity never took.
    rows = tuple(row for row in bench.rows if row.failure is None)
    if bench.rows and not rows:
        raise RequestError("its table has no reading", file=config.path, key=f"fidelities.{name}")
    return replace(bench, rows=rows, reads=fidelity.reads)


def _replay(
    config: CampaignConfig, surroundings: Surroundings, seconds: float, limits_file: Path | None
) -> Bench:
    from labctl.datasets import load_card, read  # noqa: PLC0415 - pandas is slow to import
    from labctl.history import history, with_choices  # noqa: PLC0415
    from labctl_drivers.replay import ReplayInstrument  # noqa: PLC0415

    model = config.model
    card = load_card(str(model.instrument.dataset), config.path.parent)
    table = read(card)
    parameters = with_choices(card, table, model.parameters)
    for name, parameter in parameters.items():
        if isinstance(parameter, Formula):
            refuse_no_formulas(parameter.choices, file=table.path, key=name)
    past = history(card, table, parameters, model.objectives)
    rows = past.rows if model.instrument.replicates == "draw" else means(past.rows)
    space = config.space.over(parameters)
    lawful = [row for row in rows if not space.problems(row.recipe)]
    if not lawful:
        raise RequestError("no row of the table lies within the parameters and constraints", file=config.path)
    pooled = space.with_pool({name: [row.recipe[name] for row in lawful] for name in parameters})
    quantities = {name: objective.unit for name, objective in model.objectives.items()}
    notes = past.notes + _left_out(len(rows) - len(lawful)) + _unasked(space, lawful)
    return Bench(
        pooled,
        lambda around: ReplayInstrument(lawful, surroundings=around, units=quantities),
        surroundings,
        seconds,
        limits_file,
        {"path": str(table.path), "sha256": table.sha256, "dataset": card.name},
        notes,
        tuple(lawful),
    )


def _left_out(n: int) -> tuple[str, ...]:
    if n == 0:
        return ()
    breaks, was = verb(n, "breaks", "break"), verb(n, "was", "were")
    return (f"{counted(n, 'row')} {breaks} a constraint and {was} left out",)


def _unasked(space: Space, rows: Sequence["HistoricalRow"]) -> tuple[str, ...]:
    n = len(rows) - int(space.askable([row.recipe for row in rows]).sum())
    if n == 0:
        return ()
    lies, is_ = verb(n, "lies", "lie"), verb(n, "is", "are")
    return (f"{counted(n, 'row')} {lies} off the steps or what is fixed and {is_} not proposed",)


def means(rows: Iterable["HistoricalRow"]) -> list["HistoricalRow"]:
    """One row a recipe: the mean of its measured rows, or its first failure where none was measured.

    Each quantity is averaged over the rows that have it.
    """
    groups: dict[str, list[HistoricalRow]] = {}
    for row in rows:
        groups.setdefault(recipe_key(row.recipe), []).append(row)
    averaged = []
    for members in groups.values():
        good = [row for row in members if row.failure is None]
        if not good:
            averaged.append(members[0])
            continue
        read = {name: [row.values[name] for row in good if name in row.values] for name in _names(good)}
        values = {name: sum(some) / len(some) for name, some in read.items()}
        averaged.append(replace(good[0], values=values))
    return averaged


def _names(rows: Iterable["HistoricalRow"]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.values))


def _check_laws(config: CampaignConfig, space: Space) -> None:
    """Draw one recipe, so that laws which leave none are found before anything is written."""
    if space.pool is not None and not len(space.pool):
        raise RequestError(
            "no candidate may be proposed under the steps, forbidden combinations, rules and fixed settings; "
            "loosen one of them",
            file=config.path,
        )
    if space.pool is None and not space.independent:
        try:
            sample(space, 1, np.random.default_rng(0))
        except NoRecipeError as error:
            laws = ("constraints", "mixtures", "at_most_nonzero", "rules", "forbidden")
            key = next((name for name in laws if getattr(config.model, name)), "strategy.fixed")
            raise RequestError(error.what, file=config.path, key=key) from None
    if (why := leaves_nothing(config.model.advice, space)) is not None:
        raise RequestError(why, file=config.path, key="advice.vetoes")


def refuse_hopeless(config: CampaignConfig, bench: Bench) -> None:
    """See that the lab's hard limits leave something of every parameter, before anything is written.

    Raises:
        RequestError: names the limit that forbids a parameter's whole range.
    """
    limits, space = bench.limits(), bench.space
    if limits is None:
        return
    for name, parameter in space.parameters.items():
        problem = None
        if isinstance(parameter, NUMERIC):
            column = () if space.pool is None else space.pool.columns[name]
            low, high = (min(column), max(column)) if column else ends(parameter)
            problem = limits.forbids_all(name, float(low), float(high), parameter.unit)
        elif name in limits.limits:
            problem = f"{name} is text, but {limits.path.name} limits a number"
        elif name in limits.unlimited:
            problem = f"{name} is text; {of_numbers(limits.path.name, name)}"
        if problem is not None:
            raise RequestError(
                f"leaves no recipe: {problem}; change {config.path.name}, or ask who keeps the limits",
                file=limits.path,
                key=f"{'unlimited' if name in limits.unlimited else 'limits'}.{name}",
            )


def _with_candidates(config: CampaignConfig) -> tuple[Space, dict[str, str] | None]:
    if config.model.candidates is None:
        return config.space, None
    from labctl.candidates import read_candidates  # noqa: PLC0415 - pandas is slow to import

    return read_candidates(config)
