"""Results that a person brings: checked like a stranger's, then written like an instrument's."""

import math
from collections.abc import Mapping

from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.proposal import Outcome
from labctl.space.parameters import reached_problem
from labctl_drivers.protocol import FailureKind, Recipe


def checked_outcome(
    config: CampaignConfig,
    values: Mapping[str, float],
    *,
    failed: str | None,
    message: str,
    actual: Recipe,
    by: str,
) -> Outcome:
    """What a person measured, as an outcome.

    Raises:
        RequestError: a value is missing, no finite number, or of no objective; or the failure is no kind.
    """
    objectives = config.model.objectives
    for name, value in values.items():
        if name not in objectives:
            raise RequestError(f"no such objective; this campaign has {', '.join(objectives)}", key=name)
        if not math.isfinite(value):
            raise RequestError(
                f"is {value}, which is no result; record it with --failed bad_reading and say what happened",
                key=name,
            )
    parameters = config.model.parameters
    for name, setting in actual.items():
        if name not in parameters:
            raise RequestError(f"no such parameter; this campaign has {', '.join(parameters)}", key=name)
        problem = reached_problem(parameters[name], setting)
        if problem is not None:
            raise RequestError(f"{problem}; say in --message what was reached", key=name)
    if failed is not None and failed not in [kind.value for kind in FailureKind]:
        raise RequestError(
            f"{failed!r} is no kind of failure; use one of {', '.join(FailureKind)}", key="--failed"
        )
    goal, objective = config.goal
    if failed is None and goal not in values:
        raise RequestError(f"give its value in {objective.unit}, or say how it --failed", key=goal)
    return Outcome(
        status="measured" if failed is None else "failed",
        kind=None if failed is None else FailureKind(failed),
        stage=None if failed is None else "by hand",
        message=message,
        values={name: float(value) for name, value in values.items()},
        actual=dict(actual),
        source=by,
    )
