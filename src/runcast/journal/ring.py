"""What waits in memory while the disk refuses: in order, and bounded."""

from __future__ import annotations

from collections import OrderedDict, deque

OVERHEAD = 240
"""Bytes that Python itself needs for each payload kept; rounded up."""


class Ring:
    """Payloads in the order they came; over `limit` bytes the oldest expendable ones go.

    What is not expendable is kept, whatever it weighs.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._payloads: OrderedDict[int, bytes] = OrderedDict()  # ticket → payload
        self._expendable: deque[int] = deque()  # tickets, oldest first
        self._ticket = 0

    def __len__(self) -> int:
        return len(self._payloads)

    def push(self, payload: bytes, *, expendable: bool) -> int:
        """Take one in; gives how many had to go for it, which may be this very one."""
        self._ticket += 1
        self._payloads[self._ticket] = payload
        self.bytes += len(payload) + OVERHEAD
        if expendable:
            self._expendable.append(self._ticket)
        dropped = 0
        while self.bytes > self.limit and self._expendable:
            self.bytes -= len(self._payloads.pop(self._expendable.popleft())) + OVERHEAD
            dropped += 1
        return dropped

    def first(self) -> bytes:
        """The oldest; it may not go any more, because its number is about to be used."""
        ticket, payload = next(iter(self._payloads.items()))
        if self._expendable and self._expendable[0] == ticket:
            self._expendable.popleft()
        return payload

    def pop(self) -> None:
        """Let go of the oldest: it is written."""
        self.bytes -= len(self._payloads.popitem(last=False)[1]) + OVERHEAD
