"""`ringfence serve`: run the gateway until SIGTERM or SIGINT, then drain."""

from __future__ import annotations

import base64
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence import config as configuration
from ringfence.cli.key import rules_of
from ringfence.cli.ledger_publish import read as read_policy
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, warn
from ringfence.cli.unlock import unlock
from ringfence.config.folder import Folder
from ringfence.engine import Engine
from ringfence.errors import EngineError, GatewayError, ShardError

if TYPE_CHECKING:
    import ssl

    from ringfence.api.services import Services
    from ringfence.api.way import Way
    from ringfence.identity import Store, Vault
    from ringfence.identity.feed import Feed
    from ringfence.identity.opened import Opened
    from ringfence.identity.seal.standing import Standing

__all__ = ["serve"]

STOP = {signal.SIGTERM, signal.SIGINT}
CLUSTER, CLUSTER_BYTES = b"ringfence/cluster/v1", 32
"""What the names on a cluster's server are hashed with: the same at every gateway of a store."""


def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    drain_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long open requests may take to end.")
    ] = 5_000,
    as_json: JsonOption = False,
) -> None:
    """Run the gateway in the foreground. Prints one line for each listener when it is ready.

    SIGTERM or SIGINT drains it; a second one ends at once what is still open.
    """
    from ringfence.identity.opened import opened_state
    from ringfence.identity.seal.memory import forbid_dumps

    forbid_dumps()
    loaded = configuration.load(config)
    folder = Folder(loaded.folder)
    # Blocked before any thread starts, so that every thread inherits it and only our sigwait
    # receives them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        with folder.held(), opened_state(loaded, unlock(loaded)) as state:
            state.check()
            run(state, folder, drain_ms, as_json)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that runs, and what it was started with."""

    engine: Engine
    heard_at: list[str]
    content: dict[str, Any]
    """What the engine was given."""
    snapshot: bytes
    store: Store
    vault: Vault | None
    standing: Standing
    have: dict[str, int]
    """Which versions of seal and venue keys it was started with."""
    source: Store
    feed: Feed
    """What other gateways change in the store, from before the engine was filled on."""
    way: Way | None
    tls: ssl.SSLContext | None
    """The pages'."""


def run(state: Opened, folder: Folder, drain_ms: int, as_json: bool) -> None:
    """Run until the first of the STOP signals, then drain. The folder is held."""
    from ringfence.api.keeping import keeping
    from ringfence.api.services import Services

    loaded, begun = state.loaded, start(state, folder)
    engine = begun.engine
    try:
        services = Services.of(
            loaded,
            state.master,
            begun.store,
            engine,
            rules_of(loaded),
            begun.vault,
            begun.standing,
        )
        try:
            # So that the ledger tells by which configuration its decisions were made.
            services.record_start(begun.snapshot, begun.content["policy"], begun.have)
        except EngineError as e:
            # Orders are refused then; reads go on, and so do we.
            warn(f"the ledger does not take what happened before this start: {e}")
        with ExitStack() as stack:
            stand(stack, begun, services, loaded, folder)
            with (
                keeping(services.keys, warn, standing=begun.standing),
                services.bans.keeping(warn),
            ):
                ready(begun.heard_at, loaded, folder, as_json)
                signal.sigwait(STOP)
            threading.Thread(target=hurry, args=[engine], daemon=True).start()
            # The admin API goes on meanwhile: a key can be revoked while orders drain.
            engine.stop(drain_ms)
    finally:
        engine.stop(0)


