"""Puts a campaign's page together: one HTML text with its own styles, scripts and data."""

from typing import Any

import yaml

from labctl.config import CampaignConfig
from labctl.front import complete
from labctl.proposal import Arm
from labctl.report import (
    arms,
    beyond,
    daring,
    fidelities,
    figures,
    front,
    goals,
    growth,
    look,
    rows,
    slices,
    words,
)
from labctl.report.shell import TEMPLATES, as_json, plotly_bundle, policy_of, script, style, template
from labctl.scores import broken_limits, scored
from labctl.state import CampaignState
from labctl.summary import calibration
from labctl.view import View

_BEST_SETTINGS = 12
_TABLE_SETTINGS = 5


def page(view: View) -> str:
    """A campaign's page as HTML; it loads nothing from anywhere."""
    config, state = view.config, view.state
    order = slices.ranked(config, state)
    everything = list(config.model.parameters)
    kept = [r.name for r in order[: rows.MOST_SETTINGS]]
    shown = [name for name in everything if name in kept]
    for_table = {r.name for r in order[:_TABLE_SETTINGS]}
    drawn, panels = _figures(config, state, order)
    has_progress = "progress" in drawn
    grown = growth.growth(config, state) if len(config.goals) > 1 else []
    compromises = _several(view, grown) if len(config.goals) > 1 else None
    if compromises is not None:
        # Each goal has a curve of its own there.
        drawn.pop("progress", None)
    told = {
        "evidence": arms.section(state),
        "daring": daring.section(config, state, growth.better(config, state, grown)),
        "sources": fidelities.section(config, state),
        "several": compromises,
    }
    for part in told.values():
        drawn |= {} if part is None else part["figures"]
    data = {
        **rows.columns(config, state, shown),
        "figures": drawn,
        "best": None if view.summary.best is None else view.summary.best.experiment,
        "inTable": [i for i, name in enumerate(shown) if name in for_table],
    }
    scripts = script("words.js", "charts.js", "table.js")
    return template(TEMPLATES, "page.html").render(
        view=view,
        summary=view.summary,
        model=config.model,
        words=words,
        goals=goals,
        limits=goals.limits_in_words(config),
        look=look,
        number=look.number,
        unit=look.pretty_unit,
        best=_best(view, kept),
        arms=_arms(state),
        panels=panels,
        ends=beyond.ends_in_words(view.summary.ends),
        arrows=_arrows(view),
        grey=goals.listed(list(config.model.fidelities)) if state.stand_ins else "",
        **told,
        n_parameters=len(everything),
        n_shown=len(shown),
        has_progress=has_progress,
        has_map="map" in drawn,
        has_predictions="parity" in drawn,
        trust=words.verdict_in_words(state.verdict),
        widened=words.widened_in_words(_widened(config, state)),
        made=_made(view),
        data=as_json(data),
        style=style(),
        plotly=plotly_bundle(),
        script=scripts,
        policy=policy_of(plotly_bundle(), scripts),
        arm_looks=look.ARMS,
    )


