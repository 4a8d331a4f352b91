"""Taking back what one migration made: its runs in the destination, and nothing else.

Each run is removed by its backend, from the memory that its delivery left; then its journal goes. A run that
is not as the migration left it is refused, because somebody's work may be in it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.courier.folder import DeliveryFolder
from runcast.errors import DeliveryError, UsageError
from runcast.journal import Layout, make_private
from runcast.migrate import address
from runcast.migrate.manifest import Folder, Manifest, RunEntry, opened
from runcast.migrate.removed import Removed, withdrawn
from runcast.migrate.target import reading
from runcast.plugins.backend import Backend, OpenRun
from runcast.plugins.manager import backend_class
from runcast.records import RunStarted
from runcast.redact import redact_text
from runcast.redact.names import MASK

UNKNOWN = "whether it was edited since cannot be told"


def rollback(
    root: Path,
    id: str,
    *,
    destination: str | None = None,
    runs: tuple[str, ...] = (),
    force: bool = False,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> list[Removed]:
    """Remove what a migration made; a second time does nothing.

    Args:
        root: the runcast directory.
        id: the migration's, or its beginning.
        destination: its address once more, where that holds credentials, which are kept nowhere.
        runs: the source's ids; all where left out.
        force: also runs that were edited since, or of which nobody can tell.
        tell: called with runs done and runs in all.

    Raises:
        UsageError: there is no such migration, or the destination's credentials are missing.
        JournalError: another process works on it, or the disk refuses.
    """
    folder, _ = opened(root, id)
    with folder.claimed():
        folder, manifest = opened(root, id)
        backend, options, goes = _backend(manifest, destination)
        # Children before their parents: they came the other way round.
        entries = [e for e in reversed(manifest.runs.values()) if e.state != "removed"]
        chosen = [e for e in entries if not runs or e.source in runs]
        results: list[Removed] = []
        try:
            refusals = {} if force else _edited(manifest, goes, chosen)
            if not runs:  # versions before the runs that made them
                results += withdrawn(manifest, options, folder, force=force)
            for number, entry in enumerate(chosen):
                tell(number, len(chosen))
                results.append(_remove(folder.layout, manifest, backend, entry, refusals.get(entry.run, "")))
        finally:
            folder.save(manifest)
        tell(len(chosen), len(chosen))
        if all(entry.state == "removed" for entry in manifest.runs.values()) and not manifest.target:
            _clear(folder)
        return results


def _backend(
    manifest: Manifest, destination: str | None
) -> tuple[Callable[[], Backend], dict[str, Any], str]:
    options, goes = dict(manifest.options), manifest.destination
    kind = backend_class(manifest.backend or address.split(goes)[0])
    if destination is not None:
        goes = address.anchored(destination)
        given = address.destination(goes)
        if given.address != manifest.destination:
            raise UsageError(
                f"{given.address} is not where migration {manifest.id} went: {manifest.destination}"
            )
        options = given.options
    elif MASK in str(options):
        raise UsageError(
            f"the destination {manifest.destination} has credentials, which runcast keeps nowhere: add "
            "--dest ADDRESS with them"
        )
    return lambda: kind(kind.Options.model_validate(options)), options, goes


def _edited(manifest: Manifest, goes: str, entries: list[RunEntry]) -> dict[str, str]:
    """Runcast's id of each run that must not be removed → why."""
    # What a migration that was cut short left half delivered is its own doing alone.
    known = {e.ref.id: e for e in entries if e.ref is not None and e.state in ("delivered", "conflict")}
    with reading(manifest, goes) as target:
        versions = target.versions(known)
        problem = target.problem
    refusals = {}
    for id_, entry in known.items():
        if versions is None or (id_ in versions and not entry.there):
            why = f": {problem}" if problem else ""
            refusals[entry.run] = f"{UNKNOWN}{why}; --force removes it all the same"
        elif id_ in versions and versions[id_] != entry.there:
            refusals[entry.run] = "it was edited in the destination since; --force removes it all the same"
    return refusals


def _remove(
    layout: Layout, manifest: Manifest, make: Callable[[], Backend], entry: RunEntry, refusal: str
) -> Removed:
    result = Removed(source=entry.source, run=entry.run, name=entry.name, ok=not refusal, reason=refusal)
    if refusal:
        return result
    delivery = DeliveryFolder(layout.delivery(entry.run, manifest.backend))
    try:
        if delivery.path.is_dir():
            if not delivery.acquire():
                raise OSError("a courier is delivering it just now")
            result.reason = _from_tracker(layout, delivery, make, entry)
        shutil.rmtree(layout.run(entry.run), ignore_errors=False) if layout.run(entry.run).exists() else None
    except (DeliveryError, OSError) as error:
        result.ok, result.reason = False, redact_text(str(error))
        return result
    finally:
        delivery.release()
    entry.state, entry.reason, entry.ref, entry.there = "removed", result.reason, None, ""
    entry.version, entry.records, entry.points, entry.time = "", 0, 0, time.time_ns()
    return result


def _from_tracker(
    layout: Layout, delivery: DeliveryFolder, make: Callable[[], Backend], entry: RunEntry
) -> str:
    cursor = delivery.load_cursor()
    ref = cursor.ref or entry.ref
    if ref is None or not cursor.started:
        return ""
    started = codec.decode(cursor.started.encode("utf-8", "surrogatepass"))
    if not isinstance(started, RunStarted):
        raise OSError(f"{delivery.path / 'cursor.json'} is damaged: remove {ref.id} by hand")
    state = delivery.state_folder()
    make_private(layout.blobs)
    run = OpenRun(
        id=entry.run, started=started, folder=state, blobs=layout.blobs.absolute(), state=dict(cursor.state)
    )
    return make().remove(run, ref)


def _clear(folder: Folder) -> None:
    """Nothing is left: the content of files that were on their way goes, too."""
    for path in (folder.layout.blobs, folder.layout.runs, folder.layout.alive):
        shutil.rmtree(path, ignore_errors=True)


def removals(results: list[Removed]) -> Iterator[str]:
    """What stays, each remark once."""
    yield from dict.fromkeys(result.reason for result in results if result.ok and result.reason)
