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
from bench.gateway import Setting, lay
from bench.ledger import NOTHING
from bench.server import BenchError
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


def idle(stage: Stage, _done: Done) -> list[Table]:
    """Hold idle streams through as few gateways as the limit on open files allows, and weigh them."""
    wanted = min(IDLE, 2 * stage.pace.many)
    fit = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES) // FILES_EACH
    shares = split(wanted, fit)
    plain = [hold(stage, count, number, shares, tls=False) for number, count in enumerate(shares)]
    with ExitStack() as running:
        held = [running.enter_context(one) for one in plain]
        living = [one.living() for one in held]
    few = min(OVER_TLS, wanted)
    with hold(stage, few, 0, [few], tls=True) as one:
        secure, secure_living = one, one.living()
    each = sum(one.bytes for one in held) / sum(living)
    rows = [
        Row("in the clear", [replace(NOTHING, rate=each, completed=sum(living))]),
        Row("over TLS 1.3", [replace(NOTHING, rate=secure.bytes / few, completed=secure_living)]),
    ]
    notes = [
        f"{sum(living):,} streams held at once by {len(shares)} gateway(s), and all of them answered "
        "a ping through the venue at the end",
        f"one process may open {fit * FILES_EACH + SPARE_FILES:,} files here, and a stream takes two",
        "resident memory after all were open, less that before; the kernel's own buffers not counted",
    ]
    numbers: dict[str, float] = {
        "held": sum(living),
        "wanted": wanted,
        "bytes_each": round(each),
        "bytes_each_tls": round(secure.bytes / few),
    }
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
def hold(stage: Stage, count: int, number: int, shares: list[int], *, tls: bool) -> Iterator[Held]:
    """Hold `count` streams through a gateway of their own until the block ends."""
    kind = "tls" if tls else "plain"
    stage.said(f"idle: {count:,} streams, {kind}, gateway {number + 1} of {len(shares)}")
    setting = Setting(streams=count + SPARE_FILES, idle_ms=IDLE_MS)
    with ending(["venue"]) as venue:
        base = lay(stage.ground.folder / f"laid-{kind}-{number}", line(venue))
        with stage.gateway(f"idle {kind} {number}", setting, base) as gateway:
            before = resident(gateway)
            target = gateway.tls if tls else gateway.plain
            with ending(
                asking(str(target), count, base.path / "tls" / "ca.pem", tls=tls)
            ) as client:
                if (got := int(line(client))) != count:
                    raise BenchError(f"only {got} of {count} streams were opened")
                yield Held(resident(gateway) - before, client)


def resident(gateway: Contender) -> int:
    """Return the memory that a gateway has in core."""
    if gateway.server is None:
        raise BenchError(f"{gateway.name} is no process of ours")
    return gateway.server.resident_bytes()


def asking(target: str, count: int, ca: Path, *, tls: bool) -> list[str]:
    """Return what a client is told."""
    sources = [f"127.0.0.{2 + number}" for number in range(-(-count // PORTS_EACH))]
    words = ["client", "--target", target, "--count", str(count)]
    words += [word for source in sources for word in ("--source", source)]
    return words + (["--ca", str(ca)] if tls else [])


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
