"""The study of what a campaign has done, failures included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.config import CampaignConfig
from labctl.proposal import recipe_key
from labctl.space import Formula, Space
from labctl.state import CampaignState, Experiment
from labctl.study.study import Study


def of_campaign(config: CampaignConfig, space: Space, state: CampaignState) -> Study:
    """The study of what a campaign has done, failures and whatever the instruments logged included.

    What a cheaper fidelity read is no result of the goal and no part of it.
    """
    goal, objective = config.goal
    done = [e for e in state if e.status in ("measured", "failed") and e.proposal.fidelity is None]
    names = sorted({name for e in done for name in _told(e)})
    columns = {name: _as_column([_told(e).get(name) for e in done]) for name in names}
    formula = next((n for n, p in space.parameters.items() if isinstance(p, Formula)), None)
    recipes = [e.made for e in done]
    y = [_value(e, goal) for e in done]
    return Study(
        name=config.name,
        source=str(config.path),
        goal=goal,
        unit=objective.unit,
        direction=int(config.sign),
        outcome="regression",
        classes=(),
        space=space,
        X=space.encode(recipes),
        y=np.array(y, dtype=np.float64),
        recipes=np.array([recipe_key(e.proposal.recipe) for e in done], dtype=np.str_),
        ids=tuple(e.id for e in done),
        formulas=None if formula is None else np.array([str(r[formula]) for r in recipes]),
        failed=np.array([e.status == "failed" for e in done], dtype=bool),
        kinds=np.array([str(e.outcome.kind or "") if e.outcome else "" for e in done], dtype=np.str_),
        columns=columns,
        order=np.arange(len(done), dtype=np.float64),
        arms=np.array([e.proposal.arm for e in done], dtype=np.str_),
        pool=None if space.pool is None else space.pool.X,
    )


def _value(experiment: Experiment, goal: str) -> float:
    outcome = experiment.outcome
    value = None if outcome is None else outcome.values.get(goal)
    return float("nan") if value is None else value


def _told(experiment: Experiment) -> dict[str, Any]:
    """What an instrument logged beside the goal, as single numbers or texts."""
    raw = experiment.outcome.raw if experiment.outcome is not None else {}
    return {name: v for name, v in raw.items() if isinstance(v, int | float | str)}


def _as_column(values: Sequence[Any]) -> NDArray[Any]:
    if all(v is None or isinstance(v, int | float) for v in values):
        return np.array([np.nan if v is None else float(v) for v in values])
    return np.array(["" if v is None else str(v) for v in values], dtype=np.str_)
