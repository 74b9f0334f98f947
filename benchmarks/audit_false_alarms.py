"""How often the audit cries wolf: findings of medium or high severity on tables without any flaw.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/audit_false_alarms.py [--draws 100] [--rows 200]
With --files each table is written as CSV and audited as `labctl audit` does it: columns are guessed, recipes
spread over the ranges are the candidates. Of three such tables one holds classes, one quantities with their
failures in a card, and one is a bare CSV of quantities; that none of its rows failed is true of it, hence
no false alarm.
Each table has recipes drawn evenly from the cube, a smooth response with noise, failures in a corner that
was there to find, and metadata that have nothing to do with any of it. Half of the tables hold classes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.run import audit
from labctl_models.audit.table import AuditTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_models.audit.finding import Finding

COLUMNS, SETTINGS = 5, 4
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


def sound_file(seed: int, folder: Path, *, n: int) -> tuple[Path, str]:
    """A sound table of n rows as a file, and the name of its goal; the seed also says of which kind."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, SETTINGS))
    noise = 0.1 * rng.standard_normal(n)
    y = np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2 + noise
    goal, kind = "strength", seed % 3
    values = [f"{60 + 12 * v:.3f}" for v in y]
    if kind == 0:
        goal, values = "good", [str(int(v > np.median(y))) for v in y]
    elif kind == 1:
        values = ["cracked" if x[2] + x[3] > 1.6 else v for x, v in zip(X, values, strict=True)]
    columns: dict[str, Sequence[object]] = {
        "temperature (degC)": [f"{20 + 400 * v:.1f}" for v in X[:, 0]],
        "time (minute)": [f"{5 + 115 * v:.2f}" for v in X[:, 1]],
        "flow (mL/min)": [f"{10 * v:.3f}" for v in X[:, 2]],
        "dose (mg)": [f"{3 * v:.4f}" for v in X[:, 3]],
        "batch": [f"batch {i // 20}" for i in range(n)],
        "operator": rng.choice(["Ada", "Bo", "Cy"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "humidity (percent)": [
            "" if rng.random() < 0.03 else f"{v:.1f}" for v in 45 + 5 * rng.standard_normal(n)
        ],
        goal: values,
    }
    table = folder / "table.csv"
    rows = zip(*columns.values(), strict=True)
    table.write_text("\n".join(",".join(map(str, row)) for row in [tuple(columns), *rows]) + "\n", "utf-8")
    if kind != 1:
        return table, goal
    roles = {"batch": "metadata", "operator": "metadata", "humidity": "metadata", goal: "objective"}
    units = {"temperature": "degC", "time": "minute", "flow": "mL/min", "dose": "mg", "humidity": "percent"}
    names = [name.split(" (")[0] for name in columns]
    failure = {"column": goal, "equals": "cracked"}
    card = {
        "name": "sound",
        "title": "A table without a flaw",
        "licence": "made for this benchmark",
        "file": {"beside": table.name},
        "columns": [
            {"name": m, "unit": units.get(m, "dimensionless"), "role": roles.get(m, "parameter")}
            for m in names
        ],
        "failures": [{"when": failure, "kind": "infeasible", "message": "it cracked"}],
    }
    path = folder / "sound.card.yaml"
    path.write_text(json.dumps(card), "utf-8")
    return path, goal


def found_in_file(draw: int, *, n: int) -> list[Finding]:
    """What `labctl audit` finds in a sound file that is wrong to find."""
    from labctl.audit.asked import Asked  # noqa: PLC0415  not for tables in memory
    from labctl.audit.run import audit_target  # noqa: PLC0415  the same

    with tempfile.TemporaryDirectory() as folder:
        path, goal = sound_file(draw, Path(folder), n=n)
        audited = audit_target(str(path), goal, Asked(), seed=draw)
    true = {"selection.no_failures"} if draw % 3 == 2 else set()
    return [finding for finding in audited.findings if finding.id not in true]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--files", action="store_true", help="as the command does it, from files")
    options = parser.parse_args()
    loud, all_findings = 0, Counter[str]()
    began = time.process_time()
    for draw in range(options.draws):
        found: Sequence[Finding]
        if options.files:
            found = found_in_file(draw, n=options.rows)
        else:
            found = audit(sound_table(draw, n=options.rows, classes=draw % 2 == 1), seed=draw).findings
        alarms = [finding for finding in found if finding.severity >= MEDIUM]
        loud += bool(alarms)
        all_findings.update(f"{finding.level} {finding.id}" for finding in found)
        for finding in alarms:
            print(f"table {draw}: {finding.severity:.2f} {finding.id}: {finding.title}", flush=True)
    seconds = (time.process_time() - began) / options.draws
    print(f"{loud} of {options.draws} sound tables raised a finding of medium or high severity")
    for name, times in all_findings.most_common():
        print(f"  {times:4d}  {name}")
    print(f"{seconds:.2f} s of processor time for each table of {options.rows} rows")


if __name__ == "__main__":
    main()
