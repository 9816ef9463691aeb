"""Controls as they are listed: what is taken out, and the tests that must fail without it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["LISTS", "ROOT", "Control", "Proof", "controls", "invariants", "missing"]

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent
INVARIANTS = LISTS / "invariants.yaml"


@dataclass(frozen=True, slots=True, order=True)
class Proof:
    """A test by its place: `tests/unit/test_x.py::test_y`, `crates/c/src/a/tests.rs::y`."""

    path: str
    name: str

    @classmethod
    def at(cls, place: str) -> Proof:
        """Read one."""
        path, _, name = place.partition("::")
        return cls(path, name)

    def __str__(self) -> str:
        return f"{self.path}::{self.name}"

    @property
    def rust(self) -> bool:
        """Whether cargo runs it."""
        return self.path.endswith(".rs")

    @property
    def target(self) -> tuple[str, ...]:
        """Where it is run: cargo's package and target; nothing for Python's."""
        if not self.rust:
            return ()
        _, crate, room, *rest = self.path.split("/")
        which = ("--lib",) if room == "src" else ("--test", rest[0].removesuffix(".rs"))
        return ("-p", crate, *which)

    @property
    def called(self) -> str:
        """What its runner calls it."""
        if not self.rust:
            return str(self)
        _, _, room, *rest = self.path.removesuffix(".rs").split("/")
        modules = rest if room == "src" else rest[1:]
        return "::".join([*modules, self.name])

    def stands(self) -> bool:
        """Tell whether there is such a test."""
        file = ROOT / self.path
        said = r"\bfn" if self.rust else r"\bdef"
        return file.is_file() and bool(
            re.search(rf"{said} {re.escape(self.name)}\(", file.read_text())
        )


@dataclass(frozen=True, slots=True)
class Control:
    """One control. Where `put` stands in the place of `take`, every one of `proofs` fails."""

    room: str
    name: str
    file: str
    take: str
    put: str
    proofs: tuple[Proof, ...]

    @classmethod
    def read(cls, room: str, written: dict[str, Any]) -> Control:
        """Read one; a field that is unknown or missing is an error."""
        proofs = tuple(map(Proof.at, written.pop("tests")))
        return cls(room=room, proofs=proofs, **written)

    def without(self, text: str) -> str:
        """Return its file's text without it.

        Raises:
            ValueError: what is taken out does not stand there, or more than once.
        """
        if (times := text.count(self.take)) != 1:
            raise ValueError(f"{self.name}: what is taken out stands {times} times in {self.file}")
        return text.replace(self.take, self.put)


def controls() -> list[Control]:
    """Return all that are listed."""
    lists = sorted(path for path in LISTS.glob("*.yaml") if path != INVARIANTS)
    return [
        Control.read(path.stem, written)
        for path in lists
        for written in yaml.safe_load(path.read_text())
    ]


def invariants() -> dict[str, list[Proof]]:
    """Return the invariants that are listed, and the tests that prove each."""
    written = yaml.safe_load(INVARIANTS.read_text())
    return {said: list(map(Proof.at, proofs)) for said, proofs in written.items()}


def missing(proofs: list[Proof]) -> list[str]:
    """Return those that are no tests."""
    return [str(proof) for proof in proofs if not proof.stands()]
