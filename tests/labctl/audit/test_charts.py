"""Every finding's figure can be drawn: plain JSON, and the numbers of the finding in it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.audit import charts
from labctl.audit import map as area
from labctl.audit.asked import Asked
from labctl.audit.run import audit_target

Tables = Callable[..., Path]


@pytest.mark.usefixtures("data_folder")
def test_figures_of_real_tables_are_plain_json_and_small() -> None:
    for name, goal in (("mpea", "hardness"), ("crossed_barrel", None)):
        audited = audit_target(name, goal, Asked(), seed=0)
        drawn = [charts.figure(finding, audited) for finding in audited.findings]
        assert all(figure is not None for figure in drawn)
        for figure in [*drawn, area.chart(audited)]:
            assert len(json.dumps(figure, allow_nan=False)) < 400_000


def test_the_sweep_of_a_threshold_shows_how_many_labels_flip(sound_table: Tables) -> None:
    width = [f"{0.2 + 0.6 * i / 150:.5f}" for i in range(150)]
    asked = Asked(label_values="width", label_range=(0.4, 0.7))
    audited = audit_target(str(sound_table(0, 150, width=width)), "yield", asked, seed=0)
    finding = next(f for f in audited.findings if f.id == "labels.threshold")
    # Widths are even between 0.2 and 0.8, so that half of them lie between the thresholds.
    assert finding.value == pytest.approx(0.5, abs=0.01)
    figure = charts.figure(finding, audited)
    assert figure is not None
    line = figure["data"][-1]
    assert line["y"][-1] - line["y"][0] == pytest.approx(finding.value, abs=1e-5)


def test_the_map_shows_every_row_once(sound_table: Tables) -> None:
    audited = audit_target(str(sound_table(1)), "yield", Asked(), seed=0)
    figure = area.chart(audited)
    assert figure is not None
    rows = next(t for t in figure["data"] if t["name"] == "rows")
    assert len(rows["x"]) == 150
    assert np.isfinite(rows["marker"]["color"]).all()
