"""The sheet that a person fills in: one row an experiment, written as CSV and read back as results."""

from labctl.sheet.results import Recorded, record_sheet
from labctl.sheet.write import refuse_overwriting, write_sheet

__all__ = ["Recorded", "record_sheet", "refuse_overwriting", "write_sheet"]
