"""The HTTP side of a witness (C2SP tlog-witness).

`POST /add-checkpoint` answers with the cosignature, or: 400 no such request, 403 no known key
signed, 404 unknown log, 409 another size was cosigned last (with it), 422 not a continuation.
`GET /HASH/checkpoint` shows monitors what was cosigned last; HASH is SHA-256 of the origin, in hex.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from hashlib import sha256

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from ringfence.engine import Cosigner, WitnessRequest
from ringfence.errors import EngineError, GatewayError
from ringfence.witness.state import MAX_SIZE, Contradiction, Seen, State, Turn

__all__ = ["app"]

MAX_BODY_BYTES = 128 * 1024
"""More than 63 lines of proof and a checkpoint with 100 signatures take."""

SIZE_TYPE = "text/x.tlog.size"
REFUSED = "witness_"
INCONSISTENT = "witness_422"


def warn(what: str) -> None:
    """Say on stderr what the witness's operator must know."""
    print(f"ringfence: ALARM: {what}", file=sys.stderr, flush=True)


def plain(status: int, text: str, media_type: str = "text/plain; charset=utf-8") -> Response:
    """Return an answer of one line."""
    return Response(f"{text}\n", status, media_type=media_type)


class Witness:
    """Answers requests by a state and a key."""

    def __init__(
        self, state: State, cosigner: Cosigner, logs: list[str], clock: Callable[[], float]
    ) -> None:
        """Watch the logs with the verifier keys `logs`; `clock` tells seconds since the epoch."""
        self._state, self._cosigner, self._logs, self._clock = state, cosigner, logs, clock

    def add(self, body: bytes) -> Response:
        """Judge a request; what is cosigned is durable before this returns."""
        last, refused = 0, None
        try:
            request = WitnessRequest(body)
            if request.size > MAX_SIZE:
                return plain(400, "the checkpoint is over more entries than can be counted here")
            with self._state.turn() as turn:
                seen = turn.seen(request.origin)
                last = 0 if seen is None else seen.size
                refused = self._refusal(turn, request, seen)
                if refused is None:
                    line = self._cosigner.cosign(request, int(self._clock()))
                    note = request.note + line.encode()
                    turn.put(request.origin, Seen(request.size, request.root, note))
            if refused is not None:
                raise refused
        except EngineError as e:
            if not e.code.startswith(REFUSED):
                raise
            status = int(e.code.removeprefix(REFUSED))
            return plain(status, str(last), SIZE_TYPE) if status == 409 else plain(status, str(e))
        return Response(line, media_type="text/plain; charset=utf-8")

    def _refusal(
        self, turn: Turn, request: WitnessRequest, seen: Seen | None
    ) -> EngineError | None:
        """Return why a request is not cosigned; keep what contradicts what was cosigned."""
        try:
            request.judge(self._logs, None if seen is None else (seen.size, seen.root))
        except EngineError as e:
            # The log's own key signed both, or it would not have come to 422.
            if e.code == INCONSISTENT and seen is not None:
                now_s = int(self._clock())
                origin, note = request.origin, request.note
                turn.keep(Contradiction(origin, request.size, now_s, note, seen.note))
                warn(f"the log {origin} contradicts what was cosigned; both checkpoints are kept")
            return e
        return None

    def newest(self, name: str) -> Response:
        """Show what was cosigned last of the log whose origin hashes to `name`."""
        with self._state.turn() as turn:
            # One row per log; a ledger has one log per month.
            origins = (one for one in turn.origins() if sha256(one.encode()).hexdigest() == name)
            seen = next((turn.seen(origin) for origin in origins), None)
        if seen is not None:
            return Response(seen.note, media_type="text/plain; charset=utf-8")
        return plain(404, "nothing was cosigned of such a log")


def app(
    state: State, cosigner: Cosigner, logs: list[str], clock: Callable[[], float] = time.time
) -> FastAPI:
    """Return the application."""
    witness = Witness(state, cosigner, logs, clock)
    made = FastAPI(title="Ringfence witness", openapi_url=None, docs_url=None, redoc_url=None)

    @made.exception_handler(GatewayError)
    def fail(_request: Request, error: GatewayError) -> Response:
        return plain(500, f"the witness cannot answer: {error.code}")

    @made.post("/add-checkpoint")
    async def add(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return plain(413, f"a request has at most {MAX_BODY_BYTES} bytes")
        return await run_in_threadpool(witness.add, bytes(body))

    @made.get("/{name}/checkpoint")
    def newest(name: str) -> Response:
        return witness.newest(name)

    return made
