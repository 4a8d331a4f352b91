"""The promise's table is what the tests say, and no fault is without a test."""

from __future__ import annotations

import pytest

from .table import DOCUMENT, FAULTS, proofs, updated


def test_every_fault_has_a_test() -> None:
    """F01 to F28, and no mark speaks of a fault that is not in the list."""
    assert {proof.fault for proof in proofs()} == set(FAULTS)


def test_the_marks_stand_on_tests() -> None:
    """A mark on a helper would prove nothing."""
    assert [proof for proof in proofs() if not proof.test.startswith("test_")] == []


def test_the_document_is_up_to_date() -> None:
    """Otherwise: ``python -m tests.faults.table --write``."""
    assert DOCUMENT.read_text() == updated(DOCUMENT.read_text())


def test_marks_are_seen_by_pytest_too(request: pytest.FixtureRequest) -> None:
    """What is read from the source is registered, so that ``pytest -m fault`` runs the suite."""
    assert any(line.startswith("fault(") for line in request.config.getini("markers"))
