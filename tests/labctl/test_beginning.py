"""How a campaign begins: with a seed that is one, and a name for its attempts that no other has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.beginning import first_event, seed_that_holds
from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.errors import RequestError
from labctl.ledger import Ledger
from labctl.starter import configs_folder

Written = Callable[..., Path]


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "a", True])
def test_what_is_no_seed_is_refused_and_nothing_is_written(hand_campaign: Written, seed: Any) -> None:  # noqa: ANN401 - whatever a program may pass
    file = hand_campaign()
    with pytest.raises(RequestError, match="seed: is no seed"):
        Campaign.open(file, seed=seed)
    assert not load_config(file).folder.exists()


def test_campaigns_that_share_an_instrument_s_memory_never_share_a_key(tmp_path: Path) -> None:
    config = load_config(configs_folder() / "epics_furnace.yaml")
    bench = set_up(config, folder=tmp_path / "lab", seed=1)
    tokens = {first_event(config, bench, 1)["token"] for _ in range(5)}
    assert len(tokens) == 5
    assert all(token.startswith("epics_furnace/") for token in tokens)


def test_replays_and_simulations_take_theirs_from_the_seed(
    furnace_campaign: Written, replay_campaign: Written, tmp_path: Path
) -> None:
    for file in (furnace_campaign(), replay_campaign()):
        config = load_config(file)
        bench = set_up(config, folder=tmp_path / "lab", seed=7)
        assert first_event(config, bench, 7)["token"] == f"{config.name}/seed-7"
        bench.close()


def test_the_token_of_a_campaign_is_that_of_its_first_day(tmp_path: Path) -> None:
    file = configs_folder() / "epics_furnace.yaml"
    begun = []
    for _ in range(2):
        with Campaign.open(file, folder=tmp_path / "lab") as campaign:
            begun.append((campaign.state.campaign or {})["token"])
            assert campaign.state.seq == 1
    assert begun[0] == begun[1]


def test_options_may_be_mended_until_something_was_begun_under_them(furnace_campaign: Written) -> None:
    def opened(**options: object) -> Campaign:
        return Campaign.open(furnace_campaign(instrument={"kind": "furnace", "options": options}))

    with opened(indents=3) as campaign:
        campaign.propose()
    with opened(indents=4) as campaign:
        assert [e.kind for e in campaign.ledger.events()].count("change") == 1
        campaign.step()
    # What held when the first attempt began is what holds, not what stood there on the first day.
    for indents in (3, 5):
        with pytest.raises(RequestError, match="instrument: changed since the campaign began"):
            opened(indents=indents)
    opened(indents=4).close()


def test_options_may_be_mended_in_a_ledger_of_a_version_that_knew_less(furnace_campaign: Written) -> None:
    file = furnace_campaign(instrument={"kind": "furnace", "options": {"indents": 3}})
    config = load_config(file)
    bench = set_up(config, folder=None, seed=1)
    body = first_event(config, bench, 1)
    earlier = {key: value for key, value in body["config"].items() if key != "fidelities"}
    config.folder.mkdir()
    with Ledger.write(config.folder / "ledger.sqlite") as ledger:
        ledger.append("campaign", {**body, "config": earlier})
        assert seed_that_holds(ledger, config, bench, None) == 1
        mended = load_config(furnace_campaign(instrument={"kind": "furnace", "options": {"indents": 4}}))
        assert seed_that_holds(ledger, mended, bench, None) == 1
    bench.close()


def test_another_instrument_is_another_campaign_even_before_the_first_attempt(
    furnace_campaign: Written,
) -> None:
    file = furnace_campaign()
    Campaign.open(file).close()
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, "instrument": {"kind": "hand"}}), "utf-8")
    with pytest.raises(RequestError, match="instrument: changed since the campaign began"):
        Campaign.open(file)
