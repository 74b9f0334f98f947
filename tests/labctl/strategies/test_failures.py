"""Failures teach by kind: what each becomes in a campaign's knowledge, and what proposals make of it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import labctl.strategy
from labctl.proposal import Interval, Outcome, Proposal
from labctl.strategies.candidates import candidates
from labctl.strategies.knowledge import Knowledge, knowledge
from labctl.strategies.protocol import Situation
from labctl.strategies.surrogate import Surrogates
from labctl.strategy import propose
from labctl.view import View
from labctl_drivers.protocol import FailureKind

Views = Callable[..., View]
PLANE = {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 10} for n in "ab"}


def campaign(arm: str = "improve", initial: int = 1) -> dict[str, Any]:
    return {
        "campaign": "corner",
        "parameters": PLANE,
        "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
        "instrument": {"kind": "hand"},
        "strategy": {"initial": initial, "arms": {arm: 1}, "replicates": 0},
        # What may be tried again is still under way; here every failure is the last word.
        "retries": {"bad_reading": 0, "instrument_fault": 0},
    }


def proposal(a: float, b: float) -> Proposal:
    return Proposal(recipe={"a": a, "b": b}, arm="initial", because="laid out", data="0", code="c", seed=5)


def failed(kind: FailureKind, **more: Any) -> Outcome:  # noqa: ANN401 - fields of an outcome
    return Outcome(status="failed", kind=kind, source="test", **more)


def height(a: float, b: float) -> float:
    return 10.0 - 0.1 * ((a - 8.0) ** 2 + (b - 8.0) ** 2)


def a_corner_that_fails(n: int = 40, seed: int = 0) -> list[tuple[Proposal, Outcome]]:
    """Values rise towards (8, 8), but no sample comes of a recipe with a + b above 13."""
    rng = np.random.default_rng(seed)
    done = []
    for a, b in np.round(10 * rng.random((n, 2)), 3).tolist():
        good = a + b <= 13
        outcome = (
            Outcome(status="measured", values={"y": height(a, b) + 0.05 * rng.normal()}, source="test")
            if good
            else failed(FailureKind.INFEASIBLE, message="cracked")
        )
        done.append((proposal(a, b), outcome))
    return done


def known(view: View) -> Knowledge:
    return knowledge(view.state, view.config.space, ["y"], ["y"])


def situation(view: View, knows: Knowledge, seed: int = 0) -> Situation:
    return Situation(
        space=view.config.space,
        objectives=view.config.model.objectives,
        knowledge=knows,
        surrogates=Surrogates(knows, {"y": 1.0}, 5),
        goal="y",
        sign=1.0,
        allowed=lambda _recipe: True,
        rng=np.random.default_rng(seed),
        seed=5,
    )


def next_proposal(view: View) -> Proposal:
    proposed = propose(
        view.config,
        view.config.space,
        view.state,
        seed=5,
        allowed=lambda _recipe: True,
    )
    assert proposed is not None
    return proposed.proposal


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(status="measured", values={"y": 1.0}, source="t"), ([0.1, 0.2], True)),
        (failed(FailureKind.INFEASIBLE), ([0.1, 0.2], False)),
        (failed(FailureKind.CENSORED, bounds={"y": Interval(high=1.0)}), ([0.1, 0.2], True)),
        (failed(FailureKind.BAD_READING), ([0.1, 0.2], True)),
        (failed(FailureKind.OFF_RECIPE, actual={"a": 3.0}), ([0.3, 0.2], True)),
        (failed(FailureKind.OFF_RECIPE), None),
        (failed(FailureKind.INSTRUMENT_FAULT), None),
        (failed(FailureKind.ABORTED), None),
        (failed(FailureKind.UNKNOWN), None),
        (None, None),
    ],
)
def test_what_each_outcome_says_of_a_recipe(
    view_from: Views, outcome: Outcome | None, expected: tuple[list[float], bool] | None
) -> None:
    knows = known(view_from(campaign(), [(proposal(1.0, 2.0), outcome)]))
    assert knows.made.dtype == bool
    if expected is None:
        assert knows.X_labelled.shape == (0, 2)
        assert len(knows.made) == 0
    else:
        np.testing.assert_allclose(knows.X_labelled, [expected[0]])
        assert knows.made.tolist() == [expected[1]]


def test_every_failure_that_teaches_is_part_of_the_data(view_from: Views) -> None:
    """The hash of the data changes with what a failure says, and not with what says nothing."""

    def data(*outcomes: Outcome) -> str:
        done = [(proposal(float(i), 2.0), o) for i, o in enumerate(outcomes)]
        return known(view_from(campaign(), done)).data

    good = Outcome(status="measured", values={"y": 1.0}, source="t")
    assert data(good, failed(FailureKind.INSTRUMENT_FAULT)) == data(good)
    hashes = {
        data(good),
        data(good, failed(FailureKind.INFEASIBLE)),
        data(good, failed(FailureKind.BAD_READING)),
        data(good, failed(FailureKind.CENSORED, bounds={"y": Interval(high=1.0)})),
        data(good, failed(FailureKind.CENSORED, bounds={"y": Interval(high=2.0)})),
    }
    assert len(hashes) == 5


def test_nothing_is_fitted_before_the_first_failure(view_from: Views) -> None:
    view = view_from(campaign(), [pair for pair in a_corner_that_fails() if pair[1].status == "measured"])
    surrogates = Surrogates(known(view), {"y": 1.0}, 5)
    assert surrogates.feasibility is None
    assert surrogates.weight is None
    assert surrogates.chance(np.zeros((1, 2))) is None
    chosen = next_proposal(view)
    assert chosen.feasibility is None
    assert chosen.acquisition == "log_expected_improvement"
    assert "makes a sample" not in chosen.because
    assert "feasibility" not in chosen.body()


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, every campaign drops its failures and bounds."""
    dropping = partial(Surrogates, heeds_failures=False)
    return lambda: monkeypatch.setattr(labctl.strategy, "Surrogates", dropping)


