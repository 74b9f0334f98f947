"""What goes out of the door: pins, citation, licence and the wheel."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, Version]:
    """The versions in constraints.txt, by canonical name."""
    pinned: dict[str, Version] = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pinned[canonicalize_name(name)] = Version(version)
    return pinned


def asked_for(project: dict[str, Any]) -> Iterator[Requirement]:
    """Everything the project depends on by itself, with its extras."""
    yield from map(Requirement, project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted = map(Requirement, extra)
        # An extra may name others of this project's own extras, which are looked at themselves.
        yield from (one for one in wanted if one.name != project["name"])


def test_every_dependency_is_pinned_to_a_version_that_the_project_accepts(
    project: dict[str, Any], pins: dict[str, Version]
) -> None:
    for wanted in asked_for(project):
        assert canonicalize_name(wanted.name) in pins, f"{wanted.name} is not in constraints.txt"
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), str(wanted)


def test_constraints_are_plain_pins_that_hold_on_any_machine(root: Path, pins: dict[str, Version]) -> None:
    lines = [
        line
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert lines == sorted(lines, key=str.lower)
    assert len(pins) == len(lines)
    assert all(version.local is None for version in pins.values())


def test_the_programs_of_the_project_are_not_constrained_by_itself(pins: dict[str, Version]) -> None:
    assert "labctl-sdl" not in pins


def test_this_python_is_one_the_project_names(project: dict[str, Any]) -> None:
    here = ".".join(map(str, sys.version_info[:3]))
    assert SpecifierSet(project["requires-python"]).contains(here)
    short = ".".join(map(str, sys.version_info[:2]))
    assert f"Programming Language :: Python :: {short}" in project["classifiers"]


def test_the_citation_is_complete_and_of_this_version(root: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert {
        "cff-version",
        "message",
        "title",
        "authors",
        "type",
        "version",
        "date-released",
    } <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == project["version"]
    assert citation["license"] == project["license"]
    assert all(
        {"name"} <= author.keys() or {"family-names"} <= author.keys() for author in citation["authors"]
    )
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
        assert reference.keys() & {"doi", "url"}, f"{reference['title']} cannot be found without a doi or url"


def test_the_licence_is_the_one_that_is_declared(root: Path, project: dict[str, Any]) -> None:
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "BSD-3-Clause"
    assert "BSD 3-Clause License" in text
    assert len(re.findall(r"^ *[123]\. ", text, re.MULTILINE)) == 3
    assert "Copyright" in text


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout as it stands, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_module_and_whatever_they_read(
    wheel: zipfile.ZipFile, root: Path, files: list[Path]
) -> None:
    names = set(wheel.namelist())
    expected = set()
    for path in files:
        home, *rest = path.relative_to(root).parts
        if home == "labctl":
            expected.add("/".join((home, *rest)))
        elif home in {"models", "drivers"} and rest[0] in {"labctl_models", "labctl_drivers"}:
            expected.add("/".join(rest))
        elif home in {"datasets", "configs"}:
            expected.add("/".join(("labctl", f"_{home}", *rest)))
    assert {"labctl/py.typed", "labctl_models/py.typed", "labctl_drivers/py.typed"} <= expected
    assert expected <= names, f"missing: {sorted(expected - names)}"
    strange = {name for name in names - expected if ".dist-info/" not in name}
    assert strange == set()


def test_the_wheel_brings_no_tests_and_nothing_by_a_common_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "labctl",
        "labctl_models",
        "labctl_drivers",
    }


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile, project: dict[str, Any]) -> None:
    (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"Name: {project['name']}\n" in metadata
    assert f"Version: {project['version']}\n" in metadata
    assert f"License-Expression: {project['license']}\n" in metadata
    assert "labctl = labctl.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
