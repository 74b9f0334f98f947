"""The ready campaign with every law: what a person is asked to weigh keeps them all, computed here anew."""

from decimal import Decimal

import numpy as np

from labctl.bench import set_up
from labctl.config import load_config
from labctl.space import sample
from labctl.starter import configs_folder


def test_every_recipe_of_the_ready_campaign_keeps_its_laws() -> None:
    config = load_config(configs_folder() / "formulation.yaml")
    space = set_up(config, folder=None, seed=0).space
    found = sample(space, 400, np.random.default_rng(3))
    assert len(found) == 400
    parts = ("binder", "filler", "salt", "dye", "wax")
    for recipe in found:
        assert sum(Decimal(repr(recipe[part])) for part in parts) == 100
        assert all(Decimal(repr(recipe[part])) % Decimal("0.5") == 0 for part in (*parts, "time"))
        assert Decimal(repr(recipe["flow_rate"])) % Decimal("0.1") == 0
        temperature, time = float(recipe["temperature"]), float(recipe["time"])
        assert temperature % 5 == 0
        assert not (recipe["solvent"] == "DMSO" and temperature > 150)
        assert not (recipe["solvent"] != "DMSO" and temperature >= 80 and time > 30)
        assert float(recipe["flow_rate"]) * time <= 20
        additives = [float(recipe[name]) for name in ("salt", "dye", "wax")]
        assert sum(amount > 0 for amount in additives) <= 2
        assert all(amount == 0 or amount >= 1 for amount in additives)
    assert {recipe["solvent"] for recipe in found} == {"water", "DMSO", "ethanol"}
    assert len({tuple(recipe.values()) for recipe in found}) > 350