def test_improvement_keeps_out_of_the_corner_that_fails(view_from: Views, naive: Callable[[], None]) -> None:
    """Told, it stays near where samples are made; with failures dropped, it climbs on into the corner."""
    views = [view_from(campaign(), a_corner_that_fails(60, seed)) for seed in range(4)]
    told = [next_proposal(view) for view in views]
    for chosen in told:
        assert chosen.arm == "improve"
        assert chosen.acquisition == "log_expected_improvement_weighed"
        assert chosen.feasibility is not None
        assert chosen.feasibility > 0.15
    naive()
    dropped = [next_proposal(view) for view in views]
    assert all(chosen.feasibility is None for chosen in dropped)

    def reach(chosen: Proposal) -> float:
        return sum(float(value) for value in chosen.recipe.values())

    assert np.median([reach(chosen) for chosen in told]) < 13.5
    assert np.median([reach(chosen) for chosen in dropped]) > 14.5


def test_the_reason_says_the_chance_where_it_is_in_question(view_from: Views) -> None:
    view = view_from(campaign("random"), a_corner_that_fails())
    said = set()
    for seed in range(15):
        proposed = propose(
            view.config,
            view.config.space,
            view.state,
            seed=seed,
            allowed=lambda _: True,
            predict_always=False,
        )
        assert proposed is not None
        chosen = proposed.proposal
        assert chosen.feasibility is not None
        words = f"; {chosen.feasibility:.0%} chance of a sample"
        assert chosen.because.endswith(words) == (chosen.feasibility < 0.95)
        said.add(chosen.feasibility < 0.95)
        # What is written is what is read back, and what older versions wrote is read as well.
        body = json.loads(json.dumps(chosen.body()))
        assert Proposal.model_validate(body) == chosen
        del body["feasibility"]
        assert Proposal.model_validate(body).feasibility is None
    assert said == {True, False}


