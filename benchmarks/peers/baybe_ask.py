"""BayBE over a pool given as one encoded table; surrogate, acquisition and recommender are its own defaults.

Needs a Python of its own, with what is listed in baybe.txt beside this file.
"""

from __future__ import annotations

import warnings

import pandas as pd
import torch
from asked import Pool, serve
from baybe import Campaign, active_settings
from baybe.parameters import NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.targets import NumericalTarget

GOAL = "measured"


class BayBE:
    """A campaign that begins with measurements, so that BayBE's Bayesian recommender chooses from then on.

    One thing is set: as for everybody, no row is chosen twice. By default BayBE 0.15 may choose a measured
    row once more, which would only waste its budget, since a table has one answer for each.
    """

    def __init__(self, pool: Pool) -> None:
        active_settings.random_seed = pool.seed
        torch.set_num_threads(1)
        table = pd.DataFrame(pool.columns)
        settings = [
            NumericalDiscreteParameter(name, values=sorted(set(values)))
            for name, values in pool.columns.items()
        ]
        self.campaign = Campaign(
            SearchSpace.from_dataframe(table, settings),
            NumericalTarget(GOAL, minimize=not pool.maximise).to_objective(),
            allow_recommending_already_measured=False,
        )
        self.recipes = list(zip(*pool.columns.values(), strict=True))
        self.row_of = {recipe: row for row, recipe in enumerate(self.recipes)}
        self.names = list(pool.columns)

    def tell(self, row: int, value: float) -> None:
        """Add a measurement to the campaign."""
        self.campaign.add_measurements(
            pd.DataFrame([{**dict(zip(self.names, self.recipes[row], strict=True)), GOAL: value}])
        )

    def ask(self) -> int:
        """Take one recommendation."""
        chosen = self.campaign.recommend(batch_size=1)
        return self.row_of[tuple(float(chosen[name].iloc[0]) for name in self.names)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(BayBE, ("baybe", "botorch", "gpytorch", "torch"))
