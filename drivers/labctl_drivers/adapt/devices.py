"""Bluesky objects as an instrument: a recipe goes to those that can be set, readings come from the others."""

import logging
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from bluesky import plan_stubs as bps
from bluesky.protocols import Movable, Readable, Stageable, Triggerable
from bluesky.utils import RunEngineControlException

from labctl_drivers.adapt import readings, settings
from labctl_drivers.adapt.adapted import Adapted, Plan
from labctl_drivers.adapt.common import COMMON_KEYS, common, sections
from labctl_drivers.adapt.messages import Command, name_of, together
from labctl_drivers.adapt.names import find
from labctl_drivers.adapt.objects import Objects
from labctl_drivers.adapt.options import Options
from labctl_drivers.adapt.steps import Act, SetStep, acts, reading_step, set_step
from labctl_drivers.documents import plain
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Reading, Setting, Surroundings
from labctl_drivers.verdict import sentence

logger = logging.getLogger(__name__)

_DESCRIBE_S = 10.0
_PUT_AWAY_S = 30.0
_MEMBERS: Mapping[type, tuple[str, ...]] = {
    Movable: ("set",),
    Triggerable: ("trigger",),
    Readable: ("name", "read", "describe"),
}


def build_devices(options: Mapping[str, Any], surroundings: Surroundings) -> "Devices":
    """Build an instrument of the kind ``devices``.

    Raises:
        ValueError: one sentence with the option and the remedy.
    """
    top = Options(options)
    top.allow(*COMMON_KEYS, "trigger", "raw")
    shared = common(top, surroundings, name="devices")
    sets = {name: set_step(part) for name, part in sections(top, "settings").items()}
    rules = {name: reading_step(part) for name, part in sections(top, "readings").items()}
    triggered, raw = acts(top, "trigger"), acts(top, "raw")
    names = [
        *((f"{one.place}.object", one.object) for one in sets.values()),
        *((act.place, act.object) for act, _ in rules.values()),
        *((act.place, act.object) for act in (*triggered, *raw)),
    ]
    return Devices(
        shared.name,
        Objects({place: find(name, place, shared.folder) for place, name in names}, shared.connect_s),
        sets,
        rules,
        triggered=triggered,
        raw=raw,
        kinds=shared.kinds,
        needs=shared.needs,
        surroundings=surroundings,
    )


