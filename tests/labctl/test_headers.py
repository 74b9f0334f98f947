"""Headers as people write them, and what is read from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.headers import plain, read_unit, split_header, unlike_names


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("Temperature [°C]", "Temperature", "degC"),
        ("Anneal temp (C)", "Anneal temp", "degC"),
        ("T (C)", "T", "degC"),
        ("charge (C)", "charge", "C"),
        ("time (min)", "time", "min"),
        ("time, min", "time", "min"),
        ("x / mm", "x", "mm"),
        ("thickness in nm", "thickness", "nm"),
        ("P3HT content (%)", "P3HT content", "percent"),
        ("Mo / wt.%", "Mo", "percent"),
        ("Ni {at %}", "Ni", "percent"),
        ("Conductivity (measured) (S/cm)", "Conductivity (measured)", "S/cm"),
        (r"PROPERTY: grain size ($\mu$m)", "PROPERTY: grain size", "µm"),
        (r"PROPERTY: Test temperature ($^\circ$C)", "PROPERTY: Test temperature", "degC"),
        (r"PROPERTY: Exp. Density (g/cm$^3$)", "PROPERTY: Exp. Density", "g/cm^3"),
        ("current density (mA/cm2)", "current density", "mA/cm^2"),
        ("rate (s⁻¹)", "rate", "s^-1"),
        ("heating rate (°C/min)", "heating rate", "delta_degC/min"),
        ("gap_eV", "gap_eV", "eV"),
        ("yield %", "yield", "percent"),
        ("Score", "Score", "unknown"),
        ("signal (raw)", "signal (raw)", "unknown"),
        ("run (2)", "run (2)", "unknown"),
        ("peak (a.u.)", "peak", "unknown"),
        ("PROPERTY: BCC/FCC/other", "PROPERTY: BCC/FCC/other", "unknown"),
    ],
)
def test_a_header_is_split_into_name_and_unit(header: str, name: str, unit: str) -> None:
    assert split_header(header) == (name, unit)


def test_names_differ_and_are_never_empty() -> None:
    names = [name for name, _ in unlike_names(["x", "x (mm)", "", "  ", "x", "x (2)"])]
    assert names == ["x", "x (2)", "column 3", "column 4", "x (3)", "x (2) (2)"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=120), min_size=1, max_size=6))
def test_any_header_gives_a_printable_name_and_a_unit(headers: list[str]) -> None:
    found = unlike_names(headers)
    assert len({name for name, _ in found}) == len(headers)
    for name, unit in found:
        assert name.strip()
        assert name.isprintable()
        assert len(name) <= 100
        assert read_unit(unit) is not None or unit == "unknown"


@given(st.text(max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)
