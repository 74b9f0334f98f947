"""Which experiments would repair what an audit found."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.audit.run import Audited
from labctl.errors import RequestError
from labctl.export import safe
from labctl.files import write_whole
from labctl.proposal import recipe_key
from labctl.report.look import with_unit
from labctl.space import Formula, NoRecipeError, sample
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

NEEDS_CHANCE = (
    "selection.success_share",
    "selection.rate_unknown",
    "selection.no_failures",
    "selection.popularity",
    "domain.likeness",
    "domain.diversity",
)
"""Findings that recipes drawn at random would mend, or at least measure."""
_ZERO = re.compile(r"[A-Z][a-z]?0+(?:\.0*)?(?![\d.])")
_DRAWN = 50
_LEAST = 0.05
SHARES = "strategy:\n  arms: {improve: 7, random: 2, gaps: 1}"
"""How a campaign reserves a share of its budget for a random arm and for the gaps."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One experiment that would repair something.

    Attributes:
        recipe: what to do, in the units of the study.
        why: in a few words.
        finding: id of the finding it answers.
    """

    recipe: Recipe
    why: str
    finding: str

    def as_json(self) -> dict[str, Any]:
        """The repair as JSON values."""
        return {"recipe": dict(self.recipe), "why": self.why, "finding": self.finding}


def repairs(
    audited: Audited, n: int, *, seed: int, allowed: Callable[[Recipe], bool] = lambda _recipe: True
) -> list[Repair]:
    """At most n experiments that would repair what was found, in the order of the findings.

    Findings take turns, the gravest first; one of half the severity of the gravest has half as many turns.
    Nothing is proposed for a finding that no experiment can repair, such as a column with gaps.

    Args:
        audited: what was found.
        n: how many at most.
        seed: for recipes drawn at random.
        allowed: whether a recipe keeps the lab's hard limits.
    """
    sources: list[tuple[float, Iterator[Repair]]] = []
    by_chance = False
    for finding in audited.findings:
        name = finding.id.split(":")[0]
        if name in NEEDS_CHANCE:
            if by_chance:
                continue
            by_chance = True
        source = _repairs_of(finding, name, audited, seed)
        if source is not None:
            sources.append((finding.severity, source))
    chosen: list[Repair] = []
    seen: set[str] = set()
    for repair in _in_turns(sources):
        if len(chosen) == n:
            break
        key = recipe_key(repair.recipe)
        if key not in seen and allowed(repair.recipe):
            ordered = {name: repair.recipe[name] for name in audited.study.space.names}
            chosen.append(replace(repair, recipe=ordered))
            seen.add(key)
    # Whoever does only some of them does those that matter most.
    rank = {finding.id: i for i, finding in enumerate(audited.findings)}
    return sorted(chosen, key=lambda repair: rank[repair.finding])


def _in_turns(sources: list[tuple[float, Iterator[Repair]]]) -> Iterator[Repair]:
    """What the sources give, each as often as its severity says, until all are empty."""
    steps = [1.0 / max(severity, _LEAST) for severity, _ in sources]
    turns = [(step, i) for i, step in enumerate(steps)]
    heapify(turns)
    while turns:
        at, i = heappop(turns)
        repair = next(sources[i][1], None)
        if repair is not None:
            yield repair
            heappush(turns, (at + steps[i], i))


def out_of_reach(audited: Audited) -> str:
    """Why no experiment answers the gravest finding, where that asks for recipes nobody named; else empty."""
    if audited.prepared.pool is not None or not audited.findings:
        return ""
    if audited.findings[0].id.split(":")[0] not in NEEDS_CHANCE:
        return ""
    return (
        "The gravest finding asks for recipes drawn from all that could be made, and none can be named here: "
        f"{audited.prepared.why_no_pool}. Name a table of them with --candidates POOL.csv."
    )


def _repairs_of(finding: "Finding", name: str, audited: Audited, seed: int) -> Iterator[Repair] | None:
    if name == "domain.coverage":
        return _in_the_gaps(finding, audited)
    if name in NEEDS_CHANCE:
        return _by_chance(finding, audited, seed)
    if name in {"anomalies.outcomes", "labels.conflicts", "labels.units"}:
        return _again(finding, audited)
    if name == "hidden.screen" and audited.view is not None:
        return _at_both_ends(finding, audited)
    return None


def _in_the_gaps(finding: "Finding", audited: Audited) -> Iterator[Repair]:
    pool = audited.prepared.pool
    if pool is None:
        return
    gaps = np.asarray(finding.detail["gaps"])
    distances = np.asarray(finding.detail["gap_distance"]) / float(str(finding.detail["radius"]))
    for row, far in zip(gaps.tolist(), distances.tolist(), strict=True):
        why = f"in a gap, {far:.1f} times as far from anything tried as tried recipes are from each other"
        yield Repair(pool[row], why, finding.id)


def _by_chance(finding: "Finding", audited: Audited, seed: int) -> Iterator[Repair]:
    space, pool = audited.study.space, audited.prepared.pool
    if pool is None:
        # The only recipes at hand are those of the table, and drawing from them would be no fair sample.
        return
    why = "drawn at random, so that the table has rows nobody selected"
    rng = np.random.default_rng([seed, 1])
    if audited.prepared.brought:
        for row in rng.permutation(len(pool))[:_DRAWN].tolist():
            yield Repair(pool[row], why, finding.id)
        return
    try:
        for recipe in sample(space, _DRAWN, rng):
            yield Repair(recipe, why, finding.id)
    except NoRecipeError:
        return


_DOUBT = {
    "anomalies.outcomes": "whose result surprised the model",
    "labels.conflicts": "whose repeats contradict each other",
    "labels.units": "whose value may be in another unit",
}


def _again(finding: "Finding", audited: Audited) -> Iterator[Repair]:
    rows = np.asarray(finding.detail["rows"], dtype=np.intp)
    for row in rows.tolist():
        yield Repair(
            recipe_of(audited, row),
            f"a replicate of {audited.study.ids[row]}, {_DOUBT[finding.id.split(':')[0]]}",
            finding.id,
        )


def _at_both_ends(finding: "Finding", audited: Audited) -> Iterator[Repair]:
    """The recipe nearest to the table's middle, to be run where the field is low and where it is high."""
    values = finding.detail.get("field")
    name = finding.id.split(":", 1)[-1]
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or name.startswith("run order"):
        return
    X = audited.prepared.table.X
    middle = int(np.argmin(((X - np.median(X, axis=0)) ** 2).sum(axis=1)))
    low, high = np.nanquantile(values, [0.1, 0.9])
    why = f"run it once where {name} is at most {low:.4g} and once where it is at least {high:.4g}"
    yield Repair(recipe_of(audited, middle), why, finding.id)


