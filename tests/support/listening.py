"""Servers that tests start listen on the loopback only."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import psutil

_bind = socket.socket.bind


def is_loopback(address: Any) -> bool:
    """Whether nobody outside of this machine reaches it; the address of ``bind``."""
    if not isinstance(address, tuple):  # a path, or a device's own
        return True
    host = str(address[0])
    return host == "localhost" or (host != "" and ipaddress.ip_address(host.partition("%")[0]).is_loopback)


def guarded_bind(self: socket.socket, address: Any) -> None:
    """``socket.bind`` that lets no test open a port to the network."""
    assert is_loopback(address), f"a test binds to {address}: bind to 127.0.0.1"
    _bind(self, address)


def only_on_loopback(pid: int) -> None:
    """A server that was started, with all its children, listens somewhere, and nowhere else."""
    server = psutil.Process(pid)
    found = {
        connection.laddr.ip
        for process in [server, *server.children(recursive=True)]
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert found, f"{server} listens nowhere"
    assert all(ipaddress.ip_address(ip).is_loopback for ip in found), f"{server} listens on {found}"
