"""Seconds for one suggestion in a continuous space of six columns, beside plain botorch.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/suggest_speed.py [--repeats 5] [--quick]
Ours is what the improving arm does: a Gaussian process averaged over its hyperparameters, log expected
improvement at 2048 draws and 512 near the best recipe, and an ascent from the eight best. botorch's is
SingleTaskGP, its fit, and optimize_acqf on LogEI with 10 restarts and 512 raw samples. Both get the same data
in turn, after a warm-up; the ratio is the median of paired ratios. Seconds are processor seconds of the one
thread. The last columns say what either suggestion is worth: the response there, without noise, less the
best that is known, so that speed is not bought with worse advice.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

from labctl_models.acquisition.ascent import ascend
from labctl_models.acquisition.improvement import log_expected_improvement_at, noisy_incumbent
from labctl_models.acquisition.score import Improvement
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

COLUMNS = 6
DRAWS, NEARBY, NEARBY_SCALE, STARTS = 2048, 512, 0.1, 8


def response(X: Array) -> Array:
    return np.asarray(np.sin(6 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2)


def some_data(n: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, COLUMNS))
    return X, response(X) + 0.1 * rng.standard_normal(n)


def ours(X: Array, y: Array, seed: int, kind: type) -> tuple[float, Array]:
    """Seconds, and the recipe suggested."""
    began = time.process_time()
    fitted = kind().fit(X, y, seed=seed)
    incumbent = noisy_incumbent(fitted, X)
    best = X[int(np.argmax(fitted.predict(X).mean))]
    rng = np.random.default_rng(seed)
    near = np.clip(rng.normal(best, NEARBY_SCALE, (NEARBY, COLUMNS)), 0.0, 1.0)
    draws = np.vstack([rng.random((DRAWS, COLUMNS)), near])
    order = np.argsort(-log_expected_improvement_at(fitted, draws, incumbent))
    ends = ascend(
        Improvement(fitted, incumbent),
        draws[order[:STARTS]],
        free=range(COLUMNS),
        lower=np.zeros(COLUMNS),
        upper=np.ones(COLUMNS),
    )
    return time.process_time() - began, ends.X[int(np.argmax(ends.value))]


def botorchs(X: Array, y: Array, seed: int) -> tuple[float, Array]:
    """The same with botorch."""
    torch.manual_seed(seed)
    began = time.process_time()
    model = SingleTaskGP(torch.from_numpy(X), torch.from_numpy(y)[:, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        best = model.posterior(torch.from_numpy(X)).mean.max()
    recipe, _ = optimize_acqf(
        LogExpectedImprovement(model, best_f=best),
        bounds=torch.tensor([[0.0] * COLUMNS, [1.0] * COLUMNS], dtype=torch.float64),
        q=1,
        num_restarts=10,
        raw_samples=512,
    )
    return time.process_time() - began, recipe.numpy()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two data sets, the two smaller sizes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # botorch warns when a fit of its own ends abnormally and is tried again; the time of that counts.
    warnings.simplefilter("ignore")
    repeats = 2 if arguments.quick else arguments.repeats
    with one_thread():
        ours(*some_data(20, 0), 0, AveragedGaussianProcess)
        botorchs(*some_data(20, 0), 0)
        print(f"d = {COLUMNS}; seconds are medians of {repeats} data sets")
        heads = f"{'n':>5}{'averaged':>10}{'point':>9}{'botorch':>9}  how many times quicker than botorch"
        print(f"{heads:<78}  gain: averaged, point, botorch")
        for n in (20, 100) if arguments.quick else (20, 100, 500):
            compare(n, repeats)


def compare(n: int, repeats: int) -> None:
    seconds: list[list[float]] = []
    gains: list[list[float]] = []
    for seed in range(repeats):
        X, y = some_data(n, seed)
        runs = [
            ours(X, y, seed, AveragedGaussianProcess),
            ours(X, y, seed, GaussianProcess),
            botorchs(X, y, seed),
        ]
        seconds.append([run[0] for run in runs])
        gains.append([float(response(run[1][None])[0] - response(X).max()) for run in runs])
    averaged, point, theirs = (statistics.median(column) for column in zip(*seconds, strict=True))
    ratios = [[row[2] / row[way] for row in seconds] for way in (0, 1)]
    said = ", ".join(
        f"{name} {statistics.median(r):.1f} [{min(r):.1f} to {max(r):.1f}]"
        for name, r in zip(("averaged", "point"), ratios, strict=True)
    )
    worth = " ".join(f"{statistics.median(column):+.3f}" for column in zip(*gains, strict=True))
    print(f"{n:>5}{averaged:>10.3f}{point:>9.3f}{theirs:>9.3f}  {said:<54}{worth}", flush=True)


if __name__ == "__main__":
    main()