def recipe_of(audited: Audited, row: int) -> Recipe:
    """The recipe of a row: as it was asked for in a campaign, else as the table has it."""
    study = audited.study
    if audited.view is not None:
        return next(e.proposal.recipe for e in audited.view.state if e.id == study.ids[row])
    recipe = dict(study.space.decode(study.X[row : row + 1])[0])
    if study.formulas is not None:
        name = next(n for n, p in study.space.parameters.items() if isinstance(p, Formula))
        recipe[name] = _without_zeros(str(study.formulas[row]))
    return recipe


def _without_zeros(formula: str) -> str:
    """A formula without the elements of which it has none, as nobody writes them to make it."""
    return _ZERO.sub("", formula) or formula


def write_repairs(path: Path, found: list[Repair], units: Mapping[str, str]) -> None:
    """Write the repairs as CSV, one row each, with units in the headers.

    Raises:
        RequestError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = list(found[0].recipe) if found else []
    heads = [with_unit(name, units.get(name)) for name in names]
    writer.writerow([safe(head) for head in (*heads, "why", "finding")])
    for repair in found:
        # A number with a minus sign is no formula of a spreadsheet.
        cells = [safe(v) if isinstance(v, str) else f"{v:.6g}" for v in repair.recipe.values()]
        writer.writerow([*cells, safe(repair.why), safe(repair.finding)])
    write_whole(path, text.getvalue().encode("utf-8-sig"))


def hard_limits(audited: Audited) -> Callable[[Recipe], bool]:
    """Whether a recipe keeps the hard limits of the campaign's lab; every recipe does where there are none.

    Raises:
        RequestError: the file of the limits cannot be read, so nothing may be suggested.
    """
    if audited.view is None or audited.view.config.model.limits is None:
        return lambda _recipe: True
    from labctl_drivers.limits import LimitsError, load_limits  # noqa: PLC0415 - only for campaigns

    config = audited.view.config
    path = config.beside(str(config.model.limits))
    try:
        limits = load_limits(path)
    except LimitsError as error:
        raise RequestError(str(error)) from None
    except OSError as error:
        raise RequestError(f"cannot be read ({error.strerror}), so nothing is suggested", file=path) from None
    units = audited.study.space.units
    return lambda recipe: not limits.violations(recipe, units)
