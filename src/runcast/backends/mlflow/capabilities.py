"""What MLflow holds of a run, and in which form."""

from __future__ import annotations

from runcast.plugins import Capabilities, mapped, native

CAPABILITIES = Capabilities(
    params=native("the first value of a name; a later one is the tag runcast.param.<name>"),
    typed_params=mapped("as text, as MLflow's own client does; types are in runcast/residual.jsonl"),
    long_values=mapped(
        "beyond 6000 (param) or 8000 (tag) characters: shortened, and whole as an artifact file"
    ),
    metrics=native("equal points of one step and millisecond are one point; integers come back as floats"),
    float64=native("except the sign of -0.0"),
    int64=mapped("as a float; integers that no float holds and booleans are exact in runcast/residual.jsonl"),
    nonfinite=mapped("NaN natively; infinities as the largest float, exact in runcast/residual.jsonl"),
    any_step=native(),
    metric_times=native("to the millisecond, from 1970 on"),
    run_times=native("to the millisecond"),
    status=mapped("crashed is FAILED; the exact word is the tag runcast.status"),
    tags=native(),
    notes=native("up to 8000 characters; a longer one is a file as well"),
    text=mapped("the artifact file text/<key>/<step>.txt"),
    artifacts=mapped(
        "files in <name>/, later versions in <name>@v2/; aliases and metadata in runcast/artifacts/"
    ),
    nested=native(),
    any_name=mapped("characters that MLflow refuses become _x<hex>_; the map is the tag runcast.keymap"),
    exactly_once=native("the tag runcast.cursor says what MLflow has"),
)
