"""A campaign as one page that opens without a network, and as one picture."""

from pathlib import Path

from labctl.files import write_whole
from labctl.report.page import page
from labctl.view import View


def write_report(view: View, path: Path) -> None:
    """Write a campaign's page: one HTML file that loads nothing from anywhere.

    Raises:
        RequestError: the file cannot be written.
    """
    write_whole(path, page(view))


__all__ = ["page", "write_report"]
