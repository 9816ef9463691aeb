"""The native module has one importer, and its refusals arrive as ours, with code and sentence."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ringfence import engine
from ringfence.errors import EngineError

SOURCE = Path(__file__).parents[2] / "src" / "ringfence"


def imports_core(file: Path) -> bool:
    """Tell whether `file` imports the native module, in any of the ways there are."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant):
            # importlib.import_module("ringfence._core")
            names = [node.value] if node.value == "ringfence._core" else []
        else:
            continue
        if any(name.startswith(("ringfence._core", "None._core")) for name in names):
            return True
    return False


def test_only_the_engine_room_imports_the_native_module() -> None:
    # import-linter cannot tell: its graph has no compiled modules.
    files = [path for path in SOURCE.rglob("*.py") if imports_core(path)]
    assert {path.parent.relative_to(SOURCE) for path in files} == {Path("engine")}


def test_a_refusal_of_the_engine_has_its_code() -> None:
    with pytest.raises(EngineError) as refused:
        engine.check_snapshot(b"{")
    assert refused.value.code != EngineError.code
    with pytest.raises(EngineError):
        engine.check_dialect({})


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        engine.read_ledger(tmp_path / "none", 0, 1)
    with pytest.raises(EngineError):
        engine.ledger_vkey(tmp_path / "none.pem", "origin")
