"""A YAML file is plain data or it is refused with a sentence."""

import os
from pathlib import Path

import pytest

from labctl_drivers import safe_yaml


def reading(path: Path, content: str | bytes) -> object:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return safe_yaml.read(path)[0]


def test_plain_data_is_read_and_its_bytes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert reading(path, "a: {b: [1, 2.5, text, true]}") == {"a": {"b": [1, 2.5, "text", True]}}
    assert safe_yaml.read(path)[1] == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a: &x [1]\nb: *x", r"alias \*x"),
        ("a: 1\na: 2", "'a' stands twice"),
        ("a: {b: 1, b: 2}", "'b' stands twice"),
        ("[" * 13 + "]" * 13, "nested deeper than 12"),
        ("[" * 200_000, "nested deeper than 12"),
        ("a: !!python/object/apply:os.system ['true']", "has the tag"),
        ("a: !!python/name:os.system", "has the tag"),
        ("a: [" + "1, " * 20_001 + "1]", "more than 20000 values"),
        ("a: [1", "line 1"),
        ("a: 1\n--- \nb: 2", "another document"),
        (b"a: \xff\xfe", "not UTF-8"),
        ("a: \x00", "not valid YAML"),
        ("? [a, b]\n: 1", "not valid YAML"),
        ("x" * 1_000_001, "larger than"),
        ("a: " + "9" * 5000, "not valid YAML"),
    ],
)
def test_anything_else_is_refused_with_its_reason(content: str | bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(safe_yaml.UnreadableError, match=why) as caught:
        reading(tmp_path / "a.yaml", content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_numbers_mean_what_they_show(tmp_path: Path) -> None:
    """YAML 1.1 reads 0600 as 384 and 10:00 as 600, and takes 1e3 for text."""
    found = reading(tmp_path / "a.yaml", "{a: 0600, b: 10:00, c: 1e3, d: no}")
    assert found == {"a": 600, "b": "10:00", "c": 1000.0, "d": "no"}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(safe_yaml.UnreadableError, match="no regular file"):
        safe_yaml.read(tmp_path / "pipe.yaml")


def test_what_is_no_file_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(safe_yaml.UnreadableError, match="cannot be read"):
            safe_yaml.read(path)
