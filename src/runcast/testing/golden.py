"""Record streams that every backend must be able to carry: one kind of story each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
    Trace,
)
from runcast.testing import hostile, samples

START = 1_700_000_000_000_000_000
"""ns since 1970 of the first record."""
TICK = 3_000_001
"""ns between two records: more than a millisecond, and no whole number of them."""


@dataclass
class Story:
    """What the processes of one run say, in order.

    Attributes:
        said: (process, record); ``main`` began the run, ``worker`` was forked from it, ``later``
            resumes it, ``courier`` speaks for a dead one.
        files: sha256 → content, for artifacts.
    """

    said: list[tuple[str, Record]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def say(self, make: Callable[..., Record], process: str = "main", **fields: Any) -> Story:
        """One more record, a tick later than the one before."""
        self.said.append((process, make(time=self.now, **fields)))
        return self

    @property
    def now(self) -> int:
        """Time of the next record."""
        return START + len(self.said) * TICK

    def start(self, process: str = "main", **fields: Any) -> Story:
        """A process begins."""
        told = {"run": "", "experiment": "digits", "name": "sgd", "user": "ada", "host": "box", **fields}
        return self.say(RunStarted, process, **told)

    def metrics(self, step: int, process: str = "main", /, **values: Any) -> Story:
        """Numbers at one step; ``__`` in a name is ``/``."""
        named = {name.replace("__", "/"): value for name, value in values.items()}
        return self.say(Metrics, process, step=step, values=named)

    def text(self, key: str, step: int, text: str) -> Story:
        """A text at a step."""
        return self.say(Media, key=key, step=step, type="text", text=text)

    def artifact(self, name: str, content: Mapping[str, bytes], **fields: Any) -> Story:
        """Files under a name."""
        refs = [self.file(path, data) for path, data in sorted(content.items())]
        lines = "".join(f"{ref.path}\0{ref.sha256}\n" for ref in refs)
        digest = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        return self.say(
            Artifact, name=name, type=fields.pop("type", "file"), files=refs, digest=digest, **fields
        )

    def file(self, path: str, content: bytes) -> FileRef:
        """A file of an artifact."""
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        return FileRef(path, digest, len(content))

    def finish(self, status: Any = "finished", process: str = "main", **fields: Any) -> Story:
        """A process ends."""
        return self.say(RunFinished, process, status=status, **fields)

    def renamed(self, **fields: Any) -> Story:
        """The same story with other fields in each first record."""
        said = [
            (process, msgspec.structs.replace(record, **fields) if isinstance(record, RunStarted) else record)
            for process, record in self.said
        ]
        return Story(said, dict(self.files))


def small() -> Story:
    """What a first script says."""
    story = Story().start().say(Params, values={"lr": 0.1, "optimizer": "sgd"})
    return story.metrics(0, loss=1.0).metrics(1, loss=0.5).finish()


def training() -> Story:
    """Three epochs: training numbers by step, validation by epoch's end, settings, labels, prose."""
    story = Story().start(group="g", job_type="train")
    settings = {"lr": 0.1, "layers": [64, 10], "amp": True, "seed": 7, "resume": None, "opt/beta": 0.9}
    story.say(Params, values=settings).say(Tags, values={"task": "classification", "quick": ""})
    story.say(Note, text="first try")
    for step in range(24):
        story.metrics(step, train__loss=1 / (step + 1), train__lr=0.1 * 0.9**step)
        if step % 8 == 7:
            story.metrics(step, val__loss=1.1 / (step + 1), val__correct=90 + step)
            story.text("sample", step, f"after {step} steps\n**bold**")
    return story.say(Tags, values={"task": "digits"}).say(Note, text="it worked").finish()


def varied() -> Story:
    """One record of each kind, as short as can be."""
    story = Story().start().say(Params, values={"lr": 0.1, "n": 3}).metrics(0, a=1.5, b=2.0)
    story.say(Tags, values={"t": "1", "u": ""}).text("hello", 0, "world").say(Note, text="why")
    story.artifact("m", {"w.bin": b"\0\1"}, type="model", aliases=["best"], metadata={"epoch": 1})
    story.metrics(1, a=0.5).say(Params, values={"late": "x"})
    story.say(Lost, key="x", reason="no number", count=2).metrics(2, a=0.25, b=1.0)
    return story.finish("failed", error="ValueError: no")


def steps() -> Story:
    """Steps that repeat, go back and are negative; a forked worker logs too."""
    story = Story().start()
    for number, step in enumerate(hostile.STEPS):
        story.metrics(step, loss=number / 8)
    for step in range(3):
        story.metrics(step, "worker", worker__load=step / 4)
    return story.finish()


def resumed() -> Story:
    """It died, its courier said so, another process went on, and went back a step for it."""
    story = Story().start().say(Params, values={"lr": 0.1}).metrics(0, loss=1.0).metrics(1, loss=0.5)
    story.finish("crashed", "courier", of="main", error="the process ended without a word")
    story.start("later", resumed=True).metrics(1, "later", loss=0.4).metrics(2, "later", loss=0.3)
    return story.finish("finished", "later")


