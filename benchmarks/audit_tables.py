"""Processor time and peak memory of a whole audit, each table in a process of its own.

Run with one thread: OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/audit_tables.py [--only steels_yield]
The last table is made up: 5,000 rows with ten settings, a batch, an operator and six logged fields.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TABLES = {
    "steels_yield": ("target", ()),
    "glass_raw": ("metallic_glass", ("--true-rate", "0.05")),
    "mpea": ("hardness", ()),
    "hplc": ("peak_area", ()),
    "fullerenes": ("product", ()),
    "crossed_barrel": ("toughness", ()),
    "5000 rows": ("strength", ()),
}
ROWS, SETTINGS, FIELDS = 5000, 10, 6


def made_up(path: Path) -> None:
    """A table of 5,000 rows."""
    rng = np.random.default_rng(0)
    X, logged = rng.random((ROWS, SETTINGS)), rng.standard_normal((ROWS, FIELDS))
    y = np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(ROWS)
    heads = [f"setting {i} (mm)" for i in range(SETTINGS)]
    heads += ["batch", "operator", *(f"field {i}" for i in range(FIELDS)), "strength (MPa)"]
    lines = [",".join(heads)]
    for i in range(ROWS):
        cells = [*(f"{v:.5f}" for v in X[i]), f"batch {i // 50}", f"operator {i % 3}"]
        cells += [*(f"{v:.4f}" for v in logged[i]), f"{100 + 10 * y[i]:.3f}"]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n", "utf-8")


def audited(name: str) -> None:
    """Audit one table in this process, and print what it took."""
    # Imported in the process that is measured, and not in the one that starts it.
    from labctl.audit.asked import Asked  # noqa: PLC0415 - see above
    from labctl.audit.page import page  # noqa: PLC0415 - see above
    from labctl.audit.run import audit_target  # noqa: PLC0415 - see above

    goal, options = TABLES[name]
    rate = float(options[1]) if options else None
    with tempfile.TemporaryDirectory() as folder:
        target = name
        if name == "5000 rows":
            target = str(Path(folder) / "table.csv")
            made_up(Path(target))
        began = time.process_time()
        found = audit_target(target, goal, Asked(true_rate=rate), seed=0)
        spent = time.process_time() - began
        size = len(page(found, [])) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    grave = sum(f.level != "low" for f in found.findings)
    print(
        f"{name:15s} {len(found.study.y):5d} rows {found.study.X.shape[1]:4d} features: {spent:6.1f} CPU s, "
        f"{peak:.2f} GB at most, page {size:.1f} MB, {grave} of {len(found.findings)} findings matter",
        flush=True,
    )
    for finding in found.findings[:4]:
        print(f"    {finding.severity:.2f} {finding.title}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(TABLES))
    parser.add_argument("--here", action="store_true", help="in this process, for one table")
    options = parser.parse_args()
    if options.here:
        audited(options.only[0])
        return
    for name in options.only:
        subprocess.run([sys.executable, __file__, "--here", "--only", name], check=True, env=os.environ)


if __name__ == "__main__":
    main()
