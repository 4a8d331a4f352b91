"""A state machine: any backend, any order of deliveries, crashes and losses, against the oracle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from runcast.testing import strategies
from runcast.testing.courier import Courier
from runcast.testing.golden import Story

if TYPE_CHECKING:
    from runcast.testing.contract import BackendContract


def machine(contract: BackendContract, root: Path) -> type[RuleBasedStateMachine]:
    """The machine for one backend; run it with ``hypothesis.stateful.run_state_machine_as_test``.

    Args:
        contract: knows the backend, its options, and how to read the tracker.
        root: folder in which each run gets its own.
    """

    class BackendMachine(RuleBasedStateMachine):
        """One run: the journal is complete, the courier is not so lucky."""

        @initialize(story=strategies.stories())
        def start(self, story: Story) -> None:
            self.courier: Courier = contract.courier(Path(tempfile.mkdtemp(dir=root)), story)
            self.at = 0

        def _batch(self, size: int) -> list[Any]:
            return self.courier.records[self.at : self.at + size]

        @rule(size=st.integers(1, 6))
        def deliver(self, size: int) -> None:
            """A batch arrives and is written down."""
            if batch := self._batch(size):
                self.courier.carry(batch)
                self.at += len(batch)

        @rule(size=st.integers(1, 6))
        def deliver_and_die(self, size: int) -> None:
            """A batch arrives, and nobody remembers."""
            if batch := self._batch(size):
                self.courier.carry(batch, acknowledge=False)
                self.courier.crash()

        @rule(orderly=st.booleans())
        def reopen(self, orderly: bool) -> None:
            """The courier stops, one way or the other, and a new one begins."""
            if orderly:
                self.courier.close()
            self.courier.open()

        @rule()
        def forget(self) -> None:
            """The cursor is lost."""
            self.courier.lose_state()
            self.at = 0

        def teardown(self) -> None:
            if not hasattr(self, "courier"):
                return
            try:
                self.deliver(len(self.courier.records))
                self.courier.close()
                contract.check(self.courier)
            finally:
                self.courier.bury()

    return BackendMachine
