"""Client certificates as credentials, and as what a key demands beside its signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ringfence.errors import KeyTextError

__all__ = ["ClientCertificate", "certificate_pem", "read_certificate"]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate in DER; SHA-256 of it in hexadecimal; when it ends, in µs since the epoch."""

    der: bytes
    thumbprint: str
    expires_us: int


def read_certificate(pem: bytes, now_us: int) -> ClientCertificate:
    """Read the first certificate of a PEM file, as a client presents it.

    Whether it leads to a root of the listener's is seen in the handshake.
    Raises:
        KeyTextError: there is none, it is over, or it is not for clients.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as e:
        hint = "give a PEM file that starts with -----BEGIN CERTIFICATE-----"
        raise KeyTextError("the certificate cannot be read", hint=hint) from e
    expires_us = microseconds(certificate.not_valid_after_utc)
    if expires_us <= now_us:
        end = certificate.not_valid_after_utc.isoformat()
        raise KeyTextError(f"the certificate ended at {end}", hint="give one that is in force")
    if not for_clients(certificate):
        hint = "have one made whose extended key usage is clientAuth"
        raise KeyTextError("the certificate is not for clients", hint=hint)
    return ClientCertificate(
        certificate.public_bytes(Encoding.DER), certificate.fingerprint(SHA256()).hex(), expires_us
    )


def certificate_pem(der: bytes) -> str:
    """Return a certificate's PEM text."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def for_clients(certificate: x509.Certificate) -> bool:
    """Tell whether it may authenticate a client: it says so, or says nothing (RFC 5280 4.2.1.12).

    Raises:
        KeyTextError: its extensions cannot be read.
    """
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError as e:
        raise KeyTextError("the certificate's extensions cannot be read") from e
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages


def microseconds(moment: datetime) -> int:
    """Return a time with its zone in µs since the Unix epoch."""
    return int(moment.timestamp()) * 1_000_000
