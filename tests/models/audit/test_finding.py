"""Severities keep their order, and findings are plain JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_models.audit.finding import HIGH, MEDIUM, Finding, graded


def finding(severity: float, **more: object) -> Finding:
    kept = {"value": 1.0, "expected": None, "detail": {}} | more
    return Finding(
        id="area.name", area="area", severity=severity, title="t", meaning="m", remedy="r", **kept  # type: ignore[arg-type]  # numbers and a mapping
    )  # fmt: skip


@given(a=st.floats(0, 1e6), b=st.floats(0, 1e6))
def test_more_of_a_flaw_is_never_less_severe(a: float, b: float) -> None:
    low, high = sorted([a, b])
    assert 0 <= graded(low, medium=0.1, high=0.3) <= graded(high, medium=0.1, high=0.3) <= 1


def test_marks_are_where_the_words_begin() -> None:
    assert graded(0.1, medium=0.1, high=0.3) == pytest.approx(MEDIUM)
    assert graded(0.3, medium=0.1, high=0.3) == pytest.approx(HIGH)
    assert graded(-1.0, medium=0.1, high=0.3) == 0.0
    assert graded(math.nan, medium=0.1, high=0.3) == 0.0
    assert [finding(s).level for s in (0.0, 0.39, 0.4, 0.69, 0.7, 1.0)] == [
        *("low", "low", "medium", "medium", "high", "high"),
    ]


def test_json_holds_arrays_as_lists_and_no_nan() -> None:
    detail = {
        "rows": np.arange(2),
        "share": np.float64(0.5),
        "gap": math.inf,
        "pair": (1, math.nan),
        "n": None,
    }
    text = json.dumps(finding(0.5, value=math.nan, detail=detail).as_json(), allow_nan=False)
    found = json.loads(text)
    assert found["value"] is None
    assert found["level"] == "medium"
    assert found["detail"] == {"rows": [0, 1], "share": 0.5, "gap": None, "pair": [1, None], "n": None}


@pytest.mark.parametrize("severity", [-0.1, 1.1, math.nan])
def test_a_severity_out_of_range_is_refused(severity: float) -> None:
    with pytest.raises(ValueError, match=r"area\.name has severity"):
        finding(severity)
