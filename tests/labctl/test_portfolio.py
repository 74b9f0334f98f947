"""Shares by evidence: each doubt moves them towards the arm that answers it, and says so."""

import pytest

from labctl.evidence import Evidence
from labctl.portfolio import shares

FLOORS = {"random": 0.1, "replicate": 0.05}
QUIET = Evidence(results=30, verdict="trusted", covered=0.9)


def moved(**doubt: object) -> dict[str, float]:
    """By how much each arm's share differs from that of a campaign without a worry."""
    told = {"results": 30, "verdict": "trusted", "covered": 0.9, **doubt}
    now, before = shares(Evidence(**told), FLOORS).of, shares(QUIET, FLOORS).of  # type: ignore[arg-type]
    return {arm: now.get(arm, 0.0) - before.get(arm, 0.0) for arm in {*now, *before}}


def test_without_a_worry_almost_everything_improves() -> None:
    found = shares(QUIET, FLOORS)
    assert found.of["improve"] > 0.7
    assert "the surrogate is trusted" in found.because
    assert "random 10%" in found.because
    assert "nothing speaks against" in shares(Evidence(results=3), FLOORS).because


@pytest.mark.parametrize(
    ("doubt", "gains"),
    [
        ({"verdict": "interpolation only"}, {"explore"}),
        ({"verdict": "lookup table"}, {"explore", "gaps", "novelty"}),
        ({"since_better": 32, "patience": 8}, {"novelty", "explore"}),
        ({"since_better": 3, "promise": 0.01}, {"novelty", "explore"}),
        ({"let_down": 0.03}, {"explore"}),
        ({"surprises": 2}, {"explore"}),
        ({"widened": 1.5}, {"explore"}),
        ({"covered": 0.1}, {"gaps"}),
    ],
)
def test_a_doubt_takes_from_improvement_and_gives_to_what_answers_it(
    doubt: dict[str, object], gains: set[str]
) -> None:
    found = moved(**doubt)
    assert found["improve"] < -0.02
    assert all(found[arm] > 0.01 for arm in gains)
    assert found["random"] == found["replicate"] == 0


def test_more_of_a_doubt_moves_more() -> None:
    for worse in (
        [{"since_better": n, "patience": 8} for n in (16, 20, 25, 32)],
        [{"since_better": 9, "promise": p} for p in (0.1, 0.06, 0.03, 0.01)],
        [{"let_down": p} for p in (0.2, 0.1, 0.03)],
        [{"surprises": n} for n in range(5)],
        [{"covered": c} for c in (0.5, 0.3, 0.1, 0.0)],
        [{"verdict": v} for v in ("trusted", "interpolation only", "lookup table")],
    ):
        left = [moved(**doubt)["improve"] for doubt in worse]
        assert left == sorted(left, reverse=True)
        assert len(set(left)) == len(left)


def test_the_evidence_is_said_in_words() -> None:
    seen = Evidence(
        results=40,
        verdict="lookup table",
        since_better=20,
        patience=10,
        promise=0.02,
        let_down=0.05,
        surprises=1,
        widened=1.3,
        covered=0.2,
    )
    said = shares(seen, FLOORS).because
    for words in (
        "lookup table",
        "the last choices had a chance of 2.0% of something better",
        "1 surprise not refuted and predictions widened 1.3 times",
        "improvement was promised and did not come",
        "20% of what could be done lies near a result",
    ):
        assert words in said


def test_a_long_wait_is_no_doubt_while_improvement_is_likely() -> None:
    assert not any(moved(since_better=100, patience=8, promise=0.2).values())
    assert not any(moved(since_better=0, promise=0.001).values())


def test_a_floor_of_nothing_is_no_arm() -> None:
    found = shares(QUIET, {"random": 0.0, "replicate": 0.05, "vetoed": 0.0})
    assert not {"random", "vetoed"} & found.of.keys()
