"""The race: same folds for all, hopeless ones dropped by score, and a clock that only stops."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.card import Hyperparameter
from labctl_models.surrogates.mean import FittedMean, TrainingMean
from labctl_models.surrogates.protocol import Array
from labctl_models.surrogates.ridge import Ridge
from labctl_models.validation.candidates import Candidate, default_candidates
from labctl_models.validation.folds import Split
from labctl_models.validation.heldout import Task
from labctl_models.validation.race import equal_share, race
from labctl_models.validation.splits import loco, shuffled

BASELINES = default_candidates()[:2]


@dataclass(frozen=True)
class Wrong:
    """The mean of the training rows and a constant on top; each fit spends what it is told to."""

    offset: float
    spend: Callable[[], None] = lambda: None

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedMean:
        self.spend()
        return TrainingMean().fit(X, y + self.offset, seed=seed, start=start)


@dataclass(frozen=True)
class Broken:
    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedMean:
        raise ArithmeticError(f"no inverse of {len(X)} and {len(y)} today ({seed}, {start})")


def table() -> tuple[Array, Task, list[list[Split]]]:
    rng = np.random.default_rng(0)
    X = rng.random((6, 3))[np.arange(60) % 6] + 0.05 * rng.random((60, 3))
    X = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(60)
    clusters = loco(X, ks=[2, 3, 6])
    return X, Task(y), [[shuffled(X), clusters[0], clusters[2]], [clusters[1]]]


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> Callable[[], None]:
        def move() -> None:
            self.now += seconds

        return move


def test_everyone_sees_the_same_folds_and_no_training_row_is_scored() -> None:
    X, task, rungs = table()
    found = race(task, X, rungs, [*BASELINES, Candidate("ridge", Ridge())], budget_s=1000)
    assert [entry.status for entry in found.entries] == ["finished"] * 3
    assert found.missed == ()
    for split in found.splits:
        for entry in found.entries:
            np.testing.assert_array_equal(
                entry.held_out[split].rows, np.concatenate([test for _, test in split.folds])
            )
    split = found.splits[0]
    train, test = split.folds[0]
    mean = found.entry("mean").held_out[split]
    np.testing.assert_allclose(mean.mean[: len(test)], task.y[train].mean())
    np.testing.assert_allclose(mean.sd[0] ** 2, task.y[train].var(ddof=1) * (1 + 1 / len(train)))


def test_the_hopeless_are_dropped_after_the_first_rung_and_yardsticks_never() -> None:
    X, task, rungs = table()
    wrong = [Candidate(f"wrong-{i}", Wrong(50.0 + i)) for i in range(4)]
    found = race(task, X, rungs, [*BASELINES, *wrong, Candidate("ridge", Ridge())], budget_s=1000)
    status = {entry.name: entry.status for entry in found.entries}
    assert status["ridge"] == status["mean"] == status["nearest"] == "finished"
    # A third of five is two: the best and the next; the others are 50 behind.
    assert [status[f"wrong-{i}"] for i in range(4)] == ["finished", "dropped", "dropped", "dropped"]
    assert "errs more than ridge" in found.entry("wrong-3").reason
    assert len(found.entry("wrong-3").held_out) == 3


def test_who_is_behind_but_not_hopeless_is_judged_on_all_of_the_second_rung_while_there_is_time() -> None:
    X, task, rungs = table()
    rungs = [*rungs, [shuffled(X, seed=1)]]
    clock = Clock()
    behind = [Candidate(f"behind-{i}", Wrong(0.5, clock.spend(0.01))) for i in range(3)]
    runners = [*BASELINES, Candidate("ridge", Ridge()), *behind]
    roomy = race(task, X, rungs, runners, budget_s=1000, clock=clock)
    pressed = race(task, X, rungs, runners, budget_s=0.43, clock=clock)
    # A third of four is two, so the first of the three behind goes on in either case.
    assert [len(roomy.entry(one.name).held_out) for one in behind] == [5, 4, 4]
    assert [len(pressed.entry(one.name).held_out) for one in behind[1:]] == [3, 3]
    assert {roomy.entry(one.name).status for one in behind[1:]} == {"dropped"}


def test_ties_are_kept() -> None:
    X, task, rungs = table()
    same = [Candidate(f"ridge-{i}", Ridge()) for i in range(5)]
    found = race(task, X, rungs, [*BASELINES, *same], budget_s=1000)
    assert {entry.status for entry in found.entries} == {"finished"}


def test_the_clock_ends_the_race_for_all_at_the_same_split() -> None:
    X, task, rungs = table()
    clock = Clock()
    slow = Candidate("slow", Wrong(0.1, clock.spend(1.0)))
    # 5 + 2 + 6 folds of the first rung cost 13 s; the last split's three do not fit any more.
    found = race(task, X, rungs, [*BASELINES, slow], budget_s=15.0, clock=clock)
    assert len(found.splits) == 3
    assert found.missed == tuple(rungs[1])
    assert {len(entry.held_out) for entry in found.entries} == {3}
    assert found.cpu_s == 13.0
    assert race(task, X, rungs, [*BASELINES, slow], budget_s=16.0, clock=Clock()).missed == ()


def test_who_needs_more_than_an_equal_share_of_the_first_rung_is_stopped() -> None:
    X, task, rungs = table()
    clock = Clock()
    runners = [
        Candidate("quick", Wrong(0.1, clock.spend(0.1))),
        Candidate("greedy", Wrong(0.0, clock.spend(10.0))),
    ]
    found = race(task, X, rungs, [*BASELINES, *runners], budget_s=60.0, clock=clock)
    greedy = found.entry("greedy")
    assert greedy.status == "stopped"
    assert "equal share" in greedy.reason
    assert (greedy.cpu_s, len(greedy.held_out)) == (10.0, 0), "one fold is enough to know"
    assert found.entry("quick").status == "finished"
    # 5 + 2 + 6 folds of the first rung, at 10 s and at 0.1 s.
    assert found.needed_s == pytest.approx(131.3)


@pytest.mark.parametrize("budget_s", [-5.0, 0.0, 0.5])
def test_without_any_budget_yardsticks_and_the_cheap_are_judged_on_held_out_clusters(budget_s: float) -> None:
    X, task, rungs = table()
    clock = Clock()
    cheap = [Candidate(f"cheap-{i}", Wrong(0.1 * i, clock.spend(0.01))) for i in range(2)]
    slow = [Candidate(f"slow-{i}", Wrong(0.0, clock.spend(1.0 + i))) for i in range(2)]
    found = race(task, X, rungs, [*BASELINES, *slow, *cheap], budget_s=budget_s, clock=clock)
    status = {entry.name: entry.status for entry in found.entries}
    assert [status[one.name] for one in slow] == ["stopped", "stopped"]
    assert "share of what is left of the budget is 0.0 s" in found.entry("slow-0").reason
    for name in ("mean", "nearest", "cheap-0", "cheap-1"):
        assert status[name] == "finished"
        assert {split.kind for split in found.entry(name).held_out} == {"shuffled", "loco"}
    assert found.cpu_s < 4.0


def test_who_slows_down_within_a_split_that_decides_is_stopped_there() -> None:
    X, task, rungs = table()
    clock, fits = Clock(), count()

    def slower_and_slower() -> None:
        clock.now += 0.1 if next(fits) == 0 else 20.0

    slows_down = Wrong(0.0, slower_and_slower)
    runners = [*BASELINES, Candidate("ridge", Ridge()), Candidate("later", slows_down)]
    found = race(task, X, rungs, runners, budget_s=10.0, clock=clock)
    assert found.entry("later").status == "stopped"
    assert "spent after 2 of its 5 folds" in found.entry("later").reason
    assert {split.kind for split in found.entry("ridge").held_out} == {"shuffled", "loco"}


def test_a_fit_to_few_rows_tells_that_a_fold_cannot_be_paid_for() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((600, 2))
    task, split = Task(X[:, 0]), shuffled(X)
    clock = Clock()
    costly = Candidate("costly", Wrong(0.0, clock.spend(10.0)))
    found = race(
        task, X, [[split]], [*BASELINES, Candidate("ridge", Ridge()), costly], budget_s=15.0, clock=clock
    )
    # A warm-up and a fit to 200 of 480 rows, both of 10 s here: 24 s or more for a fold.
    assert found.entry("costly").reason == "One fold would take it 24.0 s or more; 0.0 s are left."
    assert found.entry("costly").cpu_s == 20.0
    assert found.entry("ridge").status == "finished"


@settings(max_examples=50, deadline=None)
@given(needs=st.lists(st.floats(0.1, 100), min_size=1, max_size=8), budget=st.floats(1, 300))
def test_equal_shares_spend_the_budget(needs: list[float], budget: float) -> None:
    level = equal_share(needs, budget)
    if sum(needs) <= budget:
        assert level == math.inf
    else:
        assert sum(min(need, level) for need in needs) == pytest.approx(budget)


def test_a_candidate_that_fails_fails_alone() -> None:
    X, task, rungs = table()
    found = race(task, X, rungs, [*BASELINES, Candidate("broken", Broken())], budget_s=1000)
    broken = found.entry("broken")
    assert broken.status == "failed"
    assert "no inverse of 48" in broken.reason
    assert found.entry("mean").status == "finished"


def test_too_many_rows_are_passed_over() -> None:
    X, task, rungs = table()
    found = race(task, X, rungs, [*BASELINES, Candidate("gp", Ridge(), most_rows=59)], budget_s=1000)
    assert found.entry("gp").status == "passed over"
    assert not found.entry("gp").held_out


def test_the_same_race_twice_is_the_same() -> None:
    X, task, rungs = table()
    ticking = count()
    runners = [*BASELINES, Candidate("ridge", Ridge())]
    one = race(task, X, rungs, runners, budget_s=1e9)
    two = race(task, X, rungs, runners, budget_s=1e9, clock=lambda: float(next(ticking)))
    for a, b in zip(one.entries, two.entries, strict=True):
        for split, found in a.held_out.items():
            np.testing.assert_array_equal(found.mean, b.held_out[split].mean)
            np.testing.assert_array_equal(found.sd, b.held_out[split].sd)
