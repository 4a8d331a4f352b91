"""What ``runcast doctor`` says about W&B."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from runcast.backends.wandb import probe
from runcast.backends.wandb.options import WandbOptions, key_source, resolve_mode
from runcast.errors import DeliveryError, Halt
from runcast.plugins import Finding


def diagnose(options: WandbOptions) -> list[Finding]:
    """Mode and why, key, folder; and, online, client and server."""
    findings = [_key(options), _folder(options)]
    try:
        mode = resolve_mode(options)
    except Halt as error:
        return [Finding(ok=False, what=str(error), mend="RUNCAST_WANDB__MODE=offline"), *findings]
    why = f"mode={options.mode}" if options.mode else "a key is configured" if mode == "online" else "no key"
    findings.insert(0, Finding(ok=True, what=f"{mode} ({why})"))
    installed = importlib.util.find_spec("wandb") is not None
    if mode == "offline":
        seen = "installed" if installed else "not installed; only needed to upload later with `wandb sync`"
        return [*findings, Finding(ok=True, what=f"W&B's client: {seen}")]
    mend = "" if installed else "pip install 'runcast[wandb]'"
    findings.append(
        Finding(ok=installed, what=f"W&B's client: {'' if installed else 'not '}installed", mend=mend)
    )
    return [*findings, _server(options)]


def _key(options: WandbOptions) -> Finding:
    source = key_source(options.base_url)
    seen = f"key for {options.base_url}: " + (f"present ({source})" if source else "none")
    needed = options.mode == "online" and not source
    return Finding(ok=not needed, what=seen, mend="wandb login, or set WANDB_API_KEY" if needed else "")


def _folder(options: WandbOptions) -> Finding:
    folder = Path(options.dir).expanduser().resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    ok = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    what = f"runs go to {folder / 'wandb'}" + ("" if ok else f": {there} is not writable")
    return Finding(ok=ok, what=what, mend="" if ok else "set `dir` (RUNCAST_WANDB__DIR) to a folder of yours")


def _server(options: WandbOptions) -> Finding:
    try:
        entity = probe.ask(options.base_url)
    except DeliveryError as error:
        return Finding(ok=False, what=str(error), mend="check base_url, the network and the key")
    return Finding(ok=True, what=f"{options.base_url} answers" + (f", as {entity}" if entity else ""))
