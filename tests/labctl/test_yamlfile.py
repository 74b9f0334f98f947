"""Files that strangers wrote: what is taken, and what is refused with file, line and remedy."""

import os
from pathlib import Path

import pytest

from labctl.errors import RequestError
from labctl.yamlfile import DEEPEST_LEVEL, LARGEST_BYTES, read_yaml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Kampagne für Äpfel.yaml"


def problem(file: Path, content: str | bytes) -> str:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RequestError) as wrong:
        read_yaml(file)
    sentence = str(wrong.value)
    assert sentence.startswith(str(file))
    assert "\n" not in sentence
    assert wrong.value.exit_code == 2
    return sentence.removeprefix(str(file))


def test_words_stay_words_and_numbers_are_numbers(file: Path) -> None:
    file.write_text(
        "solvents: [no, yes, on, off, Äthanol, 'true']\nsmall: 1e-3\nlarge: 1E5\nplain: 12\nhalf: .5\n"
        "flag: true\nnothing: null\ntime: 2026-01-01\noctal: 010\nsexagesimal: 12:30:00\n",
        "utf-8",
    )
    data = read_yaml(file).data
    assert data["solvents"] == ["no", "yes", "on", "off", "Äthanol", "true"]
    assert (data["small"], data["large"], data["plain"], data["half"]) == (0.001, 1e5, 12, 0.5)
    assert isinstance(data["small"], float)
    assert data["flag"] is True
    assert data["nothing"] is None
    assert data["octal"] == 10
    assert data["sexagesimal"] == "12:30:00"


def test_every_key_has_its_line(file: Path) -> None:
    file.write_text("# a comment\na:\n  b: 1\n  c:\n    - x\n    - {y: 2}\n", "utf-8")
    read = read_yaml(file)
    assert read.line_of(("a",)) == 2
    assert read.line_of(("a", "b")) == 3
    assert read.line_of(("a", "c", 1, "y")) == 6
    assert read.line_of(("a", "missing", "below")) == 2
    assert read.line_of(("nowhere",)) is None


def test_a_byte_order_mark_and_windows_lines_are_taken(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: two\r\n")
    assert read_yaml(file).data == {"a": 1, "b": "two"}


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a: &anchor 1\nb: *anchor\n", 2, "alias"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2, "tag"),
        ("a: !!set {x, y}\n", 1, "tag"),
        ("a: !mine 3\n", 1, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("a:\n\t- 1\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: 'never ends\n", None, "not valid YAML"),
        ("%YAML 9.9\n---\na: 1\n", None, "not valid YAML"),
        ("? [a, b]\n: 1\n", 1, "is no text"),
        ("a: \x01\n", None, "not valid YAML"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_at_its_line(
    file: Path, content: str, line: int | None, reason: str
) -> None:
    sentence = problem(file, content)
    assert reason in sentence
    if line is not None:
        assert sentence.startswith(f":{line}: ")


@pytest.mark.parametrize("content", ["- 1\n- 2\n", "just text\n", "3\n", "", "# only a comment\n", "null\n"])
def test_what_is_no_mapping_is_refused(file: Path, content: str) -> None:
    assert "must be a YAML mapping" in problem(file, content)


def test_a_bomb_of_aliases_is_refused_before_it_grows(file: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    assert "alias" in problem(file, "\n".join(lines))


@pytest.mark.parametrize("depth", [DEEPEST_LEVEL + 1, 5_000, 100_000])
def test_what_is_nested_too_deep_is_refused_without_recursion(file: Path, depth: int) -> None:
    assert f"deeper than {DEEPEST_LEVEL} levels" in problem(file, "a: " + "[" * depth)


def test_what_is_nested_as_deep_as_allowed_is_read(file: Path) -> None:
    inner = DEEPEST_LEVEL - 1
    file.write_text("a: " + "[" * inner + "]" * inner)
    assert list(read_yaml(file).data) == ["a"]


def test_a_file_too_large_is_refused(file: Path) -> None:
    assert "larger than 1,000,000 bytes" in problem(file, "a: " + "x" * LARGEST_BYTES)


@pytest.mark.parametrize(
    "content",
    [b"a: \xff\xfe\n", "größe: 1\n".encode("latin-1"), b"\x89PNG\r\n\x1a\n\x00\x00", b"\xff\xfea\x00"],
)
def test_what_is_not_utf_8_is_refused(file: Path, content: bytes) -> None:
    assert "not UTF-8" in problem(file, content)


def test_null_bytes_are_refused(file: Path) -> None:
    assert "not valid YAML" in problem(file, b"a: 1\x00\n")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "is a folder")):
        with pytest.raises(RequestError, match=reason) as wrong:
            read_yaml(path)
        assert str(path) in str(wrong.value)


@pytest.mark.parametrize("key", ["1", "true", "2.5", "null", "2026-01-01", "<<", "[a, b]"])
def test_a_key_that_is_no_text_is_refused(file: Path, key: str) -> None:
    sentence = problem(file, f"a: 1\n{key}: {{b: 1}}\n")
    assert sentence.startswith(":2: ")
    assert "is no text; put it in quotes" in sentence


def test_a_huge_whole_number_is_said_in_a_sentence(file: Path) -> None:
    assert "YAML" in problem(file, "a: " + "9" * 5_000 + "\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('a: 1\nb: "x\\ud800"', ":2: holds half a character"),
        ('a: {"\\udc80": 1}', ":1: holds half a character"),
        ("".join(f"k{i}: 1\n" for i in range(60_000)), ":2001: has more than 2,000 keys in one mapping"),
        ("a: [" + "1, " * 20_001 + "1]", ":1: holds more than 20,000 values"),
    ],
)
def test_what_nobody_would_write_is_refused(file: Path, content: str, sentence: str) -> None:
    assert sentence in problem(file, content)


def test_a_pipe_is_refused_and_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(RequestError, match="pipe or a device"):
        read_yaml(file)
