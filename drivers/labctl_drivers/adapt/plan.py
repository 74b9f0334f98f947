"""A Bluesky plan of the lab's own as an instrument: a recipe gives its arguments, its events the readings."""

import inspect
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from labctl_drivers.adapt import readings, settings
from labctl_drivers.adapt.adapted import Adapted, Plan
from labctl_drivers.adapt.common import COMMON_KEYS, LONG, common, sections
from labctl_drivers.adapt.events import Events, within_this_run
from labctl_drivers.adapt.messages import message
from labctl_drivers.adapt.names import Named
from labctl_drivers.adapt.objects import Objects
from labctl_drivers.adapt.options import Options, meant
from labctl_drivers.documents import plain
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Reading, Surroundings

_TAKES = ("last", "mean", "min", "max")
_SOURCES = ("events", "return")


@dataclass(frozen=True, slots=True)
class _Value:
    """Where one quantity comes from.

    Attributes:
        rule: its key and unit.
        source: the plan's events, or what it returns.
        stream: the stream of the events.
        take: which event counts, or what is made of all of them.
    """

    rule: readings.ReadingRule
    source: str
    stream: str
    take: str


def build_plan(options: Mapping[str, Any], surroundings: Surroundings) -> "PlanInstrument":
    """Build an instrument of the kind ``plan``.

    Raises:
        ValueError: one sentence with the option and the remedy.
    """
    top = Options(options)
    top.allow(*COMMON_KEYS, "plan", "arguments", "objects", "timeout")
    shared = common(top, surroundings, name="plan")
    plan = shared.find(top, "plan")
    _refuse_no_plan(plan, top.at("plan"))
    parts = sections(top, "settings")
    rules = {name: _rule_of(part) for name, part in parts.items()}
    names = {name: part.text("argument", name) for name, part in parts.items()}
    objects = top.part("objects")
    named = {objects.at(key): shared.find(objects, key) for key in objects.content}
    fixed = dict(top.part("arguments").content)
    places = {
        **{parts[name].at("argument"): argument for name, argument in names.items()},
        **{objects.at(key): str(key) for key in objects.content},
        **{top.part("arguments").at(key): str(key) for key in fixed},
    }
    _refuse_wrong_arguments(plan, top.at("plan"), places)
    return PlanInstrument(
        shared.name,
        plan,
        Objects(named, shared.connect_s),
        rules,
        arguments=names,
        fixed=fixed,
        handed={str(key): one.name for key, one in zip(objects.content, named.values(), strict=True)},
        values={name: _value_of(part) for name, part in sections(top, "readings").items()},
        limit_s=top.seconds("timeout", LONG),
        kinds=shared.kinds,
        needs=shared.needs,
        surroundings=surroundings,
    )


class PlanInstrument(Adapted):
    """Carries out a plan for each recipe.

    A plan that opens runs of its own, as those of ``bluesky.plans`` do, is carried out inside the run of the
    attempt, so that its events stand under the attempt's ids. A wait of the plan that has no time limit is
    given one.
    """

    def __init__(
        self,
        name: str,
        plan: Named,
        objects: Objects,
        rules: Mapping[str, settings.SettingRule],
        *,
        arguments: Mapping[str, str],
        fixed: Mapping[str, Any],
        handed: Mapping[str, str],
        values: Mapping[str, _Value],
        limit_s: float,
        **told: Any,  # noqa: ANN401 - handed on to Adapted
    ) -> None:
        units = {quantity: value.rule.unit for quantity, value in values.items()}
        super().__init__(name, objects, rules, quantity_units=units, **told)
        self._plan = plan
        self._arguments = arguments
        self._fixed = fixed
        self._handed = handed
        self._values = values
        self._limit_s = limit_s

    def _look(self) -> None:
        """There is nothing to see before the plan has run: its events may hold anything."""

    def _carry_out(self, attempt: Attempt, told: Mapping[str, Any]) -> Generator[Any, Any, Reading]:
        given = {self._arguments[name]: value for name, value in told.items()}
        given |= {argument: self._objects[name] for argument, name in self._handed.items()}
        events = Events()
        token = yield message("subscribe", None, events, "all")
        plan: Plan = self._plan.found(**self._fixed, **given)
        returned = yield from within_this_run(plan, attempt.key, self._limit_s)
        yield message("unsubscribe", None, token)
        try:
            return self._reading(events, returned)
        except ValueError as error:
            raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, str(error), stage="measure") from None

    def _reading(self, events: Events, returned: object) -> Reading:
        if isinstance(returned, Reading):
            returned_values: Mapping[str, Any] = returned.values
        else:
            returned_values = returned if isinstance(returned, Mapping) else {}
        values: dict[str, Any] = {}
        for quantity, value in self._values.items():
            key = value.rule.key or quantity
            if value.source == "events":
                values[quantity] = events.value(key, value.stream, value.take, value.rule)
            elif not isinstance(returned, Mapping | Reading) and value.rule.key is None:
                values[quantity] = readings.number(returned)
            elif key in returned_values:
                values[quantity] = readings.number(returned_values[key])
            else:
                raise ValueError(
                    f"{value.rule.place}.key: the plan returned {_shown(returned)} and no {key!r}"
                )
        used = {value.rule.key or quantity for quantity, value in self._values.items()}
        raw = {key: plain(value) for key, value in events.last("primary").items() if key not in used}
        if isinstance(returned, Reading):
            return Reading(values, self.quantity_units, actual=returned.actual, raw={**raw, **returned.raw})
        return Reading(values, self.quantity_units, raw=raw)


def _rule_of(options: Options) -> settings.SettingRule:
    options.allow("argument", *settings.RULE_KEYS)
    return settings.rule_of(options)


def _value_of(options: Options) -> _Value:
    options.allow("from", "stream", "take", *readings.RULE_KEYS)
    return _Value(
        readings.rule_of(options),
        options.one_of("from", _SOURCES),
        options.text("stream", "primary"),
        options.one_of("take", _TAKES),
    )


def _refuse_no_plan(plan: Named, place: str) -> None:
    """Refuse whatever is no generator function, before it is called: calling a plan moves nothing yet."""
    function = plan.found if not plan.parts else None
    if function is None or not inspect.isgeneratorfunction(inspect.unwrap(function)):
        raise ValueError(f"{place}: {plan.name} is no plan; a plan is a function with yield from in it")


def _refuse_wrong_arguments(plan: Named, place: str, given: Mapping[str, str]) -> None:
    parameters = inspect.signature(plan.found).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    seen: dict[str, str] = {}
    for where, argument in given.items():
        if argument not in named and not takes_any:
            raise ValueError(f"{where}: {plan.name} has no argument {argument!r}; {meant(argument, named)}")
        if argument in seen:
            raise ValueError(f"{where}: {seen[argument]} gives {argument!r} already; remove one of them")
        seen[argument] = where
    lacking = [
        name
        for name, one in parameters.items()
        if one.default is one.empty
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        and name not in seen
    ]
    if lacking:
        raise ValueError(
            f"{place}: {plan.name} needs {', '.join(lacking)}; give it under settings, objects or arguments"
        )


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else type(value).__name__
