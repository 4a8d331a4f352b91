"""A tiny loopback W&B server: what the real client needs to upload a run, and nothing more.

It answers GraphQL by the operation's name, keeps the streamed lines by offset, and can be told to fail.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class Loopback(ThreadingHTTPServer):
    """The server's memory.

    Attributes:
        runs: run id → the last variables of `UpsertBucket`.
        lines: (run id, file) → the lines, later posts overwriting from their offset on.
        files: upload path → bytes.
        artifacts: artifact id → its `CreateArtifact` input, with ``committed``.
        exits: run id → exit code.
        unknown: operations without an answer here.
        changed: notified after each answer.
        status: HTTP status that every request gets instead of an answer, or 0.
        broken: operation → the error message that it is answered with.
        count_override: what to say a run's number of lines is; by default the truth, at which the client
            goes on behind them when it uploads a run again.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, dict[str, Any]] = {}
        self.lines: dict[tuple[str, str], list[str]] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.manifests: dict[str, str] = {}
        self.exits: dict[str, int] = {}
        self.calls: list[str] = []
        self.unknown: set[str] = set()
        self.authorizations: set[str] = set()
        self.changed = threading.Condition()
        self.status = 0
        self.broken: dict[str, str] = {}
        self.count_override: int | None = None

    @property
    def url(self) -> str:
        """Base URL, as ``WANDB_BASE_URL`` takes it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def rows(self, run: str) -> list[dict[str, Any]]:
        """The run's history as the server got it."""
        return [json.loads(line) for line in self.lines.get((run, "wandb-history.jsonl"), [])]

    def line_count(self, run: str) -> int:
        """What `UpsertBucket` answers as the number of history lines."""
        return self.count_override if self.count_override is not None else len(self.rows(run))

    def summary(self, run: str) -> dict[str, Any]:
        """The run's last summary."""
        lines = self.lines.get((run, "wandb-summary.json"), [])
        return dict(json.loads(lines[-1])) if lines else {}

    def config(self, run: str) -> dict[str, Any]:
        """The run's last config, unwrapped."""
        config = json.loads(self.runs[run].get("config") or "{}")
        return {key: value["value"] for key, value in config.items()}

    def answer(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """GraphQL ``data`` for one operation."""
        if operation in self.broken:
            raise LookupError(self.broken[operation])
        handler = getattr(self, f"_on_{operation}", None)
        if handler is None:
            self.unknown.add(operation)
            return {}
        return dict(handler(variables))

    def _upload(self, name: str) -> str:
        return f"{self.url}/upload/{name}"

    def _project(self, variables: dict[str, Any]) -> dict[str, Any]:
        entity = {"id": "ZW50", "name": variables.get("entity") or "me"}
        return {"id": "cHJv", "name": variables.get("project") or "uncategorized", "entity": entity}

    def _on_UpsertBucket(self, v: dict[str, Any]) -> dict[str, Any]:
        inserted = v["name"] not in self.runs
        kept = {k: x for k, x in v.items() if x is not None}
        run = self.runs.setdefault(v["name"], {})
        run.update(kept)
        bucket = {
            "id": "YnVja2V0", "name": v["name"], "displayName": run.get("displayName") or v["name"],
            "description": None, "config": run.get("config") or "{}", "sweepName": None,
            "historyLineCount": self.line_count(v["name"]), "project": self._project(v),
        }  # fmt: skip
        return {"upsertBucket": {"inserted": inserted, "bucket": bucket}}

    def _on_Viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        teams = {"edges": [{"node": {"name": "me"}}]}
        viewer = {"id": "VXNlcjox", "entity": "me", "username": "me", "email": "", "flags": "{}"}
        return {"viewer": {**viewer, "teams": teams}}

    def _on_ServerFeaturesQuery(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _on_OrganizationCoreWeaveOrganizationID(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": {"coreWeaveOrganizationId": ""}}}

    def _on_RunResumeStatus(self, v: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(v["name"])
        bucket = None
        if run is not None:
            tail = [json.dumps(row) for row in self.rows(v["name"])[-1:]]
            bucket = {
                "id": "YnVja2V0", "name": v["name"], "displayName": run.get("displayName"),
                "summaryMetrics": json.dumps(self.summary(v["name"])), "logLineCount": 0,
                "historyLineCount": len(self.rows(v["name"])), "eventsLineCount": 0,
                "historyTail": json.dumps(tail), "eventsTail": "[]", "config": run.get("config") or "{}",
                "tags": run.get("tags") or [], "notes": run.get("notes"),
                "wandbConfig": json.dumps({"t": {}}),
            }  # fmt: skip
        return {"model": {**self._project(v), "bucket": bucket}}

    def _on_CreateRunFiles(self, v: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": f, "uploadUrl": self._upload(f"{v['run']}/{f}")} for f in v["files"]]
        return {"createRunFiles": {"runID": "YnVja2V0", "uploadHeaders": [], "files": files}}

    def _on_ArtifactType(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _on_CreateArtifact(self, v: dict[str, Any]) -> dict[str, Any]:
        wanted = v["input"]
        key = base64.b64encode(f"Artifact:{len(self.artifacts)}".encode()).decode()
        self.artifacts[key] = {**wanted, "committed": False}
        return {
            "createArtifact": {
                "artifact": {"id": key, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
            }
        }

    def _on_CreateArtifactManifest(self, v: dict[str, Any]) -> dict[str, Any]:
        name = f"manifest/{v['artifactID']}"
        self.manifests[v["artifactID"]] = name
        file = {"id": "RmlsZQ==", "uploadUrl": self._upload(name), "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "TWFu", "file": file}}}

    def _on_CreateArtifactFiles(self, v: dict[str, Any]) -> dict[str, Any]:
        edges = []
        for spec in v["input"]["artifactFiles"]:
            path = f"{spec['artifactID']}/{spec['name']}"
            node = {"storagePath": path, "uploadUrl": self._upload(path), "uploadHeaders": []}
            edges.append(
                {"node": {**node, "uploadMultipartUrls": None, "artifact": {"id": spec["artifactID"]}}}
            )
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _on_CommitArtifact(self, v: dict[str, Any]) -> dict[str, Any]:
        self.artifacts[v["artifactID"]]["committed"] = True
        return {"commitArtifact": {"artifact": {"id": v["artifactID"], "digest": ""}}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Loopback

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while size := int(self.rfile.readline(), 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def _reply(self, status: int, body: Any) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()
        with self.server.changed:
            self.server.changed.notify_all()

    def do_POST(self) -> None:
        body = self._body()
        self.server.authorizations.add(self.headers.get("Authorization") or "")
        if self.server.status:
            self._reply(self.server.status, {"errors": [{"message": "told to fail"}]})
        elif self.path == "/graphql":
            request = json.loads(body)
            operation = _OPERATION.search(request["query"])
            name = operation[1] if operation else "?"
            self.server.calls.append(name)
            try:
                self._reply(200, {"data": self.server.answer(name, request.get("variables") or {})})
            except LookupError as error:
                self._reply(200, {"errors": [{"message": str(error.args[0])}]})
        else:
            self._stream(unquote(self.path).split("/")[-2], json.loads(body))

    def _stream(self, run: str, body: dict[str, Any]) -> None:
        self.server.calls.append("file_stream")
        for name, part in (body.get("files") or {}).items():
            lines = self.server.lines.setdefault((run, name), [])
            lines[part["offset"] : part["offset"] + len(part["content"])] = part["content"]
        if body.get("complete"):
            self.server.exits[run] = body.get("exitcode", 0)
        self._reply(200, {})

    def do_PUT(self) -> None:
        self.server.files[unquote(self.path).removeprefix("/upload/")] = self._body()
        self._reply(200, {})

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A running server on a free port of this machine."""
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
