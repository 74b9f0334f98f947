"""Studies whose truth is known, and their validations, made once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from labctl.law import read_law
from labctl.study import Study, of_table
from labctl.tables import read_table
from labctl.validate import Checked, validate_study

StudyOf = Callable[..., Study]


@pytest.fixture(scope="session")
def study_of(tmp_path_factory: pytest.TempPathFactory) -> StudyOf:
    """Write columns to a CSV and read it as a study: ``study_of("name", goal="y", x=..., y=...)``."""

    def make(name: str, *, goal: str, every: dict[str, object]) -> Study:
        path = tmp_path_factory.mktemp(name) / f"{name}.csv"
        rows = zip(*every.values(), strict=True)
        lines = [",".join(every), *(",".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return of_table(read_table(path), goal=goal, name=name)

    return make


@pytest.fixture(scope="session")
def grains(study_of: StudyOf) -> Study:
    """Strength over 3.6 decades of grain size, in two labs, over years; three rows lack the strength."""
    rng = np.random.default_rng(0)
    d = 10 ** (3.6 * rng.random(53) - 1.6)
    y = [f"{v:.6g}" for v in 30 + 250 / np.sqrt(d) + 10 * rng.standard_normal(53)]
    y[4] = y[20] = y[33] = ""
    labs = ["Oslo" if i % 3 else "Bern" for i in range(53)]
    every = {
        "d (um)": [f"{v:.8g}" for v in d],
        "strength (MPa)": y,
        "lab": labs,
        "year": sorted(2010 + rng.integers(0, 6, 53)),
    }
    return replace(study_of("grains", goal="strength", every=every), cohorts=("lab", "year"))


@pytest.fixture(scope="session")
def hall_petch(grains: Study) -> Checked:
    law = read_law("s0 + k / sqrt(d)", grains.space.parameters)
    return validate_study(grains, budget_s=7, seed=0, law=law)


@pytest.fixture(scope="session")
def shuffled_labels(study_of: StudyOf) -> Checked:
    """A table whose classes have nothing to do with its columns; names that could be mistaken for HTML."""
    rng = np.random.default_rng(3)
    x, z = rng.random((2, 90)).round(4)
    kinds = np.array(["<b>glass</b>", "crystal & co"])[rng.integers(0, 2, 90)]
    return validate_study(study_of("dice", goal="kind", every={"x": x, "z": z, "kind": kinds}), budget_s=24)
