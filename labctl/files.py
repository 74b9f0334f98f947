"""Writes a file in one piece: whoever looks sees the old content or the new, never half of it."""

import os
from pathlib import Path

from labctl.errors import RequestError


def write_whole(path: Path, content: str | bytes) -> None:
    """Put content into a file by way of a temporary one beside it; text as UTF-8.

    A link is followed, so that it stays a link.

    Raises:
        RequestError: the file cannot be written; what was there before is untouched.
    """
    raw = content.encode() if isinstance(content, str) else content
    target = path.resolve()
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
