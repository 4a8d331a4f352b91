"""What a past run needed and is not there any more: a message with the mend, and nothing half done."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runcast import codec
from runcast.errors import ReproductionError, UsageError
from runcast.journal import Blobs, JournalWriter
from runcast.records import Environment, FileRef, Input, Metrics, Record, RunFinished, RunStarted
from runcast.reproduce.engine import Outcome, Wishes, reproduce
from runcast.reproduce.past import find

if TYPE_CHECKING:
    from .conftest import Repo

SCRIPT = """
    import runcast
    with runcast.start("e", backends=["local"], config={"capture": [], "delivery": "thread"}) as run:
        run.log({"x": 1.0})
    """


class Past:
    """A run to be reproduced, which a test spoils."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.patch: bytes | None = None
        self.requirements: bytes | None = b"msgspec==0.19.0\n"
        self.more: list[Record] = []
        self.git = {"root": str(repo.root), "commit": repo.git("rev-parse", "HEAD").strip(), "dirty": False}
        self.command = {"line": "/usr/bin/python train.py", "folder": str(repo.root), "script": "train.py"}

    def run(self, **wishes: object) -> Outcome:
        """Reproduce it, which changes nothing in the repository, however it ends."""
        layout = self.repo.layout
        shutil.rmtree(layout.run("old"), ignore_errors=True)
        layout.catalog.unlink(missing_ok=True)
        blobs = Blobs(layout.blobs)
        contents = {"requirements.txt": self.requirements, "diff.patch": self.patch}
        files = [FileRef(n, *blobs.put_bytes(data)) for n, data in contents.items() if data is not None]
        values = {name: table for name, table in (("git", self.git), ("command", self.command)) if table}
        writer = JournalWriter(layout.journal("old"), "old")
        for record in (
            RunStarted(time=1, run="old", experiment="e", name="run-old"),
            Environment(time=2, values=values, files=files),
            *self.more,
            Metrics(time=3, step=0, values={"x": 1.0}),
            RunFinished(time=4, status="finished"),
        ):
            writer.append(codec.encode(record))
        writer.close()
        before = self.repo.state()
        try:
            options = {"env": False, **wishes}
            return reproduce(find("old", layout.root), Wishes(**options), lambda line: None)  # type: ignore[arg-type]  # a test's
        finally:
            assert self.repo.state() == before
            assert not self.repo.leftovers()


@pytest.fixture
def past(repo: Repo) -> Past:
    """A run that was recorded in the repository, by hand: no process needs to be started for it."""
    return Past(repo)


def test_a_run_without_git(past: Past) -> None:
    """It names the mend; and the mend works."""
    past.git = {}
    past.repo.write(SCRIPT)

    with pytest.raises(
        ReproductionError, match=r"no recorded commit.*outside of a git repository.*--code FOLDER"
    ):
        past.run()
    assert past.run(code=past.repo.root).ok


