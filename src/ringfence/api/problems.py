"""What the admin API answers when it refuses: problem details (RFC 9457), as the engine's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

__all__ = ["MEDIA_TYPE", "problem"]

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:ringfence:error:"


class Problem(JSONResponse):
    """A body of problem details."""

    media_type = MEDIA_TYPE


def problem(
    status: int,
    code: str,
    said: str,
    hint: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """Return the answer to what is refused: what was wrong this time, and what to do."""
    content = {
        "type": TYPE + code,
        "title": code.replace("_", " "),
        "status": status,
        "detail": said,
        "code": code,
        "hint": hint,
    }
    return Problem({**content, **more}, status_code=status, headers=headers)
