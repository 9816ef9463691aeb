"""`ringfence key`: credentials. Talks to the running gateway, or to the store when none runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.attach import attached
from ringfence.cli.say import say_json, styled
from ringfence.cli.stopped import judge
from ringfence.cli.unlock import unlock

if TYPE_CHECKING:
    from ringfence.api import KeyRules, Keys, KeyService
    from ringfence.config import Loaded
    from ringfence.config.folder import Folder

__all__ = [
    "KeyArgument",
    "WhyOption",
    "keys",
    "moment",
    "rows",
    "rules_of",
    "say_changed",
    "service_of",
    "tell",
]

WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The credential's id.")]


@contextmanager
def keys(config: Path) -> Iterator[Keys]:
    """Yield the running gateway's keys, or the store's while no gateway can start.

    Raises:
        FileError: there is no such configuration.
        RunningError: the state folder stays held by somebody who does not answer.
    """
    from ringfence.api import Asked
    from ringfence.config import load

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            yield gateway
        else:
            service = service_of(folder)
            loaded = load(folder.config)
            may = judge(loaded, service.master)
            yield Asked(service, who, may, loaded.config.admin.rules())


def service_of(folder: Folder) -> KeyService:
    """Return what changes the store of a folder in which no gateway runs.

    Raises:
        ConfigError: the folder's configuration cannot be read.
        StoreError: the store cannot be used.
    """
    from ringfence import config
    from ringfence.api import KeyService, ensure_owner
    from ringfence.identity import Store, open_master
    from ringfence.identity.placement import ShardRules

    loaded = config.load(folder.config)
    store = Store(loaded.store(), ShardRules.of(loaded))
    ensure_owner(store.principals, folder.path.stat().st_uid)
    return KeyService(
        store, open_master(folder, loaded.store(), unlock(loaded)), rules=rules_of(loaded)
    )


def rules_of(loaded: Loaded) -> KeyRules:
    """Return what becomes of credentials by themselves, as the configuration says."""
    from ringfence.api import KeyRules

    section = loaded.config.keys
    return KeyRules(section.unbound_days or None, section.unused_days or None)


def say_changed(said: str, changed: dict[str, Any], as_json: bool) -> None:
    """Say what became of a credential or principal, and when it took effect."""
    if as_json:
        say_json(changed)
        return
    after_us = changed["effective_us"]
    when = "in the store; no gateway runs" if after_us is None else f"effective after {after_us} µs"
    print(f"{said}, {when}")


def rows(key: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a credential as names and values for people."""
    shown = [(name, key[name]) for name in ("key_id", "account", "algorithm", "scopes", "allow")]
    if key["requires"]:
        shown.append(("requires", key["requires"]))
    shown += [("state", styled(key["state"])), ("created", moment(key["created_us"]))]
    shown.append(("expires", moment(key["expires_us"])))
    if key["used_us"] is not None:
        shown.append(("last used", moment(key["used_us"])))
    if key["predecessor"] is not None:
        shown.append(("predecessor", key["predecessor"]))
    return shown


def tell(step: dict[str, Any], what: str, approvals: list[str] | None = None) -> None:
    """Print one step of a history: when, what, by whom, and why."""
    by = f", approved by {', '.join(approvals)}" if approvals else ""
    why = f": {step['why']}" if step["why"] else ""
    print(f"{moment(step['time_us'])}  {what} by {step['who']}{by}{why}")


def moment(time_us: int | None) -> str | None:
    """Return a time as people read it, UTC."""
    if time_us is None:
        return None
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
