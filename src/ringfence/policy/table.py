"""Tables of requests and what must become of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringfence import engine
from ringfence.config.text import read_document
from ringfence.errors import EngineError, PolicyError
from ringfence.policy.request import complete

__all__ = ["Case", "Outcome", "read_table", "run_table"]

VERDICTS = ("permitted", "forbidden", "unpermitted", "scope_missing")


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a table. `by` are the deciding policies, where the table names them."""

    name: str
    file: str
    line: int
    question: dict[str, Any]
    expect: str
    by: list[str] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case; `why` is empty when it is as expected."""

    case: Case
    answer: engine.Answer
    why: str


def read_table(path: Path) -> list[Case]:
    """Read a YAML table: `cases`, each with `name`, `request`, `expect` and perhaps `by`.

    Raises:
        FileError, ConfigError: it cannot be read.
        PolicyError: a case is wrong; the line is named.
    """
    document = read_document(path)
    value = document.value
    cases = value.get("cases") if isinstance(value, dict) and set(value) == {"cases"} else None
    if not isinstance(cases, list) or not cases:
        raise PolicyError(f"{path}:1: write a list `cases`, with at least one")
    read = []
    for i, case in enumerate(cases):
        line = document.line(("cases", i))
        try:
            read.append(one(case, str(path), line))
        except PolicyError as e:
            raise PolicyError(f"{path}:{line}: {e}") from e
    return read


def one(case: Any, file: str, line: int) -> Case:
    """Read one case."""
    if not isinstance(case, dict) or set(case) - {"name", "request", "expect", "by"}:
        raise PolicyError("a case has `name`, `request`, `expect` and perhaps `by`")
    if case.get("expect") not in VERDICTS:
        raise PolicyError(f"expect: write one of {', '.join(VERDICTS)}")
    by = case.get("by")
    if by is not None and not (isinstance(by, list) and all(isinstance(i, str) for i in by)):
        raise PolicyError("by: write a list of policies' ids")
    question = complete(case.get("request"))
    name = str(case.get("name", f"case at line {line}"))
    return Case(name, file, line, question, case["expect"], by)


def run_table(policies: engine.PolicySet, cases: list[Case]) -> list[Outcome]:
    """Ask the engine each case.

    Raises:
        PolicyError: a request cannot be read; file and line are named.
    """
    outcomes = []
    for case in cases:
        try:
            answer = policies.decide(case.question)
        except EngineError as e:
            raise PolicyError(f"{case.file}:{case.line}: {e}") from e
        outcomes.append(Outcome(case, answer, difference(case, answer)))
    return outcomes


def difference(case: Case, answer: engine.Answer) -> str:
    """Return in what an answer is not as expected."""
    decided = f" by {', '.join(answer.policies)}" if answer.policies else ""
    if answer.verdict != case.expect:
        return f"expected {case.expect}, got {answer.verdict}{decided}"
    if case.by is not None and sorted(case.by) != answer.policies:
        return f"expected it by {', '.join(case.by) or 'none'}, got it{decided or ' by none'}"
    return ""
