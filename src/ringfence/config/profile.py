"""The shipped starting points of a configuration: YAML with comments for people.

A profile says what differs by venue: its title, `dialect`, `limits` and `instruments`. `frame.yaml`
is what all of them have around that.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from importlib import resources
from pathlib import Path

from ringfence.config.text import read_document
from ringfence.errors import ConfigError

__all__ = ["fill", "hosts", "profiles"]

TLS = "tls: {certificate: tls/server.pem, key: tls/server.key} # for development; bring your own"
PART = re.compile(
    r"(?P<note>(?:^#.*\n)*)^(?P<name>[a-z]+):(?: (?P<value>.+))?\n(?P<lines>(?: .*\n)*)",
    re.MULTILINE,
)
"""One field of a profile: the comment above it, its value, and the lines below that are its own."""
ATTESTATION = """\
# A signed header tells the venue which account a message is for; see docs/attestation.md.
attestation:
  algorithm: HS256              # or EdDSA, with an Ed25519 key in PEM
  key: keys/attestation.key"""
EGRESS = """\
# Which venue key signs for which account; see docs/egress.md. `ringfence vault put main` puts one
# into the sealed file. An account that is not named has none, unless a default is written.
egress:
  vault: keys/venues.sealed
  accounts:
    desk: main
  # default: main
  # Funds are withdrawn to an account's addresses only (`ringfence address add`, docs/addresses.md),
  # and transferred only by a rule. Everything is compared exactly; max_amount is of one message.
  transfers: []
  #  - {account: desk, asset: USDT, direction: [MAIN_FUNDING], max_amount: 10000}"""
SUBJECTS = {
    "subject: address,": "subject: upstream,",
    "subject: account,": "subject: venue,",
    "subject: [account,": "subject: [venue,",
}
"""Whom the venue sees in egress: the gateway's address, and the account of the venue key."""
ELSEWHERE = """\
  # This venue's WebSockets are on hosts of their own; the longest path counts. See docs/egress.md.
  websockets:"""
HERE = "  # websockets: [{path: /ws, url: wss://HOST}]  # those that are not at `url`"
PLAIN = "plain: true # HTTP without TLS: only behind something that ends TLS, or on loopback"


def profiles() -> dict[str, Path]:
    """Return the shipped profiles by name."""
    return {file.stem: file for file in sorted((_folder() / "profiles").glob("*.yaml"))}


def hosts() -> dict[str, dict[str, list[dict[str, str]]]]:
    """Return where venues have their WebSockets, by profile and by the address of their API."""
    value: dict[str, dict[str, list[dict[str, str]]]] = read_document(
        _folder() / "hosts.yaml"
    ).value
    return value


def websockets(profile: str, upstream: str) -> str:
    """Return the lines that say where the WebSockets of the venue at `upstream` are."""
    known = hosts().get(profile, {}).get(upstream.rstrip("/").lower(), [])
    each = (", ".join(f'{name}: "{said}"' for name, said in one.items()) for one in known)
    lines = [f"    - {{{one}}}" for one in each]
    return "\n".join([ELSEWHERE, *lines]) if lines else HERE


def _folder() -> Path:
    return Path(str(resources.files("ringfence"))) / "config"


def parts(text: str) -> dict[str, str]:
    """Return what a profile puts into the frame: lines by the word that stands there for them."""
    title, _, rest = text.partition("\n")
    found = {"TITLE": f"{title}\n"}
    for part in PART.finditer(rest):
        name = part["name"].upper()
        found[f"{name}_NOTE"] = part["note"]
        found[name] = textwrap.indent(part["lines"], "  ") or part["value"]
    return found


def fill(
    profile: str, *, node: str, listen: str, upstream: str, plain: bool, egress: bool = False
) -> str:
    """Return the configuration text of `profile` for these addresses.

    With `egress` the gateway stands between a firm's bots and the venue, and signs for it.

    Raises:
        ConfigError: there is no such profile, or a value would not fit on its line.
    """
    known = profiles()
    if profile not in known:
        begun = [name for name in known if name.startswith(f"{profile}-")]
        near = begun or difflib.get_close_matches(profile, list(known), n=1)
        hint = f"did you mean {' or '.join(near)}?" if near else "shipped: " + ", ".join(known)
        raise ConfigError([f"--profile: there is no profile {profile}"], hint=hint)
    values = {"NODE": node, "LISTEN": listen, "UPSTREAM": upstream}
    for name, value in values.items():
        if not value.isprintable() or set(value) & set(" \"'#{}\\"):
            raise ConfigError([f"--{name.lower()}: {value!r} holds a character that cannot stand"])
    text = (_folder() / "frame.yaml").read_text()
    for name, value in parts(known[profile].read_text()).items():
        text = text.replace(f"@{name}@\n" if name != "DIALECT" else f"@{name}@", value)
    if egress:
        text = text.replace(" in front of ", " between a firm's bots and ", 1)
        for before, after in SUBJECTS.items():
            text = text.replace(before, after)
    values["WHO"] = EGRESS if egress else ATTESTATION
    values["TRANSPORT"] = PLAIN if plain else TLS
    values["WEBSOCKETS"] = websockets(profile, upstream)
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
