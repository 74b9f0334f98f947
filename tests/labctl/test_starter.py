"""Campaigns made of whatever table a stranger brings, and whether they can really be replayed."""

import importlib.metadata
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl import datasets
from labctl.config import CampaignConfig, load_config
from labctl.errors import RequestError
from labctl.history import History, history, with_choices
from labctl.space import Space
from labctl.starter import Started, start_campaign
from labctl.tables import read_table
from labctl_drivers.limits import load_limits
from labctl_drivers.protocol import Attempt, Bound, FailureKind, Surroundings
from labctl_drivers.replay import ReplayInstrument


def _replayed(started: Started) -> tuple[CampaignConfig, History]:
    """Load what was written and look every recipe up, as a running campaign would."""
    config = load_config(started.campaign)
    card = datasets.load_card(str(config.model.instrument.dataset), beside=started.folder)
    table = datasets.read(card)
    parameters = with_choices(card, table, config.model.parameters)
    made = history(card, table, parameters, config.model.objectives)
    space = Space(parameters, config.model.mixtures, config.model.constraints)
    recipes = [row.recipe for row in made.rows]
    assert not [problem for recipe in recipes for problem in space.problems(recipe)]
    pooled = space.with_pool({name: [r[name] for r in recipes] for name in parameters})
    assert pooled.pool is not None
    assert np.isfinite(pooled.pool.X).all()
    assert pooled.pool.X.min() >= -1e-9
    assert pooled.pool.X.max() <= 1 + 1e-9
    assert len(pooled.pool) >= config.model.budget.experiments >= config.model.strategy.initial >= 1
    units = {name: objective.unit for name, objective in config.model.objectives.items()}
    instrument = ReplayInstrument(made.rows, surroundings=Surroundings(), units=units)
    assert all(instrument.check(pooled.pool.recipe(i)) is None for i in range(min(len(pooled.pool), 50)))
    instrument.close()
    return config, made


def _start(folder: Path, text: str, goal: str, *, maximise: bool = True) -> Started:
    source = folder / "source table.csv"
    source.write_text(text)
    return start_campaign(folder / "mine", table=source, goal_column=goal, maximise=maximise)


