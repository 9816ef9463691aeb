"""The way to the admin API through the gateway's own pipeline.

An operator elsewhere signs each request natively; a listener of the engine takes it, with every
control, and hands it on over a socket of ours with an attestation of who it is. Here only what the
engine attests is taken: once, for this very request, while it is fresh. The key is made at each
start and is known to this process alone, so that neither the venue, which may know the key of the
other attestations, nor what an earlier process made is believed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from ringfence.api.problems import problem
from ringfence.api.reach import SOCKET_PATH_BYTES
from ringfence.api.routes.asking import ATTESTED
from ringfence.api.server import serving
from ringfence.engine.attestation import verify
from ringfence.errors import AttestationError

__all__ = ["Attested", "Way", "operation_of"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

FIELD = b"x-ringfence-attestation"
BODY_BYTES = 1 << 20
"""More than any endpoint reads."""
PROVING = ("/mfa/step-up", "/mfa/passkeys/step-up")
"""Where operators prove again who they are."""
NOBODY = -1
"""The Unix user of whoever is known by an attestation."""


class Way:
    """Where the engine hands requests on, and how it shows that it was the engine."""

    def __init__(self, path: Path, key: bytes, node: str, key_file: str) -> None:
        """Keep the socket's path, the key, the gateway's name, and where the engine reads the key.

        The engine connects as long as it runs, so a name that fits must last as long.
        """
        self._path, self._key, self._node = path, key, node
        self._folder: int | None = None
        name = str(path)
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            self._folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            name = f"/proc/self/fd/{self._folder}/{path.name}"
        attestation = {"algorithm": "HS256", "key": key_file, "issuer": node}
        self.told = {"socket": name, "attestation": attestation}
        """What the engine takes."""

    @contextmanager
    def serving(self, application: Application) -> Iterator[None]:
        """Serve `application` to the engine.

        Raises:
            FileError: the socket cannot be opened.
        """
        with ExitStack() as stack:
            if self._folder is not None:
                stack.callback(os.close, self._folder)
            guarded = Attested(application, self._key, self._node)
            stack.enter_context(serving(guarded, self._path, H11Protocol))
            yield


class Attested:
    """An application that only the engine reaches, each time for somebody whom it names."""

    def __init__(
        self,
        application: Application,
        key: bytes,
        issuer: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep what is behind, and whom to believe. `clock` returns seconds since the epoch."""
        self._application, self._key, self._issuer = application, key, issuer
        self._clock = clock
        # Ids that were spent, and when they would have expired; touched by the one event loop only.
        self._spent: dict[str, float] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it."""
        try:
            if scope["type"] != "http":
                raise AttestationError("only requests are taken here")
            body = await whole(receive)
            claims = self.claims(scope, body)
        except AttestationError as e:
            await problem(403, e.code, str(e), e.hint)(scope, receive, send)
            return
        known = {"client": (f"{claims['sub']} (key {claims['cred']})", NOBODY)}
        known[ATTESTED] = claims["sub"]
        await self._application({**scope, **known}, replayed(body, receive), send)

    def claims(self, scope: Message, body: bytes) -> dict[str, Any]:
        """Return what is attested of a request; it is spent by that.

        Raises:
            AttestationError: nothing is, or not by the engine, or of another request.
        """
        given = [value for name, value in scope["headers"] if name == FIELD]
        if len(given) != 1:
            raise AttestationError("a request here needs one attestation")
        now_s, method = self._clock(), scope["method"]
        target = scope["raw_path"].decode("latin-1")
        if query := scope["query_string"]:
            target += "?" + query.decode("latin-1")
        claims = verify(given[0].decode("latin-1"), self._key, method, target, body, now_s)
        operation = operation_of(method, target)
        told = [claims.get(name) for name in ("sub", "cred", "jti")]
        named = all(isinstance(each, str) and each for each in told)
        if (claims.get("iss"), claims.get("op")) != (self._issuer, operation) or not named:
            raise AttestationError("the attestation is for something else")
        self._spent = {one: until for one, until in self._spent.items() if until > now_s}
        if claims["jti"] in self._spent:
            raise AttestationError("the attestation was used before")
        self._spent[claims["jti"]] = float(claims["exp"])
        return claims


def operation_of(method: str, target: str) -> str:
    """Return which operation a request is, as the dialect's routes have it."""
    if method == "GET":
        return "admin.read"
    return "admin.prove" if target in PROVING else "admin.change"


async def whole(receive: Receive) -> bytes:
    """Return a request's body.

    Raises:
        AttestationError: it is larger than any that the engine hands on.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise AttestationError(f"the body has more than {BODY_BYTES} bytes")
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return what hands out `body` once more, and then whatever comes."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again
