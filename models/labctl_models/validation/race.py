"""A race of candidates over the same folds under one budget of processor time, by successive halving."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from labctl_models.threads import one_thread
from labctl_models.validation.candidates import fit_and_predict
from labctl_models.validation.heldout import HeldOut, gathered
from labctl_models.validation.pairing import paired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.candidates import Candidate
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import Task

Status: TypeAlias = Literal["finished", "dropped", "stopped", "passed over", "failed"]
ETA = 3
TIE = 1.0
LAST_CUT = 2
"""After so many rungs nobody is dropped any more: further ones repeat what these asked."""
HOPELESS = 3.0
"""Standard errors behind the best after which nobody goes on, even where there is time for all."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is fitted next.

    Attributes:
        number: Which split it is, from 1.
        count: How many splits there are; clocks and refusals may leave some out.
        candidate: Name of the candidate.
        kind: What kind of split it is.
        k: How many folds it has.
    """

    number: int
    count: int
    candidate: str
    kind: str
    k: int


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What one candidate did.

    Attributes:
        name: The candidate's.
        baseline: Whether it is a yardstick, never dropped and never the best.
        held_out: Its predictions, by split, in the order of the race.
        cpu_s: Processor seconds of all its fits and predictions.
        status: "finished" all rungs that were run; "dropped" as too far behind after a rung; "stopped"
            because it needed more than its equal share of the budget; "passed over" or "failed" as the
            reason says.
        reason: One sentence; empty when it finished.
    """

    name: str
    baseline: bool
    held_out: Mapping[Split, HeldOut]
    cpu_s: float
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Race:
    """The entries of all candidates, and how far the budget reached.

    Attributes:
        entries: One for each candidate, in the given order.
        splits: Splits that every finished candidate has predicted.
        missed: Splits that the budget did not reach.
        cpu_s: Processor seconds of all.
    """

    entries: tuple[Entry, ...]
    splits: tuple[Split, ...]
    missed: tuple[Split, ...]
    cpu_s: float

    def entry(self, name: str) -> Entry:
        """The entry of the candidate of that name."""
        return next(entry for entry in self.entries if entry.name == name)


