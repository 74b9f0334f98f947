"""The README's tour is taken, block by block, in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\[exit (\d+)\]")
_LINK = re.compile(r"\]\(([^)#\s]+)")
_NUMBER = re.compile(r"\d[\d.,]*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Step:
    """A command of the tour, and what the README says it prints."""

    command: list[str] | str
    prints: tuple[str, ...] = ()
    exit_code: int = 0


def steps(text: str) -> Iterator[Step]:
    """Every command, in order; a Python block is one step."""
    for language, body in _BLOCK.findall(text):
        if language == "python":
            yield Step([sys.executable, "-c", body])
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            closing = re.search(r"<<'(\w+)'", lines[0])
            length = 1 + (lines.index(closing.group(1)) if closing else 0)
            said = lines[length:]
            code = _EXIT.fullmatch(said[-1]) if said else None
            yield Step(
                "\n".join(lines[:length]),
                tuple(said[:-1] if code else said),
                int(code.group(1)) if code else 0,
            )


def in_words(text: str) -> str:
    """Text with every number masked, since figures may differ in the last digit, and single spaces."""
    return "".join(" ".join(_NUMBER.sub("#", line).split()) + "\n" for line in text.splitlines())


def pattern(lines: tuple[str, ...]) -> re.Pattern[str]:
    """What the README shows; three dots stand for any words, and alone on a line for any lines."""
    return re.compile(
        "".join(
            r"(?:.*\n)*?"
            if line.strip() == "..."
            else re.escape(in_words(line)).replace(re.escape("..."), ".*")
            for line in lines
        )
    )


def test_the_whole_tour_of_the_readme(tmp_path: Path) -> None:
    # The program that is tested comes first, wherever the tests are run from.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "COLUMNS": "200", "NO_COLOR": "1"}
    taken = 0
    for step in steps(README):
        done = subprocess.run(
            step.command if isinstance(step.command, list) else ["bash", "-c", step.command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"$ {step.command}\n{done.stderr}{done.stdout}"
        assert done.returncode == step.exit_code, said
        # Progress goes to stderr and the answer to stdout, as a terminal shows them.
        assert not step.prints or pattern(step.prints).search(in_words(done.stderr + done.stdout)), said
        taken += 1
    assert taken > 10
    assert "<html" in (tmp_path / "anneal" / "campaign.lab" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (("e0001 came 12.5",), "e0001   came 12.6\n", True),
        (("e0001 came 12.5",), "e0001 went 12.5\n", False),
        (("first", "...", "last"), "first\nsecond\nthird\nlast\n", True),
        (("first", "last"), "first\nsecond\nlast\n", False),
        (("head ...",), "head 0f3a\n", True),
        (("  2,385 minute",), "2,384.7 minute\n", True),
    ],
)
def test_what_the_readme_shows_is_compared_in_words(
    shown: tuple[str, ...], printed: str, *, fits: bool
) -> None:
    assert bool(pattern(shown).search(in_words(printed))) is fits


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    links = ((page, to) for page in pages for to in _LINK.findall(page.read_text(encoding="utf-8")))
    broken = [
        f"{page.relative_to(ROOT)} -> {to}"
        for page, to in links
        if not to.startswith("http") and not (page.parent / to).exists()
    ]
    assert broken == []
