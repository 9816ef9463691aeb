"""The page where a passkey opens the state folder's seal, or is made one that does.

It is served by a command while no gateway runs. What the browser releases comes sealed to a key
that this process made a moment ago and that the passkey has signed for (HPKE, RFC 9180), so that
nobody between the two can read it, whatever carries it.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from ringfence.api.clock import now_us
from ringfence.api.links import Link, Links
from ringfence.errors import FactorError, GatewayError
from ringfence.identity.factor import Challenges, Passkey, RelyingParty
from ringfence.identity.factor.answer import challenge_of, credential_id_of, refused
from ringfence.identity.factor.passkey import Used
from ringfence.identity.factor.statement import challenge_for, statement
from ringfence.identity.seal.kek import KEY_BYTES
from ringfence.identity.seal.memory import wipe
from ringfence.identity.seal.passkey import Way

__all__ = ["SUITE", "SealPage", "info_of"]

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""What every browser's WebCrypto can do; Chromium alone has X25519 and ML-KEM there so far."""
PREFIX = b"ringfence/released/v1\x00"
MAX_SEALED = 512

Take = Callable[[Way, bytearray], str]
"""Uses what a browser released for a way, wipes it, and returns what to say; raises when it is
not good."""
Judge = Callable[[Passkey, dict[str, Any], bytes], Used | Passkey]
"""Judges an assertion."""


class SealPage:
    """`Ceremonies` of one link. `act` is what the page's statement says."""

    def __init__(
        self,
        party: RelyingParty,
        act: str,
        operator: str,
        gateway: str,
        ways: Sequence[Way],
        take: Take,
        judge: Judge | None = None,
    ) -> None:
        """Keep what is needed; `operator` is who the link is for, in words."""
        self._party = party
        self._act, self._operator, self._gateway = act, operator, gateway
        self._ways = {one.passkey.credential_id: one for one in ways}
        self._take = take
        self._judge = judge or party.used
        self._key = generate_private_key(SECP256R1())
        self._links = Links(party.origins[0], now_us)
        self._challenges = Challenges(now_us)
        self._over = threading.Event()
        self.opened = self._links.open(operator, act, {}, "")

    def wait(self, seconds: float) -> bool:
        """Return whether the page was used within so many seconds."""
        return self._over.wait(seconds)

    def begin(self, token: str, browser: str | None) -> tuple[dict[str, Any], str | None]:
        """As `Ceremonies.begin`."""
        link, fresh = self._links.claim(token, browser)
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        labels = [f"{one.passkey.operator}: {one.passkey.label}" for one in self._ways.values()]
        about = {"recipient": base64.b64encode(point).decode(), "passkeys": labels}
        text = statement(self._act, self._operator, self._gateway, **about)
        challenge = challenge_for(text)
        self._challenges.issue(self._operator, link.id, challenge, text)
        options = self._party.assertion(challenge, [])
        options["allowCredentials"] = [one.passkey.descriptor() for one in self._ways.values()]
        inputs = {
            bytes_to_base64url(name): {"first": bytes_to_base64url(one.input)}
            for name, one in self._ways.items()
        }
        options["extensions"] = {"prf": {"evalByCredential": inputs}}
        salts = {
            bytes_to_base64url(name): bytes_to_base64url(one.salt)
            for name, one in self._ways.items()
        }
        shown = {"kind": "seal", "statement": text.decode(), "options": options, "salts": salts}
        return shown, fresh

    def finish(self, token: str, browser: str | None, answer: dict[str, Any]) -> dict[str, Any]:
        """As `Ceremonies.finish`.

        Raises:
            FactorError: `link_unknown`, `challenge_unknown`, `passkey_refused`, `passkey_missing`.
            SealError: what it released does not open the seal.
        """
        with self._links.using(token, browser) as link:
            link.said = self._used(link, answer)
            said = {"said": link.said}
        self._over.set()
        return said

    def _used(self, link: Link, answer: dict[str, Any]) -> str:
        text = self._challenges.take(self._operator, link.id, challenge_of(answer))
        way = self._ways.get(credential_id_of(answer))
        if way is None:
            hint = "use one of those that the page lists"
            raise FactorError("this passkey was not asked for", code="passkey_missing", hint=hint)
        self._judge(way.passkey, answer, challenge_for(text))
        return self._take(way, self._released(answer, text))

    def _released(self, answer: dict[str, Any], text: bytes) -> bytearray:
        """Return what the browser released.

        Raises:
            FactorError: `passkey_refused`: nothing, or not to us, or under another statement.
        """
        sealed = answer.get("sealed")
        if not isinstance(sealed, str) or len(sealed) > MAX_SEALED:
            raise refused("it has released no key")
        try:
            plain = SUITE.decrypt(base64url_to_bytes(sealed), self._key, info_of(text))
        except (InvalidTag, ValueError, GatewayError):
            raise refused("what it released was not sealed to this command") from None
        released = bytearray(plain)
        wipe(plain)
        if len(released) != KEY_BYTES:
            raise refused("what it released is no key")
        return released


def info_of(text: bytes) -> bytes:
    """Return what the sealing is bound to: the statement that was signed with it."""
    return PREFIX + text
