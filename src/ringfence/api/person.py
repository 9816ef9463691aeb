"""Who asks: the users of this machine, as the kernel tells. Nobody can claim to be another."""

from __future__ import annotations

import os
import pwd
import re
import socket
import struct

__all__ = ["login", "peer_uid", "person"]

UCRED = struct.Struct("3i")
"""struct ucred of unix(7): pid, uid, gid."""


def person(uid: int) -> str:
    """Return a user as the ledger names one: the name at this moment, and the number."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def login(uid: int) -> str:
    """Return a user's name at this moment, or its number where it has none that names allow."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    return name if re.fullmatch(r"[A-Za-z0-9._@-]+", name) else str(uid)


def peer_uid(connection: socket.socket) -> int:
    """Return the user id of the process on the other end of a Unix socket.

    Where the kernel cannot tell (SO_PEERCRED is Linux), it is ours: the socket's mode lets nobody
    else connect.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.getuid()
    content = connection.getsockopt(socket.SOL_SOCKET, option, UCRED.size)
    return int(UCRED.unpack(content)[1])
