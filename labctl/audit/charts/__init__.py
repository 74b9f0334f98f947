"""One figure for each kind of finding, in plain JSON types; colours that begin with ``$`` are the page's."""

from labctl.audit.charts.drawn import figure

__all__ = ["figure"]
