"""Properties: what must never, or may only, happen, in a small exact form."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ringfence import engine
from ringfence.config.text import Document, read_document
from ringfence.errors import EngineError, PropertyError

__all__ = ["Property", "read_property", "shipped_properties"]

ANONYMOUS = {"market.read"}
"""Whoever asks these is not known, so that no policy is asked: nothing can be proved of them."""


@dataclass(frozen=True, slots=True)
class Property:
    """`never`: no permitted request fulfils the condition; `only`: each permitted one does.

    `condition` is a policy set of one permit: a request fulfils it when that permits.
    """

    name: str
    title: str
    kind: str
    actions: list[str]
    condition: engine.PolicySet


def read_property(text: str) -> Property:
    """Return a shipped property by its name, or the one in the YAML file `text`.

    Raises:
        PropertyError: it is neither, or cannot be read.
        FileError, ConfigError: the file cannot be read.
    """
    shipped = shipped_properties()
    if text in shipped:
        return shipped[text]
    path = Path(text)
    if not path.is_file():
        raise PropertyError(f"{text} is neither a file nor a property that is shipped")
    document = read_document(path)
    return made(path.stem, document, document.value, ())


def shipped_properties() -> dict[str, Property]:
    """Return the properties that come with Ringfence, by name."""
    path = Path(str(resources.files("ringfence"))) / "policy" / "properties.yaml"
    document = read_document(path)
    return {name: made(name, document, said, (name,)) for name, said in document.value.items()}


def made(name: str, document: Document, said: Any, place: tuple[str, ...]) -> Property:
    """Make a property of what a document says at `place`."""
    kinds = [kind for kind in ("never", "only") if isinstance(said, dict) and kind in said]
    if len(kinds) != 1 or set(said) - {"title", "never", "only"}:
        raise PropertyError(f"{document.path}:1: write `title`, and one of `never` and `only`")
    kind = kinds[0]
    rule, where = said[kind], f"{document.path}:{document.line((*place, kind))}"
    if not isinstance(rule, dict) or set(rule) != {"operation", "when"}:
        raise PropertyError(f"{where}: `{kind}` has `operation` and `when`")
    actions = named(rule["operation"], where)
    title = str(said.get("title") or name)
    return Property(name, title, kind, actions, compiled(document, place, kind, rule, actions))


def compiled(
    document: Document, place: tuple[str, ...], kind: str, rule: Any, actions: list[str]
) -> engine.PolicySet:
    """Compile a condition against the schema; its lines are those of the document."""
    listed = ", ".join(f'Action::"{action}"' for action in actions)
    # The condition begins a line of its own, so that a mistake's column is counted in it.
    lines = "\n" * (document.line((*place, kind, "when")) - 2)
    scope = f'@id("property") permit(principal, action in [{listed}], resource)'
    when = rule["when"]
    # What YAML takes for a truth of its own is Cedar's.
    condition = str(when).lower() if isinstance(when, bool) else str(when)
    text = f"{lines}{scope} when {{\n{condition}\n}};"
    try:
        return engine.PolicySet({"files": [{"file": str(document.path), "text": text}]})
    except EngineError as e:
        raise PropertyError(str(e)) from e


def named(said: Any, where: str) -> list[str]:
    """Return the operations that `said` names: one, a list, or groups of them."""
    actions = engine.policy_actions()
    found: list[str] = []
    for name in said if isinstance(said, list) else [said]:
        fits = [a.name for a in actions.values() if name == a.name or name in a.groups]
        if not fits:
            raise PropertyError(f"{where}: there is no operation {name}, nor a group of them")
        found += [action for action in fits if action not in found]
    if not found:
        raise PropertyError(f"{where}: name an operation")
    for name in ANONYMOUS.intersection(found):
        raise PropertyError(f"{where}: {name} needs no credential, so that no policy is asked")
    return found
