"""The shares of the arms, and what moved them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.evidence import Evidence
from labctl.portfolio import shares
from labctl.report import page
from labctl.report.arms import MOST_MOVES, area, moves, section, shared
from labctl.report.picture import picture
from labctl.view import View

FLOORS = {"random": 0.1, "replicate": 0.05, "vetoed": 0.0}
SEEN = [
    Evidence(results=10),
    Evidence(results=11),
    Evidence(results=20, verdict="lookup table"),
    Evidence(results=21, verdict="lookup table", since_better=12, patience=4),
    Evidence(results=22, verdict="lookup table", since_better=13, patience=4),
    Evidence(results=23, verdict="trusted", surprises=1, widened=1.5),
    Evidence(results=24, verdict="trusted", surprises=2, widened=1.5),
]


@pytest.fixture
def by_evidence(
    view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any]
) -> Callable[[list[Evidence]], View]:
    def make(seen: list[Evidence]) -> View:
        rows = [row(0, {"strength": 1, "price": 1, "ductility": 9}, arm="initial")]
        for i, one in enumerate(seen, start=1):
            now = shares(one, FLOORS)
            values = {"strength": 1 + i, "price": 1, "ductility": 9}
            rows.append(row(i, values, shares=dict(now.of), evidence=now.because, strategy="improve"))
        return view_from(campaign, rows)

    return make


def test_a_move_is_a_reason_that_comes_or_goes_not_one_that_counts_on(
    by_evidence: Callable[..., View],
) -> None:
    found = moves(shared(by_evidence(SEEN).state))
    assert [m.experiment.id for m in found] == ["e0002", "e0004", "e0005", "e0007", "e0008"]
    assert found[1].came == ("the surrogate is a lookup table, so little rests on it",)
    assert found[2].came == ("nothing better for 12 results",)
    assert set(found[3].came) == {
        "the surrogate is trusted",
        "1 surprise not refuted",
        "predictions widened 1.5 times",
    }
    assert "nothing better for 13 results" in found[3].went
    assert found[1].went == ()
    assert (found[4].came, found[4].went) == (("2 surprises not refuted",), ())
    # The shares of two moments are compared as distributions: half the sum of all differences.
    before, after = (shares(SEEN[i], FLOORS).of for i in (1, 2))
    assert found[1].by == pytest.approx(sum(max(0.0, after[a] - before.get(a, 0.0)) for a in after))


def test_the_areas_add_up_to_everything(by_evidence: Callable[..., View]) -> None:
    view = by_evidence(SEEN)
    figure = area(shared(view.state), len(view.state))
    stacked = [t for t in figure["data"] if t.get("stackgroup")]
    assert [t["name"] for t in stacked][:2] == ["improve", "replicate"]
    for column in zip(*(t["y"] for t in stacked), strict=True):
        assert sum(column) == pytest.approx(1.0, abs=1e-4)
    [turns] = [t for t in figure["data"] if t.get("yaxis") == "y2"]
    assert turns["x"] == list(range(2, 9))


def test_only_the_largest_moves_are_numbered(by_evidence: Callable[..., View]) -> None:
    flapping = [SEEN[0], SEEN[2]] * 20
    found = moves(shared(by_evidence(flapping).state))
    assert len(found) == MOST_MOVES
    assert [m.experiment.number for m in found] == sorted(m.experiment.number for m in found)


def test_the_page_tells_what_decided_last(by_evidence: Callable[..., View], tmp_path: Path) -> None:
    view = by_evidence(SEEN)
    text = page(view)
    assert 'data-figure="shares"' in text
    assert "the surrogate is trusted; 2 surprises not refuted and predictions widened 1.5 times" in text
    picture(view, tmp_path / "p.png")


def test_shares_fixed_by_hand_have_no_figure(by_evidence: Callable[..., View]) -> None:
    assert section(by_evidence([]).state) is None
