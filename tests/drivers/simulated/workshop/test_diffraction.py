"""Widths come back as Scherrer's equation put them in, and the label follows from width and threshold."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.simulated.workshop import diffraction as xrd
from labctl_drivers.simulated.workshop.diffraction import Label, Thresholds
from labctl_drivers.simulated.workshop.physics import Structure


def seen(structure: Structure, seed: int = 0, full_scale: int = 10**9, brightness: float = 1.0) -> xrd.Peak:
    return xrd.fit(counted(structure, seed, full_scale, brightness))


def counted(
    structure: Structure, seed: int = 0, full_scale: int = 10**9, brightness: float = 1.0
) -> tuple[int, ...]:
    draw = random.Random(seed)  # noqa: S311 - no secret
    return xrd.pattern(structure, texture=1.0, brightness=brightness, full_scale=full_scale, draw=draw)


def test_scherrer_s_equation_as_in_a_textbook() -> None:
    # Copper Kα1, 1.54056 Å, 10 nm, 2θ = 40°: 0.9 λ / (D cos θ) = 0.0147549 rad, which in Q is 4π/λ cos θ / 2
    # times it.
    in_angle = 0.9 * 1.54056 / (100.0 * math.cos(math.radians(20.0)))
    in_q = in_angle * 2 * math.pi / 1.54056 * math.cos(math.radians(20.0))
    assert in_angle == pytest.approx(0.0147549, rel=1e-4)
    assert xrd.scherrer_width(10.0) == pytest.approx(in_q)


@pytest.mark.parametrize("grain", [6.0, 10.0, 20.0, 40.0])
def test_the_fit_gives_back_the_size_of_the_grains(grain: float) -> None:
    sizes = [xrd.grain_size(seen(Structure(1.0, grain, 0.0), seed).width) for seed in range(5)]
    assert sum(sizes) / 5 == pytest.approx(grain, rel=0.06)


def test_a_perfect_crystal_shows_the_instrument() -> None:
    peak = seen(Structure(1.0, 1e6, 0.0))
    assert peak.width == pytest.approx(xrd.INSTRUMENT_WIDTH, rel=0.1)
    assert xrd.grain_size(xrd.INSTRUMENT_WIDTH) == math.inf


def test_a_glass_has_one_hump_and_its_uncertainty_is_honest() -> None:
    peaks = [seen(Structure(0.0, 2.0, 0.0), seed) for seed in range(60)]
    assert sum(peak.position for peak in peaks) / 60 == pytest.approx(2.65, abs=0.005)
    assert sum(peak.width for peak in peaks) / 60 == pytest.approx(0.47, abs=0.005)
    pulls = [(peak.width - 0.47) / peak.uncertainty for peak in peaks]
    spread = math.sqrt(sum(pull**2 for pull in pulls) / 60)
    # 1 is right; the standard error of a spread of 60 is 9 %
    assert 0.6 < spread < 1.5


@settings(deadline=None, max_examples=200)
@given(st.floats(1e-4, 1.0), st.floats(1e-4, 1.0), st.floats(1e-4, 1.0))
def test_the_label_follows_from_width_and_thresholds(width: float, one: float, other: float) -> None:
    thresholds = Thresholds(glassy=max(one, other), nanocrystalline=min(one, other))
    label = xrd.label(width, thresholds)
    assert (label is Label.GLASSY) == (width >= thresholds.glassy)
    assert (label is Label.CRYSTALLINE) == (width < thresholds.nanocrystalline <= thresholds.glassy)
    # a wider peak is never called more crystalline
    order = [Label.CRYSTALLINE, Label.NANOCRYSTALLINE, Label.GLASSY]
    assert order.index(xrd.label(width * 1.1, thresholds)) >= order.index(label)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.0, 1.0), st.floats(4.0, 200.0), st.integers(0, 10**6))
def test_every_pattern_has_a_width_that_means_something(crystalline: float, grain: float, seed: int) -> None:
    peak = seen(Structure(crystalline, grain, 0.0), seed)
    narrowest = math.hypot(xrd.scherrer_width(grain), xrd.INSTRUMENT_WIDTH)
    assert 0.8 * narrowest < peak.width < 0.6
    assert peak.uncertainty > 0


def test_a_saturated_detector_shows_no_more_than_its_full_scale() -> None:
    free, clipped = counted(Structure(1.0, 100.0, 0.0)), counted(Structure(1.0, 100.0, 0.0), 0, 2000)
    assert max(free) > 4000
    assert max(clipped) == 2000
    assert clipped == tuple(min(one, 2000) for one in free)


def test_a_dimmer_tube_counts_less_and_finds_the_same_width() -> None:
    bright, dim = seen(Structure(0.0, 2.0, 0.0)), seen(Structure(0.0, 2.0, 0.0), brightness=0.5)
    assert dim.height == pytest.approx(bright.height / 2, rel=0.1)
    assert dim.width == pytest.approx(bright.width, rel=0.1)


def test_a_later_person_can_label_anew_from_what_was_kept() -> None:
    counts = counted(Structure(0.0, 2.0, 0.0), 3)
    raw = json.loads(json.dumps({"pattern": {"counts": list(counts)}}))
    width, label = xrd.relabel(raw, Thresholds())
    assert (width, label) == (xrd.fit(counts).width, Label.GLASSY)
    # with the width of amorphous silica for a threshold, the same pattern is no glass
    assert xrd.relabel(raw, Thresholds(glassy=0.57)) == (width, Label.NANOCRYSTALLINE)
