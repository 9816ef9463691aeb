"""The admin API on a Unix socket that only the gateway's owner can open."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from uvicorn.protocols.http.h11_impl import H11Protocol

from ringfence.api.keys import KeyService, NewKey
from ringfence.api.person import peer_uid, person
from ringfence.api.reach import reach
from ringfence.api.vault import NewVenueKey, VaultService
from ringfence.api.volumes import VolumeService
from ringfence.engine import Engine
from ringfence.errors import FileError, GatewayError, KeyMissingError

__all__ = ["app", "serving"]

START_SECONDS = 10
STOP_SECONDS = 5


class PeerProtocol(H11Protocol):
    """HTTP/1.1 whose `client` is the person on the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once for each connection."""
        super().connection_made(transport)
        uid = peer_uid(transport.get_extra_info("socket"))
        self.client = (person(uid), uid)


class KeyRequest(BaseModel):
    """The body of POST /keys."""

    model_config = ConfigDict(strict=True, extra="forbid")

    account: str
    scopes: list[str]
    allow: list[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: str | None = None
    pre_active: bool = False
    why: str = ""
    certificate: str | None = None
    requires: list[str] = []
    require_certificates: list[str] = []


class WhyRequest(BaseModel):
    """The body of POST /keys/{key_id}/suspend and its like."""

    model_config = ConfigDict(strict=True, extra="forbid")

    why: str = ""


class HoldRequest(BaseModel):
    """The body of POST /holds."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    since: str | None = None
    until: str | None = None
    why: str


class EraseRequest(BaseModel):
    """The body of POST /erase."""

    model_config = ConfigDict(strict=True, extra="forbid")

    address: str
    until: str | None = None
    why: str


class VenueKeyRequest(BaseModel):
    """The body of POST /vault."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    dialect: str
    key_id: str
    secret: str
    passphrase: str | None = None
    why: str = ""


def app(
    keys: KeyService,
    volumes: VolumeService,
    engine: Engine,
    published: Callable[[], dict[str, Any]] | None = None,
    vault: VaultService | None = None,
) -> FastAPI:
    """Return the application. Handlers are plain functions: FastAPI runs them on threads.

    `published` tells how far the ledger is published, where this gateway publishes it; `vault` has
    the venue keys, where it signs for a venue.
    """
    made = FastAPI(title="Ringfence", openapi_url=None, docs_url=None, redoc_url=None)

    @made.exception_handler(GatewayError)
    def refuse(_request: Request, error: GatewayError) -> JSONResponse:
        status = 404 if isinstance(error, KeyMissingError) else 409
        content = {"code": error.code, "message": str(error), "hint": error.hint}
        return JSONResponse(content, status_code=status)

    @made.exception_handler(RequestValidationError)
    def misread(_request: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer would hold what was sent, and that may be a secret.
        fields = {".".join(str(part) for part in one["loc"]) for one in error.errors()}
        said = "the request cannot be read: " + ", ".join(sorted(fields))
        content = {"code": "internal", "message": said, "hint": GatewayError.hint}
        return JSONResponse(content, status_code=422)

    @made.get("/status")
    def status() -> dict[str, Any]:
        found = engine.status()
        return found if published is None else {**found, "published": published()}

    @made.get("/keys")
    def all_keys() -> list[dict[str, Any]]:
        return keys.all()

    @made.get("/keys/{key_id}")
    def one_key(key_id: str) -> dict[str, Any]:
        return keys.one(key_id)

    @made.post("/keys")
    def create_key(wanted: KeyRequest, request: Request) -> dict[str, Any]:
        return keys.create(NewKey(**wanted.model_dump()), who(request))

    @made.post("/keys/{key_id}/suspend")
    def suspend_key(key_id: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return keys.set_state(key_id, "suspended", wanted.why, who(request))

    @made.post("/keys/{key_id}/resume")
    def resume_key(key_id: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return keys.set_state(key_id, "active", wanted.why, who(request))

    @made.post("/keys/{key_id}/revoke")
    def revoke_key(key_id: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return keys.set_state(key_id, "revoked", wanted.why, who(request))

    if vault is not None:
        keep(made, vault)

    @made.get("/holds")
    def all_holds() -> list[dict[str, Any]]:
        return volumes.holds()

    @made.post("/holds")
    def place_hold(wanted: HoldRequest, request: Request) -> dict[str, Any]:
        return volumes.hold(wanted.name, wanted.since, wanted.until, wanted.why, who(request))

    @made.post("/holds/{name}/lift")
    def lift_hold(name: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return volumes.lift(name, wanted.why, who(request))

    @made.post("/volumes/{month}/drop")
    def drop_volume(month: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return volumes.drop(month, wanted.why, who(request))

    @made.post("/erase")
    def erase(wanted: EraseRequest, request: Request) -> list[dict[str, Any]]:
        return volumes.erase(wanted.address, wanted.until, wanted.why, who(request))

    return made


def keep(made: FastAPI, vault: VaultService) -> None:
    """Add what can be done with the venue keys."""

    @made.get("/vault")
    def venue_keys() -> list[dict[str, Any]]:
        return vault.venue_keys()

    @made.post("/vault")
    def put_venue_key(wanted: VenueKeyRequest, request: Request) -> dict[str, Any]:
        return vault.put_venue_key(NewVenueKey(**wanted.model_dump()), who(request))

    @made.post("/vault/{name}/remove")
    def remove_venue_key(name: str, wanted: WhyRequest, request: Request) -> dict[str, Any]:
        return vault.remove_venue_key(name, wanted.why, who(request))


def who(request: Request) -> str:
    """Return who asks, as `PeerProtocol` found out."""
    # INVARIANT: uvicorn gives every request of a `PeerProtocol` connection its client.
    return request.client.host if request.client else "unknown"


@contextmanager
def serving(application: FastAPI, path: Path) -> Iterator[None]:
    """Serve `application` on the socket `path` from a thread of its own.

    Whoever calls holds the state folder, so a socket that is there is a dead process's.

    Raises:
        FileError: the socket cannot be opened.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        # Permissions come with the bind: a moment with wider ones would be a moment too long.
        before = os.umask(0o177)
        try:
            with reach(path) as name:
                listener.bind(name)
        finally:
            os.umask(before)
    except OSError as e:
        listener.close()
        raise FileError(f"cannot open the admin socket {path}: {e.strerror}") from e
    config = uvicorn.Config(
        application,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        # Or a header could say who asks.
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, args=([listener],), name="ringfence-admin", daemon=True
    )
    thread.start()
    try:
        wait_until_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS * 2)
        listener.close()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    """Return when the server answers.

    Raises:
        FileError: it ended, or did not start in START_SECONDS.
    """
    tick = threading.Event()
    for _ in range(START_SECONDS * 200):
        if server.started:
            return
        if not thread.is_alive():
            break
        tick.wait(0.005)
    raise FileError("the admin API did not start")
