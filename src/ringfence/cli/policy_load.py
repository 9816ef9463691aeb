"""`ringfence policy load`: put the policies in force that are in the files now."""

from __future__ import annotations

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, warn
from ringfence.errors import ConfigError, EngineError, RunningError

__all__ = ["load"]


def load(
    config: ConfigOption = DEFAULT_CONFIG, why: WhyOption = "", as_json: JsonOption = False
) -> None:
    """Let the running gateway read the files of its policies again: all of them or none.

    Its next message is judged by them. What is wrong with one leaves those in force.
    """
    with attached(config) as (folder, gateway, _who):
        if gateway is None:
            hint = "it reads the policies when it starts: `ringfence serve`"
            raise RunningError(f"no gateway runs in {folder.path}", hint=hint, code="gateway_down")
        try:
            done = gateway.load_policies(why)
        except EngineError as e:
            if e.code != "policy_refused":
                raise
            hint = "the policies before stay in force; `ringfence policy check` tries again"
            raise ConfigError(str(e).splitlines(), hint=hint) from e
    if as_json:
        say_json(done)
        return
    for warning in done["warnings"]:
        warn(warning)
    same = " (the same as before)" if done["before"] == done["after"] else ""
    print(f"{done['policies']} policies are in force{same}")