def test_without_a_table_the_furnace_comes_with_its_limits(tmp_path: Path) -> None:
    started = start_campaign(tmp_path / "my furnace")
    config = load_config(started.campaign)
    assert config.name == "my-furnace"
    assert config.model.instrument.kind == "furnace"
    limits = load_limits(config.beside(str(config.model.limits)))
    corners: list[dict[str, float | int | str]] = [
        {"temperature": t, "hold_time": h, "quench": "water"} for t in (120.0, 590.0) for h in (10.0, 2880.0)
    ]
    assert not [v for corner in corners for v in limits.violations(corner, config.space.units)]
    assert started.campaign.read_text().startswith("# yaml-language-server: $schema=campaign.schema.json\n")
    assert started.campaign.read_text().count("yaml-language-server") == 1
    assert (started.folder / "campaign.schema.json").is_file()


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        pytest.param("x,y\n1,2\n2,3\n3,5\n", "y", id="one-parameter-three-rows"),
        pytest.param("x,y\n1,2\n2,3\n", "y", id="two-rows"),
        pytest.param("x,y\n1,2\n1,3\n2,3\n2,3\n", "y", id="repeats"),
        pytest.param("x,y\n1e300,1\n-1e300,2\n5,3\n", "y", id="huge"),
        pytest.param("x,y\n1e-300,1\n2e-300,2\n3e-300,3\n", "y", id="tiny"),
        pytest.param("x,y\n-1,-1\n-2.5,-2\n-3,-3\n", "y", id="negative"),
        pytest.param("x,y\n9007199254740993,1\n9007199254740999,2\n0,4\n", "y", id="beyond-exact-integers"),
        pytest.param("ok,x,y\nyes,1,1\nno,2,2\nyes,3,3\nno,4,1\n", "y", id="booleans"),
        pytest.param("a,x,y\nTRUE,1,true\nFALSE,2,false\nTRUE,3,TRUE\n", "y", id="boolean-goal"),
        pytest.param("share,y\n10%,1\n20 %,2\n35%,4\n", "y", id="percent"),
        pytest.param("größe (µm),Härte (HV),温度\n1,2,3\n2,4,1\n3,1,9\n", "härte", id="unicode"),
        pytest.param("yes,no,null\n1,2,3\n2,4,1\n3,1,9\n", "null", id="yaml-words"),
        pytest.param("#x,a: b,1e5\n1,2,3\n2,4,1\n3,1,9\n", "1e5", id="yaml-signs"),
        pytest.param('\'q\',"say ""hi""",{y}\n1,2,3\n2,4,1\n3,1,9\n', "{y}", id="quotes"),
        pytest.param(
            "- a,? b,*c,&d,!e,|f,>g,%h,@i,`j\n" + "1,2,3,4,5,6,7,8,9,1\n2,1,1,1,1,1,1,1,1,2\n",
            "`j",
            id="signs",
        ),
        pytest.param("~,y\n1,2\n2,3\n", "y", id="tilde"),
        pytest.param("x,x (mm),x (2),y\n1,5,2,3\n2,6,4,1\n3,8,1,9\n", "y", id="alike-headers"),
        pytest.param("x,,y\n1,5,3\n2,6,1\n3,8,9\n", "y", id="unnamed-column"),
        pytest.param("1,5,3\n2,6,1\n3,8,9\n", "column 3", id="no-header"),
        pytest.param("x;y\n1,5;2,5\n2,5;1,5\n3,0;1\n", "y", id="decimal-commas"),
        pytest.param("formula,T (C),y\nFe2O3,20,1\nNaCl,30,2\nKCl,40,3\nMgO,20,4\n", "y", id="formula"),
        pytest.param("catalyst,y\nPd-1,1\nNi-7,2\nCu-2,3\n", "y", id="labels-only"),
        pytest.param(
            "a,b,c,y\n" + "".join(f"{i},{10 - i},0,{i * i}\n" for i in range(11)), "y", id="constant-and-pair"
        ),
        pytest.param("x,y\n1,inf\n2,nan\n3,1\n4,\n5,2\n", "y", id="bad-readings"),
        pytest.param("x,y\ninf,1\n2,2\n,3\n4,4\n5,5\n", "y", id="bad-settings"),
        pytest.param(
            ",".join(f"c{i}" for i in range(201))
            + "\n"
            + "\n".join(",".join(str((i * 7919 + j * 104729) % 1009) for i in range(201)) for j in range(40)),
            "c200",
            id="two-hundred-columns",
        ),
    ],
)
@pytest.mark.parametrize("maximise", [True, False])
def test_a_stranger_s_table_becomes_a_replay(tmp_path: Path, text: str, goal: str, maximise: bool) -> None:  # noqa: FBT001 - a test's parameter
    _replayed(_start(tmp_path, text, goal, maximise=maximise))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_table_of_numbers_becomes_a_replay_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    width, height = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 12))
    cells = st.one_of(st.floats(), st.integers(-5, 5), st.sampled_from(["", "NA", "1,5", "7 %"]))
    headers = data.draw(st.lists(st.text(max_size=12), min_size=width, max_size=width))
    rows = [[str(data.draw(cells)) for _ in range(width)] for _ in range(height)]
    lines = [[*headers[:-1], "goal"], *rows]
    text = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    source = folder / "t.csv"
    source.write_bytes(text.encode("utf-8", "replace"))
    try:
        started = start_campaign(folder / "mine", table=source, goal_column="goal")
    except RequestError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both answers are good ones
        assert sorted(p.name for p in folder.iterdir()) == ["t.csv"]
    else:
        _replayed(started)


TABLES = [
    ("autoam/AutoAM_dataset.csv", "Score", 4),
    ("crossed_barrel/Crossed_barrel_dataset.csv", "TOUGHNESS", 4),
    ("p3ht_cnt/P3HT_dataset.csv", "Conductivity (measured) (S/cm)", 5),
    ("p3ht_cnt/P3HT_dataset.csv", "conductivity (measured)", 5),
    ("steels_yield/steels_yield.csv", "target", 1),
    ("mpea/MPEA_dataset.csv", "PROPERTY: HV", 5),
    ("bandgap_multifidelity/bandgap_multifidelity.csv", "gap_expt_eV", 6),
]


