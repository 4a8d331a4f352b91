"""What a run should know of its surroundings by itself: code, command, packages, machine.

`at_start` is for the training thread: no process, no import, under a millisecond. `collect` does the rest,
in the courier; both say nothing where there is nothing to say, and neither raises.
"""

from runcast.capture.collect import Job, at_start, collect

__all__ = ["Job", "at_start", "collect"]
