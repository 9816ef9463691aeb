"""The admin API on a Unix socket that only the gateway's owner can open."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from ringfence.api.addresses import AddressService
from ringfence.api.approvals import ApprovalService
from ringfence.api.bans import BanService
from ringfence.api.export_files import ExportFiles
from ringfence.api.exports import ExportService
from ringfence.api.factors import FactorService
from ringfence.api.hosting import hosted
from ringfence.api.keys import KeyService
from ringfence.api.operators import Operators
from ringfence.api.passkeys import PasskeyService
from ringfence.api.performing import performers
from ringfence.api.person import peer_uid, person
from ringfence.api.policies import PolicyService
from ringfence.api.principals import PrincipalService
from ringfence.api.problems import MEDIA_TYPE, problem
from ringfence.api.reach import reach
from ringfence.api.routes import addresses as address_routes
from ringfence.api.routes import approvals as approval_routes
from ringfence.api.routes import bans as ban_routes
from ringfence.api.routes import exports as export_routes
from ringfence.api.routes import factors as factor_routes
from ringfence.api.routes import keys as key_routes
from ringfence.api.routes import passkeys as passkey_routes
from ringfence.api.routes import policies as policy_routes
from ringfence.api.routes import principals as principal_routes
from ringfence.api.routes import seal as seal_routes
from ringfence.api.routes import shards as shard_routes
from ringfence.api.routes import status
from ringfence.api.routes import vault as vault_routes
from ringfence.api.routes import volumes as volume_routes
from ringfence.api.routes.answers import Refusal
from ringfence.api.routes.asking import gate
from ringfence.api.seal import SealService
from ringfence.api.shards import ShardService
from ringfence.api.stepup import StepUps
from ringfence.api.vault import VaultService
from ringfence.api.volumes import VolumeService
from ringfence.engine import Engine
from ringfence.errors import (
    BanError,
    FileError,
    GatewayError,
    KeyMissingError,
    PolicyForbidsError,
    PrincipalMissingError,
    RequestError,
    RoleError,
    StepUpError,
)

__all__ = ["app", "endpoints", "serving"]

STATUS: dict[type[GatewayError], int] = {
    PolicyForbidsError: 403,
    RoleError: 403,
    StepUpError: 401,
    BanError: 404,
    KeyMissingError: 404,
    PrincipalMissingError: 404,
}
"""What is not a conflict (409)."""


REFUSED: dict[str, Any] = {
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Refusal"}}}
}
"""The refusals of every endpoint: a model would be compiled anew for each of them."""


class PeerProtocol(H11Protocol):
    """HTTP/1.1 whose `client` is the person on the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once for each connection."""
        super().connection_made(transport)
        uid = peer_uid(transport.get_extra_info("socket"))
        self.client = (person(uid), uid)


def app(
    keys: KeyService,
    volumes: VolumeService,
    engine: Engine,
    beside: Callable[[], dict[str, Any]] | None = None,
    vault: VaultService | None = None,
    seal: SealService | None = None,
    factors: FactorService | None = None,
    approvals: ApprovalService | None = None,
    exports: ExportService | None = None,
    policies: PolicyService | None = None,
    passkeys: PasskeyService | None = None,
    addresses: AddressService | None = None,
    files: ExportFiles | None = None,
    bans: BanService | None = None,
) -> FastAPI:
    """Return the application. Handlers are plain functions: FastAPI runs them on threads.

    `beside` tells how those stand who read the ledger behind the engine; `vault` has the venue
    keys, where it signs for a venue; `factors` and `approvals` are those of the keys' store.
    Without the latter, nothing needs any. `addresses` are those of that store, too. `seal`,
    `exports` and `files` are a gateway's that runs; `policies` are asked of what operators do;
    `passkeys` has the links to its pages; `bans` are the engine's.
    """
    tree = keys.store.principals
    operators = Operators(tree)
    if factors is None:
        factors = FactorService(StepUps(keys.factors), tree, lambda *told: engine.event(*told))
    if approvals is None:
        approvals = ApprovalService(keys.approvals, tree, {}, lambda *told: engine.event(*told))
    if addresses is None:
        addresses = AddressService(keys.addresses, lambda *told: engine.event(*told), keys.engine)
    approvals.perform = performers(keys, factors, addresses, policies, files)
    made = FastAPI(
        title="Ringfence",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(gate(operators, factors.step_ups, policies))],
        responses=dict.fromkeys((400, *STATUS.values(), 409, 422), REFUSED),
    )

    @made.exception_handler(GatewayError)
    def refuse(_request: Request, error: GatewayError) -> JSONResponse:
        if isinstance(error, StepUpError):
            return challenged(error)
        status = STATUS.get(type(error), 409)
        return problem(status, error.code, str(error), error.hint)

    @made.exception_handler(RequestValidationError)
    def misread(_request: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer would hold what was sent, and that may be a secret.
        fields = {".".join(str(part) for part in one["loc"]) for one in error.errors()}
        return refused(422, "the request cannot be read: " + ", ".join(sorted(fields)))

    @made.exception_handler(HTTPException)
    def lost(_request: Request, error: HTTPException) -> JSONResponse:
        return refused(
            error.status_code, f"the request is not taken: {error.detail}", error.headers
        )

    @made.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        described = made.openapi()
        described["components"]["schemas"].setdefault(
            "Refusal", Refusal.model_json_schema(mode="serialization")
        )
        return described

    made.include_router(status.router(engine, beside))
    made.include_router(principal_routes.router(PrincipalService(keys), factors, approvals))
    made.include_router(key_routes.router(keys, approvals))
    made.include_router(address_routes.router(addresses, approvals))
    made.include_router(shard_routes.router(ShardService(keys)))
    made.include_router(volume_routes.router(volumes))
    made.include_router(factor_routes.router(factors, approvals))
    made.include_router(passkey_routes.router(factors, passkeys))
    made.include_router(approval_routes.router(approvals, passkeys))
    if vault is not None:
        made.include_router(vault_routes.router(vault))
    if seal is not None:
        made.include_router(seal_routes.router(seal, passkeys))
    made.include_router(export_routes.router(exports, files, approvals))
    if policies is not None:
        made.include_router(policy_routes.router(policies, approvals))
    if bans is not None:
        made.include_router(ban_routes.router(bans))
    for endpoint in endpoints(made):
        operators.knows(endpoint)
    return made


def refused(status: int, said: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that no endpoint takes."""
    return problem(status, RequestError.code, said, RequestError.hint, headers)


def challenged(error: StepUpError) -> JSONResponse:
    """Return the answer of RFC 9470: which proof is wanted, and how old it may be."""
    # An act that has no rule names no strength.
    strengths = " ".join(error.strengths)
    missing = "insufficient_user_authentication"
    said = f'acr_values="{strengths}", max_age={error.max_age_s}'
    return problem(
        STATUS[StepUpError],
        error.code,
        str(error),
        error.hint,
        {"WWW-Authenticate": f'Ringfence error="{missing}", {said}'},
        error=missing,
        acr_values=strengths,
        max_age=error.max_age_s,
    )


def endpoints(made: FastAPI) -> list[str]:
    """Return every endpoint as `METHOD /path/{parameter}`."""
    found = iter_route_contexts(made.routes)
    return [f"{method} {one.path}" for one in found for method in sorted(one.methods or ())]


@contextmanager
def serving(
    application: Callable[..., Any], path: Path, protocol: type[H11Protocol] = PeerProtocol
) -> Iterator[None]:
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
    try:
        with hosted(application, listener, "the admin API", protocol):
            yield
    finally:
        listener.close()
        with suppress(OSError):
            path.unlink(missing_ok=True)
