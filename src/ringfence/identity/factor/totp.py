"""One-time codes by time (RFC 6238): six digits, SHA-1, 30 seconds, as authenticator apps do.

The secret is derived when it is needed and stored nowhere; enrolling anew makes another.
"""

from __future__ import annotations

import base64
import hmac

import pyotp

from ringfence.errors import FactorError
from ringfence.identity.secret import RootKey

__all__ = ["STEP_SECONDS", "WINDOW", "enrolment_uri", "matching_step", "totp_secret"]

STEP_SECONDS = 30
WINDOW = 1
"""Steps before and after the present one whose codes are taken (RFC 6238 5.2: at most one)."""
DIGITS = 6
SECRET_BYTES = 20
"""RFC 4226 4: 160 bits are recommended, and every app takes them."""


def totp_secret(master: RootKey, operator: str, generation: int) -> str:
    """Return an operator's secret in base32, as apps take it."""
    # A name holds no '/', so no two (operator, generation) share an info.
    info = f"ringfence/totp/v1/{operator}/{generation}".encode()
    return base64.b32encode(master.derived(info, SECRET_BYTES)).decode()


def enrolment_uri(secret: str, operator: str, node: str) -> str:
    """Return the otpauth URI that an app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=operator, issuer_name=f"Ringfence {node}")


def matching_step(secret: str, code: str, now_us: int, spent_step: int) -> int | None:
    """Return the step whose code this is, or None; a step up to `spent_step` has none any more.

    Takes as long for every code.

    Raises:
        FactorError: `totp_unreadable`: it is not DIGITS digits.
    """
    code = code.strip()
    if len(code) != DIGITS or not code.isascii() or not code.isdigit():
        hint = "give the six digits that the app shows at the moment"
        raise FactorError("this is not a one-time code", code="totp_unreadable", hint=hint)
    made = pyotp.TOTP(secret)
    present = now_us // 1_000_000 // STEP_SECONDS
    found = None
    for step in range(max(present - WINDOW, 0), present + WINDOW + 1):
        same = hmac.compare_digest(made.generate_otp(step), code)
        if same and step > spent_step:
            found = step
    return found
