"""Tables and campaigns as something to validate and audit."""

from labctl.study.from_campaign import of_campaign
from labctl.study.from_table import of_table
from labctl.study.study import Study, feature_names

__all__ = ["Study", "feature_names", "of_campaign", "of_table"]
