"""What ``runcast doctor`` says about MLflow, without importing it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import urllib.error
import urllib.request
from pathlib import Path

from runcast.backends.mlflow.uris import Store, mask, parse
from runcast.errors import Halt
from runcast.plugins import Finding

_SECONDS = 3.0
_DRIVERS = {
    "postgresql": (("psycopg", "psycopg2"), "pip install 'psycopg[binary]'"),
    "mysql": (("pymysql", "MySQLdb", "mysql"), "pip install pymysql"),
    "mssql": (("pyodbc", "pymssql"), "pip install pyodbc"),
}


def findings(uri: str) -> list[Finding]:
    """One finding per thing that can be wrong; relative paths start at the working folder.

    Args:
        uri: the tracking URI.
    """
    found = [_package()]
    try:
        store = parse(uri, lambda path: Path.cwd() / path)
    except Halt as error:
        return [*found, Finding(ok=False, what=str(error), mend="uri = 'sqlite:///mlflow.db'")]
    if store.kind == "http":
        found.append(_server(store))
    elif store.database is not None:
        found.append(_folder(store.database))
    elif store.kind == "sql":
        found.append(_driver(store))
    else:
        found.append(Finding(ok=True, what=f"tracking store {store.shown}: left to MLflow"))
    return found


def _package() -> Finding:
    try:
        version = importlib.metadata.version("mlflow")
    except importlib.metadata.PackageNotFoundError:
        return Finding(ok=False, what="the package mlflow is missing", mend="pip install 'runcast[mlflow]'")
    return Finding(ok=True, what=f"mlflow {version}")


def _server(store: Store) -> Finding:
    request = urllib.request.Request(f"{_plain(store)}/health")  # noqa: S310  # parse admits http and https alone
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  # same
            answer = f"{store.shown} answers {response.status}"
        return Finding(ok=True, what=answer)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return Finding(ok=True, what=f"{store.shown} answers, and wants credentials")
        return Finding(
            ok=False, what=f"{store.shown} answers {error.code}", mend="correct uri, or mend the server"
        )
    except (OSError, ValueError) as error:
        why = mask(str(error))
        return Finding(
            ok=False, what=f"{store.shown} does not answer ({why})", mend="start it: mlflow server"
        )


def _plain(store: Store) -> str:
    scheme, _, rest = store.uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _folder(database: Path) -> Finding:
    nearest = next(folder for folder in database.parents if folder.exists())
    target = database if database.exists() else nearest
    if os.access(target, os.W_OK) and os.access(nearest, os.W_OK):
        return Finding(ok=True, what=f"{database} can be written")
    return Finding(
        ok=False, what=f"{target} cannot be written", mend=f"chown it, or set uri (now {database})"
    )


def _driver(store: Store) -> Finding:
    dialect, _, driver = store.uri.partition(":")[0].partition("+")
    modules, mend = _DRIVERS[dialect]
    wanted = (driver,) if driver else modules
    if any(importlib.util.find_spec(module) for module in wanted):
        return Finding(ok=True, what=f"{store.shown}: the driver is there")
    return Finding(ok=False, what=f"{store.shown}: no driver ({' or '.join(wanted)})", mend=mend)
