"""A firm's gateway to a paper venue that verifies signatures by a key of its own."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.stage import Stage, key, ringfence, running
from tests import forked
from tests.integration.venues import Venue

__all__ = ["SECRET", "desk_stage", "put"]

SECRET = base64.b64encode(secrets.token_bytes(48)).decode()
"""Of a length and an alphabet that suit all of them."""
PHRASE = secrets.token_urlsafe(12)
PHRASED = ("kucoin", "okx")


def put(config: Path, venue: str, secret: str, phrase: Path) -> None:
    """Put the venue key `main` into the vault, or another secret for it."""
    more = ["--passphrase-file", str(phrase)] if venue in PHRASED else []
    words = ["vault", "put", "main", "--dialect", venue, "--key-id", "venue-key", *more]
    done = forked.run([*words, "-c", str(config)], typed=secret)
    assert done.returncode == 0, done.stderr


@contextmanager
def desk_stage(
    folder: Path, venue: Venue, settle: Callable[[str, str], str] = lambda text, _: text
) -> Iterator[Stage]:
    """Yield the firm's gateway, running; its bot is all three of the stage's keys.

    `settle` has the last word on the configuration's text, given the venue's address.
    """
    own, phrase, state = folder / "venue-keys.json", folder / "phrase", folder / "state"
    row = {"key_id": "venue-key", "account": "firm", "secret": SECRET}
    row |= {"passphrase": PHRASE} if venue.name in PHRASED else {}
    own.write_text(json.dumps([row]))
    phrase.write_text(PHRASE)
    with running(
        folder / "venue.log", "venue", "serve", "--listen", "127.0.0.1:0", "--keys", str(own),
        "--venue", venue.name,
    ) as paper:  # fmt: skip
        ringfence(
            "init", "--profile", venue.profile, "--egress", "--listen", "127.0.0.1:0",
            "--upstream", paper["url"], str(state),
        )  # fmt: skip
        config = state / "ringfence.yaml"
        config.write_text(settle(config.read_text(), paper["url"]))
        bot = key(state, "desk", ["read", "trade"], "127.0.0.0/8")
        put(config, venue.name, SECRET, phrase)
        with running(folder / "gateway.log", "serve", "-c", str(config)) as gateway:
            address = gateway["addresses"][0]
            ca = state / "tls" / "ca.pem"
            yield Stage(f"https://{address}", ca, state, bot, bot, bot, f"wss://{address}")
