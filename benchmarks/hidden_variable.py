"""How often the audit finds a hidden variable in the simulated furnace, where there is one and where not.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/hidden_variable.py [--seeds 60] [--experiments 40]
Each campaign draws its recipes at random. The bench logs the humidity of the room, and no recipe sets it;
its setting humidity_effect says by how much one percent of it moves a reading.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.audit.run import audit_study
from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.study import of_campaign

if TYPE_CHECKING:
    from labctl.config import CampaignConfig

LIMITS = {
    "limits": {
        "temperature": {"low": 20, "high": 600, "unit": "degC"},
        "hold_time": {"low": 0, "high": 48, "unit": "hour"},
    },
    "unlimited": [],
}


def written(folder: Path, effect: float, experiments: int) -> CampaignConfig:
    """A campaign of random recipes on the furnace."""
    content = {
        "campaign": "furnace",
        "parameters": {
            "temperature": {"kind": "continuous", "unit": "degC", "low": 120, "high": 260},
            "hold_time": {"kind": "continuous", "unit": "minute", "low": 10, "high": 2880, "scale": "log"},
            "quench": {"kind": "categorical", "choices": ["water", "oil", "air"]},
        },
        "objectives": {"hardness": {"goal": "maximize", "unit": "HV"}},
        "instrument": {"kind": "furnace", "options": {"humidity_effect": effect}},
        "limits": "limits.yaml",
        "strategy": {"initial": 1, "start": "random", "arms": {"random": 1}, "replicates": 0},
        "validation": {"every": 0},
        "budget": {"experiments": experiments},
    }
    (folder / "limits.yaml").write_text(json.dumps(LIMITS), "utf-8")
    path = folder / "campaign.yaml"
    path.write_text(json.dumps(content), "utf-8")
    return load_config(path)


def screened(config: CampaignConfig, seed: int) -> tuple[bool, bool]:
    """Whether the audit of this campaign names humidity, and whether it names any field at all."""
    bench = set_up(config, folder=None, seed=seed)
    with Campaign.in_memory(config, bench.with_seed(seed), seed) as campaign:
        campaign.predict_always = False
        campaign.run()
        study = of_campaign(config, bench.space, campaign.state)
    named = [f.id for f in audit_study(study, seed=seed).findings if f.id.startswith("hidden.screen")]
    return "hidden.screen:humidity" in named, bool(named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--effects", type=float, nargs="*", default=[0.0, -0.05, -0.5, -1.0])
    options = parser.parse_args()
    for effect in options.effects:
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            config = written(Path(folder), effect, options.experiments)
            found = [screened(config, seed) for seed in range(options.seeds)]
        humidity, any_field = (sum(column) for column in zip(*found, strict=True))
        seconds = (time.process_time() - began) / options.seeds
        print(
            f"{effect:+.2f} HV per percent, {options.experiments} random experiments: humidity named in "
            f"{humidity} of {options.seeds} campaigns, any field in {any_field}; {seconds:.1f} CPU s each",
            flush=True,
        )


if __name__ == "__main__":
    main()
