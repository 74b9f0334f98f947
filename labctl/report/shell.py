"""The shell of every page labctl writes: its template, its scripts, and what the browser may do with them."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"


@cache
def template(folder: Path, name: str) -> "Template":
    """A page's template; everything put into it is escaped, and a name it lacks is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages need it

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def script(*names: str) -> str:
    """Our own scripts, one after the other."""
    return "".join((TEMPLATES / name).read_text("utf-8") for name in names)


def style() -> str:
    """The look that all pages share."""
    return (TEMPLATES / "page.css").read_text("utf-8")


def as_json(data: object) -> str:
    """JSON that may stand inside a script element: no text in it can end the element or open a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def plotly_bundle() -> str:
    """Plotly's own script, so that a page needs no network."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - plotly takes a moment to import

    text = str(get_plotlyjs())
    if "</script" in text.lower() or "<!--" in text:
        raise AssertionError("this plotly bundle cannot stand inside a page")
    return text


def policy_of(*scripts: str) -> str:
    """What the browser may do with this page: run these scripts and no other, and load nothing."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
