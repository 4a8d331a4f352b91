"""What W&B holds, through the folder that runcast writes."""

from __future__ import annotations

from runcast.plugins import Capabilities, mapped, native

_AXES = "rows must grow: other steps stand in a column runcast/step/<key>, made their axis by define_metric"

CAPABILITIES = Capabilities(
    params=native("config"),
    typed_params=native("in the file; uploaded, 6.0 becomes 6; NaN and infinities are text"),
    long_values=mapped("config of any length; tags over 64 characters go to config runcast.tags"),
    metrics=native("history; records of one step become one row"),
    float64=native(),
    int64=native("integers beyond 64 bits become floats"),
    nonfinite=native("as JSON tokens NaN and Infinity"),
    any_step=mapped(_AXES),
    metric_times=mapped("one time per row, the last of its records; seconds as a double"),
    run_times=mapped("in the file; a server sets its own creation date, _runtime and _timestamp stay"),
    status=mapped("exit code 0, 1 or 255; the exact word in config runcast.status"),
    tags=mapped("'name:value', or 'name' where the value is empty"),
    notes=native(),
    text=mapped("a text in history; over 100,000 characters a file below files/runcast/text"),
    artifacts=mapped("uploaded by `wandb sync` from runcast's blobs; names and aliases spelled W&B's way"),
    nested=mapped("the parent's id is the group, where none is given, and config runcast.parent"),
    any_name=mapped("names that W&B refuses or keeps for itself are escaped; map in config runcast.keymap"),
    exactly_once=mapped(
        "in the folder always; online an upload cut short begins anew with the same _step numbers"
    ),
)
