"""The commands; each calls one function of the package. Nothing heavy is imported before it is needed."""

import sys
from collections.abc import Sequence

from labctl.cli.app import app
from labctl.cli.output import complain
from labctl.errors import LabctlError

__all__ = ["main"]

_BROKEN_PIPE = 141
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is said in one sentence."""
    import click  # noqa: PLC0415 - typer has imported it already

    try:
        result = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except LabctlError as error:
        return complain(str(error), error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "labctl"
        return complain(f"{error.format_message().rstrip('.')}; `{where} --help` shows how", 2)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return complain("stopped", _INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return _BROKEN_PIPE
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}; check the path and the disk", 2)
    return result if isinstance(result, int) else 0
