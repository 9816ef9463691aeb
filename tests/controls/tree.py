"""A copy of the sources in which controls are taken out, and what runs its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from tests.controls.listed import ROOT, Control, Proof

__all__ = ["BuildError", "Tree"]

FOLDER = ROOT / "target" / "controls"
PATIENCE_S = 600
FAILED = {
    True: re.compile(r"^test (\S+) .*FAILED$", re.MULTILINE),
    False: re.compile(r"^FAILED ([^\s\[]+)", re.MULTILINE),
}
PASSED = {
    True: re.compile(r"^test (\S+) .*ok$", re.MULTILINE),
    False: re.compile(r"^PASSED ([^\s\[]+)", re.MULTILINE),
}


class BuildError(Exception):
    """What cannot be built says nothing about a test; the text is the compiler's."""


class Tree:
    """The copy. What is built of it is kept: a control costs its own crate and those above it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Copy what differs from the sources, and take away what they no longer have."""
        self.path = folder / "tree"
        self.env = os.environ | {
            "CARGO_TARGET_DIR": str(folder / "build"),
            "PYTHONPATH": str(self.path / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.path.mkdir(parents=True, exist_ok=True)
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        said = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        wanted = {name for name in said.split("\0") if name and (ROOT / name).is_file()}
        for old in self.path.rglob("*"):
            name = str(old.relative_to(self.path))
            if old.is_file() and name not in wanted and old.suffix != ".so":
                old.unlink()
        for name in wanted:
            self.lay(name, (ROOT / name).read_bytes())
            shutil.copymode(ROOT / name, self.path / name)

    def lay(self, name: str, content: bytes) -> None:
        """Write a file unless it is so already: what is not touched is not built again."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)

    @contextmanager
    def without(self, control: Control) -> Iterator[None]:
        """Take a control out until the block ends."""
        before = (ROOT / control.file).read_text()
        self.lay(control.file, control.without(before).encode())
        try:
            yield
        finally:
            self.lay(control.file, before.encode())

    def play(self, proofs: Iterable[Proof]) -> Mapping[Proof, bool | None]:
        """Run tests; return whether each passed, or nothing for one that did not come to an end.

        Raises:
            BuildError: they cannot be built.
        """
        found: dict[Proof, bool | None] = {}
        for target, group in groupby(sorted(proofs, key=lambda one: one.target), _target):
            several = list(group)
            said = self.cargo(target, several) if target else self.pytest(several)
            rust = bool(target)
            passed, failed = PASSED[rust].findall(said), FAILED[rust].findall(said)
            for proof in several:
                verdict = True if proof.called in passed else None
                found[proof] = False if proof.called in failed else verdict
        return found

    def cargo(self, target: tuple[str, ...], proofs: list[Proof]) -> str:
        """Build a crate's tests and run these."""
        command = ["cargo", "test", "--locked", "--quiet", *target]
        self.build([*command, "--no-run"])
        # Not --quiet: each is told by its name.
        names = [proof.called for proof in proofs]
        return self.run([*command, "--", "--exact", "--format", "pretty", *names])

    def pytest(self, proofs: list[Proof]) -> str:
        """Build the native module and run Python's tests on it."""
        features = ["-p", "ringfence-py", "--features", "pyo3/extension-module"]
        self.build(["cargo", "build", "--locked", "--quiet", *features])
        built = Path(self.env["CARGO_TARGET_DIR"]) / "debug" / "lib_core.so"
        self.lay("src/ringfence/_core.abi3.so", built.read_bytes())
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--no-header"]
        return self.run([*command, *sorted({str(proof) for proof in proofs})])

    def build(self, command: list[str]) -> None:
        """Build something."""
        done = subprocess.run(command, cwd=self.path, env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise BuildError(done.stderr.strip())

    def run(self, command: list[str]) -> str:
        """Return what a runner said; it may be cut off."""
        out = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=self.path, env=self.env, stdout=out, stderr=out, text=True
        ) as process:
            try:
                return process.communicate(timeout=PATIENCE_S)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                return process.communicate()[0]


def _target(proof: Proof) -> tuple[str, ...]:
    return proof.target
