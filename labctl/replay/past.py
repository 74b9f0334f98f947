"""What a historical table can answer: every reading of every recipe, and which recipes are the best."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl.bench import Bench, set_up
from labctl.config import CampaignConfig, CampaignModel
from labctl.scores import judged

Floats = NDArray[np.float64]

TOP_SHARE = 0.05
"""Which recipes count as the best ones; 5 % as in Liang et al., npj Comput. Mater. 7, 188 (2021)."""


@dataclass(frozen=True)
class Past:
    """A table made ready for many replays.

    Attributes:
        config: of the campaign.
        bench: with the pool of recipes and the rows of the table; its seed is of no account.
    """

    config: CampaignConfig
    bench: Bench

    def __len__(self) -> int:
        return len(self.answers)

    @cached_property
    def answers(self) -> tuple[tuple[float | None, ...], ...]:
        """For each recipe, every answer the table has: what a reading is judged by, or None for a failure.

        A reading that breaks a limit on an outcome is no success, and counts as None too.
        """
        pool = self.bench.space.pool
        assert pool is not None  # noqa: S101 - a replay has one
        found: list[list[float | None]] = [[] for _ in range(len(pool))]
        for row in self.bench.rows:
            place = pool.row_of(row.recipe)
            assert place is not None  # noqa: S101 - only rows of the pool are kept
            found[place].append(judged(self.config, row.values) if row.failure is None else None)
        return tuple(map(tuple, found))

    @cached_property
    def worth(self) -> Floats:
        """Mean reading of each recipe; NaN where it was never measured, only failed."""
        return np.array([np.mean(some) if (some := measured(a)) else np.nan for a in self.answers])

    @cached_property
    def top(self) -> frozenset[int]:
        """The best 5 % of the recipes by their mean readings; all of those that tie with the last of them."""
        return frozenset(int(i) for i in np.flatnonzero(self._good(self.worth, self.rank(TOP_SHARE))))

    def rank(self, share: float) -> float:
        """Mean reading of the last of the best ``share`` of the recipes."""
        known = np.sort(self.config.direction * self.worth[np.isfinite(self.worth)])[::-1]
        last = min(len(known), max(1, round(share * len(self))))
        return float(self.config.direction * known[last - 1])

    @property
    def best_reading(self) -> float:
        """The best single reading that a replay can be answered with."""
        signed = [self.config.direction * value for a in self.answers for value in measured(a)]
        return self.config.direction * max(signed)

    @property
    def best_worth(self) -> float:
        """The best mean reading of a recipe."""
        return float(self.config.direction * np.nanmax(self.config.direction * self.worth))

    def chances(self, level: float) -> Floats:
        """For each recipe, the chance that its first answer is a reading at least as good as ``level``."""
        return np.array(
            [np.mean([v is not None and self.reaches(v, level) for v in a]) for a in self.answers]
        )

    def reaches(self, value: float, level: float) -> bool:
        """Whether a value is at least as good as a level."""
        return self.config.direction * (value - level) >= 0

    @property
    def failures(self) -> dict[str, int]:
        """How many rows are failures, by kind."""
        kinds = [str(row.failure.value) for row in self.bench.rows if row.failure is not None]
        return dict(sorted(Counter(kinds).items()))

    def _good(self, values: Floats, level: float) -> NDArray[np.bool_]:
        return np.asarray(np.nan_to_num(self.config.direction * (values - level), nan=-np.inf) >= 0)


def measured(answers: Sequence[float | None]) -> list[float]:
    """The answers that are readings."""
    return [value for value in answers if value is not None]


@lru_cache(maxsize=1)
def past_of(path: Path, content: str) -> Past:
    """Read the table of a campaign, once in each process.

    Args:
        path: the campaign file.
        content: what it says, as JSON; a text, so that it can be sent to other processes and looked up.

    Raises:
        RequestError: the table is missing or does not fit the campaign.
    """
    config = CampaignConfig(path, CampaignModel.model_validate_json(content))
    return Past(config, set_up(config, folder=None, seed=0))
