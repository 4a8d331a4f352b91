"""What ``runcast reproduce`` and the script that it starts tell each other: one variable, and one file.

The script runs in another folder than the run that is reproduced, and perhaps in another environment. Here
its new run is told to go where the old one went, to take the recorded seed, and to say who it is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runcast.config import Config, load
from runcast.errors import ConfigError
from runcast.notices import warn

if TYPE_CHECKING:
    from runcast.run import Run

VARIABLE = "RUNCAST_REPRODUCE"
TAG = "runcast.reproduces"
"""Tag of the new run; its value is the id of the old one."""


class Reproduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the script is told.

    Attributes:
        run: id of the run that is reproduced.
        experiment: of that run.
        name: of that run; None where it was made up, so that the new one's will differ.
        nested: whether that run has a parent.
        dir: absolute folder of journals, where the new run goes too.
        base: absolute folder that relative options of backends are relative to, as they were then.
        seeds: every seed that was recorded.
        note: file that gets the ids of new runs, one a line.
    """

    run: str
    experiment: str
    name: str | None
    nested: bool
    dir: str
    base: str
    seeds: list[int]
    note: str

    def settle(
        self, arguments: Mapping[str, Any], resume: str | Mapping[str, Any] | None
    ) -> tuple[Config, None]:
        """The configuration for this process; nothing is resumed, because the old run stays as it is."""
        if resume is not None:
            warn("runcast reproduce: resume= does not count, so that the old run stays as it is")
        config = load({**arguments, "dir": self.dir, "enabled": True})
        return dataclasses.replace(config, base=Path(self.base)) if self.base else config, None

    def mark(self, run: Run, name: str | None, parent: str | None) -> None:
        """Link the new run to the old one, where it is that one's double."""
        if run.experiment != self.experiment or (parent is not None) != self.nested or name != self.name:
            return
        run.set_tags({TAG: self.run})
        with Path(self.note).open("a") as file:
            file.write(f"{run.id}\n")

    def seed(self, wanted: int) -> int:
        """The seed to take: `wanted` where it was recorded, else the one that was."""
        if not self.seeds or wanted in self.seeds:
            return wanted
        warn(f"runcast reproduce: the script asks for seed {wanted}; it gets {self.seeds[-1]}, as recorded")
        return self.seeds[-1]


def reproduction() -> Reproduction | None:
    """What this process was told; None where it was started by somebody else.

    Raises:
        ConfigError: the variable holds something else.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Reproduction)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{VARIABLE} is set by `runcast reproduce` alone; unset it ({error})") from None


def environment(told: Reproduction) -> dict[str, str]:
    """Variables for the script."""
    found = {VARIABLE: msgspec.json.encode(told).decode()}
    if told.seeds:
        found["PYTHONHASHSEED"] = str(told.seeds[0])
    return found