@dataclass(slots=True)
class _Runner:
    """One candidate while the race is on; the only thing here that changes."""

    candidate: Candidate
    held_out: dict[Split, HeldOut] = field(default_factory=dict)
    cpu_s: float = 0.0
    folds: int = 0
    status: Status = "finished"
    reason: str = ""

    @property
    def running(self) -> bool:
        return self.status == "finished"

    def expected(self, folds: int) -> float:
        """Seconds that so many folds will take, judging by those done."""
        return self.cpu_s / self.folds * folds if self.folds else 0.0

    def leave(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason


def race(
    task: Task,
    X: Array,
    rungs: Sequence[Sequence[Split]],
    candidates: Sequence[Candidate],
    *,
    budget_s: float,
    seed: int = 0,
    judge: str = "loco",
    progress: Callable[[Step], None] | None = None,
    clock: Callable[[], float] = time.process_time,
) -> Race:
    """Run candidates over rungs of splits; X (n x d) is in the unit cube.

    All candidates see the same folds, split after split, so every comparison is paired. After the second
    rung, if more follow, a third of those that are no baselines goes on, besides those within 1 standard
    error of the best on the splits of the kind `judge`. After the first rung that is so only where the
    second cannot be paid for with all of them; else only those go that are 3 standard errors behind, so
    that all that are not hopeless have scores on the same clusters. A split that would not fit into what
    is left of `budget_s` processor seconds ends the race for all, and in the first rung, when not all of it
    can be paid for, candidates that need more than an equal share (what cheap ones leave over being shared
    by the others) are stopped. The first split is always run.
    """
    course = _Course(task, X, seed, budget_s, clock, clock(), [_Runner(c) for c in candidates])
    course.pass_over()
    with one_thread():
        for number, rung in enumerate(rungs):
            for split in rung:
                if not course.affords(split):
                    return course.result(rungs)
                course.run(split, sum(map(len, rungs)), progress)
                if number == 0:
                    _share(course.runners, sum(s.k for s in rung), course.folds, budget_s)
            if number < LAST_CUT and number + 1 < len(rungs):
                pressed = number > 0 or not course.affords(*rungs[1])
                _halve(course.runners, task, judge, behind_by=TIE if pressed else HOPELESS)
    return course.result(rungs)


@dataclass(slots=True)
class _Course:
    """The race while it is on."""

    task: Task
    X: Array
    seed: int
    budget_s: float
    clock: Callable[[], float]
    began: float
    runners: list[_Runner]
    done: list[Split] = field(default_factory=list)

    @property
    def folds(self) -> int:
        return sum(split.k for split in self.done)

    def pass_over(self) -> None:
        for runner in self.runners:
            most = runner.candidate.most_rows
            if most is not None and len(self.X) > most:
                reason = f"{len(self.X)} rows are more than the {most} that it can be fitted to."
                runner.leave("passed over", reason)

    def affords(self, *splits: Split) -> bool:
        """Whether the splits fit into what is left of the budget; the first of all always does."""
        left = self.budget_s - (self.clock() - self.began)
        folds = sum(split.k for split in splits)
        return not self.done or sum(r.expected(folds) for r in self.runners if r.running) <= left

    def run(self, split: Split, count: int, progress: Callable[[Step], None] | None) -> None:
        for runner in self.runners:
            if runner.running:
                if progress is not None:
                    progress(Step(len(self.done) + 1, count, runner.candidate.name, split.kind, split.k))
                self._run_one(runner, split)
        self.done.append(split)

    def _run_one(self, runner: _Runner, split: Split) -> None:
        began = self.clock()
        try:
            parts = [
                fit_and_predict(runner.candidate, self.task, self.X, fold, self.seed) for fold in split.folds
            ]
        except Exception as error:  # noqa: BLE001  a candidate may be anybody's; its failure is its own
            runner.cpu_s += self.clock() - began
            runner.leave("failed", f"On {split.name}: {type(error).__name__}: {error}")
            return
        spent = self.clock() - began
        runner.held_out[split] = gathered(split, parts, spent)
        runner.cpu_s += spent
        runner.folds += split.k

    def result(self, rungs: Sequence[Sequence[Split]]) -> Race:
        entries = tuple(
            Entry(r.candidate.name, r.candidate.baseline, r.held_out, r.cpu_s, r.status, r.reason)
            for r in self.runners
        )
        missed = tuple(split for rung in rungs for split in rung if split not in self.done)
        return Race(entries, tuple(self.done), missed, self.clock() - self.began)


def _share(runners: list[_Runner], folds: int, done: int, budget_s: float) -> None:
    """Stop the costliest that need more than an equal share, until the first rung can be paid for.

    One at a time, since what one leaves over may pay for the next; the last is left to the clock.
    """
    while sum(r.running and not r.candidate.baseline for r in runners) > 1:
        running = [runner for runner in runners if runner.running]
        needs = {runner.candidate.name: runner.cpu_s + runner.expected(folds - done) for runner in running}
        level = equal_share(list(needs.values()), budget_s - sum(r.cpu_s for r in runners if not r.running))
        racing = [runner for runner in running if not runner.candidate.baseline]
        costliest = max(racing, key=lambda runner: needs[runner.candidate.name])
        need = needs[costliest.candidate.name]
        if need <= level:
            return
        costliest.leave(
            "stopped", f"It needs {need:.0f} s for the first rung; its equal share is {max(level, 0):.0f} s."
        )


def equal_share(needs: Sequence[float], budget: float) -> float:
    """The level up to which everyone is paid: Σ min(need, level) = budget; inf when all can be paid."""
    if sum(needs) <= budget:
        return math.inf
    left, level = budget, 0.0
    for number, need in enumerate(sorted(needs)):
        level = left / (len(needs) - number)
        if need > level:
            break
        left -= need
    return level


def _halve(runners: list[_Runner], task: Task, judge: str, *, behind_by: float) -> None:
    racing = [runner for runner in runners if runner.running and not runner.candidate.baseline]
    judged = {
        runner.candidate.name: {s: found for s, found in runner.held_out.items() if s.kind == judge}
        for runner in racing
    }
    if len(racing) < 2 or not all(judged.values()):  # noqa: PLR2004  nobody to compare with
        return
    first = racing[0].candidate.name
    # Against one of them all gains have the same reference, so they rank the candidates.
    gains = [paired(task, judged[runner.candidate.name], judged[first]).gain for runner in racing]
    ranking = [racing[i] for i in np.argsort(-np.array(gains), kind="stable")]
    best = ranking[0]
    for runner in ranking[math.ceil(len(ranking) / ETA) :]:
        behind = paired(task, judged[best.candidate.name], judged[runner.candidate.name])
        if behind.beats(behind_by):
            error = f"{behind.gain:.3g} ± {behind.standard_error:.2g}"
            splits = len(judged[best.candidate.name])
            reason = f"After {splits} splits it errs more than {best.candidate.name} by {error}."
            runner.leave("dropped", reason)
