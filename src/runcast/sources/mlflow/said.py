"""What runcast kept beside a run of its own, see `runcast.backends.mlflow.residual` and `rows`."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from runcast.backends.mlflow import names, plan, system
from runcast.backends.mlflow.residual import ARTIFACT, shown
from runcast.backends.mlflow.rows import ARTIFACT as ROWS
from runcast.backends.mlflow.rows import decode
from runcast.codec import unpack
from runcast.errors import SourceError
from runcast.names import unescape
from runcast.sources.mlflow.files import Files
from runcast.sources.mlflow.points import Row, double
from runcast.sources.mlflow.spool import Spool

_HEADS = ("start", "finish")
_TEXTS = ("param", "tag", "note")
_OWN = "runcast."


class Said:
    """The residual and the rows of one run; a context, for as long as its files are needed.

    Attributes:
        heads: `start` and `finish` lines, in order.
        places: artifacts that belong to a line.
        traces: ids of those that a line has.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._stack = ExitStack()
        self.heads: list[dict[str, Any]] = []
        self.places: set[str] = set()
        self.traces: set[str] = set()
        self._texts: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._names: dict[str, str] = {}
        self._lines: Path | None = None
        self._rows: Path | None = None

    def __enter__(self) -> Said:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def open(self, paths: list[str], keymap: str | None) -> Said:
        """Look through the lines; without any, only names are known.

        Args:
            paths: the run's artifacts.
            keymap: the tag.

        Raises:
            SourceError: a line is damaged.
        """
        self._names.update(plan.keymap(keymap) or {})
        if ROWS in paths:
            self._rows = self._stack.enter_context(self._files.local(ROWS))
        if ARTIFACT in paths:
            self._lines = self._stack.enter_context(self._files.local(ARTIFACT))
            for fact in self._facts():
                self._look(fact)
        return self

    @property
    def whole(self) -> bool:
        """Whether runcast's lines are there; they come when a run ends."""
        return self._lines is not None and bool(self.heads)

    def _facts(self) -> Iterator[dict[str, Any]]:
        if self._lines is not None:
            with self._lines.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        fact = json.loads(line)
                        yield {key: unpack(value) for key, value in fact.items()}
                    except (ValueError, AttributeError) as error:
                        raise SourceError(f"line {number} of {ARTIFACT} is damaged ({error})") from None

    def _look(self, fact: dict[str, Any]) -> None:
        kind = fact.get("kind")
        if kind in _HEADS:
            self.heads.append(fact)
        elif kind in _TEXTS:
            self._texts.setdefault((str(kind), fact["key"]), []).append(fact)
        elif kind == "name":
            self._names[fact["as"]] = fact["key"]
        elif kind == "trace":
            self.traces.add(f"tr-{fact['id']}")
        elif kind != "model":
            self.places.update(file["as"] for file in fact.get("files") or () if "as" in file)
            self.places.update(fact.get("made") or ())
            if kind == "media":
                self.places.add(fact["path"])

    def facts(self) -> Iterator[dict[str, Any]]:
        """Lines of all that is no head, text or name, in order."""
        for fact in self._facts():
            if fact.get("kind") not in (*_HEADS, *_TEXTS, "name"):
                yield fact

    def name(self, native: str) -> str:
        """The name that was said for one of MLflow's."""
        return self._names[native] if native in self._names else unescape(native)

    def param(self, key: str, slot: str, later: str | None) -> Any:
        """A param as it was said.

        Args:
            key: its name.
            slot: MLflow's text.
            later: the text of a value that came after the first one, None where there is none.
        """
        facts = self._texts.get(("param", key), [])
        facts = [fact for fact in facts if fact["shown"] == shown(slot)]
        if later is None:
            return self._exact(facts[-1]) if facts else slot
        for fact in reversed(facts):
            value = self._exact(fact)
            draft = plan.Plan()
            plan.add_params(draft, {key: value}, {}, ())
            if later in draft.params.values():
                return value
        return later

    def text(self, kind: str, key: str, slot: str) -> str:
        """A tag or the note as it was said, or as somebody changed it since."""
        for fact in self._texts.get((kind, key), []):
            if fact["shown"] == shown(slot):
                return str(self._exact(fact))
        return slot

    def was_said(self, tag: str) -> bool:
        """Whether a tag of MLflow's own names was said by the script."""
        return ("tag", tag) in self._texts

    def last_said(self, tag: str) -> str:
        """The last value of such a tag."""
        return str(self._exact(self._texts["tag", tag][-1]))

    def _exact(self, fact: dict[str, Any]) -> Any:
        if "file" not in fact:
            return fact["value"]
        content = self._files.read(fact["file"])
        if fact["kind"] == "param":
            return unpack(json.loads(content))
        return content.decode("utf-8", "surrogatepass")

    def rows(self) -> Iterator[Row]:
        """What was said at each step, by ms and step."""
        if self._rows is None:
            return
        if self._is_sorted(self._rows):
            yield from _parsed(_read(self._rows))
            return
        with Spool(4) as spool:
            spool.fill(_placed(_read(self._rows)))
            sets = {line["keys"][0]: line["keys"] for line in _read(self._rows) if "keys" in line}
            yield from _parsed(
                line
                for _, _, id_, text in spool.sorted()
                for line in ({"keys": sets[id_]}, {"row": json.loads(text)})
            )

    @staticmethod
    def _is_sorted(path: Path) -> bool:
        last = (-1, -(2**63))
        for line in _read(path):
            if "row" in line:
                here = (_ms(line["row"]), line["row"][3])
                if here < last:
                    return False
                last = here
        return True


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path) as file:
            for text in file:
                line = decode(text)
                yield {"keys": line.keys} if line.keys is not None else {"row": line.row}
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(f"{ROWS} is damaged ({error})") from None


def _ms(row: list[Any]) -> int:
    return max(0, int(row[4]) // 1_000_000)


def _placed(lines: Iterator[dict[str, Any]]) -> Iterator[tuple[int, int, str, str]]:
    for line in lines:
        if "row" in line:
            row = line["row"]
            yield _ms(row), row[3], row[5], json.dumps(row)


def _parsed(lines: Iterator[dict[str, Any]]) -> Iterator[Row]:
    sets: dict[str, list[str]] = {}
    natives: dict[tuple[str, str], tuple[list[str], list[int]]] = {}
    for line in lines:
        if "keys" in line:
            sets[line["keys"][0]] = line["keys"][1]
            continue
        _, _, kind, step, time, id_, *more = row = line["row"]
        if id_ not in sets:
            raise SourceError(f"{ROWS} is damaged (a row without its keys)")
        said = sets[id_]
        known = natives.get((kind, id_))
        if known is None:
            known = natives[kind, id_] = _natives(kind, said)
        keys, units = known
        values = {int(position): unpack(value) for position, value in more[0].items()} if more else {}
        doubles = {position: double(value, units[position]) for position, value in values.items()}
        yield Row(_ms(row), step, time, kind == "s", said, keys, doubles, values)


def _natives(kind: str, said: list[str]) -> tuple[list[str], list[int]]:
    if kind != "s":
        return [names.key(name) for name in said], [1] * len(said)
    pairs = [system.native(name) for name in said]
    return [names.key(name) for name, _ in pairs], [unit for _, unit in pairs]


def is_own(tag: str) -> bool:
    """Whether a tag is one that the backend keeps for itself."""
    return tag.startswith(_OWN)


def digest(pairs: list[tuple[str, str]]) -> str:
    """Of (path, sha256) pairs, as artifacts and models have it."""
    text = "".join(f"{path}\0{sha256}\n" for path, sha256 in sorted(pairs))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
