"""What a campaign works with: the lab's limits are held against it before anything is written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl import Campaign
from labctl.errors import RequestError


def test_a_text_listed_under_unlimited_is_refused_with_the_remedy_and_nothing_is_written(
    furnace_campaign: Callable[..., Path],
) -> None:
    file = furnace_campaign()
    limits = file.parent / "limits.yaml"
    allowed = json.loads(limits.read_text("utf-8"))
    listed = {**allowed, "unlimited": [*allowed.get("unlimited", []), "quench"]}
    limits.write_text(json.dumps(listed), "utf-8")
    with pytest.raises(RequestError) as wrong:
        Campaign.open(file)
    sentence = str(wrong.value)
    assert "limits.yaml: unlimited.quench: leaves no recipe: quench is text" in sentence
    assert "a text needs no entry: take quench out there" in sentence
    assert sorted(path.name for path in file.parent.iterdir()) == ["campaign.yaml", "limits.yaml"]
    # The remedy is one: without the entry the same campaign begins.
    limits.write_text(json.dumps(allowed), "utf-8")
    with Campaign.open(file) as campaign:
        assert campaign.run(experiments=1).experiments == 1