def start(state: Opened, folder: Folder) -> Started:
    """Start the engine with what the store and the vault have; what the folder held open is closed.

    Raises:
        VaultError: the vault cannot be opened, or was put back: nothing is written over it.
        SealError: the seal was put back.
    """
    from ringfence.api import ensure_owner
    from ringfence.api.addresses import for_engine
    from ringfence.api.bans import kept_bans
    from ringfence.api.following import PATIENCE_S
    from ringfence.api.pages.listening import tls_of
    from ringfence.identity import Store, Vault
    from ringfence.identity.address import Addresses
    from ringfence.identity.bulk import elsewhere, engine_records
    from ringfence.identity.database import Database
    from ringfence.identity.feed import Feed
    from ringfence.identity.placement import ShardRules
    from ringfence.identity.seal.folder import floor_of
    from ringfence.identity.seal.standing import SEAL, VENUES, Standing
    from ringfence.identity.subtree import SubtreeKey

    loaded, master = state.loaded, state.master
    rules = ShardRules.of(loaded)
    store = Store(loaded.store(), rules)
    ensure_owner(store.principals, folder.path.stat().st_uid)
    vault = None if (path := loaded.vault()) is None else Vault(path, master, floor_of(folder))
    signing = {} if vault is None else vault.read()
    tell_missing(loaded, set(signing))
    # What the ledger has seen newer stops the start, too.
    standing, have = Standing.of(loaded, master).read(), {SEAL: state.seal_version}
    have |= {} if vault is None else {VENUES: vault.found()[0]}
    standing.check(have)
    if isinstance(master, SubtreeKey) and (count := elsewhere(store, master.home)):
        said = f"this gateway has shard {master.home} alone: {count} credentials"
        warn(f"{said} of other shards are unknown to it [{ShardError.code}]")
    snapshot = loaded.snapshot()
    way = way_in(state, folder) if loaded.administers() else None
    content = state.content(way.told if way else None)
    content["banned"] = kept_bans(folder.bans)
    if (cluster := loaded.config.cluster) is not None:
        # Into the engine alone: no digest of the configuration has them.
        secret = master.derived(CLUSTER, CLUSTER_BYTES).hex()
        content["cluster"]["server"] = cluster.server() | {"secret": secret}
    # Begins before the engine is filled: what changes meanwhile is taken twice rather than never.
    source = Store(Database(loaded.store(), PATIENCE_S), rules)
    feed = Feed(source)
    content["shards"]["states"] = store.shards.states()
    engine = Engine(configuration.encoded(content))
    heard_at = engine.start(
        engine_records(store, master),
        [key.for_engine() for key in signing.values()],
        for_engine(Addresses(store.database, master)),
        master.shards(),
    )
    pages = loaded.config.admin.pages
    tls = None if pages is None else tls_of(pages, state.lies)
    # The engine has read its keys; nobody else can from here on.
    state.close()
    return Started(
        engine, heard_at, content, snapshot, store, vault, standing, have, source, feed, way, tls
    )


def stand(
    stack: ExitStack,
    begun: Started,
    services: Services,
    loaded: configuration.Loaded,
    folder: Folder,
) -> None:
    """Open all that stands beside the engine as long as `stack` is open: the admin API last."""
    from ringfence.api.following import Following, FollowRules
    from ringfence.api.pages.listening import listening
    from ringfence.api.server import serving

    section, engine = loaded.config.store, begun.engine
    clustered = loaded.config.cluster is not None
    rules = FollowRules(
        section.follow_ms / 1000,
        section.lasts_s(clustered=clustered),
        section.refuses(clustered=clustered),
    )
    following = Following(
        begun.feed, begun.source, services.keys, services.addresses, engine, rules, warn
    )
    stack.enter_context(following.going())
    told: dict[str, Callable[[], Any]] = {"store": following.status}
    if clustered:
        # Only here: it brings the client of the cluster's server with it.
        from ringfence.api.cluster.node import Node

        node = Node.of(loaded, services.keys, begun.feed, following, engine, warn)
        if node is not None:
            told["nodes"] = stack.enter_context(node.going()).status
    readers = readers_of(loaded, folder, engine, stack, begun.content["issuers"])
    pages = loaded.config.admin.pages
    if pages is not None and services.passkeys is not None:
        stack.enter_context(listening(services.passkeys, pages, begun.tls))
    application = services.application(
        lambda: {name: status() for name, status in told.items()} | readers()
    )
    stack.enter_context(serving(application, folder.socket))
    if begun.way is not None:
        stack.enter_context(begun.way.serving(application))


