"""`ringfence vault status|rewrap|unseal-check`: what the state folder's keys are sealed under."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.cli.stopped import judge
from ringfence.cli.unlock import unlock
from ringfence.cli.vault_passkey import passkey_kek
from ringfence.config.folder import Folder
from ringfence.errors import GatewayError, SealError

if TYPE_CHECKING:
    from ringfence.config import Loaded
    from ringfence.identity.seal.folder import Opening
    from ringfence.identity.seal.kek import Kek

__all__ = ["elsewhere", "rewrap", "status", "unseal_check"]

PASSKEY = "passkey"
"""What `--to` calls a key that passkeys open."""


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what opens the state folder, and what lies in the clear. Nothing is opened."""
    from ringfence.api.seal import named
    from ringfence.identity.opened import key_files
    from ringfence.identity.seal.book import Book
    from ringfence.identity.seal.folder import seal_path
    from ringfence.identity.seal.item import is_sealed

    loaded = configuration.load(config)
    book = Book.read(seal_path(Folder(loaded.folder)))
    clear = [n for n in key_files(loaded) if not is_sealed((loaded.folder / n).read_bytes())]
    said: dict[str, Any] = {"sealed": book is not None, "clear": clear}
    said["derives_from"] = root_of(Folder(loaded.folder))
    said["version"] = None if book is None else book.version
    said["opened_by"] = [] if book is None else [named(slot.kek) for slot in book.slots]
    said["items"] = {} if book is None else book.items
    if as_json:
        say_json(said)
        return
    opens = " or ".join(said["opened_by"]) or "nothing: who has the folder has its keys"
    rows: list[tuple[str, Any]] = [("derives from", said["derives_from"])]
    rows += [("opened by", opens), ("version", said["version"])]
    pairs([*rows, ("sealed", sorted(said["items"]) or None), ("in the clear", clear or None)])
    if len(said["opened_by"]) > 1:
        print("\nA rewrap was interrupted: `ringfence vault rewrap --to …` again ends it.")


def unseal_check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Open the state folder as a start would, every key of it, and start nothing."""
    from ringfence.identity.opened import opened_state
    from ringfence.identity.seal.standing import SEAL, Standing

    loaded = configuration.load(config)
    with opened_state(loaded, unlock(loaded)) as state:
        state.check()
        Standing.of(loaded, state.master).read().check({SEAL: state.seal_version})
        count = len(state.files)
    if as_json:
        say_json({"opens": True, "sealed": count > 0})
    else:
        print("the state folder opens" if count else "the state folder is not sealed")


def rewrap(
    config: ConfigOption = DEFAULT_CONFIG,
    to: Annotated[
        str | None,
        typer.Option(help="passphrase, passkey, file:PATH, pkcs11:URI or transit:URL."),
    ] = None,
    new_unlock_file: Annotated[
        Path | None, typer.Option(help="A file with the new passphrase, PIN or token.")
    ] = None,
    new_unlock_fd: Annotated[int | None, typer.Option(min=0, help="Or a descriptor.")] = None,
    adopt: Annotated[
        list[str] | None, typer.Option(help="A key file that was replaced, such as tls/server.key.")
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Seal the state folder, or bring it under another key. A gateway may run meanwhile.

    Until the last step both keys open it; whenever this is interrupted, do it again. To a passkey:
    the new passphrase is for recovery; done again, it adds a passkey.
    """
    from ringfence.api.seal import named
    from ringfence.identity.opened import key_files
    from ringfence.identity.seal.folder import open_folder, sealing
    from ringfence.identity.seal.folder import rewrap as go
    from ringfence.identity.seal.kek import make_kek
    from ringfence.identity.seal.unlock import Unlock

    loaded = configuration.load(config)
    folder = Folder(loaded.folder)
    with sealing(folder), open_folder(folder, unlock(loaded)) as opening:
        kek = None
        if to is not None:
            elsewhere(to, folder.path)
            fresh = Unlock(new_unlock_file, new_unlock_fd, "that shall open it from now on")
            kek = passkey_kek(loaded, opening, fresh) if to == PASSKEY else make_kek(to, fresh)
            fresh.forget()
        with telling(config, loaded, opening, kek, adopt or [], why) as done:
            book = go(folder, opening, kek, key_files(loaded), adopt or [])
            with suppress(GatewayError):
                # What is not told now, the next start tells.
                done(book.version)
        if kek is not None:
            kek.close()
    if as_json:
        say_json({"version": book.version, "opened_by": [named(s.kek) for s in book.slots]})
    else:
        print(f"the state folder is opened by: {named(book.slots[0].kek)}")
        print("Copies from before are still opened by what opened them: destroy them.")


def root_of(folder: Folder) -> str:
    """Return what a folder's secrets are derived from, in words; which shard, if it can be read."""
    from ringfence.identity.seal.folder import root_name
    from ringfence.identity.seal.item import is_sealed
    from ringfence.identity.subtree import SubtreeKey

    name = root_name(folder)
    if name is None:
        return "nothing yet"
    path = folder.path / name
    if path == folder.master_key:
        return "a master key"
    sealed = is_sealed(path.read_bytes())
    return "a shard's subtree" if sealed else f"shard {SubtreeKey.read(path).home}"


@contextmanager
def telling(
    config: Path,
    loaded: Loaded,
    opening: Opening | None,
    kek: Kek | None,
    clear: list[str],
    why: str,
) -> Iterator[Callable[[int], None]]:
    """Tell the ledger, durably, what is about to be done; yield what tells that it is."""
    from ringfence.api.seal import SealService, named
    from ringfence.identity.opened import laid
    from ringfence.identity.seal.standing import SEAL, Standing

    before = "nothing" if opening is None else named(opening.kek.describe())
    after = before if kek is None else named(kek.describe())
    version = (0 if opening is None else opening.book.version) + 1
    with attached(config) as (_folder, gateway, who):
        if gateway is not None:
            gateway.tell_rewrap(before, after, version, why)
            yield lambda _: gateway.tell_rewrapped()
            return
        with laid(loaded, opening, clear) as state:
            judge(loaded, state.master)("seal.rewrap", "")
            alone = engine.Engine(state.snapshot()).event_alone
            SealService(alone).rewrap(before, after, version, who, why)
            standing = Standing.of(loaded, state.master)
            yield lambda made: standing.tell(alone, {SEAL: made})


def elsewhere(word: str, folder: Path) -> None:
    """Refuse a key that would lie in the folder that it seals.

    Raises:
        SealError: it would.
    """
    kind, _, rest = word.partition(":")
    if kind == "file" and rest and Path(rest).resolve().is_relative_to(folder.resolve()):
        hint = "name a file on another medium; or leave the folder unsealed, which is no worse"
        raise SealError("a key that lies in the folder protects nothing in it", hint=hint)
