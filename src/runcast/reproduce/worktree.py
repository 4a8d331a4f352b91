"""The code of a run in a folder of its own: a git worktree at the commit, with the recorded patch.

The repository itself keeps its files, its index and its branches; hooks do not run. Source of the commands:
https://git-scm.com/docs/git-worktree, https://git-scm.com/docs/git-apply.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from runcast.errors import ReproductionError
from runcast.redact import redact_text
from runcast.reproduce.past import Past

_OWN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF")


def repository(given: Path | None, run: Past) -> Path:
    """The repository that has the run's commit.

    Args:
        given: where it is now; None: where it was.

    Raises:
        ReproductionError: the run has no commit, git is missing, the repository or the commit is gone.
    """
    about = run.part("git")
    commit = about.get("commit")
    if not commit:
        why = "its repository had no commit yet" if about else "it was started outside of a git repository"
        raise ReproductionError(
            f"run {run.id} has no recorded commit: {why}, or `capture` left git out; "
            "give --code FOLDER to run that folder's code as it is now"
        )
    if shutil.which("git") is None:
        raise ReproductionError(
            "git is not installed, or not on PATH; install it, or give --code FOLDER with the code"
        )
    root = given or Path(str(about.get("root", "")))
    if git(root, "rev-parse", "--git-dir").returncode:
        raise ReproductionError(
            f"there is no git repository at {root}; give --repository PATH of a clone"
            + (f" of {about['remote']}" if about.get("remote") else "")
        )
    if git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise ReproductionError(
            f"the repository {root} does not have commit {commit}; `git fetch` it, "
            "or give --repository PATH of a clone that has it"
        )
    return root


@contextlib.contextmanager
def checkout(root: Path, run: Past, folder: Path, *, keep: bool = False) -> Iterator[Path]:
    """The commit with the patch, in ``folder/code``; the worktree is gone afterwards unless it is to `keep`.

    Raises:
        ReproductionError: git cannot make it, or the patch is not whole.
    """
    patch = _patch(run)
    commit, tree = str(run.part("git")["commit"]), folder / "code"
    try:
        made = git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        if made.returncode:
            keep = False
            raise ReproductionError(f"git cannot check out {commit} beside {root}: {_said(made)}")
        if patch:
            _apply(tree, patch, folder / "diff.patch")
        yield tree
    finally:
        if not keep:
            git(root, "worktree", "remove", "--force", "--force", str(tree))
            shutil.rmtree(tree, ignore_errors=True)
            git(root, "worktree", "prune")


def _patch(run: Past) -> bytes:
    about, patch = run.part("git"), run.content("diff.patch")
    why = str(about.get("diff", ""))
    if why.startswith("left out"):
        raise ReproductionError(
            f"run {run.id} had changes that were not committed, and their patch was {why}; "
            "give --code FOLDER with that code"
        )
    if patch is None and "diff.patch" in run.files:
        raise ReproductionError(
            f"the patch of run {run.id} is gone from {run.home}/blobs; give --code FOLDER with that code"
        )
    return patch or b""


def _apply(tree: Path, patch: bytes, file: Path) -> None:
    file.write_bytes(patch)
    problem = ""
    for strip in ("-p1", "-p0"):  # the second where the repository was configured with diff.noprefix
        done = git(tree, "apply", "--whitespace=nowarn", strip, str(file))
        if not done.returncode:
            return
        problem = problem or _said(done)
    mend = "commit binary files before a run, or give --code FOLDER with that code"
    raise ReproductionError(f"the recorded patch does not apply: {problem}; {mend}")


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One git command in a folder; hooks and the repository's own programs do not run."""
    command = ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false"]
    environment = {k: v for k, v in os.environ.items() if k not in _OWN}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
        )
    except OSError as error:  # the folder is gone, say
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return (
        redact_text(lines[0].removeprefix("error: ").removeprefix("fatal: ")) if lines else "no reason given"
    )
