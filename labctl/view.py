"""A campaign as a reader sees it: config, state and summary, without the lock and without the instrument."""

from dataclasses import dataclass
from pathlib import Path

from labctl.config import CampaignConfig, CampaignModel, load_config
from labctl.ledger import Ledger
from labctl.state import CampaignState, fold
from labctl.stopping import why_to_stop
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
    """
    config = load_config(file)
    path = ledger_of(file, folder)
    with Ledger.read(path) as ledger:
        state = fold(ledger.events())
    if state.config is not None and state.config != config.as_json():
        config = CampaignConfig(file, CampaignModel.model_validate(state.config))
    return view_of(config, state, path)


def view_of(config: CampaignConfig, state: CampaignState, ledger: Path) -> View:
    """The view of a state that is at hand."""
    budget = config.model.budget.experiments
    done = sum(e.status != "rejected" for e in state)
    if state.pending:
        status, why = "waiting", f"{len(state.pending)} experiments have no result yet"
    else:
        status, why = why_to_stop(config, state, budget) or (
            "open",
            f"{done} of {budget} experiments are done",
        )
    return View(config, state, summarise(config, state, status=status, why=why, ledger=str(ledger)), ledger)
