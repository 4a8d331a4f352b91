"""The built-in sources against the kit."""

from __future__ import annotations

from pathlib import Path

from runcast import codec
from runcast.journal import JournalWriter, Layout
from runcast.plugins.source import Source
from runcast.sources.local import LocalSource
from runcast.testing import Courier, MemoryBackend, SourceContract, Story


class TestLocal(SourceContract):
    """Journals, as a script leaves them."""

    def source(self, tmp_path: Path) -> Source:
        """The folder that `Courier` writes to."""
        return LocalSource(str(tmp_path / ".runcast"))

    def write(self, tmp_path: Path, story: Story) -> str:
        """One more journal; nothing is delivered."""
        return Courier(MemoryBackend, {}, tmp_path, story).id

    def extend(self, tmp_path: Path, run: str, story: Story) -> None:
        """A process that resumed the run."""
        writer = JournalWriter(Layout(tmp_path / ".runcast").journal(run), run, generation=1)
        for _, record in story.said:
            writer.append(codec.encode(record))
        writer.close()
