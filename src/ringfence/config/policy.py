"""Finds the files of policies and reads them into what the engine compiles."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from ringfence.errors import FileError

__all__ = ["MAX_BYTES", "definition"]

MAX_BYTES = 4 << 20
"""All policies together: thousands of them."""


def definition(folder: Path, pattern: str) -> dict[str, Any]:
    """Return the policies that `pattern` names, by name of file; a folder means its `*.cedar`.

    Raises:
        FileError: none is there, or one cannot be read.
    """
    path = folder / pattern
    if path.is_dir():
        path = path / "*.cedar"
    found = sorted(Path(name) for name in glob.glob(str(path)))  # noqa: PTH207
    if not found:
        raise FileError(f"there is no file {path}", hint="name a file, a folder or FOLDER/*.cedar")
    files, size = [], 0
    for file in found:
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise FileError(f"cannot read {file}: {e}") from e
        size += len(text)
        files.append({"file": str(file), "text": text})
    if size > MAX_BYTES:
        raise FileError(f"{path}: the policies are larger than {MAX_BYTES} bytes")
    return {"files": files}
