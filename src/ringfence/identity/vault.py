"""Venue keys in a sealed file: what signs for a venue, held by the gateway and by nobody else.

The file is three lines: a head that names the keys and says which generation of the file it is, a
data key sealed under one that is derived from the master key, and all secrets sealed together under
that data key. Whoever changes any of them, or has another master key, cannot open it.

Source: RFC 8452 (AES-256-GCM-SIV), RFC 5869 (HKDF).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ringfence.config.folder import replace_private
from ringfence.errors import SealError, VaultError
from ringfence.identity.seal.floor import Floor
from ringfence.identity.secret import RootKey

__all__ = ["Vault", "VenueKey", "exact", "opened_key", "read_material"]

VERSION = 2
NONCE_BYTES = 12
KEY_BYTES = 32
ITEM = "keys/venues.sealed"
"""What the floor calls it."""
MAX_SECRET = 16_384
"""Bytes of a secret; an RSA key of 8192 bits in PEM has 6,400."""


@dataclass(frozen=True, slots=True)
class VenueKey:
    """One venue key. `material`: the HMAC secret's text, or PKCS#8 in DER."""

    name: str
    dialect: str
    key_id: str
    algorithm: str
    added_us: int
    material: bytes = field(repr=False)
    passphrase: str | None = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """Return what may be seen of it: nothing that signs."""
        return {
            "name": self.name,
            "dialect": self.dialect,
            "key_id": self.key_id,
            "algorithm": self.algorithm,
            "added_us": self.added_us,
            "passphrase": self.passphrase is not None,
        }

    def row(self) -> dict[str, Any]:
        """Return what `opened_key` takes: it signs."""
        return {**self.for_engine(), "added_us": self.added_us}

    def for_engine(self) -> dict[str, Any]:
        """Return the record that the engine takes."""
        return {
            "name": self.name,
            "dialect": self.dialect,
            "key_id": self.key_id,
            "algorithm": self.algorithm,
            "material": base64.b64encode(self.material).decode(),
            "passphrase": self.passphrase,
        }


