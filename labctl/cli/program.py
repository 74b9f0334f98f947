"""The program around the commands: whatever goes wrong is said in one sentence, with an exit code."""

import sys
from collections.abc import Sequence

import typer

from labctl.cli.app import app
from labctl.cli.interrupts import INTERRUPTED
from labctl.cli.output import StoppedError, UnsaidError, can_speak, complain, fall_silent
from labctl.errors import LabctlError

# Typer carries its own copy of click, whose errors it exports only in part.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_BROKEN_PIPE = 141


def carry_out(given: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is said in one sentence."""
    given = list(given)
    as_json = "--json" in given
    if not can_speak():
        # Before anything is done that nobody would hear of.
        return complain("stdout is closed; give the output somewhere to go", 2, as_json=False)
    try:
        result = app(args=given, prog_name="labctl", standalone_mode=False)
        sys.stdout.flush()
    except (typer.Exit, StoppedError) as error:
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has left.
        fall_silent()
        return _BROKEN_PIPE
    except UnsaidError as error:
        fall_silent()
        return complain(str(error), 2, as_json=False)
    except (LabctlError, _UsageError, typer.Abort, KeyboardInterrupt, OSError) as error:
        sentence, code = _explained(error)
        return complain(sentence, code, as_json=as_json)
    code = result if isinstance(result, int) else 0
    # Typer makes an interrupt of a command an exit that says nothing.
    return complain("stopped", code, as_json=as_json) if code == INTERRUPTED else code


def _explained(error: BaseException) -> tuple[str, int]:
    """What to tell a person about an error, and the exit code for it."""
    if isinstance(error, LabctlError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}; check the path and the disk", 2
    if isinstance(error, _UsageError):
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "labctl"
        sentence = error.format_message() if hasattr(error, "format_message") else str(error)
        return f"{sentence.rstrip('.')}; `{where} --help` shows how", 2
    return "stopped", INTERRUPTED
