"""Runs W&B's command line, and dies with the process that started it.

A script of its own, so that nothing of runcast is imported beside W&B's client. Its standard input is a
pipe that nobody writes to: when it closes, the starter is gone.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def _watch() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)  # not sys.exit: other threads wait for the network


def main() -> None:
    """Do what ``wandb ARGUMENTS...`` does."""
    del sys.path[0]  # this script's own folder, whose modules are not for W&B's client
    threading.Thread(target=_watch, daemon=True).start()
    runpy.run_module("wandb", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
