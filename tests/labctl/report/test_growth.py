"""The dominated volume, result by result, against areas counted by hand and the volume of the whole front."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from labctl.config import CampaignConfig, CampaignModel
from labctl.ledger import Ledger
from labctl.proposal import Outcome, Proposal
from labctl.report.growth import better, growth, volume_figure
from labctl.state import CampaignState, experiment_id, fold
from labctl.view import View
from labctl_models.acquisition.hypervolume import dominated_volume, pareto, reference_point

Values = NDArray[np.float64]
_LEVELS = st.integers(-9, 9).map(float)


def test_the_share_is_the_area_counted_by_hand(alloys: Callable[..., View]) -> None:
    # Strength up, price down. On the front (0, 0) and (10, -10) in worths, so the corner is (-1, -11) and
    # the box 11 by 11. Alone (0, -0) dominates 1 x 11; (10, -10) adds 10 x 1; (4, -4) adds 4 x 6.
    view = alloys([(0, 0, 9), (10, 10, 9), None, (11, 11, 1), (4, 4, 9), (3, 5, 9)])
    grown = growth(view.config, view.state)
    assert [g.experiment.number for g in grown] == [1, 2, 4, 5, 6]
    areas = [11 / 121, 21 / 121, 21 / 121, 45 / 121, 45 / 121]
    assert [g.share for g in grown] == pytest.approx(areas, abs=2e-3)
    assert [g.grew for g in grown] == [True, True, False, True, False]
    assert better(view.config, view.state, grown) == {"e0001", "e0002", "e0005"}
    figure = volume_figure(view.config, view.state, grown)
    [strip] = [t for t in figure["data"] if t.get("yaxis") == "y2"]
    assert (strip["name"], strip["x"]) == ("infeasible", [3])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda m: arrays(np.float64, st.tuples(st.integers(1, 12), st.just(m)), elements=_LEVELS)
    )
)
def test_at_the_end_it_is_the_volume_of_the_whole_front(values: Values) -> None:
    names = [f"g{i}" for i in range(values.shape[1])]
    view = _view(names, values)
    grown = growth(*view)
    corner = reference_point(values)
    box = float(np.prod(values.max(axis=0) - corner))
    whole = dominated_volume(pareto(values), corner) / box
    assert grown[-1].share == pytest.approx(whole, abs=5e-3)
    shares = [g.share for g in grown]
    assert shares == sorted(shares)


def _view(names: list[str], values: Values) -> tuple[CampaignConfig, CampaignState]:
    content = {
        "campaign": "c",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 1}},
        "objectives": {n: {"goal": "maximize", "unit": "mm"} for n in names},
        "instrument": {"kind": "hand"},
    }
    config = CampaignConfig(Path("c.yaml"), CampaignModel.model_validate(content))
    with Ledger.write(None) as ledger:
        ledger.append(
            "campaign",
            {"config": config.as_json(), "seed": 5, "table": None, "token": "t", "code": "labctl 0"},
        )
        for number, row in enumerate(values.tolist(), start=1):
            proposal = Proposal(recipe={"x": 0.5}, arm="random", because="", data="", code="", seed=0)
            outcome = Outcome(status="measured", values=dict(zip(names, row, strict=True)), source="s")
            name = experiment_id(number)
            ledger.append("proposal", proposal.body(), experiment=name, attempt=0)
            ledger.append("outcome", outcome.body(), experiment=name, attempt=1)
        return config, fold(ledger.events())


def test_nothing_that_keeps_the_limits_is_no_front(alloys: Callable[..., View]) -> None:
    view = alloys([(1, 1, 0), (2, 2, 1)])
    assert growth(view.config, view.state) == []


def test_huge_and_equal_values_stay_within_a_float(alloys: Callable[..., View]) -> None:
    for results in ([(1e149, 1e149, 9), (-1e149, -1e149, 9)], [(7e140, 1, 9)] * 3):
        view = alloys(results)
        assert all(0 <= g.share <= 1 + 1e-9 for g in growth(view.config, view.state))
