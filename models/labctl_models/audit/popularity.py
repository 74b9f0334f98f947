"""Popularity: a few choices tried again and again, for reasons that may have nothing to do with success."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import CHUNK_ENTRIES, gini, permutations, upper_tail
from labctl_models.audit.table import coded, formula_keys, partition
from labctl_models.audit.wording import counted
from labctl_models.formulas import NUMBER_OF, SYMBOLS, amounts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

TOP = 0.17
DRAWS = 499
FEWEST_CHOICES = 10
FEWEST_RANDOM = 20
SHOWN = 20
ELEMENT = "element"
# Share of the rows that the top 17 % hold beyond what equal choice would give them.
EXCESS_MEDIUM, EXCESS_HIGH = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Popularity:
    """How unevenly n rows fall on k choices.

    Attributes:
        top_share: Share of the rows that the 17 % most popular choices hold.
        expected: The same where every choice is as likely as any other, on average.
        p: Probability of such a share under that equal choice.
        gini: 0 where all choices are equally popular, towards 1 where one has everything.
        first_share: Share of the rows with the single most popular choice.
        exponent: Of a discrete power law through the counts; a description, no claim that it is one.
    """

    top_share: float
    expected: float
    p: float
    gini: float
    first_share: float
    exponent: float


def popularity(counts: Array, *, seed: int, top: float = TOP) -> Popularity:
    """How unevenly the counts (k,) of choices are spread, each at least 1.

    The 17 % are those of Jia et al., Nature 573, 251 (2019): 70 of 415 amines made 79 % of the compounds.
    Choices that nobody made are unknown, so that equal choice among the k seen is compared with; this only
    makes the test more careful. Exponent: Clauset, Shalizi and Newman, SIAM Rev. 51, 661 (2009), eq. 3.7.
    """
    counts = np.sort(np.asarray(counts, dtype=np.float64))[::-1]
    n, k = int(counts.sum()), len(counts)
    few = max(1, math.ceil(top * k - 1e-9))
    share = float(counts[:few].sum()) / n
    rng = np.random.default_rng(seed)
    null: list[Array] = []
    size = max(1, CHUNK_ENTRIES // k)
    for begin in range(0, DRAWS, size):
        drawn = np.sort(rng.multinomial(n, np.full(k, 1.0 / k), min(size, DRAWS - begin)), axis=1)
        null.append(drawn[:, -few:].sum(axis=1) / n)
    shares = np.concatenate(null)
    logs = float(np.log(counts / 0.5).sum())
    return Popularity(
        top_share=share,
        expected=float(shares.mean()),
        p=upper_tail(share, shares),
        gini=gini(counts),
        first_share=float(counts[0]) / n,
        exponent=1.0 + k / logs,
    )


def popularity_and_success(popular: Array, success: Array, *, seed: int) -> tuple[float, float]:
    """Spearman's correlation of a recipe's popularity (n,) with its success (n,), and its permutation p.

    Only recipes drawn at random can show whether the popular ones succeed more often: elsewhere popularity
    decided what was tried.
    """
    a, b = (ranks - ranks.mean() for ranks in (rankdata(popular), rankdata(success)))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm == 0.0:
        return 0.0, 1.0
    rho = float(a @ b) / norm
    null = np.concatenate([np.abs(b[order] @ a) / norm for order in permutations(len(a), 999, seed)])
    return rho, upper_tail(abs(rho), null)


def element_counts(formulas: Array) -> tuple[tuple[str, ...], Array, int]:
    """Symbols of the elements that occur, in how many rows each does, and how many formulas were none."""
    counts = np.zeros(len(NUMBER_OF) + 1)
    unread = 0
    rows = dict(zip(*np.unique(formulas, return_counts=True), strict=True))
    for formula, times in rows.items():
        try:
            elements = list(amounts_of(str(formula)))
        except ValueError:
            unread += int(times)
            continue
        counts[elements] += times
    present = np.flatnonzero(counts)
    return tuple(SYMBOLS[z - 1] for z in present), counts[present], unread


@dataclass(frozen=True, slots=True)
class PopularityCheck:
    """Do a few formulas, elements, publications or choices make up most of the table?"""

    name: str = "selection.popularity"
    area: str = "selection"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each column whose choices are far from evenly popular."""
        found = []
        choices = self._choices(table)
        for name, (codes, names) in choices.items():
            counts = np.bincount(codes[codes >= 0], minlength=len(names)).astype(np.float64)
            found += self._judged(table, name, names, counts, codes=codes, seed=seed)
        if table.formulas is not None:
            symbols, counts, unread = element_counts(table.formulas)
            # An element of every row is what the table is about, and no choice.
            chosen = counts < table.n - unread
            if int(chosen.sum()) >= FEWEST_CHOICES:
                names = [symbol for symbol, kept in zip(symbols, chosen, strict=True) if kept]
                found += self._judged(table, ELEMENT, names, counts[chosen], codes=None, seed=seed)
        elif not choices:
            raise NotApplicableError("no column holds ten choices or more")
        return found

    @staticmethod
    def _choices(table: AuditTable) -> dict[str, tuple[NDArray[np.intp], list[str]]]:
        """Columns with ten choices or more; columns that part the rows in the same way stand together."""
        columns = {n: c for n, c in table.columns.items() if c.dtype.kind != "f" or n in table.cohorts}
        if table.formulas is not None:
            # The same formulas as a column would be found again, in the spelling of the table.
            columns = {n: c for n, c in columns.items() if not np.array_equal(c, table.formulas)}
            columns = {"formula": formula_keys(table.formulas), **columns}
        alike: dict[bytes, list[str]] = {}
        coding = {}
        for name, column in columns.items():
            codes, names = coded(column)
            if len(names) < FEWEST_CHOICES or len(names) == np.count_nonzero(codes >= 0):
                continue
            key = partition(column)
            alike.setdefault(key, []).append(name)
            coding[name] = (codes, names)
        return {" = ".join(same): coding[same[0]] for same in alike.values()}

    def _judged(
        self,
        table: AuditTable,
        name: str,
        names: list[str],
        counts: Array,
        *,
        codes: NDArray[np.intp] | None,
        seed: int,
    ) -> list[Finding]:
        found = popularity(counts, seed=seed)
        if found.p > SIGNIFICANT:
            return []
        order = np.argsort(-counts, kind="stable")[:SHOWN]
        first, most = names[order[0]], int(counts[order[0]])
        detail: dict[str, object] = {
            "choices": [names[c] for c in order],
            "counts": counts[order],
            "all_counts": np.sort(counts)[::-1],
            "gini": found.gini,
            "first_share": found.first_share,
            "power_law_exponent": found.exponent,
            "p": found.p,
        }
        meaning = (
            "The table shows what people like to try. A model learns their taste along with the chemistry, "
            "and knows little about the rest."
        )
        against = None if codes is None else _against_success(table, codes, counts, seed)
        if against is not None:
            rho, p, rows = against
            detail |= {"random_arm_correlation": rho, "random_arm_p": p, "random_arm_rows": rows}
            if p > SIGNIFICANT:
                meaning += f" In {rows} random trials popularity had nothing to say on success (p = {p:.2g})."
        excess = found.top_share - found.expected
        return [
            Finding(
                id=f"{self.name}:{name}",
                area=self.area,
                severity=graded(excess, medium=EXCESS_MEDIUM, high=EXCESS_HIGH),
                title=_in_words(name, found, first, most, len(counts)),
                value=found.top_share,
                expected=found.expected,
                meaning=meaning,
                remedy="Draw some recipes at random over all choices, and weigh or group rows of the "
                "popular ones when a model is judged.",
                detail=detail,
            )
        ]


def _in_words(name: str, found: Popularity, first: str, most: int, k: int) -> str:
    few = max(1, math.ceil(TOP * k - 1e-9))
    if name == ELEMENT:
        return (
            f"{few} of {k} elements make up {found.top_share:.0%} of all mentions of an element; {first} "
            f"alone is in {counted(most, 'row')}"
        )
    return (
        f"{few} of {k} values of {name} make up {found.top_share:.0%} of the rows; {first} alone has {most:,}"
    )


def _against_success(
    table: AuditTable, codes: NDArray[np.intp], counts: Array, seed: int
) -> tuple[float, float, int] | None:
    """Correlation, p and rows of the random arm, if there is one; popularity is counted outside it."""
    if table.arms is None:
        return None
    random = (table.arms == "random") & (codes >= 0) & np.isfinite(table.success)
    if int(random.sum()) < FEWEST_RANDOM:
        return None
    chosen = np.bincount(codes[(codes >= 0) & (table.arms != "random")], minlength=len(counts))
    rho, p = popularity_and_success(chosen[codes[random]].astype(float), table.success[random], seed=seed)
    return rho, p, int(random.sum())