def test_a_persons_reason_is_left_as_it_is(view_from: Views) -> None:
    view = view_from(campaign(), a_corner_that_fails())
    proposed = propose(
        view.config,
        view.config.space,
        view.state,
        seed=1,
        allowed=lambda _: True,
        only=({"a": 9.9, "b": 9.9}, "because I think so"),
    )
    assert proposed is not None
    assert proposed.proposal.because == "because I think so"
    assert proposed.proposal.feasibility is not None
    assert proposed.proposal.feasibility < 0.3


def test_candidates_pass_the_filter_first_and_chance_does_not(view_from: Views) -> None:
    view = view_from(campaign(), a_corner_that_fails())
    knows = known(view)
    open_, bad = 0, []
    surrogates = situation(view, knows).surrogates
    for seed in range(40):
        here = replace(situation(view, knows, seed), surrogates=surrogates)
        kept = candidates(here, n=256)
        chance = here.surrogates.chance(kept.X)
        assert chance is not None
        if len(kept) == 256:
            open_ += 1
            continue
        assert chance.min() >= 0.5
        bad.append(float((10 * kept.X.sum(axis=1) > 13).mean()))
        assert [view.config.space.encode([kept.recipe(i)])[0].tolist() for i in (0, len(kept) - 1)] == [
            pytest.approx(kept.X[0].tolist()),
            pytest.approx(kept.X[-1].tolist()),
        ]
        assert len(candidates(here, n=256, risky=True)) == 256
    # One time in twenty everything may be chosen: of 40, none would come up once in 8 times, 8 never.
    assert 1 <= open_ <= 7
    assert np.mean(bad) < 0.05


def test_where_most_fails_the_likelier_half_is_left(view_from: Views) -> None:
    rng = np.random.default_rng(0)
    done: list[tuple[Proposal, Outcome]] = []
    for a, b in np.round(10 * rng.random((30, 2)), 3).tolist():
        good = a > 9
        result = Outcome(status="measured", values={"y": b}, source="t")
        done.append((proposal(a, b), result if good else failed(FailureKind.INFEASIBLE)))
    view = view_from(campaign(), done)
    here = situation(view, known(view))
    kept = candidates(here, n=400)
    assert 200 <= len(kept) <= 240
    everything = candidates(situation(view, known(view)), n=400, risky=True)
    chance = here.surrogates.chance(everything.X)
    passing = here.surrogates.chance(kept.X)
    assert chance is not None
    assert passing is not None
    assert passing.min() >= float(np.median(chance))


def test_exploring_keeps_out_of_the_corner_too(view_from: Views, naive: Callable[[], None]) -> None:
    """The surrogate is least sure where nothing was ever measured, which is where nothing can be."""
    views = [view_from(campaign("explore"), a_corner_that_fails(25, seed)) for seed in range(6)]

    def deep() -> int:
        """How many of the next recipes lie deep in the corner."""
        return sum(sum(float(v) for v in next_proposal(view).recipe.values()) > 15.0 for view in views)

    told = deep()
    naive()
    assert told <= 2
    assert deep() >= 5


def test_a_bound_is_heeded_by_the_surrogate_and_dropped_by_the_naive(view_from: Views) -> None:
    done: list[tuple[Proposal, Outcome]] = [
        (proposal(a, 5.0), Outcome(status="measured", values={"y": a}, source="t"))
        for a in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    ]
    beyond = failed(FailureKind.CENSORED, bounds={"y": Interval(high=3.0)})
    view = view_from(campaign(), [*done, (proposal(8.0, 5.0), beyond)])
    X = view.config.space.encode([{"a": 8.0, "b": 5.0}])
    knows = known(view)
    for sign in (1.0, -1.0):
        told, naive = (
            sign * Surrogates(knows, {"y": sign}, 5, heeds_failures=heeds).of("y").predict(X).mean[0]
            for heeds in (True, False)
        )
        assert told < 3.6 < naive
    assert knows.made.all()
    assert math.isinf(knows.results["y"].low[0])


def test_without_any_result_all_candidates_are_left(view_from: Views) -> None:
    view = view_from(campaign(), [])
    assert len(candidates(situation(view, known(view)), n=64)) == 64