def way_in(state: Opened, folder: Folder) -> Way:
    """Return the way to the admin API through the engine, by a key of this start alone."""
    from ringfence.api.way import Way

    key = secrets.token_bytes(32)
    return Way(folder.way, key, state.loaded.config.node, state.lay(base64.b64encode(key)))


def tell_missing(loaded: configuration.Loaded, there: set[str]) -> None:
    """Warn of venue keys that accounts are to use and the vault does not have."""
    for name in sorted(loaded.venue_keys() - there):
        warn(f"the vault has no key {name}: who uses it is refused until `ringfence vault put`")


def readers_of(
    loaded: configuration.Loaded,
    folder: Folder,
    engine: Engine,
    stack: ExitStack,
    issuers: list[dict[str, Any]],
) -> Callable[[], dict[str, Any]]:
    """Start who reads beside the engine: its ledger, the issuers' keys. Return how they stand."""
    from ringfence.watch import watching

    told = {"published": published(loaded, engine, stack)}
    told["issuers"] = key_sets(loaded, issuers, engine, stack)
    try:
        watcher = watching(loaded, folder, engine.event, warn)
        told["watch"] = None if watcher is None else stack.enter_context(watcher).status
    except GatewayError as e:
        # Orders do not wait for it; somebody must hear of it.
        warn(f"nobody watches for stolen keys: {e}")
    return lambda: {name: status() for name, status in told.items() if status is not None}


def published(
    loaded: configuration.Loaded, engine: Engine, stack: ExitStack
) -> Callable[[], dict[str, Any]] | None:
    """Publish the ledger as long as `stack` is open, if the configuration says so."""
    section = loaded.config.ledger
    if section.publish is None:
        return None
    from ringfence.witness.publish import Publisher

    policy = section.publish.policy
    publisher = Publisher(
        Path(loaded.path(section.directory)),
        None if policy is None else read_policy(Path(loaded.path(policy))),
        section.publish.interval_ms / 1000,
        tell=warn,
        contradicted=partial(contradicted, engine),
    )
    return stack.enter_context(publisher).status


def key_sets(
    loaded: configuration.Loaded, started: list[dict[str, Any]], engine: Engine, stack: ExitStack
) -> Callable[[], dict[str, Any]] | None:
    """Have the issuers' keys follow their files as long as `stack` is open, if there are any."""
    if not started:
        return None
    from ringfence.api.keysets import KeySets

    files = [Path(loaded.path(issuer.jwks)) for issuer in loaded.config.issuers]
    sets = KeySets(files, loaded.issuers, started, engine, warn)
    return stack.enter_context(sets.watching()).status


def contradicted(engine: Engine, error: GatewayError) -> None:
    """Raise an incident: somebody holds a proof that this ledger is not what it was."""
    print(f"ringfence: ALARM: {error}", file=sys.stderr, flush=True)
    with suppress(EngineError):
        engine.event("ledger.contradicted", {"code": error.code, "what": str(error)}, durable=True)


def hurry(engine: Engine) -> None:
    """Wait for a second signal, then end the drain."""
    signal.sigwait(STOP)
    engine.hurry()


def ready(
    addresses: list[str], loaded: configuration.Loaded, folder: Folder, as_json: bool
) -> None:
    """Say where the gateway listens. Programs wait for this line."""
    pages = loaded.config.admin.pages
    if as_json:
        node, socket = loaded.config.node, str(folder.socket)
        said = {"addresses": addresses, "node": node, "socket": socket}
        say_json(said | ({} if pages is None else {"pages": pages.origin}))
        return
    for listener, address in zip(loaded.config.listeners, addresses, strict=True):
        scheme = "http" if listener.plain else "https"
        print(f"{listener.name}: {scheme}://{address} ({listener.dialect})")
    if pages is not None:
        print(f"pages: {pages.origin}")
    upstream = loaded.config.upstream
    print(f"upstream: {upstream.url}")
    for one in upstream.websockets:
        apart = f", private {one.private}" if one.private else ""
        print(f"websockets {one.path}: {one.url}{apart}")
    sys.stdout.flush()