@pytest.mark.parametrize(("file", "goal", "parameters"), TABLES)
def test_real_tables_become_replays(tmp_path: Path, file: str, goal: str, parameters: int) -> None:
    folder = os.environ.get(datasets.FOLDER_VARIABLE)
    if not folder:
        pytest.skip(f"{file} lies in a folder of tables, and {datasets.FOLDER_VARIABLE} names none")
    started = start_campaign(tmp_path / "mine", table=Path(folder) / file, goal_column=goal)
    config, _ = _replayed(started)
    assert len(config.model.parameters) == parameters


@pytest.mark.parametrize("name", ["hplc", "photo_wf3", "suzuki", "colors_n9"])
def test_packaged_tables_become_replays(tmp_path: Path, name: str) -> None:
    path = Path(
        str(importlib.metadata.distribution("olymp").locate_file(f"olympus/datasets/dataset_{name}/data.csv"))
    )
    goal = read_table(path).names[-1]
    config, made = _replayed(start_campaign(tmp_path / "mine", table=path, goal_column=goal))
    assert len(made.rows) == len(path.read_text().splitlines())
    if name == "photo_wf3":
        assert [m.total for m in config.model.mixtures.values()] == [1.0]


def test_rounded_contents_become_a_mixture_with_a_tolerance(tmp_path: Path) -> None:
    rows = ["33.3,33.3,33.3,1", "50,25,25,2", "10.1,40,50,3", "70,20,10,4", "0,0,100,5", "60,20,19.9,6"]
    started = _start(tmp_path, "A (%),B (%),C (%),y\n" + "\n".join(rows) + "\n", "y")
    config, _ = _replayed(started)
    (law,) = config.model.mixtures.values()
    assert (law.total, set(law.parts)) == (100.0, {"A", "B", "C"})
    assert 0.1 < law.tolerance < 0.11
    assert any("A, B, C are taken as a mixture" in note and "tolerance" in note for note in started.notes)


def test_ids_dates_constants_and_columns_computed_from_the_goal_are_left_out(tmp_path: Path) -> None:
    rows = "".join(
        f"{i},2024-01-{i + 1:02},{(i * 7) % 12},{(i * 5) % 12},3,{100 - 2 * i * i},{i * i}\n"
        for i in range(12)
    )
    started = _start(tmp_path, "run,day,x,z,constant,twice,y\n" + rows, "y")
    config, _ = _replayed(started)
    assert set(config.model.parameters) == {"x", "z"}
    for name in ("run", "day", "constant", "twice"):
        assert any(note.startswith(f"{name}: left out") for note in started.notes)


def test_words_and_bounds_in_place_of_a_number_become_failures(tmp_path: Path) -> None:
    text = "x,Hardness (HV)\n1,120\n2,cracked\n3,<50\n4,> 900\n5,130\n6,0\n7,\n"
    _, made = _replayed(_start(tmp_path, text, "hardness"))
    assert [row.failure for row in made.rows] == [
        None,
        FailureKind.BAD_READING,
        FailureKind.CENSORED,
        FailureKind.CENSORED,
        None,
        None,
        FailureKind.BAD_READING,
    ]
    assert [made.rows[i].bounds["Hardness"] for i in (2, 3)] == [Bound(None, 50.0), Bound(900.0, None)]


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("Permittivity @1kHz", "Permittivity"),
        ("Permittivity @1kHz", "permittivity @"),
        ("Resistance (kOhm)", "Resistance"),
    ],
)
def test_a_goal_is_found_by_its_header_before_its_cells_are_read(
    tmp_path: Path, header: str, wanted: str
) -> None:
    text = f"T (C),{header}\n1,2\n2,failed - melted\n3,5\n4,>200\n5,OL\n"
    config, made = _replayed(_start(tmp_path, text, wanted))
    assert config.goal[0] in header
    assert [row.failure for row in made.rows][1:] == [
        FailureKind.BAD_READING,
        None,
        FailureKind.CENSORED,
        FailureKind.BAD_READING,
    ]


def test_units_in_a_line_of_their_own_reach_the_campaign_and_its_replay(tmp_path: Path) -> None:
    rows = "20;1;300\n30;2;310\n40;9;250\n50;3;333\n"
    started = _start(tmp_path, f"Temp;Time;Strength\n°C;min;MPa\n{rows}", "strength")
    config, made = _replayed(started)
    assert config.space.units == {"Temp": "degC", "Time": "min"}
    assert config.goal[1].unit == "MPa"
    assert [row.values["Strength"] for row in made.rows] == [300.0, 310.0, 250.0, 333.0]
    assert any("holds units" in note for note in started.notes)


