"""Certificates for a first start: a CA that signs one server certificate and is then forgotten."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Issued", "issue", "private_pem"]

DAYS = 397
"""As long as browsers and Apple's clients accept."""


@dataclass(frozen=True, slots=True)
class Issued:
    """PEM texts: what clients trust, what the server shows, and its private key."""

    ca: bytes
    certificate: bytes
    key: bytes


def private_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """Return a private key as PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(listen: str) -> Issued:
    """Return a certificate for `listen` (host:port), for localhost and the loopback addresses.

    The CA's private key is dropped, so trusting the CA trusts this certificate and no other.
    """
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name, name = named("Ringfence local CA"), named("Ringfence gateway")
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        dated(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, SHA256())
    )
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id)
    server = (
        dated(name, ca_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(hosts(listen)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(by, critical=False)
        .sign(ca_key, SHA256())
    )
    ca_pem, server_pem = ca.public_bytes(Encoding.PEM), server.public_bytes(Encoding.PEM)
    return Issued(ca_pem, server_pem, private_pem(key))


def named(text: str) -> x509.Name:
    """Return a distinguished name that is only a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    """Return a builder that is valid from five minutes ago, for clocks that are behind."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=DAYS))
    )


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the key usage of a CA or of a server."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def hosts(listen: str) -> list[x509.GeneralName]:
    """Return the names that the server may be called by."""
    addresses = ["127.0.0.1", "::1"]
    host = listen.rpartition(":")[0].strip("[]")
    if host not in (*addresses, "0.0.0.0", "::"):  # noqa: S104  not bound here, only left out
        addresses.append(host)
    found: list[x509.GeneralName] = [x509.DNSName("localhost")]
    for address in addresses:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:  # the configuration's own check tells that it is no address
            continue
    return found
