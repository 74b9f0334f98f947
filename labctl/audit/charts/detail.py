"""What a finding's detail holds, in the types that its figure needs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.run import Audited

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

Figure = dict[str, Any]
Floats = NDArray[np.float64]
MOST_BARS = 14


def numbers_of(finding: "Finding", key: str) -> Floats:
    """The numbers under a key of a finding's detail (n,)."""
    return np.asarray(finding.detail[key], dtype=np.float64)


def list_of(finding: "Finding", key: str) -> list[Any]:
    """The list under a key of a finding's detail."""
    return list(finding.detail[key])  # type: ignore[call-overload, no-any-return] # checks put lists there


def what_of(finding: "Finding", audited: Audited) -> str:
    """The column that a finding is about; the goal where it names none."""
    named = finding.id.split(":", 1)[1] if ":" in finding.id else audited.study.goal
    return audited.study.goal_in_words if named == audited.study.goal else named
