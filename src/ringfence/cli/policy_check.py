"""`ringfence policy check`: tell whether policies are good, and what is strange about them."""

from __future__ import annotations

import typer

from ringfence.cli.policy_show import PathOption, compiled, policies_of
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, warn
from ringfence.errors import EngineError, PropertyError

__all__ = ["check"]


def check(
    path: PathOption = None, file: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Check policies against the schema; warn of those that can never apply or change nothing."""
    try:
        policies = compiled(path, file) if as_json else policies_of(path, file)
    except EngineError as e:
        problems = str(e).splitlines()
        say_json({"valid": False, "policies": 0, "problems": problems, "warnings": []})
        raise typer.Exit(1) from e
    warnings = list(policies.warnings)
    try:
        # z3 is an extra: without it, the engine's own findings are shown, and what was left out.
        from ringfence.policy.prove import review

        warnings += review(policies)
    except ImportError:
        warnings.append("shadowed policies were not looked for: pip install 'ringfence[prove]'")
    except PropertyError as e:
        warnings.append(f"shadowed policies were not looked for: {e}")
    if as_json:
        count = len(policies.policies)
        say_json({"valid": True, "policies": count, "problems": [], "warnings": warnings})
        return
    for warning in warnings:
        warn(warning)
    print(f"{len(policies.policies)} policies are good")
