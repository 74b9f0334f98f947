"""What the page knows of each experiment: compact rows, from which the browser makes table and hovers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.config import CampaignConfig
from labctl.export import z_scores
from labctl.proposal import Alternative, Predicted
from labctl.report.look import FAILURES, pretty_unit, rounded
from labctl.report.words import domain_in_words, surprise_in_words
from labctl.scores import broken_limits
from labctl.space.parameters import NUMERIC
from labctl.state import CampaignState, Experiment
from labctl.surprises import surprises
from labctl_drivers.protocol import Recipe, Setting

MOST_SETTINGS = 40
"""Settings of a recipe that the page shows; the export has them all."""
MOST_RAW = 600
"""Characters of an instrument's raw answer that the page shows."""
MOST_ALTERNATIVES = 5


def columns(config: CampaignConfig, state: CampaignState, shown: Sequence[str]) -> dict[str, Any]:
    """Every experiment as a row.

    Args:
        config: of the campaign.
        state: of the campaign.
        shown: the parameters whose settings are shown, in order.
    """
    settings = config.model.parameters
    goal, _ = config.goal
    surprising = {s.experiment: surprise_in_words(s) for s in surprises(config, state)}
    return {
        "goal": goal,
        "parameters": [
            {
                "name": name,
                "unit": pretty_unit(getattr(settings[name], "unit", "")),
                "numeric": isinstance(settings[name], NUMERIC),
            }
            for name in shown
        ],
        "objectives": [
            {"name": name, "unit": pretty_unit(o.unit), "needed": o.needed}
            for name, o in config.model.objectives.items()
        ],
        "rows": [_row(e, config, shown, surprising) for e in state],
    }


def _row(
    e: Experiment, config: CampaignConfig, shown: Sequence[str], surprising: Mapping[str, str]
) -> dict[str, Any]:
    p, outcome = e.proposal, e.outcome
    row: dict[str, Any] = {
        "id": e.id,
        "n": e.number,
        "arm": p.arm,
        "status": e.status,
        "because": p.because,
        "recipe": _settings(p.recipe, shown),
        "at": e.proposed_at,
        "data": p.data[:12],
    }
    optional: dict[str, Any] = {
        "predicted": _predicted(p.predictions),
        "widened": max(
            (rounded(q.widened) or 1.0 for q in p.predictions.values() if q.widened > 1), default=None
        ),
        "domain": None if p.domain is None else domain_in_words(p.domain),
        "surprise": surprising.get(e.id),
        "surrogate": None if p.surrogate is None else p.surrogate[:12],
        "acquisition": p.acquisition,
        "value": rounded(p.value),
        "by": p.fidelity,
        "evidence": p.evidence,
        "feasibility": rounded(p.feasibility),
        "broken": broken_limits(config, outcome),
        "alternatives": [_alternative(a, config, shown) for a in p.alternatives[:MOST_ALTERNATIVES]],
        "decision": None if e.decision is None else [e.decision.verdict, e.decision.by, e.decision.reason],
        "attempts": max(len(e.intents), len(e.outcomes)),
        "earlier": [
            f"{FAILURES[o.kind][2]}: {o.message}" if o.kind is not None else o.message
            for o in e.outcomes[:-1]
        ],
    }
    if outcome is not None:
        optional |= {
            "kind": None if outcome.kind is None else FAILURES[outcome.kind][2],
            "stage": outcome.stage,
            "message": outcome.message,
            "values": {name: rounded(v) for name, v in outcome.values.items()},
            "bounds": {name: [rounded(b.low), rounded(b.high)] for name, b in outcome.bounds.items()},
            "z": rounded(z_scores(e).get(config.goal[0])),
            "actual": _settings(outcome.actual, shown) if outcome.actual else None,
            "source": outcome.source,
            "seconds": rounded(outcome.seconds),
            "raw": _shortened(outcome.raw) if outcome.raw else None,
        }
    # What is empty stays out, which halves the page.
    return row | {k: v for k, v in optional.items() if v not in (None, "", [], {})}


def _predicted(predictions: dict[str, Predicted]) -> dict[str, list[float | None]]:
    return {name: [rounded(p.mean), rounded(p.measurement_sd)] for name, p in predictions.items()}


def _alternative(alternative: Alternative, config: CampaignConfig, shown: Sequence[str]) -> list[Any]:
    goal = alternative.predictions.get(config.goal[0])
    predicted = None if goal is None else [rounded(goal.mean), rounded(goal.measurement_sd)]
    return [_settings(alternative.recipe, shown), rounded(alternative.value), predicted]


def _settings(recipe: Recipe, shown: Sequence[str]) -> list[Setting | None]:
    return [_setting(recipe.get(name)) for name in shown]


def _setting(value: Setting | None) -> Setting | None:
    return rounded(value) if isinstance(value, float) else value


def _shortened(raw: Mapping[str, object]) -> str:
    text = json.dumps(raw, ensure_ascii=False)
    return text if len(text) <= MOST_RAW else f"{text[:MOST_RAW]}… ({len(text):,} characters in all)"
