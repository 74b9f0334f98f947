"""The comparison of strategies: what to replay, what came of it, and where it is written."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from labctl.config import CampaignConfig, load_config
from labctl.errors import RequestError
from labctl.files import write_whole
from labctl.proposal import canonical_json
from labctl.registry import ARMS
from labctl.replay.past import Past, past_of
from labctl.replay.results import results
from labctl.replay.runs import BY_EVIDENCE, Run, run_all


@dataclass(frozen=True)
class Comparison:
    """Strategies replayed against one table, each with the same seeds and starts.

    Attributes:
        past: the table.
        strategies: in the order asked for.
        seeds: of the runs.
        experiments: budget of each run.
        runs: strategy by strategy, seed by seed.
        seconds: wall time of it all.
    """

    past: Past
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    experiments: int
    runs: tuple[Run, ...]
    seconds: float

    def of(self, strategy: str) -> tuple[Run, ...]:
        """The runs of one strategy, by seed."""
        return tuple(run for run in self.runs if run.strategy == strategy)

    @cached_property
    def _results(self) -> dict[str, Any]:
        found = results(self.past, {s: self.of(s) for s in self.strategies}, self.experiments, self.seconds)
        plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
        return plain

    def as_json(self) -> dict[str, Any]:
        """Every figure and curve in plain JSON types; all but ``timing`` is the same for the same seeds."""
        return self._results

    def print(self) -> None:
        """Show the comparison on stdout, for people."""
        from labctl.replay.terminal import show  # noqa: PLC0415 - scripts that only want figures need no terminal

        show(self._results)

    def write(self, folder: Path) -> Path:
        """Write replay.json, replay.html (one file that loads nothing from anywhere) and replay.png.

        Returns:
            The page.

        Raises:
            RequestError: the folder cannot be made or written.
        """
        from labctl.replay.page import page  # noqa: PLC0415 - plotly and matplotlib are slow to import
        from labctl.replay.picture import picture  # noqa: PLC0415

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(
                f"no such folder can be made ({error.strerror}); choose another", file=folder
            ) from None
        text = json.dumps(self._results, indent=1, ensure_ascii=False, allow_nan=False)
        write_whole(folder / "replay.json", text + "\n")
        write_whole(folder / "replay.png", picture(self._results))
        write_whole(folder / "replay.html", page(self._results))
        return folder / "replay.html"


def compare(
    file: Path | str | CampaignConfig,
    strategies: Sequence[str],
    *,
    seeds: int = 5,
    experiments: int | None = None,
    jobs: int = -1,
    progress: TextIO | None = None,
) -> Comparison:
    """Replay strategies against the historical table of a campaign.

    Each strategy takes the whole budget after the campaign's own start, which is the same for every strategy
    with the same seed. Each run is the ordinary loop with a ledger in memory; strategies know nothing but
    that ledger. A failure is an experiment like any other, and neither a target nor a row of failures ends
    a run early.

    Args:
        file: the campaign file, or what was read from one.
        strategies: arms by their names, or ``evidence`` for shares of all of them.
        seeds: how many; they count up from the campaign's own.
        experiments: budget of each run, the start included; the file's unless given.
        jobs: processes; -1 for one a core. The results do not depend on it.
        progress: where a bar is drawn; only a terminal gets one.

    Raises:
        RequestError: the campaign is no replay, or something asked for is not there.
    """
    began = time.perf_counter()
    config = file if isinstance(file, CampaignConfig) else load_config(file)
    chosen = _checked(config, strategies, seeds=seeds, jobs=jobs)
    past = past_of(config.path, canonical_json(config.as_json()))
    budget = config.model.budget.experiments if experiments is None else experiments
    _check_budget(config, past, budget, asked=experiments is not None)
    numbers = tuple(range(config.model.seed, config.model.seed + seeds))
    runs = run_all(config, chosen, numbers, budget, jobs=jobs, progress=progress)
    return Comparison(past, chosen, numbers, budget, runs, time.perf_counter() - began)


def _checked(config: CampaignConfig, strategies: Sequence[str], *, seeds: int, jobs: int) -> tuple[str, ...]:
    names = (*ARMS, BY_EVIDENCE)
    known = f"choose among {', '.join(names)}"
    chosen = tuple(dict.fromkeys(strategies))
    wrong = next((name for name in chosen if name not in names), None)
    if wrong is not None:
        raise RequestError(f"no strategy is called {wrong!r}; {known}", key="--strategies")
    if not chosen:
        raise RequestError(f"names no strategy; {known}", key="--strategies")
    if config.model.instrument.kind != "replay":
        raise RequestError(
            f"is {config.model.instrument.kind}, but strategies are compared on a historical table; "
            "use kind: replay with a dataset",
            file=config.path,
            key="instrument.kind",
        )
    if seeds < 1:
        raise RequestError(f"is {seeds}; one seed is the least", key="--seeds")
    if jobs < -(os.cpu_count() or 1) or jobs == 0:
        raise RequestError(f"is {jobs}; give the number of processes, or -1 for one a core", key="--jobs")
    return chosen


def _check_budget(config: CampaignConfig, past: Past, budget: int, *, asked: bool) -> None:
    place: dict[str, Any] = (
        {"key": "--experiments"} if asked else {"file": config.path, "key": "budget.experiments"}
    )
    start = config.model.strategy.initial
    if budget > len(past):
        raise RequestError(f"is {budget}, but the table has only {len(past)} recipes to choose from", **place)
    if budget <= start:
        raise RequestError(
            f"is {budget}, of which the start takes {start}, so there is nothing to compare; give more",
            **place,
        )
    if not any(value is not None for answers in past.answers for value in answers):
        raise RequestError(
            "every row of the table is a failure, so no strategy can be told from another", **place
        )
