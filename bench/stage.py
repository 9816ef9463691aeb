"""Everything that runs while scenarios are measured: upstream, proxies, gateways, and their common files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contender import PEERS, Contender, Ground, start_peer
from bench.drive import CEILING_PER_S, LOAD, LOAD_CORE, Answer, Work, measure
from bench.gateway import Setting, credentials, lay, ringfence
from bench.server import BenchError, Server, free_address, serving
from ringfence.config.folder import Folder

__all__ = ["Job", "Pace", "Stage", "standing"]

FEW = 10
Job = Callable[[int], Answer]
"""One measurement; it is told the number of its round."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a run takes, and how many credentials are many."""

    rounds: int
    run_ms: int
    warm_ms: int
    many: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What scenarios measure with. `contenders` are all up, the idle ones too: idle costs nothing."""

    ground: Ground
    pace: Pace
    upstream: Server
    base: Folder
    said: Callable[[str], None]
    contenders: list[Contender] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Contender | None:
        """Return the contender of this name, if it takes part."""
        return next((one for one in self.contenders if one.name == name), None)

    def measure(
        self, one: Contender, kind: str, *, tls: bool = False, tolerant: bool = False, **more: Any
    ) -> Answer:
        """Drive `one` for one round."""
        target = one.tls if tls else one.plain
        if target is None:
            raise BenchError(f"{one.name} has no TLS")
        asked: dict[str, Any] = {
            "credentials": self.ground.credentials,
            "run_ms": self.pace.run_ms,
            "warm_ms": self.pace.warm_ms,
            "ca": self.ground.ca if tls else None,
            "watch": one.pids(),
            "ceiling_per_s": CEILING_PER_S if one.server else 2 * CEILING_PER_S,
        }
        work = Work(target=target, kind=kind, **(asked | more))
        try:
            return measure(work, self.upstream.process.pid, tolerant=tolerant)
        except BenchError as e:
            raise BenchError(f"{one.name}: {e}") from e

    def interleave(self, title: str, jobs: Mapping[str, Job]) -> dict[str, list[Answer]]:
        """Do every job once in each round; every other round goes backwards."""
        answers: dict[str, list[Answer]] = {name: [] for name in jobs}
        for number in range(self.pace.rounds):
            for name in list(jobs)[:: -1 if number % 2 else 1]:
                self.said(f"{title}: round {number + 1} of {self.pace.rounds}, {name}")
                answers[name].append(jobs[name](number))
        return answers

    @contextmanager
    def gateway(
        self, name: str, setting: Setting, base: Folder | None = None
    ) -> Iterator[Contender]:
        """Serve by a gateway that only this scenario needs."""
        self.said(f"starting {name}")
        folder = self.ground.folder / name.replace(" ", "-").replace(",", "")
        try:
            with ringfence(name, base or self.base, folder, setting, self.ground.taken) as one:
                yield one
        finally:
            # Its ledger may be large, and nobody reads it.
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def standing(folder: Path, pace: Pace, said: Callable[[str], None]) -> Iterator[Stage]:
    """Set everything up in `folder`, and take it down when the block ends.

    Raises:
        BenchError: something that is not just another peer does not start.
    """
    if not LOAD.is_file():
        raise BenchError(f"there is no load generator {LOAD.name}; start with `make bench`")
    with ExitStack() as running:
        taken: set[str] = set()
        address = free_address(taken)
        said("laying keys and certificates")
        base = lay(folder / "base", address)
        keys = credentials(base, FEW, lambda _: None)
        tls = base.path / "tls"
        combined = folder / "combined.pem"
        combined.touch(mode=0o600)
        combined.write_bytes((tls / "server.pem").read_bytes() + (tls / "server.key").read_bytes())
        ground = Ground(
            folder=folder,
            upstream=address,
            credentials=keys,
            ca=tls / "ca.pem",
            certificate=tls / "server.pem",
            key=tls / "server.key",
            combined=combined,
            taken=taken,
        )
        command: Sequence[str | Path] = [LOAD, "upstream", "--listen", address]
        log = folder / "upstream.log"
        upstream = running.enter_context(serving("upstream", LOAD_CORE, command, [address], log))
        stage = Stage(ground, pace, upstream, base, said)
        stage.contenders.append(Contender("direct", address))
        start_all(stage, running)
        yield stage


def start_all(stage: Stage, running: ExitStack) -> None:
    """Start the peers that are installed, and the two gateways."""
    for peer in PEERS:
        stage.said(f"starting {peer.name}")
        try:
            contender, version = start_peer(peer, stage.ground, running)
        except (BenchError, OSError, subprocess.SubprocessError) as e:
            stage.left_out[peer.name] = str(e)
            continue
        stage.contenders.append(contender)
        stage.versions[peer.name] = version
    for mode in ("strict", "group"):
        gateway = stage.gateway(f"ringfence {mode}", Setting(mode))
        stage.contenders.append(running.enter_context(gateway))
