"""`ringfence serve`: run the gateway until SIGTERM or SIGINT, then drain."""

from __future__ import annotations

import hashlib
import signal
import sys
import threading
from functools import partial
from typing import Annotated

import typer

from ringfence import config as configuration
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, warn
from ringfence.config.folder import Folder
from ringfence.engine import Engine
from ringfence.errors import EngineError

__all__ = ["serve"]

STOP = {signal.SIGTERM, signal.SIGINT}


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
    loaded = configuration.load(config)
    configuration.check(loaded)
    folder = Folder(loaded.folder)
    # Blocked before any thread starts, so that every thread inherits it and only our sigwait
    # receives them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        with folder.held():
            run(loaded, folder, drain_ms, as_json)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(loaded: configuration.Loaded, folder: Folder, drain_ms: int, as_json: bool) -> None:
    """Run until the first of the STOP signals, then drain. The folder is held."""
    from ringfence.api import KeyService, VolumeService
    from ringfence.api.server import app, serving
    from ringfence.identity import MasterKey, Store

    store, master = Store(folder.store), MasterKey.read(folder.master_key)
    snapshot = loaded.snapshot()
    engine = Engine(snapshot)
    addresses = engine.start([one.for_engine(master) for one in store.all()])
    try:
        keys = KeyService(store, master, engine)
        try:
            # So that the ledger tells by which configuration its decisions were made.
            engine.event("config.loaded", {"sha256": hashlib.sha256(snapshot).hexdigest()})
            keys.record_earlier()
        except EngineError as e:
            # Orders are refused then; reads go on, and so do we.
            warn(f"the ledger does not take what happened before this start: {e}")
        volumes = VolumeService(loaded, partial(engine.event, durable=True))
        with serving(app(keys, volumes, engine), folder.socket):
            ready(addresses, loaded, folder, as_json)
            signal.sigwait(STOP)
            threading.Thread(target=hurry, args=[engine], daemon=True).start()
            # The admin API goes on meanwhile: a key can be revoked while orders drain.
            engine.stop(drain_ms)
    finally:
        engine.stop(0)


def hurry(engine: Engine) -> None:
    """Wait for a second signal, then end the drain."""
    signal.sigwait(STOP)
    engine.hurry()


def ready(
    addresses: list[str], loaded: configuration.Loaded, folder: Folder, as_json: bool
) -> None:
    """Say where the gateway listens. Programs wait for this line."""
    if as_json:
        node, socket = loaded.config.node, str(folder.socket)
        say_json({"addresses": addresses, "node": node, "socket": socket})
        return
    for listener, address in zip(loaded.config.listeners, addresses, strict=True):
        scheme = "http" if listener.plain else "https"
        print(f"{listener.name}: {scheme}://{address} ({listener.dialect})")
    print(f"upstream: {loaded.config.upstream.url}")
    sys.stdout.flush()
