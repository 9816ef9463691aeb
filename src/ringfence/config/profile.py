"""The shipped starting points of a configuration: YAML templates with comments for people."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from ringfence.errors import ConfigError

__all__ = ["fill", "profiles"]

TLS = "tls: {certificate: tls/server.pem, key: tls/server.key} # for development; bring your own"
PLAIN = "plain: true # HTTP without TLS: only behind something that ends TLS, or on loopback"


def profiles() -> dict[str, Path]:
    """Return the shipped profiles by name."""
    folder = Path(str(resources.files("ringfence"))) / "config" / "profiles"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def fill(profile: str, *, node: str, listen: str, upstream: str, plain: bool) -> str:
    """Return the configuration text of `profile` for these addresses.

    Raises:
        ConfigError: there is no such profile, or a value would not fit on its line.
    """
    known = profiles()
    if profile not in known:
        near = difflib.get_close_matches(profile, list(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "shipped: " + ", ".join(known)
        raise ConfigError([f"--profile: there is no profile {profile}"], hint=hint)
    values = {"NODE": node, "LISTEN": listen, "UPSTREAM": upstream}
    for name, value in values.items():
        if not value.isprintable() or set(value) & set(" \"'#{}\\"):
            raise ConfigError([f"--{name.lower()}: {value!r} holds a character that cannot stand"])
    text = known[profile].read_text().replace("@TRANSPORT@", PLAIN if plain else TLS)
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
