"""What MLflow accepts as a name, and the limits of its slots (measured with MLflow 3.17)."""

from __future__ import annotations

import re

from runcast.names import escape

KEY_LIMIT = 250
PARAM_LIMIT = 6000
TAG_LIMIT = 8000
EXPERIMENT_LIMIT = 250
"""MLflow says 500, PostgreSQL's column holds 256."""
RUN_NAME_LIMIT = 250
"""SQLite takes longer run names, PostgreSQL does not."""
LOCATION_LIMIT = 156
"""What PostgreSQL's column of 200 leaves for an experiment's files, before ``/<run id>/artifacts``."""

# MLflow: characters of ``[/\w.\- :]``, and the name must be its own normal form as a path: no empty,
# ``.`` or ``..`` segment, no slash at either end, and nothing that begins with two dots.
_PATH = r"\A/|/\Z|(?<=/)/|(?<![^/])\.{1,2}(?![^/])|\A\.\."
_KEY = re.compile(rf"[^/\w.\- :]|{_PATH}")
# ``runcast.`` is where this backend keeps its own tags; the others are where MLflow keeps what it has told.
_OWN = r"\Ar(?=uncast\.)|\Am(?=lflow\.(?:runName|note\.content|parentRunId|user)\Z)"
_TAG = re.compile(rf"[^/\w.\- :]|{_PATH}|{_OWN}")
# Names that a database stores but no encoding or URL carries.
_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Artifact paths travel unquoted in URLs, so fewer characters are safe. "@" marks our own versions.
_SEGMENT = re.compile(r"[^\w.\- +,=()]|\A\.{1,2}\Z|\A\.(?=artifact\.uploading\.)|\A | \Z")
_ARTIFACT = re.compile(_SEGMENT.pattern + r"|\A(?:runcast|text|media|images)\Z")
_IMAGE = re.compile(rf"[^\w\-. /]|{_PATH}", re.ASCII)
_MODEL = re.compile(r"[/:.%\"'\x00-\x1f\x7f\ud800-\udfff]")
_REGISTERED = re.compile(rf"[/:\"'\x00-\x1f\x7f\ud800-\udfff]|{_PATH}|\A\s+\Z")
_ALIAS = re.compile(r"[^\w\-]|\A(?:latest|v\d+)\Z", re.IGNORECASE | re.ASCII)
_FILE = re.compile(r"[^\w.\-]|\A\.")


def key(name: str) -> str:
    """The name of a metric or param as MLflow stores it; reversible, see `runcast.names`."""
    return escape(name, _KEY, KEY_LIMIT)


def tag(name: str) -> str:
    """The name of a tag; as `key`, but never one in which this backend puts something else."""
    return escape(name, _TAG, KEY_LIMIT)


def experiment(name: str) -> str:
    """The name of an experiment."""
    return escape(name, _TEXT, EXPERIMENT_LIMIT)


def run_name(name: str) -> str:
    """The name of a run; never empty, since MLflow invents one then."""
    return escape(name, _TEXT, RUN_NAME_LIMIT)


def artifact_name(name: str) -> str:
    """The folder of an artifact; never one of this backend's own, and without a slash."""
    return _short(name, _ARTIFACT)


def artifact_path(path: str) -> str:
    """A relative POSIX path among the artifacts, segment by segment; it cannot leave its folder."""
    return "/".join(_short(segment, _SEGMENT) for segment in path.split("/"))


def file_name(name: str, limit: int = 200) -> str:
    """One file name without a slash; `limit` in characters, at least 32."""
    return _short(name, _FILE, limit)


def _short(name: str, illegal: re.Pattern[str], limit: int = 200) -> str:
    # File systems count bytes, 255 at most, and a character may take four.
    return escape(name, illegal, limit if name.isascii() else min(limit, 50))


def conflict_tag(native: str) -> str:
    """The tag that holds a param's later value, where MLflow keeps the first."""
    return own_tag("runcast.param.", native)


def image_key(name: str) -> str:
    """The key of an image in MLflow's image grid, before ``/`` becomes ``~`` in its file name."""
    return escape(name, _IMAGE, 120)


def model(name: str) -> str:
    """The name of a logged model."""
    return escape(name, _MODEL, 250)


def registered_model(name: str) -> str:
    """The name of a registered model."""
    return escape(name, _REGISTERED, 250)


def alias(name: str) -> str:
    """An alias of a registered model's version."""
    return escape(name, _ALIAS, 250)


def own_tag(prefix: str, native: str) -> str:
    """A tag of this backend's own that speaks of a metric or param."""
    return prefix + escape(native, _KEY, KEY_LIMIT - len(prefix))
