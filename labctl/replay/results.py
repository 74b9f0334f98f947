"""The figures of a comparison in plain JSON types: curves, levels, chance and differences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.replay.chance import random_search, share_found
from labctl.replay.past import TOP_SHARE, Past
from labctl.replay.runs import Run
from labctl.replay.statistics import Difference, band, needed, paired_difference
from labctl.strategy import code_version
from labctl.summary import Calibration

Floats = NDArray[np.float64]
Runs = Mapping[str, Sequence[Run]]

NEAR_BEST_SHARE = 0.01


def results(past: Past, runs: Runs, experiments: int, seconds: float) -> dict[str, Any]:
    """Everything that a comparison found; all but ``timing`` is the same for the same seeds."""
    config = past.config
    goal, objective = config.goal
    best = {
        name: np.array([best_so_far(past, run, experiments) for run in some]) for name, some in runs.items()
    }
    found = {
        name: np.array([top_found(past, run, experiments) for run in some]) for name, some in runs.items()
    }
    plan = config.model.strategy
    return {
        "campaign": config.name,
        "code": code_version(),
        "table": dict(past.bench.table or {}),
        "goal": {"name": goal, "unit": objective.unit, "wanted": objective.goal},
        "replicates": config.model.instrument.replicates,
        "experiments": experiments,
        "seeds": [run.seed for run in next(iter(runs.values()))],
        "start": {"experiments": plan.initial, "layout": plan.start},
        "pool": _pool(past),
        "strategies": {name: _strategy(past, runs[name], best[name], found[name]) for name in runs},
        "random_share": [share_found(i, len(past)) for i in range(1, experiments + 1)],
        "levels": _levels(past, runs, best),
        "differences": _differences(past, best, found),
        "notes": list(past.bench.notes),
        "timing": {
            "seconds": round(seconds, 3),
            "cpu_seconds_per_suggestion": {
                name: round(float(np.mean([s for run in some for s in run.cpu_seconds] or [0.0])), 5)
                for name, some in runs.items()
            },
        },
    }


def best_so_far(past: Past, run: Run, experiments: int) -> Floats:
    """Best reading after each experiment; NaN before the first, and held if a run ended early."""
    sign = past.config.direction
    signed = [-np.inf if value is None else sign * value for value in run.readings]
    curve = np.full(experiments, -np.inf)
    if signed:
        curve[: len(signed)] = np.maximum.accumulate(signed)
        curve[len(signed) :] = curve[len(signed) - 1]
    return np.where(np.isfinite(curve), sign * curve, np.nan)


def top_found(past: Past, run: Run, experiments: int) -> Floats:
    """Share of the best 5 % of the recipes that were tried by each experiment."""
    hits = np.cumsum(
        [recipe in past.top for recipe in run.recipes] + [False] * (experiments - len(run.recipes))
    )
    return np.asarray(hits / len(past.top), dtype=np.float64)


def _pool(past: Past) -> dict[str, Any]:
    return {
        "recipes": len(past),
        "answers": len(past.bench.rows),
        "failed": past.failures,
        "best_reading": past.best_reading,
        "best_mean": past.best_worth,
        "top": {"share": TOP_SHARE, "recipes": len(past.top), "mean_at_least": past.rank(TOP_SHARE)},
    }


def _strategy(past: Past, runs: Sequence[Run], best: Floats, found: Floats) -> dict[str, Any]:
    failed = Counter(kind for run in runs for kind in run.failures if kind is not None)
    counts = [sum(kind is not None for kind in run.failures) for run in runs]
    luck = [float(past.worth[place]) for run in runs if (place := _best_recipe(past, run)) is not None]
    last, share = band(best[:, -1:], past.config.direction), band(found[:, -1:])
    return {
        "best": asdict(band(best, past.config.direction)),
        "top_share": {**asdict(band(found)), "mean": found.mean(axis=0).tolist()},
        "final": {
            "best": {key: value[0] for key, value in asdict(last).items()},
            "table_mean_of_best_recipe": float(np.median(luck)) if luck else None,
            "top_share": {
                **{key: v[0] for key, v in asdict(share).items()},
                "mean": float(found[:, -1].mean()),
            },
        },
        "failed": dict(sorted(failed.items())),
        "failed_in_a_run": {
            "median": float(np.median(counts)),
            "lowest": min(counts),
            "highest": max(counts),
        },
        "calibration": _pooled([run.calibration for run in runs]),
        "runs": [
            {
                "seed": run.seed,
                "recipes": list(run.recipes),
                "readings": list(run.readings),
                "failures": {
                    str(i): kind for i, kind in enumerate(run.failures, start=1) if kind is not None
                },
            }
            for run in runs
        ],
    }


def _best_recipe(past: Past, run: Run) -> int | None:
    measured = [
        (value, place) for value, place in zip(run.readings, run.recipes, strict=True) if value is not None
    ]
    return max(measured, key=lambda pair: past.config.direction * pair[0])[1] if measured else None


def _pooled(each: Sequence[Calibration | None]) -> dict[str, Any] | None:
    """Calibration over all runs together."""
    known = [c for c in each if c is not None]
    n = sum(c.n for c in known)
    if not n:
        return None
    inside = sum(c.n * c.within_95 for c in known) / n
    rms = (sum(c.n * c.rms_z**2 for c in known) / n) ** 0.5
    return {"n": n, "within_95": round(inside, 4), "rms_z": round(rms, 4)}


def _levels(past: Past, runs: Runs, best: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """How many experiments each strategy, and pure chance, need for results this good."""
    wanted: list[tuple[str, str | None, float]] = []
    for name in runs:
        final = band(best[name][:, -1:], past.config.direction).median[0]
        if final is not None:
            wanted.append((f"as good as {name}'s median best", name, final))
    wanted += [
        (f"as good as the mean of the best {100 * share:.0f} % of recipes", None, past.rank(share))
        for share in (TOP_SHARE, NEAR_BEST_SHARE)
    ]
    wanted.append(("the best reading of the table", None, past.best_reading))
    return [
        {
            "what": what,
            "strategy": strategy,
            "value": level,
            "random_exactly": asdict(random_search(past.chances(level))),
            "needed": {
                name: asdict(
                    needed([_first(past, run, level) for run in some], [len(run.recipes) for run in some])
                )
                for name, some in runs.items()
            },
        }
        for what, strategy, level in wanted
    ]


def _first(past: Past, run: Run, level: float) -> int | None:
    hits = (i for i, v in enumerate(run.readings, start=1) if v is not None and past.reaches(v, level))
    return next(hits, None)


def _differences(past: Past, best: Mapping[str, Floats], found: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """The leading strategy against each of the others, paired by seed."""
    sign = past.config.direction
    finals = {name: sign * curves[:, -1] for name, curves in best.items()}

    def standing(name: str) -> tuple[float, float]:
        middle = float(np.median(np.nan_to_num(finals[name], nan=-np.inf)))
        return middle, float(found[name][:, -1].mean())

    leader = max(best, key=standing)
    compared = []
    for name in best:
        if name == leader:
            continue
        both = np.isfinite(finals[leader]) & np.isfinite(finals[name])
        compared.append(
            {
                "first": leader,
                "second": name,
                "best": _as_json(paired_difference(finals[leader][both], finals[name][both]))
                if both.any()
                else None,
                "top_share": _as_json(paired_difference(found[leader][:, -1], found[name][:, -1])),
                "seeds_without_a_reading": int((~both).sum()),
            }
        )
    return compared


def _as_json(difference: Difference) -> dict[str, Any]:
    return {**asdict(difference), "shown": difference.shown}
