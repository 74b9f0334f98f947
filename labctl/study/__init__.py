"""Tables and campaigns as something to validate and audit."""

from labctl.study.find import find_study
from labctl.study.from_campaign import of_campaign
from labctl.study.from_table import of_table
from labctl.study.study import Study, feature_names

__all__ = ["Study", "feature_names", "find_study", "of_campaign", "of_table"]
