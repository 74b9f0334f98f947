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
NEGLIGIBLE_S = 0.3
"""Processor seconds that nobody is stopped for, however small the budget."""
OVERDRAFT = 1.25
"""Of the budget, up to which a split that decides is finished once it was begun."""
PROBE_ROWS, WARM_ROWS = 200, 20
"""Rows of a first fit where a fold has more than twice as many, and of one before it, for imports."""


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
        status: "finished" all splits that were run; "dropped" as too far behind after a rung; "stopped"
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
        needed_s: Processor seconds in which all candidates would have run the whole first rung, judged by
            the folds that each has done.
        cut_short: Whether the budget did not reach the whole first rung.
    """

    entries: tuple[Entry, ...]
    splits: tuple[Split, ...]
    missed: tuple[Split, ...]
    cpu_s: float
    needed_s: float
    cut_short: bool

    def entry(self, name: str) -> Entry:
        """The entry of the candidate of that name."""
        return next(entry for entry in self.entries if entry.name == name)


@dataclass(slots=True)
class _Runner:
    """One candidate while the race is on; with `_Course` the only thing here that changes."""

    candidate: Candidate
    held_out: dict[Split, HeldOut] = field(default_factory=dict)
    parts: list[tuple[Array, Array, Array | None]] = field(default_factory=list)
    on_split: float = 0.0
    cpu_s: float = 0.0
    folds: int = 0
    guess: float = 0.0
    status: Status = "finished"
    reason: str = ""

    @property
    def running(self) -> bool:
        return self.status == "finished"

    @property
    def racing(self) -> bool:
        return self.running and not self.candidate.baseline

    def expected(self, folds: int) -> float:
        """Seconds that so many folds will take, judging by those done."""
        return (self.cpu_s / self.folds if self.folds else self.guess) * folds

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
    that all that are not hopeless have scores on the same clusters.

    The first split and the first of the kind `judge` decide. Each candidate is timed on one fold; where not
    all can be paid for on the splits that decide, the costliest are stopped, until the rest need no more
    than an equal share of what is left of `budget_s` processor seconds (what cheap ones leave over being
    shared by the others). Baselines, the cheapest candidate and whoever costs next to nothing are never
    stopped. Any later split that would not fit into what is left ends the race for all; in the first rung
    only if it still does not after as many have been dropped as after a rung. The first split is always run.
    """
    course = _Course(task, X, seed, budget_s, clock, clock(), [_Runner(c) for c in candidates])
    course.pass_over()
    course.deciding = _deciding(rungs, judge)
    with one_thread():
        for number, rung in enumerate(rungs):
            for split in rung:
                if not course.affords(split) and number == 0 and split not in course.deciding:
                    _halve(course.runners, task, judge, behind_by=TIE)
                if not course.affords(split):
                    return course.result(rungs)
                course.run(split, sum(map(len, rungs)), progress)
            if number < LAST_CUT and number + 1 < len(rungs):
                pressed = number > 0 or not course.affords(*rungs[1])
                _halve(course.runners, task, judge, behind_by=TIE if pressed else HOPELESS)
    return course.result(rungs)


