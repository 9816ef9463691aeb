"""Who asks: the users of this machine, as the kernel tells. Nobody can claim to be another."""

from __future__ import annotations

import os
import pwd
import socket
import struct

__all__ = ["peer_uid", "person"]

UCRED = struct.Struct("3i")
"""struct ucred of unix(7): pid, uid, gid."""


def person(uid: int) -> str:
    """Return a user as the ledger names one: the name at this moment, and the number."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


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
