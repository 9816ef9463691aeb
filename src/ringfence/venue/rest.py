"""The paper venue's HTTP side: a shape's handlers as routes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.identity import Authenticator
from ringfence.venue.shape import Handler, Params, Shape, Whole

__all__ = ["parameters", "routes"]


def routes(shape: Shape, exchange: Exchange, caller: Authenticator) -> list[Route]:
    """Return the venue's routes. `caller` tells who is behind a private request."""

    def route(method: str, path: str, handler: Handler, private: bool) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            try:
                account = caller.account(request, body) if private else ""
                answer = handler(exchange, parameters(request, body), account)
            except VenueRefusal as refusal:
                status, content = shape.refuse(refusal)
                return JSONResponse(content, status_code=status)
            whole = answer.body if isinstance(answer, Whole) else shape.wrap(answer)
            return JSONResponse(whole)

        typed: Callable[[Request], Awaitable[Response]] = endpoint
        return Route(path, typed, methods=[method])

    table = [(shape.public, False), (shape.private, True)]
    return [
        route(method, path, handler, private)
        for handlers, private in table
        for (method, path), handler in handlers.items()
    ]


def parameters(request: Request, body: bytes) -> Params:
    """Return the parameters of query, path and body together.

    Raises:
        VenueRefusal: -1100 when the body is not what its type says.
    """
    query: Params = dict(request.query_params) | request.path_params
    try:
        if request.headers.get("content-type", "").startswith("application/json") and body:
            return query | named(json.loads(body))
        return query | dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError as e:
        raise VenueRefusal(-1100, "Illegal characters found in the body.") from e


def named(value: Any) -> Params:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        raise ValueError("neither an object nor a list of objects")
    return {"items": items} if isinstance(value, list) else value
