"""A gateway on another machine: `ringfence --gateway URL --key-id ID --key-file FILE`.

Commands that only ask the admin API go there; others work on files of this machine, and refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ringfence.errors import FileError, RequestError

if TYPE_CHECKING:
    from ringfence.api import Elsewhere

__all__ = ["Named", "elsewhere", "name"]

GOES = ("address", "approval", "key", "mfa", "principal", "status")
"""Commands, or groups of them, that only ask the admin API."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the command line says of it."""

    gateway: str | None = None
    key_id: str | None = None
    key_file: Path | None = None
    ca: Path | None = None


NAMED = [Named()]
"""Of this command line; written once, before the command runs."""


def name(named: Named, command: str | None) -> None:
    """Keep what the command line says.

    Raises:
        RequestError: it says half of it, or `command` does not go elsewhere.
    """
    NAMED[0] = named
    if named == Named():
        return
    if named.gateway is None or named.key_id is None or named.key_file is None:
        hint = "give --gateway, --key-id and --key-file; --ca for roots that are not the system's"
        raise RequestError("a gateway elsewhere is named by half", hint=hint)
    if command not in GOES:
        hint = "elsewhere go: " + ", ".join(GOES)
        raise RequestError(f"`{command}` works on this machine's files", hint=hint)


def elsewhere() -> Elsewhere | None:
    """Return the gateway elsewhere, if the command line names one.

    Raises:
        KeyTextError: the key cannot be read, or others may.
        FileError: a file is not there.
        RequestError: the address is none.
    """
    named = NAMED[0]
    if named.gateway is None or named.key_id is None or named.key_file is None:
        return None
    from ringfence.api import Elsewhere
    from ringfence.client import RingfenceKey

    try:
        key = RingfenceKey.read(named.key_id, named.key_file)
    except OSError as e:
        raise FileError(f"cannot read {named.key_file}: {e.strerror}") from e
    return Elsewhere(named.gateway, named.ca, key.sign)
