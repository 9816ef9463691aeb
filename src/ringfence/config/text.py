"""Reads YAML into plain values and remembers on which line each of them stands.

The YAML 1.2 core schema without floats: `true`, `false`, `null`, whole numbers, and text for
everything else. So `off` is a word and 0.10 keeps its digits. Aliases and tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ringfence.errors import ConfigError, FileError

__all__ = ["Document", "Place", "dotted", "read_document"]

Place = tuple[str | int, ...]
"""Where a value stands: ("listeners", 0, "address")."""

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
TAGS = {"bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value"}
"""What PyYAML gives a node by its looks; any other tag was written there."""
MAX_BYTES = 4 << 20
"""A configuration or dialect is kilobytes; megabytes are a mistake."""
MAX_DEPTH = 32
"""Lists and sections inside each other; a configuration needs five."""


@dataclass(slots=True)
class Document:
    """A parsed file. `lines` counts from 1 and has an entry for every key and list item."""

    path: Path
    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of `place`, or of the nearest thing that holds it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, what: str) -> str:
        """Return `file:line: field: what`."""
        return f"{self.path}:{self.line(place)}: {dotted(place)}: {what}"


def dotted(place: Place) -> str:
    """Return `place` as people write it: listeners[0].address."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "file"


def read_document(path: Path) -> Document:
    """Parse the file at `path`.

    Raises:
        FileError: it cannot be read.
        ConfigError: it is not YAML, or uses what we refuse. Lists every problem after parsing.
    """
    try:
        content = path.read_bytes()
    except OSError as e:
        raise FileError(f"cannot read {path}: {e.strerror}") from e
    if len(content) > MAX_BYTES:
        raise FileError(f"{path} is larger than {MAX_BYTES} bytes")
    document = Document(path)
    try:
        text = content.decode()
        refuse_early(document, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            document.value = convert(document, node, ())
    except UnicodeDecodeError as e:
        raise ConfigError([f"{path}:1: file: is not UTF-8 text (byte {e.start})"]) from e
    except yaml.YAMLError as e:
        raise ConfigError([syntax_problem(path, e)]) from e
    if document.problems:
        raise ConfigError([f"{path}:{line}: {what}" for line, what in sorted(document.problems)])
    return document


def syntax_problem(path: Path, error: yaml.YAMLError) -> str:
    """Return one line for a YAML error."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "cannot be read"
    line = mark.line + 1 if mark else 1
    return f"{path}:{line}: file: is not YAML: {what}"


def refuse_early(document: Document, text: str) -> None:
    """Refuse aliases and deep nesting while nothing is built from the text yet.

    What is written is what is meant, nothing grows when read, and no file can exhaust the stack.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            what = f"*{event.anchor}: aliases are not read; write the value out"
            raise ConfigError([f"{document.path}:{line}: {what}"])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError([f"{document.path}:{line}: file: is nested deeper than {MAX_DEPTH}"])


def convert(document: Document, node: yaml.Node, place: Place) -> Any:
    """Return `node` as plain values and note the lines of all that is in it."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    if node.tag.removeprefix("tag:yaml.org,2002:") not in TAGS:
        what = f"{dotted(place)}: the tag {node.tag} is not read; remove it"
        document.problems.append((node.start_mark.line + 1, what))
    if isinstance(node, yaml.MappingNode):
        return {key: convert(document, v, (*place, key)) for key, v in keys(document, node, place)}
    if isinstance(node, yaml.SequenceNode):
        return [convert(document, item, (*place, i)) for i, item in enumerate(node.value)]
    return scalar(node.value, plain=getattr(node, "style", None) is None)


def keys(
    document: Document, node: yaml.MappingNode, place: Place
) -> Iterator[tuple[str, yaml.Node]]:
    """Yield a mapping's pairs and refuse a key that comes twice."""
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        here = (*place, name)
        if here in document.lines:
            first = document.lines[here]
            what = f"{dotted(here)}: is set twice (first on line {first}); keep one"
            document.problems.append((line, what))
            continue
        document.lines[here] = line
        yield name, value


def scalar(text: str, *, plain: bool) -> str | int | bool | None:
    """Return a scalar by the core schema; quoted scalars are always text."""
    if not plain:
        return text
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text) and len(text) <= 19:
        return int(text)
    return text
