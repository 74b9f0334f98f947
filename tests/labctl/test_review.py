"""Why no recipe is left: what is proved is said as proved, what was not found as not found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.errors import RefusedError

Written = Callable[..., Path]
X = {"kind": "continuous", "unit": "mm", "low": 0, "high": 1}
SMALL = {"kind": "integer", "unit": "mm", "low": 0, "high": 5}
OBJECTIVES = {"y": {"goal": "maximize", "unit": "MPa"}}


@pytest.fixture
def limited(hand_campaign: Written) -> Written:
    """Give ``limited(limits, parameters=..., ...)``: a campaign by hand with a file of hard limits."""

    def write(limits: dict[str, Any], **told: Any) -> Path:  # noqa: ANN401 - a file
        usual = {"objectives": OBJECTIVES, "limits": "limits.yaml", "validation": {"every": 0}}
        file = hand_campaign(**{**usual, **told})
        (file.parent / "limits.yaml").write_text(json.dumps({"limits": {}, "unlimited": [], **limits}))
        return file

    return write


def ends(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "unit": "mm"}


@pytest.mark.parametrize(("d", "share"), [(1, 0.001), (3, 0.05), (8, 0.3)])
def test_narrow_limits_stop_no_arm(limited: Written, d: int, share: float) -> None:
    names = [f"x{i}" for i in range(d)]
    file = limited(
        {"limits": {name: ends(0, share) for name in names}},
        parameters=dict.fromkeys(names, X),
        strategy={"initial": 4, "arms": {"improve": 1}, "replicates": 0},
    )
    with Campaign.open(file) as campaign:
        for n in range(8):
            (experiment,) = campaign.propose(1)
            assert all(0 <= float(v) <= share for v in experiment.proposal.recipe.values())
            at = sum(float(v) for v in experiment.proposal.recipe.values()) / (d * share)
            campaign.record(experiment.id, {"y": 1 - (at - 0.6) ** 2 + 0.01 * n % 2})
        # What two recipes differ by counts in the range that is left, so that improvement is not over.
        strategies = [e.proposal.strategy for e in campaign.state]
        assert strategies == ["space_filling"] * 4 + ["improve"] * 4


def test_a_mixture_within_narrow_limits_is_proposed(limited: Written) -> None:
    file = limited(
        {"limits": {"x": ends(0, 0.2), "z": ends(0, 0.2), "v": ends(0, 0.61)}},
        parameters={"x": X, "z": X, "v": X},
        mixtures={"m": {"parts": ["x", "z", "v"], "total": 1, "unit": "mm"}},
        strategy={"initial": 3, "arms": {"improve": 1}, "replicates": 0},
    )
    with Campaign.open(file) as campaign:
        for n in range(6):
            (experiment,) = campaign.propose(1)
            recipe = experiment.proposal.recipe
            assert sum(float(v) for v in recipe.values()) == pytest.approx(1, abs=1e-9)
            assert float(recipe["v"]) <= 0.61
            campaign.record(experiment.id, {"y": float(recipe["x"]) + 0.1 * n})


def test_candidates_within_the_limits_run_out_as_others_do(limited: Written) -> None:
    file = limited({"limits": {"x": ends(0, 1)}}, parameters={"x": SMALL})
    with Campaign.open(file) as campaign:
        assert len(campaign.propose(3)) == 2
        assert campaign.none_left() == ("exhausted", "every candidate that limits.yaml allows was tried")


def test_combinations_that_chance_never_meets_are_not_called_a_proof(limited: Written) -> None:
    # Four quarters that overlap: no end of one number alone can say it.
    low, high = {"below": 0.6, "unit": "mm"}, {"above": 0.5, "unit": "mm"}
    covered = [{"x": x, "z": z} for x in (low, high) for z in (low, high)]
    wide = {"x": ends(0, 1), "z": ends(0, 1)}
    file = limited({"limits": wide, "forbidden": covered}, parameters={"x": X, "z": X})
    sentence = "may leave a recipe, but none was found in 2,048 draws"
    with Campaign.open(file) as campaign, pytest.raises(RefusedError, match=sentence):
        campaign.propose(1)


def test_what_is_proved_is_said_so(limited: Written) -> None:
    file = limited({"limits": {"x": ends(0, 1)}}, parameters={"x": SMALL})
    with Campaign.open(file) as campaign:
        campaign.propose(1)
        content = {"limits": {"x": ends(7, 9)}, "unlimited": []}
        (file.parent / "limits.yaml").write_text(json.dumps(content))
        sentence = r"limits\.yaml leave no recipe \(x = 0 mm is below the lab's limit of 7 mm"
        with pytest.raises(RefusedError, match=sentence):
            campaign.propose(1)
