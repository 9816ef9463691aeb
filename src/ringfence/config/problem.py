"""Turns pydantic's findings into lines that name file, line and field, and say what to do."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ringfence.config.text import Document, Place

__all__ = ["lines", "nearest"]

KINDS = {
    "bool_type": "true or false",
    "dict_type": "a section",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a section",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What pydantic's type errors ask for."""

SAID = {bool: "true or false", dict: "a section", int: "a number", list: "a list", str: "text"}
"""What the file says instead."""

BOUNDS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "string_too_short": ("min_length", "must have at least {} character(s)"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "must have at least {} item(s)"),
    "too_long": ("max_length", "must have at most {} items"),
}
"""Bounds: the context key that holds the bound, and the sentence."""


def lines(document: Document, error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one `file:line: field: what` for each finding, in the order of the file."""
    errors = error.errors(include_url=False)
    found = [one(document, details, model) for details in errors if not echoed(details, errors)]
    return [line for _, line in sorted(found)]


def echoed(details: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Tell whether a list seems short only because an item of it is wrong, which is said too."""
    place = details["loc"]
    return details["type"] == "too_short" and any(
        error["loc"][: len(place)] == place and len(error["loc"]) > len(place) for error in errors
    )


def one(document: Document, details: ErrorDetails, model: type[BaseModel]) -> tuple[int, str]:
    """Return a finding's line number and its text."""
    place: Place = tuple(details["loc"])
    if details["type"] == "ringfence" and details["ctx"]["field"]:
        place = (*place, *details["ctx"]["field"].split("."))
    return document.line(place), document.problem(place, sentence(details, place, model))


def sentence(details: ErrorDetails, place: Place, model: type[BaseModel]) -> str:
    """Return what is wrong and, where we know it, what to write instead."""
    kind, context = details["type"], details.get("ctx", {})
    if kind == "ringfence":
        return str(context["text"])
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        known = list(fields(model, place[:-1]))
        return f"is not a field here; {nearest(str(place[-1]), known)}"
    if kind == "literal_error":
        return f"must be one of {context['expected']}, not {shown(details['input'])}"
    if kind in KINDS:
        return f"must be {KINDS[kind]}, not {said(details['input'])}"
    if kind in BOUNDS:
        name, text = BOUNDS[kind]
        return text.format(context[name])
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}, unlike {shown(details['input'])}"
    return details["msg"][:1].lower() + details["msg"][1:]


def nearest(word: str, known: list[str]) -> str:
    """Return the hint for an unknown `word`: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))


def said(value: Any) -> str:
    """Return what kind of thing the file has."""
    return "empty" if value is None else SAID.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """Return a short form of a scalar, or its kind."""
    return repr(value)[:64] if isinstance(value, str | int) else said(value)


def fields(model: type[BaseModel], place: Place) -> Iterator[str]:
    """Yield the names that the section at `place` knows."""
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int) or current is None:
            continue
        info = current.model_fields.get(part)
        current = section(info.annotation) if info else None
    if current is not None:
        for name, info in current.model_fields.items():
            yield info.alias or name


def section(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `tuple[Listener, ...]` or `Tls | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        if (found := section(inner)) is not None:
            return found
    return None
