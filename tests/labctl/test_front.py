"""The Pareto front of a campaign: who stands on it, and who does not although nobody beats them."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.front import front, non_dominated
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "two",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {
        "a": {"goal": "maximize", "unit": "mm"},
        "b": {"goal": "target", "target": 5, "unit": "mm"},
        "c": {"goal": "observe", "unit": "mm", "at_most": 1},
    },
    "instrument": {"kind": "hand"},
}


def on_front(view: View) -> list[str]:
    return [c.experiment for c in front(view.config, view.state)]


def test_the_front_is_judged_by_what_is_wanted(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    # b is 5 at best, so that 7 and 3 are alike, and 9 is worse.
    done = [(1, 7), (2, 3), (3, 9), (2.5, 9.5)]
    view = view_from(CAMPAIGN, [(asked({"x": i}), came(a=a, b=b, c=0.5)) for i, (a, b) in enumerate(done)])
    assert on_front(view) == ["e0003", "e0002"]
    best = front(view.config, view.state)[0]
    assert (best.values, best.recipe) == ({"a": 3.0, "b": 9.0}, {"x": 2})


def test_partial_unlawful_failed_and_stand_in_results_are_not_on_it(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    view = view_from(
        CAMPAIGN,
        [
            (asked({"x": 1}), came(a=1, b=5, c=1.0)),
            (asked({"x": 2}), came(a=9, c=0.0)),
            (asked({"x": 3}), came(a=9, b=5, c=1.01)),
            (asked({"x": 4}), came(a=9, b=5)),
            (asked({"x": 5}), came("off_recipe", a=9, b=5, c=0)),
            (asked({"x": 6}, fidelity="quick"), came(a=9, b=5, c=0)),
            (asked({"x": 7}), None),
        ],
    )
    assert on_front(view) == ["e0001"]


def test_of_equals_the_earliest_stands_and_one_goal_has_no_front(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    done = [(asked({"x": i}), came(a=1, b=4 + 2 * (i % 2), c=0)) for i in range(4)]
    assert on_front(view_from(CAMPAIGN, done)) == ["e0001"]
    one = {**CAMPAIGN, "objectives": {"a": {"goal": "maximize", "unit": "mm"}}}
    assert on_front(view_from(one, [(asked({"x": 1}), came(a=1))])) == []


rows = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 5).map(float), min_size=m, max_size=m), max_size=25)
)


@given(rows)
def test_a_front_is_what_the_definition_says(worths: list[list[float]]) -> None:
    def beats(a: list[float], b: list[float]) -> bool:
        return all(p >= q for p, q in zip(a, b, strict=True)) and a != b

    slow = [
        i
        for i, row in enumerate(worths)
        if not any(beats(other, row) for other in worths) and row not in worths[:i]
    ]
    assert sorted(non_dominated(worths)) == slow


def test_a_censored_result_stands_on_the_front_by_what_its_bounds_make_sure_of(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    beyond = {"bounds": {"a": {"low": 52}}}
    done = [
        came(a=51, b=9, c=0),
        came("censored", beyond, b=6, c=0),
        came("censored", beyond, b=5.5, c=2),
        came("censored", beyond, b=8, c=0),
        came("censored", {"bounds": {"a": {"high": 3}}}, b=5, c=0),
        came("censored", {"bounds": {"a": {"low": 10}, "b": {"low": 4.5, "high": 5.2}}}, c=0),
    ]
    view = view_from(CAMPAIGN, [(asked({"x": i}), outcome) for i, outcome in enumerate(done)])
    assert [(c.experiment, c.values, c.bounds) for c in front(view.config, view.state)] == [
        ("e0002", {"a": 52.0, "b": 6.0}, {"a": "at least"}),
        ("e0006", {"a": 10.0, "b": 4.5}, {"a": "at least", "b": "at worst"}),
    ]
