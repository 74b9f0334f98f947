"""What can go wrong with a request, each with the exit code that the command line gives it."""

from pathlib import Path


class LabctlError(Exception):
    """Something a person has to know; ``str()`` is one sentence for them.

    Attributes:
        exit_code: what a command exits with.
    """

    exit_code = 1


class RequestError(LabctlError):
    """The request is wrong: a bad file, key or value. Nothing was written.

    Args:
        what: what is wrong and what to do about it, without the place.
        file: the file at fault, where there is one.
        line: the line in that file, from 1.
        key: the key in that file, in dotted form.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, file: Path | str | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        place = "" if file is None else f"{file}:{line}: " if line else f"{file}: "
        super().__init__(f"{place}{key + ': ' if key else ''}{what}")
        self.what, self.file, self.line, self.key = what, file, line, key


class RefusedError(LabctlError):
    """The answer is no: a broken chain, a refused gate, an instrument that may not start."""

    exit_code = 1


class BusyError(LabctlError):
    """Another controller holds the campaign."""

    exit_code = 3
