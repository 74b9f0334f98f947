"""What the audit finds in tables whose flaws are known, and that it keeps silent where there is none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.audit.asked import Asked
from labctl.audit.run import Audited, audit_study, audit_target
from labctl.errors import RequestError
from labctl.study import Study

Tables = Callable[..., Path]
Furnaces = Callable[..., Study]


def found(audited: Audited, start: str) -> list[str]:
    return [f.title for f in audited.findings if f.id.startswith(start)]


@pytest.mark.usefixtures("data_folder")
def test_glasses_are_reported_far_more_often_than_they_form() -> None:
    audited = audit_target("glass_raw", None, Asked(true_rate=0.05), seed=0)
    share = next(f for f in audited.findings if f.id == "selection.success_share")
    # 4868 of 6836 reports are glasses (Lei et al. 2021); a score of 0.9 then means 0.162 (Saerens et al.).
    assert share.value == pytest.approx(4868 / 6836)
    assert audited.findings[0] is share
    assert "0.16" in share.meaning
    assert "0.979" in share.meaning
    conflicts = next(f for f in audited.findings if f.id == "labels.conflicts")
    assert conflicts.detail["repeated_as_spelled"] == 840
    assert conflicts.detail["as_spelled"] == 46
    # The label in letters explains the label in numbers; that is no hidden variable.
    assert not found(audited, "hidden.screen")
    assert audited.prepared.computed == ("identifier",)
    assert next(f for f in audited.findings if f.id.startswith("labels.computed")).level == "low"


@pytest.mark.usefixtures("data_folder")
def test_one_alloy_and_a_few_publications_make_up_much_of_the_alloy_table() -> None:
    audited = audit_target("mpea", "hardness", Asked(), seed=0)
    assert any("HfNbTaTiZr alone has 86" in title for title in found(audited, "selection.popularity:formula"))
    assert found(audited, "metadata.cohort_effect:doi")
    assert found(audited, "metadata.cohort_from_recipe:doi")
    # The reference number is the doi under another name, and is judged once.
    assert not found(audited, "metadata.cohort_effect:reference")
    # What was measured with the hardness is a result itself, and no condition of the room.
    assert not found(audited, "hidden.screen:yield_strength")


def test_zeros_of_the_chromatograph_are_found_with_and_without_a_card(tmp_path: Path) -> None:
    with_card = audit_target("hplc", None, Asked(), seed=0)
    known = next(f for f in with_card.findings if f.id == "labels.known_zeros")
    assert known.value == 229
    assert "censored" in known.title
    study = with_card.study
    path = tmp_path / "peaks.csv"
    rows = [",".join(f"{v:.9g}" for v in (*x, y)) for x, y in zip(study.X, study.y, strict=True)]
    path.write_text("\n".join(["a,b,c,d,e,f,peak", *rows]) + "\n", "utf-8")
    without = audit_target(str(path), "peak", Asked(), seed=0)
    zeros = next(f for f in without.findings if f.id == "labels.zeros:peak")
    assert zeros.value == 229
    assert zeros.level != "low"


def test_repeated_rows_of_the_fullerenes_are_found() -> None:
    audited = audit_target("fullerenes", None, Asked(), seed=0)
    twins = next(f for f in audited.findings if f.id == "duplicates.twins")
    codes = audited.prepared.table.recipe_codes()[0]
    repeated = int((np.bincount(codes) > 1).sum())
    assert repeated == 25
    assert twins.detail["repeated_recipes"] == repeated


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_table_raises_nothing_that_matters(sound_table: Tables, seed: int) -> None:
    audited = audit_target(str(sound_table(seed)), "yield", Asked(), seed=seed)
    grave = [f.id for f in audited.findings if f.level != "low" and f.id != "selection.no_failures"]
    # A bare CSV never says whether anything failed, which is a finding in itself.
    assert grave == []


def test_a_planted_hidden_variable_is_found(furnace_study: Furnaces) -> None:
    named = [audit_study(furnace_study(seed, humidity_effect=-1.0), seed=seed) for seed in range(3)]
    for audited in named:
        assert audited.findings[0].id == "hidden.screen:humidity"
        assert not isinstance(audited.screen, str)
        assert "humidity" in audited.screen.found


def test_nothing_planted_is_rarely_found(furnace_study: Furnaces) -> None:
    studies = [furnace_study(seed, experiments=25, humidity_effect=0.0) for seed in range(8)]
    alarms = sum(
        any(f.id.startswith("hidden.screen") for f in audit_study(study, seed=i).findings)
        for i, study in enumerate(studies)
    )
    # At most 5 % of runs: more than 3 of 8 would come of chance in 1 of 2,500 cases.
    assert alarms <= 3


def test_the_same_seed_says_the_same(sound_table: Tables) -> None:
    path = str(sound_table(1))
    first, second = (audit_target(path, "yield", Asked(), seed=3).as_json() for _ in range(2))
    for said in (first, second):
        del said["cpu_seconds"], said["seconds"]
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_json_holds_what_was_promised(sound_table: Tables) -> None:
    said = audit_target(str(sound_table(2)), "yield", Asked(), seed=0).as_json()
    json.dumps(said, allow_nan=False)
    assert {"findings", "fine", "not_applicable", "hidden", "cpu_seconds"} <= set(said)
    for finding in said["findings"]:
        assert {"id", "area", "severity", "value", "expected", "meaning", "remedy"} <= set(finding)
    # Everything in this table is a setting, and the audit says that it had nothing to screen.
    assert said["hidden"]["looked_at"] == []
    assert said["hidden"]["reason"]
    checks = {*said["fine"], *(entry["check"] for entry in said["not_applicable"])}
    assert not checks & {f["id"] for f in said["findings"]}


def test_a_campaigns_goal_cannot_be_changed(furnace_campaign: Callable[..., Path]) -> None:
    from labctl.campaign import Campaign  # noqa: PLC0415 - only here

    path = furnace_campaign(
        budget={"experiments": 30},
        strategy={"initial": 1, "start": "random", "arms": {"random": 1}, "replicates": 0},
        validation={"every": 0},
    )
    with Campaign.open(path) as campaign:
        campaign.predict_always = False
        campaign.run()
    with pytest.raises(RequestError, match="hardness"):
        audit_target(str(path), "temperature", Asked(), seed=0)
    audited = audit_target(str(path), None, Asked(), seed=0)
    assert audited.view is not None
    assert audited.not_applicable["predictions.calibration"].startswith("0 results")
    # The furnace writes no humidity when a run fails, which is no cause of failing.
    about = [f for f in audited.findings if f.id.startswith("metadata.missingness:humidity")]
    assert all(f.level == "low" for f in about)
    # A campaign names its candidates, and the gaps among them are told with their recipes.
    assert all(gap["times_as_far"] > 1.0 for gap in audited.as_json()["gaps"])
