"""Replays of one strategy with one seed, each the ordinary loop in memory, side by side in processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from labctl.campaign import Campaign
from labctl.config import CampaignConfig
from labctl.proposal import canonical_json
from labctl.replay.past import past_of
from labctl.scores import judged, scored
from labctl.space import Pool
from labctl.state import Experiment
from labctl.summary import Calibration, calibration


@dataclass(frozen=True, slots=True)
class Run:
    """What one strategy did with one seed, experiment by experiment.

    Attributes:
        strategy: its name.
        seed: of the campaign, which decides the start, the draws and the order of replicates.
        recipes: which recipe of the pool was tried.
        readings: what was measured; None for a failure.
        failures: the kind of failure; None where something was measured.
        cpu_seconds: computing time of each choice after the start.
        calibration: predictions of the goal against their results; None if nothing was predicted.
    """

    strategy: str
    seed: int
    recipes: tuple[int, ...]
    readings: tuple[float | None, ...]
    failures: tuple[str | None, ...]
    cpu_seconds: tuple[float, ...]
    calibration: Calibration | None


BY_EVIDENCE = "evidence"
"""In place of an arm's name: shares of all arms, by evidence."""


def with_strategy(config: CampaignConfig, strategy: str, experiments: int) -> CampaignConfig:
    """The campaign with one arm alone and a budget that no target and no rule ends early.

    Replicates of surprises, doubts in vetoes and the gate on the surrogate are off: they would mix other arms
    into the one that is compared. So are cheaper fidelities, whose readings are no results.
    ``BY_EVIDENCE`` is the campaign's own way of sharing among all arms.
    """
    model = config.model
    whole = dict.fromkeys(("failures_in_a_row", "target", "cost", "time"))
    changes = {
        "stop": (),
        "fidelities": {},
        "budget": model.budget.model_copy(update={**whole, "experiments": experiments}),
    }
    if strategy == BY_EVIDENCE:
        changes["strategy"] = model.strategy.model_copy(update={"arms": None})
    else:
        changes["strategy"] = model.strategy.model_copy(update={"arms": {strategy: 1.0}, "replicates": 0.0})
        changes["validation"] = model.validation.model_copy(update={"every": 0})
        changes["advice"] = model.advice.model_copy(update={"doubt": 0.0})
    return CampaignConfig(config.path, model.model_copy(update=changes))


def run_one(path: Path, content: str, strategy: str, seed: int, experiments: int) -> Run:
    """Replay one campaign; a pure function of its arguments and the table, but for computing times."""
    from labctl_models.threads import one_thread  # noqa: PLC0415 - loads SciPy

    past = past_of(path, content)
    config = with_strategy(past.config, strategy, experiments)
    with one_thread(), Campaign.in_memory(config, past.bench.with_seed(seed), seed) as campaign:
        # Chance needs no surrogate, and the other strategies are scored on every prediction they make.
        campaign.predict_always = strategy != "random"
        campaign.run()
        tried = [e for e in campaign.state if e.status != "rejected"]
        return Run(
            strategy=strategy,
            seed=seed,
            recipes=tuple(_place(past.bench.space.pool, e) for e in tried),
            readings=tuple(
                judged(config, e.outcome.values) if e.outcome and e.status == "measured" else None
                for e in tried
            ),
            failures=tuple(
                str(e.outcome.kind.value) if e.outcome and e.outcome.kind else None for e in tried
            ),
            cpu_seconds=tuple(e.proposal.cpu_seconds for e in tried if e.proposal.arm != "initial"),
            calibration=calibration(scored(config, campaign.state)),
        )


def run_all(
    config: CampaignConfig,
    strategies: Sequence[str],
    seeds: Sequence[int],
    experiments: int,
    *,
    jobs: int,
    progress: TextIO | None,
) -> tuple[Run, ...]:
    """Every strategy with every seed, in the order of both, whatever the number of processes."""
    from joblib import Parallel, delayed, parallel_config  # noqa: PLC0415 - only replays need it

    content = canonical_json(config.as_json())
    # Seed by seed, so that what takes long is spread evenly over the processes.
    tasks = [(strategy, seed) for seed in seeds for strategy in strategies]
    done: dict[tuple[str, int], Run] = {}
    workers = 1 if jobs == 1 else min(len(tasks), jobs) if jobs > 0 else jobs
    backend: dict[str, Any] = {} if workers == 1 else {"backend": "loky", "inner_max_num_threads": 1}
    with _bar(config.name, len(tasks), progress) as advance, parallel_config(**backend):
        calls = (delayed(run_one)(config.path, content, *task, experiments) for task in tasks)
        for run in Parallel(n_jobs=workers, return_as="generator_unordered")(calls):
            done[run.strategy, run.seed] = run
            advance()
    return tuple(done[strategy, seed] for strategy in strategies for seed in seeds)


def _place(pool: Pool | None, experiment: Experiment) -> int:
    place = None if pool is None else pool.row_of(experiment.proposal.recipe)
    assert place is not None  # noqa: S101 - a replay chooses from its pool
    return place


@contextmanager
def _bar(name: str, total: int, progress: TextIO | None) -> Iterator[Any]:
    """A bar in a terminal, and nothing where nobody watches."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(file=progress, stderr=progress is None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    quiet = progress is None or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(f"replaying {name}", total=total)
        yield lambda: bar.advance(task)
