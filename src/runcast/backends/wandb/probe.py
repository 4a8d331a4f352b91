"""One question to a W&B server: does it answer, and does it know the key?"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request

from runcast.backends.wandb.options import api_key
from runcast.errors import Halt, Retry

_QUERY = json.dumps({"query": "query Viewer { viewer { id entity } }", "variables": {}}).encode()
_REFUSED = (401, 403)


def ask(base_url: str, timeout: float = 5.0) -> str:
    """The entity that the key belongs to; ``""`` where W&B's client has another way than a key.

    Args:
        base_url: the server.
        timeout: seconds to wait for each step of the answer.

    Raises:
        Halt: the server refuses the key.
        Retry: the server is down, slow, busy, or answers what it should not.
    """
    key = api_key(base_url)
    if not key:
        return ""
    basic = base64.b64encode(f"api:{key}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
    request = urllib.request.Request(f"{base_url}/graphql", _QUERY, headers)  # noqa: S310  # http(s), checked by the options
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # as above
            viewer = (json.load(answer).get("data") or {}).get("viewer")
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(base_url, error) from None
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        raise Retry(f"wandb: {base_url} does not answer: {error}") from None
    if viewer is None:
        raise _wrong_key(base_url)
    return str(viewer.get("entity") or "")


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
