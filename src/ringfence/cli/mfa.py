"""`ringfence mfa`: an operator's second factors. Codes are asked for, never on a command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption, moment
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.cli.unlock import unlock
from ringfence.errors import FactorError

if TYPE_CHECKING:
    from ringfence.api import Mfa

__all__ = ["list_factors", "recovery", "remove", "reset", "step_up", "totp"]


@contextmanager
def factors(config: Path) -> Iterator[Mfa]:
    """Yield the running gateway's factors of who asks, or the store's while no gateway can start.

    Raises:
        RoleError: who asks is no operator.
    """
    from ringfence.api import AskedFactors, FactorService, Operators, StepUps, ensure_owner
    from ringfence.config import load
    from ringfence.engine import Engine
    from ringfence.identity import Store
    from ringfence.identity.factor import Factors
    from ringfence.identity.opened import opened_state

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            yield gateway
            return
        loaded = load(folder.config)
        store = Store(loaded.store())
        ensure_owner(store.principals, folder.path.stat().st_uid)
        operator = Operators(store.principals).check(os.getuid(), "GET /mfa")
        with opened_state(loaded, unlock(loaded)) as state:
            judge = StepUps.of(loaded, Factors(store.database, state.master))
            alone = Engine(state.snapshot()).event_alone
            service = FactorService(judge, store.principals, alone, loaded.config.node)
            yield AskedFactors(service, operator.name, who)


def totp(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Enrol an authenticator app: shows its secret once, then asks for the app's first code."""
    with factors(config) as service:
        begun = service.begin_totp()
        if as_json:
            say_json(begun)
        else:
            pairs([("secret", spaced(begun["secret"])), ("or as a link", begun["uri"])])
            print("\nAdd it to an authenticator app now: it will not be shown again.")
            sys.stdout.flush()
        found = service.confirm_totp(code("the app's code: "))
    if as_json:
        say_json(found)
        return
    print("Codes are in force. Next: `ringfence mfa recovery`, for the day the app is gone.")


def recovery(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Make ten recovery codes, shown this once; the ones before are gone."""
    with factors(config) as service:
        codes = service.recovery_codes()
    if as_json:
        say_json(codes)
        return
    print("\n".join(codes))
    print("\nWrite them down now, away from this machine: they will not be shown again.")
    print("Each is good once: `ringfence mfa step-up --recovery`, then enrol another app.")


def list_factors(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show your factors, your last step-up, and whether step-ups are asked for."""
    with factors(config) as service:
        found = service.factors()
    say_json(found) if as_json else pairs(rows(found))


def remove(
    what: Annotated[Literal["totp"], typer.Argument(help="totp")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take your authenticator app out of force. Needs a step-up. Passkeys: `mfa passkey remove`."""
    with factors(config) as service:
        found = service.remove_totp()
    say_json(found) if as_json else print(f"Your {what} codes are good no more.")


def step_up(
    config: ConfigOption = DEFAULT_CONFIG,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="With a recovery code: good for new factors only.")
    ] = False,
    account: Annotated[
        str | None,
        typer.Option(help="For what this account's keys are about to ask."),
    ] = None,
    passkey: Annotated[
        bool, typer.Option("--passkey", help="With a passkey, in your browser.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a second factor, for what needs a fresh proof of you."""
    kind = "recovery" if recovery else "totp"
    if recovery and passkey:
        raise FactorError("--recovery and --passkey are two factors", hint="prove one of them")
    if account is not None and recovery:
        hint = "leave --recovery out"
        raise FactorError("a recovery code is good for new factors only", hint=hint)
    if passkey:
        from ringfence.cli.mfa_passkey import follow

        with factors(config) as service:
            follow(service.passkey_step_up(account), service.link, as_json)
        return
    with factors(config) as service:
        given = code("recovery code: " if recovery else "the app's code: ")
        if account is None:
            found = service.step_up(kind, given)
        else:
            found = service.step_up_for(account, given)
    about = "" if account is None else f" for {account}"
    say_json(found) if as_json else print(f"Proved by {kind}{about}.")


def reset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The operator.")],
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take all factors of another operator away; they may enrol a new one for 24 hours.

    While no gateway runs, whoever has the state folder can: for an owner who has lost everything.
    """
    with factors(config) as service:
        found = service.reset_factors(name, why)
    say_json(found) if as_json else print(f"{name} has no factors, and may enrol for 24 hours.")


def rows(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what is enrolled as people read it."""
    proof = found["step_up"]
    last = None if proof is None else f"{proof['by']}, {moment(proof['time_us'])}"
    return [
        ("operator", found["operator"]),
        ("authenticator app", "in force" if found["totp"] else "none"),
        ("passkeys", [one["label"] for one in found["passkeys"]] or "none"),
        ("recovery codes", found["recovery_codes"]),
        ("last step-up", last),
        ("step-ups", "asked for" if found["asked"] else "not asked for until someone enrols"),
    ]


def code(prompt: str) -> str:
    """Return a code: a line of standard input, asked for where a person sits."""
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def spaced(secret: str) -> str:
    """Return a secret as people copy it."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
