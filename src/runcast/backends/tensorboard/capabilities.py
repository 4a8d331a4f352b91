"""What TensorBoard can hold, and where the rest goes."""

from runcast.plugins import Capabilities, mapped, native

CAPABILITIES = Capabilities(
    params=native(
        "HParams of the same run (text where steps exceed int32); a running server shows the first delivery"
    ),
    typed_params=mapped("exact in runcast.json; HParams shows ints as doubles, lists and None as JSON text"),
    long_values=mapped("whole in runcast.json; HParams shows the first 4096 characters"),
    metrics=native("scalars"),
    float64=mapped("exact in a field of runcast's own; TensorBoard shows the nearest float32"),
    int64=mapped("exact, of any size, in a field of runcast's own; TensorBoard shows the nearest float32"),
    nonfinite=native(),
    any_step=mapped("the file keeps all; where steps go back the default server shows only the later points"),
    metric_times=native("exact to the ns in a field of runcast's own; TensorBoard shows them to 0.25 µs"),
    run_times=native("start and end of the HParams session"),
    status=mapped("HParams success or failure; the exact word in runcast.json"),
    tags=mapped("runcast.json, and a table among the texts"),
    notes=mapped("runcast.json, and a text"),
    text=native("text dashboard"),
    html=mapped("its source in the text dashboard, the file in the run's folder"),
    images=native("images dashboard, captions as text; WebP and arrays as PNG"),
    masks=mapped("drawn onto a second image, <key>/marked; the masks are files in the run's folder"),
    figures=mapped("matplotlib's as images; plotly's as files in the run's folder, named in a text"),
    audio=native("audio dashboard; what is no WAV plays if the browser knows it"),
    video=mapped("arrays and GIFs as GIFs among the images; others as files in the run's folder"),
    tables=mapped("the first 100 rows and 50 columns as text, the whole as a file in the run's folder"),
    histograms=native("histograms and distributions dashboards"),
    objects3d=mapped(
        "meshes, point clouds and .obj in the mesh dashboard; others as files in the run's folder"
    ),
    embeddings=native("projector; a running server notices them when another run begins"),
    graphs=native("graphs dashboard, which shows one per run"),
    plots=mapped("PR curves in their dashboard; the others as images, and tables as text"),
    summaries=mapped(
        "a table among the texts and runcast.json: HParams shows the last value alone, and its description "
        "of metrics would hide the params of other runs"
    ),
    artifacts=mapped("files in the run's folder, metadata and aliases in a text and runcast.json"),
    references=mapped("place and digest in a text and runcast.json"),
    models=mapped("files in the run's folder; signature, example and flavor in a text and runcast.json"),
    inputs=mapped("a text and runcast.json, files in the run's folder"),
    environment=mapped("a table among the texts, runcast.json, files in the run's folder"),
    system=mapped(
        "scalars ~system/..., behind all others, by the number of the sample; show them by their times"
    ),
    traces=mapped("a text each, of which TensorBoard shows a sample; exact in a field of runcast's own"),
    nested=mapped("the parent's id and folder in runcast.json"),
    any_name=native("escaped: lone surrogates, names over 1000 characters, names of TensorBoard's own"),
    exactly_once=native(),
)
