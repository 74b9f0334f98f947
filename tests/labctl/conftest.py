"""Campaigns that are written event by event, for what no instrument does on command."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl.config import CampaignConfig, CampaignModel
from labctl.ledger import Ledger
from labctl.proposal import Outcome, Proposal
from labctl.state import experiment_id, fold
from labctl.view import View, view_of

Views = Callable[[Mapping[str, Any], Iterable[tuple[Proposal, Outcome | None]]], View]


@pytest.fixture
def view_from() -> Views:
    """Give ``view_from(campaign, [(proposal, outcome or None), ...])``: the view of a campaign like this."""

    def write(campaign: Mapping[str, Any], done: Iterable[tuple[Proposal, Outcome | None]]) -> View:
        config = CampaignConfig(Path("campaign.yaml"), CampaignModel.model_validate(campaign))
        with Ledger.write(None) as ledger:
            ledger.append(
                "campaign",
                {"config": config.as_json(), "seed": 5, "table": None, "token": "t", "code": "labctl 0"},
            )
            for number, (proposal, outcome) in enumerate(done, start=1):
                name = experiment_id(number)
                ledger.append("proposal", proposal.body(), experiment=name, attempt=0)
                if outcome is not None:
                    decision = {"verdict": "approved", "by": "rule"}
                    ledger.append("decision", decision, experiment=name, attempt=0)
                    ledger.append("outcome", outcome.body(), experiment=name, attempt=1)
            return view_of(config, fold(ledger.events()), Path("ledger.sqlite"))

    return write


@pytest.fixture
def asked() -> Callable[..., Proposal]:
    """Give ``asked({"x": 1.0}, arm="improve", ...)``: a proposal of this recipe."""

    def write(recipe: Mapping[str, Any], **told: Any) -> Proposal:  # noqa: ANN401 - any field
        usual = {"arm": "random", "because": "asked for", "data": "0", "code": "labctl 0", "seed": 5}
        return Proposal.model_validate({"recipe": dict(recipe), **usual, **told})

    return write


@pytest.fixture
def came() -> Callable[..., Outcome]:
    """Give ``came(y=1.0)``: these values as measured; ``came(kind="infeasible")``: this failure."""

    def write(kind: str | None = None, told: Mapping[str, Any] | None = None, **values: float) -> Outcome:
        status = "measured" if kind is None else "failed"
        content = {"status": status, "kind": kind, "values": values, "source": "hand", **(told or {})}
        return Outcome.model_validate(content)

    return write
