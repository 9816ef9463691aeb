"""`ringfence principal`: who acts, under whom it stands, and in what state."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.cli.key import WhyOption, keys, moment, say_changed, tell
from ringfence.cli.say import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    pairs,
    say_json,
    styled,
    table,
)
from ringfence.errors import KeyTextError

__all__ = ["close", "create", "list_principals", "move", "resume", "show", "suspend", "tree"]

COLUMNS = ("name", "kind", "parent", "state", "role", "uid")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The principal's name.")]


def create(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    kind: Annotated[
        str, typer.Option(help="organisation, account, sub-account, service or operator.")
    ] = "account",
    under: Annotated[str | None, typer.Option(help="The principal that it stands under.")] = None,
    role: Annotated[
        str | None, typer.Option(help="An operator's: owner, admin, security, support, auditor.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="An operator's Unix user, by name or number.")
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Create a principal."""
    from ringfence.api import NewPrincipal

    wanted = NewPrincipal(name, kind, under, role, None if user is None else uid_of(user), why)
    with keys(config) as service:
        created = service.create_principal(wanted)
    say_json(created) if as_json else pairs(rows(created))


def list_principals(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List all principals."""
    with keys(config) as service:
        found = service.principals()
    if as_json:
        say_json(found)
        return
    table([*COLUMNS, "in use"], [[*(one[c] for c in COLUMNS), in_use(one)] for one in found])


def show(
    name: NameArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show one principal and what became of it."""
    with keys(config) as service:
        found = service.principal(name)
    if as_json:
        say_json(found)
        return
    pairs([*rows(found), ("in use", in_use(found))])
    for change in found["history"]:
        tell(change, change["state"])


def tree(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show who stands under whom."""
    with keys(config) as service:
        found = service.principals()
    grown = branches(found, None)
    if as_json:
        say_json(grown)
    else:
        draw(grown, "")


def suspend(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a principal, and every credential below it, out of use until it is resumed."""
    step(config, name, "suspend", why, as_json)


def resume(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a suspended principal back; what below was suspended by itself stays so."""
    step(config, name, "resume", why, as_json)


def close(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close a principal for ever. Nothing below it may be open."""
    step(config, name, "close", why, as_json)


def move(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    under: Annotated[str | None, typer.Option(help="The principal to stand under.")] = None,
    top: Annotated[bool, typer.Option("--top", help="Stand by itself.")] = False,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a principal, with all below it, under another one. Policies see it there at once."""
    if (under is None) != top:
        raise KeyTextError("where to is not said", hint="say --under NAME, or --top")
    with keys(config) as service:
        moved = service.move_principal(name, under, why)
    say_changed(
        f"{name} stands {'by itself' if under is None else f'under {under}'}", moved, as_json
    )


def step(config: Path, name: str, asked: str, why: str, as_json: bool) -> None:
    """Let a principal take a step, and say when it took effect."""
    with keys(config) as service:
        changed = service.step_principal(name, asked, why)
    say_changed(f"{name} is {styled(changed['state'])}", changed, as_json)


def branches(found: list[dict[str, Any]], parent: str | None) -> list[dict[str, Any]]:
    """Return what stands under `parent`, each with what stands under it."""
    under: dict[str | None, list[dict[str, Any]]] = {}
    for one in found:
        under.setdefault(one["parent"], []).append(one)

    def grow(name: str | None) -> list[dict[str, Any]]:
        return [{**one, "below": grow(one["name"])} for one in under.get(name, [])]

    return grow(parent)


def draw(grown: list[dict[str, Any]], indent: str) -> None:
    """Print a tree, a line for each."""
    for one in grown:
        role = f" {one['role']}" if one["role"] else ""
        print(f"{indent}{one['name']}  {one['kind']}{role}, {styled(one['state'])}")
        draw(one["below"], indent + "  ")


def rows(one: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a principal as names and values for people."""
    shown = [(name, one[name]) for name in ("name", "kind", "parent")]
    shown.append(("state", styled(one["state"])))
    if one["role"] is not None:
        shown += [("role", one["role"]), ("uid", one["uid"])]
    return [*shown, ("created", moment(one["created_us"]))]


def in_use(one: dict[str, Any]) -> str:
    """Tell whether it, and all above it, is active."""
    return "no" if one["held"] else "yes"


def uid_of(user: str) -> int:
    """Return a Unix user's number.

    Raises:
        KeyTextError: this machine knows no such user.
    """
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        hint = "name a user of this machine, or give its number"
        raise KeyTextError(f"there is no user {user!r}", hint=hint) from None
