"""Predictions that were too sure of themselves widen those that come after them, and honest ones do not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labctl.proposal import Outcome, Predicted, Proposal
from labctl.view import View
from labctl.widening import widening

CAMPAIGN: dict[str, Any] = {
    "campaign": "line",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 1}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


def done(x: float, predicted: Predicted, y: float) -> tuple[Proposal, Outcome]:
    proposal = Proposal(
        recipe={"x": x},
        arm="random",
        because="drawn",
        predictions={"y": predicted},
        data="0",
        code="labctl 0",
        seed=5,
    )
    return proposal, Outcome(status="measured", values={"y": y}, source="hand")


def campaign(view_from: Callable[..., View], scatter: float, n: int, seed: int) -> View:
    rng = np.random.default_rng(seed)
    said = Predicted(mean=0.0, sd=0.6, noise_sd=0.8)
    return view_from(CAMPAIGN, [done(i / n, said, scatter * rng.standard_normal()) for i in range(n)])


def test_predictions_that_keep_their_word_are_left_alone(view_from: Callable[..., View]) -> None:
    views = [campaign(view_from, 1.0, 60, seed) for seed in range(40)]
    alarms = sum(widening(v.config, v.state) > 1.0 for v in views)
    # The alarm is raised with probability 1/20 at most, however often one looks: 6 of 40 or more has p < 2 %.
    assert alarms < 6


def test_predictions_three_times_too_narrow_are_widened_about_threefold(
    view_from: Callable[..., View],
) -> None:
    factors = [widening(v.config, v.state) for v in (campaign(view_from, 3.0, 60, s) for s in range(10))]
    assert min(factors) > 1.5
    assert 2.0 < float(np.median(factors)) < 4.5


def test_after_an_alarm_the_widened_predictions_are_watched_anew(view_from: Callable[..., View]) -> None:
    rng = np.random.default_rng(1)
    narrow = [
        done(i / 99, Predicted(mean=0.0, sd=1.0), 3.0 * float(rng.standard_normal())) for i in range(20)
    ]
    first = view_from(CAMPAIGN, narrow)
    factor = widening(first.config, first.state)
    assert factor > 1.5
    wide = Predicted(mean=0.0, sd=3.5, widened=3.5)
    honest = [done(0.5 + i / 99, wide, 3.0 * float(rng.standard_normal())) for i in range(30)]
    later = view_from(CAMPAIGN, [*narrow, *honest])
    assert widening(later.config, later.state) == pytest.approx(factor)


def test_nothing_to_score_widens_nothing(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, [])
    assert widening(view.config, view.state) == 1.0


def test_a_surrogate_that_keeps_its_word_again_is_soon_believed_again(
    view_from: Callable[..., View],
) -> None:
    rng = np.random.default_rng(2)
    said = Predicted(mean=0.0, sd=1.0)
    wrong = [done(i / 99, said, 4.0 * float(rng.standard_normal())) for i in range(12)]
    factor = widening((first := view_from(CAMPAIGN, wrong)).config, first.state)
    assert factor > 2.0
    wide = Predicted(mean=0.0, sd=factor, widened=factor)
    right = [done(0.3 + i / 99, wide, float(rng.standard_normal())) for i in range(30)]
    factors = [widening((v := view_from(CAMPAIGN, [*wrong, *right[:n]])).config, v.state) for n in range(31)]
    assert factors[0] == pytest.approx(factor)
    assert factors[20] < factor
    # Over thirty results the nine in ten that have to be covered leave room for what chance does.
    assert factors[30] < 0.5 * factor
