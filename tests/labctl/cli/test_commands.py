"""Commands as a shell sees them: one JSON object, exit codes, one sentence for what is wrong."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from labctl.cli import main
from labctl.cli.app import app
from labctl.ledger import Ledger

Written = Callable[..., Path]
Labctl = Callable[..., "Said"]

AS_A_SHELL_DOES = "import sys; from labctl.cli import main; sys.exit(main())"


class Said:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict[str, Any]:
        assert self.out.count("\n") == 1, "exactly one line"
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content


@pytest.fixture
def labctl(capfd: pytest.CaptureFixture[str]) -> Labctl:
    def run(*arguments: object) -> Said:
        code = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def one_sentence(said: Said, code: int) -> str:
    assert said.code == code
    assert said.err.startswith("labctl: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


def commands() -> list[list[str]]:
    names = [[c.name] for c in app.registered_commands if c.name]
    for group in app.registered_groups:
        names += [
            [group.name, c.name] for c in group.typer_instance.registered_commands if group.name and c.name
        ]
    return names


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help(labctl: Labctl, command: list[str]) -> None:
    said = labctl(*command, "--help")
    assert said.code == 0
    assert "Usage: " in said.out
    assert said.err == ""


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    script = (
        "import sys\nfrom labctl.cli import main\ncode = main(['--help'])\n"
        "heavy = ['torch', 'pandas', 'scipy', 'numpy', 'bluesky', 'pymatgen', 'plotly', 'pint', 'pydantic']\n"
        "print('HEAVY', code, [name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "HEAVY 0 []"


def test_status_and_verify_need_no_science(replay_campaign: Written, labctl: Labctl) -> None:
    file = replay_campaign()
    # With predictions that were scored, and enough of them to look for surprises.
    labctl("run", file, "--experiments", 16)
    script = (
        "import sys\nfrom labctl.cli import main\n"
        f"main(['status', {str(file)!r}, '--json']); main(['verify', {str(file)!r}])\n"
        "heavy = ['torch', 'botorch', 'pandas', 'scipy.special', 'sklearn', 'bluesky', 'pymatgen']\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "HEAVY []"


def test_run_gives_one_object_and_progress_on_stderr(replay_campaign: Written, labctl: Labctl) -> None:
    file = replay_campaign()
    said = labctl("run", file, "--experiments", 3, "--json")
    assert said.code == 0
    assert said.json["experiments"] == 3
    assert said.json["status"] == "finished"
    assert [line.split()[0] for line in said.err.splitlines() if line.startswith("e0")] == [
        "e0001",
        "e0002",
        "e0003",
    ]
    words = labctl("run", file)
    assert words.code == 0
    assert "6, of which" in words.out


def test_looking_commands_agree(replay_campaign: Written, labctl: Labctl, tmp_path: Path) -> None:
    file = replay_campaign()
    ran = labctl("run", file, "--json").json
    status = labctl("status", file, "--json").json
    for key in ("experiments", "measured", "failed", "best", "head", "seed", "calibration"):
        assert status[key] == ran[key], key
    verified = labctl("verify", file, "--json").json
    assert (verified["head"], verified["verified"]) == (ran["head"], True)
    assert labctl("verify", file.with_suffix(".lab") / "ledger.sqlite", "--json").json == verified
    assert labctl("verify", file, "--head", ran["head"], "--json").code == 0
    assert "no event has the hash" in labctl("verify", file, "--head", "0" * 63 + "1").err
    report = labctl("report", file, "-o", tmp_path / "page.html", "--json").json
    assert Path(report["report"]).read_text("utf-8").startswith("<!")
    exported = labctl("export", file, "--json")
    assert exported.code == 0
    assert len(exported.json["experiments"]) == 6
    csv = labctl("export", file)
    assert len(csv.out.splitlines()) == 7


def test_by_hand_from_proposal_to_result(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign()
    proposed = labctl("propose", file, "-n", 2, "--json").json["proposals"]
    assert [p["id"] for p in proposed] == ["e0001", "e0002"]
    asked = proposed[0]["recipe"]["dose"]
    recorded = labctl(
        "record", file, "e0001", "yield=12.5", "colour=1", "--actual", f"dose={asked:.6g}", "--json"
    ).json
    assert recorded["recorded"] == ["e0001"]
    assert recorded["measured"] == 1
    failed = labctl("record", file, "2", "--failed", "infeasible", "-m", "it cracked", "--json").json
    assert failed["failed"] == {"infeasible": 1}
    own = labctl(
        "propose", file, "--recipe", "dose=1", "--recipe", "steps=2", "--recipe", "solvent=no", "--json"
    ).json
    assert own["proposals"][0]["arm"] == "expert"
    assert labctl("status", file, "--json").json["waiting_for"] == ["e0003"]


def test_an_ended_campaign_says_why_and_proposes_all_the_same(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign(budget={"experiments": 1})
    first = labctl("propose", file, "--json")
    assert (first.json["ended"], first.err) == (None, "")
    why = "the budget of 1 experiment is spent"
    own = ["--recipe", "dose=1", "--recipe", "steps=2", "--recipe", "solvent=no"]
    for name, more in (("e0002", []), ("e0003", own)):
        said = labctl("propose", file, *more, "--json")
        assert (said.json["ended"], len(said.json["proposals"])) == (why, 1)
        assert said.err == f"note: the campaign has ended: {why}; {name} goes beyond that\n"
        assert said.json["beyond_the_end"] == [name]


def test_a_recipe_of_ones_own_gives_each_setting_once(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign()
    said = labctl("propose", file, "--recipe", "dose=1", "--recipe", "dose=9")
    assert "dose: is given twice; give it once" in one_sentence(said, 2)


def test_propose_gives_the_batch_and_says_what_goes_beyond_the_end(
    hand_campaign: Written, labctl: Labctl
) -> None:
    strategy = {"initial": 3, "batch": 3, "arms": {"random": 1}}
    file = hand_campaign(strategy=strategy, budget={"experiments": 4})
    assert len(labctl("propose", file, "--json").json["proposals"]) == 3
    said = labctl("propose", file, "-n", 2, "--json")
    why = "the budget of 4 experiments is spent"
    assert said.err == f"note: the campaign has ended: {why}; e0005 goes beyond that\n"
    assert (said.json["ended"], said.json["beyond_the_end"]) == (why, ["e0005"])


def test_a_recipe_dearer_than_what_is_left_goes_beyond_the_budget(
    hand_campaign: Written, labctl: Labctl
) -> None:
    instrument = {"kind": "hand", "cost": {"each": 1, "of": {"dose": 10}}}
    file = hand_campaign(instrument=instrument, budget={"cost": 30})
    fit = labctl("propose", file, "--json")
    assert (fit.err, fit.json["ended"]) == ("", None)
    assert fit.json["proposals"][0]["recipe"]["dose"] <= 2.9
    own = ["--recipe", "dose=9", "--recipe", "steps=2", "--recipe", "solvent=no"]
    said = labctl("propose", file, *own, "--json")
    assert said.json["beyond_the_end"] == ["e0002"]
    assert "the budget of 30 is spent: 0 spent, and what waits will cost" in said.err


def test_the_end_is_told_with_the_result_that_brings_it(hand_campaign: Written, labctl: Labctl) -> None:
    target = {"value": 50, "unit": "percent"}
    file = hand_campaign(budget={"target": target, "failures_in_a_row": 2})
    labctl("propose", file, "-n", 5)
    assert labctl("record", file, "e1", "yield=20").out == "e0001 recorded as measured\n"
    labctl("record", file, "e2", "--failed", "infeasible")
    halted = labctl("record", file, "e3", "--failed", "infeasible")
    assert halted.out.splitlines()[-1].startswith("the campaign is halted: 2 experiments in a row failed")
    status = labctl("status", file, "--json")
    assert (status.code, status.json["status"]) == (1, "halted")
    assert status.json["why"].endswith("; 2 experiments have no result yet")
    reached = labctl("record", file, "e4", "yield=51").out
    said = "the campaign has ended: the target is reached; 1 experiment waits for a result"
    assert reached.splitlines() == ["e0004 recorded as measured", said]
    status = labctl("status", file, "--json")
    assert (status.code, status.json["status"]) == (0, "waiting")
    assert status.json["why"].endswith("and no more are to be proposed: the target is reached")


def test_a_fault_says_how_to_try_the_recipe_again(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign()
    recipe = labctl("propose", file, "--json").json["proposals"][0]["recipe"]
    said = labctl("record", file, "e1", "--failed", "instrument_fault").out.splitlines()
    assert said[1].strip() == "this says nothing of the recipe; to try it again:"
    again = labctl(*shlex.split(said[2])[1:], "--json").json["proposals"][0]
    assert (again["arm"], again["recipe"]) == ("expert", recipe)


def test_what_is_shown_is_what_was_proposed(hand_campaign: Written, labctl: Labctl) -> None:
    pressure = {"kind": "continuous", "unit": "Pa", "low": 101300, "high": 101305, "step": 0.25}
    file = hand_campaign(parameters={"pressure": pressure})
    for n in range(1, 5):
        asked = labctl("propose", file, "--json").json["proposals"][0]["recipe"]["pressure"]
        text = f"pressure {asked:.2f}".rstrip("0").rstrip(".") + " Pa"
        assert text in labctl("status", file).out
        labctl("record", file, f"e{n}", f"yield={n}", "--actual", f"pressure={asked}")
    assert text in labctl("status", file).out


def test_candidates_that_run_out_are_told(hand_campaign: Written, labctl: Labctl) -> None:
    vetoes = [{"when": {"solvent": "water"}, "because": "it foams"}]
    file = hand_campaign(candidates={"table": "few.csv"}, advice={"vetoes": vetoes, "doubt": 0})
    (file.parent / "few.csv").write_text("dose,steps,solvent\n1,2,water\n2,2,no\n", "utf-8")
    said = labctl("propose", file, "-n", 3, "--json")
    why = "every candidate that no veto speaks against was tried"
    assert (said.json["ended"], len(said.json["proposals"])) == (why, 1)
    assert said.err == f"note: 1 of 3 proposed: {why}\n"
    again = labctl("propose", file)
    assert (again.code, again.out, again.err) == (0, "", f"note: 0 of 1 proposed: {why}\n")
    # One that people speak against is tried by hand, and what came of it is told.
    labctl("propose", file, "--recipe", "dose=1", "--recipe", "steps=2", "--recipe", "solvent=water")
    labctl("record", file, "e1", "yield=5.1")
    labctl("record", file, "e2", "yield=4.2")
    labctl("propose", file, "--recipe", "dose=1", "--recipe", "steps=2", "--recipe", "solvent=water")
    labctl("record", file, "e3", "--failed", "instrument_fault")
    told = labctl("status", file)
    assert "1 tried, 0 failed, best 4.2 % against 5.1 %" in told.out.replace("percent", "%")


def test_vetoes_against_every_candidate_are_refused_before_anything_is_written(
    hand_campaign: Written, labctl: Labctl
) -> None:
    vetoes = [{"when": {"solvent": "water"}, "because": "it foams"}]
    file = hand_campaign(candidates={"table": "few.csv"}, advice={"vetoes": vetoes})
    (file.parent / "few.csv").write_text("dose,steps,solvent\n1,2,water\n", "utf-8")
    assert "advice.vetoes: speak against every recipe" in one_sentence(labctl("propose", file), 2)
    assert not file.with_suffix(".lab").exists()


def test_status_and_record_tell_cost_and_what_is_missing(hand_campaign: Written, labctl: Labctl) -> None:
    objectives = {
        "yield": {"goal": "maximize", "unit": "percent"},
        "width": {"goal": "observe", "unit": "um", "at_most": 20},
    }
    instrument = {"kind": "hand", "cost": {"each": 2.5}}
    file = hand_campaign(objectives=objectives, instrument=instrument, budget={"cost": 100})
    labctl("propose", file, "-n", 2)
    said = labctl("record", file, "e1", "yield=3")
    assert said.out.splitlines()[1].strip() == "without width"
    done = labctl("record", file, "e2", "yield=3", "width=21", "--json").json
    assert (done["missing"], done["cost"], done["cost_budget"]) == ({}, 5, 100)
    told = labctl("status", file).out
    assert "5 of 100" in told
    assert "1 of 2 results breaks a limit; of 1 it is not known" in told
    assert "e0002 has its result already" in one_sentence(labctl("record", file, "2", "yield=1"), 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["e0009", "yield=1"], "there is no experiment 'e0009'"),
        (["e0001", "yield=much"], "yield: 'much' is no number"),
        (["e0001", "yield"], "'yield' is not NAME=VALUE"),
        (["e0001", "yield=nan"], "yield: is nan"),
        (["e0001", "hue=1"], "hue: no such objective"),
        (["e0001"], "yield: give its value"),
        (["e0001", "--failed", "broken"], "'broken' is no kind of failure"),
        ([], "name the experiment"),
        (["e0001", "yield=1", "--actual", "dose=much"], "dose: 'much' is no number"),
        (["e0001", "yield=1", "--actual", "solvent=mud"], "solvent: 'mud' is none of"),
        (["--from", "none.csv"], "none.csv"),
        (["e0001", "--failed", "censored"], "yield: a censored result needs its bound"),
        (["e0001", "yield=3", "--failed", "censored"], "yield: has a value, and a censored result has"),
        (["e0001", "yield>much"], "yield: 'much' is no number"),
        (["e0001", "yield>inf"], "yield: 'inf' bounds nothing"),
        (["e0001", "yield>5", "--failed", "infeasible"], "a bound is for censored results"),
        (["e0001", "yield=1", "yield=2"], "yield: is given twice; give it once"),
        (["e0001", "yield>1", "yield>2"], "yield: has two bounds >; give one"),
        (["e0001", "yield=1", "--actual", "dose=1", "--actual", "dose=2"], "dose: is given twice"),
        (["e0001", "yield=1", "--failed", "off_recipe"], "give them with --actual NAME=VALUE"),
    ],
)
def test_a_wrong_record_is_one_sentence_and_writes_nothing(
    hand_campaign: Written, labctl: Labctl, arguments: list[str], sentence: str
) -> None:
    file = hand_campaign()
    labctl("propose", file)
    before = labctl("verify", file, "--json").json
    assert sentence in one_sentence(labctl("record", file, *arguments), 2)
    assert labctl("verify", file, "--json").json == before


@pytest.mark.parametrize(
    "arguments", [["propose", "-n", "0"], ["propose", "-n", "x"], ["run", "--seed", "-1"], ["run", "--what"]]
)
def test_a_wrong_option_says_where_help_is(
    hand_campaign: Written, labctl: Labctl, arguments: list[str]
) -> None:
    sentence = one_sentence(labctl(*arguments, hand_campaign()), 2)
    assert f"`labctl {arguments[0]} --help` shows how" in sentence


def test_a_command_that_does_not_exist_is_one_sentence(labctl: Labctl) -> None:
    assert "No such command 'rum'" in one_sentence(labctl("rum"), 2)


@pytest.mark.parametrize("command", ["run", "status", "propose", "report", "export", "verify"])
def test_a_wrong_file_is_one_sentence_for_every_command(labctl: Labctl, tmp_path: Path, command: str) -> None:
    missing = labctl(command, tmp_path / "none.yaml", "--json")
    assert missing.code == 2
    assert missing.json["exit"] == 2
    assert "none.yaml" in missing.json["error"] or "ledger" in missing.json["error"]
    assert list(tmp_path.iterdir()) == []


def test_errors_are_json_too(replay_campaign: Written, labctl: Labctl) -> None:
    said = labctl("run", replay_campaign(budget={"experimnts": 5}), "--json")
    assert said.code == 2
    assert "did you mean experiments?" in said.json["error"]
    assert said.err.startswith("labctl: ")


def test_status_before_the_first_run_says_what_to_do(replay_campaign: Written, labctl: Labctl) -> None:
    file = replay_campaign()
    assert "start the campaign with `labctl run`" in one_sentence(labctl("status", file), 2)
    assert not file.with_suffix(".lab").exists()


def test_run_by_hand_is_a_wrong_request_and_makes_nothing(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign()
    assert "instrument.kind: is hand" in one_sentence(labctl("run", file), 2)
    assert not file.with_suffix(".lab").exists()
    assert "start the campaign with `labctl propose`" in one_sentence(labctl("status", file), 2)


def test_a_recipe_that_nobody_asked_for_is_told_and_shown(hand_campaign: Written, labctl: Labctl) -> None:
    file = hand_campaign()
    asked = labctl("propose", file, "-n", 2, "--json").json["proposals"][0]["recipe"]
    labctl("record", file, "e0002", "yield=10")
    said = labctl("record", file, "e0001", "yield=12.5", "--actual", "dose=12")
    assert "e0001 recorded as off_recipe" in said.out
    assert f"dose was 12, not {asked['dose']:.6g}; its values count" in said.out
    status = labctl("status", file, "--json").json
    assert (status["measured"], status["failed"]) == (1, {"off_recipe": 1})
    assert status["best"]["experiment"] == "e0002"
    assert status["better_off_recipe"] == {
        "recipe": {**asked, "dose": 12.0},
        "value": 12.5,
        "unit": "percent",
        "experiment": "e0001",
        "bound": None,
        "rivals": 0,
    }
    assert "e0001 gave 12.5 percent, which is better, at" in labctl("status", file).out


@pytest.mark.parametrize(
    ("typed", "bounds"),
    [
        (["yield>90"], {"yield": {"low": 90.0}}),
        (["yield>=90", "yield<=95", "--failed", "censored"], {"yield": {"low": 90.0, "high": 95.0}}),
        (["yield < 5", "colour=1"], {"yield": {"high": 5.0}}),
    ],
)
def test_a_result_beyond_the_scale_is_recorded_with_its_bound(
    hand_campaign: Written, labctl: Labctl, typed: list[str], bounds: dict[str, Any]
) -> None:
    file = hand_campaign()
    labctl("propose", file)
    assert labctl("record", file, "e0001", *typed).out == "e0001 recorded as censored\n"
    (experiment,) = labctl("export", file, "--json").json["experiments"]
    assert experiment["failure"]["bounds"] == bounds


def test_a_sheet_that_is_read_again_says_so(hand_campaign: Written, labctl: Labctl, tmp_path: Path) -> None:
    file, sheet = hand_campaign(), tmp_path / "sheet.csv"
    labctl("propose", file, "-n", 2, "-o", sheet)
    assert labctl("record", file, "--from", sheet).out == "no row holds a result yet\n"
    lines = sheet.read_text("utf-8-sig").splitlines()
    lines[1] = lines[1].removesuffix(",,,,,") + ",41.5,,,,"
    sheet.write_text("\n".join(lines), "utf-8")
    assert labctl("record", file, "--from", sheet).out == "e0001 recorded as measured\n"
    assert labctl("record", file, "--from", sheet).out == "1 row was recorded before\n"


def test_what_looks_like_markup_is_shown_as_it_stands(hand_campaign: Written, labctl: Labctl) -> None:
    solvents = {"kind": "categorical", "choices": ["[y]", ":warning:"]}
    file = hand_campaign(parameters={"solvent [red]": solvents})
    labctl("propose", file, "--recipe", "solvent [red]=[y]")
    labctl("record", file, "e0001", "yield=1")
    assert "solvent [red] [y]" in labctl("status", file).out
    labctl("propose", file, "--recipe", "solvent [red]=:warning:")
    labctl("record", file, "e0002", "yield=2")
    assert "solvent [red] :warning:" in labctl("status", file).out


def test_status_counts_in_words_that_go_on(
    hand_campaign: Written, replay_campaign: Written, labctl: Labctl
) -> None:
    file = hand_campaign()
    labctl("propose", file)
    assert labctl("status", file, "--json").json["why"] == "1 experiment has no result yet"
    file = replay_campaign()
    labctl("run", file, "--experiments", 2)
    said = labctl("status", file, "--json").json
    assert said["status"] == "open"
    assert said["why"] == "2 of the 6 experiments in the campaign file; `labctl run` goes on"


def test_another_controller_gives_exit_3_and_readers_still_read(
    replay_campaign: Written, labctl: Labctl
) -> None:
    file = replay_campaign()
    labctl("run", file, "--experiments", 2)
    with Ledger.write(file.with_suffix(".lab") / "ledger.sqlite"):
        assert "another controller holds" in one_sentence(labctl("run", file), 3)
        assert one_sentence(labctl("propose", file), 3)
        status = labctl("status", file, "--json").json
        assert (status["status"], status["experiments"]) == ("running", 2)
        assert labctl("verify", file).code == 0
    assert labctl("status", file, "--json").json["status"] == "open"


def test_a_broken_chain_is_exit_1_and_names_the_event(replay_campaign: Written, labctl: Labctl) -> None:
    file = replay_campaign()
    labctl("run", file, "--experiments", 2)
    with closing(sqlite3.connect(file.with_suffix(".lab") / "ledger.sqlite")) as raw:
        raw.execute("DROP TRIGGER event_is_never_changed")
        raw.execute("UPDATE event SET body = '{}' WHERE seq = 4")
        raw.commit()
    assert "event 4 (intent of e0001) was changed" in one_sentence(labctl("verify", file), 1)
    for command in ("status", "report", "export"):
        said = one_sentence(labctl(command, file), 1)
        assert "event 4" in said
        assert "`labctl verify` says more" in said


def test_a_halted_campaign_is_exit_1(furnace_campaign: Written, labctl: Labctl) -> None:
    file = furnace_campaign(
        instrument={"kind": "furnace", "options": {"fault_rate": 1.0}},
        budget={"experiments": 9, "failures_in_a_row": 1},
        retries={"instrument_fault": 0},
    )
    said = labctl("run", file, "--json")
    assert (said.code, said.json["status"]) == (1, "halted")


def test_laws_that_leave_no_recipe_are_one_sentence(hand_campaign: Written, labctl: Labctl) -> None:
    laws = [{"terms": {"dose": 1}, "at_least": 11, "unit": "gram"}]
    sentence = one_sentence(labctl("propose", hand_campaign(constraints=laws)), 2)
    assert "loosen a constraint" in sentence


def test_version_and_schema(labctl: Labctl) -> None:
    assert labctl("--version").out.startswith("labctl ")
    assert json.loads(labctl("schema").out)["title"] == "labctl campaign"


def test_replay_gives_one_object(replay_campaign: Written, labctl: Labctl) -> None:
    file = replay_campaign()
    said = labctl(
        "replay", file, "--strategies", "random", "--seeds", 2, "--experiments", 5, "--jobs", 1, "--json"
    )
    assert said.code == 0
    assert said.json
    assert "improove" in one_sentence(labctl("replay", file, "--strategies", "improove"), 2)


@pytest.mark.parametrize("command", [["export"], ["export", "--json"], ["status"]])
def test_a_reader_that_leaves_early_is_no_error(
    replay_campaign: Written, labctl: Labctl, command: list[str]
) -> None:
    file = replay_campaign()
    labctl("run", file)
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-c", AS_A_SHELL_DOES, *command, str(file)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        _, err = process.communicate()
    assert process.returncode in (1, 141)
    assert err == ""


@pytest.mark.parametrize("closed", ["stdout", "stderr", "both"])
def test_a_campaign_goes_on_when_nobody_reads_what_it_says(
    replay_campaign: Written, labctl: Labctl, closed: str
) -> None:
    file = replay_campaign()
    reader, writer = os.pipe()
    os.close(reader)
    ends = {end: writer if closed in (end, "both") else subprocess.DEVNULL for end in ("stdout", "stderr")}
    ran = subprocess.run([sys.executable, "-c", AS_A_SHELL_DOES, "run", str(file)], check=False, **ends)
    os.close(writer)
    assert ran.returncode in ((0,) if closed == "stderr" else (1, 141))
    assert labctl("status", file, "--json").json["experiments"] == 6


def test_status_says_what_to_do_where_a_controller_died(labctl: Labctl, furnace_campaign: Written) -> None:
    file = furnace_campaign("left open")
    labctl("run", file, "--experiments", "1")
    with Ledger.write(file.with_suffix(".lab") / "ledger.sqlite") as ledger:
        told = {e.kind: json.loads(e.body) for e in ledger.events()}
        for kind, attempt in (("proposal", 0), ("decision", 0), ("intent", 1)):
            ledger.append(kind, told[kind], experiment="e0002", attempt=attempt)
    said = labctl("status", file)
    assert said.code == 0
    where = "".join(f"e0002: `labctl run {shlex.quote(str(file))}` asks it".split())
    assert "no controller runs, and the instrument may still be at work" in " ".join(said.out.split())
    assert where in "".join(said.out.split())
    assert "e0002 is begun: " in said.out
    with Ledger.write(file.with_suffix(".lab") / "ledger.sqlite"):
        busy = labctl("status", file).out
    assert "a controller is at work on it" in busy
    assert "e0002 is running: " in busy


def test_a_recipe_of_ones_own_waits_for_the_instrument(labctl: Labctl, furnace_campaign: Written) -> None:
    file = furnace_campaign("own")
    recipe = ["--recipe", "temperature=181", "--recipe", "hold_time=61", "--recipe", "quench=water"]
    said = labctl("propose", file, *recipe)
    assert f"`labctl run {shlex.quote(str(file))}` carries it out" in said.out
    labctl("run", file, "--experiments", "1")
    with Ledger.read(file.with_suffix(".lab") / "ledger.sqlite") as ledger:
        assert next(e.experiment for e in ledger.events() if e.kind == "intent") == "e0001"


def test_a_recipe_of_ones_own_beyond_the_limits_is_told_which(
    labctl: Labctl, furnace_campaign: Written
) -> None:
    file = furnace_campaign("beyond")
    limits = json.loads((file.parent / "limits.yaml").read_text())
    limits["limits"]["temperature"]["high"] = 150
    (file.parent / "limits.yaml").write_text(json.dumps(limits))
    recipe = ["--recipe", "temperature=181", "--recipe", "hold_time=61", "--recipe", "quench=water"]
    why = one_sentence(labctl("propose", file, *recipe), 2)
    assert "temperature" in why
    assert "150" in why
