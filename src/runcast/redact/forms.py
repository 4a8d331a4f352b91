"""Secrets that are known by their form: URL passwords, prefixed tokens, headers, private keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from runcast.redact.names import MASK


def _whole(match: re.Match[str]) -> str:
    return MASK


def _after_head(match: re.Match[str]) -> str:
    return match[1] + MASK


def lazily(pattern: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """The compiled pattern at first use: compiling all of them would cost each import some 10 ms."""
    return cache(lambda: re.compile(pattern, flags))


# Each rule: lower-case needles of which one must be in the text before the pattern is tried (a text of
# 10 MB is then scanned at the speed of ``in``), the pattern, the replacement. Every repetition is bounded,
# so that no text makes a pattern quadratic.
_Rule = tuple[tuple[str, ...], Callable[[], re.Pattern[str]], Callable[[re.Match[str]], str]]
_RULES: tuple[_Rule, ...] = (
    (
        ("private key-----",),
        lazily(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S
        ),
        _whole,
    ),
    (("eyj",), lazily(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), _whole),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "npm_", "akia", "asia", "dapi"),
        lazily(
            r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|hf_[A-Za-z0-9]{20,255}"
            r"|npm_[A-Za-z0-9]{36}|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])|dapi[0-9a-f]{32}(?:-\d)?)"
        ),
        _whole,
    ),
    (
        ("sk-", "xox", "xapp-", "glpat-", "aiza", "wandb_v", "pypi-"),
        lazily(
            r"(?<![A-Za-z0-9])(?:sk-(?=[\w-]{0,40}\d)[\w-]{20,255}|xox[abeprs]-[\w-]{10,255}|xapp-[\w-]{10,255}"
            r"|glpat-[\w-]{20,255}|AIza[\w-]{35}|wandb_v\d+_\w{20,255}|pypi-[\w-]{40,255})"
        ),
        _whole,
    ),
    (
        ("wandb",),
        lazily(
            r"(wandb[ _-]?(?:login|api[ _-]?key|key)\b\W{0,8}(?:--relogin\s{1,4})?)[0-9a-f]{40}(?![0-9a-f])",
            re.I,
        ),
        _after_head,
    ),
    (
        ("password",),  # a line of .netrc
        lazily(r"(\blogin\s{1,8}\S{1,256}\s{1,8}password\s{1,8})\S+"),
        _after_head,
    ),
    (
        ("authorization",),
        lazily(
            r"(authorization\\?[\"']?\s{0,4}[=:]\s{0,4}\\?[\"']?"
            r"(?:(?:bearer|basic|token|digest|apikey)\s{1,4})?)[^\s\"',;]{1,8192}",
            re.I,
        ),
        _after_head,
    ),
    (("bearer",), lazily(r"(\bbearer\s{1,4})[\w.~+/=-]{16,8192}", re.I), _after_head),
    (
        ("sig=", "signature="),
        lazily(r"([?&](?:sig|x-amz-signature|x-goog-signature)=)[^&\s\"'<>]{1,2048}", re.I),
        _after_head,
    ),
)

_USERINFO = lazily(  # a number before a slash is a port, with an @ somewhere behind it
    r"([^\s/?#:@\"<>]{0,256}:)(?!\d{1,5}[/?#])(?:[^\s/?#\"<>]{1,512}|[^\s@\"<>]{1,512}?)(?=@)"
)
_USER_TOKEN = lazily(r"[\w.~%-]{20,256}(?=(?::[^\s/@]{0,512})?@)")


def _mask_urls(text: str) -> str:
    """Mask the password of ``scheme://user:password@host``, and a user that is a token."""
    out: list[str] = []
    done = 0
    position = text.find("://")
    while position >= 0:
        position += 3
        # Looking for the @ first keeps a text full of "://" from trying the patterns at each.
        if text.find("@", position, position + 800) >= 0:
            if token := _USER_TOKEN().match(text, position):
                out += [text[done:position], MASK]
                done = token.end()
            if user := _USERINFO().match(text, position):
                out += [text[done : user.end(1)], MASK]
                done = user.end()
        position = text.find("://", max(position, done))
    return "".join([*out, text[done:]]) if out else text


def mask_forms(text: str, lowered: str) -> str:
    """`text` with every secret of a known form masked; `lowered` is ``text.lower()``."""
    for needles, pattern, replacement in _RULES:
        for needle in needles:
            if needle in lowered:
                text = pattern().sub(replacement, text)
                break
    return _mask_urls(text) if "://" in text else text
