"""Reference numbers of validation: official matbench folds beside held-out clusters, and a whole validation.

Run with one thread: OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/validation.py [--only steels ...]
Published, mean over the five official folds (Dunn et al., npj Comput. Mater. 6, 138 (2020)), random forest
on Magpie features: steels 103.5 MPa, expt_gap 0.446 eV, glass 0.859 balanced accuracy.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.features import magpie
from labctl_models.surrogates.classes import ForestOfLabels
from labctl_models.surrogates.trees import Forest
from labctl_models.validation.candidates import Candidate, default_candidates, fit_and_predict
from labctl_models.validation.checks import unit_cube
from labctl_models.validation.folds import partition
from labctl_models.validation.heldout import Task, gathered
from labctl_models.validation.scores import scores
from labctl_models.validation.splits import loco, neighbours
from labctl_models.validation.validate import validate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split
    from labctl_models.validation.scores import Scores

FOREST = Candidate("random-forest", Forest())
LABEL_FOREST = Candidate("random-forest", ForestOfLabels())
DUMMY = default_candidates()[0]


def read(name: str) -> tuple[list[str], Array, NDArray[np.intp]]:
    """Formulas, outcomes and official test folds of a matbench table."""
    folder = Path(os.environ["LABCTL_DATA"]) / name
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with (folder / "matbench_folds.csv").open(encoding="utf-8", newline="") as handle:
        fold = np.array([int(row["test_fold"]) for row in csv.DictReader(handle)])
    return [row["formula"] for row in rows], np.array([float(row["target"]) for row in rows]), fold


def score(task: Task, X: Array, splits: list[Split], candidate: Candidate) -> Scores:
    """Scores of a candidate on splits, without a race."""
    cube, _, _ = unit_cube(X)
    found = {}
    for split in splits:
        parts = [fit_and_predict(candidate, task, cube, fold, 0) for fold in split.folds]
        found[split] = gathered(split, parts, 0.0)
    return scores(task, found)


def numbers(name: str, ks: tuple[int, ...], unit: str) -> None:
    formulas, y, fold = read(name)
    X, task, began = magpie(formulas), Task(y), time.process_time()
    near = neighbours(X)
    official = [partition("official", fold, near, seed=0)]
    clusters = [split for split in loco(X, ks=ks, near=near) if split.accepted]
    for candidate in (FOREST, DUMMY):
        inside = score(task, X, official, candidate)
        outside = score(task, X, clusters, candidate)
        by_k = " ".join(f"{k}:{value:.3g}" for k, value in outside.by_k.items())
        print(
            f"{name} {candidate.name}: official folds {inside.over_clusters:.4g} {unit}, held-out clusters "
            f"{outside.over_clusters:.4g} {unit} (pooled {outside.pooled:.4g}; by k {by_k}), MAE"
        )
    print(f"{name}: {len(y)} rows, {time.process_time() - began:.0f} CPU s")


def classes(name: str) -> None:
    formulas, y, fold = read(name)
    X, task, began = magpie(formulas), Task(y, 2), time.process_time()
    official = partition("official", fold, neighbours(X), seed=0)
    by_fold = []
    for train, test in official.folds:
        label, _, _ = fit_and_predict(LABEL_FOREST, task, unit_cube(X)[0], (train, test), 0)
        recalls = [np.mean(label[y[test] == c] == c) for c in (0, 1)]
        by_fold.append(float(np.mean(recalls)))
    print(f"{name} random-forest: official folds {np.mean(by_fold):.4f} balanced accuracy")
    print(f"{name}: {len(y)} rows, {time.process_time() - began:.0f} CPU s")


def whole(name: str, budget: float) -> None:
    formulas, y, _ = read(name)
    began = time.process_time()
    found = validate(magpie(formulas), y, formulas=formulas, budget_s=budget)
    spent = time.process_time() - began
    print(
        f"{name}, all candidates: {spent:.1f} CPU s of {budget:.0f}; {found.verdict.level}, best {found.best}"
    )
    for report in found.candidates:
        parts = [f"{report.name:14s} {report.status:9s} {report.cpu_s:6.1f} s"]
        for label, one in (("shuffled", report.shuffled), ("clusters", report.loco)):
            if one is not None:
                parts.append(f"{label} {one.over_clusters:.4g} ({one.splits})")
        print("  " + "  ".join(parts))
    print(f"  {found.verdict.reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=["steels", "expt_gap", "glass", "whole"])
    parser.add_argument("--budget", type=float, default=120.0)
    arguments = parser.parse_args()
    if "LABCTL_DATA" not in os.environ:
        sys.exit("LABCTL_DATA names no folder of tables")
    if "steels" in arguments.only:
        numbers("steels_yield", tuple(range(2, 11)), "MPa")
    if "expt_gap" in arguments.only:
        numbers("expt_gap", (3,), "eV")
    if "glass" in arguments.only:
        classes("glass")
    if "whole" in arguments.only:
        whole("steels_yield", arguments.budget)


if __name__ == "__main__":
    main()
