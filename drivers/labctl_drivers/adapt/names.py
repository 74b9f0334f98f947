"""Finds what a name such as ``mylab.devices:furnace`` stands for; nothing else of what is typed is run."""

import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from labctl_drivers.adapt.options import meant
from labctl_drivers.verdict import sentence

_WORD = r"[A-Za-z][A-Za-z0-9_]*"
_NAME = re.compile(rf"({_WORD}(?:\.{_WORD})*):({_WORD})((?:\.{_WORD})*)", re.ASCII)

_NO_OBJECT = (
    ModuleType,
    str,
    bytes,
    int,
    float,
    complex,
    list,
    tuple,
    dict,
    set,
    frozenset,
    Path,
    type(None),
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for.

    Attributes:
        name: as it was written.
        base: module and attribute, without the parts after it.
        attribute: name of the module's attribute.
        found: the attribute.
        parts: names of the parts that lead from it to what is meant, such as ``x`` in ``mylab:stage.x``.
    """

    name: str
    base: str
    attribute: str
    found: Any
    parts: tuple[str, ...]


def find(name: str, place: str, folder: Path | None = None) -> Named:
    """Import a module, and take an attribute of it.

    Args:
        name: ``package.module:attribute``, with further ``.part`` behind it if need be.
        place: the option that holds the name.
        folder: where the lab's own modules lie, beside what is installed.

    Raises:
        ValueError: one sentence with the option and the remedy.
    """
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise ValueError(f"{place}: must be a name such as mylab.devices:furnace, and is {name!r}")
    module_name, attribute = matched[1], matched[2]
    module = _module(module_name, place, folder)
    if not hasattr(module, attribute):
        raise ValueError(
            f"{place}: module {module_name} has no {attribute!r}; {meant(attribute, _own(module))}"
        )
    found = getattr(module, attribute)
    if isinstance(found, ModuleType):
        raise ValueError(f"{place}: {name} is a module; name what is in it, as in mylab.devices:furnace")  # noqa: TRY004 - one kind of error for all options
    return Named(name, f"{module_name}:{attribute}", attribute, found, tuple(matched[3].split(".")[1:]))


def folder_of_modules(name: str | None, beside: Path | None, place: str) -> Path | None:
    """The folder that the option ``modules`` names, relative to the campaign file; None for none.

    Raises:
        ValueError: there is no such folder.
    """
    if name is None:
        return None
    folder = ((beside or Path()) / name).resolve()
    if not folder.is_dir():
        raise ValueError(f"{place}: there is no folder {folder}; name the one in which your modules lie")
    return folder


def _module(name: str, place: str, folder: Path | None) -> ModuleType:
    # At the end, so that no file beside a campaign takes the place of an installed module.
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"{place}: module {name} cannot be imported: {sentence(error)}") from error
        remedy = (
            "install it, or name its folder under modules" if folder is None else f"it is not in {folder}"
        )
        raise ValueError(f"{place}: there is no module {error.name}; {remedy}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{place}: module {name} cannot be imported: {sentence(error)}") from error
    if folder is not None:
        _refuse_another(module, name, place, folder)
    return module


def _own(module: ModuleType) -> list[str]:
    """What a module makes itself that may be an object or a plan, and has not imported."""
    names = [name for name in vars(module) if not name.startswith("_")]
    return sorted(
        name
        for name in names
        if not isinstance(found := getattr(module, name), _NO_OBJECT)
        and not (isinstance(found, type) and issubclass(found, BaseException))
        and (getattr(found, "__module__", None) == module.__name__ or not callable(found))
    )


def _refuse_another(module: ModuleType, name: str, place: str, folder: Path) -> None:
    """Refuse a module that is installed elsewhere under the name of one in the lab's folder."""
    top = name.partition(".")[0]
    if not (folder / top).is_dir() and not (folder / f"{top}.py").is_file():
        return
    places = [
        Path(p).resolve() for p in (getattr(module, "__file__", None), *getattr(module, "__path__", ())) if p
    ]
    if not any(found.is_relative_to(folder) for found in places):
        raise ValueError(
            f"{place}: module {name} comes from {places[0] if places else 'Python itself'} and not from "
            f"{folder}; rename yours"
        )
