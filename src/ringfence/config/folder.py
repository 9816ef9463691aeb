"""The state folder: where a gateway's files lie, and who may change them at the moment."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ringfence.errors import FileError, RunningError

__all__ = ["Folder", "replace_private", "write_private"]


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder that holds ringfence.yaml. Everything in it is for its owner only."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.path / "ringfence.yaml"

    @property
    def master_key(self) -> Path:
        """What HMAC secrets are derived from."""
        return self.path / "keys" / "master.key"

    @property
    def shard_key(self) -> Path:
        """In its place: one shard's subtree of it."""
        return self.path / "keys" / "shard.key"

    @property
    def store(self) -> Path:
        """The credential store."""
        return self.path / "ringfence.db"

    @property
    def holds(self) -> Path:
        """Which volumes of the ledger must not be dropped."""
        return self.path / "holds.json"

    @property
    def seen(self) -> Path:
        """What detectors have learnt from the ledger; may be deleted."""
        return self.path / "watch.db"

    @property
    def watched(self) -> Path:
        """How far detectors have read the ledger."""
        return self.path / "watch.cursor"

    @property
    def standing(self) -> Path:
        """Up to where the ledger was read for what it says of seal and venue keys."""
        return self.path / "standing.json"

    @property
    def socket(self) -> Path:
        """Where a running gateway takes commands."""
        return self.path / "admin.sock"

    @property
    def bans(self) -> Path:
        """The bans in force."""
        return self.path / "bans.json"

    @property
    def way(self) -> Path:
        """Where its engine hands on what operators ask of the admin API from elsewhere."""
        return self.path / "way.sock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: nobody else serves from it or changes its store meanwhile.

        The kernel lets go when the process ends, however it ends.

        Raises:
            RunningError: somebody else holds it.
            FileError: the lock file cannot be opened.
        """
        try:
            lock = os.open(self.path / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise FileError(f"cannot lock {self.path}: {e.strerror}") from e
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                hint = "wait until it has started or stopped, and try again"
                raise RunningError(f"another process serves from {self.path}", hint=hint) from e
            yield
        finally:
            os.close(lock)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; durable on return.

    Raises:
        FileError: something is there already, or it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise FileError(f"cannot write {path}: {e.strerror}") from e


def replace_private(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file, whole or not at all, for its owner only.

    Raises:
        FileError: it cannot be written.
    """
    draft = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600.
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105  `draft` is text
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        with suppress(OSError):
            Path(draft).unlink(missing_ok=True)
        raise FileError(f"cannot write {path}: {e.strerror}") from e
