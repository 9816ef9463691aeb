"""The admin API: what may be changed on a running gateway, and by whom it is asked."""

from __future__ import annotations

from ringfence.api.client import Client, runs
from ringfence.api.keys import Keys, KeyService, NewKey
from ringfence.api.server import app, serving

__all__ = ["Client", "KeyService", "Keys", "NewKey", "app", "runs", "serving"]
