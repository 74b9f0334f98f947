"""What a campaign file says of a queue server: where it is, its plan, and how a recipe becomes arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl_drivers.adapt import readings, settings
from labctl_drivers.adapt.common import sections
from labctl_drivers.adapt.kinds import kinds_of
from labctl_drivers.adapt.options import Options
from labctl_drivers.protocol import FailureKind

_KEYS = (
    "plan",
    "control",
    "documents",
    "tiled",
    "settings",
    "arguments",
    "readings",
    "stream",
    "failures",
    "group",
    "patience",
    "environment_timeout",
)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """A queue server and one of its plans.

    Attributes:
        plan: name of the plan, as the server allows it.
        control: address of the RE manager's control socket.
        documents: ``host:port`` where the worker's documents can be heard; None where they cannot.
        tiled: address or folder of the Tiled catalog that holds the worker's runs; None for none.
        rules: by parameter, its unit or choices as the plan takes it.
        arguments: by parameter, the plan's argument.
        fixed: other arguments of the plan, the same for every recipe.
        readings: by quantity, where it is read.
        stream: of the events that are read.
        kinds: by name of an exception of the worker's code, the kind of failure that it stands for.
        group: the user group that the plan is submitted for.
        patience_s: how long to wait for the documents of a plan that has ended.
        environment_s: how long to wait, before a plan is handed over, for a server that does not answer and
            for its worker's environment to be opened.
    """

    plan: str
    control: str
    documents: str | None
    tiled: str | None
    rules: Mapping[str, settings.SettingRule]
    arguments: Mapping[str, str]
    fixed: Mapping[str, Any]
    readings: Mapping[str, readings.ReadingRule]
    stream: str
    kinds: Mapping[str, FailureKind]
    group: str
    patience_s: float
    environment_s: float


def settings_of(options: Mapping[str, Any]) -> QueueSettings:
    """Read the options of the kind ``queueserver``.

    Raises:
        ValueError: one sentence with the option and the remedy.
    """
    top = Options(options)
    top.allow(*_KEYS)
    set_by, read_by = sections(top, "settings"), sections(top, "readings")
    for part in set_by.values():
        part.allow("argument", *settings.RULE_KEYS)
    for part in read_by.values():
        part.allow(*readings.RULE_KEYS)
    arguments = {name: part.text("argument", name) for name, part in set_by.items()}
    fixed = dict(top.part("arguments").content)
    taken = [*arguments.values(), *fixed]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{top.at('arguments')}: {twice} is given twice; remove one of them")
    documents, tiled = top.optional("documents"), top.optional("tiled")
    if documents is None and tiled is None:
        raise ValueError(
            f"{top.at('documents')}: is needed, host:port where the worker's documents can be heard; or "
            "tiled, the catalog that holds its runs"
        )
    return QueueSettings(
        plan=top.text("plan"),
        control=top.text("control", "tcp://localhost:60615"),
        documents=documents,
        tiled=tiled,
        rules={name: settings.rule_of(part) for name, part in set_by.items()},
        arguments=arguments,
        fixed=fixed,
        readings={name: readings.rule_of(part) for name, part in read_by.items()},
        stream=top.text("stream", "primary"),
        kinds=kinds_of(top.part("failures")),
        group=top.text("group", "primary"),
        patience_s=top.seconds("patience", "10 s"),
        environment_s=top.seconds("environment_timeout", "60 s"),
    )
