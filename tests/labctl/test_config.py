"""Campaign files: whatever is wrong with one is said in one sentence with file, line, key and remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from labctl.bench import set_up
from labctl.budget import seconds_in
from labctl.campaign import Campaign
from labctl.config import json_schema, load_config
from labctl.errors import RequestError
from labctl.starter import configs_folder

CONFIGS = configs_folder()
BASE = """\
campaign: bench
parameters:
  dose: {kind: continuous, unit: gram, low: 0, high: 10}
  steps: {kind: integer, unit: dimensionless, low: 1, high: 5}
  sieve: {kind: ordinal, unit: µm, levels: [20, 50, 100]}
  solvent: {kind: categorical, choices: [water, no, Äthanol]}
objectives:
  yield: {goal: maximize, unit: percent}
instrument: {kind: hand}
strategy: {initial: 3}
budget: {experiments: 5}
"""
BUDGET = "budget: {experiments: 5}"
HAND = "instrument: {kind: hand}"
BOUNDS = "low: 0, high: 10"
CHOICES = "choices: [water, no, Äthanol]"
WRONG = [
    (BOUNDS, "low: 10, high: 0", ":3: parameters.dose: low (10) must lie below high (0)"),
    (BOUNDS, "low: 5, high: 5", ":3: parameters.dose: low (5) must lie below high (5)"),
    (BOUNDS, "low: 0, hihg: 10", ":3: parameters.dose.hihg: no such key; did you mean high?"),
    (BOUNDS, "low: .nan, high: 1", ":3: parameters.dose.low: is nan"),
    (BOUNDS, "low: -.inf, high: 1", ":3: parameters.dose.low: is -inf"),
    (BOUNDS, "low: 0, high: 1e400", ":3: parameters.dose.high: is inf"),
    (BOUNDS, "low: true, high: 10", ":3: parameters.dose.low: is True, but must be a number"),
    (BOUNDS, "low: '0', high: 10", ":3: parameters.dose.low: is '0', but must be a number without quotes"),
    (BOUNDS, "low: -1e308, high: 1e308", "too far apart"),
    (BOUNDS, "low: 0, high: 10, scale: log", ":3: parameters.dose: scale: log needs low above 0"),
    ("unit: gram, ", "", ":3: parameters.dose.unit: missing; write the unit"),
    ("unit: gram", "unit: furlongish", ":3: parameters.dose.unit: 'furlongish' is no unit that is known"),
    ("unit: gram", "unit: ''", ":3: parameters.dose.unit: '' is no unit"),
    ("unit: gram", "unit: 9**9**9**9", "is no unit that is known"),
    ("unit: gram", "unit: __import__('os').getcwd()", "is no unit that is known"),
    ("kind: continuous", "kind: continous", ":3: parameters.dose: needs kind: continuous, integer"),
    ("low: 1, high: 5", "low: 1.5, high: 5", ":4: parameters.steps.low: is 1.5"),
    ("low: 1, high: 5", "low: 0, high: 99999999999999999999", ":4: parameters.steps.high: is 9999"),
    ("[20, 50, 100]", "[50, 20]", ":5: parameters.sieve.levels: must rise"),
    ("[20, 50, 100]", "[20]", ":5: parameters.sieve.levels: needs at least 2, and has 1"),
    (CHOICES, "choices: [no, no]", ":6: parameters.solvent.choices: repeats a choice"),
    (CHOICES, "choices: [water, '  ']", ":6: parameters.solvent.choices: has the choice '  ', which nobody"),
    (CHOICES, "choices: [a b, a  b]", "'a b' and 'a  b', which differ only in blanks"),
    (CHOICES, 'choices: [a, "b\\e[31m"]', "'b\\x1b[31m', which holds a control character"),
    (CHOICES, 'choices: [a, "b\\nc"]', "which holds a control character"),
    (CHOICES, 'choices: [a, "\\ud800"]', ":6: holds half a character"),
    ("[20, 50, 100]", "[-1e308, 1e308]", ":5: parameters.sieve.levels: low (-1e+308) and high (1e+308)"),
    (
        "objectives:",
        "mixtures: {m: {parts: [dose, x], total: 1, unit: gram, tolerance: true}}\nobjectives:",
        ":7: mixtures.m.tolerance: is True, but must be a number",
    ),
    (CHOICES, "choices: [water, 2]", ":6: parameters.solvent.choices.1: is 2, but must be text"),
    (CHOICES, "choices: water", ":6: parameters.solvent.choices: is 'water', but must be a list"),
    ("kind: categorical, " + CHOICES, "kind: formula", ":6: parameters.solvent: a formula needs choices"),
    (
        "kind: categorical, " + CHOICES,
        "kind: formula, low: 1",
        ":6: parameters.solvent.low: no such key; remove",
    ),
    ("objectives:", "objectivs:", ":7: objectivs: no such key; did you mean objectives?"),
    ("goal: maximize", "goal: maximise", ":8: objectives.yield.goal: is 'maximise', but must be 'maximize'"),
    ("goal: maximize", "goal: observe", ":7: objectives: none has a goal; give at least one goal"),
    ("  yield:", "  dose:", ":8: objectives.dose: is a parameter too; rename one"),
    ("  yield:", "  '':", "'' is no name"),
    ("campaign: bench\n", "", "campaign: missing; add it"),
    ("campaign: bench", "campaign: ../evil", ":1: campaign: is '../evil', but must be a short name"),
    (HAND, "instrument: {kind: laser}", ":9: instrument.kind: is 'laser', but must be"),
    (HAND, "instrument: hand", ":9: instrument: is 'hand', but must be a mapping"),
    (HAND, "instrument: {kind: replay}", ":9: instrument: a replay needs dataset"),
    (HAND, "instrument: {kind: hand, dataset: hplc}", ":9: instrument: dataset is for kind: replay"),
    (HAND, "instrument: {kind: furnace}", "limits: an instrument that moves needs the file"),
    (HAND, "instrument: {kind: hand, time_limit: 10}", ":9: instrument.time_limit: is 10"),
    (HAND, "instrument: {kind: hand, time_limit: 0 s}", ":9: instrument.time_limit: '0 s' is no time"),
    (HAND, "instrument: {kind: hand, time_limit: 1 gram}", ":9: instrument.time_limit: '1 gram' is no time"),
    (HAND, "instrument: {kind: hand, options: {a: {b: [1, null]}}}", "a.b.1 is empty; give it a value"),
    (HAND, "instrument: {kind: hand, options: {a: [.nan]}}", "a.0 is nan, but must be a number, a text"),
    ("{initial: 3}", "{inital: 3}", ":10: strategy.inital: no such key; did you mean initial?"),
    ("{initial: 3}", "{initial: 0}", ":10: strategy.initial: is 0"),
    ("{initial: 3}", "{arms: {improve: 0}}", ":10: strategy.arms: shares must be zero or more"),
    ("{initial: 3}", "{arms: {improve: 2, random: -1}}", ":10: strategy.arms: shares must be zero or more"),
    ("{initial: 3}", "{arms: {improove: 1}}", ":10: strategy.arms.improove: is 'improove'"),
    (BUDGET, "budget: {experiments: yes}", ":11: budget.experiments: is 'yes'"),
    (BUDGET, "budget: {experiments: true}", ":11: budget.experiments: is True, but must be a number"),
    (BUDGET, "budget: {target: {value: 3, unit: gram}}", ":11: budget.target: gram is no unit for yield"),
    (BUDGET, "seed: -1", ":11: seed: is -1"),
    (
        BUDGET,
        "mixtures: {m: {parts: [dose, steps], total: 1, unit: gram}}",
        ":11: mixtures.m: steps is no cont",
    ),
    (
        BUDGET,
        "mixtures: {m: {parts: [dose, nose], total: 1, unit: gram}}",
        ":11: mixtures.m: nose is no cont",
    ),
    (
        BUDGET,
        "mixtures: {m: {parts: [dose], total: 1, unit: gram}}",
        ":11: mixtures.m.parts: needs at least 2",
    ),
    (
        BUDGET,
        "constraints: [{terms: {dose: 1, steps: 1}, at_most: 3, unit: gram}]",
        ":11: constraints.0: steps in",
    ),
    (
        BUDGET,
        "constraints: [{terms: {solvent: 1}, at_most: 3, unit: gram}]",
        ":11: constraints.0.terms: solvent",
    ),
    (BUDGET, "constraints: [{terms: {dose: 1}, unit: gram}]", ":11: constraints.0: needs at_most, at_least"),
    (BUDGET, "constraints: [{terms: {dose: 1}, at_mots: 1, unit: gram}]", "did you mean at_most?"),
]


def load(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, "utf-8")
    load_config(path)
    return path


def test_the_base_of_these_tests_is_right(tmp_path: Path) -> None:
    config = load_config(load(tmp_path, BASE))
    assert config.name == "bench"
    assert config.goal[0] == "yield"
    assert config.sign == 1.0
    assert config.folder == tmp_path / "c.lab"
    solvent = config.model.parameters["solvent"]
    assert solvent.kind == "categorical"
    assert solvent.choices == ("water", "no", "Äthanol")
    assert config.space.units == {"dose": "gram", "steps": "dimensionless", "sieve": "µm"}


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    assert right in BASE
    with pytest.raises(RequestError) as error:
        load(tmp_path, BASE.replace(right, wrong))
    said = str(error.value)
    assert said.startswith(str(tmp_path / "c.yaml") + ":")
    assert sentence in said
    assert "\n" not in said
    assert error.value.exit_code == 2


def test_a_parameter_may_be_called_as_a_kind_is(tmp_path: Path) -> None:
    text = BASE.replace("  dose:", "  formula:").replace("low: 0, high: 10", "low: 10, high: 0")
    with pytest.raises(RequestError, match=r"parameters\.formula: low \(10\)"):
        load(tmp_path, text)


def test_numbers_may_be_written_with_exponents(tmp_path: Path) -> None:
    config = load_config(load(tmp_path, BASE.replace("low: 0, high: 10", "low: 1e-3, high: 1E1, scale: log")))
    dose = config.model.parameters["dose"]
    assert dose.kind == "continuous"
    assert (dose.low, dose.high) == (0.001, 10.0)


def test_a_mixture_that_cannot_add_up_is_refused(tmp_path: Path) -> None:
    one = "{kind: continuous, unit: gram, low: 2, high: 3}"
    two = f"  dose: {one}\n  more: {one}"
    text = BASE.replace("  dose: {kind: continuous, unit: gram, low: 0, high: 10}", two)
    for law, sentence in (
        ("{parts: [dose, more], total: 7, unit: gram}", "between 4 and 6 cannot add up to 7"),
        (
            "{parts: [dose, more], total: 5, unit: gram, max_parts: 1}",
            "2 parts have low above 0, but max_parts is 1",
        ),
        ("{parts: [dose, more], total: 5, unit: kg}", "use one unit"),
        ("{parts: [dose, dose], total: 5, unit: gram}", "names a parameter twice"),
        ("{parts: [dose, more], total: 5, unit: gram, max_parts: 3}", "there are only 2 parts"),
    ):
        with pytest.raises(RequestError, match=r"c\.yaml:13: mixtures\.m") as error:
            load(tmp_path, text + f"mixtures: {{m: {law}}}\n")
        assert sentence in str(error.value)


@pytest.mark.parametrize("choice", ["Xx2O3", "Fe2O", "H2O)", "nonsense", "Fe0"])
def test_a_choice_that_is_no_formula_is_refused_before_anything_is_written(
    tmp_path: Path, choice: str
) -> None:
    formulas = f"kind: formula, choices: [Fe2O3, {json.dumps(choice)}]"
    path = load(tmp_path, BASE.replace("kind: categorical, " + CHOICES, formulas))
    if choice == "Fe2O":
        set_up(load_config(path), folder=tmp_path / "c.lab", seed=0)
        return
    with pytest.raises(RequestError, match=r"parameters\.solvent\.choices\.1: .* is no chemical formula"):
        set_up(load_config(path), folder=tmp_path / "c.lab", seed=0)
    assert not (tmp_path / "c.lab").exists()


def candidates(folder: Path, table: str) -> Path:
    (folder / "mine.csv").write_text(table, "utf-8")
    formulas = BASE.replace("kind: categorical, " + CHOICES, "kind: formula")
    return load(folder, formulas + "candidates: {table: mine.csv}\n")


def test_a_table_of_candidates_becomes_the_pool(tmp_path: Path) -> None:
    path = candidates(tmp_path, "dose,steps,sieve,solvent\n1,2,20,Fe2O3\n3,4,50,NaCl\n1,2,20,Fe2O3\n")
    bench = set_up(load_config(path), folder=None, seed=0)
    assert bench.space.pool is not None
    assert len(bench.space.pool) == 2
    assert bench.space.pool.recipe(1) == {"dose": 3.0, "steps": 4, "sieve": 50.0, "solvent": "NaCl"}
    assert bench.table is not None
    assert len(bench.table["sha256"]) == 64


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("dose,steps,sieve,solvent\n1,2,20,Fe2O3\n3,4,50,Zz9\n", "'Zz9' is no chemical formula"),
        ("dose,steps,sieve\n1,2,20\n", "has no column 'solvent'"),
        (
            "dose,steps,sieve,solvent\n1,2,20,Fe2O3\n30,4,50,NaCl\n",
            "mine.csv:3: dose: 30 lies outside 0 to 10 gram",
        ),
        (
            "dose,steps,sieve,solvent\n1,2,20,Fe2O3\n,4,50,NaCl\n",
            "mine.csv:3: dose: nan is not a finite number",
        ),
        ("dose,steps,sieve,solvent\n1,2.5,20,Fe2O3\n", "mine.csv:2: steps: 2.5 is not a whole number"),
        ("dose,steps,sieve,solvent\n1,2,30,Fe2O3\n", "mine.csv:2: sieve: 30.0 is none of the levels"),
    ],
)
def test_a_bad_row_of_candidates_is_named(tmp_path: Path, table: str, sentence: str) -> None:
    path = candidates(tmp_path, table)
    with pytest.raises(RequestError) as error:
        set_up(load_config(path), folder=tmp_path / "c.lab", seed=0)
    assert sentence in str(error.value)
    assert not (tmp_path / "c.lab").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10 min", 600.0), ("1 hour", 3600.0), ("0.5 s", 0.5), ("2 day", 172_800.0), ("1e2 ms", 0.1)],
)
def test_times_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert seconds_in(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "10", "min", "nan s", "inf s", "-1 s", "0 s", "1 degC", "ten min", "1e999 s"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds_in(text)


def as_plain(path: Path) -> object:
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_schema_takes_every_ready_campaign(path: Path) -> None:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(as_plain(path), schema, jsonschema.Draft202012Validator)


def test_the_schema_refuses_a_wrong_key_and_a_wrong_value(tmp_path: Path) -> None:
    schema = json.loads(json_schema())
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(as_plain(load(tmp_path, BASE)))
    for right, wrong in (
        (BOUNDS, "low: 0, hihg: 10"),
        ("goal: maximize", "goal: up"),
        ("experiments: 5", "experiments: 0"),
    ):
        path = tmp_path / "wrong.yaml"
        path.write_text(BASE.replace(right, wrong), "utf-8")
        assert not check.is_valid(as_plain(path)), wrong


def test_content_survives_the_ledger(tmp_path: Path, hand_campaign: Callable[..., Path]) -> None:
    config = load_config(hand_campaign())
    again = type(config.model).model_validate(json.loads(json.dumps(config.as_json())))
    assert again == config.model
    assert not (tmp_path / "hand" / "campaign.lab").exists()


@pytest.mark.parametrize("part", ["parameters", "objectives"])
def test_an_unknown_unit_serves_no_instrument_not_even_a_person(
    hand_campaign: Callable[..., Path], part: str
) -> None:
    items = {
        "parameters": {"dose": {"kind": "continuous", "unit": "gram", "low": 0, "high": 10}},
        "objectives": {"yield": {"goal": "maximize", "unit": "percent"}},
    }
    next(iter(items[part].values()))["unit"] = "unknown"
    with pytest.raises(RequestError, match=r"unit: is unknown, which serves a replay, never an instrument"):
        load_config(hand_campaign(**items))


DIFFERENCE = "{terms: {a: 1, b: -1}, equals: 1, unit: gram}"
LAWS = """\
campaign: laws
parameters:
  a: {kind: continuous, unit: gram, low: 0, high: 10}
  b: {kind: continuous, unit: gram, low: 0, high: 10}
  c: {kind: continuous, unit: gram, low: 0, high: 3}
  n: {kind: integer, unit: gram, low: 0, high: 5}
  t: {kind: continuous, unit: gram, low: 1, high: 100, scale: log}
  big: {kind: continuous, unit: gram, low: 0, high: 1e300}
  less: {kind: continuous, unit: gram, low: -5, high: 10}
