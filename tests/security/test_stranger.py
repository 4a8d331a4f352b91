"""A journal from a stranger: looked at, compared, migrated and delivered, and nothing of ours is touched."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Callable

import pytest

from runcast.records import (
    Artifact,
    Environment,
    FileRef,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    Tags,
)

from .conftest import T0, World, snapshot

DIGEST = "ab" * 32


def artifact(*files: FileRef) -> Artifact:
    return Artifact(time=T0 + 5, name="loot", type="file", files=list(files), digest=DIGEST)


def hostile_backends(world: World) -> str:
    names = ["../../../../ours", str(world.outside), "..", ".", "", "local/../../..", "a\0b", "a\nb", "LOCAL"]
    return world.forge(backends={name: {} for name in [*names, "local"]})


def hostile_files(world: World) -> str:
    diary = str(world.outside / "diary.txt")
    named = [f"../{diary}", diary, "/etc/passwd", "..", "", "ab", DIGEST.upper(), f"{DIGEST}\n"]
    digest = world.blob()
    places = ["../x", "a/../../x", diary, "..\\x", "C:\\x", "C:/x", "a\0b", "x" * 5000, "．．/x", "／x"]
    return world.forge(
        *(artifact(FileRef("f", name, 5)) for name in named),
        *(artifact(FileRef(place, digest, 7)) for place in places),
        Media(time=T0 + 6, key="m", step=0, type="image", file=FileRef("x.png", named[0], 5)),
        backends={"local": {}},
    )


def hostile_held(world: World) -> str:
    world.layout.blobs.joinpath("held").mkdir(parents=True)
    (world.layout.blobs / "held" / ("1" * 32)).symlink_to(world.outside / "diary.txt")
    for name, note in (
        ("2", "one two three"),
        ("3", "x"),
        ("4", f"../{world.outside} 5"),
        ("5", f"{DIGEST} x"),
    ):
        (world.layout.blobs / "held" / (name * 32)).with_suffix(".sha256").write_text(note)
    names = [c * 32 for c in "12345"] + ["../../../x", str(world.outside / "diary.txt"), "z" * 32]
    files = [artifact(FileRef("f", "", 5, held=name)) for name in names]
    return world.forge(*files, backends={"local": {}})


def linked_blobs(world: World) -> str:
    (world.layout.blobs / DIGEST[:2]).mkdir(parents=True)
    (world.layout.blobs / DIGEST[:2] / DIGEST).symlink_to(world.outside / "diary.txt")
    return world.forge(artifact(FileRef("f", DIGEST, 26)), backends={"local": {}, "tensorboard": {}})


def linked_blob_folder(world: World) -> str:
    place = world.outside / DIGEST
    place.write_text("CANARY-DIARY")
    world.layout.blobs.mkdir(parents=True)
    (world.layout.blobs / DIGEST[:2]).symlink_to(world.outside)
    (world.layout.blobs / "held").symlink_to(world.outside)
    return world.forge(artifact(FileRef("f", DIGEST, 12)), backends={"local": {}, "tensorboard": {}})


def linked_delivery(world: World) -> str:
    run = world.forge(backends={"local": {}})
    (world.layout.run(run) / "delivery").mkdir()
    (world.layout.delivery(run, "local")).symlink_to(world.outside)
    return run


def linked_deliveries(world: World) -> str:
    run = world.forge(backends={"local": {}, "empty": {}})
    (world.layout.run(run) / "delivery").symlink_to(world.outside)
    return run


def linked_delivery_files(world: World) -> str:
    run = world.forge(
        Params(time=T0 + 1, values={"$(touch x)": 1}), backends={"tensorboard": {}, "local": {}}
    )
    for backend in ("local", "tensorboard"):
        folder = world.layout.delivery(run, backend)
        folder.mkdir(parents=True)
        for name in ("lock", "rejected.jsonl", "cursor.json", "status.json", "report.json"):
            (folder / name).symlink_to(world.outside / f"new-{name}")
        (folder / "state").symlink_to(world.outside / "empty")
    (world.layout.run(run) / "closing.lock").symlink_to(world.outside / "new-closing")
    return run


def linked_segment(world: World) -> str:
    run = world.forge(backends={"local": {}})
    (world.layout.journal(run) / "0000000000000000-0000.rcj").symlink_to(world.outside / "diary.txt")
    (world.layout.journal(run) / "0000000000000001-0000.rcj").symlink_to("/dev/zero")
    os.mkfifo(world.layout.journal(run) / "0000000000000002-0000.rcj")
    (world.layout.journal(run) / "0000000000000003-0000.rcj").mkdir()
    return run


def linked_journal(world: World) -> str:
    """A run without an end, so that a courier would write its last word."""
    run = world.forge(backends={"local": {}})
    whole = next(world.layout.journal(run).iterdir())
    target = world.outside / "journal"
    target.mkdir()
    (target / whole.name).write_bytes(b"\n".join(whole.read_bytes().split(b"\n")[:-2]) + b"\n")
    whole.unlink()
    whole.parent.rmdir()
    world.layout.journal(run).symlink_to(target)
    return run


def linked_run(world: World) -> str:
    """A run's folder that is a link to a folder of ours which looks like one, unended."""
    run = linked_journal(world)
    world.layout.journal(run).unlink()
    (world.outside / "journal").rename(world.outside / "run-journal")
    (world.outside / "run").mkdir()
    (world.outside / "run-journal").rename(world.outside / "run" / "journal")
    world.layout.run(run).rmdir()
    world.layout.run(run).symlink_to(world.outside / "run")
    return run


