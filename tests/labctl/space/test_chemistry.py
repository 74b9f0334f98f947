"""Two ways to write one composition are a slip among choices, and are named."""

import pytest

from labctl.errors import RequestError
from labctl.space.chemistry import refuse_twins, scaled_features


@pytest.mark.parametrize(
    ("formulas", "twins"),
    [
        (("Fe", "Ni", "Fe2"), ("Fe", "Fe2")),
        (("FeNi", "NiFe"), ("FeNi", "NiFe")),
        (("TiO2", "Ti2O4"), ("TiO2", "Ti2O4")),
        (("Fe0.1Ni0.2", "FeNi2"), ("Fe0.1Ni0.2", "FeNi2")),
        (("Ca(OH)2", "CaO2H2"), ("Ca(OH)2", "CaO2H2")),
    ],
)
def test_twins_are_refused_with_both_names(formulas: tuple[str, ...], twins: tuple[str, str]) -> None:
    place = f"parameters.f.choices.{len(formulas) - 1}"
    with pytest.raises(RequestError, match=rf"{place}: .*one composition") as refused:
        refuse_twins(formulas, file="c.yaml", key="parameters.f.choices")
    assert all(twin in str(refused.value) for twin in twins)
    # It is why they are refused: nothing that a model sees tells them apart.
    a, b = (formulas.index(twin) for twin in twins)
    features = scaled_features(formulas)
    assert features[a] == pytest.approx(features[b], abs=1e-9)


def test_compositions_that_differ_are_no_twins() -> None:
    refuse_twins(("FeNi", "FeNi2", "Fe2Ni", "Fe", "FeO", "Fe0.999Ni1"), file="c.yaml", key="f")
