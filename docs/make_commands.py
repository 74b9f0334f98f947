"""Write docs/commands.md: what every command says of itself, taken from the commands."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import typer
from typer.testing import CliRunner

from labctl.cli.app import app

PAGE = Path(__file__).with_name("commands.md")
_WIDTH = 90
_HEAD = """# Commands

Written by `make docs` from the commands themselves; a test compares the two.

Every command takes `--json`, and then prints exactly one JSON object on stdout; progress goes to stderr.
Exit codes: 0 done; 1 the answer is no (a broken chain, a campaign halted by failures, a model that is a
lookup table); 2 the request is wrong, in one sentence that names the file, the key and the remedy; 3 another
controller holds the campaign; 130 it was stopped.
"""


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A command and, if it is a group, every command under it, each by its words."""
    yield path
    members: Mapping[str, object] = getattr(group, "commands", {})
    for name, command in members.items():
        yield from commands(command, (*path, name))


def help_of(words: tuple[str, ...]) -> str:
    """What ``labctl WORDS --help`` prints, in a terminal of 90 columns."""
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="labctl", terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    if result.exit_code != 0:
        raise SystemExit(f"labctl {' '.join(words)} --help: {result.output or result.exception}")
    return "\n".join(line.rstrip() for line in result.output.splitlines()).strip()


def page() -> str:
    """The whole page."""
    parts = (
        f"\n## {' '.join(('labctl', *words))}\n\n```text\n{help_of(words)}\n```\n"
        for words in commands(typer.main.get_command(app))
    )
    return _HEAD + "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
