"""Runs tests/cli/*.txt: what is typed, and exactly what comes back.

    text             what the script proves, until the first line of another kind
    -- NAME --       a file's content, until `-- end --`
    $ ringfence ...  a command
    > line           its stdout;  ! line  its stderr;  [1]  its exit code, when not 0

In expected lines `...` stands for anything on a line; a line that is only `...` stands for any
lines. {{NAME}} keeps what stands there, and from then on stands for it, in commands too.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ringfence import cli

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
PIECE = re.compile(r"(\.\.\.|\{\{[A-Z]+\}\})")


@dataclass(slots=True)
class Step:
    """One command and what it is to answer."""

    line: int
    command: str
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    code: int = 0


def read(script: Path) -> tuple[dict[str, str], list[Step]]:
    """Return a script's files and steps."""
    files: dict[str, str] = {}
    steps: list[Step] = []
    lines = iter(enumerate(script.read_text().splitlines(), 1))
    for number, line in lines:
        if named := re.fullmatch(r"-- (\S+) --", line):
            content = iter(lambda: next(lines)[1], "-- end --")
            files[named[1]] = "".join(f"{text}\n" for text in content)
        elif line.startswith("$ ringfence "):
            steps.append(Step(number, line.removeprefix("$ ringfence ")))
        elif steps and line[:1] in (">", "!"):
            (steps[-1].stdout if line[0] == ">" else steps[-1].stderr).append(line[2:])
        elif steps and (code := re.fullmatch(r"\[(\d+)\]", line)):
            steps[-1].code = int(code[1])
        else:
            assert not steps or not line or line.startswith("#"), f"{script.name}:{number}: {line}"
    return files, steps


def run(command: str) -> tuple[int, str, str]:
    """Run a command in this process and return its exit code, stdout and stderr."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["ringfence", *shlex.split(command)])
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                code = cli.main()
            except SystemExit as e:
                code = e.code if isinstance(e.code, int) else 0
    return code, stdout.getvalue(), stderr.getvalue()


def matches(expected: list[str], text: str, known: dict[str, str]) -> bool:
    """Tell whether `text` is what was expected, and keep what {{NAME}}s stood for."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
            continue
        for piece in PIECE.split(line):
            name = piece.strip("{}")
            if piece == "...":
                pattern += r"[^\n]*"
            elif PIECE.fullmatch(piece) and name not in known:
                pattern += f"(?P<{name}>[A-Za-z0-9+/=._-]+)"
            else:
                pattern += re.escape(known[name] if PIECE.fullmatch(piece) else piece)
        pattern += r"[ ]*\n"
    found = re.fullmatch(pattern, text)
    if found:
        known.update(found.groupdict())
    return found is not None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.stem))
def test_a_script_comes_out_as_written(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("RINGFENCE_DEBUG", raising=False)
    files, steps = read(script)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    known: dict[str, str] = {}
    for step in steps:
        command = re.sub(r"\{\{([A-Z]+)\}\}", lambda name: known[name[1]], step.command)
        code, stdout, stderr = run(command)
        said = f"{script.name}:{step.line}: {command}\n[{code}]\n{stdout}{stderr}"
        assert matches(step.stdout, stdout, known), said
        assert matches(step.stderr, stderr, known), said
        assert code == step.code, said
        assert "Traceback" not in stderr, said


def test_there_are_scripts() -> None:
    assert SCRIPTS
