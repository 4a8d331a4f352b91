"""The HTTP side: GraphQL, streamed lines, and the store of files."""

from __future__ import annotations

import gzip
import json
import re
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from . import engine
from .errors import Refused
from .faults import Fault

if TYPE_CHECKING:
    from .server import Server

_STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")


class Listener(ThreadingHTTPServer):
    """Listens for one `Server`, and can hang up on everyone."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, server: Server) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.stand_in = server
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is none of the server's faults."""

    def hang_up(self) -> None:
        """End every connection, as a process that dies does."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the client's acknowledgement: 40 ms
    wbufsize = -1
    server: Listener

    def do_POST(self) -> None:
        """GraphQL, or streamed lines."""
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        stream = _STREAM.fullmatch(path)
        if path == "/graphql":
            request = json.loads(body)
            self._answer(engine.operation_name(request["query"]), lambda: self._graphql(request))
        elif stream:
            self._answer("file_stream", lambda: self._stream(stream.groups(), json.loads(body)))
        else:
            self._unknown(path)

    def do_PUT(self) -> None:
        """A file for the store."""
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/storage/"):
            self._unknown(path)
            return
        self._answer("upload", lambda: self._keep(path.removeprefix("/storage/"), body), signed=False)

    def do_GET(self) -> None:
        """A file from the store."""
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/storage/"):
            self._unknown(path)
            return
        self._answer("download", lambda: self._hand_out(path.removeprefix("/storage/")), signed=False)

    def _graphql(self, request: dict[str, Any]) -> tuple[int, Any]:
        server = self.server.stand_in
        variables = request.get("variables") or {}
        return engine.answer(server.root, request["query"], variables, server.unknown)

    def _stream(self, names: Any, body: dict[str, Any]) -> tuple[int, Any]:
        entity, project, name = names
        try:
            found = self.server.stand_in.state.project(entity, project).run(name)
        except Refused:
            found = None
        if found is None:
            return 404, {"error": f"run {name} not found"}
        return 200, self.server.stand_in.streamed(found, body)

    def _keep(self, key: str, body: bytes) -> tuple[int, Any]:
        self.server.stand_in.uploads.append(key)
        self.server.stand_in.state.put(key, body)
        return 200, b""

    def _hand_out(self, key: str) -> tuple[int, Any]:
        content = self.server.stand_in.state.blobs.get(key)
        return (404, {"error": "no such file"}) if content is None else (200, content)

    def _answer(self, operation: str, act: Any, signed: bool = True) -> None:
        server = self.server.stand_in
        server.calls.append(operation)
        # Addresses of files carry their own permission; everything else needs the key.
        if signed:
            server.authorizations.add(self.headers.get("Authorization") or "")
        fault = server.faults.take(operation)
        if fault and fault.delay:
            server.stopping.wait(fault.delay)
        if fault and fault.status:
            self._fail(fault)
        elif fault and fault.message:
            self._reply(200, {"errors": [{"message": fault.message}]})
        elif signed and not self.headers.get("Authorization"):
            self._reply(401, {"errors": [{"message": "no API key"}]})
        else:
            try:
                with server.state.lock:
                    status, body = act()
            except Exception as error:  # the stand-in's own fault must fail the test, not hang the client
                server.unknown.append(f"{operation}: {error!r}")
                status, body = 500, {"errors": [{"message": repr(error)}]}
            self._reply(status, body)

    def _fail(self, fault: Fault) -> None:
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        self._reply(fault.status, {"errors": [{"message": fault.message or "told to fail"}]}, headers)

    def _unknown(self, path: str) -> None:
        self.server.stand_in.unknown.append(f"{self.command} {path}")
        self._reply(404, {"error": "not known here"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _chunks(self) -> Any:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        for name, value in {"ETag": '"e"', **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()
        with self.server.stand_in.changed:
            self.server.stand_in.changed.notify_all()

    def log_message(self, *_: object) -> None:
        """Stay silent."""
