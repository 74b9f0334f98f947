"""What the controller adds to a Bluesky run: processor time beside that of a bare RunEngine.

OMP_NUM_THREADS=1 python benchmarks/overhead.py [--runs 40] [--repeats 5]
Both carry out the simulated furnace's plan at infinite speed on the same ophyd-async devices. The bare
RunEngine has no subscriber. The campaign commits proposal, decision, intent and outcome to its ledger, has
the instrument write down what it begins, writes every document to a file, and holds the lab's limits. Only
the choice of the recipe, which is no part of a run, is taken out: each proposal says how long it took. The
two take turns; a ratio is of one turn each.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluesky import plan_stubs as bps
from bluesky.run_engine import RunEngine
from bluesky.utils import DuringTask

from labctl.campaign import Campaign
from labctl_drivers.protocol import Attempt, ExperimentFailed, Surroundings
from labctl_drivers.simulated.bench import FurnaceBench
from labctl_drivers.simulated.settings import BenchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

CAMPAIGN = """\
campaign: overhead
parameters:
  temperature: {kind: continuous, low: 120, high: 240, unit: degC}
  hold_time: {kind: continuous, low: 5, high: 500, unit: minute}
  quench: {kind: categorical, choices: [air, oil]}
objectives:
  hardness: {goal: maximize, unit: HV}
instrument: {kind: furnace, options: {speed: inf, fault_rate: 0, overshoot_rate: 0}}
limits: limits.yaml
strategy: {initial: 1, replicates: 0, arms: {random: 1}}
validation: {every: 0}
budget: {experiments: 100000}
"""
LIMITS = """\
limits:
  temperature: {low: 15, high: 250, unit: degC}
  hold_time: {low: 0, high: 600, unit: minute}
"""


def bare() -> Callable[[int], float]:
    """Give a function that does n runs in a bare RunEngine, and says how long the processor took, in s."""
    engine = RunEngine({}, context_managers=[], during_task=DuringTask())  # type: ignore[no-untyped-call]
    settings = BenchSettings(speed=float("inf"), fault_rate=0.0, overshoot_rate=0.0)
    bench = FurnaceBench(settings, surroundings=Surroundings(folder=None, seed=0))
    bench.connect()
    done = 0

    def plan(attempt: Attempt) -> Generator[Any, Any, None]:
        yield from bps.open_run({"recipe": dict(attempt.recipe)})
        with contextlib.suppress(ExperimentFailed):  # some samples crack, here as there
            yield from bench.start(attempt)
        yield from bps.close_run()

    def run(n: int) -> float:
        nonlocal done
        began = time.process_time()
        for _ in range(n):
            done += 1
            recipe = {"temperature": 120.0 + done % 100, "hold_time": 60.0, "quench": "air"}
            units = dict(bench.parameter_units)
            engine(plan(Attempt(f"bare/{done}", "overhead", f"e{done:04d}", 1, recipe, units)))
        return time.process_time() - began

    return run


def within(campaign: Campaign) -> Callable[[int], float]:
    """Give a function that does n runs in a campaign."""

    def run(n: int) -> float:
        began, choosing = time.process_time(), 0.0
        for _ in range(n):
            experiment = campaign.step()
            if experiment is None:
                raise RuntimeError("the campaign has nothing left to try")
            choosing += experiment.proposal.cpu_seconds
        return time.process_time() - began - choosing

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "campaign.yaml").write_text(CAMPAIGN)
        (where / "limits.yaml").write_text(LIMITS)
        with Campaign.open(where / "campaign.yaml") as campaign:
            campaign.predict_always = False
            alone, ours = bare(), within(campaign)
            alone(10), ours(10)  # what is imported and connected only once
            ratios = []
            for repeat in range(given.repeats):
                turns = [alone, ours] if repeat % 2 == 0 else [ours, alone]
                took = {turn: turn(given.runs) / given.runs for turn in turns}
                ratios.append(took[ours] / took[alone])
                print(f"bare {1e3 * took[alone]:.1f} ms, in a campaign {1e3 * took[ours]:.1f} ms a run")
    print(
        f"{statistics.median(ratios):.2f} times a bare run "
        f"({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} turns of {given.runs} runs each)"
    )


if __name__ == "__main__":
    main()
