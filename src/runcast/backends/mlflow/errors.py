"""MLflow's failures as what the courier does next: ``Retry``, ``Reject`` or ``Halt``."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Iterator
from typing import Any

from runcast.backends.mlflow.uris import Store, mask
from runcast.errors import DeliveryError, Halt, Reject, Retry
from runcast.hosts import Host, seconds

_AUTH = "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_BUSY = re.compile(
    r"deadlock|timeout|timed out|connection|could not|closed|I/O|shutting down|starting up",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(r"\(raised as a result of [^)]*\)")  # of SQLAlchemy's; what it is about comes behind
_DENIED = re.compile(r"authentication|password|role \S+ does not exist|permission denied|readonly|read-only")
_NO_DATABASE = re.compile(r"database \S+ does not exist|unknown database|unable to open|not a database")
_CLASHED = re.compile(r"already exists|duplicate key|no such table|UNIQUE constraint")
_REFUSED = re.compile(r"too many (429|503) error responses")
_AWAY = re.compile(
    r"too many (408|429|50[234]) error responses|Connection(Error|Refused|Reset)|ConnectTimeout|timed out"
    r"|Connection (refused|reset|aborted)|asked to be left alone"
)
_WHY = re.compile(
    r"(?<=\] )[A-Z][^'\"()<>]+(?=['\")])|too many \d+ error responses|Read timed out|Connection aborted"
)
_BAD_URLS = {"InvalidURL", "InvalidSchema", "MissingSchema", "LocationParseError"}
_TRANSIENT_FILES = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def translate(error: BaseException, store: Store) -> DeliveryError:
    """The error that the courier understands.

    Args:
        error: what MLflow, its libraries or the operating system raised.
        store: named in the message, without its password.
    """
    for number, cause in enumerate(_causes(error)):
        # Deeper in the chain, a failed import is only one of the optional ones that MLflow tries.
        if (number == 0 or not isinstance(cause, ImportError)) and (known := _known(cause, store)):
            return known
    code = getattr(error, "error_code", None)
    if isinstance(code, str):
        return _by_code(code, _status(error), mask(_text(error)), store)
    return Reject(f"MLflow at {store.shown}: {type(error).__name__}: {mask(_text(error))}")


def is_away(error: BaseException) -> bool:
    """Whether a server did not answer or had too much to do, so that nobody knows what it holds.

    500 is not among it: that is also what MLflow's server says of a file that is gone.
    """
    return any(
        isinstance(cause, (Retry, ConnectionError, TimeoutError)) or _AWAY.search(_text(cause))
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _known(error: BaseException, store: Store) -> DeliveryError | None:
    if isinstance(error, DeliveryError):
        return error
    text = mask(_text(error))
    family = type(error).__module__.partition(".")[0]
    if isinstance(error, ImportError):
        return Halt(_missing(error, store))
    if "found version None" in text:
        return Retry(f"another process is creating the tables of {store.shown}")
    if "out-of-date database schema" in text or family == "alembic":
        return Halt(
            f"the database {store.shown} was written by another version of MLflow ({text[:200]}): back it up "
            "and run `mlflow db upgrade <uri>`, or install the MLflow that wrote it"
        )
    if family == "sqlalchemy":
        return _sql(text, store)
    if family in ("requests", "urllib3"):
        return _http(error, text, store)
    if family in ("boto3", "botocore"):
        return _s3(error, text)
    if isinstance(error, OSError):
        return _file(error, text, store)
    return None


def _missing(error: ImportError, store: Store) -> str:
    module = (error.name or "").partition(".")[0]
    package = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
    if module == "mlflow":
        return f"MLflow cannot be imported ({error}): pip install 'runcast[mlflow]'"
    wanted = package.get(module, module or "the missing package")
    return f"MLflow needs {module or error} for {store.shown}: pip install '{wanted}'"


def _sql(text: str, store: Store) -> DeliveryError:
    short = _PREAMBLE.sub("", text.partition("[SQL:")[0].partition("(Background on")[0]).strip()
    if "is full" in short:
        return Retry(f"no room is left for {store.shown} ({short}): free space")
    if "is locked" in short:
        return Retry(f"{store.shown} is locked by another program ({short})")
    if "duplicate column" in short:
        mend = "where that lasts, and no run is in it, remove it"
        return Retry(f"{store.shown} is just being made, or was left half made by one that died: {mend}")
    if _DENIED.search(text):
        return Halt(f"{store.shown} refuses access ({short}): check the user, its password and its rights")
    if _NO_DATABASE.search(text):
        return Halt(f"{store.shown} cannot be opened ({short}): create the database, or correct uri")
    if _BUSY.search(text) or _CLASHED.search(text):
        return Retry(f"{store.shown} is busy or away ({short})")
    return Reject(f"{store.shown} refuses the data ({short})")


def _http(error: BaseException, text: str, store: Store) -> DeliveryError | None:
    response = getattr(error, "response", None)
    if response is not None:
        wait = seconds(getattr(response, "headers", {}).get("Retry-After"))
        return _by_status(int(response.status_code), text, store, wait)
    if "CERTIFICATE_VERIFY_FAILED" in text or type(error).__name__ in _BAD_URLS:
        return Halt(
            f"{store.shown} cannot be trusted or is no URL ({text[:300]}): correct uri or certificates"
        )
    if _REFUSED.search(text) and (wait := Host(store.host).wait()):
        # Heard by `manners`: the error itself has no header.
        return Retry(f"{store.shown} is too busy and asks for {math.ceil(wait)} s of rest", after=wait)
    why = _WHY.search(text)
    return Retry(f"{store.shown} does not answer ({why[0] if why else text[:300]})")


def _s3(error: BaseException, text: str) -> DeliveryError | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "NoSuchBucket" or status in (401, 403):
            return Halt(
                f"the artifact store refuses files ({text[:300]}): check the bucket and AWS's credentials"
            )
        return Retry(f"the artifact store is busy or away ({text[:300]})") if status >= 429 else None
    if "(NoSuchBucket)" in text:  # boto3's own wrapper, which does not always bring its cause along
        return Halt(
            f"the artifact store refuses files ({text[:300]}): check the bucket and AWS's credentials"
        )
    if "Credentials" in type(error).__name__ or "Profile" in type(error).__name__:
        return Halt(f"the artifact store needs credentials ({text[:300]}): set AWS's variables or profile")
    return None


def _file(error: OSError, text: str, store: Store) -> DeliveryError:
    if isinstance(error, (ConnectionError, TimeoutError)) or error.errno in _TRANSIENT_FILES:
        return Retry(f"{store.shown}: {text}")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Halt(f"no right to write for {store.shown} ({text}): correct the folder's owner or rights")
    return Retry(f"{store.shown}: {text}")


def _by_code(code: str, status: int, text: str, store: Store) -> DeliveryError:
    where = f"MLflow at {store.shown}: {text[:500]}"
    if code == "RESOURCE_DOES_NOT_EXIST":
        return Halt(f"{where}: restore what was deleted")
    if code in ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED") or "NO_IMPLEMENTATION" in code:
        return Halt(f"{where}: is this an MLflow server? Correct uri")
    return _by_status(status, text, store)


def _by_status(status: int, text: str, store: Store, after: float | None = None) -> DeliveryError:
    where = f"MLflow at {store.shown}: {text[:500]}"
    if status in (401, 403):
        return Halt(f"{where}: {_AUTH}")
    if status in (404, 405, 410, 501):
        return Halt(f"{where}: is this an MLflow server? Correct uri")
    if status in (408, 409, 425, 429, 499) or status >= 500:
        return Retry(where, after=after)
    return Reject(where)


def _status(error: Any) -> int:
    status = getattr(error, "get_http_status_code", None)
    return int(status()) if callable(status) else 500


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
