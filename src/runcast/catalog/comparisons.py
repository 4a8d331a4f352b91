"""One comparison of a filter: a field, an operator and a literal to SQL with parameters."""

from __future__ import annotations

import math
import sqlite3
from datetime import datetime, timezone
from typing import NamedTuple

from runcast.catalog.fields import Field
from runcast.catalog.values import json_in, json_out, sortable, text_in

Sql = tuple[str, list[object]]
_ORDERED = ("<", "<=", ">", ">=")


class Literal(NamedTuple):
    """A value as it was written."""

    text: str
    quoted: bool


def compare(field: Field, operator: str, literal: Literal) -> Sql:
    """The condition in SQL.

    Raises:
        ValueError: the literal or operator does not suit the field; the text says what would.
    """
    operator = "=" if operator == "==" else operator
    condition, parameters = {
        "text": _text,
        "number": _number,
        "time": _time,
        "param": _param,
        "metric": _metric,
    }[field.kind](field, operator, literal)
    if not field.table:
        return condition, parameters
    exists = f"EXISTS (SELECT 1 FROM {field.table} t WHERE t.run = r.n AND t.key = ? AND {condition})"  # noqa: S608  # own words
    return exists, [field.key, *parameters]


def add_functions(connection: sqlite3.Connection) -> None:
    """What the conditions need beyond SQL: ``as_text(json)``, the text that people compare a param with."""
    connection.create_function("as_text", 1, _as_text, deterministic=True)


def _as_text(json: str | bytes) -> str | bytes:
    value = json_out(json)
    return text_in(value) if isinstance(value, str) else json


def _column(field: Field) -> str:
    return f"t.{field.column}" if field.table else field.column


def _text(field: Field, operator: str, literal: Literal) -> Sql:
    if operator in _ORDERED:
        raise ValueError("text, which compares only with =, != and ~: a number")
    column = _column(field)
    if literal.text == "none" and not literal.quoted and not field.table and operator != "~":
        return f"{column} IS {'' if operator == '=' else 'NOT '}NULL", []
    if operator == "~":
        return f"{column} GLOB ?", [text_in(literal.text)]
    return f"{column} IS {'' if operator == '=' else 'NOT '}?", [text_in(literal.text)]


def _number(field: Field, operator: str, literal: Literal) -> Sql:
    if operator == "~":
        raise ValueError("a comparison of numbers, not a pattern:")
    return f"{_column(field)} {operator} ?", [sortable(_parse_number(literal))]


def _time(field: Field, operator: str, literal: Literal) -> Sql:
    if operator == "~":
        raise ValueError("a comparison of times, not a pattern:")
    if literal.text == "none" and operator in ("=", "!="):
        return f"{field.column} IS {'' if operator == '=' else 'NOT '}NULL", []
    try:
        return f"{field.column} {operator} ?", [_parse_time(literal.text)]
    except (ValueError, OverflowError):
        raise ValueError("a time, such as 2026-01-31 or '2026-01-31 18:00' (local time),") from None


def _param(field: Field, operator: str, literal: Literal) -> Sql:
    if operator == "~":
        return "as_text(t.json) GLOB ?", [text_in(literal.text)]
    number = None if literal.quoted else _as_number(literal.text)
    if number is not None and not math.isnan(number):
        if operator == "!=":  # text differs from every number
            return "(t.number IS NULL OR t.number != ?)", [sortable(number)]
        return f"t.number {operator} ?", [sortable(number)]
    if operator in _ORDERED:
        raise ValueError("a number after <, <=, >, >=")
    words = {"true": True, "false": False, "none": None, "null": None}
    value: object = literal.text if number is None else number
    if not literal.quoted and literal.text in words:
        value = words[literal.text]
    return f"t.json {operator} ?", [json_in(value)]


def _metric(field: Field, operator: str, literal: Literal) -> Sql:
    if operator == "~":
        raise ValueError("a comparison of numbers, not a pattern:")
    number = _parse_number(literal)
    column = _column(field)
    if math.isnan(number):
        if operator not in ("=", "!="):
            raise ValueError("a number; NaN is neither smaller nor larger:")
        return f"{column}_exact IS {'' if operator == '=' else 'NOT '}'nan'", []
    if operator == "!=":  # NaN differs from every number
        return f"({column} IS NULL OR {column} != ?)", [sortable(number)]
    return f"{column} {operator} ?", [sortable(number)]


def _parse_number(literal: Literal) -> int | float:
    number = None if literal.quoted else _as_number(literal.text)
    if number is None:
        raise ValueError("a number")
    return number


def _as_number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _parse_time(text: str) -> int:
    # Python 3.10 reads no "Z"; times without a zone are local.
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
