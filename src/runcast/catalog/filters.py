"""Conditions on runs, as people write them, to SQL.

::

    condition   field operator value, as in  metrics.val/acc > 0.9   tags.task = 'classification'
    joined by   and, or, ( )
    operators   = != < <= > >=  and  ~  (pattern with * and ?, case counts)
    values      numbers, nan, inf, true, false, none, dates such as 2026-01-31, 'quoted text', bareword

Fields are those of `runcast.catalog.fields`; a key with blanks or signs is quoted: ``params."my key"``.
A run that lacks a param, tag or metric meets no condition on it. Values only ever travel as parameters.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from runcast.catalog.comparisons import Literal, compare
from runcast.catalog.fields import NAMES, Field, field
from runcast.errors import UsageError

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<operator><=|>=|!=|==|=|<|>|~)
    | (?P<paren>[()])
    | (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<word>[^\s()<>=!~'"]+)
    """,
    re.VERBOSE,
)
_DEEPEST = 50


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def to_sql(where: str) -> tuple[str, list[object]]:
    """A condition to SQL over ``runs r``, and its parameters.

    Raises:
        UsageError: names the position, what was expected there and what was found.
    """
    return _Parser(where).whole()


class _Parser:
    """Recursive descent: expression, term, factor, condition."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = self._scan()
        self._next = 0
        self._depth = 0
        self._parameters: list[object] = []

    def whole(self) -> tuple[str, list[object]]:
        sql = self._any()
        if self._peek().kind != "end":
            self._fail("'and', 'or' or the end")
        return sql, self._parameters

    def _scan(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self._source):
            match = _TOKEN.match(self._source, at)
            if match is None:
                raise (
                    self._error(at, "the closing quote", "the end")
                    if self._source[at] in "'\""
                    else (self._error(at, "a field, operator or value", repr(self._source[at])))
                )
            if match.lastgroup != "space":
                tokens.append(_Token(str(match.lastgroup), match[0], at))
            at = match.end()
        return [*tokens, _Token("end", "", len(self._source))]

    def _any(self) -> str:
        parts = [self._all()]
        while self._takes("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _all(self) -> str:
        parts = [self._factor()]
        while self._takes("and"):
            parts.append(self._factor())
        return " AND ".join(parts)

    def _factor(self) -> str:
        token = self._peek()
        if token.text != "(" or token.kind != "paren":
            return self._condition()
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(f"at most {_DEEPEST} parentheses within each other")
        self._next += 1
        inner = self._any()
        if self._peek().text != ")":
            self._fail("')'")
        self._next += 1
        self._depth -= 1
        return f"({inner})"

    def _condition(self) -> str:
        what = self._field()
        operator = self._peek()
        if operator.kind != "operator":
            self._fail("a comparison (=, !=, <, <=, >, >=, ~)")
        self._next += 1
        value = self._peek()
        if value.kind not in ("word", "quoted"):
            self._fail("a value")
        self._next += 1
        literal = Literal(
            _unquote(value.text) if value.kind == "quoted" else value.text, value.kind == "quoted"
        )
        try:
            sql, parameters = compare(what, operator.text, literal)
        except ValueError as error:
            raise self._error(value.at, str(error), repr(value.text)) from None
        self._parameters += parameters
        return sql

    def _field(self) -> Field:
        token = self._peek()
        if token.kind != "word":
            self._fail("a field")
        self._next += 1
        name, after = token.text, self._peek()
        if name.endswith(".") and after.kind == "quoted" and after.at == token.at + len(name):
            self._next += 1
            name += _unquote(after.text)
        found = field(name)
        if found is None:
            raise self._error(token.at, f"a field ({', '.join(NAMES)})", repr(name))
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _takes(self, word: str) -> bool:
        token = self._peek()
        if token.kind != "word" or token.text.lower() != word:
            return False
        self._next += 1
        return True

    def _fail(self, expected: str) -> NoReturn:
        token = self._peek()
        raise self._error(token.at, expected, repr(token.text) if token.text else "the end")

    def _error(self, at: int, expected: str, found: str) -> UsageError:
        return UsageError(f"where {self._source!r}, character {at + 1}: expected {expected}, found {found}")


def _unquote(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)
