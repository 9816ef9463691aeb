"""What a browser sends the gateway's pages, with a passkey in software behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from ringfence.identity.factor.statement import challenge_for
from tests.authenticator import SITE, Authenticator

__all__ = ["Browser", "token_of"]

JSON = "application/json"


def token_of(link: str) -> str:
    """Return what a link holds behind its #."""
    return link.partition("#")[2]


class Browser:
    """One browser: its cookies, and the fields that no script of a page can set."""

    def __init__(self, site: Any, origin: str = SITE) -> None:
        self.site = site
        self.origin = origin
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, *, host: str | None = None, **more: Any) -> Any:
        """Send one request."""
        base = SITE if host is None else f"http://{host}"
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        headers |= more.pop("headers", {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={what}" for name, what in self.cookies.items())

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.site)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, headers=headers, **more)

        answer = asyncio.run(one())
        self.cookies |= dict(answer.cookies)
        return answer

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """Post JSON, as the page does."""
        answer = self.send("POST", path, json=body)
        return answer.status_code, answer.json()

    def perform(
        self,
        link: str,
        device: Authenticator,
        meddle: Callable[[str], str] = lambda statement: statement,
        **extensions: Any,
    ) -> dict[str, Any]:
        """Open a link and do what its page does; `meddle` is what the page signs instead."""
        token = token_of(link)
        status, begun = self.post("/begin", token=token)
        if status != 200:
            return begun
        challenge = challenge_for(meddle(begun["statement"]).encode())
        make = device.create if begun["kind"] == "enrol" else device.get
        answer = make(challenge, **extensions)
        return self.post("/finish", token=token, answer=answer)[1]
