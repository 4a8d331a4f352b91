"""The shape of the house: imports point down, and no tracker's client is imported where it must not be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import runcast

SOURCE = Path(runcast.__file__).parent
LAYERS = (
    {"errors", "records", "receipts", "codec", "names", "redact", "notices", "summaries"}
    | {"cache", "entries", "hosts"},
    {"journal", "formats", "normalize", "media", "render"},
    {"plugins", "config", "capture", "system"},
    {"catalog"},
    {"backends", "sources", "registries"},
    {"courier"},
    {
        "selector",
        "model_registry",
        "artifacts",
        "datasets",
        "models",
        "run_files",
        "ranks",
        "trouble",
        "session",
        "traces",
        "run_traces",
        "seeds",
        "reproduce",
        "resuming",
        "run",
        "starting",
        "",
    },
    {"migrate", "retention"},
    {"cli", "demo", "testing"},
)
FILES = sorted(path for path in SOURCE.rglob("*.py"))


def part(module: str) -> str:
    """The first name below ``runcast`` of a module's dotted name."""
    return [*module.split("."), ""][1]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, lazily or not; those for type checkers alone are left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if node.module == "runcast" else node.module
                for alias in node.names
            }
    return found


def level(name: str) -> int:
    """Number of the layer that holds a part, from the ground up."""
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    """A part imports its own layer or a lower one; only the face's own lazy attributes look up."""
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py").replace("__init__", "")
    for module in imports(path):
        if module.split(".")[0] == "runcast":
            other = part(module)
            known = other if any(other in layer for layer in LAYERS) else ""
            assert level(known) <= level(own), module


def test_backends_do_not_know_each_other() -> None:
    """A newcomer can read one alone."""
    for folder in (SOURCE / "backends").iterdir():
        for path in folder.rglob("*.py") if folder.is_dir() else ():
            others = {m.split(".")[2] for m in imports(path) if m.startswith("runcast.backends.")}
            assert others <= {folder.name}, path


def test_no_file_is_too_long() -> None:
    """None above 400 lines, and the median near 150 or below."""
    lengths = sorted(len(path.read_text().splitlines()) for path in FILES)

    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 150


@pytest.mark.parametrize(
    ("module", "late"),
    [
        (
            "runcast",
            "hashlib subprocess tempfile logging sqlite3 pydantic typer rich numpy torch "
            "runcast.journal.reader runcast.courier.client runcast.artifacts runcast.capture "
            "runcast.media.image",
        ),
        ("runcast.courier.supervisor", "pydantic typer rich numpy sqlite3 ssl"),
    ],
)
def test_what_a_script_or_courier_does_not_need_at_once_is_not_imported(module: str, late: str) -> None:
    """Every one of these costs the start of each script, or of each courier, milliseconds."""
    code = f"import {module}, sys; print(*(m for m in {late.split()!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_the_public_names_are_these() -> None:
    """A name is added or removed on purpose."""
    assert sorted(runcast.__all__) == [
        "Audio",
        "Calibration",
        "ConfigError",
        "ConfusionMatrix",
        "DeliveryError",
        "Embedding",
        "FeatureImportance",
        "Figure",
        "Graph",
        "Halt",
        "Histogram",
        "Html",
        "Image",
        "Mesh",
        "Object3D",
        "PointCloud",
        "PrCurve",
        "Reference",
        "Reject",
        "Retry",
        "RocCurve",
        "Run",
        "RuncastError",
        "Table",
        "Text",
        "UsageError",
        "Video",
        "__version__",
        "current_run",
        "load_model",
        "log",
        "registry",
        "reproducible",
        "runs",
        "seed_everything",
        "select",
        "start",
    ]
    assert all(hasattr(runcast, name) for name in runcast.__all__)
