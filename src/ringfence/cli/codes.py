"""`ringfence codes`: every refusal code with what the refused one can do."""

from __future__ import annotations

from dataclasses import asdict

from ringfence import engine
from ringfence.cli.say import JsonOption, say_json, table

__all__ = ["codes"]


def codes(as_json: JsonOption = False) -> None:
    """List every refusal code: who refuses by it, and what to do."""
    found = engine.refusal_codes()
    if as_json:
        say_json([asdict(code) for code in found])
    else:
        rows = [[code.code, code.room, code.status, code.hint] for code in found]
        table(["code", "by", "status", "what to do"], rows)
