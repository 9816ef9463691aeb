"""Dialects: checked, shown, and their schemes used on one message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ringfence import _core
from ringfence.engine.call import named

__all__ = [
    "Request",
    "Seal",
    "Secret",
    "check_dialect",
    "read_dialect",
    "sign_request",
    "verify_frame",
    "verify_request",
]


def check_dialect(dialect: dict[str, Any]) -> dict[str, Any]:
    """Compile a dialect and return its summary: routes and holes.

    Raises:
        EngineError: the message names the field.
    """
    with named():
        summary: dict[str, Any] = json.loads(_core.check_dialect(json.dumps(dialect).encode()))
    return summary


def read_dialect(
    dialect: dict[str, Any], method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> dict[str, Any]:
    """Return what the controls would see of one message.

    Raises:
        EngineError: the dialect or the message is refused.
    """
    with named():
        seen: dict[str, Any] = json.loads(
            _core.dialect_read(json.dumps(dialect).encode(), method, target, headers, body)
        )
    return seen


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it stands on the wire: header fields in order, repeated ones repeated."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """Key material and its algorithm, by the word used in configuration. Never printed."""

    algorithm: str
    material: bytes = field(repr=False)


def verify_request(dialect: dict[str, Any], request: Request, secret: Secret) -> dict[str, Any]:
    """Verify a captured request by the dialect's scheme, whatever its route, and return every step.

    Raises:
        EngineError: the dialect, the key or the message is refused before it comes to the
            signature.
    """
    with named():
        seen: dict[str, Any] = json.loads(
            _core.dialect_verify(
                json.dumps(dialect).encode(),
                request.method,
                request.target,
                request.headers,
                request.body,
                secret.algorithm,
                secret.material,
            )
        )
    return seen


def verify_frame(dialect: dict[str, Any], frame: str, secret: Secret) -> dict[str, Any] | None:
    """Verify a captured WebSocket message; `None` where the dialect knows no signature in it.

    Raises:
        EngineError: the dialect, the key or the message is refused before it comes to the
            signature.
    """
    with named():
        seen: dict[str, Any] | None = json.loads(
            _core.dialect_verify_frame(
                json.dumps(dialect).encode(), frame, secret.algorithm, secret.material
            )
        )
    return seen


@dataclass(frozen=True, slots=True)
class Seal:
    """Who signs and when: microseconds since the Unix epoch. `nonce` grows with each use."""

    key_id: str
    secret: Secret
    passphrase: str | None = field(repr=False)
    now_us: int
    nonce: str


def sign_request(dialect: dict[str, Any], request: Request, seal: Seal) -> Request:
    """Return `request` with what the dialect's scheme adds; what it carries already is kept.

    Raises:
        EngineError: the dialect, the key or the message is refused.
    """
    with named():
        made = json.loads(
            _core.dialect_sign(
                json.dumps(dialect).encode(),
                request.method,
                request.target,
                request.headers,
                request.body,
                seal.key_id,
                seal.secret.algorithm,
                seal.secret.material,
                seal.passphrase,
                seal.now_us,
                seal.nonce,
            )
        )
    headers = [(name, value) for name, value in made["headers"]]
    return Request(request.method, made["target"], headers, made["body"].encode())
