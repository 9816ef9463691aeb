"""No user sees a traceback, except one who asks for it; exit codes tell what happened."""

from __future__ import annotations

import pytest

from ringfence import cli
from ringfence.errors import KeyMissingError


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> tuple[int, str]:
    """Let the command line end with `error` and return the exit code and stderr."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    return cli.main(), capsys.readouterr().err


def test_a_named_failure_is_one_with_its_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RINGFENCE_DEBUG", raising=False)
    code, said = run(monkeypatch, capsys, KeyMissingError("there is no credential x"))
    assert code == 1
    first, second = "error: there is no credential x [key_unknown]\n", KeyMissingError.hint
    assert said == f"{first}hint: {second}\n"


def test_a_defect_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RINGFENCE_DEBUG", raising=False)
    code, said = run(monkeypatch, capsys, ZeroDivisionError("oops"))
    assert code == 1
    assert said.startswith("error: ZeroDivisionError: oops [internal]\nhint: ")


def test_who_asks_sees_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGFENCE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, capsys, ZeroDivisionError("oops"))


def test_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, KeyboardInterrupt()) == (130, "")
