"""A key encryption key that a passkey's PRF releases, and a recovery passphrase beside it.

The key is random. It is wrapped once for each passkey, under a key that the browser derives from
what the authenticator's PRF evaluates to, after it has verified its user; and once under the
passphrase. The PRF's output never leaves the browser; what does opens one wrapping of one seal.
Nothing that is kept here opens anything by itself.

Source: W3C Web Authentication Level 3, section 10.1.4 (PRF); RFC 5869 (HKDF); RFC 8452.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Any

import rfc8785

from ringfence.errors import SealError
from ringfence.identity.factor.passkey import Passkey
from ringfence.identity.seal import passphrase
from ringfence.identity.seal.kek import KEY_BYTES, LocalKek
from ringfence.identity.seal.unlock import Unlock, wiped

__all__ = ["PasskeyKek", "Way", "make", "new_recovery", "new_way", "open_again", "ways_of"]

KIND = "passkey"
FORMAT = "ringfence-seal-passkey/1"
RECOVERY = "recovery passphrase"
MAX_WAYS = 16


@dataclass(frozen=True, slots=True)
class Way:
    """One passkey's way to the key: what its PRF evaluates, and the salt of what comes of it.

    `wrapped` is empty until the key is wrapped for it.
    """

    passkey: Passkey
    rp_id: str
    input: bytes
    salt: bytes
    wrapped: bytes = b""

    def about(self) -> bytes:
        """Return what the wrapping is bound to: whose, by which passkey, in which format."""
        return rfc8785.dumps({"format": FORMAT, "rp_id": self.rp_id, **self._described()})

    def described(self) -> dict[str, Any]:
        """Return what the seal keeps of it; in no part secret."""
        return {**self._described(), "wrapped": text(self.wrapped)}

    def _described(self) -> dict[str, Any]:
        return {
            "credential_id": text(self.passkey.credential_id),
            "operator": self.passkey.operator,
            "label": self.passkey.label,
            "public_key": text(self.passkey.public_key),
            "backup_eligible": self.passkey.backup_eligible,
            "input": text(self.input),
            "salt": text(self.salt),
        }

    def open(self, released: bytearray) -> bytearray:
        """Return the key, by what the browser released, which is wiped; whoever takes it wipes it.

        Raises:
            SealError: `seal_wrong_key`.
        """
        opener = LocalKek(released, {"kind": KIND})
        try:
            return opener.unwrap(self.wrapped, self.about())
        finally:
            opener.close()


class PasskeyKek(LocalKek):
    """The key, within reach. It can be wrapped for one passkey more."""

    def __init__(self, key: bytearray, described: dict[str, Any]) -> None:
        """Take KEY_BYTES of `key`, which is wiped."""
        self._key = bytearray(key)
        super().__init__(key, described)

    def with_way(self, way: Way, released: bytearray) -> PasskeyKek:
        """Return the same key with one way more; `released` is wiped.

        Raises:
            SealError: this passkey opens it already, it is for another `rp_id`, or there are many.
        """
        there, rp_id = self.describe()["passkeys"], self.describe()["rp_id"]
        if way.rp_id != rp_id:
            hint = "seal under something else, and then under passkeys anew"
            raise SealError(f"the folder's passkeys are for {rp_id}, not {way.rp_id}", hint=hint)
        if any(one["credential_id"] == text(way.passkey.credential_id) for one in there):
            raise SealError(f"the passkey {way.passkey.label} opens the folder already")
        if len(there) >= MAX_WAYS:
            raise SealError(f"{MAX_WAYS} passkeys open the folder; that is enough")
        more = [*there, wrapped_for(way, released, self._key).described()]
        return PasskeyKek(bytearray(self._key), self.describe() | {"passkeys": more})

    def close(self) -> None:
        """As `Kek.close`."""
        self._key[:] = bytes(len(self._key))
        super().close()


def new_way(passkey: Passkey, rp_id: str) -> Way:
    """Return a way for a passkey, to be wrapped: what its PRF is to evaluate is random."""
    return Way(passkey, rp_id, secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))


def new_recovery(unlock: Unlock) -> LocalKek:
    """Return the key of a new recovery passphrase; asked for before anybody is sent to a page.

    Raises:
        SealError: it is too short, or there is none.
    """
    return passphrase.make("", unlock, RECOVERY)


def make(way: Way, released: bytearray, recovery: LocalKek) -> PasskeyKek:
    """Return a new key with one passkey's way, and `recovery`'s; `released` is wiped."""
    with wiped(bytearray(secrets.token_bytes(KEY_BYTES))) as key:
        kept: dict[str, Any] = {"argon2id": recovery.describe()["argon2id"]}
        kept["wrapped"] = text(recovery.wrap(key, recovery_about(way.rp_id)))
        described: dict[str, Any] = {"kind": KIND, "rp_id": way.rp_id, "recovery": kept}
        described["passkeys"] = [wrapped_for(way, released, key).described()]
        return PasskeyKek(bytearray(key), described)


def open_again(described: dict[str, Any], unlock: Unlock) -> PasskeyKek:
    """Return the key: by the recovery passphrase where one is named, else by a passkey.

    Raises:
        SealError: the seal is damaged, nothing opens it, or what was given does not.
    """
    ways = ways_of(described)
    if unlock.page is not None and not unlock.named():
        return PasskeyKek(unlock.page(ways), described)
    kept = described["recovery"]
    said = {"kind": "passphrase", "argon2id": kept["argon2id"]}
    recovery = passphrase.open_again(said, unlock, RECOVERY)
    try:
        about = recovery_about(described["rp_id"])
        return PasskeyKek(recovery.unwrap(content(kept["wrapped"]), about), described)
    finally:
        recovery.close()


def ways_of(described: dict[str, Any]) -> list[Way]:
    """Return the passkeys that open a seal.

    Raises:
        SealError: `seal_damaged`.
    """
    try:
        return [
            Way(
                Passkey(
                    content(one["credential_id"]),
                    one["operator"],
                    one["label"],
                    content(one["public_key"]),
                    # The store has its counter, and lies behind this seal.
                    0,
                    one["backup_eligible"],
                    one["backup_eligible"],
                    "",
                    0,
                    prf=True,
                ),
                described["rp_id"],
                content(one["input"]),
                content(one["salt"]),
                content(one["wrapped"]),
            )
            for one in described["passkeys"]
        ]
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise SealError("the seal's passkeys cannot be read", code="seal_damaged") from None


def wrapped_for(way: Way, released: bytearray, key: bytearray) -> Way:
    """Return a way with the key wrapped for it; `released` is wiped."""
    wrapper = LocalKek(released, {"kind": KIND})
    try:
        wrapped = wrapper.wrap(key, way.about())
    finally:
        wrapper.close()
    return Way(way.passkey, way.rp_id, way.input, way.salt, wrapped)


def recovery_about(rp_id: str) -> bytes:
    """Return what the passphrase's wrapping is bound to."""
    return rfc8785.dumps({"format": FORMAT, "rp_id": rp_id, "way": RECOVERY})


def text(content: bytes) -> str:
    """Return bytes as the seal writes them."""
    return base64.b64encode(content).decode()


def content(written: str) -> bytes:
    """Return bytes that the seal wrote."""
    return base64.b64decode(written, validate=True)
