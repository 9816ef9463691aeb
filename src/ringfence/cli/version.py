"""`ringfence version`."""

from __future__ import annotations

import platform

import ringfence
from ringfence.cli.say import JsonOption, say_json

__all__ = ["version"]


def version(as_json: JsonOption = False) -> None:
    """Show the versions of Ringfence and Python."""
    found = {"ringfence": ringfence.__version__, "python": platform.python_version()}
    if as_json:
        say_json(found)
    else:
        print(f"ringfence {found['ringfence']} (Python {found['python']})")
