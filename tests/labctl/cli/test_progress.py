"""Progress on stderr, for a person at a terminal and for a file."""

import sys
from io import StringIO

import pytest

from labctl.cli.progress import Progress


class Terminal(StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


def test_a_bar_is_written_over_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress() as progress:
        progress.tell(1, 4, "first")
        progress.tell(3, 4, "third")
    said = stream.getvalue()
    assert "1 of 4: first" in said
    assert "━━━━━━╌╌╌╌╌╌ 3 of 4: third" in said
    assert "\n" not in said
    # Nothing of it is left on the line.
    assert said.endswith("\r\x1b[2K")


def test_what_is_quick_says_nothing_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress() as progress:
        progress.tell(1, 2, "first")
    assert stream.getvalue() == ""
