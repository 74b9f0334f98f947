"""Writes a sheet with the settings of experiments and empty cells for their results."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.export import safe
from labctl.files import write_whole
from labctl.sheet.columns import REMARKS, headers
from labctl.space.parameters import Continuous, Parameter
from labctl.space.shown import setting_text
from labctl.state import Experiment
from labctl_drivers.protocol import Setting


def write_sheet(path: Path, experiments: Sequence[Experiment], config: CampaignConfig) -> None:
    """Write a row for each experiment, with empty cells for its results.

    Settings are written with the digits that matter; the ledger keeps all of them.

    Raises:
        RequestError: the file exists, since it may hold results, or cannot be written.
    """
    refuse_overwriting(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([safe(header) for header in headers(config)])
    blank = [""] * (len(config.model.objectives) + len(REMARKS))
    for e in experiments:
        recipe = [safe(_shown(p, e.proposal.recipe[n])) for n, p in config.model.parameters.items()]
        writer.writerow([e.id, *recipe, *blank])
    # The mark at the beginning makes Excel read the text as UTF-8.
    write_whole(path, text.getvalue().encode("utf-8-sig"))


def refuse_overwriting(path: Path) -> None:
    """Look whether a sheet can be written here, before anything is proposed for it.

    Raises:
        RequestError: there is a file already, or no folder.
    """
    if path.exists():
        raise RequestError("exists, and may hold results; name another file", file=path)
    if not path.resolve().parent.is_dir():
        raise RequestError("cannot be written, since there is no such folder; make it first", file=path)


def _shown(parameter: Parameter, value: Setting) -> Setting:
    return float(setting_text(parameter, value)) if isinstance(parameter, Continuous) else value
