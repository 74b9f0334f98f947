"""The card of a table: where it comes from, what its columns mean, and what its failures are."""

import difflib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from labctl.config import first_problem
from labctl.errors import RequestError
from labctl.space.parameters import Strict, check_unit
from labctl.yamlfile import YamlFile, read_yaml
from labctl_drivers.protocol import FailureKind

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Unit = str


class Source(Strict):
    """Who measured the table and where that is told."""

    citation: str
    doi: str | None = None
    url: str | None = None


class Package(Strict):
    """A Python package that ships the file; it is read, never imported."""

    name: str
    version: str
    path: str

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        return _inside(value)


class Place(Strict):
    """Where the file is looked for, in this order.

    Attributes:
        folder: below the folder that the environment variable LABCTL_DATA names.
        package: in an installed package.
        beside: relative to the card.
        url: where it is downloaded from, by ``labctl datasets fetch`` only; needs sha256.
        sha256: digest of the file; any other file is refused.
    """

    folder: str | None = None
    package: Package | None = None
    beside: str | None = None
    url: str | None = Field(default=None, pattern=r"^https://")
    sha256: Sha256 | None = None

    @field_validator("folder")
    @classmethod
    def _stays_inside(cls, value: str | None) -> str | None:
        return None if value is None else _inside(value)

    @model_validator(mode="after")
    def _can_be_found(self) -> "Place":
        if not (self.folder or self.package or self.beside or self.url):
            raise ValueError("needs one of folder, package, beside or url, so that the file can be found")
        if self.sha256 is None and (self.package or self.url):
            raise ValueError("needs sha256, since the file comes from elsewhere")
        return self


class CardColumn(Strict):
    """One column of the table.

    Attributes:
        name: what it is called in campaigns.
        header: as the file has it; the name, where it is left out.
        position: from 1, where the file's headers do not tell its columns apart.
        role: whether it was set, measured, or only noted.
    """

    name: str = Field(min_length=1, max_length=100)
    header: str | None = None
    position: int | None = Field(default=None, ge=1)
    unit: Unit = "unknown"
    role: Literal["parameter", "objective", "metadata"]
    meaning: str = ""

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)


class When(Strict):
    """Which rows a rule is about; numbers are in the column's unit."""

    column: str
    equals: float | str | None = None
    at_most: float | None = None
    at_least: float | None = None
    missing: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "When":
        if (self.equals, self.at_most, self.at_least, self.missing) == (None,) * 4:
            raise ValueError("needs equals, at_most, at_least or missing: true")
        return self


class KnownBound(Strict):
    """What is still known of a value that was not measured, in the column's unit."""

    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "KnownBound":
        if self.low is None and self.high is None:
            raise ValueError("needs low or high")
        return self


class FailureRule(Strict):
    """Rows that record a failure, and of which kind; the first rule that fits a row is taken."""

    when: When
    kind: FailureKind
    message: str = Field(min_length=1)
    bound: dict[str, KnownBound] = Field(default_factory=dict)


class Figure(Strict):
    """A number known about the table, and who says so."""

    what: str
    value: float
    unit: Unit
    source: str

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)


class Card(Strict):
    """The one description of a table.

    Attributes:
        caveats: what is wrong or unknown about the table, a sentence each.
        header: whether the file begins with a line of headers; without one, columns lists all in order.
        repeats: rows with the same recipe are replicates; with ``copies``, rows that are equal in every
            cell are the same measurement written twice and are read once.
        no_value: rows without a value of the quantity that is optimised are bad readings; with
            ``leave_out``, as where most rows are about something else, they are no part of the history.
        path: the card's own file.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    title: str
    about: str = ""
    sources: tuple[Source, ...] = ()
    licence: str = "unknown"
    caveats: tuple[str, ...] = ()
    file: Place
    header: bool = True
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    encoding: str | None = None
    repeats: Literal["replicates", "copies"] = "replicates"
    no_value: Literal["bad_reading", "leave_out"] = "bad_reading"
    columns: tuple[CardColumn, ...] = Field(min_length=2)
    failures: tuple[FailureRule, ...] = ()
    figures: tuple[Figure, ...] = ()
    path: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _fits_together(self) -> "Card":
        names = [column.name for column in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"columns names {min(twice)!r} twice; give each column its own name")
        for i, rule in enumerate(self.failures):
            for name in (rule.when.column, *rule.bound):
                if name not in names:
                    raise ValueError(f"failures.{i}: {name!r} is no column here ({', '.join(names)})")
            if rule.bound and rule.kind is not FailureKind.CENSORED:
                raise ValueError(f"failures.{i}.bound: only a censored value has a bound; remove it")
        return self

    def column(self, name: str) -> CardColumn | None:
        """The column of this name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def with_role(self, role: str) -> tuple[str, ...]:
        """The names of the columns of this role."""
        return tuple(column.name for column in self.columns if column.role == role)


def read_card(path: Path) -> Card:
    """Read and check a card.

    Raises:
        RequestError: in one sentence with file, line, key and remedy.
    """
    file = read_yaml(path)
    if "path" in file.data:
        raise RequestError("no such key; remove it", file=path, line=file.line_of(("path",)), key="path")
    try:
        return Card.model_validate({**file.data, "path": path})
    except ValidationError as error:
        raise _problem(file, error) from None


_KEYS: dict[str, type[Strict]] = {
    "sources": Source,
    "file": Place,
    "package": Package,
    "columns": CardColumn,
    "failures": FailureRule,
    "when": When,
    "bound": KnownBound,
    "figures": Figure,
}


def _problem(file: YamlFile, error: ValidationError) -> RequestError:
    """As for a campaign file, with the keys of a card."""
    strange = (d for d in error.errors(include_url=False) if d["type"] == "extra_forbidden")
    # A misspelt key comes first: what is missing because of it is only its consequence.
    detail = next(strange, None)
    if detail is None:
        return first_problem(file, error)
    place = detail["loc"]
    model = next((_KEYS[p] for p in reversed(place[:-1]) if isinstance(p, str) and p in _KEYS), Card)
    known = [key for key in model.model_fields if key != "path" or model is Package]
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"remove it (known here: {', '.join(known)})"
    return RequestError(
        f"no such key; {remedy}", file=file.path, line=file.line_of(place), key=".".join(map(str, place))
    )


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value:
        raise ValueError(f"{value!r} must be a path below its folder, with / and without ..")
    return value
