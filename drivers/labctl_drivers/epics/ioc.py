"""The simulated furnace as an EPICS input/output controller on a loopback port of its own (caproto)."""

import asyncio
import contextlib
import math
import os
import secrets
import signal
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caproto import ChannelType
from caproto.asyncio.server import Context
from caproto.server import PVGroup, pvproperty

from labctl_drivers.epics import names, wire
from labctl_drivers.epics.program import Furnace, RefusedPutError
from labctl_drivers.protocol import Setting
from labctl_drivers.simulated.physics import HEAT_TRANSFER, ROOM_C
from labctl_drivers.simulated.settings import BenchSettings


@dataclass(frozen=True, slots=True)
class IocSettings:
    """Where the controller is found, and what it remembers.

    Attributes:
        folder: where it keeps its memory of attempts.
        port: of Channel Access, for searches (UDP) and connections (TCP).
        prefix: what the names of its variables begin with.
        seed: of everything that is up to chance in the furnace.
        bench: how the furnace behaves.
    """

    folder: Path
    port: int = names.PORT
    prefix: str = names.PREFIX
    seed: int = 0
    bench: BenchSettings = field(default_factory=BenchSettings)


class PortTakenError(RuntimeError):
    """Something else listens on the port; the message is one sentence with the remedy."""


def _text(name: str, **more: Any) -> Any:  # noqa: ANN401 - what pvproperty gives depends on its arguments
    return pvproperty(
        name=name,
        value="",
        dtype=ChannelType.CHAR,
        max_length=names.LONGEST_TEXT,
        string_encoding="utf-8",
        **more,
    )


def _number(name: str, value: object, unit: str, **more: Any) -> Any:  # noqa: ANN401 - see above
    return pvproperty(name=name, value=value, units=unit, precision=1, **more)


def _choice(name: str, choices: tuple[str, ...], **more: Any) -> Any:  # noqa: ANN401 - see above
    return pvproperty(name=name, value=choices[0], dtype=ChannelType.ENUM, enum_strings=list(choices), **more)


