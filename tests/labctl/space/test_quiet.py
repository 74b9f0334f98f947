"""What C prints during a solve must not reach stdout, where an answer is read."""

import subprocess
import sys

import pytest

from labctl.space.quiet import off_stdout

_SAYS = """
import ctypes, os
from labctl.space.quiet import off_stdout
c = ctypes.CDLL(None)
c.puts(b"before")
with off_stdout():
    c.puts(b"inside")
c.puts(b"after")
print('{"answer": 1}')
"""
_CLOSED = """
import os
os.close(1)
from labctl.space.quiet import off_stdout
with off_stdout():
    pass
os.write(2, b"done")
"""


def run(program: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the C library of a process has no name on Windows")
def test_lines_from_c_go_to_stderr_and_others_stay() -> None:
    out, err = run(_SAYS)
    assert sorted(out.split("\n")) == ["", "after", "before", '{"answer": 1}']
    assert err == "inside\n"


def test_a_closed_stdout_is_left_alone() -> None:
    assert run(_CLOSED) == ("", "done")


def test_stdout_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no way"), off_stdout():
        raise ValueError("no way")
    print("here")  # noqa: T201 - what is looked at
    assert capfd.readouterr().out == "here\n"