class Devices(Adapted):
    """Sets, triggers and reads objects that satisfy ``bluesky.protocols``.

    In this order: what can be staged is staged; the settings are set, those of one step together; what stands
    under ``trigger`` is triggered, one after the other; what is read is triggered too, unless it just was,
    and read into one event. However it ends, what was staged is unstaged. Every wait has a time limit.
    """

    def __init__(
        self,
        name: str,
        objects: Objects,
        sets: Mapping[str, SetStep],
        rules: Mapping[str, tuple[Act, readings.ReadingRule]],
        *,
        triggered: Sequence[Act],
        raw: Sequence[Act],
        **told: Any,  # noqa: ANN401 - handed on to Adapted
    ) -> None:
        units = {quantity: rule.unit for quantity, (_, rule) in rules.items()}
        super().__init__(name, objects, {n: s.rule for n, s in sets.items()}, quantity_units=units, **told)
        self._sets = sets
        self._readings = rules
        self._triggered = triggered
        self._raw = raw
        self._keys: dict[str, str] = {}
        self._readbacks: dict[str, str] = {}

    # Before the first attempt: can the objects do what the campaign file asks of them? ------------------

    def _look(self) -> None:
        for one in self._sets.values():
            self._refuse_unless(one.object, Movable, "set", f"{one.place}.object")
        for act in self._triggered:
            self._refuse_unless(act.object, Triggerable, "triggered", act.place)
        described: dict[str, readings.DataKeys] = {}
        for act in (*(act for act, _ in self._readings.values()), *self._raw):
            self._refuse_unless(act.object, Readable, "read", act.place)
            described[act.object] = self._described(act.object, act.place)
        for quantity, (act, rule) in self._readings.items():
            self._look_at_reading(quantity, act, rule, described[act.object])
        for parameter, one in self._sets.items():
            self._look_at_setting(parameter, one, described)
        _refuse_shared_keys(described)

    def _look_at_reading(
        self, quantity: str, act: Act, rule: readings.ReadingRule, keys: readings.DataKeys
    ) -> None:
        """Find the key of a quantity, and see that it is a number in the unit that the file says."""
        place, device = f"{rule.place}.key", name_of(self._objects[act.object])
        key = readings.key_among(keys, rule.key, device=device, name=quantity, place=place)
        readings.refuse_no_number(keys, key, place)
        readings.refuse_other_unit(keys, key, rule.unit, rule.described_as, f"{rule.place}.unit")
        self._keys[quantity] = key

    def _look_at_setting(self, parameter: str, one: SetStep, described: dict[str, readings.DataKeys]) -> None:
        """Find where a setting is read back, and see that the device speaks of the same unit."""
        device = self._objects[one.object]
        key: str | None
        if not isinstance(device, Readable):
            if one.readback is not None:
                raise ValueError(f"{one.place}.readback: {one.object} cannot be read; remove it")
            return
        keys = self._described(one.object, f"{one.place}.object")
        if one.readback is None:
            # Its only number may be of something else, as the density of a press is no pressure.
            key = _own_key(device, keys)
            key = key if key is not None and readings.is_of_kind(keys, key, one.rule.unit) else None
        else:
            place = f"{one.place}.readback"
            key = readings.key_among(keys, one.readback, device=name_of(device), name=parameter, place=place)
            self._readbacks[parameter] = key
            described[one.object] = keys
        if key is not None and not one.rule.choices:
            readings.refuse_other_unit(keys, key, one.rule.unit, one.described_as, f"{one.place}.unit")

    def _described(self, name: str, place: str) -> readings.DataKeys:
        try:
            found = self._objects.call(_DESCRIBE_S, self._objects[name].describe)
        except Exception as error:
            raise ValueError(f"{place}: {name} cannot describe what it reads: {sentence(error)}") from error
        if not isinstance(found, Mapping) or not all(isinstance(one, Mapping) for one in found.values()):
            raise ValueError(f"{place}: describe() of {name} gave {found!r}, and has to give a dictionary")
        return found

    def _refuse_unless(self, name: str, protocol: type, done: str, place: str) -> None:
        device = self._objects[name]
        lacking = [member for member in _MEMBERS[protocol] if not hasattr(device, member)]
        if lacking:
            raise ValueError(
                f"{place}: {name} cannot be {done}, for it is no {protocol.__name__} of bluesky.protocols: "
                f"it lacks {', '.join(lacking)}"
            )
        try:
            hash(device)
        except TypeError:
            remedy = "if it is a dataclass, write @dataclass(eq=False)"
            raise ValueError(f"{place}: {name} cannot be hashed, which Bluesky needs; {remedy}") from None

    # One attempt ---------------------------------------------------------------------------------------

    def _carry_out(self, attempt: Attempt, told: Mapping[str, Any]) -> Generator[Any, Any, Reading]:
        for device in self._stageable():
            yield from together([Command("stage", device, _PUT_AWAY_S)])
        for step in sorted({one.step for one in self._sets.values()}):
            yield from together(
                [
                    Command("set", self._objects[one.object], one.limit_s, (told[name],))
                    for name, one in self._sets.items()
                    if one.step == step
                ]
            )
        for act in self._triggered:
            yield from together([Command("trigger", self._objects[act.object], act.limit_s)])
        read = yield from self._read()
        return self._reading(attempt, told, read)

    def _afterwards(self) -> Plan:
        for device in self._stageable():
            try:
                yield from together([Command("unstage", device, _PUT_AWAY_S)])
            except RunEngineControlException:
                raise
            except Exception as error:  # noqa: BLE001 - what was measured stays measured
                logger.warning("%s could not be unstaged: %s", name_of(device), sentence(error))

    def _stageable(self) -> list[Any]:
        devices = [device for device in self._objects.named() if isinstance(device, Stageable)]
        # A whole stages its parts itself, and ophyd refuses to stage twice.
        return [device for device in devices if not any(_is_part(device, of) for of in devices)]

    def _read(self) -> Generator[Any, Any, dict[str, Any]]:
        limits = {
            act.object: act.limit_s for act in (*(act for act, _ in self._readings.values()), *self._raw)
        }
        for one in self._sets.values():
            if one.readback is not None:
                limits.setdefault(one.object, one.limit_s)
        fresh = {act.object for act in self._triggered}
        yield from together(
            [
                Command("trigger", self._objects[name], limit_s)
                for name, limit_s in limits.items()
                if name not in fresh and isinstance(self._objects[name], Triggerable)
            ]
        )
        read: dict[str, Any] = {}
        yield from bps.create("primary")
        try:
            for name in limits:
                read.update((yield from bps.read(self._objects[name])) or {})
        except RunEngineControlException:
            raise
        except Exception:
            yield from bps.drop()
            raise
        yield from bps.save()
        return read

    def _reading(self, attempt: Attempt, told: Mapping[str, Any], read: Mapping[str, Any]) -> Reading:
        read = {key: one["value"] for key, one in read.items()}
        values = {q: readings.number(read[key]) for q, key in self._keys.items() if key in read}
        back = {n: readings.number(read[key]) for n, key in self._readbacks.items() if key in read}
        actual: dict[str, Setting] = {
            name: settings.reached(attempt, name, value, self._sets[name].rule)
            for name, value in back.items()
        }
        used = set(self._keys.values())
        raw = {key: plain(value) for key, value in read.items() if key not in used}
        reading = Reading(values, self.quantity_units, actual=actual, raw=raw)
        for name, value in back.items():
            one = self._sets[name]
            # Written so that a readback of NaN is off the recipe too.
            if one.tolerance is not None and not abs(value - told[name]) <= one.tolerance:
                message = (
                    f"{name} was to be {told[name]:g} {one.rule.unit} and was {value:g}; it may be off by "
                    f"{one.tolerance:g}"
                )
                raise ExperimentFailed(FailureKind.OFF_RECIPE, message, stage="process", reading=reading)
        return reading


def _is_part(device: object, of: object) -> bool:
    parent = getattr(device, "parent", None)
    while parent is not None and parent is not of:
        parent = getattr(parent, "parent", None)
    return parent is of


def _own_key(device: object, keys: readings.DataKeys) -> str | None:
    """The key that stands for the device itself, where it is clear which one that is."""
    if len(keys) == 1:
        return next(iter(keys))
    hinted = getattr(device, "hints", None)
    fields = hinted.get("fields", []) if isinstance(hinted, Mapping) else []
    return str(fields[0]) if len(fields) == 1 and fields[0] in keys else None


def _refuse_shared_keys(described: Mapping[str, readings.DataKeys]) -> None:
    seen: dict[str, str] = {}
    for name, keys in described.items():
        for key in keys:
            if key in seen:
                raise ValueError(
                    f"readings: {seen[key]} and {name} both read {key!r}; rename one of the devices"
                )
            seen[key] = name
