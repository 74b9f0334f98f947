"""A campaign as a reader sees it: config, state and summary, without the lock and without the instrument."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from labctl.config import CampaignConfig, CampaignModel, load_config
from labctl.errors import RefusedError, RequestError
from labctl.ledger import Ledger
from labctl.ledger_file import held
from labctl.plural import counted, verb
from labctl.state import CampaignState, fold
from labctl.stopping import budgeted, why_halted, why_to_stop
from labctl.summary import Summary, summarise


@dataclass(frozen=True)
class View:
    """What a reader knows of a campaign.

    Attributes:
        config: as the ledger holds it, which is what the experiments were done under.
        state: folded from the ledger.
        summary: of the state.
        ledger: the file.
    """

    config: CampaignConfig
    state: CampaignState
    summary: Summary
    ledger: Path


def ledger_of(file: Path, folder: Path | None) -> Path:
    """The ledger that belongs to a campaign file."""
    if folder is not None:
        return folder / "ledger.sqlite"
    return file.parent / f"{file.stem}.lab" / "ledger.sqlite"


def look(file: Path, folder: Path | None = None) -> View:
    """Read a campaign's ledger.

    Raises:
        RequestError: the campaign file is wrong, or there is no ledger yet.
        RefusedError: the ledger was changed after it was written.
    """
    config = load_config(file)
    path = ledger_of(file, folder)
    if not path.exists() and config.model.instrument.kind == "hand":
        raise RequestError("no ledger here yet; start the campaign with `labctl propose`", file=path)
    with Ledger.read(path) as ledger:
        state = fold(ledger.events())
    if state.config is not None and state.config != config.as_json():
        config = CampaignConfig(file, _as_begun(state.config, path))
    return view_of(config, state, path, running=held(path))


def _as_begun(content: Mapping[str, Any], ledger: Path) -> CampaignModel:
    """The config that the experiments were done under."""
    try:
        return CampaignModel.model_validate(content)
    except ValueError:
        raise RefusedError(
            f"{ledger}: began under rules that this version of labctl refuses; read it with the version that "
            "its first event names"
        ) from None


def _left(config: CampaignConfig, state: CampaignState) -> str:
    """What has no result yet, where no controller is at work on it."""
    waiting, begun = len(state.pending), [e.id for e in state.pending if e.status == "running"]
    left = f"{counted(waiting, 'experiment')} {verb(waiting, 'has', 'have')} no result yet"
    if not begun:
        return left
    return (
        f"{left}; no controller runs, and the instrument may still be at work on {', '.join(begun)}: "
        f"`labctl run {quote(str(config.path))}` asks it"
    )


def view_of(config: CampaignConfig, state: CampaignState, ledger: Path, *, running: bool = False) -> View:
    """The view of a state that is at hand; ``running`` says that a controller is at work on it."""
    budget = config.model.budget.experiments
    done = sum(e.status != "rejected" for e in state)
    waiting = len(state.pending)
    if running:
        status = "running"
        why = f"a controller is at work on it; {counted(done - waiting, 'experiment')} done"
    elif (halted := why_halted(config, state)) is not None:
        status, why = halted
    elif waiting:
        left = _left(config, state)
        ended = why_to_stop(config, state, budget)
        if ended is None:
            status, why = "waiting", left
        elif ended[0] == "halted":
            status, why = "halted", f"{ended[1]}; {left}"
        else:
            status, why = "waiting", f"{left}, and no more are to be proposed: {ended[1]}"
    else:
        command = "propose" if config.model.instrument.kind == "hand" else "run"
        had = f"{budgeted(state)} of the {counted(budget, 'experiment')} in the campaign file"
        status, why = why_to_stop(config, state, budget) or ("open", f"{had}; `labctl {command}` goes on")
    return View(config, state, summarise(config, state, status=status, why=why, ledger=str(ledger)), ledger)
