"""What a belief of people is worth: experiments to the best 1 % with a right, a wrong and no prior."""

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl.advice import Advice, BeliefConfig
from labctl.config import CampaignConfig, load_config
from labctl.replay import compare
from labctl.starter import start_campaign

COLUMNS, ROWS, TOP = 4, 1000, 0.01
WITHIN = 0.15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--experiments", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=-1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config, X, y = campaign_of(Path(folder))
        best, worst = X[int(y.argmax())], X[int(y.argmin())]
        level = float(np.sort(y)[-round(TOP * ROWS)])
        needed = {}
        for name, centre in (("no prior", None), ("right prior", best), ("wrong prior", worst)):
            comparison = compare(
                with_prior(config, centre),
                ["improve"],
                seeds=given.seeds,
                experiments=given.experiments,
                jobs=given.jobs,
                progress=sys.stderr,
            )
            needed[name] = np.array(
                [first(run.readings, level, given.experiments) for run in comparison.runs], dtype=np.float64
            )
    print(f"{ROWS} recipes, {COLUMNS} settings, noise 2 % of the range; experiments to the best {TOP:.0%}")
    print(f"{given.seeds} paired seeds; a run that never gets there counts as {given.experiments + 1}")
    rng = np.random.default_rng(0)
    plain = needed["no prior"]
    for name, counts in needed.items():
        draws = rng.integers(0, len(counts), (4000, len(counts)))
        ratios = counts[draws].mean(axis=1) / plain[draws].mean(axis=1)
        low, high = np.quantile(ratios, [0.025, 0.975])
        print(
            f"{name:<12} median {np.median(counts):5.1f}  mean {counts.mean():5.1f}  "
            f"times no prior {counts.mean() / plain.mean():.2f} ({low:.2f} to {high:.2f})"
        )
    return 0


def campaign_of(folder: Path) -> tuple[CampaignConfig, NDArray[np.float64], NDArray[np.float64]]:
    """A campaign over a made table with two hills, of which the higher one is the narrower."""
    rng = np.random.default_rng(7)
    X = rng.uniform(size=(ROWS, COLUMNS))
    high, low = np.full(COLUMNS, 0.75), np.array([0.2, 0.25, 0.3, 0.35])
    y = np.exp(-((X - high) ** 2).sum(axis=1) / 0.12) + 0.6 * np.exp(-((X - low) ** 2).sum(axis=1) / 0.5)
    y += 0.02 * rng.standard_normal(ROWS)
    table = folder / "made.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i} [mm]" for i in range(COLUMNS)), "yield [percent]"])
        rows = np.column_stack([X, y])
        writer.writerows([f"{v:.6f}" for v in row] for row in rows)
    started = start_campaign(folder / "made", table=table, goal_column="yield", maximise=True)
    return load_config(started.campaign), np.round(X, 6), np.round(y, 6)


def with_prior(config: CampaignConfig, centre: NDArray[np.float64] | None) -> CampaignConfig:
    """The campaign of somebody who thinks that good recipes lie about there."""
    prior = (
        {}
        if centre is None
        else {f"x{i}": BeliefConfig(near=float(v), within=WITHIN) for i, v in enumerate(centre)}
    )
    return CampaignConfig(config.path, config.model.model_copy(update={"advice": Advice(prior=prior)}))


def first(readings: tuple[float | None, ...], level: float, most: int) -> int:
    """The first experiment that is good enough; one more than all where none is."""
    return next((i for i, v in enumerate(readings, start=1) if v is not None and v >= level), most + 1)


if __name__ == "__main__":
    raise SystemExit(main())
