"""Passkeys by WebAuthn: py_webauthn, held to more than it asks for by itself.

User verification is always required, the ceremony must run on a page of ours that nobody has
embedded, and what an authenticator chose itself is bounded.

Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; step numbers in comments are theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ringfence.errors import FactorError
from ringfence.identity.factor.answer import (
    answer_field,
    challenge_of,
    client_data,
    refused,
    transports_of,
)
from ringfence.identity.factor.challenge import MAX_LIFE_US

__all__ = ["MAX_ID_BYTES", "Passkey", "RelyingParty", "Used", "challenge_of"]

MAX_ID_BYTES = 1_023
"""7.1 step 25: longer ids are refused."""
MIN_RSA_BITS = 2_048
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
TIMEOUT_MS = MAX_LIFE_US // 1_000


@dataclass(frozen=True, slots=True)
class Passkey:
    """One enrolled passkey. `public_key` is its COSE key; `prf`: it can unlock a vault."""

    credential_id: bytes
    operator: str
    label: str
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    aaguid: str
    created_us: int
    prf: bool = False
    used_us: int | None = None
    transports: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """A short name of its id, for people and for the ledger."""
        return hashlib.sha256(self.credential_id).hexdigest()[:16]

    def descriptor(self) -> dict[str, Any]:
        """Return how a browser is told of it."""
        made = {"type": "public-key", "id": bytes_to_base64url(self.credential_id)}
        return made | ({"transports": list(self.transports)} if self.transports else {})

    def shown(self) -> dict[str, Any]:
        """Return what people see."""
        return {
            "id": self.short,
            "label": self.label,
            "synced": self.backed_up,
            "unlocks": self.prf,
            "created_us": self.created_us,
            "used_us": self.used_us,
        }


@dataclass(frozen=True, slots=True)
class Used:
    """What an assertion showed beside its being good."""

    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are for: pinned by the configuration, never taken from a request."""

    rp_id: str
    origins: tuple[str, ...]

    def registration(
        self, operator: str, challenge: bytes, known: Iterable[bytes]
    ) -> dict[str, Any]:
        """Return the options of `navigator.credentials.create()`, as JSON."""
        options = generate_registration_options(
            rp_id=self.rp_id,
            rp_name="Ringfence",
            user_name=operator,
            user_id=user_handle(operator),
            challenge=challenge,
            timeout=TIMEOUT_MS,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
            supported_pub_key_algs=ALGORITHMS,
        )
        # py_webauthn has no parameter for extensions.
        return {**as_json(options), "extensions": {"prf": {}}}

    def assertion(self, challenge: bytes, known: Iterable[bytes]) -> dict[str, Any]:
        """Return the options of `navigator.credentials.get()`, as JSON."""
        options = generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            timeout=TIMEOUT_MS,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return as_json(options)

    def enrolled(
        self, operator: str, label: str, answer: dict[str, Any], challenge: bytes, now_us: int
    ) -> Passkey:
        """Verify what `create()` answered to `challenge` and return the passkey.

        Raises:
            FactorError: `passkey_refused`; the message says which demand is not met.
        """
        self._check_page(answer)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
            )
            check_key(made.credential_public_key)
        except Exception as e:
            raise unverified(e) from e
        # None was asked for. To take another would be to claim what nobody verified.
        if made.fmt != AttestationFormat.NONE:
            raise refused(f"it attests itself as {made.fmt}, and nobody asked")
        if not 16 <= len(made.credential_id) <= MAX_ID_BYTES:
            raise refused(f"its id has {len(made.credential_id)} bytes, not 16 to {MAX_ID_BYTES}")
        extensions = answer.get("clientExtensionResults")
        prf = extensions.get("prf") if isinstance(extensions, dict) else None
        return Passkey(
            credential_id=made.credential_id,
            operator=operator,
            label=label,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            backup_eligible=made.credential_device_type.value == "multi_device",
            backed_up=made.credential_backed_up,
            aaguid=made.aaguid,
            created_us=now_us,
            prf=isinstance(prf, dict) and prf.get("enabled") is True,
            transports=transports_of(answer),
        )

    def used(self, passkey: Passkey, answer: dict[str, Any], challenge: bytes) -> Used:
        """Verify what `get()` answered to `challenge`.

        Raises:
            FactorError: `passkey_refused`; or `passkey_counter` when the signature is good and its
                counter is not: then another holds a copy of the key.
        """
        self._check_page(answer)
        handle = answer_field(answer, "userHandle")
        if handle is not None and handle != user_handle(passkey.operator):
            raise refused("it belongs to another operator")
        try:
            shown = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=list(self.origins),
                credential_public_key=passkey.public_key,
                # The counter is judged below, once the signature is known to be good: who cannot
                # sign must not raise the alarm.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
            flags = parse_authenticator_data(answer_field(answer, "authenticatorData") or b"").flags
        except Exception as e:
            raise unverified(e) from e
        if shown.credential_id != passkey.credential_id:
            raise refused("another passkey answered")
        # 7.2 step 19: whether a key can be backed up is settled for its life.
        if flags.be != passkey.backup_eligible:
            raise refused("it was made on one device and now claims another kind")
        check_counter(passkey.sign_count, shown.new_sign_count)
        return Used(shown.new_sign_count, shown.credential_backed_up)

    def _check_page(self, answer: dict[str, Any]) -> None:
        """Refuse a ceremony on a page that another has embedded, and client data read two ways.

        py_webauthn accepts `crossOrigin` and `topOrigin` unseen.
        """
        said = client_data(answer)
        # 7.1 step 10, 7.2 step 14.
        if said.get("crossOrigin", False) is not False:
            raise refused("it was used in a page that another page embeds")
        # 7.1 step 11, 7.2 step 15.
        if "topOrigin" in said and said["topOrigin"] not in self.origins:
            raise refused("it was used below a page of another origin")


def as_json(options: Any) -> dict[str, Any]:
    """Return options as the page takes them."""
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def user_handle(operator: str) -> bytes:
    """Return the user handle: the operator's own name, at most 64 bytes as names are."""
    return operator.encode()


def check_key(cose: bytes) -> None:
    """Refuse a public key of another kind than its algorithm names, or a short one.

    Raises:
        ValueError: it is one.
    """
    key = decoded_public_key_to_cryptography(decode_credential_public_key(cose))
    match key:
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return
        case Ed25519PublicKey():
            return
        case RSAPublicKey() if key.key_size >= MIN_RSA_BITS:
            return
    raise ValueError("its key is not one of P-256, Ed25519 and RSA of 2048 bits or more")


def check_counter(kept: int, shown: int) -> None:
    """Refuse a counter that does not rise; one that is always zero counts nothing.

    Raises:
        FactorError: `passkey_counter`.
    """
    if (kept or shown) and shown <= kept:
        said = f"the passkey's counter went from {kept} to {shown}: there is a copy of it"
        hint = "take it out of use, enrol another, and tell security"
        raise FactorError(said, code="passkey_counter", hint=hint)


def unverified(error: Exception) -> FactorError:
    """Return the refusal of what py_webauthn does not take.

    What it reads comes from outside, and not all that it may stumble over is its own exception.
    """
    known = isinstance(error, WebAuthnException | ValueError)
    return refused(str(error)[:200] if known else "it cannot be read")
