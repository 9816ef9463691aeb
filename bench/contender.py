"""The other proxies: how each is found, configured as its users would tune it, started, and its version told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from bench.server import BenchError, Server, free_address, serving

__all__ = ["GATE_CORE", "LIMITS", "PEERS", "Contender", "Ground", "Limit", "Peer", "start_peer"]

HERE = Path(__file__).parent
TEMPLATES = HERE / "peers"
GATE_CORE = "1"
LIMITS: dict[str, dict[str, str]] = yaml.safe_load((TEMPLATES / "limits.yaml").read_text())
"""Of each peer that can limit, what its limit is written like."""
MODULES = Path("/usr/lib/nginx/modules")
ENVOY = HERE.parent / ".bench"
"""Where `make bench` installs Envoy."""
# Debian has proxies in sbin, which is not on everybody's path.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who passes requests on, and listens.

    `checks`: verifies signatures itself. `http2`: speaks it on TLS.
    """

    name: str
    plain: str
    tls: str | None = None
    server: Server | None = None
    checks: bool = False
    http2: bool = False

    def pids(self) -> list[int]:
        """Return the processes whose CPU time is its own."""
        return [] if self.server is None else self.server.pids()


@dataclass(frozen=True, slots=True)
class Ground:
    """What all contenders stand on: a folder, the upstream's address, certificate and keys, ports."""

    folder: Path
    upstream: str
    credentials: Path
    ca: Path
    certificate: Path
    key: Path
    combined: Path
    """Certificate and key in one file, as HAProxy reads them."""
    taken: set[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the other proxies."""

    name: str
    template: str
    command: Callable[[Path, Path], Sequence[str | Path]]
    """From its program and its configuration to a command line."""
    program: Callable[[], Path]
    version: Callable[[Path], str]
    checks: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in a second for each API key; `said` tells it from the same proxy's others."""

    said: str
    quota: int

    def values(self, name: str) -> dict[str, str]:
        """Return what stands in the template of the proxy of this name."""
        written = LIMITS[name].items()
        return {key: text.replace("@QUOTA@", str(self.quota)) for key, text in written}

    @staticmethod
    def law(name: str) -> str:
        """Return by which law the proxy of this name says it counts."""
        return LIMITS[name]["law"]


def on_path(name: str) -> Path:
    """Find an installed program.

    Raises:
        BenchError: it is not installed.
    """
    found = shutil.which(name, path=PATH)
    if found is None:
        raise BenchError("not installed")
    return Path(found)


def envoy() -> Path:
    """Find the Envoy that `make bench` installs, or another.

    Raises:
        BenchError: there is none.
    """
    found = sorted(ENVOY.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else on_path("envoy")


def nginx_with_lua() -> Path:
    """Find an nginx that can load Lua.

    Raises:
        BenchError: nginx or the module is not installed.
    """
    if not (MODULES / "ngx_http_lua_module.so").is_file():
        raise BenchError("libnginx-mod-http-lua is not installed")
    return on_path("nginx")


def said_by(flag: str) -> Callable[[Path], str]:
    """Return a function that asks a program for its version and takes the number from the answer."""

    def version(program: Path) -> str:
        done = subprocess.run([program, flag], check=False, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        return found[0] if found else "unknown"

    return version


def started_nginx(program: Path, config: Path) -> Sequence[str | Path]:
    """Return nginx's command line; -e because its own log is not for everybody to write."""
    return [program, "-e", config.parent / "nginx.err", "-c", config]


PEERS = (
    Peer(
        "nginx",
        "nginx.conf",
        started_nginx,
        lambda: on_path("nginx"),
        said_by("-v"),
    ),
    Peer(
        "haproxy",
        "haproxy.cfg",
        lambda program, config: [program, "-db", "-f", config],
        lambda: on_path("haproxy"),
        said_by("-v"),
    ),
    Peer(
        "envoy",
        "envoy.yaml",
        lambda program, config: [
            *(program, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"),
            *("-c", config),
        ],
        envoy,
        said_by("--version"),
    ),
    Peer(
        "nginx + Lua",
        "nginx-lua.conf",
        started_nginx,
        nginx_with_lua,
        said_by("-v"),
        checks=True,
    ),
)


def start_peer(
    peer: Peer, ground: Ground, running: ExitStack, limit: Limit | None = None
) -> tuple[Contender, str]:
    """Start `peer` until `running` closes; return it and its version.

    Raises:
        BenchError: it is not installed, or does not start.
    """
    program = peer.program()
    name = peer.name if limit is None else f"{peer.name}, {limit.said}"
    folder = ground.folder / re.sub(r"\W+", "-", name)
    folder.mkdir()
    plain, tls = free_address(ground.taken), free_address(ground.taken)
    config = folder / peer.template
    limiting = {} if limit is None else limit.values(peer.name)
    config.write_text(filled(peer.template, ground, folder, plain, tls, limiting))
    command = peer.command(program, config)
    server = running.enter_context(
        serving(name, GATE_CORE, command, [plain, tls], folder / "output.log")
    )
    return Contender(name, plain, tls, server, peer.checks, http2=True), peer.version(program)


def filled(
    template: str,
    ground: Ground,
    folder: Path,
    plain: str,
    tls: str,
    limiting: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a configuration template with its @NAMES@ filled in."""
    values = {
        "LIMIT": "",
        "LIMIT_ZONE": "",
        "CERTIFICATE": str(ground.certificate),
        "COMBINED": str(ground.combined),
        "CREDENTIALS": str(ground.credentials),
        "FOLDER": str(folder),
        "KEY": str(ground.key),
        "MODULES": str(MODULES),
        "TEMPLATES": str(TEMPLATES),
    }
    values |= limiting
    for name, address in (("LISTEN", plain), ("TLS", tls), ("UPSTREAM", ground.upstream)):
        host, _, port = address.partition(":")
        values |= {name: address, f"{name}_HOST": host, f"{name}_PORT": port}
    text = (TEMPLATES / template).read_text()
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)
