"""What a page of the seal shows, and to whom it seals what a passkey's PRF releases.

It comes sealed to a key that the waiting command made a moment ago and that the passkey has signed
for (HPKE, RFC 9180), so that nobody between the two can read it, whatever carries it: the gateway
whose page it is, neither.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from ringfence.errors import GatewayError, PageError
from ringfence.identity.factor import RelyingParty
from ringfence.identity.factor.answer import refused
from ringfence.identity.factor.statement import challenge_for, statement
from ringfence.identity.seal.kek import KEY_BYTES
from ringfence.identity.seal.memory import wipe
from ringfence.identity.seal.passkey import Way

__all__ = ["SUITE", "Recipient", "info_of", "read_recipient", "sealed_in", "shown", "stated"]

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""What every browser's WebCrypto can do; Chromium alone has X25519 and ML-KEM there so far."""
PREFIX = b"ringfence/released/v1\x00"
MAX_SEALED = 512


class Recipient:
    """The key of one command, in its memory alone."""

    def __init__(self) -> None:
        """Make it."""
        self._key = generate_private_key(SECP256R1())
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.named = base64.b64encode(point).decode()
        """As the statement says it."""

    def open(self, sealed: str, text: bytes) -> bytearray:
        """Return what a browser released under the statement `text`; whoever takes it wipes it.

        Raises:
            FactorError: `passkey_refused`: not to this key, or under another statement.
        """
        try:
            plain = SUITE.decrypt(base64url_to_bytes(sealed), self._key, info_of(text))
        except (InvalidTag, ValueError, GatewayError):
            raise refused("what it released was not sealed to this command") from None
        released = bytearray(plain)
        wipe(plain)
        if len(released) != KEY_BYTES:
            raise refused("what it released is no key")
        return released


def read_recipient(named: str) -> str:
    """Return a recipient that a command named, if it is one.

    Raises:
        PageError: `page_request`.
    """
    try:
        point = base64.b64decode(named, validate=True)
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        raise PageError("the recipient is no point of P-256", code="page_request") from None
    return named


def sealed_in(answer: dict[str, Any]) -> str:
    """Return what a browser's answer has released, still sealed.

    Raises:
        FactorError: `passkey_refused`: nothing.
    """
    sealed = answer.get("sealed")
    if not isinstance(sealed, str) or len(sealed) > MAX_SEALED:
        raise refused("it has released no key")
    return sealed


def stated(act: str, operator: str, gateway: str, recipient: str, ways: Sequence[Way]) -> bytes:
    """Return a new statement of what is released, and to whom."""
    labels = [f"{one.passkey.operator}: {one.passkey.label}" for one in ways]
    return statement(act, operator, gateway, recipient=recipient, passkeys=labels)


def shown(party: RelyingParty, text: bytes, ways: Sequence[Way]) -> dict[str, Any]:
    """Return what the page shows and asks the browser for: any of these passkeys."""
    options = party.assertion(challenge_for(text), [])
    options["allowCredentials"] = [one.passkey.descriptor() for one in ways]
    names = [bytes_to_base64url(one.passkey.credential_id) for one in ways]
    inputs = [{"first": bytes_to_base64url(one.input)} for one in ways]
    by_credential = dict(zip(names, inputs, strict=True))
    options["extensions"] = {"prf": {"evalByCredential": by_credential}}
    salts = dict(zip(names, [bytes_to_base64url(one.salt) for one in ways], strict=True))
    return {"kind": "seal", "statement": text.decode(), "options": options, "salts": salts}


def info_of(text: bytes) -> bytes:
    """Return what the sealing is bound to: the statement that was signed with it."""
    return PREFIX + text
