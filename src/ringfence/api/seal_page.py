"""The page where a passkey opens the state folder's seal, or is made one that does.

It is served by a command while no gateway runs; what it shows, `releasing` has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from ringfence.api.clock import now_us
from ringfence.api.links import Link, Links
from ringfence.api.releasing import Recipient, sealed_in, shown, stated
from ringfence.errors import FactorError
from ringfence.identity.factor import Challenges, Passkey, RelyingParty
from ringfence.identity.factor.answer import challenge_of, credential_id_of
from ringfence.identity.factor.passkey import Used
from ringfence.identity.factor.statement import challenge_for
from ringfence.identity.seal.passkey import Way

__all__ = ["SealPage"]

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
        self._recipient = Recipient()
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
        ways = list(self._ways.values())
        text = stated(self._act, self._operator, self._gateway, self._recipient.named, ways)
        self._challenges.issue(self._operator, link.id, challenge_for(text), text)
        return shown(self._party, text, ways), fresh

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
        return self._take(way, self._recipient.open(sealed_in(answer), text))
