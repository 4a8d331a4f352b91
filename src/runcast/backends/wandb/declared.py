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
    html=native("html-file; captions and metadata in columns of their own, runcast/caption/<key>"),
    images=native("image-file, images/separated; pixels become PNG"),
    masks=native("16-bit masks are kept, but W&B shows 8 bits"),
    figures=native("plotly as plotly-file, matplotlib as a picture"),
    audio=native(),
    video=mapped("files native; frames become a GIF"),
    tables=native("table-file and run_table artifact; charts read the first 10,000 rows"),
    histograms=native("counts and edges, at most 512 bins; sums are not kept"),
    objects3d=mapped("objects and point clouds native; a mesh becomes an OBJ file, or a point cloud"),
    embeddings=mapped("a table with columns D1 to Dn for the 2D projection panel; sprites stay files"),
    graphs=mapped("graph-file of nodes and edges; the GraphDef below files/runcast/media"),
    plots=native("custom charts with W&B's own presets; a curve draws at most 10,000 points"),
    summaries=mapped("define_metric; values in the summary at the run's end, best_step beside best"),
    artifacts=mapped("uploaded by `wandb sync` from runcast's blobs; names and aliases spelled W&B's way"),
    references=mapped("the digest is the sha256 where it is known, which W&B cannot check at a download"),
    models=mapped(
        "artifact of type model, what loads it in its metadata; registered once an online run is uploaded"
    ),
    inputs=mapped("input artifacts, found again by content; context and alias in config runcast.inputs"),
    environment=native("metadata file, requirements.txt, diff.patch; all in config runcast.environment"),
    system=native("W&B's names where it has them; cpu is the whole machine's"),
    traces=mapped("a table of spans, runcast/traces, made at the run's end"),
    nested=mapped("the parent's id is the group, where none is given, and config runcast.parent"),
    any_name=mapped("names that W&B refuses or keeps for itself are escaped; map in config runcast.keymap"),
    exactly_once=mapped(
        "in the folder always; online an upload cut short begins anew with the same _step numbers"
    ),
)
