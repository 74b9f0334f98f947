"""A file of limits that is cut, damaged or gone allows nothing, or still means limits; no check crashes."""

import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from labctl_drivers.guard import Guard
from labctl_drivers.guard_file import Book, FileRefusedError, book_of
from labctl_drivers.limits import Limits, LimitsError, load_limits
from labctl_drivers.limits_file import Within

FLIPS = 250


def controller_s(path: Path) -> Limits | None:
    try:
        return load_limits(path)
    except LimitsError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert sentence.startswith(str(path))
    return None


def driver_s(content: bytes) -> Book | None:
    try:
        return book_of(content)
    except FileRefusedError as error:
        sentence = str(error)
    assert "\n" not in sentence
    return None


def mean_the_same(book: Book, limits: Limits) -> bool:
    never = tuple(
        {
            name: (what.above, what.below, what.unit) if isinstance(what, Within) else frozenset(what)
            for name, what in combination.items()
        }
        for combination in limits.forbidden
    )
    return (
        book.ranges == {name: (one.low, one.high, one.unit) for name, one in limits.limits.items()}
        and book.free == limits.unlimited
        and book.speeds
        == {name: (one.at_most, one.unit, one.set_by or "") for name, one in limits.rates.items()}
        and book.never == never
    )


def look_at(content: bytes, path: Path, lab: SimpleNamespace) -> tuple[bool, bool]:
    """Whether each of the two checks takes a damaged file for limits."""
    path.write_bytes(content)
    limits, book = controller_s(path), driver_s(content)
    guard = Guard(path)
    said = guard(lab.good, lab.units)
    assert said is None or "\n" not in said
    if limits is None:
        assert said is not None, content
    if limits is not None and book is not None:
        assert mean_the_same(book, limits), content
        assert not limits.violations(lab.good, lab.units) or said is not None
    # Nothing passes that has no limits, whatever became of the file.
    assert guard({"pressure": 1.0}, {"pressure": "bar"}) is not None
    return limits is not None, book is not None


def test_a_file_cut_at_any_length_is_refused_or_still_means_limits(
    tmp_path: Path, lab: SimpleNamespace
) -> None:
    whole = lab.limits.encode()
    path = tmp_path / "lab.yaml"
    read = [look_at(whole[:length], path, lab) for length in range(len(whole) + 1)]
    assert read[-1] == (True, True)
    assert read[0] == (False, False)
    assert sum(by_controller for by_controller, _ in read) < len(whole) / 3


def test_a_file_with_flipped_bits_is_refused_or_still_means_limits(
    tmp_path: Path, lab: SimpleNamespace
) -> None:
    draw = random.Random(5)  # noqa: S311 - it only picks bits
    path = tmp_path / "lab.yaml"
    whole = lab.limits.encode()
    for number in range(FLIPS):
        content = bytearray(whole)
        for _ in range(1 + number % 3):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        look_at(bytes(content), path, lab)


def test_a_file_with_bytes_put_in_and_taken_out_is_too(tmp_path: Path, lab: SimpleNamespace) -> None:
    draw = random.Random(6)  # noqa: S311 - it only picks places
    path = tmp_path / "lab.yaml"
    whole = lab.limits.encode()
    signs = [bytes([one]) for one in b"{}[]:,&*!|>'\"%@`#-?\t\n\\0eE._~\x00\xff"] + [
        "²".encode(),
        b"\xc2\x85",
    ]
    for _ in range(FLIPS):
        content, place = whole, draw.randrange(len(whole))
        content = content[:place] + draw.choice(signs) + content[place + draw.randrange(3) :]
        look_at(content, path, lab)


def test_limits_that_vanish_or_change_between_two_questions_are_noticed(
    limits_file: Path, lab: SimpleNamespace
) -> None:
    guard = Guard(limits_file)
    assert guard(lab.good, lab.units) is None
    whole = limits_file.read_text()
    limits_file.write_text(whole.replace("high: 1200", "high: 1.20"))
    assert "cannot be used" in str(guard(lab.good, lab.units))
    limits_file.write_text(whole.replace("high: 1200", "high: 400.0"))
    assert guard(lab.good, lab.units) == (
        "temperature = 450.0 degC lies outside 20.0 to 400.0 degC (lab.yaml)"
    )
    limits_file.write_text(whole)
    assert guard(lab.good, lab.units) is None
    limits_file.unlink()
    said = guard(lab.good, lab.units)
    assert said == (
        "the lab's limits cannot be used: it cannot be opened (No such file or directory); "
        "nothing may move (lab.yaml)"
    )


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, lab: SimpleNamespace) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large = tmp_path / "large"
    large.write_bytes(b"limits: {}\n#" + b"x" * 300_000)
    for path, why in (
        (pipe, "it is no regular file"),
        (tmp_path, "it is no regular file"),
        (Path("/dev/zero"), "it is no regular file"),
        (large, "it is larger than 200000 bytes"),
        (tmp_path / "no\0name", "it cannot be opened"),
    ):
        assert why in str(Guard(path)(lab.good, lab.units))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(limits_file: Path, lab: SimpleNamespace) -> None:
    limits_file.chmod(0)
    assert "it cannot be opened (Permission denied)" in str(Guard(limits_file)(lab.good, lab.units))
