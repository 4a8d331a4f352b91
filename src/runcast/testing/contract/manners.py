"""How a backend behaves towards the process and the people that it lives with."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from runcast.errors import DeliveryError
from runcast.plugins import Backend, Capabilities, Finding
from runcast.plugins.manager import unusable
from runcast.testing.contract.base import Kit, Make
from runcast.testing.golden import artifact, small, training

CANARY = "tweet-4711-canary"

_LOOK = """
import importlib, json, sys
module, name, sdk = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
kind = importlib.import_module(module)
for part in name.split("."):
    kind = getattr(kind, part)
kind.Options.model_json_schema(), kind.capabilities, kind.requires, kind.deadline
print(json.dumps(sorted(set(sdk) & {loaded.partition(".")[0] for loaded in sys.modules})))
"""


class Manners(Kit):
    """Imports, options, secrets, files."""

    def test_it_is_a_backend(self) -> None:
        """The plugin manager takes it: name, options, capabilities, methods."""
        assert unusable(self.backend) == ""

    def test_capabilities_are_declared(self) -> None:
        """Something is declared; whatever is not in the tracker's own slot says where it is, or why not."""
        capabilities = self.backend.capabilities
        declared = capabilities.model_fields_set
        assert declared, "no capability is declared"
        mute = [
            feature
            for feature in Capabilities.model_fields
            if feature in declared
            and getattr(capabilities, feature).level != "native"
            and not getattr(capabilities, feature).note
        ]
        assert not mute, f"no note says what becomes of: {', '.join(mute)}"

    def test_options_refuse_unknown_names(self, tmp_path: Path) -> None:
        """A slip in an option's name is an error at the start, not a default in silence."""
        given = dict(self.options(tmp_path))
        assert self.backend.Options.model_validate(given) is not None
        with pytest.raises(ValidationError, match="no_such_option"):
            self.backend.Options.model_validate({**given, "no_such_option": 1})

    def test_making_an_instance_touches_nothing(self, tmp_path: Path) -> None:
        """Only ``open`` makes files; an instance that was never opened can be forgotten."""
        options = self.backend.Options.model_validate(dict(self.options(tmp_path)))
        before = sorted(tmp_path.rglob("*"))
        self.backend(options)

        assert sorted(tmp_path.rglob("*")) == before

    def test_no_sdk_is_imported_before_open(self) -> None:
        """Import, options and capabilities need nothing of the tracker's client: every command uses them."""
        sdk = {name.partition(".")[0] for name in (*self.backend.requires, *self.sdk)}
        path = os.pathsep.join(part for part in sys.path if part)
        done = subprocess.run(
            [sys.executable, "-c", _LOOK, self.backend.__module__, self.backend.__qualname__, ",".join(sdk)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.returncode == 0, f"the backend's module cannot be imported alone:\n{done.stderr}"
        assert done.stdout.strip() == "[]", f"imported before open: {done.stdout.strip()}"

    def test_no_secret_comes_out(self, tmp_path: Path, carry: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """A password in a URL is in no reference, change, finding or message."""
        told: list[str] = []
        if self.url_option is not None:
            for scheme in ("http", "https"):
                url = f"{scheme}://ada:{CANARY}@127.0.0.1:9/path"
                told += self._try_url(url, tmp_path)
        courier = carry(small()).play()
        told += [repr(courier.ref), repr(courier.changes), repr(courier.state)]

        assert CANARY not in "\n".join(told)

    def _try_url(self, url: str, root: Path) -> list[str]:
        """Everything that is said of a URL whose server is not there."""
        given = {**self.options(root), str(self.url_option): url}
        try:
            options = self.backend.Options.model_validate(given)
        except ValidationError as error:
            return [str(each["msg"]) for each in error.errors(include_input=False)]
        told = [repr(self._findings(options))]
        courier = self.courier(root, small())
        courier.options = options
        try:
            told.append(repr(courier.open()))
            courier.deliver(courier.records)
        except DeliveryError as error:
            told.append(str(error))
        finally:
            told += [repr(courier.changes), repr(courier.state)]
            courier.bury()
        return told

    def _findings(self, options: object) -> list[Finding]:
        return self.backend.diagnose(options)

    def test_diagnose_tells_what_to_mend(self, tmp_path: Path) -> None:
        """``runcast doctor`` gets findings; each bad one comes with its mend."""
        found = self._findings(self.backend.Options.model_validate(dict(self.options(tmp_path))))

        assert all(isinstance(finding, Finding) and finding.what for finding in found)
        assert all(finding.mend for finding in found if not finding.ok)

    def test_files_are_private(self, tmp_path: Path, carry: Make) -> None:
        """Whatever the umask: nobody else can read a file that the backend has made."""
        old = os.umask(0)
        try:
            known = set(tmp_path.rglob("*"))
            courier = carry(artifact()).play()
            carry(training()).play()
        finally:
            os.umask(old)
        made = [p for p in tmp_path.rglob("*") if p not in known and p.is_file() and not p.is_symlink()]
        if not self.own_files:
            made = [path for path in made if courier.layout.root in path.parents]
        open_ = [str(p.relative_to(tmp_path)) for p in made if not _is_private(p, tmp_path)]

        assert not open_, f"others can read: {', '.join(open_[:5])}"

    def test_close_ends_it(self, carry: Make) -> None:
        """After ``close`` another instance takes over, in the same process."""
        courier = carry(training())
        for start in range(0, len(courier.records), 10):
            courier.play(records=courier.records[start : start + 10])

        self.check(courier)

    def test_deadline_is_a_time(self) -> None:
        """A call may take some time, not for ever."""
        assert 0 < self.backend.deadline <= 3600
        assert issubclass(self.backend, Backend)


def _is_private(path: Path, root: Path) -> bool:
    """Whether the file, or a folder on the way to it, is closed to others."""
    parents = [parent for parent in path.parents if root in parent.parents]
    return any(not stat.S_IMODE(place.lstat().st_mode) & 0o077 for place in (path, *parents))
