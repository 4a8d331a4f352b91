"""What waits in memory while the disk refuses: in order, and bounded."""

from __future__ import annotations

from collections import OrderedDict, deque

OVERHEAD = 240
"""Bytes that Python itself needs for each payload kept; rounded up."""


class Ring:
    """Payloads in the order they came; over `limit` bytes the oldest expendable ones go.

    What is not expendable is kept, whatever it weighs.

    Attributes:
        done: ticket of the last payload that was written. Set it in one step with the number that was
            used, so that an interrupt between two steps finds both or neither; then call `settle`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._payloads: OrderedDict[int, bytes] = OrderedDict()  # ticket → payload
        self._expendable: deque[int] = deque()  # tickets, oldest first
        self._ticket = 0
        self.done = 0

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

    def first(self) -> tuple[int, bytes]:
        """Ticket and payload of the oldest; it may not go any more: its number is about to be used."""
        ticket, payload = next(iter(self._payloads.items()))
        if self._expendable and self._expendable[0] == ticket:
            self._expendable.popleft()
        return ticket, payload

    def settle(self) -> None:
        """Let go of what is written."""
        payload = self._payloads.pop(self.done, None)
        if payload is not None:
            self.bytes -= len(payload) + OVERHEAD
