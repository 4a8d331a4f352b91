"""Options of the W&B backend, and what they come to: offline or online, which server, is there a key.

W&B's own places for a key are only looked into: ``WANDB_API_KEY``, ``WANDB_IDENTITY_TOKEN_FILE``, and the
server's entry in the netrc file. Its value is never kept, printed or written.
"""

from __future__ import annotations

import os
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from runcast.config.keys import netrc_password
from runcast.errors import Halt
from runcast.plugins import Options

DEFAULT_URL = "https://api.wandb.ai"
_HIDDEN_API = "api."


class WandbOptions(Options):
    """How a run goes to W&B.

    ``mode`` also takes ``dryrun``, W&B's old word for offline. ``disabled`` and ``shared`` are W&B's, but
    have no meaning here: runcast leaves a backend out by not naming it.
    """

    # The input is left out of error messages, for a URL may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Literal["offline", "online", "dryrun", "disabled", "shared"] | None = Field(
        None, description="offline or online; by default online where W&B has a key, else offline"
    )
    dir: str = Field(".", description="folder in which wandb/ goes, as WANDB_DIR")
    project: str | None = Field(None, description="W&B project; by default the run's experiment")
    entity: str | None = Field(None, description="W&B user or team; by default the key owner's")
    base_url: str = Field(DEFAULT_URL, description="the W&B server, without credentials")
    registry: str = Field("model", description="W&B registry that models are registered in")
    live: bool = Field(True, description="upload while the run goes on, not only at its end")
    upload_timeout: float = Field(240.0, gt=0, le=3600, description="longest upload at a run's end, seconds")

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must be http(s)://host[:port]")
        if parts.username or parts.password:
            raise ValueError("base_url must not hold credentials: set WANDB_API_KEY or run `wandb login`")
        return value.rstrip("/")


def key_source(base_url: str) -> str:
    """Where W&B's client will find a key for this server, in words; ``""`` where it has none."""
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        if os.environ.get(name):
            return name
    return "netrc" if _netrc_key(base_url) else ""


def api_key(base_url: str) -> str | None:
    """The key itself, for one request's header; never to be kept."""
    return os.environ.get("WANDB_API_KEY") or _netrc_key(base_url)


def _netrc_key(base_url: str) -> str | None:
    return netrc_password(urlsplit(base_url).hostname or "")


def resolve_mode(options: WandbOptions) -> Literal["offline", "online"]:
    """The mode that a run will have.

    Raises:
        Halt: W&B's mode has no meaning for runcast, or online is asked for without a key.
    """
    if options.mode in ("disabled", "shared"):
        raise Halt(
            f"wandb: mode {options.mode!r} (WANDB_MODE?) is not for runcast: take 'wandb' out of `backends`"
            " to switch it off, or set the mode to 'offline' or 'online'"
        )
    if options.mode in ("offline", "dryrun"):
        return "offline"
    if key_source(options.base_url):
        return "online"
    if options.mode == "online":
        raise Halt(
            f"wandb: online, but no key for {options.base_url}: run `wandb login` or set WANDB_API_KEY,"
            " or set the mode to 'offline' (RUNCAST_WANDB__MODE=offline)"
        )
    return "offline"


def run_url(options: WandbOptions, entity: str, project: str, run: str) -> str:
    """The run's page in the browser; W&B's own service answers its API under another name than its pages."""
    base = site(options)
    return f"{base}/{entity}/{project}/runs/{run}" if entity else base


def site(options: WandbOptions) -> str:
    """Where people look at a server's pages."""
    base = options.base_url
    return base.replace(f"//{_HIDDEN_API}", "//", 1) if base == DEFAULT_URL else base