def crashed() -> Story:
    """It died in the middle; the courier had the last word."""
    story = Story().start().metrics(0, loss=1.0).say(Tags, values={"a": "b"}).metrics(1, loss=0.5)
    return story.finish("crashed", "courier", of="main", error="the process ended without a word")


def empty() -> Story:
    """It began and ended."""
    return Story().start().finish()


def killed() -> Story:
    """A person stopped it."""
    return Story().start().metrics(0, loss=1.0).finish("killed", error="KeyboardInterrupt: ")


def artifact() -> Story:
    """Folders, an empty file, all bytes there are, a second version of one name."""
    story = Story().start()
    story.artifact("data", {"a/b/c.txt": b"deep", "empty": b"", "raw.bin": bytes(range(256))}, type="dataset")
    story.artifact("model", {"w.bin": b"one"}, type="model", aliases=["best"], metadata={"acc": 0.5})
    story.metrics(0, loss=1.0)
    story.artifact("model", {"w.bin": b"two", "more.json": b"{}"}, type="model", aliases=["best", "v2"])
    return story.finish()


def long() -> Story:
    """Values far beyond what a database column takes."""
    story = Story().start().say(Params, values={"prompt": "p" * 20_000, "ids": list(range(3000))})
    story.say(Tags, values={"wide": "t" * 10_000}).say(Note, text="note " * 5000)
    story.text("essay", 0, "word " * 30_000).metrics(0, **{f"layer{n}/norm": n / 7 for n in range(1500)})
    return story.finish()


def names() -> Story:
    """Every hostile name, as a metric, param, tag, text and artifact."""
    story = Story().start(experiment="näm es/..", name="../r#n\n1")
    story.say(Metrics, step=0, values={name: float(n) for n, name in enumerate(hostile.NAMES)})
    story.say(Params, values={name: n for n, name in enumerate(hostile.NAMES)})
    story.say(Tags, values={name: str(n) for n, name in enumerate(hostile.NAMES)})
    for n, name in enumerate(hostile.NAMES):
        story.say(Media, key=f"t/{name}", step=0, type="text", text=str(n))
    for n, name in enumerate(name for name in hostile.NAMES if name and "/" not in name):
        story.artifact(name, {"f": str(n).encode()})
    story.artifact("paths", {path: path.encode() for path in hostile.PATHS})
    return story.finish()


def values() -> Story:
    """Every hostile value, in names that hide nothing."""
    story = Story().start()
    for step in range(2):
        story.say(Metrics, step=step, values={f"v{n}": value for n, value in enumerate(hostile.NUMBERS)})
    story.say(Params, values={f"p{n}": value for n, value in enumerate(hostile.SETTINGS)})
    story.say(Tags, values={"nul": "a\0b", "half": "\ud800", "lines": "a\nb", "wide": "日本😀"})
    return story.text("t", 0, "é\n😀\t\\n").say(Note, text="é\n😀\t\\n").finish()


def media() -> Story:
    """A value of each type that is no number, twice each, the second time with the same content."""
    story = Story().start()
    for step in range(2):
        for key, type_, files, data in samples.media():
            refs = [story.file(path, content) for path, content in files]
            text = "<b>hello</b>" if type_ == "html" else None
            story.say(
                Media, key=key, step=step, type=type_, text=text, file=refs[0] if refs else None,
                files=refs[1:], data=data, caption=f"{key} at {step}",
            )  # fmt: skip
        story.metrics(step, loss=0.5)
    return story.finish()


def everything() -> Story:
    """One record of each kind that is neither a number nor a picture."""
    story = Story().start(origin={"tracker": "other", "id": "abc", "extra": {"sweep": "s1"}})
    story.say(Environment, values=samples.ENVIRONMENT, files=[story.file("diff.patch", b"--- a\n+++ b\n")])
    story.say(Define, key="val/acc", goal="maximize", summary=["max", "last"])
    story.say(Input, **samples.dataset())
    for step in range(3):
        story.metrics(step, val__acc=0.5 + step / 10)
        story.say(System, values={"cpu/percent": 12.5 + step, "memory/used": 1024 * (step + 1)})
    story.say(Trace, **samples.trace(story.now))
    story.say(Model, **samples.model(story))
    remote = FileRef("big.bin", "", 0, uri="s3://bucket/big.bin")
    story.say(
        Artifact, name="remote", type="dataset", files=[remote], digest=hashlib.sha256(b"remote").hexdigest(),
        aliases=["best"], metadata={"rows": 3}, description="far away",
    )  # fmt: skip
    return story.metrics(3, val__acc=0.7).finish()


STORIES: Mapping[str, Callable[[], Story]] = {
    story.__name__: story
    for story in (
        small, training, varied, steps, resumed, crashed, killed, empty, artifact, long, names, values,
        media, everything,
    )
}  # fmt: skip
"""Name → the function that tells it anew."""

PLAIN: Sequence[str] = tuple(name for name in STORIES if name not in ("names", "long"))
"""The short ones."""
