"""How a campaign begins, and what may not change between its beginning and now."""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from labctl.bench import Bench, refuse_hopeless
from labctl.config import CampaignConfig, CampaignModel
from labctl.driver import refuse_unneeded
from labctl.errors import RequestError
from labctl.ledger import Entry, Ledger
from labctl.state import CampaignState
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
    "fidelities",
    "seed",
)
"""What of a config may not change once experiments have been done under it."""
_MOST_SEED = 2**63
_REMEMBERED_ELSEWHERE = {"devices", "epics_furnace", "plan", "queueserver"}
"""Kinds of instruments that may remember attempts outside the campaign's folder, beside those of others."""


def opening(config: CampaignConfig, bench: Bench, state: CampaignState, seed: int) -> list[Entry]:
    """What is written when a campaign is opened: how it begins, or how its file has changed, or nothing."""
    if state.campaign is None:
        return [Entry("campaign", first_event(config, bench, seed))]
    content = config.as_json()
    changed = content != state.config
    return [Entry("change", {"config": content, "code": code_version()})] if changed else []


def first_event(config: CampaignConfig, bench: Bench, seed: int) -> dict[str, Any]:
    """The body of a ledger's first event."""
    return {
        "config": config.as_json(),
        "seed": seed,
        "table": bench.table,
        **({"tables": tables} if (tables := _tables_of_fidelities(bench)) else {}),
        "token": f"{config.name}/{_token(config, bench)}",
        "code": code_version(),
    }


def _token(config: CampaignConfig, bench: Bench) -> str:
    """What tells this campaign's attempts from those of another, even of the same name and seed."""
    kinds = {config.instrument(name).kind for name in (None, *config.model.fidelities)}
    shared = bool(kinds & _REMEMBERED_ELSEWHERE) and bench.surroundings.folder is not None
    return secrets.token_hex(8) if shared else bench.token


def refuse_no_seed(seed: object) -> None:
    """See that what is given for a seed is one.

    Raises:
        RequestError: it is no whole number from 0 to 2^63 - 1.
    """
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < _MOST_SEED):
        return
    raise RequestError(
        "is no seed; give a whole number of at least 0 and below 2^63, or leave it out", key="seed"
    )


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


def refuse_to_begin(config: CampaignConfig, bench: Bench, ledger: Path) -> None:
    """Where a campaign would begin with this ledger, see that it can, before anything is written.

    Where an instrument remembers attempts of this campaign although its ledger is gone, the numbers of its
    experiments would begin anew, and each attempt would pass for one under way.

    Raises:
        RequestError: the lab's limits forbid all of it, or the ledger was lost; names the place.
    """
    refuse_unneeded(config)
    if ledger.exists() and not (ledger.is_file() and ledger.stat().st_size == 0):
        return
    refuse_hopeless(config, bench)
    folder = bench.surroundings.folder
    if folder is not None and knows(folder, f"{config.name}/"):
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
    now = _without_lanes(config.as_json())
    before = _without_lanes(_as_first_used(ledger, config))
    for key in FIXED:
        if now.get(key) != before.get(key):
            raise RequestError(
                f"changed since the campaign began; put it back, or begin anew with --folder ({ledger.path})",
                file=config.path,
                key=key,
            )
    for table, at_first in _tables(bench, began):
        if table is not None and at_first is not None and table["sha256"] != at_first["sha256"]:
            raise RequestError(
                "this table changed since the campaign began; put it back, or begin anew with --folder",
                file=table["path"],
            )
    if seed is not None and seed != began["seed"]:
        raise RequestError(
            f"is {seed}, but the campaign began with seed {began['seed']}; leave it out to go on, or begin "
            "anew with --folder",
            key="--seed",
        )
    return int(began["seed"])


def _as_first_used(ledger: Ledger, config: CampaignConfig) -> "Mapping[str, Any]":
    """The config under which the first attempt was begun, which may have other options than the first one.

    A wrong option may show only when a device is connected. Until something was done, options are free.
    """
    content: Mapping[str, Any] = {}
    for event in ledger.events():
        if event.kind in {"campaign", "change"}:
            content = _as_now(json.loads(event.body)["config"])
        elif event.kind in {"intent", "outcome"}:
            return content
    now = config.as_json()
    fidelities = {
        name: {**fidelity, "instrument": _with_options_of(now["fidelities"].get(name, {}), fidelity)}
        for name, fidelity in content["fidelities"].items()
    }
    return {**content, "fidelities": fidelities, "instrument": _with_options_of(now, content)}


def _with_options_of(now: "Mapping[str, Any]", before: "Mapping[str, Any]") -> "Mapping[str, Any]":
    """The instrument that stood there before, with the options of now if it still is of the same kind."""
    old, new = before["instrument"], now.get("instrument", {})
    return {**old, "options": new["options"]} if new.get("kind") == old["kind"] else old


def _without_lanes(content: "Mapping[str, Any]") -> "dict[str, Any]":
    """A config without the numbers of lanes: a second furnace may come when the first is at work."""
    fidelities = {
        name: {**fidelity, "instrument": {**fidelity["instrument"], "lanes": 1}}
        for name, fidelity in content["fidelities"].items()
    }
    return {**content, "fidelities": fidelities, "instrument": {**content["instrument"], "lanes": 1}}


def _tables_of_fidelities(bench: Bench) -> "dict[str, Mapping[str, str]]":
    """By cheaper fidelity, the table that it rests on."""
    return {name: stand_in.table for name, stand_in in bench.stand_ins.items() if stand_in.table is not None}


def _tables(
    bench: Bench, began: "Mapping[str, Any]"
) -> "list[tuple[Mapping[str, str] | None, Mapping[str, str] | None]]":
    """Every table as it is now, beside what it was when the campaign began."""
    before = began.get("tables", {})
    others = [(table, before.get(name)) for name, table in _tables_of_fidelities(bench).items()]
    return [(bench.table, began["table"]), *others]


def _as_now(content: "Mapping[str, Any]") -> "Mapping[str, Any]":
    """An earlier config with the defaults that this version has for what the earlier one did not know."""
    try:
        return CampaignModel.model_validate(content).model_dump(mode="json", exclude_none=True)
    except ValidationError:
        return content
