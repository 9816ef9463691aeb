"""Asks the admin API's application as any user of the machine, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

__all__ = ["ask"]


def ask(made: FastAPI, uid: int, method: str, path: str, **body: Any) -> httpx.Response:
    """Send one request as the user `uid`, whom the admin socket would know."""
    transport = httpx.ASGITransport(made, raise_app_exceptions=False, client=("somebody", uid))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://ringfence") as client:
            return await client.request(method, path, **body)

    return asyncio.run(send())