class _Variables(PVGroup):  # type: ignore[misc] # caproto ships no types
    """The furnace's process variables; every put ends with what came of it in the fault variable."""

    # Each of these carries out the put to one variable, and gives what the variable holds afterwards.

    async def _put_temperature(self, _: Any, value: float) -> Setting:  # noqa: ANN401 - caproto's own
        return await self._set("temperature", float(value))

    async def _put_hold(self, _: Any, value: float) -> Setting:  # noqa: ANN401 - caproto's own
        return await self._set("hold_time", float(value))

    async def _put_quench(self, _: Any, value: str) -> Setting:  # noqa: ANN401 - caproto's own
        return await self._set("quench", str(value))

    async def _put_start(self, _: Any, value: str) -> None:  # noqa: ANN401 - caproto's own
        why = ""
        try:
            # Before anything is awaited, so that a question about this key cannot overtake its beginning.
            await self.furnace.start(value.rstrip("\0"))
        except RefusedPutError as error:
            why = str(error)
        except (sqlite3.Error, OSError) as error:
            why = f"the furnace cannot write down that it begins ({error}), and so does not"
        await self._fault(why)

    async def _put_stop(self, _: Any, value: int) -> None:  # noqa: ANN401 - caproto's own
        await self._fault("")
        if value:
            await self.furnace.stop()

    async def _put_ask(self, _: Any, value: str) -> None:  # noqa: ANN401 - caproto's own
        key = value.rstrip("\0")
        await self.answer.write(wire.written(key, self.furnace.answer(key)))

    async def _put_door(self, _: Any, value: str) -> None:  # noqa: ANN401 - caproto's own
        await self.furnace.open_door(open_it=value == "open")

    async def _put_runaway(self, _: Any, value: str) -> None:  # noqa: ANN401 - caproto's own
        await self.furnace.run_away(away=value == "yes")

    async def _show_memory(self, variable: Any, _library: Any) -> None:  # noqa: ANN401 - caproto's own
        await variable.write(self.furnace.memory_id)

    async def _show_ramp(self, variable: Any, _library: Any) -> None:  # noqa: ANN401 - caproto's own
        await variable.write(self.furnace.settings.ramp_k_per_min)

    async def _show_boot(self, variable: Any, _library: Any) -> None:  # noqa: ANN401 - caproto's own
        await variable.write(secrets.token_hex(8))

    async def _beat(self, variable: Any, library: Any) -> None:  # noqa: ANN401 - caproto's own
        while True:
            await variable.write((variable.value + 1) % 1_000_000_000)
            await library.sleep(names.HEARTBEAT_S)

    temperature_sp = _number(names.TEMPERATURE_SP, ROOM_C, "degC", put=_put_temperature)
    hold_sp = _number(names.HOLD_SP, 0.0, "minute", put=_put_hold)
    quench_sp = _choice(names.QUENCH_SP, tuple(HEAT_TRANSFER), put=_put_quench)
    start = _text(names.START, put=_put_start)
    stop = pvproperty(name=names.STOP, value=0, put=_put_stop)
    ask = _text(names.ASK, put=_put_ask)
    fault = _text(names.FAULT, read_only=True)
    temperature = _number(names.TEMPERATURE, ROOM_C, "degC", read_only=True)
    hold = _number(names.HOLD, 0.0, "minute", read_only=True)
    quench = _choice(names.QUENCH, ("none", *HEAT_TRANSFER), read_only=True)
    humidity = _number(names.HUMIDITY, 45.0, "percent", read_only=True)
    hardness = _number(names.HARDNESS, math.nan, "HV", read_only=True)
    indents = _number(names.INDENTS, [math.nan, math.nan], "HV", max_length=99, read_only=True)
    state = _choice(names.STATE, names.STATES, read_only=True)
    heater = _choice(names.HEATER, ("off", "on"), read_only=True)
    interlock = _text(names.INTERLOCK, read_only=True)
    heartbeat = pvproperty(name=names.HEARTBEAT, value=0, startup=_beat, read_only=True)
    key = _text(names.KEY, read_only=True)
    ramp = _number(names.RAMP, 0.0, "K/min", startup=_show_ramp, read_only=True)
    expected = _number(names.EXPECTED, 0.0, "s", read_only=True)
    result = _text(names.RESULT, read_only=True)
    answer = _text(names.ANSWER, read_only=True)
    memory = _text(names.MEMORY, startup=_show_memory, read_only=True)
    boot = _text(names.BOOT, startup=_show_boot, read_only=True)
    sim_door = _choice(names.SIM_DOOR, ("closed", "open"), put=_put_door)
    sim_runaway = _choice(names.SIM_RUNAWAY, ("no", "yes"), put=_put_runaway)

    def __init__(self, settings: IocSettings) -> None:
        super().__init__(prefix=settings.prefix)
        self._by_name = {instance.pvspec.name: instance for instance in self.pvdb.values()}
        self.furnace = Furnace(settings.bench, folder=settings.folder, seed=settings.seed, show=self._show)

    async def _show(self, name: str, value: Any) -> None:  # noqa: ANN401 - any variable's value
        await self._by_name[name].write(wire.written(*value) if name == names.RESULT else value)

    async def _set(self, name: str, value: Setting) -> Setting:
        """Take a setting, or keep what it was and say why in the fault variable; gives what holds."""
        before = self.furnace.setpoints[name]
        self.furnace.setpoints[name] = value
        try:
            self.furnace.look_at_setpoints()
        except RefusedPutError as error:
            self.furnace.setpoints[name] = before
            await self._fault(str(error))
            return before
        await self._fault("")
        return value

    async def _fault(self, sentence: str) -> None:
        await self.fault.write(sentence)


def serve(settings: IocSettings, ready: Callable[[], None]) -> None:
    """Run the controller until SIGINT or SIGTERM; on the main thread only.

    Args:
        settings: where it is found, and what it remembers.
        ready: called once it answers.

    Raises:
        PortTakenError: something else listens on the port.
        OSError, sqlite3.DatabaseError: its memory cannot be opened.
    """
    _refuse_taken(settings.port)
    # caproto reads these when its server is made. No beacons: nothing leaves this machine, and nobody on it
    # need listen.
    os.environ.update(
        EPICS_CA_SERVER_PORT=str(settings.port),
        EPICS_CAS_AUTO_BEACON_ADDR_LIST="NO",
        EPICS_CAS_BEACON_ADDR_LIST="",
    )
    asyncio.run(_serve(settings, ready))


async def _serve(settings: IocSettings, ready: Callable[[], None]) -> None:
    variables = _Variables(settings)
    server = Context(variables.pvdb, [names.HOST])

    async def tell(_library: object) -> None:
        ready()

    running = asyncio.ensure_future(server.run(startup_hook=tell))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        variables.furnace.close()


def _refuse_taken(port: int) -> None:
    """See that both sockets are free: caproto would take another port for one, and nobody would find it."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((names.HOST, port))
            except OSError as error:
                raise PortTakenError(
                    f"port {port} of {names.HOST} cannot be used ({error.strerror}); give another with --port"
                ) from None
