"""Laws that hold for every file: its opening, its length, and what it never does."""

import ast
import itertools
import re
import statistics
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LONGEST = 500
OWN = {"labctl", "labctl_models", "labctl_drivers"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_every_module_opens_with_one_line_that_says_its_role(files: list[Path], root: Path) -> None:
    silent = []
    for path in files:
        if path.suffix != ".py" or "tests" in path.relative_to(root).parts:
            continue
        first = (ast.get_docstring(tree(path)) or "").partition("\n")[0]
        if len(first) < 20 or not first.endswith((".", ":", "?")):
            silent.append(str(path.relative_to(root)))
    assert silent == []


def test_files_stay_short_enough_to_read_at_once(sources: list[Path], root: Path) -> None:
    lines = {
        str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources
    }
    middle = statistics.median(lines.values())
    print(f"{len(lines)} modules, {sum(lines.values())} lines, median {middle:g}")  # noqa: T201 - shown by -s, and on failure
    assert {name: n for name, n in lines.items() if n > LONGEST} == {}
    assert middle <= LONGEST / 4


def imported(module: ast.Module) -> Iterator[str]:
    """Every module imported, by its full name; names taken from a module too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


NEVER_IMPORTED = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "shelve",
    "marshal",
    "runpy",
    "code",
}
NEVER_CALLED = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
}
NEVER_CALLED |= {
    "yaml.full_load",
    "torch.load",
    "np.load",
    "numpy.load",
    "pd.read_pickle",
    "joblib.load",
    "pd.eval",
}


def unsafe(module: ast.Module) -> list[str]:
    """What in a module could run, or unpickle, what a user or a file says."""
    found = [f"imports {name}" for name in imported(module) if name.split(".")[0] in NEVER_IMPORTED]
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        loader = [ast.unparse(k.value) for k in node.keywords if k.arg == "Loader"] or [
            ast.unparse(argument) for argument in node.args[1:]
        ]
        if name == "yaml.load" and loader and loader[0].endswith("PlainLoader"):
            continue  # a SafeLoader, as a test below makes sure
        if name in NEVER_CALLED:
            found.append(f"calls {name} in line {node.lineno}")
        if any(k.arg == "shell" for k in node.keywords):
            found.append(f"hands text to a shell in line {node.lineno}")
        if name == "YAML" and [ast.unparse(k.value) for k in node.keywords if k.arg == "typ"] == ["'unsafe'"]:
            found.append(f"reads unsafe YAML in line {node.lineno}")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "import yaml\nyaml.load(f)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "YAML(typ='unsafe')",
        "import torch\ntorch.load(p)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_check_sees_unsafe_code(text: str) -> None:
    assert unsafe(ast.parse(text))


@pytest.mark.parametrize("text", ["yaml.safe_load(f)", "model.eval()", "re.compile('a')", "YAML(typ='safe')"])
def test_the_check_lets_safe_code_pass(text: str) -> None:
    assert not unsafe(ast.parse(text))


def test_nothing_a_user_or_a_file_says_is_executed_or_unpickled(sources: list[Path], root: Path) -> None:
    found = {str(path.relative_to(root)): unsafe(tree(path)) for path in sources}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.getcwd []", "a: !!python/name:os.getcwd"])
def test_yaml_builds_plain_data_only(text: str, tmp_path: Path) -> None:
    from labctl_drivers.safe_yaml import UnreadableError, read  # noqa: PLC0415 - only this test needs it

    file = tmp_path / "limits.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(UnreadableError):
        read(file)


def test_whatever_is_imported_is_a_declared_dependency(
    sources: list[Path], root: Path, project: dict[str, Any]
) -> None:
    extras = (needs for extra, needs in project["optional-dependencies"].items() if extra != "test")
    asked_for = itertools.chain(project["dependencies"], *extras)
    declared = {canonicalize_name(Requirement(text).name) for text in asked_for}
    homes = packages_distributions()
    undeclared: dict[str, set[str]] = {}
    for path in sources:
        for name in imported(tree(path)):
            top = name.split(".")[0]
            if top in OWN or top in sys.stdlib_module_names:
                continue
            # Namespace packages, such as ruamel.yaml, have several homes; one of them declared is enough.
            if not declared & {canonicalize_name(home) for home in homes.get(top, [])}:
                undeclared.setdefault(top, set()).add(str(path.relative_to(root)))
    assert undeclared == {}


MACHINE = re.compile(
    r"/(?:work|root|tmp|home/\w+|opt|Users/\w+)/[\w.-]+|(?:artifactory|nexus|pypi)[\w.-]*/simple"
)
PAGE = re.compile(r"https?://\S+")


def test_no_path_or_host_of_one_machine_is_written_anywhere(files: list[Path], root: Path) -> None:
    found = []
    for path in files:
        if path.suffix not in {".py", ".md", ".toml", ".txt", ".yaml", ".cff", ".html", ".css", ""}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            place = MACHINE.search(PAGE.sub("", line))
            if place:
                found.append(f"{path.relative_to(root)}:{number}: {place.group()}")
    assert found == []
