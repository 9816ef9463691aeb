"""The case definitions of Autobahn's test suite, read from its package, which is in Python 2.

Its texts are bytes there. Read as Latin-1, each byte is one character here until it is sent.
"""

from __future__ import annotations

import binascii
import re
import types
from pathlib import Path
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.utf8validator import Utf8Validator

__all__ = ["cases"]

PYTHON_3 = [
    (r"(?m)^from case\w* import .*$", ""),
    (r"(?m)^from autobahn.*$", ""),
    (r"(?m)^import (pickle|binascii|array).*$", ""),
    (r"(?m)^(\s*)print\b.*$", r"\1pass"),
    (r"\bxrange\(", "range("),
    (r"\(object, Case, \)", "(Case,)"),
    # Numbers of frames are whole.
    (r"(?<=len\(self\.payload\)) / ", " // "),
    # Pickles of equal lists may differ.
    (r"pickle\.dumps\((\w+)\)", r"\1"),
]
"""What Python 3 spells otherwise, in the modules of the categories that are read."""


def cases(folder: Path, categories: tuple[str, ...]) -> dict[str, type]:
    """Return the case classes of `categories` under their numbers: `6.2.1`.

    `folder` is `autobahntestsuite/case` of the unpacked package.
    """
    names: dict[str, Any] = {
        "WebSocketProtocol": WebSocketProtocol,
        "Utf8Validator": Validator,
        "binascii": types.SimpleNamespace(b2a_hex=hexadecimal),
    }
    read(folder / "case.py", names)
    for category in categories:
        for file in sorted(folder.glob(f"case{category}_*.py")):
            read(file, names)
    made = [one for one in names.values() if isinstance(one, type)]
    for several in [names["Case6_X_X"], names["Case7_7_X"], names["Case7_9_X"]]:
        made += several
    found = {number(one): one for one in made if re.fullmatch(r"Case\d+(_\d+)+", one.__name__)}
    return dict(sorted(found.items(), key=lambda one: [int(part) for part in one[0].split(".")]))


def number(case: type) -> str:
    return case.__name__.removeprefix("Case").replace("_", ".")


def read(file: Path, names: dict[str, Any]) -> None:
    text = file.read_text("latin-1")
    for found, instead in PYTHON_3:
        text = re.sub(found, instead, text)
    # `make` fetched the file by its hash.
    exec(compile(text, str(file), "exec", dont_inherit=True), own := dict(names))  # noqa: S102
    names.update(own)


def hexadecimal(text: str | bytes) -> str:
    octets = text.encode("latin-1") if isinstance(text, str) else text
    return binascii.b2a_hex(octets).decode()


class Validator(Utf8Validator):  # type: ignore[misc]  # it has no types
    """Tells whether a text is whole and right; the cases of all prefixes ask it."""

    def validate(self, text: str) -> Any:
        return super().validate(text.encode("latin-1"))
