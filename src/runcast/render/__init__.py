"""Media as trackers show them: pictures, animations, bins and charts out of what the journal keeps.

Pure functions for backends, on the courier's side: a file or a record in, bytes or plain values out.
They trust nothing that they read: arrays are loaded without pickles, and only where the header agrees
with the size of the file. NumPy and Pillow are imported where they are needed, never before.

Every function raises `runcast.errors.Reject` for content of another form than ``docs/media.md`` says, and
where an optional package is missing (the message names the extra).
"""

from runcast.render.charts import chart, svg
from runcast.render.marks import has_marks, marked
from runcast.render.numbers import histogram, table
from runcast.render.pictures import gif, grid, png

__all__ = ["chart", "gif", "grid", "has_marks", "histogram", "marked", "png", "svg", "table"]
