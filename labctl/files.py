"""Writes a file in one piece: whoever looks sees the old content or the new, and nothing else is replaced."""

import csv
import json
import os
import stat
from pathlib import Path

from labctl.errors import RequestError

_SUFFIXES = {
    "HTML": (".html", ".htm"),
    "PNG": (".png",),
    "SVG": (".svg",),
    "Parquet": (".parquet",),
    "JSON": (".json",),
    "CSV": (".csv",),
}
_BEGINNINGS = {"PNG": ("\ufffdpng",), "HTML": ("<!doctype html", "<html"), "SVG": ("<?xml", "<svg")}
_FOOTER = 1_000_000
"""Where a Parquet file says who wrote it: at most so many bytes before its end."""
_LARGEST_LOOKED_AT = 200_000_000


def write_whole(path: Path, content: str | bytes) -> None:
    """Put content into a file by way of a temporary one beside it; text as UTF-8.

    A link is followed, so that it stays a link. What is there already is replaced only where it is of the
    same making: a report by a report, an export by an export, never a table, a campaign or a ledger.

    Raises:
        RequestError: the file cannot be written or is something else; what was there before is untouched.
    """
    raw = content.encode() if isinstance(content, str) else content
    refuse_replacing(path, raw)
    try:
        target = path.resolve()
    except RuntimeError:
        raise RequestError("is a link that leads to itself; name another file", file=path) from None
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            with temporary.open("xb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot be written ({error.strerror or error}); choose a file in a folder that exists", file=path
        ) from None


def may_write(path: Path, suffix: str) -> None:
    """Look, before any work is done, whether a file of this kind may be written here.

    Args:
        path: the file.
        suffix: of the kind, such as ".html".

    Raises:
        RequestError: the file has another suffix, lies in no folder, or is there and of another kind.
    """
    kind = next(kind for kind, suffixes in _SUFFIXES.items() if suffix in suffixes)
    there = _beforehand(path, kind)
    if not path.parent.is_dir():
        raise RequestError("is in no folder that exists; make it, or choose another", file=path)
    if not os.access(path.parent, os.W_OK):
        raise RequestError("is in a folder where nothing may be written; choose another", file=path)
    if there and _making(there)[0] != kind:
        raise _not_ours(path)


def refuse_replacing(path: Path, raw: bytes) -> None:
    """Look whether this content may be put into this file.

    Raises:
        RequestError: the suffix is not the content's, or the file holds anything but an earlier version.
    """
    making = _making(raw)
    there = _beforehand(path, making[0])
    if there and _making(there) != making:
        raise _not_ours(path)


def _beforehand(path: Path, kind: str) -> bytes:
    """What a file holds that is to hold this kind of content; nothing where it is not there."""
    if path.name == "":
        raise RequestError("names no file; give one", file=path)
    if path.suffix.lower() not in _SUFFIXES[kind]:
        raise RequestError(f"would hold {kind}; name a file that ends in {_SUFFIXES[kind][0]}", file=path)
    refuse_odd(path)
    try:
        return _content(path) if path.exists() else b""
    except OSError as error:
        raise RequestError(
            f"cannot be read ({error.strerror or error}); name another file", file=path
        ) from None


def _not_ours(path: Path) -> RequestError:
    return RequestError("exists and was not written by this command; name another file", file=path)


def _content(path: Path) -> bytes:
    """What the file holds; something that is no making of labctl's where it is too large to look at."""
    return path.read_bytes() if path.stat().st_size <= _LARGEST_LOOKED_AT else b"\0"


def refuse_odd(path: Path) -> None:
    """Refuse what is there but is no regular file: a pipe would wait for ever, a device never ends.

    Raises:
        RequestError: it is a folder, a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # Opening it says better what is wrong.
    if stat.S_ISDIR(mode):
        raise RequestError("is a folder; name a file", file=path)
    if not stat.S_ISREG(mode):
        raise RequestError("is a pipe or a device; name a regular file", file=path)


def _making(raw: bytes) -> tuple[str, ...]:
    """What kind of content this is, and what its maker always writes into it."""
    text = raw.decode("utf-8-sig", errors="replace").lstrip()
    begin = text[:200].lower()
    if raw.startswith(b"PAR1"):
        return ("Parquet", str(b"labctl" in raw[-_FOOTER:]))
    for kind, beginnings in _BEGINNINGS.items():
        if begin.startswith(beginnings):
            return (kind,)
    return _of_json(text) if begin.startswith(("{", "[")) else _of_csv(text)


def _of_json(text: str) -> tuple[str, ...]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return ("JSON", "broken")
    # A campaign file may be JSON and begin with the same key as an export, but not with the same two.
    return ("JSON", *list(content)[:2]) if isinstance(content, dict) else ("JSON",)


def _of_csv(text: str) -> tuple[str, ...]:
    try:
        header = next(csv.reader(text.splitlines()[:1]), [])
    except csv.Error:
        header = []
    # The last two columns of a labctl table never depend on the campaign.
    return ("CSV", *header[-2:])
