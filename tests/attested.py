"""Attestations as the engine makes them, by whatever key a test has."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

__all__ = ["attestation"]


def attestation(
    key: bytes, method: str, target: str, body: bytes, now_s: int, **claims: Any
) -> str:
    """Return one that holds for this request by the operator `owner`, but for `claims`."""
    said: dict[str, Any] = {"iss": "gateway", "sub": "owner", "jti": "boot-1"}
    said |= {"cred": "key-of-owner", "op": "admin.read" if method == "GET" else "admin.change"}
    said |= {"iat": now_s, "exp": now_s + 30, "htm": method, "htu": target}
    said |= {"bsha": encoded(hashlib.sha256(body).digest()), **claims}
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps(said)]
    text = ".".join(encoded(part.encode()) for part in parts)
    return f"{text}.{encoded(hmac.digest(key, text.encode(), hashlib.sha256))}"


def encoded(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
