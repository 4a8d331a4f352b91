"""Media as trackers show them: pictures, animations and bins out of what the journal keeps."""

from runcast.render.numbers import histogram, table
from runcast.render.pictures import gif, grid, png

__all__ = ["gif", "grid", "histogram", "png", "table"]
