"""Plain BoTorch over a pool: SingleTaskGP as it comes, and the closed LogEI of every row not yet measured."""

from __future__ import annotations

import torch
from asked import Pool, serve
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood


class BoTorch:
    """What its tutorials do: settings scaled to the unit cube, readings standardised by the model itself."""

    def __init__(self, pool: Pool) -> None:
        columns = torch.tensor(list(pool.columns.values()), dtype=torch.float64).T
        low, high = columns.min(dim=0).values, columns.max(dim=0).values
        self.X = (columns - low) / (high - low)
        self.sign = 1.0 if pool.maximise else -1.0
        self.rows: list[int] = []
        self.values: list[float] = []
        torch.manual_seed(pool.seed)
        torch.set_num_threads(1)

    def tell(self, row: int, value: float) -> None:
        """Keep a measurement."""
        self.rows.append(row)
        self.values.append(self.sign * value)

    def ask(self) -> int:
        """Fit anew, and take the row with the greatest score."""
        y = torch.tensor(self.values, dtype=torch.float64)[:, None]
        model = SingleTaskGP(self.X[self.rows], y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        score = LogExpectedImprovement(model, best_f=y.max())
        with torch.no_grad():
            scores = torch.cat([score(part) for part in self.X[:, None].split(128)])
        scores[self.rows] = -torch.inf
        return int(scores.argmax())


if __name__ == "__main__":
    serve(BoTorch, ("botorch", "gpytorch", "torch"))
