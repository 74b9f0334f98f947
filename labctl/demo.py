"""The demonstration: a campaign with failures, its report, and the same search against chance."""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from labctl.errors import LabctlError, RequestError

MARK = ".labctl-demo"
"""A file that says that a folder is a demo's own and may be made anew."""
EXPERIMENTS = 60
SEEDS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration and return its exit code.

    It runs the ready HPLC campaign, writes its report, replays improve against random, and says what was
    found, what failed and where the pictures are.
    """
    parser = argparse.ArgumentParser(prog="python -m labctl.demo", description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="where everything goes (demo)")
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS, help=f"of each run ({EXPERIMENTS})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of the comparison ({SEEDS})")
    given = parser.parse_args(arguments)
    try:
        return demonstrate(given.folder, experiments=given.experiments, seeds=given.seeds)
    except LabctlError as error:
        sys.stderr.write(f"labctl.demo: {error}\n")
        return error.exit_code


def demonstrate(folder: Path, *, experiments: int = EXPERIMENTS, seeds: int = SEEDS) -> int:
    """Run, report and compare in a fresh folder; gives the exit code.

    Raises:
        RequestError: the folder is not empty and no demo's, or the table is not on this machine.
    """
    from labctl import cli  # noqa: PLC0415 - so that --help is quick
    from labctl.replay import compare  # noqa: PLC0415 - the same

    began = time.perf_counter()
    make_fresh(folder)
    campaign = ready_campaign("hplc")
    place = ["--folder", str(folder)]
    _title(f"1 of 3  A campaign of {experiments} experiments: {campaign.name}")
    code = cli.main(["run", str(campaign), "--experiments", str(experiments), *place])
    if code != 0:
        return code
    _title("2 of 3  Its report")
    report = folder / "report.html"
    code = cli.main(["report", str(campaign), *place, "--output", str(report)])
    if code != 0:
        return code
    _title(f"3 of 3  The same search against chance, {seeds} seeds each")
    comparison = compare(
        campaign, ["improve", "random"], seeds=seeds, experiments=experiments, progress=sys.stderr
    )
    page = comparison.write(folder)
    _title("What came of it")
    for line in _findings(folder, campaign, comparison.as_json()):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"\nreport   {report}\nreplay   {page}\npicture  {folder / 'replay.png'}\n")
    sys.stdout.write(f"ledger   {folder / 'ledger.sqlite'}\ntime     {time.perf_counter() - began:.0f} s\n")
    return 0


def make_fresh(folder: Path) -> None:
    """An empty folder with a demo's mark; what an earlier demo left there is removed, and nothing else ever.

    Raises:
        RequestError: there is something else in it.
    """
    if (folder / MARK).is_file() and not folder.is_symlink():
        shutil.rmtree(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError("is not empty and no earlier demo; choose another with --folder", file=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(
            "made by python -m labctl.demo, which may remove this folder\n", encoding="utf-8"
        )
    except OSError as error:
        raise RequestError(
            f"cannot be made ({error.strerror}); choose another with --folder", file=folder
        ) from None


def ready_campaign(name: str) -> Path:
    """A campaign that comes with labctl: in the checkout, or inside the installed package.

    Raises:
        RequestError: it is not there.
    """
    from labctl.starter import configs_folder  # noqa: PLC0415 - so that --help is quick

    path = configs_folder() / f"{name}.yaml"
    if not path.is_file():
        raise RequestError("this ready campaign is missing; install labctl again", file=path)
    return path


def _findings(folder: Path, campaign: Path, results: dict[str, object]) -> list[str]:
    """The campaign's best and its failures beside the table, and what the comparison says."""
    from labctl.replay.terminal import wrapped  # noqa: PLC0415 - so that --help is quick
    from labctl.replay.words import in_short, sentences, with_unit  # noqa: PLC0415 - the same
    from labctl.report.words import failures_in_words  # noqa: PLC0415 - the same
    from labctl.view import look  # noqa: PLC0415 - the same

    summary = look(campaign, folder).summary
    pool = results["pool"]
    assert isinstance(pool, dict)  # noqa: S101 - by construction
    found = summary.best
    best = (
        "nothing was measured"
        if found is None
        else f"{with_unit(found.value, results)} in {found.experiment}"
    )
    table = with_unit(pool["best_reading"], results)
    beside = f"the best of the whole table is {table}, among {pool['recipes']} recipes"
    return wrapped(
        [
            *in_short(results),
            "",
            f"Best found in {summary.experiments} experiments: {best}; {beside}.",
            f"Failures met and kept: {failures_in_words(summary.failed)}.",
            *sentences(results),
        ]
    )


def _title(text: str) -> None:
    """A heading on stderr, where progress goes."""
    sys.stderr.write(f"\n{text}\n{'-' * len(text)}\n")


if __name__ == "__main__":
    sys.exit(main())
