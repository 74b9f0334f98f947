"""The Bluesky objects that an instrument is made of: found by name, made, connected, asked and stopped."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from labctl_drivers.adapt.messages import name_of
from labctl_drivers.adapt.names import Named
from labctl_drivers.patience import Call, within
from labctl_drivers.verdict import sentence

_STOP_S = 5.0


class Objects:
    """Objects by the names they have in the campaign file; one that is named twice is made once.

    Args:
        named: what each name stands for, by the option that holds it.
        connect_s: longest that one object may take to connect, s.

    Raises:
        ValueError: a name stands for nothing that could be an object; names the option.
    """

    def __init__(self, named: Mapping[str, Named], connect_s: float) -> None:
        self._connect_s = connect_s
        self._named = {one.name: (place, one) for place, one in named.items()}
        self._made: dict[str, Any] = {}
        self._own: list[Any] = []
        self._by_name: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        for place, one in self._named.values():
            _refuse_no_maker(one, place)

    def connect(self) -> None:
        """Make and connect every object, for Bluesky's default event loop.

        Raises:
            ValueError: one cannot be made or connected; names the option and the cause.
        """
        from bluesky.run_engine import get_bluesky_event_loop  # noqa: PLC0415 - only those who connect need it

        self._loop = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
        for place, one in self._named.values():
            try:
                if one.base not in self._made:
                    self._made[one.base] = self._make(one)
                    self._connect(self._made[one.base])
                self._by_name[one.name] = _part(self._made[one.base], one.parts)
            except Exception as error:
                raise ValueError(f"{place}: {one.name} cannot be connected: {sentence(error)}") from error

    @property
    def connected(self) -> bool:
        """Whether every object is connected."""
        return len(self._by_name) == len(self._named)

    @property
    def things(self) -> Mapping[str, Any]:
        """By name without its parts, each device that is named as a whole; None where it is made later."""
        return {one.base: None if _makes(one.found) else one.found for _, one in self._named.values()}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the lab's object is
        """The object of a name."""
        return self._by_name[name]

    def all(self) -> list[Any]:
        """Every object, and what it is a part of, each once."""
        return _each_once(*self._made.values(), *self._by_name.values())

    def named(self) -> list[Any]:
        """The objects that the campaign file names, each once, without what they are parts of."""
        return _each_once(*self._by_name.values())

    def responsible_for(self) -> list[Any]:
        """The objects that are named or were made here; the whole of a part may be somebody else's."""
        return _each_once(*self._own, *self._by_name.values())

    def call(self, seconds: float, function: Callable[..., Any], *given: Any, **told: Any) -> Any:  # noqa: ANN401 - passed on
        """Call what may block or be awaited, with a time limit.

        Raises:
            OverdueError: it did not return in time.
            Exception: whatever the function raises.
        """
        what = getattr(function, "__qualname__", repr(function))
        result = within(seconds, f"{what}()", lambda: function(*given, **told))
        return self.wait(seconds, result) if inspect.isawaitable(result) else result

    def wait(self, seconds: float, awaitable: Any) -> Any:  # noqa: ANN401 - see call
        """Await on the lane's event loop, with a time limit.

        Raises:
            TimeoutError: it did not end in time.
        """
        loop = self._loop
        if loop is None or not loop.is_running():
            raise RuntimeError("the lane's event loop does not run")

        async def awaited() -> Any:  # noqa: ANN401 - see call
            async with asyncio.timeout(seconds):
                return await awaitable

        try:
            return asyncio.run_coroutine_threadsafe(awaited(), loop).result(seconds + 1.0)
        except TimeoutError:
            raise TimeoutError(f"it did not end within {seconds:g} s") from None

    def stop(self, devices: Iterable[Any]) -> None:
        """Stop every device that can be stopped, whatever becomes of the others, and wait until they stand.

        Raises:
            RuntimeError: one or more of them could not be stopped.
        """
        stopping = []
        for device in devices:
            stop = getattr(device, "stop", None)
            if callable(stop):
                # All at the same time: a safe state must not wait for the one that hangs.
                told = partial(self.call, _STOP_S, stop, **_accepted(stop, success=False))
                stopping.append((name_of(device), Call(f"stop {name_of(device)}", told)))
        problems = []
        for name, call in stopping:
            try:
                call.result(_STOP_S + 1.0)
            except Exception as error:  # noqa: BLE001 - the others have to be stopped all the same
                problems.append(f"{name}: {sentence(error)}")
        if problems:
            raise RuntimeError("; ".join(problems))

    def close(self) -> None:
        """Close every object that was made here and can be closed."""
        for one in self._own:
            close = getattr(one, "close", None)
            if callable(close):
                self.call(_STOP_S, close)
        self._own.clear()

    def _make(self, one: Named) -> Any:  # noqa: ANN401 - whatever the lab's object is
        if not _makes(one.found):
            return one.found
        made = one.found(**_accepted(one.found, name=one.attribute))
        if inspect.isawaitable(made):
            made = self.wait(self._connect_s, made)
        if made is None:
            raise ValueError(f"{one.base} returned nothing; let it return the object")
        self._own.append(made)
        return made

    def _connect(self, device: Any) -> None:  # noqa: ANN401 - whatever the lab's object is
        waits = getattr(device, "wait_for_connection", None)
        connect = waits if callable(waits) else getattr(device, "connect", None)
        if callable(connect):
            self.call(self._connect_s + 1.0, connect, **_accepted(connect, timeout=self._connect_s))


def _each_once(*objects: Any) -> list[Any]:  # noqa: ANN401 - whatever the lab's objects are
    return list({id(one): one for one in objects}.values())


def _makes(found: object) -> bool:
    """Whether this is a class or a factory, and not an object that may happen to be callable."""
    is_device = any(hasattr(found, verb) for verb in ("set", "read", "trigger"))
    return isinstance(found, type) or (callable(found) and not is_device)


def _refuse_no_maker(one: Named, place: str) -> None:
    if not _makes(one.found):
        if isinstance(one.found, str | bytes | int | float | bool | list | tuple | dict | set | None):
            raise ValueError(
                f"{place}: {one.name} is {one.found!r} and no object of Bluesky's; name a device"
            )
        return
    try:
        parameters = inspect.signature(one.found).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(f"{place}: {one.base} cannot be called with a name; name a device") from None
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    takes_name = takes_any or any(p.name == "name" and p.kind is not p.POSITIONAL_ONLY for p in parameters)
    free = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needs = [p.name for p in parameters if p.default is p.empty and p.kind not in free and p.name != "name"]
    if needs:
        raise ValueError(
            f"{place}: {one.base} needs {', '.join(needs)}, and is called with a name only; write a function "
            "with the argument name that makes it, and name that"
        )
    # So that no function is called by chance that does something else than to make a device.
    if not takes_name and not isinstance(one.found, type):
        raise ValueError(
            f"{place}: {one.base} makes no device, for it takes no name; give it the argument name"
        )


def _accepted(function: Any, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - any callable
    """Those of the arguments that a function takes."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return told
    return {
        name: value
        for name, value in told.items()
        if name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    }


def _part(device: Any, parts: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever the lab's object is
    for part in parts:
        device = getattr(device, part)
    return device