def test_what_looks_measured_is_told_and_who_and_where_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{100 + 10 * (i % 4)},{5 * (i // 4 % 3)},{'AB'[i % 2]},{'xyz'[i % 3]},"
        f"{rng.random():.6f},{rng.random():.6f}\n"
        for i in range(24)
    )
    started = _start(tmp_path, "T (C),t (min),Operator,batch,TOF (1/s),Yield\n" + rows, "Yield")
    config, _ = _replayed(started)
    assert set(config.model.parameters) == {"T", "t", "TOF"}
    said = {note.split(":")[0]: note for note in started.notes}
    assert "goal: observe" in said["TOF"]
    assert "T" not in said
    for name in ("Operator", "batch"):
        assert "left out, since by its name" in said[name]


def test_numbers_that_were_all_drawn_anew_are_not_called_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = "".join(",".join(f"{v:.5f}" for v in rng.random(3)) + "\n" for _ in range(20))
    assert not any("measured rather than set" in n for n in _start(tmp_path, "a,b,y\n" + rows, "y").notes)


@pytest.mark.parametrize(("header", "kept"), [("Fe", True), ("dose (mg)", True), ("n", False)])
def test_a_first_column_that_was_swept_evenly_is_no_running_number(
    tmp_path: Path, header: str, *, kept: bool
) -> None:
    rows = "".join(f"{i},{i * 7 % 12},{i * i % 7}\n" for i in range(12))
    config, _ = _replayed(_start(tmp_path, f"{header},Ni,y\n{rows}", "y"))
    assert (len(config.model.parameters) == 2) is kept


def test_a_replay_of_the_table_answers_with_its_values(tmp_path: Path) -> None:
    config, made = _replayed(_start(tmp_path, "x (mm),y (HV)\n1,20\n2,35\n3,5\n", "y"))
    assert {row.recipe["x"]: row.values["y"] for row in made.rows} == {1.0: 20.0, 2.0: 35.0, 3.0: 5.0}
    assert config.goal[1].unit == "HV"
    assert Attempt("k", config.name, "e1", 1, made.rows[0].recipe, config.space.units).units == {"x": "mm"}


@pytest.mark.parametrize(
    ("text", "goal", "said"),
    [
        ("x,z,y\n1,2,3\n2,3,4\n", "w", "no column 'w'; choose one of x, z, y"),
        ("x,name,y\n1,a,3\n2,b,4\n", "name", "holds no numbers to optimise; choose one of x, y"),
        ("x,Y,y \n1,2,3\n2,3,4\n", "Y (mm)", "no column"),
        # A cell is never blamed for a name that no column has.
        ("T (C),Permittivity @1kHz\n1,2\n2,failed\n3,5\n", "Permitivity", "did you mean Permittivity @1kHz?"),
        ("x,gap,gap_eV\n1,2,3\n2,3,4\n", "ga", "no column 'ga'"),
        ("x,T (C),T (K)\n1,2,3\n2,3,4\n", "t", "several columns"),
        ("x,T (C),T (K)\n1,2,3\n2,3,4\n", "T", "name one of T (C), T (K)"),
        ("x,T,T\n1,2,3\n2,3,4\n", "T", "give them different headers"),
        (
            "x,x ,z,z,y\n1,2,3,1,2\n2,3,4,1,2\n",
            "y",
            "several columns named x, z; give them different headers",
        ),
        ("c,y\n1,2\n1,3\n", "y", "nothing in it could be varied"),
        ("x,y\n1,nan\n2,inf\n", "y", "no number that is finite"),
        ("x,y\n", "y", "no rows"),
    ],
)
def test_what_cannot_be_replayed_is_refused_and_nothing_is_written(
    tmp_path: Path, text: str, goal: str, said: str
) -> None:
    with pytest.raises(RequestError) as caught:
        _start(tmp_path, text, goal)
    assert said in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["source table.csv"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match="not empty"):
        start_campaign(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(RequestError, match="no folder"):
        start_campaign(tmp_path / "mine" / "thesis.txt")


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert start_campaign(tmp_path / "mine").campaign.is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_table_needs_a_goal_and_a_goal_a_table(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--from"):
        start_campaign(tmp_path / "mine", goal_column="y")
    with pytest.raises(RequestError, match="--maximize or --minimize"):
        start_campaign(tmp_path / "mine", table=tmp_path / "t.csv")
