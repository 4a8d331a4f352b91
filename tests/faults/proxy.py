"""The network on a bad day: an HTTP proxy on loopback in front of a real server, with faults on demand."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
from collections import deque
from collections.abc import Iterator

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


def refusal(status: int, error: str = "INTERNAL_ERROR", **headers: str) -> Answer:
    """An answer in MLflow's form; ``_`` in a header's name stands for ``-``."""
    body = json.dumps({"error_code": error, "message": f"no: {status}"}).encode()
    return status, {name.replace("_", "-"): text for name, text in headers.items()}, body


class Network:
    """What happens between client and server.

    Attributes:
        mode: ``ok``; ``hang``: requests are taken and never answered; ``drip``: answers come byte by byte,
            slower than anybody waits for, yet never so slow that a socket's timeout sees it.
        canned: answers that are given instead of the server's, one a request.
        cut_in: the answer to the so manieth request from now is cut off in the middle, after the server has
            done its work; 0: none.
        poison: a request that holds this text is refused with HTTP 400.
        requests: how many came.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.mode = "ok"
        self.canned: deque[Answer] = deque()
        self.cut_in = 0
        self.poison = b""
        self.requests = 0
        self.uri = ""
        self.over = threading.Event()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """The server's answer, or another one."""
        if self.canned:
            return self.canned.popleft()
        if self.poison and self.poison in body:
            return refusal(400, "INVALID_PARAMETER_VALUE")
        server = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
        try:
            server.request(method, path, body, headers)
            answer = server.getresponse()
            kept = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
            return answer.status, kept, answer.read()
        finally:
            server.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    network: Network

    def _pass_on(self) -> None:
        network = self.network
        network.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if network.mode == "hang":
            network.over.wait()
            self.close_connection = True
            return
        status, headers, content = network.answer(self.command, self.path, dict(self.headers), body)
        cut = network.cut_in == 1
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        network.cut_in = max(0, network.cut_in - 1)
        if cut:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if network.mode == "drip":
            self._drip(content)
        else:
            self.wfile.write(content)

    def _drip(self, content: bytes) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.network.over.wait(0.4) or self.network.mode != "drip":
                self.close_connection = True
                return

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *args: object) -> None:
        pass

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):  # the client went away
            super().handle_one_request()


@contextlib.contextmanager
def network(target: int) -> Iterator[Network]:
    """A proxy to a port of this machine; gone afterwards."""
    state = Network(target)
    handler = type("Handler", (_Handler,), {"network": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.uri = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
