"""A backend of the script's own, in thirty lines: it prints what it gets. Others go on beside it."""

from collections.abc import Sequence

import runcast
from runcast.plugins import Backend, Capabilities, OpenRun, Options, Receipt, Ref, native
from runcast.records import Metrics, Record


class PrinterOptions(Options):
    """`digits`: how many digits behind the point."""

    digits: int = 3


class Printer(Backend):
    """Prints metrics."""

    name = "printer"
    Options = PrinterOptions
    capabilities = Capabilities(metrics=native())

    def open(self, run: OpenRun) -> Ref:
        """Nothing to find or make."""
        return Ref(id=run.id, url="standard output")

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Print each point."""
        for record in batch:
            if isinstance(record, Metrics):
                values = {key: round(value, self.options.digits) for key, value in record.values.items()}
                print(f"step {record.step}: {values}")
        return Receipt()


with runcast.start("own", backends=["local", Printer], config={"printer": {"digits": 2}}) as run:
    for step in range(3):
        run.log({"loss": 1 / (step + 1)}, step=step)
