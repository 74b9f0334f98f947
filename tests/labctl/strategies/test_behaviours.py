"""What counts as found: one outcome a recipe, and no surprise before a replicate agrees with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labctl.proposal import Outcome, Proposal
from labctl.strategies.behaviours import behaviours
from labctl.strategies.knowledge import knowledge
from labctl.strategies.outcome_novelty import OutcomeNovelty
from labctl.strategies.protocol import Situation
from labctl.strategies.surrogate import Surrogates
from labctl.surprises import Surprise, surprises
from labctl.view import View

Views = Callable[..., View]
Told = tuple[float, Mapping[str, float]]
SLOPE = [(x, {"y": 2.0 * x + 0.02 * (-1) ** i}) for i, x in enumerate(np.linspace(0.0, 8.0, 17).tolist())]
ODD = 4.25


def content(objectives: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "campaign": "slope",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": objectives,
        "instrument": {"kind": "hand"},
    }


def situation_of(view_from: Views, told: Sequence[Told], *, observed: bool = False) -> Situation:
    """A campaign that knows these readings at these x, each beside a prediction of 2 x."""
    objectives: dict[str, Any] = {"y": {"goal": "maximize", "unit": "mm"}}
    if observed:
        objectives["colour"] = {"goal": "observe", "unit": "mm"}
    done = []
    for x, values in told:
        expected = {"y": {"mean": 2.0 * x, "sd": 0.1, "noise_sd": 0.05}}
        proposal = Proposal.model_validate(
            {
                "recipe": {"x": x},
                "arm": "random",
                "because": "drawn",
                "predictions": expected,
                "data": "0",
                "code": "labctl 0",
                "seed": 5,
            }
        )
        done.append((proposal, Outcome(status="measured", values=dict(values), source="hand")))
    view = view_from(content(objectives), done)
    space = view.config.space.with_pool({"x": np.round(np.linspace(0.0, 10.0, 201), 6).tolist()})
    known = knowledge(view.state, space, list(objectives), ["y"])
    found = surprises(view.config, view.state)
    return Situation(
        space=space,
        objectives=view.config.model.objectives,
        knowledge=known,
        surrogates=Surrogates(known, dict.fromkeys(objectives, 1.0), 5),
        goal="y",
        sign=1.0,
        allowed=lambda _recipe: True,
        rng=np.random.default_rng(5),
        seed=5,
        doubted=tuple(s for s in found if s.replicate != "agrees"),
    )


def test_replicates_are_one_outcome_and_objectives_stand_side_by_side(view_from: Views) -> None:
    told: list[Told] = [
        (1.0, {"y": 2.0, "colour": 7.0}),
        (2.0, {"y": 4.0, "colour": 5.0}),
        (1.0, {"y": 3.0, "colour": 8.0}),
    ]
    found = behaviours(situation_of(view_from, told, observed=True))
    assert found is not None
    assert found.objectives == ("y", "colour")
    np.testing.assert_allclose(found.X.ravel(), [0.1, 0.2])
    np.testing.assert_allclose(found.Y, [[2.5, 7.5], [4.0, 5.0]])
    assert found.left_out == 0


def test_fewer_than_two_results_are_nothing_found(view_from: Views) -> None:
    assert behaviours(situation_of(view_from, [(1.0, {"y": 2.0})])) is None


def test_a_surprise_is_no_behaviour_before_its_replicate(view_from: Views) -> None:
    situation = situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0})])
    assert [s.replicate for s in situation.doubted] == ["waiting"]
    found = behaviours(situation)
    assert found is not None
    assert found.left_out == 1
    assert found.Y.max() < 17.0
    # The surrogate that says where to look for more does not believe it either.
    mean, _ = found.expected(situation.space.encode([{"x": ODD}]))
    assert mean[0, 0] == pytest.approx(2 * ODD, abs=0.2)
    believed = situation.surrogates.of("y").predict(situation.space.encode([{"x": ODD}])).mean[0]
    assert believed > 2 * ODD + 1.0


def test_it_is_one_as_soon_as_its_replicate_agrees(view_from: Views) -> None:
    situation = situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0}), (ODD, {"y": 29.0})])
    assert situation.doubted == ()
    found = behaviours(situation)
    assert found is not None
    assert found.Y.max() == pytest.approx(29.5)


def test_a_refuted_reading_stays_out_and_the_replicate_stays_in(view_from: Views) -> None:
    situation = situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0}), (ODD, {"y": 8.4})])
    assert [s.replicate for s in situation.doubted] == ["disagrees"]
    found = behaviours(situation)
    assert found is not None
    at = found.Y[np.isclose(found.X.ravel(), ODD / 10), 0]
    np.testing.assert_allclose(at, [8.4])


def test_an_observed_objective_of_a_doubted_experiment_is_doubted_too(view_from: Views) -> None:
    told = [(x, {**values, "colour": 1.0 + x}) for x, values in SLOPE]
    odd: Told = (ODD, {"y": 30.0, "colour": 99.0})
    found = behaviours(situation_of(view_from, [*told, odd], observed=True))
    assert found is not None
    assert found.Y[:, 1].max() < 10.0


def test_noise_does_not_pass_for_novelty(view_from: Views) -> None:
    """A doubted reading changes nothing of what is chosen; once confirmed it does."""
    strategy = OutcomeNovelty()
    without = strategy.choose(situation_of(view_from, SLOPE))
    doubted = strategy.choose(situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0})]))
    confirmed = strategy.choose(situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0}), (ODD, {"y": 29.5})]))
    assert without is not None
    assert doubted is not None
    assert confirmed is not None
    assert doubted.recipe == without.recipe
    assert "1 of doubt left out" in doubted.because
    assert confirmed.recipe != without.recipe
    # Off the slope's trend, that is near the peak: the flanks have outcomes that nobody saw.
    assert abs(float(confirmed.recipe["x"]) - ODD) < 1.0


def test_the_doubted_one_is_found_where_the_settings_reached_differ_a_little(view_from: Views) -> None:
    situation = situation_of(view_from, [*SLOPE, (ODD, {"y": 30.0})])
    asked = Surprise("E0018", {"x": ODD + 0.02}, 50.0, "waiting")
    found = behaviours(replace(situation, doubted=(asked,)))
    assert found is not None
    assert found.Y.max() < 17.0
