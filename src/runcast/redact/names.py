"""Which names say that a secret stands under them."""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "[redacted]"
"""What a masked secret reads as, everywhere."""


def words(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())


_STRONG = words(
    "password passwords passwd passphrase passcode secret secrets credential credentials creds "
    "authorization cookie cookies bearer"
)
_GLUED = (
    "password", "passwd", "passphrase", "apikey", "secretkey", "accesskey", "privatekey", "authtoken",
    "accesstoken", "apitoken", "authkey", "clientsecret",
)  # fmt: skip
_KEY_OWNERS = words("api access private secret signing encryption auth account storage master ssh")
_TOKEN_OWNERS = words("api access auth refresh session bearer secret github hf personal")
_PASS_OWNERS = words("user db smtp ftp mail email login http proxy root admin")
_TOKEN_FRIENDS = words(
    "acc accuracy additional audio avg begin bos budget class cls count decoder dim drop dropout emb embed "
    "embedding end entropy eos first forced id ids idx image img index last latency len length level limit "
    "loss logprob mask max mean merging min mixer mixing n next num pad per pos position prev prob pruning "
    "rate sep size special start stop suffix throughput time total type types unk video vocab"
)
_INNOCENT_ENDS = words(
    "class count dir enabled endpoint env file length len method mode name path policy provider required "
    "sock socket timeout ttl type uri url var"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4096)
def secrecy(key: str) -> int:
    """How surely a value under `key` is a secret: 0 no, 1 probably (``token``), 2 surely (``password``).

    The key may be a path with ``/`` or ``.``; one secret part makes the whole secret.
    """
    return max(map(_part_secrecy, re.split(r"[/.]", key[-1024:])), default=0)


def _part_secrecy(part: str) -> int:
    words = [word.lower() for word in _WORD.findall(part)]
    if not words or words[-1] in _INNOCENT_ENDS:
        return 0
    known = set(words)
    if known & _STRONG or any(glued in "".join(words) for glued in _GLUED):
        return 2
    if known & {"key", "keys"} and known & _KEY_OWNERS:
        return 2
    if ("pwd" in known and len(words) > 1) or ("pass" in known and known & _PASS_OWNERS):
        return 2
    if "token" in known and not known & _TOKEN_FRIENDS:
        return 1
    if "tokens" in known and known & _TOKEN_OWNERS and not known & _TOKEN_FRIENDS:
        return 1
    return 1 if known & {"auth", "oauth"} else 0


def key_pattern(patterns: list[str]) -> re.Pattern[str] | None:
    """One pattern out of the setting ``redact``: shell-style (``*_pin``), any case; None where empty."""
    if not patterns:
        return None
    from fnmatch import translate

    return re.compile("|".join(f"(?:{translate(pattern)})" for pattern in patterns), re.I)
