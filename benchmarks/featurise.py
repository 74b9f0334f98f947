"""Magpie features against matminer's: how many times faster, and the largest difference of any value.

Run with one thread: OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/featurise.py [--formulas 1000]
Without LABCTL_DATA the formulas are random ones of up to five elements. Pairs of runs in turn, after a
warm-up of both; matminer is timed once with the parsing of formulas and once without.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import time
from pathlib import Path

import numpy as np
from matminer.featurizers.composition import ElementProperty
from pymatgen.core import Composition

from labctl_models.features import magpie
from labctl_models.formulas import SYMBOLS


def some_formulas(n: int) -> tuple[list[str], str]:
    """The formulas, all different, and where they are from."""
    rng = random.Random(0)  # noqa: S311  a benchmark, no secret
    folder = os.environ.get("LABCTL_DATA")
    if folder:
        with (Path(folder) / "expt_gap" / "expt_gap.csv").open(encoding="utf-8", newline="") as handle:
            known = sorted({row["formula"] for row in csv.DictReader(handle)})
        return rng.sample(known, min(n, len(known))), "expt_gap"
    several = (rng.sample(SYMBOLS[:94], rng.randint(1, 5)) for _ in range(n))
    return ["".join(f"{symbol}{rng.randint(1, 9)}" for symbol in symbols) for symbols in several], "random"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formulas", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    formulas, source = some_formulas(arguments.formulas)
    rival = ElementProperty.from_preset("magpie")
    # All formulas once, because the first sight of an element makes pymatgen look it up, for both sides.
    magpie(formulas)
    [rival.featurize(Composition(formula)) for formula in formulas[:20]]
    pairs = []
    for _ in range(arguments.repeats):
        began = time.perf_counter()
        mine = magpie(formulas)
        after_ours = time.perf_counter()
        compositions = [Composition(formula) for formula in formulas]
        parsed = time.perf_counter()
        theirs = np.array([rival.featurize(composition) for composition in compositions])
        end = time.perf_counter()
        pairs.append((after_ours - began, end - after_ours, end - parsed))
    own, whole, bare = (statistics.median(pair[i] for pair in pairs) for i in range(3))
    ratios = sorted(pair[1] / pair[0] for pair in pairs)
    bare_ratios = sorted(pair[2] / pair[0] for pair in pairs)
    print(f"{len(formulas)} formulas ({source}), medians of {arguments.repeats} pairs")
    print(f"ours {own:.4f} s, matminer {whole:.3f} s, of which without parsing {bare:.3f} s")
    for label, found in (("with matminer's parsing", ratios), ("without it", bare_ratios)):
        print(f"ratio {statistics.median(found):.0f} ({found[0]:.0f} to {found[-1]:.0f}) {label}")
    print(f"largest difference of any value: {np.abs(mine - theirs).max():.1e}")


if __name__ == "__main__":
    main()
