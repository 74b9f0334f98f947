"""What `import labctl` promises, and how little it loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labctl


def test_what_dir_shows_is_what_is_promised() -> None:
    assert dir(labctl) == sorted(labctl.__all__)
    assert len(set(labctl.__all__)) == len(labctl.__all__)


@pytest.mark.parametrize("name", labctl.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(labctl, name) is not None
    # ... and the second time is the same object, taken from the module itself.
    assert vars(labctl)[name] is getattr(labctl, name)


def test_editors_and_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse(Path(labctl.__file__).read_text(encoding="utf-8"))
    (seen,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    told = {alias.name for node in seen.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told | {"__version__"} == set(labctl.__all__)


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Campain'"):
        _ = labctl.Campain  # type: ignore[attr-defined]  # that is the point


def test_the_version_is_that_of_the_installed_distribution() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - beside its only use

    assert labctl.__version__ == version("labctl-sdl")


def test_importing_labctl_loads_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import labctl; "
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == ["labctl"]
