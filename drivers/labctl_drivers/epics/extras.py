"""What of EPICS has to be installed beside labctl, and how to say so."""

import importlib.util


class MissingError(RuntimeError):
    """A library that comes with the extra ``epics`` is not installed; the message says how to get it."""


def require(module: str) -> None:
    """See that a module is installed.

    Raises:
        MissingError: it is not.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingError(
            f"{module} is not installed, which speaks to EPICS; pip install 'labctl-sdl[epics]'"
        )
