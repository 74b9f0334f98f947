"""Choosing from a pool beside plain botorch and PHYSBO: seconds, the winner, and the memory.

Run with one thread:
OMP_NUM_THREADS=1 python benchmarks/pool_speed.py [--repeats 5] [--quick] [--physbo-python PATH]
All get the same data and pool, in turn, after a warm-up; a ratio is the median of paired ratios, with the
least and the greatest. Seconds are processor seconds of the one thread, so that neighbours on a busy machine
count less; on an idle one they are those of the clock. botorch works in chunks of 128 recipes, which is where
it is quickest. PHYSBO runs in a Python of its own, where it is installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.acquisition.pool import KEPT_BYTES, pool_scores
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl_models.surrogates.protocol import Array

CHUNK = 128
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Setting:
    """A pool of N recipes with d columns, of which n others were measured."""

    N: int
    d: int
    n: int
    latent: int | None


LARGE = Setting(100_000, 20, 500, None)
WIDE = Setting(10_000, 130, 100, 6)
QUICK = (Setting(1_000, 130, 60, 6), Setting(5_000, 20, 100, None))


def some_data(setting: Setting, seed: int) -> tuple[Array, Array, Array]:
    """Known recipes (n x d), their readings, and the pool (N x d).

    Columns are independent, or features that follow from a few latent properties, as those of formulas do.
    """
    rng = np.random.default_rng(seed)
    rows = setting.n + setting.N
    if setting.latent is None:
        X = rng.random((rows, setting.d))
        y = np.sin(6 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2
    else:
        Z = rng.standard_normal((rows, setting.latent))
        mixed = 0.5 * Z @ rng.standard_normal((setting.latent, setting.d))
        X = 0.5 + 0.5 * np.tanh(mixed + 0.1 * rng.standard_normal((rows, setting.d)))
        y = np.sin(Z[:, 0]) + 0.5 * Z[:, 1] * Z[:, 2]
    y = y + 0.1 * rng.standard_normal(rows)
    return X[: setting.n], y[: setting.n], X[setting.n :]


def timed(work: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def ours(X: Array, y: Array, pool: Array, kind: type) -> dict[str, object]:
    """Seconds of the fit, of scoring the pool, and of scoring it again; and what was fitted and scored.

    Scoring is measured without what later updates need, and once more with it ("ready").
    """
    fit, fitted = timed(lambda: kind().fit(X, y, seed=0))

    def score(kept_bytes: int) -> object:
        scores = pool_scores(fitted, pool, kept_bytes=kept_bytes)
        return scores, scores.log_expected_improvement()

    seconds, _ = timed(lambda: score(0))
    ready, (scores, values) = timed(lambda: score(KEPT_BYTES))
    row = int(np.argmax(values))
    found = scores.prediction.mean[[row]] + 1.0
    again, _ = timed(lambda: scores.updated(pool[[row]], found).log_expected_improvement())
    return {"fit": fit, "score": seconds, "ready": ready, "again": again, "fitted": fitted, "values": values}


def botorchs(X: Array, y: Array, pool: Array, fitted: object) -> dict[str, object]:
    """Seconds of botorch's default fit, of its default qLogEI, and of closed LogEI on our own process."""
    import torch  # noqa: PLC0415  the subprocess that measures our memory must not load it
    from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement  # noqa: PLC0415
    from botorch.fit import fit_gpytorch_mll  # noqa: PLC0415
    from botorch.models import SingleTaskGP  # noqa: PLC0415
    from gpytorch.mlls import ExactMarginalLogLikelihood  # noqa: PLC0415

    chunks = torch.from_numpy(pool)[:, None].split(CHUNK)
    model = SingleTaskGP(torch.from_numpy(X), torch.from_numpy(y)[:, None])
    fit, _ = timed(lambda: fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model)))
    best = float(y.max())
    twin = fitted.to_botorch()  # type: ignore[attr-defined]  a FittedGP
    with torch.no_grad():
        sampled = qLogExpectedImprovement(model, best_f=best)
        ask, _ = timed(lambda: torch.cat([sampled(chunk) for chunk in chunks]))
        closed = LogExpectedImprovement(twin, best_f=fitted.predict(X).mean.max())  # type: ignore[attr-defined]
        score, values = timed(lambda: torch.cat([closed(chunk) for chunk in chunks]))
    return {"fit": fit, "ask": ask, "score": score, "values": values.numpy()}


