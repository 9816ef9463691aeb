"""What a witness judges, and the key that it cosigns with."""

from __future__ import annotations

from pathlib import Path

from ringfence import _core
from ringfence.engine.call import named

__all__ = ["Cosigner", "WitnessRequest"]


class WitnessRequest:
    """A request to cosign a checkpoint (C2SP tlog-witness, add-checkpoint)."""

    def __init__(self, body: bytes) -> None:
        """Read the body of a request.

        Raises:
            EngineError: `witness_400`.
        """
        with named():
            self.core = _core.WitnessRequest(body)
        self.origin, self.size, self.root = self.core.origin, self.core.size, self.core.root
        self.note = self.core.note

    def judge(self, logs: list[str], seen: tuple[int, bytes] | None) -> None:
        """Refuse what must not be cosigned. `seen`: size and root of what was cosigned last.

        Raises:
            EngineError: `witness_<HTTP status>`.
        """
        with named():
            self.core.judge(logs, seen)


class Cosigner:
    """A key that cosigns checkpoints under a name."""

    def __init__(self, key: Path, name: str) -> None:
        """Read the key file.

        Raises:
            EngineError: the file is not an Ed25519 key in PKCS#8 PEM, or `name` is no key name.
        """
        with named():
            self._core = _core.Cosigner(str(key), name)

    @property
    def vkey(self) -> str:
        """The key that verifies the cosignatures, as text."""
        return self._core.vkey

    def cosign(self, request: WitnessRequest, time_s: int) -> str:
        """Return the signature line for the checkpoint of a request that was judged."""
        return self._core.cosign(request.core, time_s)
