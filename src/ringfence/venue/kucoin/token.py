"""KuCoin's tokens for WebSockets: what is signed here says whose it is, and until when."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from typing import Any

__all__ = ["PATH", "holder", "instance", "issue"]

PATH = "/endpoint"
LIFE_SECONDS = 86_400
KEY = secrets.token_bytes(32)
"""Of this process: its tokens end with it."""


def issue(account: str) -> str:
    """Return a token for `account`; nobody's, if that is empty."""
    until = int(time.time()) + LIFE_SECONDS
    said = json.dumps([account, until, secrets.token_hex(8)]).encode()
    # As KuCoin's: two parts in base64, with padding.
    return ".".join(base64.b64encode(part).decode() for part in (said, sign(said)))


def holder(token: str) -> str | None:
    """Return whose token that is; none if it is none, or over."""
    try:
        said, signature = (base64.b64decode(part, validate=True) for part in token.split("."))
    except ValueError:
        return None
    if not hmac.compare_digest(sign(said), signature):
        return None
    account, until, _ = json.loads(said)
    return str(account) if time.time() < until else None


def sign(said: bytes) -> bytes:
    return hmac.digest(KEY, said, "sha256")


def instance(token: str, endpoint: str) -> dict[str, Any]:
    """Return the answer that hands `token` out."""
    server = {
        "endpoint": endpoint, "encrypt": endpoint.startswith("wss:"), "protocol": "websocket",
        "pingInterval": 18_000, "pingTimeout": 10_000,
    }  # fmt: skip
    return {"token": token, "instanceServers": [server]}
