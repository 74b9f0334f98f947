"""A whole validation: what it says of tables whose truth is known, and of tables that are none."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from labctl_models.card import Hyperparameter
from labctl_models.design import sobol
from labctl_models.surrogates.basis import Law
from labctl_models.surrogates.mean import FittedMean, TrainingMean
from labctl_models.surrogates.protocol import Array
from labctl_models.validation.candidates import Candidate, default_candidates, default_classifiers
from labctl_models.validation.race import Step
from labctl_models.validation.validate import Validation, validate

QUICK = tuple(c for c in default_candidates() if c.name in {"mean", "nearest", "ridge", "gp-isotropic"})
QUICK_CLASSES = tuple(c for c in default_classifiers() if c.name in {"mean", "nearest", "logistic-ridge"})


class Slow:
    """The mean of the training rows, after 0.4 seconds of processor time."""

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedMean:
        end = time.process_time() + 0.4
        while time.process_time() < end:
            pass
        return TrainingMean().fit(X, y, seed=seed, start=start)


def blobs(seed: int, n: int = 80, d: int = 4, apart: float = 3.0) -> Array:
    rng = np.random.default_rng(seed)
    return apart * rng.standard_normal((8, d))[np.arange(n) % 8] + rng.standard_normal((n, d))


def quick(X: Array, y: Any, **more: Any) -> Validation:  # noqa: ANN401  whatever validate takes
    return validate(X, y, **{"candidates": QUICK, "seeds": (0,), "ks": (2, 4, 6, 8), **more})


def test_a_law_that_holds_everywhere_is_trusted() -> None:
    X = blobs(0)
    y = X @ [1.0, 2.0, 0.0, 0.5] + 0.3 * np.random.default_rng(0).standard_normal(80)
    found = quick(X, y)
    assert (found.verdict.level, found.best) == ("trusted", found.verdict.winner)
    assert found.best in {"ridge", "stack"}
    reports = {report.name: report for report in found.candidates}
    assert reports["ridge"].loco is not None
    assert reports["ridge"].loco.over_clusters == pytest.approx(0.3 * math.sqrt(2 / math.pi), rel=0.35)
    assert found.inflation == pytest.approx(1.0, abs=0.35)
    assert {"mean", "nearest", "ridge"} <= set(found.stack_weights)
    assert sum(found.stack_weights.values()) == pytest.approx(1.0)
    assert found.missed == ()
    assert found.calibration["loco"].rows == 80


def test_shuffled_labels_never_get_a_winner() -> None:
    for seed in range(4):
        X = blobs(seed)
        y = np.random.default_rng(seed).permutation(np.exp(X[:, 0] / 2))
        found = quick(X, y)
        assert (found.verdict.level, found.verdict.winner) == ("lookup table", None)


def test_blobs_with_a_level_each_are_no_more_than_interpolated() -> None:
    # Inside a blob its level is known; of a blob that was held out, nothing is.
    levels = 10.0 * np.random.default_rng(5).standard_normal(8)
    y = levels[np.arange(240) % 8] + 0.1 * np.random.default_rng(1).standard_normal(240)
    found = quick(blobs(1, 240, apart=10.0), y, ks=(8,))
    assert found.verdict.level in {"interpolation only", "lookup table"}
    assert found.verdict.evidence["skill_shuffled"] > 0.5
    assert found.leakage["shuffled"].memorisation[0].skill > 0.9
    assert found.leakage["loco"].memorisation[0].skill < 0.3
    assert found.leakage["shuffled"].ave.value > 0.1


def test_classes_are_scored_as_classes() -> None:
    X = blobs(2, 240)
    y = np.where(X[:, 0] + X[:, 1] > 0, "glass", "crystal")
    found = quick(X, y, candidates=QUICK_CLASSES, ks=(4, 6, 8))
    assert found.classes == ("crystal", "glass")
    assert found.calibration == {}
    assert math.isnan(found.inflation)
    right = {report.name: report.loco for report in found.candidates}
    line, nearest, majority = (right[name] for name in ("logistic-ridge", "nearest", "mean"))
    assert line is not None
    assert nearest is not None
    assert majority is not None
    # The border is a line, so a line finds it in unseen blobs and the nearest blob does not.
    assert line.numbers["balanced_accuracy"] > nearest.numbers["balanced_accuracy"] + 0.1
    assert majority.numbers["balanced_accuracy"] <= 0.5
    assert set(line.numbers) == {"balanced_accuracy", "mcc", "pr_auc", "majority_rate", "brier"}
    numbers = quick(X, (y == "glass").astype(int), candidates=QUICK_CLASSES, ks=(4, 6, 8))
    assert numbers.verdict.level == found.verdict.level


def test_recipes_spread_evenly_leave_no_region_and_are_not_trusted() -> None:
    X = sobol(100, 10, 0)
    found = quick(X, X @ np.arange(10.0), ks=range(2, 11))
    assert not any(split.accepted for split in found.splits if split.kind == "loco")
    assert found.verdict.level == "interpolation only"
    assert "No region could be held out" in found.verdict.reason
    assert math.isnan(found.inflation)


def test_columns_time_and_formulas_are_held_out_too() -> None:
    X = blobs(3)
    y = X @ [1.0, 2.0, 0.0, 0.5]
    formulas = [("Fe", "Co", "Ni", "Zn")[i % 4] + ("O", "S", "Cl2")[i % 3] for i in range(80)]
    found = quick(
        X, y, ks=(4,), groups={"lab": ["A", "B", "C", "D"] * 20}, order=np.arange(80) // 20, formulas=formulas
    )
    report = next(report for report in found.candidates if report.name == "mean")
    assert {"group: lab", "ordered", "element", "chemical-system", "periodic-group"} <= set(report.others)
    kinds = {split.kind: split for split in found.splits}
    assert set(kinds["element"].labels) == {"O", "S", "Cl", "Fe", "Co", "Ni", "Zn"}


def test_a_law_in_the_users_units_takes_part() -> None:
    grain = np.exp(np.random.default_rng(0).uniform(np.log(0.1), np.log(100.0), 60))
    y = 30.0 + 250.0 / np.sqrt(grain) + 5.0 * np.random.default_rng(1).standard_normal(60)
    law = Law(("s0", "k"), lambda X: np.column_stack([np.ones(len(X)), X[:, 0] ** -0.5]))
    found = validate(grain[:, None], y, law=law, seeds=(0,), ks=(2, 3), budget_s=60.0)
    reports = {report.name: report for report in found.candidates}
    assert reports["gp-mechanistic"].status == "finished"
    assert reports["gp-mechanistic"].loco is not None
    assert reports["ridge"].loco is not None
    assert reports["gp-mechanistic"].loco.over_clusters < 0.5 * reports["ridge"].loco.over_clusters


def test_the_same_twice_and_every_step_announced() -> None:
    X, said = blobs(4), list[Step]()
    y = X[:, 0] + 0.1 * X[:, 1] ** 2
    one, two = quick(X, y, progress=said.append), quick(X, y)
    assert one.verdict == two.verdict
    assert [report.loco for report in one.candidates] == [report.loco for report in two.candidates]
    ridge = next(entry for entry in one.entries if entry.name == "ridge")
    told = [(step.kind, step.k) for step in said if step.candidate == "ridge"]
    # The first split is announced twice: when all are timed on its first fold, and for the rest of it.
    first, *others = ((split.kind, split.k) for split in ridge.held_out)
    assert told == [first, first, *others]
    assert [step.number for step in said] == sorted(step.number for step in said)
    # The best single candidate goes on to the kernelised clusters, so it has seen every split that was run.
    most = max(len(entry.held_out) for entry in one.entries)
    assert {step.count for step in said} == {most + len(one.missed)}


def test_a_verdict_without_the_slow_candidates_says_so() -> None:
    X = blobs(8)
    slow = Candidate("slow", Slow())
    found = quick(X, X[:, 0], candidates=(*QUICK, slow), budget_s=3.0)
    assert next(report for report in found.candidates if report.name == "slow").status == "stopped"
    assert "Never judged, for want of time: slow" in found.verdict.reason


def test_a_budget_that_was_too_small_says_so_and_never_that_there_is_nothing() -> None:
    X = blobs(9)
    y = np.random.default_rng(9).standard_normal(80)
    slow = Candidate("slow", Slow())
    short = quick(X, y, candidates=(*QUICK, slow), budget_s=1.0)
    assert short.verdict.undecided
    assert "Nothing about the outcome" not in short.verdict.reason
    assert short.verdict.needed_s is not None
    # 5 + 2 + 6 + 8 folds of the first rung at 0.4 s each, and a reserve.
    assert 8.4 < short.verdict.needed_s < 15.0
    assert [r.name for r in short.candidates if r.loco is None] == ["slow"]
    enough = quick(X, y, candidates=(*QUICK, slow), budget_s=short.verdict.needed_s)
    assert "stopped" not in {report.status for report in enough.candidates}
    assert enough.verdict.needed_s is None


def test_every_default_candidate_runs() -> None:
    X = blobs(6, 40, 2)
    found = validate(X, X[:, 0] ** 2, seeds=(0,), ks=(2, 3))
    assert {report.name for report in found.candidates} == {
        *(candidate.name for candidate in default_candidates()),
        "stack",
    }
    assert not [report.reason for report in found.candidates if report.status == "failed"]


GOOD_X, GOOD_Y = blobs(7, 30), np.arange(30.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: validate(GOOD_X[:19], GOOD_Y[:19]), "19 rows are too few"),
        (lambda: validate(GOOD_X, np.full(30, 3.3)), "same in all rows"),
        (lambda: validate(np.ones((30, 2)), GOOD_Y), "one cluster only"),
        (lambda: validate(GOOD_X, np.where(GOOD_Y == 4, 1e300, GOOD_Y)), "row 5 has the outcome 1e.300"),
        (lambda: validate(GOOD_X, 1e-300 * GOOD_Y), "differ by 2.9e-299 at most"),
        (lambda: validate(GOOD_X, ["a"] * 29 + ["b"]), "class b has one member"),
        (lambda: validate(GOOD_X, ["a"] * 30), "one class"),
        (
            lambda: validate(np.column_stack([GOOD_X, np.full(30, np.nan)]), GOOD_Y),
            "column 5 of X has no value",
        ),
        (lambda: validate(np.where(np.isin(GOOD_X, GOOD_X[3, 0]), np.inf, GOOD_X), GOOD_Y), "row 4 of X"),
        (lambda: validate(GOOD_X, np.where(GOOD_Y == 2, np.nan, GOOD_Y)), "row 3 has no finite outcome"),
        (lambda: validate(GOOD_X, GOOD_Y[:-1]), "n x d"),
        (lambda: validate(GOOD_X, list("abcdefghij" * 3), classify=False), "must be numbers"),
        (lambda: validate(GOOD_X, GOOD_Y, groups={"lab": ["A"] * 30}), "column 'lab'"),
        (lambda: validate(GOOD_X, GOOD_Y, formulas=["FeO"] * 3), "3 formulas for 30 rows"),
        (lambda: validate(GOOD_X, GOOD_Y, ks=[1]), "2 or more"),
        (lambda: validate(GOOD_X, GOOD_Y, candidates=[Candidate("x", QUICK[2].maker)]), "baselines"),
    ],
)
def test_what_cannot_be_validated_is_one_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
