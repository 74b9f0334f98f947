"""Hidden variables: does a logged field that no model uses explain what the model got wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.power import power, smallest_visible
from labctl_models.audit.statistics import permutations, upper_tail
from labctl_models.audit.table import coded, missing, partition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable, Column
    from labctl_models.surrogates.protocol import Array

PERMUTATIONS = 999
LEVEL = 0.05
"""A field is named at this level, so that no weak hint is lost, but ranks as low unless SIGNIFICANT."""
FEWEST_ROWS = 8
MOST_LEVELS = 0.5
NEIGHBOURS_IN_TIME, DRIFT = "run order (neighbours)", "run order (drift)"
# Share of the rank variance of the residuals that the field explains.
EXPLAINED_MEDIUM, EXPLAINED_HIGH = 0.1, 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """What a screen of m fields against n residuals found, and what it could have found.

    Attributes:
        fields: (m,) names, the strongest first.
        strength: (m,) in [0, 1]; |Spearman's correlation| with the residuals, the square root of η² for
            categories, and of run order the correlation of neighbours or the drift over the steadiest one.
        explained: (m,) share of the rank variance of the residuals beyond what chance explains.
        p: (m,) adjusted for having looked at all of them: the share of permutations in which any field does
            as well.
        found: Names of the fields with p at most the level.
        n: Rows with a residual.
        power: Probability that an effect of one residual standard deviation per standard deviation of the
            field would have been found at this n and m.
        power_half: The same for half that effect.
        visible: Effect that would have been found in four of five cases.
        skipped: Name -> why a field was not looked at.
    """

    fields: tuple[str, ...]
    strength: Array
    explained: Array
    p: Array
    found: tuple[str, ...]
    n: int
    power: float
    power_half: float
    visible: float
    skipped: Mapping[str, str]


def screen(
    residuals: Array,
    fields: Mapping[str, Column],
    *,
    seed: int,
    order: Array | None = None,
    blocks: NDArray[np.intp] | None = None,
    count: int = PERMUTATIONS,
    level: float = LEVEL,
) -> Screen:
    """Screen residuals (n,) against logged fields (n,), numbers or text, by a max-statistic permutation test.

    The residuals are shuffled, within blocks if given, which leaves the fields and whatever ties them to
    each other in place; the largest statistic of each shuffle is the null of all (Westfall and Young 1993).
    Correlations and η² have different nulls, hence each is first standardised by its own. With `order`,
    correlation of neighbours in time and drift (the largest cumulated sum) are two fields more. Blocks also
    lose their mean, because a difference between them is not what is looked for.

    Raises:
        NotApplicableError: fewer than eight residuals, no field that varies, or residuals that do not.
    """
    known = np.isfinite(residuals)
    n = int(known.sum())
    if n < FEWEST_ROWS:
        raise NotApplicableError(
            f"{n} residuals are too few to look for hidden variables; {FEWEST_ROWS} are needed"
        )
    block = None if blocks is None else np.unique(blocks[known], return_inverse=True)[1]
    ranks = _centred(rankdata(_centred(residuals[known], block)), block)
    length = float(np.linalg.norm(ranks))
    if length == 0.0:
        raise NotApplicableError("all residuals are equal, so nothing can explain their differences")
    ranks /= length
    designs, skipped = {}, {}
    for name, column in fields.items():
        design = _design(column[known], block)
        if isinstance(design, str):
            skipped[name] = design
        else:
            designs[name] = design
    time = None if order is None else np.argsort(order[known], kind="stable")
    names = [*designs, *([] if time is None else [NEIGHBOURS_IN_TIME, DRIFT])]
    if not names:
        raise NotApplicableError("no logged field that the model does not use varies among these rows")
    strength = _strengths(ranks[None, :], designs, time)[0]
    null = np.concatenate(
        [_strengths(ranks[shuffled], designs, time) for shuffled in permutations(n, count, seed, block)]
    )
    centre, scale = null.mean(axis=0), np.maximum(null.std(axis=0), 1e-12)
    largest = ((null - centre) / scale).max(axis=1)
    p = np.array([upper_tail(s, largest) for s in (strength - centre) / scale])
    by_chance = np.minimum((null**2).mean(axis=0), 0.999)
    explained = np.maximum((strength**2 - by_chance) / (1.0 - by_chance), 0.0)
    best = np.argsort(p - 1e-6 * (strength - centre) / scale, kind="stable")
    return Screen(
        fields=tuple(names[j] for j in best),
        strength=strength[best],
        explained=np.minimum(explained[best], 1.0),
        p=p[best],
        found=tuple(names[j] for j in best if p[j] <= level),
        n=n,
        power=power(n, len(names), 1.0, level=level),
        power_half=power(n, len(names), 0.5, level=level),
        visible=smallest_visible(n, len(names), level=level),
        skipped=skipped,
    )


def _centred(values: Array, block: NDArray[np.intp] | None) -> Array:
    if block is None:
        return np.asarray(values - values.mean(), dtype=np.float64)
    means = np.bincount(block, weights=values) / np.bincount(block)
    return np.asarray(values - means[block], dtype=np.float64)


def _design(column: Column, block: NDArray[np.intp] | None) -> Array | str:
    """Orthonormal columns (n x c) on which a field projects ranked residuals, or why it cannot.

    c is 1 for numbers. Rows where the field is missing are 0: they neither support nor oppose it.
    """
    gone = missing(column)
    n = int((~gone).sum())
    if n < FEWEST_ROWS:
        return f"filled in {n} rows only"
    if column.dtype.kind == "f":
        values = np.zeros(len(column))
        values[~gone] = rankdata(column[~gone])
        values[~gone] = _centred(values[~gone], None if block is None else block[~gone])
        length = float(np.linalg.norm(values))
        return "it does not vary" if length < 1e-9 else (values / length)[:, None]  # noqa: PLR2004  rounding
    codes, names = coded(column)
    if len(names) < 2:  # noqa: PLR2004  a difference needs two levels
        return "it does not vary"
    if len(names) > MOST_LEVELS * n:
        return f"{len(names)} different values in {n} rows"
    design = np.zeros((len(column), len(names)))
    design[np.flatnonzero(~gone), codes[~gone]] = 1.0
    return np.asarray(design / np.sqrt(design.sum(axis=0)), dtype=np.float64)


def _strengths(ranks: Array, designs: Mapping[str, Array], time: NDArray[np.intp] | None) -> Array:
    """Statistic (p x m) of every field for p shuffles of the ranked residuals (p x n), all of length 1."""
    found = np.empty((len(ranks), len(designs) + 2 * (time is not None)))
    for j, design in enumerate(designs.values()):
        found[:, j] = np.sqrt(((ranks @ design) ** 2).sum(axis=1))
    if time is not None:
        ordered = ranks[:, time]
        found[:, -2] = np.abs((ordered[:, 1:] * ordered[:, :-1]).sum(axis=1))
        # Over the largest cumulated sum that any order of these ranks has: 1 is a steady drift.
        steady = np.abs(np.cumsum(np.sort(ranks[0]))).max()
        found[:, -1] = np.abs(np.cumsum(ordered, axis=1)).max(axis=1) / steady
    return found


def unmodelled(table: AuditTable) -> dict[str, Column]:
    """Fields of a table that a screen should look at: what was logged and is known to no model.

    Cohorts are judged by a check of their own, and recipes are what the model knows, under any name.
    """
    # Only names part rows so: numbers that all differ part them as any other such numbers do.
    known = {partition(table.columns[name]) for name in table.cohorts} | {table.recipe_partition()}
    return {
        name: column
        for name, column in table.columns.items()
        if name not in table.modelled
        and name not in table.cohorts
        and not (column.dtype.kind != "f" and partition(column) in known)
    }


def _unexplained(table: AuditTable) -> Array:
    return table.residuals if table.residuals is not None else np.full(table.n, np.nan)


@dataclass(frozen=True, slots=True)
class HiddenVariableCheck:
    """Which logged field explains what the model does not?"""

    name: str = "hidden.screen"
    area: str = "hidden"
    needs: tuple[str, ...] = ("residuals",)

    def screened(self, table: AuditTable, *, seed: int) -> Screen:
        """The screen behind the findings, also where it found nothing; see `screen` for what it raises."""
        return screen(_unexplained(table), unmodelled(table), seed=seed, order=table.order)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each field found; the first says what the screen could not have seen."""
        residuals, fields = _unexplained(table), unmodelled(table)
        found = self.screened(table, seed=seed)
        blind = (
            f"With {found.n} rows and {len(found.fields)} fields an effect of one residual standard "
            f"deviation is found with probability {found.power:.2f}, half of it with {found.power_half:.2f}."
        )
        findings = []
        for name, strength, explained, p in zip(
            found.fields, found.strength, found.explained, found.p, strict=True
        ):
            if p > LEVEL:
                continue
            severity = graded(float(explained), medium=EXPLAINED_MEDIUM, high=EXPLAINED_HIGH)
            findings.append(
                Finding(
                    id=f"{self.name}:{name}",
                    area=self.area,
                    severity=severity if p <= SIGNIFICANT else min(severity, 0.39),
                    title=f"{name} explains {_part(float(explained))} of what the model does not "
                    f"(p = {p:.2g})",
                    value=float(strength),
                    expected=0.0,
                    meaning="The outcome depends on something no recipe sets, so the model takes it for "
                    f"noise or for an effect of the recipe. {blind}",
                    remedy=f"Run one recipe at a low and a high value of {name}, in random order; if it "
                    "matters, control it or make it a parameter.",
                    detail={
                        "p": float(p),
                        "residuals": residuals,
                        "field": fields.get(name, table.order),
                        "power": found.power,
                        "power_half": found.power_half,
                        "visible": found.visible,
                        "skipped": found.skipped,
                    },
                )
            )
        return findings


def _part(explained: float) -> str:
    return f"{explained:.0%}" if explained >= 0.005 else "a little"  # noqa: PLR2004  rounds to 1 %
