"""Channel Access in this process: which addresses it searches, what it says, and its orderly end.

The C library below reads ``EPICS_CA_ADDR_LIST`` once, when the first channel is opened, and never again. Two
controllers on one machine cannot share a port either: a search sent to 127.0.0.1 reaches only one of them. So
each has a port of its own, and every address has to be in the list before anything is connected.
"""

import asyncio
import contextlib
import logging
import os
import threading
from typing import Any, ClassVar

logger = logging.getLogger(__name__)

_LIST = "EPICS_CA_ADDR_LIST"
# The shortest that the library allows: the longest that a controller which is back stays unfound.
_SEARCH_S = "60"
_LOCK = threading.Lock()
_KEEPERS: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}


class AddressError(ConnectionError):
    """An address is not among those that this process can still search; the message says what to do."""


def announce(*addresses: str) -> None:
    """Add addresses (``host:port``) to those that are searched once the first channel is opened."""
    with _LOCK:
        listed = os.environ.get(_LIST, "").split()
        os.environ[_LIST] = " ".join([*listed, *(new for new in addresses if new not in listed)])
        os.environ.setdefault("EPICS_CA_AUTO_ADDR_LIST", "NO")
        os.environ.setdefault("EPICS_CA_MAX_SEARCH_PERIOD", _SEARCH_S)


def claim(address: str, prefix: str) -> None:
    """See that an address is searched, and that its names are no other's in this process.

    The list is read anew where nobody uses Channel Access any more.

    Raises:
        AddressError: somebody does, and began before this address was announced; or another controller that
            is in use here has the same names, by which alone Channel Access tells them apart.
    """
    with _LOCK:
        _refuse_unsearched(address)
        other = _Searched.prefixes.setdefault(prefix, address)
    if other != address:
        raise AddressError(
            f"the controllers at {other} and {address} both have names with {prefix}, and cannot be told "
            "apart; start one with another --prefix, and give each lane its own, such as "
            "prefix: furnace-{lane}:"
        )


def _refuse_unsearched(address: str) -> None:
    context = _context()
    searched = _Searched.addresses
    if context._ca_context is not None and not context._channel_caches:  # noqa: SLF001 - aioca has no public way to ask or to begin anew
        context._teardown()  # noqa: SLF001 - see above
    if context._ca_context is None:  # noqa: SLF001 - see above
        _Searched.addresses, _Searched.prefixes = os.environ.get(_LIST, "").split(), {}
        return
    # Where somebody else opened it, they had the same list before them for all that is known.
    if searched is None or address in searched:
        return
    raise AddressError(
        f"Channel Access is in use in this process and searches {' '.join(searched) or 'nothing'} only; "
        f"start the program with {_LIST}='{' '.join([*searched, address])}' in its environment"
    )


async def keep(loop: asyncio.AbstractEventLoop) -> None:
    """Have the channels of this loop closed when the loop ends: a late event would call into a dead loop."""
    if loop not in _KEEPERS or _KEEPERS[loop].done():
        _KEEPERS[loop] = loop.create_task(_close_at_end(loop))


def listen_to_library() -> None:
    """Have the library's own complaints logged; it would print them. Call it on the loop's thread."""
    from aioca import _catools  # noqa: PLC0415 - only with the extra; it carries the library along

    cadef = _catools.cadef
    if _Complaints.handler is None:
        _Complaints.handler = cadef.exception_handler(_log)
    cadef.ca_add_exception_event(_Complaints.handler, None)


class _Searched:
    """What the library read when it began, None if it was begun elsewhere; and which names are whose."""

    addresses: list[str] | None = None
    prefixes: ClassVar[dict[str, str]] = {}


class _Complaints:
    """Keeps the handler alive for as long as the library may call it."""

    handler: Any = None


def _log(told: Any) -> None:  # noqa: ANN401 - a structure of the C library
    with contextlib.suppress(Exception):  # nothing may be raised into the library's own threads
        logger.info("Channel Access: status %s, %s", told.stat, (told.ctx or b"").decode(errors="replace"))


def _context() -> Any:  # noqa: ANN401 - aioca's own class
    from aioca import _catools  # noqa: PLC0415 - only with the extra; see refuse_unsearched

    return _catools._Context  # noqa: SLF001 - see refuse_unsearched


async def _close_at_end(loop: asyncio.AbstractEventLoop) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        # Only the end of the loop cancels this.
        _KEEPERS.pop(loop, None)
        cache = _context()._channel_caches.pop(loop, None)  # noqa: SLF001 - aioca can only close all loops' channels
        if cache is not None:
            cache.purge()
