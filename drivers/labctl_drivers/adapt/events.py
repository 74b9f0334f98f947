"""A plan carried out inside a run that is open already, and what its events held."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bluesky.utils import Msg

from labctl_drivers.adapt.adapted import Plan
from labctl_drivers.adapt.options import meant
from labctl_drivers.adapt.readings import DataKeys, ReadingRule, number, refuse_other_unit

_STREAMS = {"create": "name", "declare_stream": "name", "collect": "name", "monitor": "name"}


class Events:
    """Collects what the events of each stream held; a subscriber of a RunEngine."""

    def __init__(self) -> None:
        self._streams: dict[str, str] = {}
        self._keys: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._data: defaultdict[str, defaultdict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one document."""
        if name == "descriptor":
            self._streams[doc["uid"]] = doc["name"]
            self._keys[doc["name"]] |= doc["data_keys"]
        elif name in {"event", "event_page"} and doc["descriptor"] in self._streams:
            seen = self._data[self._streams[doc["descriptor"]]]
            for key, value in doc["data"].items():
                seen[key] += list(value) if name == "event_page" else [value]

    def last(self, stream: str) -> dict[str, Any]:
        """The last value of every key of a stream."""
        return {key: values[-1] for key, values in self._data[stream].items() if values}

    def value(self, key: str, stream: str, take: str, rule: ReadingRule) -> Any:  # noqa: ANN401 - to be judged
        """One number from all events of a stream.

        Raises:
            ValueError: no event of this stream holds the key, or the device gave another unit than the rule.
        """
        keys: DataKeys = self._keys.get(stream, {})
        if stream not in self._keys:
            raise ValueError(
                f"{rule.place}.stream: the plan has no stream {stream!r}; {meant(stream, list(self._keys))}"
            )
        if key not in keys:
            raise ValueError(
                f"{rule.place}.key: no event of the plan holds {key!r}; {meant(key, list(keys))}"
            )
        refuse_other_unit(keys, key, rule.unit, rule.described_as, f"{rule.place}.unit")
        values = [number(one) for one in self._data[stream][key]]
        if take == "last" or not values or not all(isinstance(one, float) for one in values):
            return values[-1] if values else None
        return {
            "mean": lambda: sum(values) / len(values),
            "min": lambda: min(values),
            "max": lambda: max(values),
        }[take]()


def within_this_run(plan: Plan, key: str, limit_s: float) -> Plan:
    """Carry a plan out inside the run that is open.

    Its own ``open_run`` and ``close_run`` are left out; what stands in its second run goes into streams of
    their own, such as ``primary-2``. Waits without a time limit are given one.

    Args:
        plan: any plan.
        key: what the plan is told instead of the uid of a run it opens.
        limit_s: longest wait for a group of devices, s.
    """
    runs = 0
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            message = plan.send(answer) if error is None else plan.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        if message.command in {"open_run", "close_run"}:
            runs += message.command == "open_run"
            answer = key
            continue
        try:
            answer = yield _fitted(message, runs, limit_s)
        except GeneratorExit:
            plan.close()
            raise
        except BaseException as thrown:  # noqa: BLE001 - the plan decides what to do with it
            error = thrown


def _fitted(message: Msg, runs: int, limit_s: float) -> Msg:
    kwargs = dict(message.kwargs)
    if message.command in {"wait", "wait_for"} and kwargs.get("timeout") is None:
        kwargs["timeout"] = limit_s
    stream = _STREAMS.get(message.command)
    if stream is not None and runs > 1 and isinstance(kwargs.get(stream), str):
        kwargs[stream] = f"{kwargs[stream]}-{runs}"
    return message._replace(kwargs=kwargs, run=None)
