"""What a row of a sheet says: which experiment it is about, and what came of that."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labctl.errors import RequestError
from labctl.proposal import Outcome
from labctl.record import as_asked, checked_outcome
from labctl.sheet.row import Row
from labctl.space.parameters import NUMERIC, Parameter
from labctl.state import Experiment
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl.campaign import Campaign


def experiment_of(row: Row, campaign: "Campaign") -> Experiment:
    """The experiment that a row is about.

    Raises:
        RequestError: there is none, or it is not one that is done by hand.
    """
    try:
        experiment = campaign.find(row.cells.get("experiment", ""))
    except RequestError as error:
        raise row.wrong("experiment", error.what) from None
    recordable = experiment.status in {"proposed", "approved"} or experiment.outcome is not None
    if experiment.proposal.route != "hand" or not recordable:
        raise row.wrong(
            "experiment", f"{experiment.id} is {experiment.status} and not done by hand; empty this row"
        )
    return experiment


def outcome_of(row: Row, experiment: Experiment, campaign: "Campaign", by: str) -> Outcome:
    """What a row says came of its experiment; ``by`` says who, where the row does not.

    Raises:
        RequestError: in one sentence with file, line and column.
    """
    filled = [name for name in row.results if row.cells.get(name)]
    bounds = {name: bound for name in filled if (bound := row.bound(name)) is not None}
    values = {name: row.number(name) for name in filled if name not in bounds}
    kind = row.cells.get("failed", "").casefold().replace(" ", "_") or None
    message = row.cells.get("message", "")
    actual = _changed(row, experiment, campaign.bench.space.parameters)
    try:
        return checked_outcome(
            campaign.config,
            values,
            asked=experiment.proposal.recipe,
            failed=kind,
            message=message,
            actual=actual,
            bounds=bounds,
            by=row.cells.get("by") or by,
        )
    except RequestError as error:
        raise row.wrong((error.key or "").removeprefix("--"), error.what) from None


def _changed(row: Row, experiment: Experiment, parameters: Mapping[str, Parameter]) -> Recipe:
    """The settings of the row that are not those asked for."""
    changed: dict[str, Any] = {}
    for name, parameter in parameters.items():
        text, asked = row.cells.get(name), experiment.proposal.recipe[name]
        if not text:
            continue
        if isinstance(parameter, NUMERIC):
            value = row.number(name)
            if not as_asked(parameter, value, asked):
                changed[name] = value
        elif text != asked:
            problem = parameter.problem(text)
            if problem is not None:
                raise row.wrong(
                    name, f"{problem}; write what was really used into message, and off_recipe into failed"
                )
            changed[name] = text
    return changed
