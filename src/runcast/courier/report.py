"""What became of a run: one model for people, ``--json`` and tests."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from pydantic import BaseModel

from runcast.courier.closing import has_living_writer, is_over
from runcast.courier.folder import DeliveryFolder
from runcast.errors import JournalError
from runcast.journal import JournalReader, Layout
from runcast.names import is_backend_name
from runcast.records import Lost, Record, RunFinished, RunStarted


class ChangeReport(BaseModel):
    """One thing that a tracker got in another form; see `runcast.plugins.Change`."""

    what: str
    key: str
    detail: str


class RejectedReport(BaseModel):
    """One record that a tracker will never take."""

    kind: str
    keys: list[str]
    reason: str


class BackendReport(BaseModel):
    """One backend's part.

    Attributes:
        state: ``waiting``, ``delivering``, ``retrying``, ``paused`` (needs a person) or ``delivered``.
        records: records acknowledged; rejected ones included.
        pending: records in the journal that are not acknowledged.
        lag: seconds between the oldest pending record and now; 0 where nothing is pending.
        error: the last error, with its mend.
        id, url, command: where the run is in the tracker, and what opens the tracker's own UI.
        changes: what it got in another form.
        rejected: what it will never take.
        changes_cut: there were more of those than are listed.
        damage: what was unreadable in the journal.
    """

    backend: str
    state: str
    records: int = 0
    pending: int = 0
    lag: float = 0.0
    error: str = ""
    id: str = ""
    url: str = ""
    command: str = ""
    changes: list[ChangeReport] = []
    changes_cut: bool = False
    rejected: list[RejectedReport] = []
    damage: list[str] = []


class LostReport(BaseModel):
    """Something that could not be kept at all."""

    key: str
    reason: str
    count: int


class RunReport(BaseModel):
    """One run's report.

    Attributes:
        status: ``running``, ``finished``, ``failed``, ``killed`` or ``crashed``; the last also where the
            process is dead and no courier has said so yet.
        error: why the journal cannot be read to its end, or "".
        records: records in the journal.
        lost: what the script said and runcast could not keep.
    """

    run: str
    experiment: str = ""
    name: str = ""
    status: str = "running"
    error: str = ""
    records: int = 0
    lost: list[LostReport] = []
    backends: list[BackendReport] = []

    @property
    def complete(self) -> bool:
        """Whether every backend has every record."""
        return all(backend.pending == 0 for backend in self.backends)


def report(layout: Layout | None, run: str, now: int | None = None) -> RunReport:
    """Read the journal and the delivery folders of one run.

    Args:
        layout: the runcast directory; None for a run that writes nothing.
        run: the run's id.
        now: ns since 1970, to tell the lag of what is pending.
    """
    result = RunReport(run=run)
    if layout is None:
        return result
    lost: dict[tuple[str, str], int] = {}
    said: dict[str, _Said] = {}
    backends: dict[str, object] = {}
    reader = JournalReader(layout.journal(run), run=run)
    try:
        while records := reader.read():
            for record in records:
                result.records += 1
                said.setdefault(record.writer, _Said()).add(record)
                if isinstance(record, RunStarted):
                    result.experiment, result.name, result.status = record.experiment, record.name, "running"
                    backends |= dict.fromkeys(filter(is_backend_name, record.backends))
                elif isinstance(record, RunFinished):
                    result.status = record.status
                elif isinstance(record, Lost):
                    lost[record.key, record.reason] = lost.get((record.key, record.reason), 0) + record.count
        if result.status != "running" and not is_over(layout, run):
            result.status = "running"
        if result.status == "running" and result.records and not has_living_writer(layout, run):
            result.status = "crashed"
    except (JournalError, OSError) as error:
        result.error = str(error)
    result.lost = [LostReport(key=key, reason=reason, count=count) for (key, reason), count in lost.items()]
    result.backends = [_backend(layout, run, name, said, now) for name in backends]
    return result


class _Said:
    """Numbers and times of one writer's records: 16 bytes each, because there may be millions."""

    def __init__(self) -> None:
        self.seqs = array("q")
        self.times = array("q")

    def add(self, record: Record) -> None:
        self.seqs.append(record.seq)
        self.times.append(record.time)

    def behind(self, seq: int) -> array[int]:
        """Times of the records after number `seq`; numbers may have gaps, but rise."""
        return self.times[bisect_right(self.seqs, seq) :]


def _backend(layout: Layout, run: str, name: str, said: dict[str, _Said], now: int | None) -> BackendReport:
    folder = DeliveryFolder(layout.delivery(run, name))
    cursor, status, changes = folder.load_cursor(), folder.load_status(), folder.load_report()
    behind = [those.behind(cursor.position.seqs.get(writer, 0)) for writer, those in said.items()]
    pending = sum(map(len, behind))
    oldest = min((min(times) for times in behind if times), default=0)
    rejected = [
        RejectedReport(
            kind=str(entry["record"].get("kind", "")),
            keys=list(entry["record"].get("values", {})) or [str(entry["record"].get("key", ""))],
            reason=entry["reason"],
        )
        for entry in folder.load_rejected()
    ]
    ref = cursor.ref
    return BackendReport(
        backend=name,
        state="waiting" if pending and status.state == "delivered" else status.state,
        records=cursor.records,
        pending=pending,
        lag=max(0, now - oldest) / 1e9 if pending and now is not None else 0.0,
        error=status.error,
        id=ref.id if ref else "",
        url=ref.url if ref else "",
        command=ref.command if ref else "",
        changes=[ChangeReport(what=c.what, key=c.key, detail=c.detail) for c in changes.changes],
        changes_cut=changes.cut,
        rejected=rejected,
        damage=changes.damage,
    )
