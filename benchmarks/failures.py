"""What learning from failures is worth: failures met and best value found, beside a search that drops them.

Run with one thread: OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/failures.py [--only disc]
Both searches choose by expected improvement with the same seeds, starts and budget; one is told of failures
and bounds, the other drops them, as most optimisers do. Neither may try a recipe of a table twice.

disc     the Branin function, of whose three equal optima one lies in a disc where no sample is made
autoam   100 printed lines, of which 16 could not be scored (infeasible)
hplc     1386 injections, of which 229 gave no peak (censored: a bound)
"""

from __future__ import annotations

import argparse
import math
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

import labctl.strategy
from labctl.config import CampaignConfig, CampaignModel, load_config
from labctl.datasets import found, load_card, read
from labctl.ledger import Ledger
from labctl.proposal import Outcome, canonical_json
from labctl.replay.runs import run_one
from labctl.replay.statistics import paired_difference
from labctl.state import experiment_id, fold
from labctl.strategies.surrogate import Surrogates
from labctl.strategy import propose
from labctl_drivers.protocol import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl_drivers.protocol import Recipe

CONFIGS = Path(__file__).parents[1] / "configs"
CENTRE, RADIUS = (math.pi, 2.275), 3.0
BUDGETS = {"disc": 30, "autoam": 40, "hplc": 60}
Found = tuple[int, float]
"""Failures after the start, and the best value."""


@contextmanager
def dropping_failures() -> Iterator[None]:
    """Every campaign begun within drops failures and bounds."""
    with mock.patch.object(labctl.strategy, "Surrogates", partial(Surrogates, heeds_failures=False)):
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=sorted(BUDGETS), action="append")
    given = parser.parse_args()
    for name in given.only or BUDGETS:
        if name != "disc" and found(load_card(name)) is None:
            print(f"{name}: skipped, its table is not here; `labctl datasets path {name}` says how to get it")
            continue
        run = on_the_disc if name == "disc" else partial(on_a_table, campaign(name))
        runs: dict[str, list[Found]] = {"told": [], "naive": []}
        for seed in range(given.seeds):
            runs["told"].append(run(seed, BUDGETS[name]))
            with dropping_failures():
                runs["naive"].append(run(seed, BUDGETS[name]))
            print(f"\r{name}: {seed + 1} of {given.seeds} seeds", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        show(name, runs)
    return 0


def show(name: str, runs: dict[str, list[Found]]) -> None:
    told, naive = (np.array(runs[kind], dtype=float) for kind in ("told", "naive"))
    print(f"{name}: {len(told)} paired seeds, {BUDGETS[name]} experiments each")
    for column, what in enumerate(("failures after the start", "best value")):
        for kind, figures in (("told", told), ("naive", naive)):
            low, median, high = np.quantile(figures[:, column], [0.25, 0.5, 0.75])
            print(f"  {what:25s} {kind:6s} median {median:9.4g}  quartiles {low:.4g} to {high:.4g}")
        difference = paired_difference(told[:, column], naive[:, column])
        if difference.low is not None and difference.high is not None:
            interval = f"({difference.low:+.3g} to {difference.high:+.3g}, 95 %)"
            print(f"  {what:25s} told - naive, mean {difference.mean:+.3g} {interval}")
    sys.stdout.flush()


def campaign(name: str) -> CampaignConfig:
    """The ready campaign, or one over the whole of a table that has none."""
    file = CONFIGS / f"{name}.yaml"
    if file.exists():
        return load_config(file)
    card = load_card(name)
    table = read(card)
    settings = [column for column in card.columns if column.role == "parameter"]
    goal = next(column for column in card.columns if column.role == "objective")
    ends = {s.name: table.column(s.name).numbers for s in settings}
    content = {
        "campaign": name,
        "parameters": {
            s.name: {
                "kind": "continuous",
                "unit": s.unit,
                "low": float(ends[s.name].min()),
                "high": float(ends[s.name].max()),
            }
            for s in settings
        },
        "objectives": {goal.name: {"goal": "maximize", "unit": goal.unit}},
        "instrument": {"kind": "replay", "dataset": name},
        "strategy": {"initial": 8},
    }
    return CampaignConfig(file, CampaignModel.model_validate(content))


def on_a_table(config: CampaignConfig, seed: int, budget: int) -> Found:
    run = run_one(config.path, canonical_json(config.as_json()), "improve", seed, budget)
    values = [value for value in run.readings if value is not None]
    start = config.model.strategy.initial
    return sum(kind is not None for kind in run.failures[start:]), max(values)


def on_the_disc(seed: int, budget: int) -> Found:
    """A campaign on the negative Branin function, each proposal answered at once."""
    content: dict[str, Any] = {
        "campaign": "disc",
        "parameters": {
            "a": {"kind": "continuous", "unit": "mm", "low": -5, "high": 10},
            "b": {"kind": "continuous", "unit": "mm", "low": 0, "high": 15},
        },
        "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
        "instrument": {"kind": "hand"},
        "strategy": {"initial": 6, "arms": {"improve": 1}, "replicates": 0},
    }
    config = CampaignConfig(Path("disc.yaml"), CampaignModel.model_validate(content))
    outcomes: list[float | None] = []
    with Ledger.write(None) as ledger:
        first = {"config": config.as_json(), "seed": seed, "table": None, "token": "t", "code": "c"}
        state = fold([ledger.append("campaign", first)])
        for number in range(1, budget + 1):
            proposed = propose(config, config.space, state, seed=seed, allowed=lambda _recipe: True)
            assert proposed is not None  # noqa: S101 - a plane never runs out of recipes
            value = branin(proposed.proposal.recipe)
            outcomes.append(value)
            outcome = (
                Outcome(status="failed", kind=FailureKind.INFEASIBLE, message="no sample", source="disc")
                if value is None
                else Outcome(status="measured", values={"y": value}, source="disc")
            )
            name = experiment_id(number)
            approved = {"verdict": "approved", "by": "rule"}
            state = state.extend(
                [
                    ledger.append("proposal", proposed.proposal.body(), experiment=name, attempt=0),
                    ledger.append("decision", approved, experiment=name, attempt=0),
                    ledger.append("outcome", outcome.body(), experiment=name, attempt=1),
                ]
            )
    values = [value for value in outcomes if value is not None]
    return sum(value is None for value in outcomes[6:]), max(values)


def branin(recipe: Recipe) -> float | None:
    """Minus the function of Branin (1972), at most -0.398; None within the disc."""
    a, b = float(recipe["a"]), float(recipe["b"])
    if math.hypot(a - CENTRE[0], b - CENTRE[1]) < RADIUS:
        return None
    bowl = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return -(bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)


if __name__ == "__main__":
    sys.exit(main())
