"""Whose turn it is: the start, then surprises, then whoever lags farthest behind its share."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from labctl.evidence import Evidence
from labctl.portfolio import Shares
from labctl.turn import Turn, _due, turn, turns_of
from labctl.view import View

FALLBACK = ("gaps", "random")
VETO = {"when": {"x": {"above": 9, "unit": "mm"}}, "because": "no"}
CHEAP = {"quick": {"instrument": {"kind": "replay", "dataset": "q.yaml", "cost": {"each": 1}}}}


def campaign(arms: dict[str, float] | None = None, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - a file
    strategy = {"initial": 2, **({} if arms is None else {"arms": arms}), **told.pop("strategy", {})}
    return {
        "campaign": "turns",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
        "instrument": {"kind": "replay", "dataset": "card.yaml", "cost": {"each": 2}},
        "strategy": strategy,
        **told,
    }


@pytest.fixture
def next_turn(view_from: Callable[..., View], asked: Callable[..., Any]) -> Callable[..., Turn]:
    """Give ``next_turn(campaign, ["space_filling", "improve", ...])``: the turn after these strategies."""

    def write(told: dict[str, Any], had: list[str], **now: Any) -> Turn:  # noqa: ANN401 - turn's own
        view = view_from(told, [(asked({"x": 1}, strategy=name), None) for name in had])
        usual = {"results": 99, "surprised": False, "seen": lambda: Evidence(results=99)}
        return turn(view.config, view.state, **{**usual, **now})

    return write


START = ["space_filling", "space_filling"]


def test_the_start_comes_first_and_needs_no_evidence(next_turn: Callable[..., Turn]) -> None:
    def never() -> Evidence:
        raise AssertionError

    for had in ([], ["space_filling"]):
        assert next_turn(campaign(), had, seen=never).order == ("space_filling", *FALLBACK)
    told = campaign(strategy={"start": "random"})
    assert next_turn(told, ["random_start"], surprised=True, seen=never).order == ("random_start", *FALLBACK)
    assert next_turn(campaign({"improve": 1}), START, seen=never).order == ("improve", *FALLBACK)


def test_fixed_arms_are_shared_as_they_stand(next_turn: Callable[..., Turn]) -> None:
    had = list(START)
    for _ in range(20):
        had.append(next_turn(campaign({"improve": 3, "novelty": 1, "random": 1}), had).order[0])
    assert Counter(had[2:]) == {"improve": 12, "novelty": 4, "random": 4}
    # No arm waits for the others to have had all of theirs.
    assert set(had[2:7]) == {"improve", "novelty", "random"}


def test_an_arm_of_no_weight_never_has_its_turn(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 1, "novelty": 0})
    assert all("novelty" not in next_turn(told, START + ["improve"] * n).order for n in range(4))


def test_doubt_in_vetoes_takes_its_share_of_fixed_arms_too(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 1}, advice={"vetoes": [VETO], "doubt": 0.25})
    had = list(START)
    for _ in range(16):
        had.append(next_turn(told, had).order[0])
    assert Counter(had[2:]) == {"improve": 12, "vetoed": 4}
    without = campaign({"improve": 1}, advice={"doubt": 0.25})
    assert all("vetoed" not in next_turn(without, START + ["improve"] * n).order for n in range(6))


def test_who_may_find_nothing_passes_the_turn_on(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 1}, advice={"vetoes": [VETO], "doubt": 0.5})
    assert next_turn(told, [*START, "improve", "improve"]).order == ("vetoed", "improve", *FALLBACK)


def test_a_surprise_goes_before_its_turn(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 1})
    assert next_turn(told, START, surprised=True).order == ("replicate", "improve", *FALLBACK)


def test_an_arm_without_results_makes_way_for_chance(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 1})
    assert next_turn(told, START, results=1).order == ("random", "gaps")
    assert next_turn(told, START, results=2).order[0] == "improve"


def test_with_fidelities_improvement_weighs_costs(next_turn: Callable[..., Turn]) -> None:
    told = campaign({"improve": 2, "random": 1}, fidelities=CHEAP)
    had = list(START)
    for _ in range(9):
        had.append(next_turn(told, had).order[0])
    assert Counter(had[2:]) == {"improve_by_cost": 6, "random": 3}


def test_the_start_counts_as_one_whatever_its_layout(
    view_from: Callable[..., View], asked: Callable[..., Any]
) -> None:
    had = ["space_filling", "random_start", "improve", "improve_by_cost"]
    view = view_from(campaign(), [(asked({"x": 1}, strategy=name), None) for name in had])
    assert turns_of(view.state) == {"initial": 2, "improve": 2}
    # Ledgers from before strategies were named tell the arm alone.
    view = view_from(campaign(), [(asked({"x": 1}, arm="initial"), None), (asked({"x": 1}), None)])
    assert turns_of(view.state) == {"initial": 1, "random": 1}


def test_shares_by_evidence_are_held_against_what_was_due_at_each_turn(
    view_from: Callable[..., View], asked: Callable[..., Any]
) -> None:
    done: list[Any] = [(asked({"x": 1}, strategy="space_filling"), None)] * 2
    calm, worried = Evidence(results=20), Evidence(results=20, since_better=40, patience=8)
    had = []
    for n in range(60):
        view = view_from(campaign(), done)
        seen = calm if n < 30 else worried
        now = turn(view.config, view.state, results=99, surprised=False, seen=lambda told=seen: told)
        assert now.shares is not None
        had.append((now.order[0], now.shares))
        done = [*done, (asked({"x": 1}, strategy=now.order[0], shares=dict(now.shares.of)), None)]
    first, second = had[:30], had[30:]
    assert second[0][1].of["novelty"] > 4 * first[0][1].of["novelty"]
    for part in (had, first):
        due = Counter[str]()
        for _, found in part:
            due.update(found.of)
        for arm, share in due.items():
            assert abs(share - sum(name == arm for name, _ in part)) < 1.5, arm
    # What was due under earlier evidence is not claimed back under the later.
    assert sum(name == "novelty" for name, _ in second) <= 1 + sum(s.of["novelty"] for _, s in second) + 1


def test_a_cheap_reading_is_no_turn(view_from: Callable[..., View], asked: Callable[..., Any]) -> None:
    """Whoever reads a cheaper fidelity is still due to measure at the target."""
    told = campaign(fidelities=CHEAP)
    cheap = {"strategy": "improve_by_cost", "arm": "improve", "fidelity": "quick"}
    shared = {"shares": {"improve": 0.8, "random": 0.2}}
    rows = [(asked({"x": 0.1}, strategy="random", arm="random", **shared), None)]
    rows += [(asked({"x": 0.01 * i}, **cheap, **shared), None) for i in range(2, 30)]
    view = view_from(told, rows)
    assert turns_of(view.state) == {"random": 1}
    due, had = _due(view.state, Shares({"improve": 0.8, "random": 0.2}, ""))
    assert due == pytest.approx({"improve": 1.6, "random": 0.4})
    assert had == {"random": 1}


def test_weights_too_large_to_add_up_share_the_budget_all_the_same(next_turn: Callable[..., Turn]) -> None:
    had = list(START)
    for _ in range(8):
        had.append(next_turn(campaign({"improve": 1e308, "random": 1e308}), had).order[0])
    assert Counter(had[2:]) == {"improve": 4, "random": 4}


def test_a_vetoed_recipe_comes_last_where_vetoes_are_doubted(next_turn: Callable[..., Turn]) -> None:
    doubted, sure = (campaign({"improve": 1}, advice={"vetoes": [VETO], "doubt": d}) for d in (0.01, 0))
    assert next_turn(doubted, START).order == ("improve", *FALLBACK, "vetoed")
    assert next_turn(doubted, []).order == ("space_filling", *FALLBACK, "vetoed")
    assert next_turn(sure, START).order == ("improve", *FALLBACK)
