"""A repository, and scripts that run in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def git(folder: Path, *arguments: str) -> str:
    """Run Git with an identity of its own."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(project: Path) -> Path:
    """A clean repository with one commit and a remote with credentials, which is the current folder."""
    git(project, "init", "-q")
    (project / "train.py").write_text("lr = 0.1\n")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    git(project, "remote", "add", "backup", "https://example.org/backup.git")
    git(
        project,
        "remote",
        "add",
        "origin",
        "https://ada:ghp_0123456789abcdef0123456789abcdef0123@example.org/r.git",
    )
    return project
