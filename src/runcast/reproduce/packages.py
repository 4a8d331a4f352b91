"""A virtual environment with the exact versions of a run: which Python, what for pip, and what pip says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runcast.errors import ReproductionError, UsageError
from runcast.redact import redact_text
from runcast.reproduce.past import Past

_FOLDER = re.compile(r"# (?P<name>[^=\s]+)==(?P<version>[^,\s]+), from a folder of that machine")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==|@)")
_UNKNOWN = re.compile(r"satisfies the requirement (?P<what>\S+)(?: \(from versions: (?P<has>[^)]*)\))?")
_NONE = re.compile(r"No matching distribution found for (?P<what>\S+)")
_FAILED = re.compile(r"(?:Failed building wheel for|Failed to build) '?(?P<what>[^\s']+)")
_SHOWN = 8


class Plan(NamedTuple):
    """What to install.

    Attributes:
        lines: for pip, one package each.
        folders: name → version of packages that no index has, because they came from a folder.
    """

    lines: list[str]
    folders: dict[str, str]


def plan(requirements: str, replaced: Mapping[str, str]) -> Plan:
    """Sort the recorded ``requirements.txt``.

    Args:
        replaced: name → version to take instead of the recorded one.

    Raises:
        UsageError: a package is to be replaced that the run did not have.
    """
    wanted = {normal(name): version for name, version in replaced.items()}
    lines: list[str] = []
    folders: dict[str, str] = {}
    seen = set()
    for line in filter(None, map(str.strip, requirements.splitlines())):
        found = _FOLDER.match(line) or _NAMED.match(line)
        name = normal(found["name"]) if found else ""
        seen.add(name)
        if name == "pip" or (line.startswith("#") and not _FOLDER.match(line)):
            continue  # it does not run, it installs
        if name in wanted:
            lines.append(f"{name}=={wanted[name]}")
        elif line.startswith("#") and found:
            folders[name] = found["version"]
        else:
            lines.append(line)
    if strangers := sorted(set(wanted) - seen):
        raise UsageError(f"the run had no package {strangers[0]!r} that --package could replace")
    return Plan(lines, folders)


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def interpreter(run: Past, given: str | None = None) -> str:
    """The Python to make the environment with: of the run's own minor version, where there is one.

    Raises:
        UsageError: the given one is none.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise UsageError(f"--python {given}: there is no such program")
        return found
    version = str(run.part("python").get("version", ""))
    minor = ".".join(version.split(".")[:2])
    if not minor or minor == "{}.{}".format(*sys.version_info[:2]):
        return sys.executable
    return shutil.which(f"python{minor}") or sys.executable


def create(python: str, folder: Path) -> Path:
    """An empty environment; gives its interpreter.

    Raises:
        ReproductionError: `venv` failed.
    """
    done = _call([python, "-m", "venv", "--without-pip", str(folder)])
    if done.returncode:
        raise ReproductionError(
            f"{python} cannot make a virtual environment: {_last(done)}; "
            "install its venv package, name another one with --python, or give --no-env"
        )
    return folder / "bin" / "python"


def install(base: str, python: Path, found: Plan, folder: Path, sources: Mapping[str, Path]) -> list[str]:
    """Install what the plan says, exactly and with nothing else; gives what stays missing, in words.

    Args:
        base: interpreter whose pip does the work, where it has one.
        python: of the environment, which has no pip yet.
        folder: for the file that pip reads.
        sources: name → folder that holds a package's code.

    Raises:
        ReproductionError: names the package that pip could not get.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{line}\n" for line in found.lines))
    if found.lines:
        _pip(base, python, ["--requirement", str(requirements)])
    missing = []
    for name, version in found.folders.items():
        if name in sources:
            _link(python, name, version, sources[name])
        else:
            missing.append(f"{name} {version}, which was installed from a folder")
    return missing


def _pip(base: str, python: Path, arguments: Sequence[str]) -> None:
    command = [base, "-m", "pip", "--python", str(python)]
    if _call([base, "-m", "pip", "--version"]).returncode:  # an environment that some other tool made
        made = _call([str(python), "-m", "ensurepip", "--default-pip"])
        if made.returncode:
            raise ReproductionError(
                f"{base} has no pip, and cannot make one: {_last(made)}; install pip there, name another "
                "interpreter with --python, or give --no-env"
            )
        command = [str(python), "-m", "pip"]
    # Without dependencies: the list is whole, and exactly what worked, whatever its packages say they need.
    done = _call([*command, "--no-input", "--disable-pip-version-check", "install", "--no-deps", *arguments])
    if done.returncode:
        raise ReproductionError(explain(done.stdout + done.stderr))


def explain(said: str) -> str:
    """What pip said, in one sentence that names the package and the mend."""
    other = "give --package NAME==VERSION to take another version, or --no-env to use this interpreter's own"
    failed = _UNKNOWN.search(said) or _NONE.search(said)
    if failed:
        has = (failed.groupdict().get("has") or "none").split(", ")
        text = ", ".join(has[-_SHOWN:]) if has != ["none"] else "none at all"
        what = failed["what"]
        public, _, build = what.partition("+")
        if (
            build
        ):  # a local version: https://packaging.python.org/en/latest/specifications/version-specifiers/
            other = f"give --package {public} to take the index's own build of it, or --no-env"
        return (
            f"pip cannot find {what}: the package index has {text}; if it is elsewhere, set "
            f"PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS, or {other}"
        )
    if built := _FAILED.search(said):
        return f"pip cannot build {built['what']} on this machine; {other}"
    lines = [line for line in said.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else "no reason")
    return redact_text(f"pip failed: {reason.removeprefix('ERROR:').strip()}; {other}")


def _link(python: Path, name: str, version: str, source: Path) -> None:
    """Make the modules in a folder importable, as a package that was installed from a folder.

    Source: https://docs.python.org/3/library/site.html,
    https://packaging.python.org/en/latest/specifications/recording-installed-packages/.
    """
    done = _call([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    site = Path(done.stdout.strip())
    (site / f"{name}.pth").write_text(f"{source}\n")
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    origin = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (about / "direct_url.json").write_text(json.dumps(origin))


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        return subprocess.CompletedProcess(list(command), 127, "", str(error))


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return redact_text(lines[-1]) if lines else "no reason given"
