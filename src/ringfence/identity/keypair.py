"""Public keys as clients hand them in, and key pairs made for them."""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from ringfence.errors import KeyTextError

__all__ = ["PAIRED", "make_pair", "public_pem", "read_public_key"]

PAIRED = ("ed25519", "rsa-pkcs1-sha256", "ecdsa-p256-sha256")
"""Algorithms whose private half stays with the client."""
RSA_BITS = range(2048, 8193)
NEW_RSA_BITS = 3072
"""128-bit security (NIST SP 800-57, table 2)."""


def read_public_key(pem: bytes) -> tuple[str, bytes]:
    """Return (algorithm, material as the engine takes it) of a public key in PEM.

    Ed25519: the raw 32 bytes. RSA: SubjectPublicKeyInfo in DER. ECDSA: the point, uncompressed. A
    wallet's address stands in place of PEM, in hexadecimal: its 20 bytes.
    Raises:
        KeyTextError: it is neither Ed25519 nor ECDSA over P-256 nor RSA of 2048 to 8192 bits, or it
            is a private key.
    """
    hint = "give a PEM file that starts with -----BEGIN PUBLIC KEY-----"
    if pem.lstrip().startswith(b"0x"):
        return "secp256k1-eip712", read_address(pem.strip())
    if b"PRIVATE KEY-----" in pem:
        hint = "keep it to yourself; `openssl pkey -pubout` writes the public half"
        raise KeyTextError("that is a private key, not a public one", hint=hint)
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyTextError("the public key cannot be read", hint=hint) from e
    if isinstance(key, Ed25519PublicKey):
        return "ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS:
        return "rsa-pkcs1-sha256", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return "ecdsa-p256-sha256", point
    raise KeyTextError(
        "the public key is neither Ed25519 nor ECDSA over P-256 nor RSA of 2048 to 8192 bits",
        hint=hint,
    )


def read_address(text: bytes) -> bytes:
    """Return the bytes of a wallet's address, such as 0x7e5f4552091a69125d5dfcb7b8c2659029395bdf.

    Raises:
        KeyTextError: it is none. A private key is as long as two of them, and is none.
    """
    digits = re.fullmatch(rb"0x([0-9a-fA-F]{40})", text)
    if digits is None:
        hint = "an address is 0x and 40 hexadecimal digits"
        raise KeyTextError("that is not a wallet's address", hint=hint)
    return bytes.fromhex(digits[1].decode())


def public_pem(algorithm: str, material: bytes) -> str:
    """Return the PEM text of what `read_public_key` read."""
    key: PublicKeyTypes
    if algorithm == "secp256k1-eip712":
        return "0x" + material.hex()
    if algorithm == "ed25519":
        key = Ed25519PublicKey.from_public_bytes(material)
    elif algorithm == "ecdsa-p256-sha256":
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), material)
    else:
        key = load_der_public_key(material)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def make_pair(algorithm: str) -> tuple[bytes, bytes]:
    """Return a new (private key in PKCS#8 PEM, public key in PEM).

    Raises:
        KeyTextError: `algorithm` has no key pairs.
    """
    if algorithm not in PAIRED:
        hint = "key pairs: " + ", ".join(PAIRED)
        raise KeyTextError(f"{algorithm!r} has no key pairs", hint=hint)
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm == "ed25519":
        key = Ed25519PrivateKey.generate()
    elif algorithm == "ecdsa-p256-sha256":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, NEW_RSA_BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public
