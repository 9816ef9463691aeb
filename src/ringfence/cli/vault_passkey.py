"""Pages that commands show while no gateway runs: a passkey opens the state folder's seal there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringfence.config.folder import Folder
from ringfence.errors import FactorError, RunningError, SealError

if TYPE_CHECKING:
    from ringfence.api.seal_page import SealPage
    from ringfence.config import Loaded
    from ringfence.config.pages import Pages
    from ringfence.identity.factor import Passkey
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

    `fresh` has the recovery passphrase of a new one.

    Raises:
        RunningError: a gateway runs; its pages and a command's cannot be at one address.
        FactorError: the operator has no passkey that could.
        SealError: nobody came to the page.
    """
    from ringfence.api import Operators, runs
    from ringfence.api.clock import now_us
    from ringfence.api.seal_page import SealPage
    from ringfence.identity import Store
    from ringfence.identity.factor import Factors, RelyingParty
    from ringfence.identity.opened import laid
    from ringfence.identity.seal import passkey

    folder = Folder(loaded.folder)
    if runs(folder.socket):
        hint = "stop it for this: the page is at the same address"
        raise RunningError(f"a gateway runs in {folder.path}", hint=hint)
    pages, store = pages_of(loaded), Store(loaded.store())
    if pages.tls is not None and within(loaded, pages.tls.key):
        said = "the pages' TLS key lies in the folder, and would be sealed with it"
        raise SealError(said, hint="keep it outside: the page must be shown before it opens")
    operator = Operators(store.principals).check(os.getuid(), "POST /seal/rewrap").name
    with laid(loaded, opening, list(opening.book.items) if opening else ()) as state:
        kept = Factors(store.database, state.master).passkeys
    now = opening.kek if opening is not None else None
    mine = usable(kept.of(operator), operator)
    ways = [passkey.new_way(one, pages.rp_id) for one in mine]
    adds = now if isinstance(now, passkey.PasskeyKek) else None
    recovery = None if adds is not None else passkey.new_recovery(fresh)
    made: list[PasskeyKek] = []

    def take(way: Way, released: bytearray) -> str:
        if adds is not None:
            made.append(adds.with_way(way, released))
        elif recovery is not None:
            made.append(passkey.make(way, released, recovery))
        return f"the passkey {way.passkey.label} of {operator} opens the state folder from now on"

    party = RelyingParty(pages.rp_id, (pages.origin,))

    def judge(one: Passkey, answer: dict[str, Any], challenge: bytes) -> Passkey:
        # By the store, which keeps its counter.
        return kept.use(
            operator, one.credential_id, lambda now: party.used(now, answer, challenge), now_us()
        )

    page = SealPage(party, "seal.add", operator, loaded.config.node, ways, take, judge)
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
        print(
            "Open this link in your browser, within five minutes; it is good once:", file=sys.stderr
        )
        print(f"\n  {page.opened['link']}\n", file=sys.stderr, flush=True)
        with interruptible():
            used = page.wait(WAIT_SECONDS)
    if not used:
        hint = "run it again, or open with the recovery passphrase: --unlock-recovery"
        raise SealError("no passkey was shown in time", hint=hint, code="seal_locked")


@contextmanager
def interruptible() -> Iterator[None]:
    """Let signals end the waiting, which `serve` has blocked by now."""
    waiting = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