def test_no_git(past: Past, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which git is not installed."""
    found = shutil.which
    monkeypatch.setattr("shutil.which", lambda name, *rest: None if name == "git" else found(name, *rest))

    with pytest.raises(ReproductionError, match=r"git is not installed"):
        past.run()


def test_the_repository_has_moved(past: Past, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A clone does as well; one without the commit does not."""
    past.repo.write(SCRIPT)
    past.repo.git("commit", "-qam", "second")
    past.git["commit"] = past.repo.git("rev-parse", "HEAD").strip()
    past.git["root"] = "/nowhere/at/all"
    past.git["remote"] = "https://example.org/r.git"
    clone = tmp_path_factory.mktemp("clone")
    past.repo.git("clone", "-q", str(past.repo.root), str(clone))

    with pytest.raises(
        ReproductionError, match=r"no git repository at /nowhere.*clone of https://example.org"
    ):
        past.run()
    past.command["folder"] = ""
    assert past.run(repository=clone).ok
    past.git["commit"] = "0" * 40
    with pytest.raises(ReproductionError, match=r"does not have commit 0000.*git fetch"):
        past.run(repository=clone)


@pytest.mark.parametrize(
    ("patch", "about", "message"),
    [
        (b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-other\n+more\n", {}, "does not apply: patch failed"),
        (b"no patch at all", {}, "does not apply"),
        (None, {"diff": "left out: it took longer than 30 s"}, "left out: it took longer.*--code"),
    ],
)
def test_a_patch_that_is_not_whole(
    past: Past, patch: bytes | None, about: dict[str, str], message: str
) -> None:
    """Code that is not the run's is never run for it."""
    past.patch = patch
    past.git |= about

    with pytest.raises(ReproductionError, match=message):
        past.run()


def test_a_patch_made_without_prefixes(past: Past) -> None:
    """As git writes it where diff.noprefix is configured."""
    past.repo.write(SCRIPT)
    past.patch = past.repo.git("diff", "--no-prefix").encode()

    assert past.run().ok


def test_a_patch_that_is_gone(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blob was deleted."""
    past.patch = b"x"
    monkeypatch.setattr(Blobs, "put_bytes", lambda self, data: ("0" * 64, len(data)))

    with pytest.raises(ReproductionError, match=r"patch of run old is gone"):
        past.run()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "has no recorded command"),
        ("python train.py '--key=[redacted]'", "holds a secret, which was masked: --key="),
        ("python -m ipykernel_launcher -f x.json", "in a notebook"),
        ("python", "at a prompt"),
        ("python 'train.py", "cannot be read"),
    ],
)
def test_a_command_that_cannot_be_given_again(past: Past, line: str, message: str) -> None:
    """Each names the mend, which works."""
    past.command["line"] = line
    with pytest.raises(ReproductionError, match=rf"{message}.*runcast reproduce old -- python SCRIPT"):
        past.run()


def test_the_user_gives_the_command(past: Past) -> None:
    """The mend of a masked command."""
    past.command["line"] = ""
    past.repo.write(SCRIPT)
    past.patch = past.repo.git("diff").encode()

    assert past.run(command=["python", "train.py"]).ok


def test_a_script_that_starts_no_run(past: Past) -> None:
    """The answer says so, with its exit code."""
    past.patch = b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-" + _committed() + b"+raise SystemExit(7)\n"

    outcome = past.run()

    assert (outcome.ok, outcome.again, outcome.exit_code) == (False, None, 7)
    assert "exit code 7 before it started a run of experiment 'e'" in outcome.causes[0]


def _committed() -> bytes:
    return b"import runcast  # the first version, which trains nothing\n"


def dataset(path: Path, content: bytes) -> Input:
    """An input as `Run.log_dataset` records it."""
    from runcast.datasets import look

    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    seen = look(path)
    return Input(
        time=2,
        name="rows",
        type="dataset",
        digest=seen.digest,
        source=seen.source,
        files=seen.files,
        metadata=seen.metadata,
    )


def test_data_that_git_does_not_know(past: Past) -> None:
    """They are looked at where they are, and the script finds them where it looks."""
    past.more = [dataset(past.repo.root / "data" / "rows.csv", b"1,2\n")]
    past.repo.write("assert open('data/rows.csv').read() == '1,2\\n'\n" + textwrap.dedent(SCRIPT))
    past.patch = past.repo.git("diff").encode()

    outcome = past.run()

    assert outcome.ok
    assert [(one.name, one.state) for one in outcome.data] == [("rows", "same")]


def test_data_that_are_gone(past: Past) -> None:
    """Nothing is run; where the user insists, it is."""
    past.more = [dataset(past.repo.root / "data" / "rows.csv", b"1,2\n")]
    (past.repo.root / "data" / "rows.csv").unlink()
    past.repo.write(SCRIPT)
    past.patch = past.repo.git("diff").encode()

    with pytest.raises(ReproductionError, match=r"data 'rows' are gone: .*rows.csv is not there.*--no-data"):
        past.run()
    assert past.run(data=False).ok


def test_data_that_changed(past: Past) -> None:
    """They are named as the likely cause where the numbers differ."""
    past.more = [dataset(past.repo.root / "data" / "rows.csv", b"1,2\n")]
    (past.repo.root / "data" / "rows.csv").write_bytes(b"1,3\n")
    past.repo.write(SCRIPT.replace("1.0", "float(open('data/rows.csv').read()[2])"))
    past.patch = past.repo.git("diff").encode()

    outcome = past.run()

    assert not outcome.ok
    assert outcome.data[0].state == "changed"
    assert any(cause.startswith("changed data: rows (") for cause in outcome.causes)


def test_a_link_that_is_not_there(past: Past) -> None:
    """And one that leads out of the repository."""
    for path in (Path("nothing"), Path("/etc/hostname")):
        with pytest.raises(UsageError, match=r"no such file or folder in"):
            past.run(links=[path])


def test_no_packages_recorded(past: Past) -> None:
    """`capture` left them out: the mend is this interpreter's own."""
    past.requirements = None

    with pytest.raises(ReproductionError, match=r"packages of run old were not recorded.*--no-env"):
        past.run(env=True)


def test_a_version_that_no_longer_exists(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip's answer becomes a sentence that names the package; no index is asked here."""
    past.requirements = b"pip==1.0\nno-such-package-of-ours==9.9.9\n"
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(ReproductionError, match=r"pip cannot find no-such-package-of-ours==9.9.9.*--package"):
        past.run(env=True)
