"""The page of commands is what the commands say."""

import runpy
from pathlib import Path

import typer

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_commands_says_what_the_commands_say() -> None:
    made = runpy.run_path(str(DOCS / "make_commands.py"))
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == made["page"](), (
        "docs/commands.md is not up to date; `make docs` writes it anew"
    )


def test_every_command_stands_on_the_page() -> None:
    from labctl.cli.app import app  # noqa: PLC0415 - the page above must not depend on it

    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(DOCS / "make_commands.py"))
    words = [" ".join(("labctl", *path)) for path in made["commands"](typer.main.get_command(app))]
    assert len(words) > 10
    assert [name for name in words if f"\n## {name}\n" not in page] == []
