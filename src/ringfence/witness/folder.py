"""A witness's folder: its key, its name, the logs it watches and what it cosigned."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence import engine
from ringfence.config.certificate import private_pem
from ringfence.config.folder import write_private
from ringfence.errors import EngineError, WitnessError
from ringfence.witness.state import State

__all__ = ["Folder"]

LOGS = """# The logs that this witness cosigns, one a line: log VKEY
# (C2SP tlog-policy; read when the witness starts)
{lines}quorum none
"""


class Folder:
    """The folder and the files in it."""

    def __init__(self, path: Path) -> None:
        """Name a folder; nothing is read yet."""
        self.path = path
        self.key = path / "witness.key"
        self.name_file = path / "name"
        self.logs_file = path / "logs"
        self.state_file = path / "witness.db"

    @classmethod
    def lay(cls, path: Path, name: str, logs: list[str]) -> Folder:
        """Write a new witness with a fresh key, for the logs with these verifier keys.

        Raises:
            WitnessError: the folder is not empty, or a key is malformed.
            FileError: a file cannot be written.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise WitnessError(f"{path} is there already and not empty", hint="name a new folder")
        content = LOGS.format(lines="".join(f"log {log}\n" for log in logs))
        engine.read_policy(content.encode())
        folder = cls(path)
        write_private(folder.key, private_pem(Ed25519PrivateKey.generate()))
        write_private(folder.name_file, f"{name}\n".encode())
        write_private(folder.logs_file, content.encode())
        State.create(folder.state_file)
        try:
            folder.cosigner()
        except EngineError as e:
            for file in path.iterdir():
                file.unlink()
            raise WitnessError(f"{name!r} is no name for a witness: {e}") from e
        return folder

    def cosigner(self) -> engine.Cosigner:
        """Return the key that cosigns.

        Raises:
            WitnessError: the folder holds no witness.
            EngineError: the key cannot be used.
        """
        return engine.Cosigner(self.key, self.read(self.name_file).strip())

    def logs(self) -> list[str]:
        """Return the verifier keys of the logs that are watched.

        Raises:
            WitnessError: the folder holds no witness, or it watches no log.
            EngineError: a line is wrong.
        """
        logs = engine.read_policy(self.read(self.logs_file).encode()).logs
        if not logs:
            raise WitnessError(
                f"{self.logs_file} names no log", hint="add a line `log VKEY` for each log"
            )
        return logs

    def read(self, file: Path) -> str:
        """Return a file's text."""
        try:
            return file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise WitnessError(
                f"{file} cannot be read", hint="`ringfence witness init` lays a witness"
            ) from e
