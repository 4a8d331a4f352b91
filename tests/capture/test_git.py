"""The commit without a process, the changes with one; nothing where there is nothing, and never an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runcast.capture import changes
from runcast.capture.changes import changes as look
from runcast.capture.git import head, without_user

from .conftest import git


def test_the_commit_is_gits_own(repository: Path) -> None:
    """Commit, branch and remote as ``git`` says; credentials are gone."""
    below = repository / "a" / "b"
    below.mkdir(parents=True)

    assert head(below) == {
        "root": str(repository),
        "branch": "main",
        "commit": git(repository, "rev-parse", "HEAD"),
        "remote": "https://example.org/r.git",
    }


def test_packed_refs_and_slashes_in_branches(repository: Path) -> None:
    """After ``git gc`` a branch is a line in a file."""
    git(repository, "checkout", "-q", "-b", "feature/x")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git/refs/heads/feature/x").exists()

    assert head(repository)["branch"] == "feature/x"
    assert head(repository)["commit"] == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    """The commit is all there is."""
    git(repository, "checkout", "-q", "--detach")

    assert "branch" not in head(repository)
    assert head(repository)["commit"] == git(repository, "rev-parse", "HEAD")


def test_a_worktree_and_a_submodule(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both have a file where others have a folder."""
    tree = tmp_path_factory.mktemp("trees") / "w"
    git(repository, "worktree", "add", "-q", "-b", "side", str(tree))
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "sub")

    assert head(tree)["branch"] == "side"
    assert head(tree)["commit"] == git(tree, "rev-parse", "HEAD")
    assert head(tree)["remote"] == "https://example.org/r.git"
    assert head(repository / "sub")["commit"] == git(repository / "sub", "rev-parse", "HEAD")


def test_no_repository(project: Path) -> None:
    """Nothing, whether there is no folder, an empty one, or one that leads nowhere."""
    assert head(project) == {}
    (project / ".git").mkdir()
    assert head(project) == {}
    (project / ".git").rmdir()
    (project / ".git").write_text("gitdir: elsewhere\n")
    with pytest.raises(OSError, match="No such file"):
        head(project)
    (project / ".git").write_bytes(b"\xff\0")
    assert head(project) == {}


def test_a_repository_without_commits(project: Path) -> None:
    """A branch, no commit, and files that nobody knows yet."""
    git(project, "init", "-q")
    (project / "new").write_text("x")
    about = head(project)

    assert about == {"root": str(project), "branch": "main"}
    assert look(about) == ({"dirty": False, "untracked": ["new"]}, b"")


def test_a_clean_work_tree(repository: Path) -> None:
    """Not dirty, no patch; a file that Git does not know, such as a run's own, changes no code."""
    assert look(head(repository)) == ({"dirty": False}, b"")
    (repository / "mlflow.db").write_text("")
    assert look(head(repository)) == ({"dirty": False, "untracked": ["mlflow.db"]}, b"")


def test_the_patch_gives_the_changes_back(repository: Path) -> None:
    """Staged or not, binary names too, it applies to the commit; files that Git does not know are named."""
    about = head(repository)
    (repository / "train.py").write_text("lr = 0.2\nmomentum = 0.9\n")
    (repository / "größe.txt").write_text("neu\n")
    (repository / "staged.py").write_text("pass\n")
    git(repository, "add", "staged.py")
    found, patch = look(about)

    assert found == {"dirty": True, "untracked": ["größe.txt"]}
    git(repository, "stash", "-q")
    subprocess.run(["git", "apply", "-"], input=patch, check=True, cwd=repository)
    assert (repository / "train.py").read_text() == "lr = 0.2\nmomentum = 0.9\n"
    assert (repository / "staged.py").read_text() == "pass\n"


def test_the_patch_is_against_the_commit_of_the_start(repository: Path) -> None:
    """A commit that comes a moment later does not hide the change."""
    about = head(repository)
    (repository / "train.py").write_text("lr = 0.3\n")
    git(repository, "commit", "-q", "-a", "-m", "second")
    (repository / "other.py").write_text("x\n")
    git(repository, "add", "other.py")

    assert b"+lr = 0.3" in look(about)[1]


def test_secrets_in_the_patch_are_masked(repository: Path) -> None:
    """And it says so, because such a patch is no exact one."""
    (repository / "train.py").write_text("password = 'hunter2hunter2'\n")
    found, patch = look(head(repository))

    assert b"hunter2" not in patch
    assert found["diff"] == "secrets in it are masked"


def test_a_huge_patch_is_left_out(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a patch is worth nothing; that the tree is dirty is told all the same."""
    monkeypatch.setattr(changes, "LARGEST", 1000)
    (repository / "train.py").write_text("x = 1\n" * 10_000)
    found, patch = look(head(repository))

    assert (found["dirty"], patch) == (True, b"")
    assert "left out" in found["diff"]


def test_git_is_missing_or_hangs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit stays; the rest is silence."""
    about = head(repository)
    tools = repository / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    assert look(about) == ({}, b"")

    monkeypatch.setattr(changes, "PATIENCE", 0.2)
    (tools / "git").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tools / "git").chmod(0o755)
    assert look(about) == ({}, b"")


def test_a_repository_cannot_make_us_run_its_programs(repository: Path) -> None:
    """Hooks, monitors and diff drivers of somebody's configuration stay where they are."""
    for setting in ("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command"):
        git(repository, "config", setting, f"touch {repository}/ran-{setting}; cat")
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    (repository / "train.py").write_text("lr = 0.2\n")
    look(head(repository))

    assert list(repository.glob("ran-*")) == []


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("git@github.com:me/r.git", "git@github.com:me/r.git"),
        ("https://token@github.com/me/r", "https://github.com/me/r"),
        ("ssh://me:pw@host:22/r", "ssh://host:22/r"),
        ("/local/r", "/local/r"),
        ("", ""),
    ],
)
def test_remotes_without_credentials(url: str, clean: str) -> None:
    """A user name in a URL goes too: it may be a token."""
    assert without_user(url) == clean
