"""What a table is compared with: a person's candidates, a campaign's, or recipes over its ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.errors import RequestError
from labctl.space import Categorical, Formula, NoRecipeError, Parameter, sample
from labctl.space.chemistry import formula_problem, scaled_features
from labctl.space.parameters import NUMERIC, Integer
from labctl.study import Study
from labctl.tables import Column, Table, listed, read_table
from labctl_drivers.protocol import Recipe, Setting

Floats = NDArray[np.float64]

SPREAD = 2000
"""Recipes drawn from a space that is no finite pool."""
MOST = 20_000
_LAW = 1e-6


@dataclass(frozen=True, eq=False)
class Candidates:
    """Recipes that could be made next.

    Attributes:
        recipes: m of them.
        X: the same on the scale of the table, m x d; beyond 0 to 1 where they lie beyond the table.
        name: what they are, in words.
        notes: what was assumed or left out.
        made_up: nobody named them, and any other way to spread them would be as good.
    """

    recipes: Sequence[Recipe]
    X: Floats
    name: str
    notes: tuple[str, ...] = ()
    made_up: bool = False


def candidates_of(study: Study, table: Path | None, *, seed: int) -> Candidates | str:
    """Candidates to compare a study with, or why there are none.

    Args:
        study: what is audited.
        table: a CSV with a column for every setting; None for the study's own space.
        seed: for the recipes drawn from a space that is no finite pool.

    Raises:
        RequestError: the table of candidates cannot be used.
    """
    if table is not None:
        return _read(study, table, seed)
    pool = study.space.pool
    if pool is not None:
        own = [pool.recipe(i) for i in range(len(pool))]
        return Candidates(own, pool.X, "the campaign's own candidates")
    return _drawn(study, np.random.default_rng(seed))


def _drawn(study: Study, rng: np.random.Generator) -> Candidates | str:
    """Candidates from the space of a study that names none, or why none can be drawn."""
    space = study.space
    if any(isinstance(p, Formula) for p in space.parameters.values()):
        return "its recipes are formulas, and nothing says which formulas could be made next"
    if study.arms is None and _bound_by_a_law(study.X):
        return "its settings are tied to each other, and nothing says which recipes the tie allows"
    try:
        recipes = sample(space, SPREAD, rng)
    except NoRecipeError:
        return "no recipe could be drawn that obeys its laws"
    X = space.encode(recipes)
    drawn = Candidates(recipes, X, f"{SPREAD:,} recipes drawn evenly from the campaign's space")
    return drawn if study.arms is not None else _over_the_ranges(study, X, rng)


def _over_the_ranges(study: Study, X: Floats, rng: np.random.Generator) -> Candidates:
    """Candidates of a table that nobody named any for, from recipes drawn evenly (m x d)."""
    from labctl_models.audit.likeness import snapped  # noqa: PLC0415 - scipy takes a moment

    space = study.space
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Categorical):
            # Nobody said that every operator or solvent should be as frequent as any other.
            X[:, space.slices[name]] = study.X[rng.integers(len(study.X), size=len(X)), space.slices[name]]
    # Between the levels of a designed grid nobody meant to go, so that nothing is missing there.
    X = np.unique(snapped(X, study.X), axis=0)
    recipes = [space.canonical(recipe) for recipe in space.decode(X)]
    name = f"{len(X):,} recipes spread evenly over the ranges that the table spans"
    return Candidates(recipes, X, name, made_up=True)


def _bound_by_a_law(X: Floats) -> bool:
    """Whether the settings obey a law that nobody stated, such as parts that add up to one hundred."""
    varying = X[:, np.ptp(X, axis=0) > 0.0]
    if varying.shape[1] < 2:  # noqa: PLR2004 - a law ties two
        return False
    Z = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    values = np.linalg.eigvalsh(Z.T @ Z / len(Z))
    return bool(values[0] < _LAW)  # rounding of percentages, not noise


def _read(study: Study, path: Path, seed: int) -> Candidates:
    if study.arms is not None:
        raise RequestError(
            "a campaign's file says what its candidates are; leave it out", file=path, key="--candidates"
        )
    table = read_table(path)
    names = study.space.names
    given = [name for name in names if name in table.names]
    formulas = [n for n in names if isinstance(study.space.parameters[n], Formula) and n not in given]
    if not given or formulas:
        raise RequestError(
            f"has no column {(formulas or names)[0]!r}, which {study.name} has for a setting; it has "
            f"{listed(table.names)}",
            file=path,
        )
    values = {n: _values(table, table.column(n), study.space.parameters[n], path) for n in given}
    rows = np.flatnonzero(np.all([[v is not None for v in values[n]] for n in given], axis=0))
    if not len(rows):
        raise RequestError(f"no row has a value for each of {listed(given)}; fill them in", file=path)
    notes = []
    if len(rows) < len(table):
        notes.append(f"{len(table) - len(rows)} of {len(table)} candidates in {path.name} lack a setting")
    if len(rows) > MOST:
        notes.append(f"{MOST:,} of the {len(rows):,} candidates in {path.name} were drawn, and the rest left")
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    kept: dict[str, list[Setting]] = {n: [v for i in rows if (v := values[n][i]) is not None] for n in given}
    X, more = _on_the_tables_scale(study, kept, len(rows))
    lacking = [name for name in names if name not in given]
    if lacking:
        notes.append(
            f"{path.name} has no column {listed(lacking)}; each candidate was given what its nearest row has"
        )
    kept |= {n: study.space.parameters[n].decode(X[:, study.space.slices[n]]) for n in lacking}
    recipes = [{n: kept[n][i] for n in names} for i in range(len(rows))]
    return Candidates(recipes, X, f"{len(rows):,} candidates from {path.name}", (*notes, *more))


def _values(table: Table, column: Column, parameter: Parameter, path: Path) -> list[Setting | None]:
    """The settings of a column of candidates in the unit of the table; None where there is none.

    Raises:
        RequestError: a unit that does not convert, or a cell that is no formula.
    """
    if isinstance(parameter, NUMERIC):
        unit = column.unit if column.unit != units.UNKNOWN else parameter.unit
        factor = 1.0 if units.UNKNOWN in (unit, parameter.unit) else units.factor(unit, parameter.unit)
        if factor is None:
            raise RequestError(
                f"{column.name} is in {unit} and in {parameter.unit} in the table; use one unit", file=path
            )
        numbers = column.numbers * factor
        if isinstance(parameter, Integer):
            return [round(v) if np.isfinite(v) else None for v in numbers.tolist()]
        return [v if np.isfinite(v) else None for v in numbers.tolist()]
    if isinstance(parameter, Formula):
        for line, cell in zip(table.lines, column.cells, strict=True):
            if cell and (problem := formula_problem(cell)) is not None:
                raise RequestError(f"{problem}; mend or remove it", file=path, line=int(line))
    return [cell or None for cell in column.cells]


def _on_the_tables_scale(
    study: Study, kept: dict[str, list[Setting]], m: int
) -> tuple[Floats, tuple[str, ...]]:
    """Settings as rows beside the table's own (m x d), with what has to be said about them.

    The scale is the table's and not that of both, so that candidates change nothing of what is said about
    the table itself.
    """
    X, known, notes = np.zeros((m, study.space.width)), np.zeros(study.space.width, dtype=bool), []
    for name, values in kept.items():
        parameter, columns = study.space.parameters[name], study.space.slices[name]
        known[columns] = True
        if isinstance(parameter, Formula):
            X[:, columns] = _features(parameter, [str(v) for v in values])
        elif isinstance(parameter, Categorical):
            place = {choice: i for i, choice in enumerate(parameter.choices)}
            at = np.array([place.get(str(v), -1) for v in values])
            X[at >= 0, columns] = np.eye(len(place))[at[at >= 0]]
            new = sorted({str(v) for v, i in zip(values, at, strict=True) if i < 0})
            if new:
                notes.append(f"{name} is {listed(new, 4)} in {int((at < 0).sum())} candidates and in no row")
        else:
            X[:, columns] = parameter.encode(values)
    if not known.all():
        from labctl_models.audit.statistics import nearest  # noqa: PLC0415 - scipy takes a moment

        _, row = nearest(X[:, known], study.X[:, known])
        X[:, ~known] = study.X[row[:, 0]][:, ~known]
    return X, tuple(notes)


def _features(parameter: Formula, formulas: Sequence[str]) -> Floats:
    """Features of formulas (m x 132) where those of the table's choices run from 0 to 1."""
    every = tuple(dict.fromkeys((*parameter.choices, *formulas)))
    place = {formula: i for i, formula in enumerate(every)}
    both, own = scaled_features(every), len(parameter.choices)
    low, high = both[:own].min(axis=0), both[:own].max(axis=0)
    # What no formula of the table differs in stays on the scale of both.
    found = (both[[place[f] for f in formulas]] - low) / np.where(high > low, high - low, 1.0)
    return np.asarray(found, dtype=np.float64)
