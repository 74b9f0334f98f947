"""The guide to campaign files: every example in it loads, and every key is in it."""

import dataclasses
import re
from pathlib import Path

import pytest

from labctl.config import CampaignModel, load_config
from labctl.registry import ARMS, INSTRUMENTS
from labctl_drivers.limits import load_limits
from labctl_drivers.protocol import Surroundings
from labctl_drivers.registry import build
from labctl_drivers.simulated.settings import BenchSettings

PAGE = (Path(__file__).parents[2] / "docs" / "campaigns.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CAMPAIGNS = [block for block in BLOCKS if block.startswith("campaign:")]
LIMITS = [block for block in BLOCKS if block not in CAMPAIGNS]


@pytest.mark.parametrize("block", CAMPAIGNS, ids=[block.split()[1] for block in CAMPAIGNS])
def test_every_example_is_a_campaign_that_loads(tmp_path: Path, block: str) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(block, encoding="utf-8")
    config = load_config(path)
    options = config.model.instrument.options
    if options:
        build(config.model.instrument.kind, options, Surroundings())


def test_the_limits_hold_what_the_example_may_ask_for(tmp_path: Path) -> None:
    [text] = LIMITS
    limits, campaign = tmp_path / "limits.yaml", tmp_path / "campaign.yaml"
    limits.write_text(text, encoding="utf-8")
    [block] = [block for block in CAMPAIGNS if "limits: limits.yaml" in block]
    campaign.write_text(block, encoding="utf-8")
    config = load_config(campaign)
    found = load_limits(config.beside(str(config.model.limits)))
    for u in (0.0, 1.0):
        recipe = {
            name: p.decode(p.encode([v]))[0]
            for name, p in config.space.parameters.items()
            for v in [_end(p, u)]
        }
        assert found.violations(recipe, config.space.units) == ()


def _end(parameter: object, u: float) -> float | str:
    choices = getattr(parameter, "choices", None)
    return choices[-int(u)] if choices else getattr(parameter, "high" if u else "low")


def _keys(schema: dict[str, object]) -> set[str]:
    """Every key that a campaign file may hold, wherever it stands."""
    found: set[str] = set()
    for part in (schema, *schema["$defs"].values()):  # type: ignore[attr-defined]
        found |= set(part.get("properties", {}))
    return found


def test_every_key_arm_instrument_and_option_is_in_the_guide() -> None:
    words = set(re.findall(r"\w+", PAGE))
    named = _keys(CampaignModel.model_json_schema()) | set(ARMS) | set(INSTRUMENTS)
    assert named - words == set()
    assert {field.name for field in dataclasses.fields(BenchSettings)} - words == set()
