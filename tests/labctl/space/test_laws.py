"""Laws between settings as a file tells them: kept by every draw, and refused where they are wrong."""

from pathlib import Path

import numpy as np
import pytest

from labctl.bench import set_up
from labctl.config import load_config
from labctl.errors import RequestError
from labctl.space import Space, sample

BASE = """\
campaign: laws
parameters:
  temperature: {kind: continuous, unit: degC, low: 20, high: 200, step: 5}
  time: {kind: continuous, unit: minute, low: 1, high: 60}
  flow: {kind: continuous, unit: mL/min, low: 0.1, high: 5}
  solvent: {kind: categorical, choices: [water, DMSO, ethanol]}
  a: {kind: continuous, unit: percent, low: 0, high: 100, step: 2.5}
  b: {kind: continuous, unit: percent, low: 0, high: 100, step: 2.5}
  c: {kind: continuous, unit: percent, low: 0, high: 100, step: 5}
  salt: {kind: continuous, unit: mg, low: 0, high: 50}
  acid: {kind: continuous, unit: mg, low: 0, high: 50}
  base: {kind: continuous, unit: mg, low: 0, high: 50}
objectives:
  yield: {goal: maximize, unit: percent}
instrument: {kind: hand}
"""


def write(folder: Path, laws: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(BASE + laws, "utf-8")
    return path


def space_of(folder: Path, laws: str) -> Space:
    return load_config(write(folder, laws)).space


def draws(space: Space, n: int = 300) -> list[dict[str, float]]:
    found = sample(space, n, np.random.default_rng(0))
    assert len(found) == n
    return found  # type: ignore[return-value] # numbers are looked at


def test_a_mixture_in_steps_adds_up_to_the_last_digit(tmp_path: Path) -> None:
    space = space_of(tmp_path, "mixtures: {m: {parts: [a, b, c], total: 100, unit: percent}}\n")
    found = draws(space)
    assert all(r["a"] + r["b"] + r["c"] == 100 for r in found)
    assert all(r["a"] % 2.5 == r["b"] % 2.5 == r["c"] % 5 == 0 for r in found)
    assert len({(r["a"], r["b"]) for r in found}) > 150
    # On average a third each, as on the simplex without steps.
    assert np.mean([[r["a"], r["b"], r["c"]] for r in found], axis=0) == pytest.approx([100 / 3] * 3, abs=5)


def test_a_total_that_the_steps_never_meet_is_refused(tmp_path: Path) -> None:
    laws = "mixtures: {m: {parts: [b, c], total: 99, unit: percent}}\n"
    with pytest.raises(RequestError) as wrong:
        space_of(tmp_path, laws)
    assert "mixtures.m: the parts' steps reach 97.5 and 100, never 99 percent" in str(wrong.value)


def test_a_total_that_bounds_keep_the_steps_from_is_refused_at_once(
    tmp_path: Path,
) -> None:
    laws = (
        "mixtures: {m: {parts: [b, c], total: 2.5, unit: percent}}\n"
        "constraints: [{terms: {b: 1}, at_most: 2, unit: percent}]\n"
    )
    config = load_config(write(tmp_path, laws))
    with pytest.raises(RequestError, match="no recipe was found that obeys all of them; loosen a constraint"):
        set_up(config, folder=None, seed=0)


def test_forbidden_combinations_are_told_with_their_reason_and_not_drawn(tmp_path: Path) -> None:
    space = space_of(
        tmp_path,
        "forbidden:\n"
        "  - {when: {solvent: DMSO, temperature: {above: 423.15, unit: K}}, because: it decomposes}\n"
        "  - {when: {solvent: [water, ethanol], time: {at_least: 30, unit: minute}}, because: boils dry}\n",
    )
    good = sample(space, 1, np.random.default_rng(0))[0]
    hot = {**good, "solvent": "DMSO", "temperature": 155.0}
    assert space.problems(hot) == (
        "solvent is DMSO and temperature is above 423.15 K, which is forbidden (it decomposes)",
    )
    assert space.problems({**hot, "temperature": 150.0}) == ()
    assert space.problems({**hot, "solvent": "water", "time": 5.0}) == ()
    found = draws(space)
    assert not [r for r in found if r["solvent"] == "DMSO" and r["temperature"] > 150]
    assert not [r for r in found if r["solvent"] != "DMSO" and r["time"] >= 30]
    assert {r["solvent"] for r in found} == {"water", "DMSO", "ethanol"}
    pooled = space.with_pool({n: [good[n], hot[n]] for n in space.names}).pool
    assert pooled is not None
    assert len(pooled) == 1


def test_rules_are_in_the_parameters_units_and_drawn_within(tmp_path: Path) -> None:
    space = space_of(tmp_path, "rules: ['flow * time <= 20', 'time >= 5 or flow < 1']\n")
    good = sample(space, 1, np.random.default_rng(0))[0]
    assert space.problems({**good, "flow": 4.0, "time": 6.0}) == (
        "the rule flow * time <= 20 does not hold at flow = 4, time = 6",
    )
    found = draws(space)
    assert all(r["flow"] * r["time"] <= 20 and (r["time"] >= 5 or r["flow"] < 1) for r in found)


@pytest.mark.parametrize(
    ("rule", "least"),
    [("time * flow * temperature >= 59999", 59_999), ("time * flow * temperature >= 59000", 59_000)],
)
def test_a_rule_that_leaves_a_corner_is_met_nonetheless(tmp_path: Path, rule: str, least: float) -> None:
    found = draws(space_of(tmp_path, f"rules: ['{rule}']\n"), 60)
    assert min(r["time"] * r["flow"] * r["temperature"] for r in found) >= least
    assert len({r["time"] for r in found}) > 20
    assert len({tuple(r.values()) for r in found}) > 50


def test_few_amounts_are_used_and_each_used_one_is_enough(tmp_path: Path) -> None:
    space = space_of(
        tmp_path,
        "at_most_nonzero: [{parameters: [salt, acid, base], at_most: 2, least: 0.005, unit: gram}]\n",
    )
    found = draws(space, 600)
    used = [tuple(n for n in ("salt", "acid", "base") if r[n] > 0) for r in found]
    assert max(map(len, used)) == 2
    assert len(set(used)) == 7  # none, each alone, each pair
    assert all(r[n] == 0 or r[n] >= 5 for r in found for n in ("salt", "acid", "base"))
    few = {**found[0], "salt": 6.0, "acid": 2.0, "base": 0.0}
    assert space.problems(few) == ("acid is 2, but must be 0 or at least 5 mg",)
    assert space.problems({**few, "acid": 6.0, "base": 7.0}) == (
        "3 of salt, acid, base are above zero, and at most 2 may be",
    )


def test_what_is_fixed_is_proposed_and_other_settings_still_teach(tmp_path: Path) -> None:
    space = space_of(tmp_path, "strategy: {fixed: {solvent: water, temperature: 80}}\n")
    found = draws(space)
    assert {(r["solvent"], r["temperature"]) for r in found} == {("water", 80.0)}
    other = {**found[0], "solvent": "DMSO"}
    assert space.problems(other) == ()
    assert space.encode([other]).shape == (1, space.width)
    assert space.slices["temperature"].start not in space.free_columns
    pooled = space.with_pool({n: [found[0][n], other[n]] for n in space.names}).pool
    assert pooled is not None
    assert pooled.columns["solvent"] == ["water"]


WRONG = [
    ("forbidden: [{when: {solvent: DMSO}}]", "forbidden.0.because: missing"),
    (
        "forbidden: [{when: {solvant: DMSO}, because: x}]",
        "forbidden.0.when.solvant: is no parameter; they are",
    ),
    ("forbidden: [{when: {solvent: oil}, because: x}]", "oil is none of its choices (water, DMSO, ethanol)"),
    ("forbidden: [{when: {time: DMSO}, because: x}]", "forbidden.0.when.time: is a number; give an interval"),
    ("forbidden: [{when: {time: 5}, because: x}]", "forbidden.0.when.time: is 5, but must be a choice"),
    ("forbidden: [{when: {time: {above: 5}}, because: x}]", "forbidden.0.when.time: needs the unit"),
    ("forbidden: [{when: {time: {abov: 5, unit: s}}, because: x}]", "did you mean above?"),
    ("forbidden: [{when: {time: {above: 5, unit: gram}}, because: x}]", "gram does not convert to minute"),
    (
        "forbidden: [{when: {time: {above: 5, below: 4, unit: s}}, because: x}]",
        "no number lies between 5 and 4",
    ),
    ("forbidden: [{when: {solvent: {above: 5, unit: s}}, because: x}]", "has choices, not numbers"),
    ("forbidden: [{when: {solvent: [water, DMSO, ethanol]}, because: x}]", "loosen what is forbidden"),
    ("rules: ['flow * tme <= 20']", "rules.0: has tme, which is neither a parameter nor a constant; did you"),
    ("rules: ['flow * time']", "rules.0: has 'flow * time', which compares nothing"),
    ("rules: ['flow == 2']", "rules.0: compares with =="),
    ("rules: ['1 < 2']", "names no parameter"),
    ("rules: ['solvent <= 2']", "uses solvent, which is no number"),
    ("rules: ['flow > 6']", "no recipe was found that obeys all of them; loosen a rule"),
    ("rules: ['__import__(flow) <= 2']", "'__import__(flow)', which is not understood"),
    ("rules: [\"open('x').read() <= flow\"]", 'has "\'" in it'),
    ("rules: ['(lambda: flow)() <= 1']", "has ':' in it"),
    ("rules: ['flow.real <= 1']", "'flow.real', which is not understood"),
    ("at_most_nonzero: [{parameters: [salt, acid]}]", "at_most_nonzero.0: needs at_most, how many"),
    ("at_most_nonzero: [{parameters: [salt, flow, time], at_most: 1}]", "flow, time can never be 0"),
    ("at_most_nonzero: [{parameters: [salt, solvent], at_most: 1}]", "solvent is no numeric parameter"),
    (
        "at_most_nonzero: [{parameters: [salt], least: 1, unit: gram}]",
        "least is more than salt can be (50 mg)",
    ),
    ("at_most_nonzero: [{parameters: [salt], least: 1, unit: mL}]", "least in mL is no amount of salt in mg"),
    ("at_most_nonzero: [{parameters: [salt], least: 1}]", "least and its unit go together"),
    ("strategy: {fixed: {solvent: oil}}", "strategy.fixed.solvent: 'oil' is none of water, DMSO"),
    ("strategy: {fixed: {solvant: water}}", "strategy.fixed.solvant: is no parameter"),
    ("strategy: {fixed: {temperature: 81}}", "81 is between two steps; the nearest is 80"),
    ("strategy: {fixed: {time: 100}}", "strategy.fixed.time: 100 lies outside 1 to 60 minute"),
    ("strategy: {fixed: {time: true}}", "strategy.fixed.time: is True, but must be a number"),
]


@pytest.mark.parametrize(("laws", "sentence"), WRONG)
def test_a_wrong_law_is_refused_in_one_sentence(tmp_path: Path, laws: str, sentence: str) -> None:
    path = write(tmp_path, laws + "\n")
    with pytest.raises(RequestError) as wrong:
        set_up(load_config(path), folder=None, seed=0)
    assert sentence in str(wrong.value)
    assert str(path) in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_candidates_that_are_forbidden_or_fixed_otherwise_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "shelf.csv").write_text("x,s\n1,water\n2,DMSO\n3,water\n4,water\n", "utf-8")
    path = tmp_path / "c.yaml"
    path.write_text(
        "campaign: shelf\n"
        "parameters:\n"
        "  x: {kind: continuous, unit: gram, low: 0, high: 5}\n"
        "  s: {kind: categorical, choices: [water, DMSO]}\n"
        "candidates: {table: shelf.csv}\n"
        "forbidden: [{when: {x: {above: 3, unit: gram}, s: water}, because: it clots}]\n"
        "strategy: {fixed: {s: water}}\n"
        "objectives:\n  y: {goal: maximize, unit: gram}\ninstrument: {kind: hand}\n",
        "utf-8",
    )
    pool = set_up(load_config(path), folder=None, seed=0).space.pool
    assert pool is not None
    assert pool.columns == {"x": [1.0, 3.0], "s": ["water", "water"]}
    path.write_text(path.read_text("utf-8").replace("above: 3", "above: 0.5"), "utf-8")
    with pytest.raises(RequestError, match="no candidate may be proposed"):
        set_up(load_config(path), folder=None, seed=0)
