"""Idle WebSockets held all at once, and the memory that each takes in the gateway."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contender import Contender
from bench.drive import LOAD_CORE
from bench.example import NOTHING
from bench.gateway import Setting, lay
from bench.server import BenchError, free_address
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["IDLE", "idle"]

IDLE = 20_000
"""Streams held by a full run; a quick one holds as many as it has credentials."""
OVER_TLS = 2_000
"""Enough to weigh one, and not an hour of handshakes."""
SPARE_FILES = 256
FILES_EACH = 2
"""One to the client, one to the venue."""
PORTS_EACH = 5_000
"""Connections from one source address: the kernel has 28,000 ports for each."""
IDLE_MS = 3_600_000
"""Nobody says anything for as long as the others are opened."""

Done = dict[str, Table]


@dataclass(frozen=True, slots=True)
class Way:
    """How streams are held."""

    name: str
    said: str
    """The row's name."""
    tls: bool = True
    secure_venue: bool = False
    together: int | None = None
    """So many on one connection, by HTTP/2."""


PLAIN = Way("plain", "in the clear", tls=False)
FEW = (
    Way("tls", "over TLS 1.3"),
    Way("tls-venue", "over TLS 1.3, and to the venue too", secure_venue=True),
    Way("http2", "over HTTP/2, 100 on a connection", together=100),
)


def idle(stage: Stage, _done: Done) -> list[Table]:
    """Hold idle streams through as few gateways as the limit on open files allows, and weigh them."""
    wanted = min(IDLE, 2 * stage.pace.many)
    fit = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES) // FILES_EACH
    shares = split(wanted, fit)
    plain = [hold(stage, PLAIN, count, number, shares) for number, count in enumerate(shares)]
    with ExitStack() as running:
        held = [running.enter_context(one) for one in plain]
        living = [one.living() for one in held]
    each = sum(one.bytes for one in held) / sum(living)
    rows = [Row(PLAIN.said, [replace(NOTHING, rate=each, completed=sum(living))])]
    numbers: dict[str, float] = {"held": sum(living), "wanted": wanted, "bytes_each": round(each)}
    few = min(OVER_TLS, wanted)
    for way in FEW:
        with hold(stage, way, few, 0, [few]) as one:
            lived = one.living()
        rows.append(Row(way.said, [replace(NOTHING, rate=one.bytes / few, completed=lived)]))
        numbers[f"bytes_each_{way.name.replace('-', '_')}"] = round(one.bytes / few)
    notes = [
        f"{sum(living):,} streams held at once by {len(shares)} gateway(s), and all of them answered "
        "a ping through the venue at the end",
        f"one process may open {fit * FILES_EACH + SPARE_FILES:,} files here, and a stream takes two",
        f"the others are {few:,} at once",
        "resident memory after all were open, less that before; the kernel's own buffers not counted",
    ]
    title = "idle WebSockets: bytes of memory for each, both of its connections"
    return [Table("idle", title, " B", "", rows, notes, numbers)]


def split(wanted: int, most: int) -> list[int]:
    """Return as few even shares of `wanted` as have at most `most` each."""
    parts = -(-wanted // most)
    return [wanted // parts + (number < wanted % parts) for number in range(parts)]


@dataclass(frozen=True, slots=True)
class Held:
    """Streams through one gateway, and what they took."""

    bytes: int
    client: subprocess.Popen[str]

    def living(self) -> int:
        """Return how many of them answer a ping."""
        assert self.client.stdin is not None
        self.client.stdin.write("\n")
        self.client.stdin.flush()
        return int(line(self.client))


@contextmanager
def hold(stage: Stage, way: Way, count: int, number: int, shares: list[int]) -> Iterator[Held]:
    """Hold `count` streams through a gateway of their own until the block ends."""
    stage.said(f"idle: {count:,} streams, {way.said}, gateway {number + 1} of {len(shares)}")
    setting = Setting(streams=count + SPARE_FILES, idle_ms=IDLE_MS, secure_venue=way.secure_venue)
    address = free_address(stage.ground.taken)
    base = lay(stage.ground.folder / f"laid-{way.name}-{number}", address)
    with ending(serving(address, base.path / "tls", secure=way.secure_venue)) as venue:
        line(venue)
        with stage.gateway(f"idle {way.name} {number}", setting, base) as gateway:
            before = resident(gateway)
            target = gateway.tls if way.tls else gateway.plain
            with ending(asking(str(target), count, base.path / "tls" / "ca.pem", way)) as client:
                if (got := int(line(client))) != count:
                    raise BenchError(f"only {got} of {count} streams were opened")
                yield Held(resident(gateway) - before, client)


def serving(address: str, tls: Path, *, secure: bool) -> list[str]:
    """Return what a venue is told."""
    words = ["venue", "--listen", address]
    certificate = ["--certificate", str(tls / "server.pem"), "--key", str(tls / "server.key")]
    return words + (certificate if secure else [])


def resident(gateway: Contender) -> int:
    """Return the memory that a gateway has in core."""
    if gateway.server is None:
        raise BenchError(f"{gateway.name} is no process of ours")
    return gateway.server.resident_bytes()


def asking(target: str, count: int, ca: Path, way: Way) -> list[str]:
    """Return what a client is told."""
    sources = [f"127.0.0.{2 + number}" for number in range(-(-count // PORTS_EACH))]
    words = ["client", "--target", target, "--count", str(count)]
    words += [word for source in sources for word in ("--source", source)]
    words += ["--together", str(way.together)] if way.together else []
    return words + (["--ca", str(ca)] if way.tls else [])


@contextmanager
def ending(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run one end until the block ends."""
    command = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.hold", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """Read the next line that it says.

    Raises:
        BenchError: it ended.
    """
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if not said:
        raise BenchError("one end of the idle streams failed; its words are above")
    return said