def _figures(
    config: CampaignConfig, state: CampaignState, order: list[slices.Ranked]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures by name, and what the page says above each slice."""
    results = scored(config, state)
    drawn = {"progress": figures.progress(config, state)} if state.measured or state.failed else {}
    if results:
        drawn |= {"parity": figures.parity(config, results), "surprises": figures.surprises(results)}
    panels: list[dict[str, Any]] = []
    if state.measured or state.failed:
        for i, item in enumerate(order[: slices.MOST_PANELS]):
            parameter = config.model.parameters[item.name]
            drawn[f"slice-{i}"] = slices.panel(config, state, item.name)
            numeric = hasattr(parameter, "unit")
            panels.append(
                {
                    "figure": f"slice-{i}",
                    "name": item.name,
                    "unit": look.pretty_unit(getattr(parameter, "unit", "")),
                    "about": parameter.about,
                    "share": item.share,
                    "left_out": 0 if numeric else slices.left_out_choices(config, state, item.name),
                }
            )
        numbers = [r.name for r in order if hasattr(config.model.parameters[r.name], "unit")]
        if len(numbers) > 1:
            drawn["map"] = slices.chart(config, state, numbers[:2])
    return drawn, panels


def _several(view: View, grown: list[growth.Growth]) -> dict[str, Any]:
    """What the page says of several goals at once."""
    config, state, summary = view.config, view.state, view.summary
    done = complete(config, state)
    drawn: dict[str, Any] = {"volume": growth.volume_figure(config, state, grown)} if grown else {}
    pairs = front.pairs(config) if done else []
    drawn |= {f"pair-{i}": front.pair_figure(config, state, summary, two) for i, two in enumerate(pairs)}
    if summary.front and len(config.goals) > 2:  # noqa: PLR2004 - two goals are a plane
        drawn["trade"] = front.trade_figure(config, state, summary)
    each = []
    for i, name in enumerate(config.goals if state.measured or state.failed else ()):
        drawn[f"progress-{i}"] = figures.progress(goals.led_by(config, name), state)
        each.append((f"progress-{i}", name))
    predicted = []
    for i, name in enumerate(list(config.goals)[1:]):
        own = goals.led_by(config, name)
        if results := scored(own, state):
            drawn[f"parity-{i}"] = figures.parity(own, results)
            counted = calibration(results)
            predicted.append((f"parity-{i}", name, words.coverage_in_words(counted) if counted else ""))
    return {
        "figures": drawn,
        "predicted": predicted,
        "said": front.front_in_words(summary, state, _told(view) - len(done)),
        "best": front.best_of_each(config, summary),
        "listed": front.listed(config, summary),
        "pairs": [(f"pair-{i}", *two) for i, two in enumerate(pairs)],
        "each": each,
        "hollow": sum(bool(broken_limits(config, e.outcome)) for e in done),
    }


def _best(view: View, kept: list[str]) -> dict[str, Any] | None:
    best, parameters = view.summary.best, view.config.model.parameters
    if best is None:
        return None
    names = [name for name in parameters if name in kept[:_BEST_SETTINGS]]
    settings = []
    for name in names:
        value = best.recipe[name]
        text = value if isinstance(value, str) else look.number(value)
        settings.append((name, text, look.pretty_unit(getattr(parameters[name], "unit", ""))))
    return {"settings": settings, "more": len(parameters) - len(names)}


def _arrows(view: View) -> bool:
    """Whether a figure of the goals shows a result beyond the scale."""
    goals = view.config.goals
    return any(e.outcome and not goals.keys().isdisjoint(e.outcome.bounds) for e in view.state.failed)


def _told(view: View) -> int:
    """How many results there are, with a value or with a bound."""
    return view.summary.measured + view.summary.censored


def _widened(config: CampaignConfig, state: CampaignState) -> float:
    """The factor in the newest prediction of the goal, as it was written."""
    goal, _ = config.goal
    newest = (e.proposal.predictions[goal] for e in reversed(list(state)) if goal in e.proposal.predictions)
    return next((predicted.widened for predicted in newest), 1.0)


def _arms(state: CampaignState) -> list[tuple[Arm, int, str]]:
    """The arms that chose something, how often, and what they are for."""
    counts = {arm: sum(e.proposal.arm == arm for e in state) for arm in look.ARMS}
    return [(arm, n, look.ARMS[arm].about) for arm, n in counts.items() if n]


def _made(view: View) -> dict[str, Any]:
    """How the campaign was made, so that somebody else can check it."""
    config, state = view.config, view.state
    surrogates: dict[str, list[str]] = {}
    for e in state:
        if e.proposal.surrogate is not None:
            surrogates.setdefault(e.proposal.surrogate, []).append(e.id)
    return {
        "code": sorted({e.proposal.code for e in state})
        or [str((state.campaign or {}).get("code", "unknown"))],
        "table": (state.campaign or {}).get("table"),
        "surrogates": surrogates,
        "data": [(e.id, e.proposal.data) for e in state],
        "config": yaml.safe_dump(config.as_json(), sort_keys=False, allow_unicode=True),
        "events": state.seq,
        "verify": f"labctl verify {config.path} --head {state.head}",
    }
