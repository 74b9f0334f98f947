"""The campaigns that come with labctl load, and their tables answer every recipe they may ask for."""

import os

import numpy as np
import pytest

from labctl import datasets
from labctl.config import load_config
from labctl.history import history
from labctl.space import Space
from labctl.starter import configs_folder
from labctl_drivers.limits import load_limits
from labctl_drivers.simulated.bench import FurnaceBench


@pytest.mark.parametrize(("name", "rows"), [("hplc", 1386), ("fullerenes", 246), ("crossed_barrel", 1800)])
def test_a_replay_uses_every_row_of_its_table(name: str, rows: int) -> None:
    config = load_config(configs_folder() / f"{name}.yaml")
    card = datasets.load_card(str(config.model.instrument.dataset))
    if card.file.folder is not None and not os.environ.get(datasets.FOLDER_VARIABLE):
        pytest.skip(f"{name} lies in a folder of tables, and {datasets.FOLDER_VARIABLE} names none")
    made = history(card, datasets.read(card), config.model.parameters, config.model.objectives)
    assert len(made.rows) == rows
    assert made.notes == ()
    space = Space(config.model.parameters)
    assert not [problem for row in made.rows for problem in space.problems(row.recipe)]


def test_the_furnace_campaign_stays_within_the_limits_and_speaks_the_bench_s_language() -> None:
    config = load_config(configs_folder() / "furnace.yaml")
    limits = load_limits(config.beside(str(config.model.limits)))
    assert set(config.model.parameters) == {*FurnaceBench.parameter_units, *FurnaceBench.categories}
    assert set(config.model.objectives) == set(FurnaceBench.quantity_units)
    assert config.space.units == dict(FurnaceBench.parameter_units)
    for u in (0.0, 1.0):
        recipe = config.space.decode(np.array([[u] * config.space.width]))[0]
        assert limits.violations(recipe, config.space.units) == ()
