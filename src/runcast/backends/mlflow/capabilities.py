"""What MLflow holds of a run, and in which form."""

from __future__ import annotations

from runcast.plugins import Capabilities, mapped, native

_FILE = "an artifact file in media/<type>/<key>/"

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
    html=mapped(f"{_FILE}, which MLflow shows as a page"),
    images=native("in the image grid, by step; the images of a list are <key>/0, <key>/1; captions are kept"),
    masks=mapped("drawn onto a second image, <key>/marked; masks are files beside it as well"),
    figures=native("as log_figure: a PNG, or for plotly a page that draws it"),
    audio=mapped(_FILE),
    video=mapped(f"{_FILE}; arrays as GIF as well"),
    tables=native("as log_table: MLflow's load_table reads them"),
    histograms=mapped(f"bins as JSON, and a drawing, {_FILE}; raw values beside it"),
    objects3d=mapped(_FILE),
    embeddings=mapped(_FILE),
    graphs=mapped(_FILE),
    plots=mapped(f"numbers as JSON, and a drawing, {_FILE}"),
    summaries=mapped("the tag runcast.summary.<metric>, when the run ends"),
    artifacts=mapped(
        "files in <name>/, later versions in <name>@v2/; aliases and metadata in runcast/artifacts/"
    ),
    references=mapped("listed in runcast/artifacts/<name>.json"),
    models=native(
        "a logged model of MLflow's flavor, registered with aliases; a state dict alone has no flavor"
    ),
    inputs=native("a logged model that is in the same MLflow as one; all else as dataset inputs"),
    environment=mapped("mlflow.source.* tags; the rest and all files in runcast/environment/"),
    system=native("system/..., in MLflow's names and units; the step is the second of the run"),
    traces=native("with the original ids and times; floats that JSON lacks are tagged"),
    nested=native(),
    any_name=mapped("characters that MLflow refuses become _x<hex>_; the map is the tag runcast.keymap"),
    exactly_once=native("the tag runcast.cursor says what MLflow has"),
)
