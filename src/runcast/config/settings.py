"""What can be set, with units and allowed words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who trains, with what; the selector's questions. Each may be left open.

    Attributes:
        team_size: ``small`` is 2 to 10 people, ``large`` more.
        budget: what trackers may cost.
        hosting: where they may run.
        framework: what models are made with.
    """

    team_size: Literal["individual", "small", "large"] | None = None
    budget: Literal["free", "limited", "enterprise"] | None = None
    hosting: Literal["cloud", "self-hosted", "either"] | None = None
    framework: Literal["pytorch", "tensorflow", "sklearn", "mixed"] | None = None


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What runs must be called and labelled; checked by `runcast.start`.

    Attributes:
        required_tags: names of tags that a run that is not nested is started with.
        experiment: regular expression that the whole name of the experiment matches; "": any name.
        name: the same for the run's own name, which then must be given.
        on_violation: warn, or refuse to start.
    """

    required_tags: list[str] = []
    experiment: str = ""
    name: str = ""
    on_violation: Literal["warn", "error"] = "warn"


TABLES: dict[str, type[msgspec.Struct]] = {"profile": Profile, "rules": Rules}
"""Settings that are tables of a fixed form."""
Part = Literal["git", "command", "python", "packages", "machine", "gpu"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What `Settings.capture` may name; ``docs/capture.md`` says what each records."""


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a run goes to one backend; ``docs/routing.md`` has the rules.

    Attributes:
        include: patterns, shell style; where any is given, only names that one of them matches go there.
        exclude: patterns of names that do not go there.
        rename: name, or pattern with one ``*`` → what it is called there.
        every: only steps that are a multiple of this go there.
        sample: share of the points that go there, drawn by a hash of name and step.
    """

    include: list[str] = []
    exclude: list[str] = []
    rename: dict[str, str] = {}
    every: Annotated[int, msgspec.Meta(ge=1)] = 1
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a model version may enter a stage; ``docs/registry.md`` has the words of conditions.

    Attributes:
        stages: in the order in which a version goes through them; each is an alias of one version.
        requires: stage → conditions on metrics, such as ``auc >= 0.95`` or ``auc >= production - 0.01``.
        tags: stage → tags that a version must have, such as ``reviewed`` or ``task=fraud``.
        approval: stages that somebody must agree to.
        lower_is_better: names of metrics.
        in_order: a version must have been in the stage before.
        archive: the version that leaves the last stage is archived.
    """

    stages: list[str] = msgspec.field(default_factory=lambda: ["staging", "production"])
    requires: dict[str, list[str]] = {}
    tags: dict[str, list[str]] = {}
    approval: list[str] = []
    lower_is_better: list[str] = []
    in_order: bool = True
    archive: bool = True


class RegistrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What concerns the model registries.

    Attributes:
        policy: see `Policy`.
    """

    policy: Policy = msgspec.field(default_factory=Policy)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """runcast's own settings; a backend's options stand under the backend's name.

    Attributes:
        dir: folder of journals, blobs and catalog; relative to the project's folder.
        backends: names of the trackers that a run goes to, in order; empty: the caller chooses.
        delivery: who carries records: a process, a thread (notebooks), or ``runcast deliver`` later.
        durability: ``kernel``: a record survives the death of the process; ``fsync``: of the machine.
        ranks: which processes of a distributed job log.
        finish_timeout: seconds that the end of a run waits for delivery, at most.
        strict: raise on misuse instead of warning; for tests.
        redact: further names whose values are secrets, shell style (``*_pin``).
        enabled: False: every call is accepted and does nothing.
        capture: what a run records of its surroundings by itself; ``false`` for nothing.
        system_interval: seconds between two looks at the machine (`runcast.records.System`); 0: none.
        energy: ISO code of the country, three letters, whose electricity `energy/*` is reckoned with by
            codecarbon; empty: no reckoning.
        routes: backend → what goes there, see `Route`.
        profile: see `Profile`.
        registry: see `RegistrySettings`.
        rules: see `Rules`.
    """

    dir: Annotated[str, msgspec.Meta(min_length=1)] = ".runcast"
    backends: list[str] = []
    delivery: Literal["process", "thread", "later"] = "process"
    durability: Literal["kernel", "fsync"] = "kernel"
    ranks: Literal["zero", "all"] = "zero"
    finish_timeout: Annotated[float, msgspec.Meta(ge=0, le=604_800)] = 30.0
    strict: bool = False
    redact: list[str] = []
    enabled: bool = True
    capture: list[Part] = msgspec.field(default_factory=lambda: list(PARTS))
    system_interval: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 15.0
    energy: Annotated[str, msgspec.Meta(pattern="^([A-Z]{3})?$")] = ""
    routes: dict[str, Route] = {}
    profile: Profile = Profile()
    registry: RegistrySettings = msgspec.field(default_factory=RegistrySettings)
    rules: Rules = Rules()


@dataclass(frozen=True)
class Config:
    """Settings and where each came from.

    Attributes:
        settings: runcast's own.
        base: absolute folder that relative paths of every layer are relative to: that of the project's
            file, else the current one.
        options: backend → its raw options; not yet validated, may hold secrets.
        origins: ``"dir"`` or ``"mlflow.uri"`` → ``argument``, the variable, the file, or ``default``.
        files: the files that were read.
        ignored: ``RUNCAST_*`` variables that nothing claims.
    """

    settings: Settings
    base: Path
    options: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    origins: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def dir(self) -> Path:
        """The absolute folder of journals, blobs and catalog."""
        return self.base / self.settings.dir
