"""How far models of public tables can be trusted: verdict, errors near and far, and the CPU seconds it took.

Run with one thread: OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/validate_tables.py [--budget 120]
Errors are those that the verdict rests on: mean absolute errors averaged over folds, and for classes the
share named wrongly with every class counting the same. Published means on the official folds of matbench
(random forest on the same features) stand beside them: Dunn et al., npj Comput. Mater. 6, 138 (2020).
"""

import argparse
import resource
import time

from labctl.datasets import found, load_card
from labctl.target import find_study
from labctl.validate import Checked, validate_study

PUBLISHED = {"steels_yield": "103.5 MPa", "expt_gap": "0.446 eV", "glass": "0.141 (1 - 0.859)"}
TABLES = ("steels_yield", "fullerenes", "glass", "expt_gap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=TABLES)
    parser.add_argument("--budget", type=float, default=120.0)
    given = parser.parse_args()
    for name in given.tables or TABLES:
        if found(load_card(name)) is None:
            print(f"{name}: skipped, the table is not here")
            continue
        study = find_study(name, goal=None)
        began = time.process_time()
        show(validate_study(study, budget_s=given.budget), time.process_time() - began)


def show(checked: Checked, cpu_s: float) -> None:
    result, name = checked.found, checked.study.name
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{name}: {result.n} rows, {result.d} features, {checked.study.unit}")
    print(f"  {result.verdict.level}; {result.verdict.reason}")
    print(f"  {cpu_s:.1f} CPU s of {checked.budget_s:g}, peak memory so far {peak:.0f} MiB")
    print(
        f"  splits: {len(result.splits)} made, {sum(not s.accepted for s in result.splits)} refused, "
        f"{len(result.missed)} not reached; inflation {result.inflation:.3g}"
    )
    print(f"  {'candidate':<16}{'at random':>11}{'clusters':>11}{'splits':>8}{'CPU s':>8}  status")
    for r in result.candidates:
        near = r.shuffled.over_clusters if r.shuffled else float("nan")
        far = r.loco.over_clusters if r.loco else float("nan")
        splits = r.loco.splits if r.loco else 0
        print(f"  {r.name:<16}{near:>11.4g}{far:>11.4g}{splits:>8}{r.cpu_s:>8.1f}  {r.status}")
    if name in PUBLISHED:
        print(f"  published for a random forest on the official folds: {PUBLISHED[name]}")


if __name__ == "__main__":
    main()
