"""Proposals and results for figures that no short campaign would show."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from labctl.proposal import Outcome, Predicted, Proposal, Stamp
from labctl.report import page
from labctl.view import View
from labctl_drivers.protocol import FailureKind

Row = tuple[Proposal, Outcome | None]
CAMPAIGN: dict[str, Any] = {
    "campaign": "alloy",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 100}},
    "objectives": {
        "strength": {"goal": "maximize", "unit": "MPa"},
        "price": {"goal": "minimize", "unit": "dimensionless"},
        "ductility": {"goal": "observe", "unit": "percent", "at_least": 5},
    },
    "instrument": {"kind": "hand"},
}


@pytest.fixture
def campaign() -> dict[str, Any]:
    """Two goals, and a limit on a third quantity."""
    return CAMPAIGN


@pytest.fixture
def row() -> Callable[..., Row]:
    """Give ``row(x, {"strength": 3.0}, ...)``: an experiment; values None for one that cracked."""

    def make(
        x: float,
        values: Mapping[str, float] | None,
        *,
        predicted: Mapping[str, float] | None = None,
        percentile: float | None = None,
        **more: Any,  # noqa: ANN401 - whatever a proposal has
    ) -> Row:
        stamp = None if percentile is None else Stamp(where="edge", percentile=percentile)
        kept = {"arm": "improve", "because": "why", "data": "d", "code": "labctl 0", "seed": 5, **more}
        proposal = Proposal(
            recipe={"x": x},
            domain=stamp,
            predictions={n: Predicted(mean=m, sd=1.0) for n, m in (predicted or {}).items()},
            **kept,
        )
        if values is None:
            return proposal, Outcome(status="failed", kind=FailureKind.INFEASIBLE, source="bench")
        return proposal, Outcome(status="measured", values=dict(values), source="bench")

    return make


@pytest.fixture
def alloys(view_from: Callable[..., View], row: Callable[..., Row]) -> Callable[..., View]:
    """Give ``alloys([(strength, price, ductility), ...])``: a campaign with these; None is a failure."""

    def make(results: Iterable[tuple[float, float, float] | None]) -> View:
        rows = [
            row(i, None if r is None else dict(zip(("strength", "price", "ductility"), r, strict=True)))
            for i, r in enumerate(results)
        ]
        return view_from(CAMPAIGN, rows)

    return make


@pytest.fixture
def data_of() -> Callable[[View], dict[str, Any]]:
    """Give the data that a campaign's page carries, as the browser reads it."""

    def read(view: View) -> dict[str, Any]:
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(view), re.DOTALL)
        assert found is not None
        data: dict[str, Any] = json.loads(found[1])
        return data

    return read
