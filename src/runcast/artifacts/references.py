"""Files of an artifact that stay where they are: a URI, with a digest where somebody knows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from runcast.artifacts.paths import refusal
from runcast.errors import UsageError
from runcast.records import FileRef
from runcast.redact import redact_text

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNED = re.compile(
    r"(^|[&;])(x-amz-|x-goog-|sig=|signature=|se=|token=|access_token=|key=|password=|awsaccesskeyid=|expires=)",
    re.IGNORECASE,
)
"""Queries that are a permission rather than an address (S3, Google, Azure and their like)."""


@dataclass(frozen=True)
class Reference:
    """A file that an artifact names but does not hold.

    Attributes:
        uri: where it is: ``s3://…``, ``https://…``, ``file://…``, ... A password in it, and a query that
            grants access, are left out of the record.
        sha256: digest of the content, 64 hex digits, where it is known. Without it, the URI alone tells two
            versions apart.
        size: bytes, where known.
        path: its place in the artifact; the URI's last part where left out.
    """

    uri: str
    sha256: str = ""
    size: int = 0
    path: str = ""


def is_uri(text: object) -> bool:
    """Whether this is a URI rather than a path."""
    return isinstance(text, str) and _SCHEME.match(text) is not None


def public_uri(uri: str) -> str:
    """The URI without password, fragment, and any query that grants access."""
    try:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return redact_text(uri)
    query = "" if _SIGNED.search(parts.query) else parts.query
    return redact_text(urlunsplit((parts.scheme, host, parts.path, query, "")))


def local_path(uri: str) -> Path | None:
    """The path behind a ``file://`` URI of this machine; None for any other."""
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path))


def reference(given: Reference | str) -> FileRef:
    """The file of an artifact that stands for a reference.

    Raises:
        UsageError: it is no URI, its digest is none, or its path leads out of the artifact.
    """
    wanted = given if isinstance(given, Reference) else Reference(given)
    if not is_uri(wanted.uri):
        raise UsageError(f"{redact_text(str(wanted.uri))!r} is no URI, such as s3://bucket/key")
    uri = public_uri(wanted.uri)
    digest = wanted.sha256.removeprefix("sha256:").lower()
    if digest and not _DIGEST.fullmatch(digest):
        raise UsageError(f"{uri}: sha256 takes 64 hex digits, not {wanted.sha256[:80]!r}")
    if type(wanted.size) is not int or wanted.size < 0:
        raise UsageError(f"{uri}: size takes a number of bytes, not {wanted.size!r}")
    path = wanted.path or _last_part(uri)
    if why := refusal(path):
        raise UsageError(f"{uri}: {why}; give path=")
    size = wanted.size or _size(wanted.uri)
    return FileRef(path, digest, size, uri=uri)


def _last_part(uri: str) -> str:
    parts = urlsplit(uri)
    last = unquote(parts.path).rstrip("/").rpartition("/")[2].replace("\\", "_")
    return last if last.strip(".") else parts.netloc or "reference"


def _size(uri: str) -> int:
    try:
        path = local_path(uri)
        return path.stat().st_size if path is not None and path.is_file() else 0
    except (OSError, ValueError):
        return 0
