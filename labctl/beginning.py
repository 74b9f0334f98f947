"""How a campaign begins, and what may not change between its beginning and now."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.bench import Bench
from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.ledger import Ledger
from labctl.strategy import code_version
from labctl_drivers.memory import knows

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXED = (
    "campaign",
    "parameters",
    "mixtures",
    "constraints",
    "candidates",
    "objectives",
    "instrument",
    "seed",
)
"""What of a config may not change once experiments have been done under it."""


def first_event(config: CampaignConfig, bench: Bench, seed: int) -> dict[str, Any]:
    """The body of a ledger's first event."""
    return {
        "config": config.as_json(),
        "seed": seed,
        "table": bench.table,
        "token": f"{config.name}/{bench.token}",
        "code": code_version(),
    }


def refuse_by_hand(config: CampaignConfig) -> None:
    """See that there is an instrument to run a campaign with.

    Raises:
        RequestError: a person carries the experiments out.
    """
    if config.model.instrument.kind == "hand":
        raise RequestError(
            "is hand, so there is nothing to run; use `labctl propose` and `labctl record`",
            file=config.path,
            key="instrument.kind",
        )


def refuse_forgotten(config: CampaignConfig, bench: Bench, ledger: Path) -> None:
    """See that no instrument remembers attempts of this campaign where its ledger is gone.

    The numbers of its experiments would begin anew, and each attempt would pass for one under way.

    Raises:
        RequestError: names the folder with the instruments' memory.
    """
    folder = bench.surroundings.folder
    gone = not ledger.exists() or (ledger.is_file() and ledger.stat().st_size == 0)
    if folder is not None and gone and knows(folder, f"{config.name}/{bench.token}/"):
        raise RequestError(
            f"the instrument remembers attempts of this campaign, but {ledger.name} is gone; put it back, or "
            "begin anew with --folder",
            file=folder,
        )


def seed_that_holds(ledger: Ledger, config: CampaignConfig, bench: Bench, seed: int | None) -> int:
    """Compare a ledger's beginning with what is asked of it now, and give the seed that holds.

    Raises:
        RequestError: the campaign began with something else.
    """
    first = next(ledger.events(), None)
    if first is None:
        return config.model.seed if seed is None else seed
    began: Mapping[str, Any] = json.loads(first.body)
    for key in FIXED:
        if config.as_json().get(key) != began["config"].get(key):
            raise RequestError(
                f"changed since the campaign began; put it back, or begin anew with --folder ({ledger.path})",
                file=config.path,
                key=key,
            )
    if bench.table is not None and bench.table["sha256"] != began["table"]["sha256"]:
        raise RequestError(
            "this table changed since the campaign began; put it back, or begin anew with --folder",
            file=bench.table["path"],
        )
    if seed is not None and seed != began["seed"]:
        raise RequestError(
            f"is {seed}, but the campaign began with seed {began['seed']}; leave it out to go on, or begin "
            "anew with --folder",
            key="--seed",
        )
    return int(began["seed"])
