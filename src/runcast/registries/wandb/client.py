"""W&B's own client, lazily, and its failures as delivery errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runcast.backends.wandb import probe
from runcast.backends.wandb.options import WandbOptions, key_source
from runcast.backends.wandb.registry import organization
from runcast.errors import DeliveryError, Halt, Reject, Retry
from runcast.redact import redact_text

_DOWN = ("ConnectionError", "Timeout", "UsageError", "WandbServiceConnectionError")


def ready(options: WandbOptions) -> str:
    """The entity that the key belongs to, or the configured one; asked before W&B's client, which is patient.

    Raises:
        Halt: the mode is offline, there is no key, or it is refused.
        Retry: the server does not answer.
    """
    if options.mode == "offline":
        raise Halt(
            "wandb: a registry needs the server, and the mode is offline: set RUNCAST_WANDB__MODE=online, or "
            "leave wandb out"
        )
    if not key_source(options.base_url):
        raise Halt(
            f"wandb: a registry needs a key for {options.base_url}: run `wandb login` or set WANDB_API_KEY"
        )
    return probe.ask(options.base_url) if not options.entity else options.entity


def owner(options: WandbOptions, entity: str) -> str:
    """The entity of the organization that has the registries.

    Raises:
        Halt: there is none, or it cannot be told which.
    """
    try:
        found = organization(options.base_url, entity)
    except probe.Refused as error:
        raise Halt(f"wandb: {options.base_url} says: {redact_text(str(error))}") from None
    if not found:
        raise Halt(
            f"wandb: {entity or 'the key'} belongs to no organization, or to several: "
            "set `entity` under [wandb] to a team of the one that is meant"
        )
    return found


def api(options: WandbOptions, entity: str) -> Any:
    """A fresh ``wandb.Api``: an old one answers from memory."""
    import wandb

    return wandb.Api(overrides={"base_url": options.base_url, "entity": entity}, timeout=30)


def settings(options: WandbOptions) -> Any:
    """Settings of a run that only carries an artifact: nothing of this machine is looked at."""
    import wandb

    return wandb.Settings(
        base_url=options.base_url,
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
        mode="online",
        init_timeout=60,
        finish_timeout=options.upload_timeout,
    )


@contextlib.contextmanager
def translated(options: WandbOptions) -> Iterator[None]:
    """W&B's exceptions as what should happen next."""
    try:
        yield
    except DeliveryError:
        raise
    except ImportError as error:
        raise Halt(f"wandb cannot be imported ({error}): pip install 'runcast[wandb]'") from None
    except Exception as error:
        text = redact_text(" ".join(str(error).split())[:500]) or type(error).__name__
        if any(word in type(error).__name__ for word in _DOWN) or isinstance(error, OSError):
            raise Retry(f"wandb: {options.base_url} does not answer: {text}") from None
        raise Reject(f"wandb: {options.base_url} refuses: {text}") from None
