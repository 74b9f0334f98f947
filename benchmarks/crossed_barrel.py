"""How many of the best 30 of 600 crossed barrels are found, beside chance and a published surrogate."""

import argparse
import sys
from pathlib import Path

import numpy as np

from labctl.config import CampaignConfig, load_config
from labctl.datasets import found, load_card
from labctl.replay import compare

CAMPAIGN = Path(__file__).parents[1] / "configs" / "crossed_barrel.yaml"
MOMENTS = (20, 30, 40, 50)
KEYS = ("median", "lower_quartile", "upper_quartile", "mean")
PUBLISHED_50 = 0.322
"""Mean of 50 runs with an isotropic Gaussian process (Matérn-5/2) and the lower confidence bound at 2 sd,
from two random designs: Liang et al., npj Comput. Mater. 7, 188 (2021), counted from its files."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=-1)
    given = parser.parse_args()
    if found(load_card("crossed_barrel")) is None:
        print("skipped: the table is not here; `labctl datasets path crossed_barrel` says how to get it")
        return 0
    config = as_published(load_config(CAMPAIGN))
    comparison = compare(
        config, ["improve"], seeds=given.seeds, experiments=max(MOMENTS), jobs=given.jobs, progress=sys.stderr
    )
    results = comparison.as_json()
    pool, found_by = results["pool"], results["strategies"]["improve"]
    top = pool["top"]["recipes"]
    print(f"{pool['recipes']} designs, the best {top} by their mean of three prints, {given.seeds} seeds")
    print("experiments  median  quartiles     mean    chance (exact)")
    for moment in MOMENTS:
        median, low, high, mean = (found_by["top_share"][key][moment - 1] for key in KEYS)
        chance = results["random_share"][moment - 1]
        print(f"{moment:>11}  {median:6.1%}  {low:5.1%}-{high:5.1%}  {mean:6.1%}  {chance:6.1%}")
    shares = np.array(
        [len(comparison.past.top.intersection(run["recipes"])) / top for run in found_by["runs"]]
    )
    error = shares.std(ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else float("nan")
    mean = f"mean by {MOMENTS[-1]}: {shares.mean():.1%}, standard error {error:.1%}"
    print(f"{mean}; published {PUBLISHED_50:.1%}")
    cpu_seconds = results["timing"]["cpu_seconds_per_suggestion"]["improve"]
    print(f"CPU s a suggestion: {cpu_seconds:.3f}")
    return 0


def as_published(config: CampaignConfig) -> CampaignConfig:
    """The campaign under the rules of the publication: answered by means, from two random designs on."""
    model = config.model
    changed = model.model_copy(
        update={
            "instrument": model.instrument.model_copy(update={"replicates": "mean"}),
            "strategy": model.strategy.model_copy(update={"initial": 2, "start": "random"}),
        }
    )
    return CampaignConfig(config.path, changed)


if __name__ == "__main__":
    sys.exit(main())
