"""What is to be gained: by one goal or several, near a target, within limits, from partial results."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labctl.campaign import Campaign
from labctl.strategies.gain import APPROACH, CHANCE, GROWTH, IMPROVEMENT, SCALARISED, WEIGHED, gain, lawful
from labctl.strategies.improve import Improve
from labctl.strategies.knowledge import knowledge
from labctl.strategies.protocol import Situation
from labctl.view import View

Views, Situations = Callable[..., View], Callable[..., Situation]
GRID = np.round(np.linspace(0.0, 10.0, 101), 6)
UP = {"goal": "maximize", "unit": "mm"}
DOWN = {"goal": "minimize", "unit": "mm"}
SEEN = {"goal": "observe", "unit": "mm"}
XS = tuple(float(x) for x in np.linspace(0, 10, 11))


def campaign(objectives: dict[str, Any], **told: object) -> dict[str, Any]:
    return {
        "campaign": "gain",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": objectives,
        "instrument": {"kind": "hand"},
        **told,
    }


@pytest.fixture
def after(
    view_from: Views, asked: Callable[..., Any], came: Callable[..., Any], situation_of: Situations
) -> Callable[..., Situation]:
    """Give ``after(objectives, {"a": f, ...}, xs)``: each quantity f(x) measured at the xs, over a grid."""

    def build(
        objectives: dict[str, Any],
        told: dict[str, Callable[[float], float | None]],
        xs: tuple[float, ...] = XS,
        **changes: Any,  # noqa: ANN401 - of the file
    ) -> Situation:
        done = []
        for x in xs:
            values = {name: value for name, f in told.items() if (value := f(x)) is not None}
            done.append((asked({"x": x}), came(**values)))
        view = view_from(campaign(objectives, **changes), done)
        return situation_of(view, view.config.space.with_pool({"x": GRID.tolist()}))

    return build


def chosen(situation: Situation) -> float:
    choice = Improve().choose(situation)
    assert choice is not None
    return float(choice.recipe["x"])


def hill(x: float) -> float:
    return 10 - (x - 6.3) ** 2


def test_one_goal_is_improved_on_in_its_direction(after: Callable[..., Situation]) -> None:
    up = after({"a": UP}, {"a": hill})
    assert chosen(up) == pytest.approx(6.3, abs=0.3)
    down = after({"a": DOWN}, {"a": lambda x: -hill(x)})
    assert chosen(down) == chosen(up)
    found = gain(down)
    assert found is not None
    assert (found.name, found.level) == (IMPROVEMENT, pytest.approx(-hill(6), abs=0.05))
    assert found.best == pytest.approx([0.6])


def test_a_target_is_approached_from_where_it_lies(after: Callable[..., Situation]) -> None:
    near = after({"a": {"goal": "target", "target": 4.7, "unit": "mm"}}, {"a": lambda x: x})
    assert chosen(near) == pytest.approx(4.7, abs=0.11)
    found = gain(near)
    assert found is not None
    assert (found.name, found.level) == (APPROACH, pytest.approx(5.0, abs=0.02))
    choice = Improve().choose(near)
    assert choice is not None
    assert "nearer to the target" in choice.because


def test_a_limit_on_an_outcome_is_kept_where_it_can_be(after: Callable[..., Situation]) -> None:
    told = {"a": lambda x: x, "b": lambda x: 2 * x}
    free = after({"a": UP, "b": SEEN}, told)
    kept = after({"a": UP, "b": {**SEEN, "at_most": 9}}, told)
    assert chosen(free) > 9
    assert 4 < chosen(kept) < 4.7
    found = gain(kept)
    assert found is not None
    # What has to be improved on is the best that keeps the limit, at 4, not the best of all at 10.
    assert (found.name, found.level) == (IMPROVEMENT + WEIGHED, pytest.approx(4, abs=0.05))
    assert lawful(kept, np.array([[0.3], [0.6]])).tolist() == [True, False]


def test_a_limit_holds_for_what_is_minimised_too(after: Callable[..., Situation]) -> None:
    told = {"a": lambda x: x}
    kept = after({"a": {**DOWN, "at_least": 3.5}}, told)
    assert 3.3 < chosen(kept) < 4.1


def test_as_long_as_nothing_keeps_the_limits_that_is_looked_for(after: Callable[..., Situation]) -> None:
    told = {"a": lambda x: 10 - x, "b": lambda x: x}
    situation = after({"a": UP, "b": {**SEEN, "at_least": 8}}, told, XS[:6])
    found = gain(situation)
    assert found is not None
    assert (found.name, found.level) == (CHANCE + WEIGHED, None)
    assert found.best == pytest.approx([0.5])
    choice = Improve().choose(situation)
    assert choice is not None
    assert float(choice.recipe["x"]) > 7
    assert "no known recipe keeps the limits on outcomes yet" in choice.because


def test_two_goals_grow_the_front_where_it_is_open(after: Callable[..., Situation]) -> None:
    # Between 2 and 8 the goals are at odds; outside, both get worse.
    told = {"a": lambda x: -((x - 2) ** 2), "b": lambda x: (x - 8) ** 2}
    situation = after({"a": UP, "b": DOWN}, told, (0.0, 1.0, 2.0, 3.0, 7.0, 8.0, 9.0, 10.0))
    found = gain(situation)
    assert found is not None
    assert (found.name, found.level) == (GROWTH, None)
    assert 3.5 < chosen(situation) < 6.5


def test_partial_results_teach_the_goals_that_they_have(after: Callable[..., Situation]) -> None:
    told = {"a": hill, "b": lambda x: (x - 8) ** 2 if x < 3 else None}
    situation = after({"a": UP, "b": DOWN}, told)
    assert len(situation.knowledge.results["a"].y) == 11
    assert len(situation.knowledge.results["b"].y) == 3
    assert (len(situation.knowledge.X_complete), len(situation.knowledge.X_measured)) == (3, 11)
    found = gain(situation)
    assert found is not None
    assert found.name == GROWTH
    # Without a single result in both the front is that of what is expected.
    apart = after(
        {"a": UP, "b": DOWN}, {"a": lambda x: hill(x) if x < 5 else None, "b": lambda x: x if x > 5 else None}
    )
    assert len(apart.knowledge.X_complete) == 0
    assert Improve().choose(apart) is not None


def test_a_goal_that_nobody_measured_yet_waits(after: Callable[..., Situation]) -> None:
    situation = after({"b": DOWN, "a": UP}, {"a": hill, "b": lambda _x: None})
    found = gain(situation)
    assert found is not None
    assert found.name == IMPROVEMENT
    assert chosen(situation) == pytest.approx(6.3, abs=0.3)
    assert gain(after({"b": DOWN, "a": UP}, {"a": hill, "b": hill}, XS[:1])) is None


MANY = {f"g{i}": UP for i in range(5)}


def test_many_goals_are_weighed_into_one(after: Callable[..., Situation]) -> None:
    told = {f"g{i}": (lambda x, i=i: -((x - 4 - 0.4 * i) ** 2)) for i in range(5)}
    situation = after(MANY, told)
    found = gain(situation)
    assert found is not None
    assert found.name == SCALARISED
    assert 3.5 < chosen(situation) < 6.1


def test_many_goals_keep_their_directions_whichever_is_the_main_one(after: Callable[..., Situation]) -> None:
    # All but the last rise to the left; wrongly paired with it, they would pull to the right.
    objectives = {**{f"g{i}": DOWN for i in range(4)}, "last": UP}
    told = {**{f"g{i}": (lambda x: x) for i in range(4)}, "last": lambda x: 1000 - 100 * x}
    for main in ("g0", "last"):
        assert chosen(after(objectives, told, XS[3:], main=main)) < 3


def test_many_goals_never_measured_together_are_weighed_as_expected(after: Callable[..., Situation]) -> None:
    told = {
        f"g{i}": (lambda x, i=i: -((x - 4) ** 2) if int(x) % 5 in (i, (i + 1) % 5) else None)
        for i in range(5)
    }
    situation = after(MANY, told)
    assert len(situation.knowledge.X_complete) == 0
    assert chosen(situation) == pytest.approx(4, abs=1.5)


def test_many_goals_keep_their_limits(after: Callable[..., Situation]) -> None:
    objectives = {**MANY, "heat": {**SEEN, "at_most": 3.5}}
    told = {**{f"g{i}": (lambda x, i=i: x + 0.1 * i) for i in range(5)}, "heat": lambda x: x}
    situation = after(objectives, told)
    found = gain(situation)
    assert found is not None
    assert found.best[0] <= 0.35
    assert 2.9 < chosen(situation) < 4.0


def test_a_belief_weighs_the_gain_and_is_named(after: Callable[..., Situation]) -> None:
    # Two hills of one height, of which people believe in the right one.
    told = {"a": lambda x: 5 * np.exp(-((x - 2.5) ** 2)) + 5 * np.exp(-((x - 7.5) ** 2))}
    xs = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 9.0, 10.0)
    advice = {"prior": {"x": {"near": 7.5, "within": 1}}, "strength": 10}
    situation = after({"a": UP}, told, xs, advice=advice)
    found = gain(situation)
    assert found is not None
    assert found.name == IMPROVEMENT + WEIGHED
    assert chosen(situation) > 6
    other = {"prior": {"x": {"near": 2.5, "within": 1}}, "strength": 10}
    assert chosen(after({"a": UP}, told, xs, advice=other)) < 4


def test_a_reading_beyond_the_scale_is_a_bound_and_never_a_value(
    view_from: Views, asked: Callable[..., Any], came: Callable[..., Any], situation_of: Situations
) -> None:
    bound = {"bounds": {"b": {"high": 1.0}}}
    done = [
        (asked({"x": 1}), came(a=1, b=4)),
        (asked({"x": 2}), came(a=2, b=5)),
        # The detector shows 0 for b, which only says that it is at most 1; a was measured all the same.
        (asked({"x": 3}), came("censored", told=bound, a=3, b=0)),
        (asked({"x": 4}), came("censored", a=4, b=0)),
    ]
    view = view_from(campaign({"a": UP, "b": UP}), done)
    known = situation_of(view).knowledge
    assert known.results["a"].y.tolist() == [1, 2, 3]
    assert known.results["b"].y.tolist() == [4, 5]
    assert (known.results["b"].high.tolist(), known.results["b"].X_bounded[:, 0]) == (
        [1.0],
        pytest.approx([0.3]),
    )
    assert known.Y_complete.tolist() == [[1, 4], [2, 5]]


def test_a_table_s_zero_below_its_scale_is_no_result(replay_campaign: Callable[..., Any]) -> None:
    told = {"strategy": {"initial": 4, "arms": {"random": 1}}, "budget": {"experiments": 60}}
    with Campaign.open(replay_campaign(**told)) as campaign:
        campaign.run()
        [hidden] = [e for e in campaign.state.failed if e.outcome and e.outcome.kind == "censored"]
        assert hidden.outcome is not None
        assert hidden.outcome.values == {"height": 0.0}
        known = knowledge(campaign.state, campaign.bench.space, ["height"], ["height"])
    assert 0.0 not in known.results["height"].y
    assert known.results["height"].high.tolist() == [0.1]
