"""From what a campaign file says of an instrument to the driver itself."""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labctl import units
from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.instrument import InstrumentConfig

if TYPE_CHECKING:
    from labctl_drivers.protocol import Instrument, Surroundings

LANE = "{lane}"
"""What stands in an option's text for the number of the lane, so that each lane has a device of its own."""
_NAMED = ("devices", "plan")
"""The kinds whose objects a campaign file names itself."""


def builder(config: CampaignConfig) -> "Callable[[Surroundings], Instrument]":
    """What makes the instrument of a campaign for given surroundings."""

    def build_it(surroundings: "Surroundings") -> "Instrument":
        from labctl_drivers.registry import build  # noqa: PLC0415 - loads the driver

        options = options_for(surroundings.lane, config.model.instrument.options)
        return build(config.model.instrument.kind, options, surroundings)

    return build_it


def options_for(lane: int, options: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The options of one lane's instrument: with its number, and infinity, which is kept by its name."""
    if isinstance(options, dict):
        return {name: options_for(lane, value) for name, value in options.items()}
    if isinstance(options, list | tuple):
        return [options_for(lane, value) for value in options]
    if isinstance(options, str):
        return math.inf if options == "inf" else options.replace(LANE, str(lane))
    return options


def check_options(config: CampaignConfig) -> None:
    """Build the instrument once without a folder, so that a wrong option is found before writing.

    Raises:
        RequestError: an option is wrong, or the instrument knows no such parameter or quantity.
    """
    from labctl_drivers.protocol import Surroundings  # noqa: PLC0415 - with the driver
    from labctl_drivers.registry import build  # noqa: PLC0415 - loads the driver

    model = config.model
    limits = None if model.limits is None else config.beside(model.limits)
    kind, beside = model.instrument.kind, config.path.resolve().parent
    lanes = range(1, model.instrument.lanes + 1) if kind in _NAMED else (1,)
    try:
        trials = [
            build(kind, options_for(n, model.instrument.options), Surroundings(limits=limits, beside=beside))
            for n in lanes
        ]
    except ValueError as error:
        raise RequestError(str(error), file=config.path, key="instrument.options") from None
    trial = trials[0]
    if kind in _NAMED:
        _refuse_more_than_there_is(config)
        _refuse_shared_objects(config, [getattr(one, "things", {}) for one in trials])
    objectives = {name: objective.unit for name, objective in model.objectives.items()}
    _check_names(config, "parameters", config.space.units, getattr(trial, "parameter_units", None))
    _check_all_set(config, trial)
    _check_names(config, "objectives", objectives, getattr(trial, "quantity_units", None))


def _check_names(
    config: CampaignConfig, part: str, given: Mapping[str, str], known: Mapping[str, str] | None
) -> None:
    """See that the instrument knows each name of the file, in a unit that converts; both have units."""
    if known is None:
        return
    for name, unit in known.items():
        if name in given and not _converts(part, given[name], unit):
            raise RequestError(
                f"is in {given[name]}, but the instrument works in {unit}",
                file=config.path,
                key=f"{part}.{name}",
            )
    for name in given:
        if name not in known:
            raise RequestError(
                f"instrument {config.model.instrument.kind} knows no {name}; it has {', '.join(known)}",
                file=config.path,
                key=part,
            )


def refuse_unneeded(config: CampaignConfig) -> None:
    """See that something needs each resource, where the file alone says what is needed.

    Raises:
        RequestError: names a resource that no instrument takes.
    """
    instruments = [config.instrument(name) for name in (None, *config.model.fidelities)]
    if not all(one.kind in _NAMED for one in instruments):
        return
    needed = list(dict.fromkeys(name for one in instruments for name in _needs(one)))
    for name in config.model.resources:
        if name not in needed:
            near = difflib.get_close_matches(name, needed, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            what = f"needed are {', '.join(needed)}" if needed else "remove it, or add it to options.needs"
            raise RequestError(
                f"no instrument needs it; {hint}{what}", file=config.path, key=f"resources.{name}"
            )


def _refuse_more_than_there_is(config: CampaignConfig) -> None:
    """See that one attempt does not need more of a resource than there is."""
    for name, number in _needs(config.model.instrument).items():
        count = config.model.resources.get(name, 1)
        if isinstance(number, int) and number > count:
            raise RequestError(
                f"one attempt needs {number}, and there is {count}; say under resources how many there are",
                file=config.path,
                key=f"instrument.options.needs.{name}",
            )


def _needs(instrument: InstrumentConfig) -> Mapping[str, Any]:
    told = instrument.options.get("needs", {})
    return told if isinstance(told, dict) else {}


def _refuse_shared_objects(config: CampaignConfig, lanes: Sequence[Mapping[str, Any]]) -> None:
    """See that lanes have objects of their own, or wait for each other, by what each lane's file names.

    An object that two lanes name alike is reserved by its name, so that it is never driven twice at once;
    here is refused what leaves lanes no object of their own, and what that name cannot tell.
    """
    from labctl_drivers.adapt.adapted import device_need  # noqa: PLC0415 - bluesky

    instrument, resources = config.model.instrument, config.model.resources
    counted = next((name for name in resources if name in map(device_need, lanes[0])), None)
    if counted is not None:
        what = "is one device, which is reserved by itself; remove it"
        raise RequestError(what, file=config.path, key=f"resources.{counted}")
    if len(lanes) == 1:
        return
    names: dict[int, str] = {}
    for name, thing in ((name, thing) for things in lanes for name, thing in things.items()):
        if thing is not None and (other := names.setdefault(id(thing), name)) != name:
            what = f"{other} and {name} are the same object; give it one name everywhere"
            raise RequestError(what, file=config.path, key="instrument.options")
    in_turn = any(2 * number > resources.get(name, 1) for name, number in _needs(instrument).items())
    if not in_turn and _alike(instrument, lanes):
        raise RequestError(
            f"every lane would drive the same objects; write {LANE} in their names, as in "
            f"mylab.devices:oven_{LANE}, or name under options.needs something of which there is only one",
            file=config.path,
            key="instrument.lanes",
        )


def _alike(instrument: InstrumentConfig, lanes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two lanes name the same objects; a plan may also take the lane among its arguments."""
    plan = {key: instrument.options.get(key) for key in ("plan", "arguments")}
    return lanes[0].keys() == lanes[1].keys() and options_for(1, plan) == options_for(2, plan)


def _check_all_set(config: CampaignConfig, trial: "Instrument") -> None:
    """See that everything the instrument sets is a parameter, and the other way about."""
    own = getattr(trial, "parameter_units", None)
    if own is None:
        return
    known, kind = {**own, **getattr(trial, "categories", {})}, config.model.instrument.kind
    for name in config.model.parameters:
        if name not in known:
            what = f"instrument {kind} knows no {name}; it has {', '.join(known)}"
            raise RequestError(what, file=config.path, key="parameters")
    for name in known:
        if name not in config.model.parameters:
            what = f"instrument {kind} needs {name} as well; add it, and to strategy.fixed if need be"
            raise RequestError(what, file=config.path, key="parameters")


def _converts(part: str, unit: str, own: str) -> bool:
    """Whether a unit serves: a driver converts every setting into its own, and the ledger every reading."""
    if part == "objectives":
        return units.converted(1.0, own, unit) is not None
    from labctl_drivers.units import UnitError, convert  # noqa: PLC0415 - with the driver

    try:
        convert(1.0, unit, own)
    except UnitError:
        return False
    return True
