"""The gateway's pages for browsers: what they are given, and from whom anything is taken.

One page for all that passkeys do here: static, ours, and nothing from elsewhere. It is told by a
link what it is for. A request is taken from that page alone: the host and the origin are those of
the configuration, so that no other site, and no name that was made to lead here, can ask.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import resources
from typing import Any, Protocol
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ringfence.errors import GatewayError, PageError

__all__ = ["Ceremonies", "Site"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES = 131_072
"""The largest answer of an authenticator, in base64, and what stands around it."""
BODY_SECONDS = 10
COOKIE_SECONDS = 600
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/passkey.js": ("passkey.js", "text/javascript; charset=utf-8"),
    "/seal.js": ("seal.js", "text/javascript; charset=utf-8"),
    "/shown.js": ("shown.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-create=(self), publickey-credentials-get=(self), "
    "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Ceremonies(Protocol):
    """What the pages are for."""

    def begin(self, token: str, browser: str | None) -> tuple[dict[str, Any], str | None]:
        """Return what the page shows, and what its browser is known by, if that is new."""
        ...

    def finish(self, token: str, browser: str | None, answer: dict[str, Any]) -> dict[str, Any]:
        """Judge an answer and do what it is for."""
        ...


class Site:
    """The pages, as an ASGI application."""

    def __init__(self, ceremonies: Ceremonies, origin: str) -> None:
        """Keep what the pages are for, and the one origin that they have."""
        self._ceremonies = ceremonies
        self._origin = origin
        self._host = urlsplit(origin).netloc
        secure = origin.startswith("https:")
        # A browser takes `__Host-` from the host itself only, and not without TLS.
        self._cookie = "__Host-ringfence" if secure else "ringfence"
        self._secure = "; Secure" if secure else ""
        folder = resources.files("ringfence") / "api" / "pages"
        self._files = {
            path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        answer.headers.update(HEADERS)
        await answer(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive) -> Response:
        method, path = scope["method"], scope["path"]
        try:
            self._check_host(scope)
            if method in ("GET", "HEAD") and path in self._files:
                content, kind = self._files[path]
                return Response(content, media_type=kind)
            if method == "POST" and path in ("/begin", "/finish"):
                self._check_page(scope)
                async with asyncio.timeout(BODY_SECONDS):
                    asked = read(await whole(receive))
                return await run_in_threadpool(self._asked, path, asked, self._browser(scope))
        except TimeoutError:
            return refusal(PageError("the request takes too long", code="page_request"), 408)
        except GatewayError as e:
            return refusal(e, 403 if isinstance(e, PageError) else 409)
        return refusal(PageError("there is no such page", code="page_unknown"), 404)

    def _asked(self, path: str, asked: dict[str, Any], browser: str | None) -> Response:
        """Answer what the page asks; refusals are answers, too."""
        try:
            token = asked["token"]
            if path == "/finish":
                return JSONResponse(self._ceremonies.finish(token, browser, asked["answer"]))
            shown, fresh = self._ceremonies.begin(token, browser)
        except GatewayError as e:
            return refusal(e, 409)
        answer = JSONResponse(shown)
        if fresh is not None:
            said = f"{self._cookie}={fresh}; Path=/; HttpOnly; SameSite=Strict"
            answer.headers["Set-Cookie"] = f"{said}; Max-Age={COOKIE_SECONDS}{self._secure}"
        return answer

    def _check_host(self, scope: Message) -> None:
        """Refuse a request under a name that is not ours: one that was made to lead here."""
        if fields(scope, b"host") != [self._host]:
            raise PageError(f"this is not {self._host}")

    def _check_page(self, scope: Message) -> None:
        """Refuse a request that our own page did not make."""
        if fields(scope, b"origin") != [self._origin]:
            raise PageError("another site asks")
        if fields(scope, b"sec-fetch-site") not in ([], ["same-origin"]):
            raise PageError("another site asks")
        if fields(scope, b"content-type") != ["application/json"]:
            raise PageError("the page sends JSON")

    def _browser(self, scope: Message) -> str | None:
        """Return what a browser says that it is known by."""
        for field in fields(scope, b"cookie"):
            for pair in field.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self._cookie:
                    return value
        return None


def fields(scope: Message, wanted: bytes) -> list[str]:
    """Return the values of a request's fields of one name."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


async def whole(receive: Receive) -> bytes:
    """Return a request's body.

    Raises:
        PageError: it is larger than any answer.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise PageError(f"the request has more than {BODY_BYTES} bytes")
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


def read(body: bytes) -> dict[str, Any]:
    """Return what the page asks.

    Raises:
        PageError: it cannot be read.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    answer = asked.get("answer", {}) if isinstance(asked, dict) else None
    token = asked.get("token") if isinstance(asked, dict) else None
    if not isinstance(answer, dict) or not isinstance(token, str) or not token.isascii():
        raise PageError("the request cannot be read", code="page_request")
    return {"token": token, "answer": answer}


def refusal(error: GatewayError, status: int) -> JSONResponse:
    """Return what the page is told of a refusal."""
    content = {"code": error.code, "message": str(error), "hint": error.hint}
    return JSONResponse(content, status_code=status)
