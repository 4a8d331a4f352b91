"""Questions to a W&B server: does it answer, does it know the key, and what else it is asked."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from runcast.backends.wandb.options import api_key
from runcast.errors import Halt, Retry

_VIEWER = "query Viewer { viewer { id entity } }"
_REFUSED = (401, 403)


class Refused(Exception):
    """The server understood the question and says no; the text is its reason."""


def ask(base_url: str, timeout: float = 5.0) -> str:
    """The entity that the key belongs to; ``""`` where W&B's client has another way than a key.

    Args:
        base_url: the server.
        timeout: seconds to wait for each step of the answer.

    Raises:
        Halt: the server refuses the key.
        Retry: the server is down, slow, busy, or answers what it should not.
    """
    if not api_key(base_url):
        return ""
    try:
        viewer = query(base_url, _VIEWER, {}, timeout).get("viewer")
    except Refused:
        viewer = None
    if viewer is None:
        raise _wrong_key(base_url)
    return str(viewer.get("entity") or "")


def query(base_url: str, document: str, variables: dict[str, Any], timeout: float = 5.0) -> dict[str, Any]:
    """The data that a GraphQL document asks for.

    Args:
        base_url: the server.
        document: one operation.
        variables: its variables.
        timeout: seconds to wait for each step of the answer.

    Raises:
        Refused: the answer is an error.
        Halt, Retry: as of `ask`.
    """
    basic = base64.b64encode(f"api:{api_key(base_url) or ''}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
    body = json.dumps({"query": document, "variables": variables}).encode()
    request = urllib.request.Request(f"{base_url}/graphql", body, headers)  # noqa: S310  # http(s), checked by the options
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # as above
            found = json.load(answer)
            data, errors = found.get("data") or {}, found.get("errors")
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(base_url, error) from None
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        raise Retry(f"wandb: {base_url} does not answer: {error}") from None
    if errors:
        raise Refused(str(errors[0].get("message", "") if isinstance(errors[0], dict) else errors[0])[:300])
    return dict(data)


def _refusal(base_url: str, error: urllib.error.HTTPError) -> Halt | Retry:
    if error.code in _REFUSED:
        return _wrong_key(base_url)
    wait = error.headers.get("Retry-After") or ""
    after = float(wait) if wait.isdigit() else None
    return Retry(f"wandb: {base_url} answers HTTP {error.code}", after=after)


def _wrong_key(base_url: str) -> Halt:
    return Halt(
        f"wandb: {base_url} refuses the key: run `wandb login --relogin` or set WANDB_API_KEY,"
        " then `runcast deliver`"
    )
