"""Fits of many columns beside botorch's: seconds, evaluations, and the height that each reaches.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/wide_fit.py [--repeats 2] [--quick]
The same model, priors and data for both; botorch searches as it does by default. Seconds are processor
seconds of the one thread. Heights are ours less botorch's: above 0, ours is the more probable.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.mlls import ExactMarginalLogLikelihood

from labctl_models.surrogates.evidence import Problem
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl_models.surrogates.protocol import Array


def few_matter(rng: np.random.Generator, n: int, d: int) -> tuple[Array, Array]:
    X = rng.random((n, d))
    y = np.sin(6 * X[:, 0]) + X[:, 1] * X[:, 2] + (X[:, 3] - 0.5) ** 2
    return X, y + 0.1 * rng.standard_normal(n)


def many_matter(rng: np.random.Generator, n: int, d: int) -> tuple[Array, Array]:
    X = rng.random((n, d))
    weights = rng.exponential(1.0, d) * rng.choice([-1.0, 1.0], d)
    y = 2 * np.tanh((X - 0.5) @ weights) + np.sin(4 * X[:, :3].sum(axis=1))
    return X, y + 0.2 * rng.standard_normal(n)


def features_of_few_properties(rng: np.random.Generator, n: int, d: int) -> tuple[Array, Array]:
    Z = rng.standard_normal((n, 6))
    mixed = 0.5 * Z @ rng.standard_normal((6, d)) + 0.1 * rng.standard_normal((n, d))
    y = np.sin(Z[:, 0]) + 0.5 * Z[:, 1] * Z[:, 2] + 0.1 * rng.standard_normal(n)
    return 0.5 + 0.5 * np.tanh(mixed), y


PROBLEMS: tuple[Callable[[np.random.Generator, int, int], tuple[Array, Array]], ...] = (
    few_matter,
    many_matter,
    features_of_few_properties,
)


class Counted(ExactMarginalLogLikelihood):
    """The marginal likelihood, and how often it was computed."""

    calls = 0

    def forward(self, *arguments: object) -> torch.Tensor:
        """The likelihood, counted."""
        self.calls += 1
        return super().forward(*arguments)


def ours(X: Array, y: Array) -> tuple[float, int, float, float]:
    """Seconds, evaluations, log posterior and log marginal likelihood."""
    calls = 0
    negative = Problem.negative

    def counted(problem: Problem, theta: Array) -> tuple[float, Array]:
        nonlocal calls
        calls += 1
        return negative(problem, theta)

    Problem.negative = counted  # type: ignore[method-assign]  only to count
    try:
        began = time.process_time()
        card = GaussianProcess().fit(X, y, seed=0).card
        seconds = time.process_time() - began
    finally:
        Problem.negative = negative  # type: ignore[method-assign]  as it was
    return seconds, calls, card.log_posterior, card.log_marginal_likelihood


def botorchs(X: Array, y: Array) -> tuple[float, int, float, float]:
    """The same with botorch's own fit of the same model."""
    n, d = X.shape
    covariance = get_covar_module_with_dim_scaled_prior(d, use_rbf_kernel=False)
    began = time.process_time()
    model = SingleTaskGP(torch.from_numpy(X), torch.from_numpy(y)[:, None], covar_module=covariance)
    mll = fit_gpytorch_mll(Counted(model.likelihood, model))
    seconds, calls = time.process_time() - began, mll.calls
    with torch.no_grad():
        model.train()
        belief = model(*model.train_inputs)
        height = n * mll(belief, model.train_targets).item()
        likelihood = model.likelihood(belief).log_prob(model.train_targets).item()
    return seconds, calls, height, likelihood


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one data set of 60 rows")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # botorch warns when a fit of its own ends abnormally and is tried again; the time of that counts.
    warnings.simplefilter("ignore")
    sizes = ((60, 20), (60, 130)) if arguments.quick else ((100, 20), (500, 20), (100, 130))
    seeds = range(1 if arguments.quick else arguments.repeats)
    with one_thread():
        ours(*few_matter(np.random.default_rng(0), 20, 20))
        botorchs(*few_matter(np.random.default_rng(0), 20, 20))
        print(
            f"{'n':>5}{'d':>5}  {'response':<28}{'seconds':>9}{'botorch':>9}{'ratio':>7}{'steps':>7}", end=""
        )
        print(f"{'botorch':>9}  log posterior, log likelihood: ours - botorch's")
        for n, d in sizes:
            for problem in PROBLEMS:
                data = [problem(np.random.default_rng(seed), n, d) for seed in seeds]
                runs = [(ours(*one), botorchs(*one)) for one in data]
                mine, theirs = (
                    [statistics.median(run[who][i] for run in runs) for i in (0, 1)] for who in (0, 1)
                )
                ratio = statistics.median(b[0] / a[0] for a, b in runs)
                print(f"{n:>5}{d:>5}  {problem.__name__:<28}{mine[0]:>9.3f}{theirs[0]:>9.3f}", end="")
                print(f"{ratio:>7.1f}{mine[1]:>7.0f}{theirs[1]:>9.0f}  ", end="")
                print(" ".join(f"{a[2] - b[2]:+.4f}, {a[3] - b[3]:+.4f};" for a, b in runs), flush=True)


if __name__ == "__main__":
    main()