def _deciding(rungs: Sequence[Sequence[Split]], judge: str) -> tuple[Split, ...]:
    """The first split and the first one by which candidates are judged, which may be the same."""
    first = [split for rung in rungs[:1] for split in rung]
    return tuple(dict.fromkeys([*first[:1], *[split for split in first if split.kind == judge][:1]]))


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
    deciding: tuple[Split, ...] = ()
    done: list[Split] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds left of the budget, below 0 once it is overdrawn."""
        return self.budget_s - (self.clock() - self.began)

    def pass_over(self) -> None:
        for runner in self.runners:
            most = runner.candidate.most_rows
            if most is not None and len(self.X) > most:
                reason = f"{len(self.X)} rows are more than the {most} that it can be fitted to."
                runner.leave("passed over", reason)

    def affords(self, *splits: Split) -> bool:
        """Whether the splits fit into what is left of the budget; the first of all always does.

        One that decides does so too while the candidates cost next to nothing on it; the baselines' cost
        is then not asked for.
        """
        if not self.done:
            return True
        if splits[0] in self.deciding:
            self.share()
        folds = sum(split.k for split in splits)
        if splits[0] in self.deciding and all(
            r.expected(folds) <= NEGLIGIBLE_S for r in self.runners if r.racing
        ):
            return True
        return sum(r.expected(folds) for r in self.runners if r.running) <= self.left

    def run(self, split: Split, count: int, progress: Callable[[Step], None] | None) -> None:
        first = not self.done
        for until in (1, split.k) if first else (split.k,):
            for runner in self.runners:
                if not runner.running:
                    continue
                if progress is not None:
                    progress(Step(len(self.done) + 1, count, runner.candidate.name, split.kind, split.k))
                if not (first and until == 1 and self.too_slow(runner, split)):
                    self.advance(runner, split, until)
            if first and until == 1:
                self.share()
        self.done.append(split)

    def too_slow(self, runner: _Runner, split: Split) -> bool:
        """Whether by a fit to few rows one fold would already take more than what is left; it then stops."""
        train, test = split.folds[0]
        if runner.candidate.baseline or len(train) <= 2 * PROBE_ROWS:
            return False
        began = self.clock()
        try:
            for rows in (WARM_ROWS, PROBE_ROWS):
                start = self.clock()
                few = (train[:: len(train) // rows][:rows], test[:1])
                fit_and_predict(runner.candidate, self.task, self.X, few, self.seed)
        except Exception:  # noqa: BLE001  few rows may lack a class; the fold itself will tell
            return False
        finally:
            runner.cpu_s += self.clock() - began
        # Nothing here grows more slowly than in proportion to its rows.
        runner.guess = (self.clock() - start) * len(train) / PROBE_ROWS
        if runner.guess <= max(self.left, NEGLIGIBLE_S):
            return False
        left = max(0.0, self.left)
        runner.leave(
            "stopped", f"One fold would take it {runner.guess:.1f} s or more; {left:.1f} s are left."
        )
        return True

    def advance(self, runner: _Runner, split: Split, until: int) -> None:
        """Run folds of the split up to a number; who overdraws on one that decides is stopped."""
        for fold in split.folds[len(runner.parts) : until]:
            if self._overdrawn(runner, split):
                done = f"{len(runner.parts)} of its {split.k} folds"
                runner.leave("stopped", f"The budget was spent after {done} on {split.name}.")
                return
            began = self.clock()
            try:
                part = fit_and_predict(runner.candidate, self.task, self.X, fold, self.seed)
            except Exception as error:  # noqa: BLE001  a candidate may be anybody's; its failure is its own
                runner.cpu_s += self.clock() - began
                runner.leave("failed", f"On {split.name}: {type(error).__name__}: {error}")
                return
            spent = self.clock() - began
            runner.parts.append(part)
            runner.on_split += spent
            runner.cpu_s += spent
            runner.folds += 1
        if len(runner.parts) == split.k:
            runner.held_out[split] = gathered(split, runner.parts, runner.on_split)
            runner.parts, runner.on_split = [], 0.0

    def _overdrawn(self, runner: _Runner, split: Split) -> bool:
        """Whether a runner has to stop within a split; never before another candidate has finished it."""
        return (
            runner.racing
            and bool(runner.parts)
            and split in self.deciding
            and self.left < (1.0 - OVERDRAFT) * max(self.budget_s, 0.0)
            and runner.expected(split.k - len(runner.parts)) > NEGLIGIBLE_S
            and any(r.racing and split in r.held_out for r in self.runners)
        )

    def share(self) -> None:
        """Stop the costliest that need more than an equal share of what is left for the splits that decide.

        One at a time, since what one leaves over may pay for the next; the last is left to the clock.
        """
        folds = sum(split.k for split in self.deciding if split not in self.done)
        need = {r.candidate.name: r.expected(folds - len(r.parts)) for r in self.runners if r.running}
        while sum(runner.racing for runner in self.runners) > 1:
            racing = [runner for runner in self.runners if runner.racing]
            baselines = sum(need[r.candidate.name] for r in self.runners if r.running and not r.racing)
            left = max(0.0, self.left - baselines)
            level = equal_share([need[runner.candidate.name] for runner in racing], left)
            costliest = max(racing, key=lambda runner: need[runner.candidate.name])
            more = need[costliest.candidate.name]
            if more <= max(level, NEGLIGIBLE_S):
                return
            costliest.leave(
                "stopped",
                f"It needs {more:.1f} s more to be judged at all; its equal share of what is left of the "
                f"budget is {level:.1f} s.",
            )

    def result(self, rungs: Sequence[Sequence[Split]]) -> Race:
        entries = tuple(
            Entry(r.candidate.name, r.candidate.baseline, r.held_out, r.cpu_s, r.status, r.reason)
            for r in self.runners
        )
        missed = tuple(split for rung in rungs for split in rung if split not in self.done)
        folds = sum(split.k for rung in rungs[:1] for split in rung)
        needed = sum(r.expected(folds) for r in self.runners if r.status not in {"failed", "passed over"})
        cut_short = any(split in missed for rung in rungs[:1] for split in rung)
        return Race(entries, tuple(self.done), missed, self.clock() - self.began, needed, cut_short)


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
