"""Ringfence as a contender: a state folder with every control on, credentials, and the gateway on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.contender import GATE_CORE, Contender
from bench.server import BenchError, Server, free_address, serving
from ringfence.config.folder import Folder
from ringfence.identity import Store, open_master
from ringfence.identity.credential import Credential
from ringfence.identity.secret import fresh_key_id

__all__ = ["Setting", "credentials", "keep_keys", "lay", "ringfence", "set_up"]

OUT_OF_REACH = 1 << 40
"""A quota that no run uses up; it is counted all the same."""
MESSAGES_PER_S = 1_000_000_000
"""A client's messages on one stream: no limit that is reached, and counted all the same."""
SIGNATURES = 16_000_000
"""As many as a long run leaves behind within one window of a minute."""
BATCH = 2_500
HANDSHAKE_MS = 30_000
START_S = 600.0
"""100,000 credentials are recorded in the ledger before the gateway listens."""


class DecimalText(yaml.SafeLoader):
    """Reads decimal fractions as the texts that they are: 0.00001 must not come back as 1e-05."""

    yaml_implicit_resolvers = {  # noqa: RUF012  the base class declares it so
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":float")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class Setting:
    """How one gateway differs from the shipped profile with its quotas out of reach."""

    mode: str = "strict"
    threads: int = 1
    cores: str = GATE_CORE
    shipped_edge: bool = False
    """Keep the edge budget of the profile, and ban who is over it."""
    streams: int | None = None
    """Connections from one address that are taken; as many as in all without it."""
    idle_ms: int | None = None
    """How long nothing may be said on one."""
    package: Path | None = None
    """A folder with another build of the package."""
    limits: Sequence[Mapping[str, Any]] | None = None
    """In the place of the profile's, as they are, and nobody banned for going on; none: no budget at all."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """What else the configuration says."""
    secure_venue: bool = False
    """The venue has a certificate of the state folder's own authority."""


def lay(folder: Path, upstream: str) -> Folder:
    """Lay a state folder by `ringfence init`, with keys and certificate made now."""
    command = [
        *(sys.executable, "-m", "ringfence", "init", "--profile", "binance-spot"),
        *("--upstream", f"http://{upstream}", "--node", "bench", str(folder)),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"ringfence init failed: {done.stderr.strip()}")
    return Folder(folder)


def credentials(folder: Folder, count: int, said: Callable[[int], None]) -> Path:
    """Put `count` credentials into the store, each of its own account; return the file with their secrets."""
    store, master = Store(folder.store), open_master(folder)
    keys = folder.path / "bench-keys"
    with keys.open("x") as file:
        keys.chmod(0o600)
        for start in range(0, count, BATCH):
            made = [credential(n) for n in range(start, min(start + BATCH, count))]
            store.add_all(made, "bench")
            for one in made:
                file.write(f"{one.key_id} {master.secret(one.key_id, one.generation)}\n")
            said(start + len(made))
    return keys


def keep_keys(file: Path, lines: Iterable[str]) -> Path:
    """Keep these of the keys apart, in place of what the file had."""
    file.touch(mode=0o600)
    file.write_text("".join(lines))
    return file


def credential(number: int) -> Credential:
    """Return a new credential that may read and trade from this machine."""
    return Credential(
        key_id=fresh_key_id(),
        account=f"bench-{number}",
        algorithm="hmac-sha256",
        scopes=("read", "trade"),
        allow=("127.0.0.0/8",),
        state="active",
        created_us=time.time_ns() // 1000,
    )


def set_up(folder: Folder, setting: Setting, plain: str, tls: str) -> None:
    """Put `setting` into the folder's configuration, and its quotas out of reach."""
    content: dict[str, Any] = yaml.load(folder.config.read_text(), DecimalText)
    main = content["listeners"][0]
    unencrypted = {"name": "plain", "address": plain, "dialect": main["dialect"], "plain": True}
    content["listeners"] = [unencrypted, main | {"name": "tls", "address": tls}]
    content["engine"]["threads"] = setting.threads
    content["ledger"]["mode"] = setting.mode
    content["freshness"] = {"capacity_per_credential": SIGNATURES, "capacity": SIGNATURES}
    http = content["http"]
    http["connections"] = setting.streams or http["connections"]
    http["connections_per_address"] = http["connections"]
    http["idle_timeout_ms"] = setting.idle_ms or http["idle_timeout_ms"]
    http["stream_messages_per_s"] = MESSAGES_PER_S
    upstream = content["upstream"]
    if setting.streams:
        # Many ask at once, and the venue is a program in Python.
        upstream["connect_timeout_ms"] = HANDSHAKE_MS
    if setting.secure_venue:
        upstream["url"] = upstream["url"].replace("http:", "https:", 1)
        upstream["ca"] = "tls/ca.pem"
    if setting.shipped_edge:
        # All that is driven comes from loopback, where nobody is banned as shipped.
        content["bans"]["exempt"] = []
    else:
        names = ("requests", "connections", "handshakes", "handshakes_open")
        content["edge"] |= dict.fromkeys(names, OUT_OF_REACH)
    if setting.limits is None:
        for limit in content["budget"]["limits"]:
            limit["quota"] = OUT_OF_REACH
    else:
        content["budget"]["limits"] = [dict(limit) for limit in setting.limits]
        content.setdefault("controls", {})["budget"] = "enforce" if setting.limits else "off"
        content["bans"]["points"] = {}
    content |= setting.sections
    folder.config.write_text(yaml.safe_dump(content, sort_keys=False))


@contextmanager
def ringfence(
    name: str, base: Folder, folder: Path, setting: Setting, taken: set[str]
) -> Iterator[Contender]:
    """Serve from a copy of `base` at `folder` until the block ends."""
    shutil.copytree(base.path, folder)
    own = Folder(folder)
    plain, tls = free_address(taken), free_address(taken)
    set_up(own, setting, plain, tls)
    command: list[str | Path] = [sys.executable, "-m", "ringfence", "serve", "-c", own.config]
    if setting.package is not None:
        command = ["/usr/bin/env", f"PYTHONPATH={setting.package}", *command]
    # Whoever was being measured has gone; there is nobody to drain.
    command += ["--drain-ms", "100"]
    log = folder / "output.log"
    with serving(name, setting.cores, command, [plain, tls], log, START_S) as server:
        wait_ready(server, log)
        yield Contender(name, plain, tls, server, checks=True, http2=True)


def wait_ready(server: Server, log: Path) -> None:
    """Wait until the gateway says that it serves: it listens a little before its keys are recorded."""
    until = time.monotonic() + START_S
    while b"upstream:" not in log.read_bytes():
        if server.process.poll() is not None or time.monotonic() > until:
            raise BenchError(f"{server.name} did not start")
        time.sleep(0.02)
