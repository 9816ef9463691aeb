"""What a browser answers, as far as it can be read before anything about it is believed."""

from __future__ import annotations

import json
from typing import Any

from webauthn.helpers import base64url_to_bytes

from ringfence.errors import FactorError

__all__ = [
    "answer_field",
    "challenge_of",
    "client_data",
    "credential_id_of",
    "refused",
    "transports_of",
]

MAX_ANSWER_BYTES = 65_536
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
"""Level 3, section 5.8.4."""


def transports_of(answer: dict[str, Any]) -> tuple[str, ...]:
    """Return how an authenticator says that it is reached, as far as the standard knows it."""
    response = answer.get("response")
    said = response.get("transports") if isinstance(response, dict) else None
    return tuple(one for one in TRANSPORTS if isinstance(said, list) and one in said)


def challenge_of(answer: dict[str, Any]) -> bytes:
    """Return the challenge that an answer claims to be for; to be looked up, not believed.

    Raises:
        FactorError: `passkey_refused` when it cannot be read.
    """
    value = client_data(answer).get("challenge")
    if not isinstance(value, str):
        raise refused("its client data names no challenge")
    return decoded(value)


def credential_id_of(answer: dict[str, Any]) -> bytes:
    """Return the id that an answer claims to be of; to be looked up, not believed.

    Raises:
        FactorError: `passkey_refused` when it cannot be read.
    """
    value = answer.get("rawId")
    if not isinstance(value, str) or len(value) > MAX_ANSWER_BYTES:
        raise refused("its id cannot be read")
    return decoded(value)


def client_data(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the client data of an answer, in which no name stands twice."""
    try:
        raw = answer_field(answer, "clientDataJSON") or b""
        read = json.loads(raw, object_pairs_hook=once)
    except ValueError:
        raise refused("its client data cannot be read") from None
    if not isinstance(read, dict):
        raise refused("its client data cannot be read")
    return read


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object in which no name stands twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def answer_field(answer: dict[str, Any], name: str) -> bytes | None:
    """Return a field of an answer's response, decoded; None where there is none."""
    response = answer.get("response")
    value = response.get(name) if isinstance(response, dict) else None
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_ANSWER_BYTES:
        raise refused(f"its {name} cannot be read")
    return decoded(value)


def decoded(value: str) -> bytes:
    """Return what base64url text stands for."""
    try:
        return base64url_to_bytes(value)
    except ValueError:
        raise refused("it is not base64url") from None


def refused(why: str) -> FactorError:
    """Return a refusal of a passkey."""
    return FactorError(f"the passkey is refused: {why}", code="passkey_refused")
