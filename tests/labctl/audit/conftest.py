"""Tables that are sound, and campaigns of random recipes on the simulated furnace."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.study import Study, of_campaign

Tables = Callable[..., Path]
Furnaces = Callable[..., Study]


@pytest.fixture
def sound_table(tmp_path: Path) -> Tables:
    """Write a table without a flaw, and give its path: ``sound_table(seed)``; columns may be added."""

    def write(seed: int = 0, n: int = 150, **more: Sequence[object]) -> Path:
        rng = np.random.default_rng(seed)
        X = rng.random((n, 3))
        y = 60 + 12 * (np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2]) + rng.standard_normal(n)
        columns: dict[str, Sequence[object]] = {
            "temperature (degC)": [f"{20 + 100 * v:.4f}" for v in X[:, 0]],
            "flow (mL/min)": [f"{5 * v:.5f}" for v in X[:, 1]],
            "dose (mg)": [f"{3 * v:.5f}" for v in X[:, 2]],
            "operator": rng.choice(["Ada", "Bo", "Cy"], n).tolist(),
            "yield (percent)": [f"{v:.3f}" for v in y],
            **more,
        }
        path = tmp_path / f"table{seed}.csv"
        rows = zip(*columns.values(), strict=True)
        path.write_text("\n".join(",".join(map(str, row)) for row in [tuple(columns), *rows]) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def furnace_study(furnace_campaign: Callable[..., Path]) -> Furnaces:
    """Run a campaign of random recipes in memory: ``furnace_study(seed, humidity_effect=-1.0)``."""

    def run(seed: int, experiments: int = 40, **options: float) -> Study:
        config = load_config(
            furnace_campaign(
                f"furnace-{seed}",
                instrument={"kind": "furnace", "options": options},
                strategy={"initial": 1, "start": "random", "arms": {"random": 1}, "replicates": 0},
                validation={"every": 0},
                budget={"experiments": experiments},
            )
        )
        bench = set_up(config, folder=None, seed=seed)
        with Campaign.in_memory(config, bench.with_seed(seed), seed) as campaign:
            campaign.predict_always = False
            campaign.run()
            return of_campaign(config, bench.space, campaign.state)

    return run
