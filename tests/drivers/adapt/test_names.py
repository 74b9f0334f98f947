"""Names of the lab's own objects: found, or refused in one sentence; nothing else of a text is run."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.adapt.names import find, folder_of_modules


def test_an_attribute_of_a_module_beside_the_campaign_is_found(
    lab: Callable[[str], str], tmp_path: Path
) -> None:
    module = lab("class Bench:\n    pass\n")
    found = find(f"{module}:Bench.stage.x", "here", tmp_path)
    assert (found.base, found.attribute, found.parts) == (f"{module}:Bench", "Bench", ("stage", "x"))
    assert found.found is sys.modules[module].Bench


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{m}", "here: must be a name such as mylab.devices:furnace, and is"),
        ("{m}:Ovn", "here: module {m} has no 'Ovn'; did you mean Oven? allowed are Oven, Tester"),
        ("{m}x:Oven", "here: there is no module {m}x; it is not in "),
        ("{m}.sub:Oven", "here: there is no module {m}.sub; it is not in "),
        ("{m}:_number", "here: must be a name such as"),
        ("{m}:Oven.__class__", "here: must be a name such as"),
        ("{m}:Oven()", "here: must be a name such as"),
        ("..{m}:Oven", "here: must be a name such as"),
        ("{m}:threading", "is a module; name what is in it"),
    ],
)
def test_what_cannot_be_found_is_said(
    lab: Callable[[str], str], tmp_path: Path, name: str, said: str
) -> None:
    module = lab("")
    with pytest.raises(ValueError, match=re.escape(said.format(m=module))):
        find(name.format(m=module), "here", tmp_path)


def test_only_what_may_be_an_object_is_offered(lab: Callable[[str], str], tmp_path: Path) -> None:
    module = lab("class Jammed(Exception):\n    pass\nPORT, LINES = 'ASRL3', [1]\nspare = Oven('spare')\n")
    with pytest.raises(ValueError, match=r"allowed are Oven, Tester, spare$"):
        find(f"{module}:Ovn", "here", tmp_path)


def test_what_breaks_the_import_is_told_with_its_cause(lab: Callable[[str], str], tmp_path: Path) -> None:
    for source, cause in (
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise OSError('no instrument on ASRL3')", "OSError: no instrument on ASRL3"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
    ):
        module = lab(source)
        with pytest.raises(ValueError, match=rf"here: module {module} cannot be imported: {cause}"):
            find(f"{module}:Oven", "here", tmp_path)


def test_a_module_without_a_folder_is_told_to_be_installed() -> None:
    with pytest.raises(ValueError, match="there is no module no_such_lab; install it, or name its folder"):
        find("no_such_lab.devices:oven", "here")


def test_no_file_beside_a_campaign_takes_the_place_of_an_installed_module(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("loads = None\n", "utf-8")
    with pytest.raises(ValueError, match=r"module json comes from .*json.* and not from .*; rename yours"):
        find("json:loads", "here", tmp_path)


def test_the_folder_is_told_from_the_campaign_file(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    assert folder_of_modules("code", tmp_path, "modules") == tmp_path / "code"
    assert folder_of_modules(None, tmp_path, "modules") is None
    with pytest.raises(ValueError, match=r"modules: there is no folder .*kode; name the one"):
        folder_of_modules("kode", tmp_path, "modules")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_no_text_does_more_than_to_be_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^here: "):
        find(text, "here")
