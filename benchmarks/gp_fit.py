"""Fit and score against plain botorch: time, and the height of the log posterior that each reaches.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/gp_fit.py [--repeats 5] [--pool 2000]
Both get the same data, priors and pool in one process, in turn; the ratio is the median of paired ratios.
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
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.mlls import ExactMarginalLogLikelihood

from labctl_models.acquisition.improvement import log_expected_improvement, noisy_incumbent
from labctl_models.surrogates.gp import GaussianProcess

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

COLUMNS = 6


def some_data(n: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, COLUMNS))
    return X, np.sin(6 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2 + 0.1 * rng.standard_normal(n)


def ours(X: Array, y: Array, pool: Array) -> tuple[float, float, float, Array]:
    """Seconds of the fit, seconds of the scores, log posterior, and the scores."""
    began = time.perf_counter()
    fitted = GaussianProcess().fit(X, y, seed=0)
    between = time.perf_counter()
    belief = fitted.predict(pool)
    score = log_expected_improvement(belief.mean, belief.sd, noisy_incumbent(fitted, X))
    return between - began, time.perf_counter() - between, fitted.card.log_posterior, score


def botorchs(X: Array, y: Array, pool: Array) -> tuple[float, float, float, Array]:
    """The same with botorch's own fit and acquisition function."""
    began = time.perf_counter()
    covariance = get_covar_module_with_dim_scaled_prior(COLUMNS, use_rbf_kernel=False)
    model = SingleTaskGP(torch.from_numpy(X), torch.from_numpy(y)[:, None], covar_module=covariance)
    mll = fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    between = time.perf_counter()
    with torch.no_grad():
        incumbent = model.posterior(torch.from_numpy(X)).mean.max()
        score = LogExpectedImprovement(model, best_f=incumbent)(torch.from_numpy(pool)[:, None])
    end = time.perf_counter()
    with torch.no_grad():
        model.train()
        height = len(y) * mll(model(*model.train_inputs), model.train_targets).item()
    return between - began, end - between, height, score.numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pool", type=int, default=2000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # botorch warns when a fit of its own ends abnormally and is tried again; the time of that counts.
    warnings.simplefilter("ignore")
    pool = np.random.default_rng(99).random((arguments.pool, COLUMNS))
    for way in (ours, botorchs):
        way(*some_data(20, 0), pool)
    print(f"d = {COLUMNS}, pool of {arguments.pool}; seconds are medians of {arguments.repeats} data sets")
    heads = f"{'n':>5}{'fit':>9}{'botorch':>9}{'ratio':>8}{'score':>9}{'botorch':>9}{'ratio':>8}"
    print(f"{heads}  log posterior: ours - botorch's")
    for n in (20, 60, 100, 500):
        runs = [
            (ours(*some_data(n, s), pool), botorchs(*some_data(n, s), pool)) for s in range(arguments.repeats)
        ]
        line = f"{n:>5}"
        for part in (0, 1):
            a, b = ([run[who][part] for run in runs] for who in (0, 1))
            ratio = statistics.median(theirs / mine for mine, theirs in zip(a, b, strict=True))
            line += f"{statistics.median(a):>9.4f}{statistics.median(b):>9.4f}{ratio:>8.1f}"
        differences = [mine[2] - theirs[2] for mine, theirs in runs]
        print(f"{line}  " + " ".join(f"{difference:+.5f}" for difference in differences))


if __name__ == "__main__":
    main()