def linked_alive(world: World) -> str:
    run = world.forge(backends={"local": {}})
    world.layout.alive.symlink_to(world.outside)
    old = 10**9
    for path in world.outside.iterdir():
        os.utime(path, (old, old))
    return run


def linked_catalog(world: World) -> str:
    run = world.forge(backends={"local": {}})
    world.layout.catalog.symlink_to(world.outside / "diary.txt")
    return run


def catalog_option(world: World) -> str:
    return world.forge(backends={"local": {"path": str(world.outside / "diary.txt")}})


def hostile_parent(world: World) -> str:
    return world.forge(parent="../../../ours", backends={"local": {}})


def hostile_numbers(world: World) -> str:
    return world.forge(
        Metrics(time=10**40, step=10**40, values={"x": 10**400, "y": float("nan")}),
        Metrics(time=-(10**40), step=-(10**40), values={"x": -(10**400)}),
        Metrics(time=2**63, step=2**63, values={"x": 2**64}),
        Tags(time=-1, values={"t": "\ud800"}),
        Lost(time=T0, key="l", reason="r", count=10**30),
        Lost(time=T0, key="l", reason="r", count=2**63 - 1),
        Lost(time=T0, key="l", reason="r", count=2**63 - 1),
        artifact(FileRef("f", DIGEST, 10**30), FileRef("g", DIGEST, -(10**30))),
        RunFinished(time=2**63 - 1, status="finished"),
        backends={"local": {}},
    )


def hostile_text(world: World) -> str:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b2J[link=file:///etc/passwd]x[/link]\r\n\u202e<script>alert(1)</script>"
    texts: list[Record] = [
        Params(time=T0 + 1, values={evil: evil}),
        Tags(time=T0 + 1, values={evil: evil}),
        Note(time=T0 + 1, text=evil),
        Metrics(time=T0 + 2, step=0, values={evil: 1.0}),
        Media(time=T0 + 2, key=evil, step=0, type="text", text=evil),
        Media(time=T0 + 2, key="h", step=0, type="html", text=evil),
        Artifact(time=T0 + 3, name=evil, type=evil, files=[], digest=DIGEST, aliases=[evil]),
    ]
    return world.forge(
        *texts,
        name=evil,
        experiment=evil,
        user=evil,
        host=evil,
        parent=evil,
        group=evil,
        backends={"local": {}, evil: {}},
    )


FORGERIES: list[Callable[[World], str]] = [
    hostile_backends, hostile_files, hostile_held, linked_blobs, linked_blob_folder, linked_delivery,
    linked_deliveries, linked_delivery_files, linked_segment, linked_journal, linked_run, linked_alive,
    linked_catalog, catalog_option, hostile_parent, hostile_numbers, hostile_text,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_nothing_of_ours_is_touched(world: World, forge: Callable[[World], str]) -> None:
    """By any command; each ends by itself, with a sentence where something is wrong."""
    run = forge(world)
    for answer in world.try_each(run):
        assert not {"\x1b", "\x9b"} & set(answer.out + answer.err), answer.command
        assert "CANARY-DIARY" not in answer.out + answer.err
    copies = [
        path
        for path in world.project.rglob("*")
        if path.is_file() and not path.is_symlink() and b"CANARY-DIARY" in path.read_bytes()
    ]
    assert copies == []


def test_nothing_is_delivered_unasked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """``runcast deliver`` connects to no server that a stranger names, gives no key away, writes nothing."""
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2hunter2")
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        theirs.settimeout(0)
        address = f"http://127.0.0.1:{theirs.getsockname()[1]}"
        world.forge(
            backends={
                "mlflow": {"uri": address, "username": "u", "password": "[redacted]"},
                "wandb": {"mode": "online", "base_url": address},
                "tensorboard": {"logdir": str(world.outside / "runs")},
                "local": {},
            }
        )
        before = snapshot(world.project), snapshot(world.outside)
        answer = world.runcast("deliver")
        with pytest.raises(BlockingIOError):
            theirs.accept()

    assert answer.code == 1
    assert address in answer.err
    assert str(world.outside / "runs") in answer.err
    assert "hunter2" not in answer.err + answer.out
    assert (snapshot(world.project), snapshot(world.outside)) == before


def test_nothing_is_run_unasked(world: World) -> None:
    """``runcast reproduce`` shows what a stranger's journal would run, and runs nothing."""
    target = world.outside / "overwritten"
    line = shlex.join(["python", "-c", f"open({str(target)!r}, 'w')"])
    run = world.forge(
        Environment(time=T0 + 1, values={"command": {"line": line, "folder": str(world.project)}})
    )
    command = ("reproduce", run, "--no-env", "--code", str(world.project))
    answer = world.runcast(*command)

    assert answer.code == 2
    assert "add --trust" in answer.err
    assert "overwritten" in answer.err
    assert not target.exists()
    world.runcast(*command, "--trust")
    assert target.exists()  # else the test above shows nothing


def test_delivering_all_of_them_at_once(world: World) -> None:
    """``runcast deliver --trust`` ends, says that something is left, and has touched nothing of ours."""
    conflicting = {linked_blobs, linked_blob_folder, linked_alive, linked_catalog, linked_run, linked_journal}
    for forge in FORGERIES:
        if forge not in conflicting:
            forge(world)
    before = snapshot(world.outside)
    answer = world.runcast("deliver", "--trust", "--timeout", "20")

    assert answer.code == 1
    assert "of" in answer.out
    assert snapshot(world.outside) == before
