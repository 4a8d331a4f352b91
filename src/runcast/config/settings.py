"""What can be set, with units and allowed words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

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
        profile: see `Profile`.
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
    profile: Profile = Profile()


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
