"""Keys that a person has left where command lines look for them."""

from __future__ import annotations

import netrc
import os
from pathlib import Path


def netrc_password(host: str) -> str | None:
    """The password of a host's entry in the netrc file, None where there is none or it cannot be read.

    Source of the format: the manual page netrc(5); ``NETRC`` names another file.
    """
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        entry = netrc.netrc(str(path)).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return entry[2] if entry else None
