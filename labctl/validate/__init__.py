"""How far the model of a table or a campaign can be trusted, as values and as a page."""

from pathlib import Path

from labctl.files import write_whole
from labctl.validate.checked import Checked, Constant
from labctl.validate.run import validate_study


def write_page(checked: Checked, path: Path) -> None:
    """Write a validation's page: one HTML file that loads nothing from anywhere.

    Raises:
        RequestError: the file cannot be written.
    """
    from labctl.validate.page import page  # noqa: PLC0415 - plotly takes a moment to import

    write_whole(path, page(checked))


__all__ = ["Checked", "Constant", "validate_study", "write_page"]
