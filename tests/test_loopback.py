"""The servers of the tests are for this machine alone; each fixture checks its own when it has started it."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from .support.listening import only_on_loopback

EVERYWHERE = "0.0.0.0"  # noqa: S104  # so that it is refused
LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print("up", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("address", [("", 0), (EVERYWHERE, 0), ("::", 0)])
def test_no_test_can_open_a_port_to_the_network(address: tuple[str, int]) -> None:
    """Binding to every interface fails in the test's own process."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(AssertionError, match=r"bind to 127\.0\.0\.1"):
        sock.bind(address)


@pytest.mark.parametrize(("address", "fine"), [("127.0.0.1", True), (EVERYWHERE, False)])
def test_a_started_server_is_looked_at(address: str, fine: bool) -> None:
    """One that listens to the network is told from one that does not."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            if fine:
                only_on_loopback(server.pid)
            else:
                with pytest.raises(AssertionError, match="listens on"):
                    only_on_loopback(server.pid)
        finally:
            server.communicate()
