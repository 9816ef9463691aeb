"""Where the passphrase, PIN or token that opens a state folder comes from.

Never a command line or an environment variable: others can read both.
"""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ringfence.errors import SealError

if TYPE_CHECKING:
    from ringfence.identity.seal.passkey import Way

__all__ = ["CREDENTIAL", "Unlock", "wiped"]

CREDENTIAL = "ringfence.unlock"
"""The name under which systemd's LoadCredential= hands it over."""
MAX_BYTES = 1024


@dataclass(slots=True)
class Unlock:
    """A place that is read when something must be unlocked, and not before, and once."""

    file: Path | None = None
    descriptor: int | None = None
    prompt: str = "to open the state folder"
    page: Callable[[list[Way]], bytearray] | None = None
    """Opens a page where a passkey releases the key; None: there is none, or it is not wanted."""
    _kept: dict[str, bytearray] = field(default_factory=dict, repr=False)

    def named(self) -> bool:
        """Tell whether somebody has said where the secret is; else people are asked."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        handed = bool(folder) and (Path(folder or "") / CREDENTIAL).is_file()
        return self.descriptor is not None or self.file is not None or handed

    def read(self, what: str, *, twice: bool = False) -> bytearray:
        """Return the secret without its last newline; whoever takes it wipes it.

        `what` names it to people; `twice`: it is new, and a prompt asks for it again.

        Raises:
            SealError: there is none, or it cannot be read.
        """
        # A descriptor gives what it gives once, whatever that is.
        name = "" if self.descriptor is not None else what
        if name not in self._kept:
            self._kept[name] = self._read(what, twice=twice)
        return bytearray(self._kept[name])

    def forget(self) -> None:
        """Wipe what was read."""
        while self._kept:
            _, secret = self._kept.popitem()
            secret[:] = bytes(len(secret))

    def _read(self, what: str, *, twice: bool) -> bytearray:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if self.descriptor is not None:
            found = drained(self.descriptor, what)
        elif self.file is not None:
            found = read_private(self.file, what)
        elif folder and (Path(folder) / CREDENTIAL).is_file():
            found = read_private(Path(folder) / CREDENTIAL, what)
        else:
            found = asked(f"{what} {self.prompt}", twice=twice)
        while found[-1:] in (bytearray(b"\n"), bytearray(b"\r")):
            del found[-1]
        if not found:
            raise SealError(f"the {what} is empty", code="seal_locked")
        return found


def drained(descriptor: int, what: str) -> bytearray:
    """Return what can be read from a descriptor, which is closed then."""
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return limited(file.fileno(), what)
    except OSError as e:
        said = f"the {what} cannot be read from descriptor {descriptor}: {e.strerror}"
        raise SealError(said, code="seal_locked") from None


def read_private(path: Path, what: str) -> bytearray:
    """Return a file's content.

    Raises:
        SealError: it cannot be read, or others than its owner may use it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        said = f"the {what} cannot be read from {path}: {e.strerror}"
        raise SealError(said, code="seal_locked") from None
    try:
        if os.fstat(handle).st_mode & 0o077:
            said = f"others than its owner may use {path}"
            raise SealError(said, hint=f"chmod 600 {path}", code="seal_locked")
        return limited(handle, what)
    finally:
        os.close(handle)


def limited(handle: int, what: str) -> bytearray:
    """Return what can be read, into memory that can be wiped.

    Raises:
        SealError: it is longer than MAX_BYTES.
    """
    room, used = bytearray(MAX_BYTES + 1), 0
    view = memoryview(room)
    while used < len(room) and (count := os.readv(handle, [view[used:]])):
        used += count
    view.release()
    if used > MAX_BYTES:
        room[:] = bytes(len(room))
        raise SealError(f"the {what} has more than {MAX_BYTES} bytes", code="seal_locked")
    found = room[:used]
    room[:] = bytes(len(room))
    return found


def asked(what: str, *, twice: bool) -> bytearray:
    """Ask on the terminal, without echo.

    Raises:
        SealError: there is no terminal, or the two answers differ.
    """
    if not sys.stdin.isatty():
        hint = "ringfence --unlock-file PATH COMMAND, --unlock-fd N, or systemd's "
        hint += f"LoadCredential={CREDENTIAL}:PATH"
        if twice:
            hint = "`vault rewrap`: --new-unlock-file PATH or --new-unlock-fd N; `init`: "
            hint += "ringfence --unlock-file PATH init"
        raise SealError(f"there is nobody to ask for the {what}", hint=hint, code="seal_locked")
    # `serve` has SIGINT blocked by now; whoever is asked may still say no.
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        answer = getpass.getpass(f"{what}: ")
        if twice and getpass.getpass(f"{what}, again: ") != answer:
            raise SealError("the two answers differ", hint="nothing was written; try again")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return bytearray(answer.encode())


@contextmanager
def wiped(secret: bytearray) -> Iterator[bytearray]:
    """Yield a secret that is overwritten in the end."""
    try:
        yield secret
    finally:
        secret[:] = bytes(len(secret))
