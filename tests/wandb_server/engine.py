"""GraphQL against a schema: what the schema does not have is refused by validation and recorded.

The schema is in ``schema/*.graphql``. A field is answered by the attribute of that name, in Python's
spelling, of the object that it is asked of; by a call, where the attribute is a method.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import graphql
from graphql.execution.values import get_variable_values

from .errors import Refused

Answer = tuple[int, dict[str, Any]]


def snake(name: str) -> str:
    """``entityName`` → ``entity_name``, ``artifactID`` → ``artifact_id``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@lru_cache(maxsize=1)
def schema() -> graphql.GraphQLSchema:
    """The schema of the files beside this one; arguments come in Python's spelling."""
    files = sorted(Path(__file__).with_name("schema").glob("*.graphql"))
    built = graphql.build_schema("\n".join(file.read_text() for file in files))
    for kind in built.type_map.values():
        if kind.name.startswith("__"):
            continue
        if isinstance(kind, graphql.GraphQLInputObjectType):
            for name, field in kind.fields.items():
                field.out_name = snake(name)
        elif isinstance(kind, (graphql.GraphQLObjectType, graphql.GraphQLInterfaceType)):
            for outer in kind.fields.values():
                for name, argument in outer.args.items():
                    argument.out_name = snake(name)
    return built


@lru_cache(maxsize=512)
def _parsed(query: str) -> tuple[graphql.DocumentNode, tuple[graphql.GraphQLError, ...]]:
    document = graphql.parse(query)
    return document, tuple(graphql.validate(schema(), document))


def operation_name(query: str) -> str:
    """The name of a query's operation, or ``?``; also of one that does not parse."""
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
    return found[1] if found else "?"


def answer(root: Any, query: str, variables: dict[str, Any], unknown: list[str]) -> Answer:
    """HTTP status and body for a query; `unknown` is told what the schema or the resolvers do not have."""
    name = operation_name(query)

    def refuse(errors: Any, status: int) -> Answer:
        unknown.extend(f"{name}: {error.message}" for error in errors)
        return status, {"errors": [{"message": error.message} for error in errors]}

    try:
        document, errors = _parsed(query)
    except graphql.GraphQLSyntaxError as error:
        return refuse([error], 400)
    if errors:
        return refuse(errors, 400)
    operation = graphql.get_operation_ast(document)
    assert operation is not None
    coerced = get_variable_values(schema(), operation.variable_definitions, variables)
    if isinstance(coerced, list):
        return refuse(coerced, 400)
    result = graphql.execute(
        schema(), document, root_value=root, variable_values=variables,
        field_resolver=_resolve, type_resolver=_type_of,
    )  # fmt: skip
    assert isinstance(result, graphql.ExecutionResult)
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        bugs = [error for error in result.errors if not isinstance(error.original_error, Refused)]
        unknown.extend(f"{name}: {error.path}: {error.original_error!r}" for error in bugs)
        body["errors"] = [{"message": error.message, "path": error.path} for error in result.errors]
    return 200, body


def _resolve(source: Any, info: graphql.GraphQLResolveInfo, **arguments: Any) -> Any:
    if isinstance(source, dict):
        return source[info.field_name]
    value = getattr(source, snake(info.field_name))
    return value(**arguments) if callable(value) else value


def _type_of(source: Any, *_: Any) -> str:
    # Only collections and the creators of artifacts come in several types.
    return str(source.kind)
