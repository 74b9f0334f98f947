"""From what a campaign file says of an instrument to the driver itself."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
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
    _refuse_shared_objects(model.instrument, config.path)
    try:
        options = options_for(1, model.instrument.options)
        beside = config.path.resolve().parent
        trial = build(model.instrument.kind, options, Surroundings(limits=limits, beside=beside))
    except ValueError as error:
        raise RequestError(str(error), file=config.path, key="instrument.options") from None
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


def _refuse_shared_objects(instrument: InstrumentConfig, file: Path) -> None:
    """See that two lanes do not drive the same object of a lab's own without knowing of each other."""
    told = instrument.options
    if instrument.lanes > 1 and instrument.kind in _NAMED and LANE not in str(told) and not told.get("needs"):
        raise RequestError(
            f"every lane would drive the same objects; write {LANE} in their names, as in "
            f"mylab.devices:oven_{LANE}, or name what the lanes share under options.needs",
            file=file,
            key="instrument.lanes",
        )


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
