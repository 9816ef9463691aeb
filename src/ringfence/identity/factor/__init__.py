"""What proves that a person is there: passkeys, one-time codes, recovery codes.

Three strengths, weakest first: a recovery code lets its holder enrol anew and nothing else, a
one-time code can be phished, a passkey cannot.

`store` keeps one-time and recovery codes, `passkeys` what is kept of passkeys.
"""

from __future__ import annotations

from ringfence.identity.factor.challenge import Challenges
from ringfence.identity.factor.passkey import Passkey, RelyingParty
from ringfence.identity.factor.passkeys import Passkeys
from ringfence.identity.factor.store import Factors

__all__ = ["Challenges", "Factors", "Passkey", "Passkeys", "RelyingParty"]
