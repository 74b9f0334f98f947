"""What a campaign has seen, gathered for whoever shares its budget."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from labctl.evidence import evidence
from labctl.ground import ground
from labctl.surprises import Surprise
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "seen",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


def gathered(view: View, **told: Any) -> Any:  # noqa: ANN401 - Evidence, by its parts
    space = view.config.space
    usual = {"ground": ground(space, view.state), "surprises": (), "widened": 1.0, "seed": 0}
    return evidence(view.config, view.state, space, **{**usual, **told})


@pytest.fixture
def measured_at(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> Callable[..., View]:
    def write(xs: list[float], **told: Any) -> View:  # noqa: ANN401 - fields of a proposal
        return view_from(CAMPAIGN, [(asked({"x": x}, **told), came(y=-x)) for x in xs])

    return write


def test_coverage_is_the_share_of_the_space_near_results(measured_at: Callable[..., View]) -> None:
    left = gathered(measured_at([0.1 * i for i in range(21)])).covered
    everywhere = gathered(measured_at([0.5 * i for i in range(21)])).covered
    assert left == pytest.approx(0.2, abs=0.08)
    assert everywhere > 0.95
    assert gathered(measured_at([1.0])).covered is None


def test_what_a_stand_in_read_covers_nothing(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    done = [(asked({"x": 0.1 * i}), came(y=1)) for i in range(21)]
    read = [(asked({"x": 0.5 * i}, fidelity="quick"), came(y=1)) for i in range(21)]
    alone, both = view_from(CAMPAIGN, done), view_from(CAMPAIGN, [*done, *read])
    assert gathered(both).covered == gathered(alone).covered
    assert gathered(both).results == 21


def test_patience_grows_with_the_campaign(measured_at: Callable[..., View]) -> None:
    assert gathered(measured_at([float(i % 10) for i in range(12)])).patience == 8
    assert gathered(measured_at([float(i % 10) for i in range(80)])).patience == 20


def test_stagnation_verdict_and_surprises_are_told(measured_at: Callable[..., View]) -> None:
    view = measured_at([5.0, 1.0, 2.0, 3.0])
    found = gathered(view)
    assert (found.results, found.since_better, found.verdict, found.surprises) == (4, 2, None, 0)
    judged = replace(view, state=replace(view.state, verdict={"verdict": "lookup table", "n": 4}))
    assert gathered(judged).verdict == "lookup table"
    unsure = {"verdict": "lookup table", "n": 4, "undecided": True}
    assert gathered(replace(view, state=replace(view.state, verdict=unsure))).verdict is None
    told = tuple(Surprise("e0001", {"x": 1.0}, 5.0, said) for said in ("waiting", "agrees", "disagrees"))  # type: ignore[arg-type]
    assert gathered(view, surprises=told).surprises == 2


def test_what_was_promised_is_held_against_what_came(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    def hoped(mean: float, sd: float) -> dict[str, Any]:
        told = {"mean": mean, "sd": sd, "noise_sd": 0.1}
        return {"arm": "improve", "predictions": {"y": told}}

    # Each has an even chance of more than 1, the best that is known, and none comes.
    even = [(asked({"x": 1.0 + i}, **hoped(1.0, 0.5)), came(y=0.0)) for i in range(6)]
    first = (asked({"x": 0.0}), came(y=1.0))
    found = gathered(view_from(CAMPAIGN, [first, *even]))
    assert found.promise == pytest.approx(0.5)
    assert found.let_down == pytest.approx(0.5**6)
    # A better result ends the wait, and what came before it is no let-down any more.
    at_last = (asked({"x": 9.0}, **hoped(1.0, 0.5)), came(y=2.0))
    better = gathered(view_from(CAMPAIGN, [first, *even, at_last]))
    assert better.let_down == 1.0
    few = gathered(view_from(CAMPAIGN, [first, *even[:4]]))
    assert few.promise is None
    assert few.let_down == pytest.approx(0.5**4)
