"""How often the audit cries wolf: findings of medium or high severity on tables without any flaw.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/audit_false_alarms.py [--draws 100] [--rows 200]
Each table has recipes drawn evenly from the cube, a smooth response with noise, failures in a corner that
was there to find, and metadata that have nothing to do with any of it. Half of the tables hold classes.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from labctl_models.audit.run import audit
from labctl_models.audit.table import AuditTable

COLUMNS = 5
MEDIUM = 0.4


def sound_table(seed: int, *, n: int, pool: int = 2000, classes: bool = False) -> AuditTable:
    """A table of n experiments with nothing wrong."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, COLUMNS))
    y = np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2 + 0.1 * rng.standard_normal(n)
    failed = X[:, 3] + X[:, 4] > 1.5
    seen = (y > np.median(y)).astype(float) if classes else np.round(60 + 12 * y, 2)
    batch = np.arange(n) // 20
    supplier = np.array([f"supplier {k}" for k in rng.integers(0, 15, n)])
    humidity = np.round(45 + 5 * rng.standard_normal(n), 1)
    return AuditTable(
        X=X,
        y=np.where(failed, np.nan, seen),
        outcome="classification" if classes else "regression",
        failed=failed,
        columns={
            "operator": rng.choice(["Ada", "Bo", "Cy"], n, p=[0.5, 0.3, 0.2]),
            "batch": np.array([f"batch {b}" for b in batch]),
            "supplier": np.where(rng.random(n) < 0.04, "", supplier),
            "humidity": np.where(rng.random(n) < 0.03, np.nan, humidity),
            "room": np.round(21 + rng.standard_normal(n), 2),
            "hour": rng.integers(8, 19, n).astype(float),
        },
        cohorts=("operator", "batch"),
        readings=("humidity", "room"),
        order=np.arange(n, dtype=float),
        arms=np.where(rng.random(n) < 0.15, "random", "explore"),
        pool=rng.random((pool, COLUMNS)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=200)
    options = parser.parse_args()
    loud, all_findings = 0, Counter[str]()
    began = time.process_time()
    for draw in range(options.draws):
        found = audit(sound_table(draw, n=options.rows, classes=draw % 2 == 1), seed=draw).findings
        alarms = [finding for finding in found if finding.severity >= MEDIUM]
        loud += bool(alarms)
        all_findings.update(f"{finding.level} {finding.id}" for finding in found)
        for finding in alarms:
            print(f"table {draw}: {finding.severity:.2f} {finding.id}: {finding.title}")
    seconds = (time.process_time() - began) / options.draws
    print(f"{loud} of {options.draws} sound tables raised a finding of medium or high severity")
    for name, times in all_findings.most_common():
        print(f"  {times:4d}  {name}")
    print(f"{seconds:.2f} s of processor time for each table of {options.rows} rows")


if __name__ == "__main__":
    main()
