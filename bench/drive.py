"""One measurement: the load generator drives one contender for a while and says what it saw."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.server import BenchError

__all__ = ["CEILING_PER_S", "LOAD", "Answer", "Work", "driving", "measure"]

LOAD = (
    Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent.parent / "target"))
    / "release"
    / "ringfence-load"
)
LOAD_CORE = "0"
CEILING_PER_S = 80_000
"""Requests are signed ahead of time: as many for each second as no proxy here can pass on."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the load generator is to do. Without `rate`, each connection asks as fast as it is answered."""

    target: str
    kind: str
    credentials: Path
    run_ms: int
    warm_ms: int
    connections: int = 32
    streams: int | None = None
    """So many at once on each connection, by HTTP/2."""
    rate: int | None = None
    ceiling_per_s: int = CEILING_PER_S
    forged: bool = False
    shed: bool = False
    nice: bool = False
    """Whether it leaves its core to others, whose latency is measured."""
    ca: Path | None = None
    sources: Sequence[str] = ()
    watch: Sequence[int] = field(default=())

    def command(self) -> list[str]:
        """Return it as a command line. Secrets stay in the file."""
        per_s = self.ceiling_per_s if self.rate is None else self.rate
        seconds = (self.run_ms + self.warm_ms) / 1000
        said = {
            "target": self.target,
            "kind": self.kind,
            "credentials": self.credentials,
            "connections": self.connections,
            "run-ms": self.run_ms,
            "warm-ms": self.warm_ms,
            "requests": min(int(per_s * seconds * 1.02) + 1000, 20_000 if self.forged else 1 << 30),
        }
        words = ["load", *(word for name, value in said.items() for word in (f"--{name}", value))]
        words += [] if self.rate is None else ["--rate", self.rate]
        words += [] if self.streams is None else ["--streams", self.streams]
        words += [] if self.ca is None else ["--tls-ca", self.ca]
        words += ["--forged"] * self.forged + ["--shed"] * self.shed
        words += [word for source in self.sources for word in ("--source", source)]
        words += [word for pid in self.watch for word in ("--watch", pid)]
        first = ["nice", "-n", "19"] if self.nice else []
        return [*first, "taskset", "-c", LOAD_CORE, str(LOAD), *map(str, words)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. Rates per second, latencies and CPU times in microseconds.

    `rate` and `completed` count the answers that were wanted: 200, or a refusal of what was forged;
    `broken` are requests whose connection failed. `busy`, `load_busy` and `others` are the
    shares of one core that the contender, load and upstream, and everything else on the two took.
    """

    rate: float
    completed: int
    unwanted: int
    broken: int
    p50: float
    p99: float
    p999: float
    cpu_us: float
    busy: float
    load_busy: float
    others: float
    statuses: dict[str, int]
    since_us: int = 0
    """When the first slice of `passed` begins, since the Unix epoch."""
    passed: Sequence[int] = ()
    """Answers with status 200 in each 10 ms; none of HTTP/2."""


@contextmanager
def driving(work: Work, upstream_pid: int) -> Iterator[list[Answer]]:
    """Keep the load generator at `work` while the block runs; what it saw is in the list afterwards.

    Raises:
        BenchError: it failed, or ended before the block.
    """
    process = subprocess.Popen(work.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen: list[Answer] = []
    try:
        yield seen
        if process.poll() is not None:
            raise BenchError("the load beside the measurement ended before it")
        seen.append(answer_of(process, work, upstream_pid))
    finally:
        process.kill()
        process.wait()


def measure(work: Work, upstream_pid: int, *, tolerant: bool = False) -> Answer:
    """Do `work` and return what came of it.

    `tolerant` lets refused and broken requests pass; they count for nothing.

    Raises:
        BenchError: the load generator failed, or the answers are not those that were wanted.
    """
    work = replace(work, watch=[*work.watch, upstream_pid])
    process = subprocess.Popen(work.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answer = answer_of(process, work, upstream_pid)
    if not tolerant and (answer.unwanted or answer.broken or not answer.completed):
        what = "forged" if work.forged else "good"
        found = f"{answer.statuses}, {answer.broken} without an answer"
        raise BenchError(f"{what} requests were answered by {found}")
    return answer


def answer_of(process: subprocess.Popen[bytes], work: Work, upstream_pid: int) -> Answer:
    """Wait for the load generator's report.

    Raises:
        BenchError: it failed.
    """
    out, err = process.communicate()
    if process.returncode != 0:
        raise BenchError(f"the load generator failed: {err.decode(errors='replace').strip()}")
    said = json.loads(out)
    statuses: dict[str, int] = said["statuses"]
    wanted = sum(n for status, n in statuses.items() if (status == "200") is not work.forged)
    spent = {int(pid): us for pid, us in said["cpu_us"].items()}
    ours = spent.pop(process.pid, 0) + spent.pop(upstream_pid, 0)
    theirs, elapsed_us = sum(spent.values()), max(said["elapsed_us"], 1)
    latency = said["latency_us"]
    return Answer(
        rate=wanted * 1e6 / elapsed_us,
        completed=wanted,
        unwanted=said["completed"] - wanted,
        broken=said["broken"],
        p50=latency["p50"],
        p99=latency["p99"],
        p999=latency["p999"],
        cpu_us=theirs / max(said["completed"], 1),
        busy=theirs / elapsed_us,
        load_busy=ours / elapsed_us,
        others=max(sum(said["cores_us"][:2]) - theirs - ours, 0) / elapsed_us,
        statuses=statuses,
        since_us=said["since_us"],
        passed=said["passed"],
    )