class Vault:
    """The sealed file at one path. It need not be there: then it holds nothing.

    Each time that it is written it gets a data key of its own and the next generation. `floor`
    keeps the highest that has been there, in another file.
    """

    def __init__(self, path: Path, master: RootKey, floor: Floor | None = None) -> None:
        """Keep what is needed; nothing is read yet."""
        self._path = path
        self._cipher = AESGCMSIV(master.vault_key())
        self._floor = floor

    def read(self) -> dict[str, VenueKey]:
        """Return all keys by name, in the order of their names.

        Raises:
            VaultError: the file is damaged, sealed by another master key, or open to others;
                `vault_rolled_back`: a newer one has been there, or nobody knows.
        """
        generation, keys = self.found()
        if self._floor is not None and (generation or self._highest()):
            self._newest(self._floor, generation)
        return keys

    def found(self) -> tuple[int, dict[str, VenueKey]]:
        """Return the generation of what lies there, and its keys; whether or not it is the newest.

        Raises:
            VaultError: as `read`, but for `vault_rolled_back`.
        """
        try:
            if self._path.stat().st_mode & 0o077:
                hint = f"chmod 600 {self._path}"
                raise VaultError(f"others than its owner may use {self._path}", hint=hint)
            content = self._path.read_bytes()
        except FileNotFoundError:
            return 0, {}
        except OSError as e:
            raise VaultError(f"cannot read {self._path}: {e.strerror}") from e
        head, *lines = content.removesuffix(b"\n").split(b"\n")
        try:
            said = json.loads(head)
            *wrapped, sealed = [exact(line) for line in lines]
            # The first form had no key of its own.
            cipher = self._cipher if said["version"] == 1 else self._opened(wrapped, head)
            rows = json.loads(opened(cipher, sealed, head))
            keys = [opened_key(row) for row in rows]
            generation = int(said.get("generation", 0))
        except (InvalidTag, binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            # What was read is in none of these words, and no cause is kept that might hold it.
            said = f"{self._path} cannot be opened: it is damaged, or sealed by another master key"
            raise VaultError(said) from None
        return generation, {key.name: key for key in sorted(keys, key=lambda key: key.name)}

    def next(self) -> int:
        """Return the generation that is written next."""
        return max(self.found()[0], self._highest()) + 1

    def write(self, keys: Iterable[VenueKey]) -> int:
        """Seal `keys` in the place of all that there were; durable on return of the generation.

        Raises:
            FileError: it cannot be written; then what was there still is.
        """
        known = sorted(keys, key=lambda key: key.name)
        named = [{"name": k.name, "dialect": k.dialect, "algorithm": k.algorithm} for k in known]
        generation = self.next()
        about = {"generation": generation, "keys": named, "version": VERSION}
        head = json.dumps(about, separators=(",", ":")).encode()
        rows = [key.row() for key in known]
        data_key = secrets.token_bytes(KEY_BYTES)
        parts = [
            sealed(self._cipher, data_key, b"key\n" + head),
            sealed(AESGCMSIV(data_key), json.dumps(rows).encode(), head),
        ]
        if self._floor is not None:
            # Before there is a generation that only it knows to be the newest.
            self._floor.lay()
        replace_private(self._path, b"\n".join([head, *map(base64.b64encode, parts), b""]))
        if self._floor is not None:
            self._floor.lift(ITEM, generation)
        return generation

    def raise_to(self, generation: int) -> None:
        """Let what is written next be newer than `generation`, whatever lies there."""
        if self._floor is not None:
            self._floor.lay()
            self._floor.lift(ITEM, generation)

    def _opened(self, wrapped: list[bytes], head: bytes) -> AESGCMSIV:
        """Return what opens the file: its own data key, which only the master key opens."""
        [one] = wrapped
        return AESGCMSIV(opened(self._cipher, one, b"key\n" + head))

    def _highest(self) -> int:
        return 0 if self._floor is None else self._floor.of(ITEM)

    def _newest(self, floor: Floor, generation: int) -> None:
        try:
            floor.check(ITEM, generation)
        except SealError as e:
            hint = "put the newest one back; the ledger tells when it was written. If it is lost: "
            hint += "`ringfence vault accept`"
            raise VaultError(str(e), code="vault_rolled_back", hint=hint) from None


def sealed(cipher: AESGCMSIV, content: bytes, about: bytes) -> bytes:
    """Return `content` sealed, bound to `about`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, about)


def opened(cipher: AESGCMSIV, content: bytes, about: bytes) -> bytes:
    """Return what was sealed, or raise InvalidTag."""
    return cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], about)


def exact(text: bytes | str) -> bytes:
    """Return what base64 `text` stands for, and for which no other text would stand.

    Python ignores the last digit's spare bits, so a changed file could be read as the same one.

    Raises:
        ValueError: it is no base64, or another text means the same (RFC 4648 3.5).
    """
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw) != (text.encode() if isinstance(text, str) else text):
        raise ValueError("not the one way to write it")
    return raw


def opened_key(row: dict[str, Any]) -> VenueKey:
    """Return a key as it was sealed."""
    material = base64.b64decode(row["material"], validate=True)
    fields = (row["name"], row["dialect"], row["key_id"], row["algorithm"], row["added_us"])
    return VenueKey(*fields, material=material, passphrase=row["passphrase"])


def read_material(text: str) -> tuple[str, bytes]:
    """Return (algorithm, material) of a secret as a venue hands it out, or of a private key in PEM.

    Raises:
        VaultError: it cannot be read. The secret is in no word of it.
    """
    text = text.strip()
    if not text or len(text) > MAX_SECRET:
        raise VaultError("there is no secret", hint="give it on standard input, or name a file")
    if not text.startswith("-----BEGIN"):
        if not text.isascii() or not text.isprintable() or " " in text:
            raise VaultError("the secret is not one line of visible ASCII")
        return "hmac-sha256", text.encode()
    hint = "give PKCS#8 without a password: `openssl pkey -in KEY` writes it"
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise VaultError("the private key cannot be read", hint=hint) from None
    if isinstance(key, Ed25519PrivateKey):
        # The seed: the engine takes it in every form of PKCS#8's.
        return "ed25519", key.private_bytes_raw()
    if isinstance(key, rsa.RSAPrivateKey):
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return "rsa-pkcs1-sha256", der
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return "ecdsa-p256-sha256", der
    raise VaultError("the private key is neither Ed25519, RSA nor ECDSA over P-256", hint=hint)
