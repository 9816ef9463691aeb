"""A PostgreSQL of the tests' own: on loopback, run by a user that is not root, thrown away."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

__all__ = ["Server", "missing", "running"]

DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 60


class Server:
    """A running server; each database is new."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password
        self.made = 0

    def database(self) -> str:
        """Create an empty database and return its URL."""
        import psycopg

        self.made += 1
        name = f"ringfence_{self.made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database, with the password."""
        return f"postgresql://keeper:{self.password}@127.0.0.1:{self.port}/{database}"


def programs() -> Path | None:
    """Return the folder with initdb and postgres, of the newest version."""
    found = shutil.which("initdb")
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    folders += [Path(found).resolve().parent] if found else []
    whole = [one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()]
    return whole[-1] if whole else None


def owner() -> str | None:
    """Return a user that may own the server, where root runs the tests; PostgreSQL refuses root."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


def missing() -> str | None:
    """Return why no PostgreSQL can be started here, if so."""
    if programs() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if os.getuid() == 0 and owner() is None:
        return "root runs the tests, and there is no other user to run PostgreSQL"
    return None


@contextmanager
def running() -> Iterator[Server]:
    """Yield a server that is good as long as the context lasts."""
    folder, user = programs(), owner() if os.getuid() == 0 else None
    assert folder is not None
    home = Path(tempfile.mkdtemp(prefix="ringfence-postgres-"))
    password = secrets.token_urlsafe(24)
    try:
        (home / "password").write_text(password)
        for path in (home, home / "password"):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if user is not None:
                shutil.chown(path, user)
        initdb: list[str | Path] = [
            folder / "initdb",
            "-D",
            home / "data",
            "-U",
            "keeper",
            "-A",
            "scram-sha-256",
        ]
        initdb += ["--pwfile", home / "password", "-N", "-E", "UTF8", "--locale", "C"]
        subprocess.run(initdb, user=user, cwd=home, check=True, capture_output=True)
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home}"
        # Nothing of it outlives the tests.
        options += " -c fsync=off -c max_connections=40"
        start: list[str | Path] = [
            folder / "pg_ctl",
            "-D",
            home / "data",
            "-w",
            "-t",
            str(START_SECONDS),
        ]
        start += ["-o", options, "-l", home / "log", "start"]
        subprocess.run(start, user=user, cwd=home, check=True, stdout=subprocess.DEVNULL)
        try:
            yield Server(port, password)
        finally:
            stop: list[str | Path] = [
                folder / "pg_ctl",
                "-D",
                home / "data",
                "-m",
                "immediate",
                "-w",
                "stop",
            ]
            subprocess.run(stop, user=user, cwd=home, check=False, capture_output=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
