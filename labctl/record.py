"""Results that a person brings: checked like a stranger's, then written like an instrument's."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from labctl.config import CampaignConfig
from labctl.dispatch import refuse_wild
from labctl.errors import RequestError
from labctl.ledger import Entry
from labctl.proposal import Decision, Interval, Outcome, Settled
from labctl.space.parameters import Parameter, reached_problem
from labctl.space.shown import resolution, setting_text
from labctl.state import CampaignState, Experiment, number_of
from labctl_drivers.protocol import FailureKind, Recipe, Setting

_SLACK = 1.0 + 1e-6
"""For the rounding of what a sheet shows."""
_SHOWN = 60
"""So many letters of what is no value at all are quoted."""


def found(state: CampaignState, experiment: object) -> Experiment:
    """The experiment with this id, however it was typed.

    Raises:
        RequestError: there is none.
    """
    number = number_of(experiment)
    if number is None or number not in state.experiments:
        raise RequestError(
            f"there is no experiment {experiment!r}; `labctl status` lists those there are", key="EXPERIMENT"
        )
    return state.experiments[number]


def recorded(
    config: CampaignConfig,
    experiment: Experiment,
    values: Mapping[str, float],
    *,
    by: str,
    **told: Any,  # noqa: ANN401 - see below
) -> list[Entry]:
    """The events by which a person records an experiment; ``told`` is as in :func:`checked_outcome`.

    Raises:
        RequestError: it has a result already, is not for a person to record, or a value is unusable.
    """
    if experiment.status in ("measured", "failed"):
        return [_completed(config, experiment, values, by=by, **told)]
    if experiment.status not in ("proposed", "approved") or experiment.proposal.route != "hand":
        raise RequestError(
            f"{experiment.id} is {experiment.status} and cannot be recorded by hand; `labctl status` lists "
            "those that can"
        )
    result = checked_outcome(config, values, asked=experiment.proposal.recipe, by=by, **told)
    refuse_wild(result)
    entries = [Entry("outcome", result.body(), experiment.id, len(experiment.outcomes) + 1)]
    if experiment.decision is None:
        decision = Decision(verdict="approved", by=by, reason="carried out by hand")
        entries.insert(0, Entry("decision", decision.body(), experiment.id, 0))
    # Both or neither: a decision without its outcome would leave the experiment half recorded.
    return entries


def _completed(
    config: CampaignConfig,
    experiment: Experiment,
    values: Mapping[str, float],
    *,
    by: str,
    failed: str | None,
    message: str,
    actual: Recipe,
    bounds: Mapping[str, Interval],
) -> Entry:
    """What a person adds, once, to a measured result that lacked something; both stay in the ledger."""
    before, attempt = experiment.outcomes[-1], len(experiment.outcomes)
    lacking = [name for name in config.model.objectives if name not in before.values]
    added_before = any(s.attempt == attempt for s in experiment.settled)
    by_hand = experiment.proposal.route == "hand"
    if before.status == "failed" or not missing(config, before) or added_before or not by_hand:
        raise RequestError(
            f"{experiment.id} has its result already; a result that was recorded stays as it is",
            key="EXPERIMENT",
        )
    if failed is not None or actual or bounds or not values or any(name not in lacking for name in values):
        raise RequestError(
            f"{experiment.id} has a result without {' and '.join(missing(config, before))}; only values of "
            f"what it lacks can be added, once ({', '.join(lacking)})",
            key="EXPERIMENT",
        )
    result = checked_outcome(
        config,
        {**before.values, **values},
        asked=experiment.made,
        failed=None,
        message=message or before.message,
        actual=before.actual,
        bounds={},
        by=by,
    )
    refuse_wild(result)
    result = result.model_copy(update={"raw": before.raw, "run": before.run, "seconds": before.seconds})
    added = Settled(verdict="measured", outcome=result, by=by)
    return Entry("settled", added.body(), experiment.id, attempt)


def checked_outcome(
    config: CampaignConfig,
    values: Mapping[str, float],
    *,
    asked: Recipe,
    failed: str | None,
    message: str,
    actual: Recipe,
    bounds: Mapping[str, Interval],
    by: str,
) -> Outcome:
    """What a person measured, as an outcome.

    A result with a bound in place of the goal's value is ``censored``. A result whose settings are not those
    asked for is ``off_recipe``: its values are kept, and count at the settings that were reached, even if
    these lie outside the campaign's space. One that is both is ``censored``, at the settings reached.

    Args:
        config: of the campaign.
        values: what was measured, by objective.
        asked: the recipe of the proposal.
        failed: a failure kind, if it failed.
        message: what happened.
        actual: settings that were reached.
        bounds: what is known of objectives that are beyond the scale.
        by: who says so.

    Raises:
        RequestError: a value is missing, no finite number, or of no objective; a setting is none; the
            failure is no kind, or a bound or a value does not go with it.
    """
    _check_texts(message, by)
    _check_values(config, values)
    _check_settings(config, actual)
    if failed is not None and failed not in [kind.value for kind in FailureKind]:
        raise RequestError(
            f"{failed!r} is no kind of failure; use one of {', '.join(FailureKind)}", key="--failed"
        )
    kind = None if failed is None else FailureKind(failed)
    known = config.model.parameters
    missed = {n: setting for n, setting in actual.items() if not as_asked(known[n], setting, asked[n])}
    if kind is FailureKind.OFF_RECIPE and (values or bounds):
        if not missed:
            raise RequestError(
                "off_recipe counts at the settings that were reached; give them with --actual NAME=VALUE, or "
                "leave the values out",
                key="--failed",
            )
        # Beyond the scale too: it counts as its bound, at the settings that were reached.
        kind = None if bounds else kind
    if bounds or kind is FailureKind.CENSORED:
        _check_bounds(config, values, bounds, kind)
        kind = FailureKind.CENSORED
    goal, objective = config.goal
    if kind is None and not any(name in values for name in config.goals):
        raise RequestError(f"give its value in {objective.unit}, or say how it --failed", key=goal)
    if missed and kind in (None, FailureKind.OFF_RECIPE, FailureKind.CENSORED):
        kind = kind or FailureKind.OFF_RECIPE
        told = ", ".join(_missed(n, known[n], v, asked[n]) for n, v in missed.items())
        message = f"{told}; {message}" if message else told
    measured = {name: float(value) for name, value in values.items()}
    return Outcome(
        status="measured" if kind is None else "failed",
        kind=kind,
        stage=None if kind is None else "by hand",
        message=message,
        values=measured,
        bounds=dict(bounds),
        actual=dict(actual),
        source=by,
    )


def can_try_again(config: CampaignConfig, state: CampaignState, experiment: Experiment) -> bool:
    """Whether an experiment by hand failed in a way that says nothing of its recipe, not too often yet."""
    kind = None if experiment.outcome is None else experiment.outcome.kind
    if kind is None or experiment.proposal.route != "hand":
        return False
    most = int(config.model.retries.model_dump().get(kind.value, 0))
    return state.tries(experiment.proposal.recipe) <= most


def missing(config: CampaignConfig, outcome: Outcome) -> list[str]:
    """Goals and limited quantities of which a result says nothing; none where it is a failure alone."""
    told = {*outcome.values, *outcome.bounds}
    return [n for n, o in config.model.objectives.items() if o.needed and n not in told] if told else []


def as_asked(parameter: Parameter, reached: Setting, asked: Setting) -> bool:
    """Whether a setting that was reached is the one that was asked for, as a person was shown it."""
    if isinstance(reached, str) or isinstance(asked, str):
        return reached == asked
    return abs(reached - asked) <= _SLACK * resolution(parameter, asked)


def _check_values(config: CampaignConfig, values: Mapping[str, float]) -> None:
    objectives = config.model.objectives
    for name, value in values.items():
        if name not in objectives:
            raise RequestError(f"no such objective; this campaign has {', '.join(objectives)}", key=name)
        if not _is_number(value):
            raise RequestError(f"is {repr(value)[:_SHOWN]}, which is no number; give one", key=name)
        if not _is_finite(value):
            raise RequestError(
                f"is {_named(value)}, which is no result; record it with --failed bad_reading and say what "
                "happened",
                key=name,
            )


def _check_texts(message: object, by: object) -> None:
    for key, text in (("--message", message), ("--by", by)):
        if not isinstance(text, str):
            raise RequestError(f"is {repr(text)[:_SHOWN]}, which is no text; give one", key=key)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _named(value: object) -> str:
    return str(value) if isinstance(value, float) else "a huge number"


def _check_settings(config: CampaignConfig, actual: Recipe) -> None:
    parameters = config.model.parameters
    for name, setting in actual.items():
        if name not in parameters:
            raise RequestError(f"no such parameter; this campaign has {', '.join(parameters)}", key=name)
        problem = reached_problem(parameters[name], setting)
        if problem is not None:
            raise RequestError(f"{problem}; say in --message what was reached", key=name)


def _check_bounds(
    config: CampaignConfig,
    values: Mapping[str, float],
    bounds: Mapping[str, Interval],
    kind: FailureKind | None,
) -> None:
    objectives = config.model.objectives
    for name, bound in bounds.items():
        if name not in objectives:
            raise RequestError(f"no such objective; this campaign has {', '.join(objectives)}", key=name)
        ends = [end for end in (bound.low, bound.high) if end is not None]
        if not ends or ends != sorted(set(ends)):
            raise RequestError("no value lies within these bounds; write for example '>150'", key=name)
    if kind not in (None, FailureKind.CENSORED):
        raise RequestError(f"a bound is for censored results, and this one is {kind.value}; leave it out")
    goal, _ = config.goal
    plain = next((name for name in values if name in bounds), None)
    if plain is None and all(name in values for name in config.goals):
        plain = goal
    if plain is not None:
        raise RequestError("has a value, and a censored result has a bound instead; give one", key=plain)
    if not any(name in bounds for name in config.goals):
        raise RequestError(f"a censored result needs its bound; write for example '{goal}>150'", key=goal)


def _missed(name: str, parameter: Parameter, reached: Setting, asked: Setting) -> str:
    return f"{name} was {setting_text(parameter, reached)}, not {setting_text(parameter, asked)}"
