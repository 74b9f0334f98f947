"""What an audit says: findings with a number, a meaning and a remedy, and the contract of a check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_models.audit.table import AuditTable

Level = Literal["high", "medium", "low"]

HIGH, MEDIUM = 0.7, 0.4
SIGNIFICANT = 0.005
"""p below which a check may raise a finding: ten independent checks then cry wolf on 5 % of sound tables."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One flaw of a table.

    Attributes:
        id: Stable name such as "selection.success_share"; a column's name may follow after a colon.
        area: domain, selection, labels, metadata, duplicates, anomalies or hidden.
        severity: In [0, 1]; how much of what is concluded from the table the flaw can overturn.
        title: One line that holds the number.
        value: The number found.
        expected: The number a sound table would show; None where there is no such number.
        meaning: What the flaw does to a campaign, in a sentence for someone who never heard of it.
        remedy: What to do, experiments first.
        detail: Arrays, lists and names for plots and tables.
    """

    id: str
    area: str
    severity: float
    title: str
    value: float
    expected: float | None
    meaning: str
    remedy: str
    detail: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the severity in its range, so that findings of all checks can be ranked.

        Raises:
            ValueError: the severity is not a number in [0, 1].
        """
        if not 0.0 <= self.severity <= 1.0:
            raise ValueError(f"finding {self.id} has severity {self.severity}; it must lie in [0, 1]")

    @property
    def level(self) -> Level:
        """The severity in a word."""
        return "high" if self.severity >= HIGH else "medium" if self.severity >= MEDIUM else "low"

    def as_json(self) -> dict[str, object]:
        """The finding as JSON values; numbers that are not finite become None, arrays lists."""
        return {
            "id": self.id,
            "area": self.area,
            "severity": self.severity,
            "level": self.level,
            "title": self.title,
            "value": _json(self.value),
            "expected": _json(self.expected),
            "meaning": self.meaning,
            "remedy": self.remedy,
            "detail": _json(self.detail),
        }


class NotApplicableError(Exception):
    """A check cannot say anything about this table; the message is the reason, in one sentence."""


class Check(Protocol):
    """One kind of flaw. A new check is one new file with a class of these four members.

    Attributes:
        name: Unique, such as "domain.coverage".
        area: The heading under which its findings are shown.
        needs: Names of AuditTable attributes that must not be None; without them the check is not run
            and the audit says so.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  described in the class docstring
    @property
    def area(self) -> str: ...  # noqa: D102  as above
    @property
    def needs(self) -> tuple[str, ...]: ...  # noqa: D102  as above

    def run(self, table: AuditTable, *, seed: int) -> Sequence[Finding]:
        """Findings about the table, none where it is sound; the same seed gives the same findings.

        A finding of medium or high severity needs evidence at the level SIGNIFICANT besides its size,
        because a controller acts on it.

        Raises:
            NotApplicableError: the table holds too little to say anything.
        """
        ...


def graded(amount: float, *, medium: float, high: float) -> float:
    """Severity in [0, 1] of an amount >= 0, given where the words medium and high begin.

    Linear from 0 to both marks, and towards 1 beyond. Every check states its two marks as constants, so
    that how findings are ranked against each other can be read and disputed.
    """
    if not amount > 0.0:
        return 0.0
    if amount <= medium:
        return MEDIUM * amount / medium
    if amount <= high:
        return MEDIUM + (HIGH - MEDIUM) * (amount - medium) / (high - medium)
    return 1.0 - (1.0 - HIGH) * high / amount


def _json(value: object) -> object:
    """Plain JSON values of numbers, texts, arrays, sequences and mappings of them."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return value
