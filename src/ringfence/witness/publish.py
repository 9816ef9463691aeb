"""Publishing a ledger, volume by volume, and what to do when somebody has seen another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ringfence import engine
from ringfence.errors import EngineError, GatewayError, WitnessError
from ringfence.ledger import covers
from ringfence.witness.ask import ask

__all__ = ["CONTRADICTIONS", "Publisher", "publish"]

CONTRADICTIONS = ("witness_fork", "witness_rollback")
"""What no quorum outweighs: a witness has seen another log by this name, or more of it."""

STOP_SECONDS = 2

Tell = Callable[[str], None]


def publish(ledger: Path, policy: bytes | None, tell: Tell) -> int:
    """Publish what is not yet, volume by volume, and return how many entries now are.

    With a policy, only what its quorum cosigned. `tell` hears why a witness did not.

    Raises:
        EngineError: there is no ledger, or it does not continue what was published.
        WitnessError: there is no quorum, or a contradiction.
    """
    size = 0
    volumes = engine.ledger_volumes(ledger)
    for volume in volumes:
        ended = volume is not volumes[-1]
        if not (ended and published(volume.directory, policy)):
            size = publish_volume(volume.directory, policy, tell)
    return volumes[-1].sequence + size


def published(volume: Path, policy: bytes | None) -> bool:
    """Tell whether all of a volume that has ended is published, as the policy wants it."""
    note = volume / "tlog" / "checkpoint"
    if not 0 < covers(volume / "checkpoint") == covers(note):
        return False
    try:
        if policy is not None:
            engine.accept_checkpoint(policy, note.read_bytes())
    except (EngineError, OSError):
        return False
    return True


def publish_volume(volume: Path, policy: bytes | None, tell: Tell) -> int:
    """Publish a volume, once the policy's quorum has cosigned; return how many entries it has."""
    if policy is None:
        return engine.publish_ledger(volume)
    note = engine.stage_ledger(volume)
    refused: WitnessError | None = None
    for witness in engine.read_policy(policy).witnesses:
        try:
            note = ask(volume, note, witness)
        except WitnessError as e:
            # The others may be enough; a contradiction outweighs any quorum.
            if e.code in CONTRADICTIONS:
                raise
            refused = e
            tell(str(e))
    try:
        engine.accept_checkpoint(policy, note)
    except EngineError as e:
        hint = None if refused is None else refused.hint
        raise WitnessError(f"nothing was published: {e}", hint=hint) from e
    return engine.release_ledger(volume, note)


class Publisher:
    """Publishes a growing ledger from a thread of its own, behind the writer."""

    def __init__(
        self,
        ledger: Path,
        policy: bytes | None,
        interval_s: float,
        *,
        tell: Tell,
        contradicted: Callable[[GatewayError], None],
    ) -> None:
        """Keep what is needed.

        `tell` hears each new trouble once; `contradicted` each contradiction once: it is an
        incident, and publishing is tried again all the same.
        """
        self._ledger, self._policy, self._interval_s = ledger, policy, interval_s
        self._tell, self._contradicted = tell, contradicted
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringfence-publisher", daemon=True)
        self._size = 0
        self._trouble: str | None = None

    def __enter__(self) -> Publisher:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End. Nobody waits long for a witness that does not answer: nothing half is published."""
        self._ended.set()
        self._thread.join(STOP_SECONDS)

    def status(self) -> dict[str, Any]:
        """Return how many entries are published, and the trouble if there is one."""
        return {"size": self._size, "trouble": self._trouble}

    def _run(self) -> None:
        heard: set[str] = set()
        while not self._ended.is_set():
            try:
                self._size = publish(self._ledger, self._policy, self._once(heard))
                self._trouble = None
            except GatewayError as e:
                self._trouble = str(e)
                if str(e) not in heard:
                    heard.add(str(e))
                    told = self._contradicted if e.code in CONTRADICTIONS else self._tell_of
                    told(e)
            self._ended.wait(self._interval_s)

    def _tell_of(self, error: GatewayError) -> None:
        self._tell(f"the ledger is not published: {error}")

    def _once(self, heard: set[str]) -> Tell:
        """Return what tells each sentence once."""

        def tell(what: str) -> None:
            if what not in heard:
                heard.add(what)
                self._tell(what)

        return tell
