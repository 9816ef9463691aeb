"""Pages that commands show while no gateway runs: a passkey opens the state folder's seal there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringfence.config.folder import Folder
from ringfence.errors import FactorError, SealError

if TYPE_CHECKING:
    from ringfence.api import Client
    from ringfence.api.seal_page import SealPage
    from ringfence.config import Loaded
    from ringfence.config.pages import Pages
    from ringfence.identity import RootKey
    from ringfence.identity.factor import Passkey
    from ringfence.identity.factor.passkeys import Passkeys
    from ringfence.identity.seal.folder import Opening
    from ringfence.identity.seal.passkey import PasskeyKek, Way
    from ringfence.identity.seal.unlock import Unlock

__all__ = ["opened_on_page", "passkey_kek"]

WAIT_SECONDS = 300.0


def opened_on_page(loaded: Loaded, ways: list[Way]) -> bytearray:
    """Return the seal's key, which one of the passkeys releases on a page, to be wiped.

    Raises:
        SealError: nobody came, or the pages cannot be shown while the folder is sealed.
    """
    from ringfence.api.seal_page import SealPage
    from ringfence.identity.factor import RelyingParty

    pages, key = pages_of(loaded), bytearray()
    if any(way.rp_id != pages.rp_id for way in ways):
        said = f"the passkeys are for {ways[0].rp_id}, and admin.pages.rp_id is {pages.rp_id}"
        raise SealError(said, hint="change it back, or open with --unlock-recovery")

    def take(way: Way, released: bytearray) -> str:
        opened = way.open(released)
        key[:] = opened
        opened[:] = bytes(len(opened))
        return f"the keys of {loaded.config.node} are open"

    operators = ", ".join(sorted({way.passkey.operator for way in ways}))
    party = RelyingParty(pages.rp_id, (pages.origin,))
    show(SealPage(party, "seal.open", operators, loaded.config.node, ways, take), loaded, pages)
    return key


def passkey_kek(loaded: Loaded, opening: Opening | None, fresh: Unlock) -> PasskeyKek:
    """Return a key that one of the operator's passkeys opens: a new one, or the folder's own.

    `fresh` has the recovery passphrase of a new one. The page is a running gateway's, or our own.

    Raises:
        FactorError: the operator has no passkey that could.
        SealError: nobody came to the page.
    """
    from ringfence.api import Client, runs
    from ringfence.identity.opened import laid

    folder, pages = Folder(loaded.folder), pages_of(loaded)
    if pages.tls is not None and within(loaded, pages.tls.key):
        said = "the pages' TLS key lies in the folder, and would be sealed with it"
        raise SealError(said, hint="keep it outside: the page must be shown before it opens")
    with laid(loaded, opening, list(opening.book.items) if opening else ()) as state:
        adding = Adding.of(loaded, pages, state.master, opening, fresh)
        if runs(folder.socket):
            return adding.by_gateway(Client(folder.socket))
        return adding.by_page(loaded, pages)


@dataclass(frozen=True, slots=True)
class Adding:
    """Passkeys of one operator, one of which shall open the seal, and what it shall open."""

    operator: str
    kept: Passkeys
    ways: list[Way]
    kek: Callable[[Way, bytearray], PasskeyKek]
    """Returns the key with one way more, by what was released for it, which is wiped: the folder's
    own where passkeys open it already, else a new one."""

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        pages: Pages,
        master: RootKey,
        opening: Opening | None,
        fresh: Unlock,
    ) -> Adding:
        """Return what is to be added by whoever runs this process.

        Raises:
            RoleError: they are no owner; FactorError: they have no passkey that could.
            SealError: there is no recovery passphrase, or it is too short.
        """
        from ringfence.api import Operators
        from ringfence.identity import Store
        from ringfence.identity.factor import Factors
        from ringfence.identity.seal import passkey

        store = Store(loaded.store())
        operator = Operators(store.principals).check(os.getuid(), "POST /seal/passkeys").name
        kept = Factors(store.database, master).passkeys
        ways = [passkey.new_way(one, pages.rp_id) for one in usable(kept.of(operator), operator)]
        now = opening.kek if opening is not None else None
        if isinstance(now, passkey.PasskeyKek):
            return cls(operator, kept, ways, now.with_way)
        recovery = passkey.new_recovery(fresh)
        return cls(operator, kept, ways, partial(passkey.make, recovery=recovery))

    def by_gateway(self, gateway: Client) -> PasskeyKek:
        """Have the running gateway show the page. What it is given is sealed to us.

        Raises:
            StepUpError: whoever asks has to step up first.
            FactorError: `pages_off`; or nobody came, or nothing good was released.
        """
        from webauthn.helpers import bytes_to_base64url as text

        from ringfence.api.releasing import Recipient
        from ringfence.cli.mfa_passkey import wait

        recipient = Recipient()
        ways = {text(one.passkey.credential_id): one for one in self.ways}
        asked = [
            {"credential_id": name, "input": text(one.input), "salt": text(one.salt)}
            for name, one in ways.items()
        ]
        opened = gateway.seal_passkeys(recipient.named, asked)
        tell(opened["link"])
        wait(opened, gateway.link)
        found = gateway.seal_released(opened["id"])
        way = ways[found["credential_id"]]
        if found["rp_id"] != way.rp_id:
            said = f"the gateway's passkeys are for {found['rp_id']}, the configuration's are not"
            raise SealError(said, hint="start the gateway again, then rewrap")
        released = recipient.open(found["sealed"], found["statement"].encode())
        return self.kek(way, released)

    def by_page(self, loaded: Loaded, pages: Pages) -> PasskeyKek:
        """Show the page ourselves.

        Raises:
            SealError: nobody came to it.
        """
        from ringfence.api.clock import now_us
        from ringfence.api.seal_page import SealPage
        from ringfence.identity.factor import RelyingParty

        made: list[PasskeyKek] = []
        party = RelyingParty(pages.rp_id, (pages.origin,))

        def take(way: Way, released: bytearray) -> str:
            made.append(self.kek(way, released))
            whose = f"the passkey {way.passkey.label} of {self.operator}"
            return f"{whose} opens the state folder from now on"

        def judge(one: Passkey, answer: dict[str, Any], challenge: bytes) -> Passkey:
            # By the store, which keeps its counter.
            use = partial(party.used, answer=answer, challenge=challenge)
            return self.kept.use(self.operator, one.credential_id, use, now_us())

        node = loaded.config.node
        page = SealPage(party, "seal.add", self.operator, node, self.ways, take, judge)
        show(page, loaded, pages)
        return made[-1]


def usable(passkeys: list[Passkey], operator: str) -> list[Passkey]:
    """Return the passkeys that can open a seal.

    Raises:
        FactorError: `passkey_prf`: there is none.
    """
    able = [one for one in passkeys if one.prf]
    if not able:
        hint = "`ringfence mfa passkey add` on a device that has a PRF; `mfa passkey list` tells"
        said = f"no passkey of {operator} can open a seal"
        raise FactorError(said, code="passkey_prf", hint=hint)
    return able


def pages_of(loaded: Loaded) -> Pages:
    """Return where the pages are.

    Raises:
        SealError: there are none, or their own key is sealed.
    """
    from ringfence.identity.seal.item import is_sealed

    pages = loaded.config.admin.pages
    if pages is None:
        hint = "name them in admin.pages; what is sealed opens with --unlock-recovery, too"
        raise SealError("there is no page for a passkey", hint=hint, code="seal_locked")
    if pages.tls is not None and is_sealed(Path(loaded.path(pages.tls.key)).read_bytes()):
        hint = "keep that key outside of the state folder, or open with --unlock-recovery"
        raise SealError("the pages' own TLS key is sealed", hint=hint, code="seal_locked")
    return pages


def within(loaded: Loaded, text: str) -> bool:
    """Tell whether a file of the configuration lies in the state folder."""
    return Path(os.path.normpath(loaded.path(text))).is_relative_to(loaded.folder)


def show(page: SealPage, loaded: Loaded, pages: Pages) -> None:
    """Show a page until it was used.

    Raises:
        SealError: `seal_locked`: nobody came in time.
    """
    from ringfence.api.pages.listening import listening, tls_of

    with listening(page, pages, tls_of(pages, loaded.path)):
        tell(page.opened["link"])
        with interruptible():
            used = page.wait(WAIT_SECONDS)
    if not used:
        hint = "run it again, or open with the recovery passphrase: --unlock-recovery"
        raise SealError("no passkey was shown in time", hint=hint, code="seal_locked")


def tell(link: str) -> None:
    """Show a link to whoever runs the command; its answer goes elsewhere."""
    print("Open this link in your browser, within five minutes; it is good once:", file=sys.stderr)
    print(f"\n  {link}\n", file=sys.stderr, flush=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals end the waiting, which `serve` has blocked by now."""
    waiting = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
