"""What leaves one vault for another: sealed to one recipient's public key, and to nobody else's.

The file is two lines: a head, which anybody may read, that says what is in it, for whom, from
where, by which approval and until when; and the content, bound to that head. Anybody can seal to a
public key, so the file does not prove whom it is from: its SHA-256 does, told another way.

Source: RFC 9180 (HPKE, base mode): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ringfence.errors import ExportError
from ringfence.identity.vault import exact

__all__ = ["LASTS_US", "MAX_BYTES", "Head", "Recipient", "digest", "opened", "read_head", "sealed"]

FORMAT = "ringfence-export/1"
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
PREFIX = b"ringfence/export/v1\0"
WORD = "ringfence-recipient"
"""How a recipient's line begins."""
PUBLIC_BYTES = 32
FINGERPRINT_CHARACTERS = 32
"""128 bits of SHA-256: another key of the same fingerprint would take 2^128 tries to find."""
LASTS_US = 24 * 3_600 * 1_000_000
"""For how long a file is taken in after it was made."""
MAX_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom something is sealed to: an X25519 public key."""

    public: bytes

    @classmethod
    def of(cls, private: X25519PrivateKey) -> Recipient:
        """Return the recipient that has a private key."""
        return cls(private.public_key().public_bytes_raw())

    @classmethod
    def read(cls, text: str) -> Recipient:
        """Return the recipient that a line names.

        Raises:
            ExportError: `export_recipient`: it is no such line.
        """
        word, _, key = text.strip().partition(" ")
        try:
            public = exact(key)
        except (binascii.Error, ValueError):
            public = b""
        if word != WORD or len(public) != PUBLIC_BYTES:
            hint = "`ringfence vault recipient KEYFILE` writes one, as KEYFILE.pub"
            said = f"a recipient is a line `{WORD} …`, with a public key in base64"
            raise ExportError(said, hint=hint, code="export_recipient")
        return cls(public)

    def line(self) -> str:
        """Return the line that `read` takes."""
        return f"{WORD} {base64.b64encode(self.public).decode()}"

    @property
    def fingerprint(self) -> str:
        """What people compare, and the ledger keeps."""
        return hashlib.sha256(self.public).hexdigest()[:FINGERPRINT_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Head:
    """What anybody may know of an export: `what` names all of it, by kind."""

    approval: str
    gateway: str
    what: dict[str, Any]
    fingerprint: str
    made_us: int
    expires_us: int
    format: str = FORMAT

    def line(self) -> bytes:
        """Return the one way to write it."""
        return rfc8785.dumps(asdict(self))


def sealed(head: Head, content: bytes, recipient: Recipient) -> bytes:
    """Return the file that only the recipient opens.

    Raises:
        ExportError: `export_recipient`: nothing can be sealed to this key.
    """
    about = PREFIX + head.line()
    try:
        public = X25519PublicKey.from_public_bytes(recipient.public)
        body = SUITE.encrypt(content, public, about)
    except ValueError:
        said = f"nothing can be sealed to the key {recipient.fingerprint}"
        raise ExportError(said, code="export_recipient") from None
    return head.line() + b"\n" + base64.b64encode(body) + b"\n"


def digest(file: bytes) -> str:
    """Return what tells one export from any other: SHA-256 of the file."""
    return hashlib.sha256(file).hexdigest()


def read_head(file: bytes) -> Head:
    """Return what a file says it is, which is not proved before it is opened.

    Raises:
        ExportError: `export_damaged`: it is none.
    """
    line = file.partition(b"\n")[0]
    try:
        head = Head(**json.loads(line))
        if head.format == FORMAT and head.line() == line and isinstance(head.what, dict):
            return head
    except (ValueError, TypeError, rfc8785.CanonicalizationError):
        pass
    raise damaged("it is no export of this form")


def opened(file: bytes, key: X25519PrivateKey, now_us: int) -> tuple[Head, bytes]:
    """Return a file's head, now proved, and its content.

    Raises:
        ExportError: `export_recipient`, `export_damaged`, `export_expired`.
    """
    head, recipient = read_head(file), Recipient.of(key)
    if head.fingerprint != recipient.fingerprint:
        said = f"it is sealed to the key {head.fingerprint}, and this one is "
        hint = "name the private key that the export was asked for, or ask for another export"
        raise ExportError(said + recipient.fingerprint, hint=hint, code="export_recipient")
    body = file.partition(b"\n")[2]
    try:
        raw = exact(body.removesuffix(b"\n"))
        content = SUITE.decrypt(raw, key, PREFIX + head.line())
    except (InvalidTag, binascii.Error, ValueError):
        raise damaged("it was changed") from None
    # A clock that is behind takes it, too: what it protects from is a file that lay about.
    if now_us >= head.expires_us:
        hint = "ask for another export"
        raise ExportError("it was to be taken in earlier", hint=hint, code="export_expired")
    return head, content


def damaged(why: str) -> ExportError:
    """Return what is said of a file that cannot be one of ours as it was sealed."""
    hint = "copy it again; compare its SHA-256 with what the other side says"
    return ExportError(f"the export is damaged: {why}", hint=hint, code="export_damaged")
