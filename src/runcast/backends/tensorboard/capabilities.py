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
    artifacts=mapped("files in the run's folder, metadata and aliases in runcast.json"),
    nested=mapped("the parent's id and folder in runcast.json"),
    any_name=native("escaped: lone surrogates, names over 1000 characters, names of TensorBoard's own"),
    exactly_once=native(),
)