def physbos(X: Array, y: Array, pool: Array, python: str) -> float:
    """Seconds of one exact expected-improvement search of PHYSBO, its hyperparameters learned as usual."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, X=np.vstack([X, pool]), y=y)
        done = subprocess.run(
            [python, str(HERE / "physbo_ask.py"), str(path)], capture_output=True, text=True, check=True
        )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def spread(values: list[float], digits: int = 1) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def compare(setting: Setting, repeats: int, python: str | None) -> None:
    print(f"\npool {setting.N:,} x {setting.d}, {setting.n} measured; {repeats} data sets", flush=True)
    small = Setting(1000, setting.d, 40, setting.latent)
    X, y, pool = some_data(small, 0)
    botorchs(X, y, pool, ours(X, y, pool, GaussianProcess)["fitted"])
    # The first touch of this much memory costs the system more than every later one.
    warm = some_data(setting, 99)
    ours(*warm, GaussianProcess)
    runs, same, gaps = [], 0, []
    for seed in range(repeats):
        X, y, pool = some_data(setting, seed)
        mine = ours(X, y, pool, GaussianProcess)
        theirs = botorchs(X, y, pool, mine["fitted"])
        averaged = ours(X, y, pool, AveragedGaussianProcess)
        values, closed = mine.pop("values"), theirs.pop("values")
        same += int(np.argmax(values) == np.argmax(closed))
        gaps.append(float(np.abs(values - closed).max()))
        physbo = physbos(X, y, pool, python) if python else None
        runs.append((mine, theirs, averaged, physbo))
        print(f"  data set {seed + 1}: cold {mine['fit'] + mine['score']:.3f} s beside ", end="")
        print(f"{theirs['fit'] + theirs['ask']:.3f} s, scores {mine['score']:.3f} s beside ", end="")
        print(f"{theirs['score']:.3f} s, again {mine['again']:.4f} s", flush=True)
    cold = [m["fit"] + m["score"] for m, _, _, _ in runs]
    ready = [m["fit"] + m["ready"] for m, _, _, _ in runs]
    averaged_cold = [a["fit"] + a["score"] for _, _, a, _ in runs]
    plain = [t["fit"] + t["ask"] for _, t, _, _ in runs]
    closed_form = [t["score"] for _, t, _, _ in runs]
    fits = [m["fit"] for m, _, _, _ in runs]
    scores = [m["score"] for m, _, _, _ in runs]
    again = [m["again"] for m, _, _, _ in runs]
    averaged_again = [a["again"] for _, _, a, _ in runs]
    lines = [
        ("fit", fits, "botorch's fit", [t["fit"] for _, t, _, _ in runs]),
        ("log EI over the pool", scores, "botorch's closed LogEI", closed_form),
        ("cold ask: fit and log EI", cold, "botorch's fit and qLogEI", plain),
        ("the same, ready for updates", ready, "botorch's fit and qLogEI", plain),
        ("again, one measurement later", again, "botorch's cold ask", plain),
        ("again, one measurement later", again, "our own cold ask", cold),
        ("averaged: cold ask", averaged_cold, "botorch's fit and qLogEI", plain),
        ("averaged: again", averaged_again, "botorch's cold ask", plain),
        ("averaged: again", averaged_again, "its own cold ask", averaged_cold),
    ]
    if python:
        lines.append(("cold ask: fit and log EI", cold, "PHYSBO's", [p for _, _, _, p in runs]))
    else:
        print("PHYSBO was not run; --physbo-python names the Python that has it")
    print(f"{'ours':<30}{'seconds':>9}  {'against':<25}{'seconds':>9}  how many times quicker")
    for name, a, other, b in lines:
        ratio = spread([theirs / mine for mine, theirs in zip(a, b, strict=True)])
        print(f"{name:<30}{statistics.median(a):>9.4f}  {other:<25}{statistics.median(b):>9.4f}  {ratio}")
    print(f"same winner as botorch's closed LogEI on the same process: {same} of {repeats} data sets;")
    print(f"greatest difference of a log EI: {max(gaps):.1e}", flush=True)


def memory(setting: Setting) -> None:
    """In a process of its own, without botorch: fit, score, and score again; print the greatest memory."""
    ours(*some_data(setting, 0), GaussianProcess)
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says on Linux includes the process that started this one.
        print(
            next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 1024
        )
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small pools and two data sets")
    parser.add_argument("--physbo-python", help="the Python that has PHYSBO")
    parser.add_argument("--memory-of", type=int, choices=(0, 1), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    settings = QUICK if arguments.quick else (WIDE, LARGE)
    repeats = 2 if arguments.quick else arguments.repeats
    if arguments.memory_of is not None:
        memory(settings[arguments.memory_of])
        return
    import torch  # noqa: PLC0415  as above

    torch.set_num_threads(1)
    with one_thread():
        for i, setting in enumerate(settings):
            compare(setting, repeats, arguments.physbo_python)
            again = [sys.executable, __file__, "--memory-of", str(i)] + ["--quick"] * arguments.quick
            peak = subprocess.run(again, capture_output=True, text=True, check=True).stdout
            print(f"greatest memory of a process that fits, scores and scores again: {float(peak):.0f} MB")


if __name__ == "__main__":
    main()