objectives:
  yield: {goal: maximize, unit: percent}
instrument: {kind: hand}
"""


@pytest.mark.parametrize(
    ("law", "sentence"),
    [
        ("constraints: [{terms: {a: 1, t: 1}, equals: 5, unit: gram}]", "equals needs continuous parameters"),
        ("constraints: [{terms: {a: 1e308, b: 1e308}, at_most: 1e308, unit: gram}]", "too large to compute"),
        ("constraints: [{terms: {a: 1, b: 1}, at_least: 21, unit: gram}]", "no recipe was found"),
        (
            "constraints: [{terms: {a: 1}, at_least: 15, unit: gram}, " + DIFFERENCE + "]",
            "no recipe was found that obeys all of them",
        ),
        ("constraints: [{terms: {n: 2}, at_least: 2.5, at_most: 3.5, unit: gram}]", "no recipe was found"),
        (
            "constraints: [" + "{terms: {a: 1}, at_most: 4, unit: gram}, " * 201 + "]",
            "constraints: may have at most 200, and has 201",
        ),
        ("mixtures: {m: {parts: [c, n], total: 1, unit: gram}}", "n is no continuous parameter"),
        ("mixtures: {m: {parts: [a, c], total: 12, unit: gram, max_parts: 1}}", "at most 1 parts reach 10"),
        ("mixtures: {m: {parts: [a, big], total: 1, unit: gram}}", "big spans 0 to 1e+300, far beyond"),
        ("mixtures: {m: {parts: [a, less], total: 1, unit: gram, max_parts: 1}}", "less may be below 0"),
        (
            "mixtures: {m: {parts: [a, b], total: 1, unit: gram}, n: {parts: [a, b], total: 2, unit: gram}}",
            "no recipe was found that obeys all of them",
        ),
    ],
)
def test_laws_that_leave_nothing_are_refused_before_anything_is_written(
    tmp_path: Path, law: str, sentence: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(LAWS + law + "\n")
    with pytest.raises(RequestError) as wrong:
        Campaign.open(file)
    assert sentence in str(wrong.value)
    assert str(wrong.value).startswith(f"{file}:")
    assert wrong.value.exit_code == 2
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "law",
    [
        "mixtures: {m: {parts: [a, b, c], total: 3, unit: gram, max_parts: 1}}",
        "constraints: [{terms: {a: 1, b: 1}, equals: 3, unit: gram}, " + DIFFERENCE + "]",
        "constraints: [{terms: {n: 1}, at_least: 4.5, unit: gram}]",
    ],
)
def test_laws_that_leave_little_are_obeyed(tmp_path: Path, law: str) -> None:
    (tmp_path / "c.yaml").write_text(LAWS + law + "\n")
    with Campaign.open(tmp_path / "c.yaml") as campaign:
        proposed = campaign.propose(3)
        assert len(proposed) == 3
        assert not any(campaign.bench.space.problems(e.proposal.recipe) for e in proposed)


def test_an_instrument_may_be_told_infinity(furnace_campaign: Callable[..., Path]) -> None:
    file = furnace_campaign(instrument={"kind": "furnace", "options": {"speed": "SPEED"}})
    file.write_text(file.read_text().replace('"SPEED"', ".inf"))
    with Campaign.open(file) as campaign:
        assert campaign.run(experiments=1).experiments == 1


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ("temperature: {low: 20, high: 100, unit: degC}", "temperature = 120 degC is above the lab's limit"),
        ("temperature: {low: 300, high: 400, unit: degC}", "is below the lab's limit of 300 degC"),
        ("temperature: {low: 20, high: 600, unit: mm}", "degC cannot be converted to mm"),
        ("quench: {low: 0, high: 1, unit: mm}", "quench is text"),
    ],
)
def test_limits_that_leave_nothing_are_refused_before_anything_is_written(
    furnace_campaign: Callable[..., Path], limits: str, sentence: str
) -> None:
    file = furnace_campaign()
    (file.parent / "limits.yaml").write_text(
        f"limits:\n  {limits}\nunlimited: [hold_time{'' if 'temp' in limits else ', temperature'}]\n"
    )
    with pytest.raises(RequestError, match=r"limits\.yaml: limits\.\w+: leaves no recipe") as wrong:
        Campaign.open(file)
    assert sentence in str(wrong.value)
    assert sorted(path.name for path in file.parent.iterdir()) == ["campaign.yaml", "limits.yaml"]


def test_a_limit_within_the_bounds_is_no_obstacle(furnace_campaign: Callable[..., Path]) -> None:
    file = furnace_campaign()
    (file.parent / "limits.yaml").write_text(
        "limits: {temperature: {low: 150, high: 200, unit: degC}}\nunlimited: [hold_time]\n"
    )
    with Campaign.open(file) as campaign:
        assert 150 <= float(campaign.propose()[0].proposal.recipe["temperature"]) <= 200
