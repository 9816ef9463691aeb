"""The server between gateways, by a connection that is kept and gives up in time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ringfence.errors import ClusterError

__all__ = ["Found", "Link", "Marks", "Place"]

PATIENCE_S = 0.2
"""How long it may take to connect, and to answer."""
MOST = 500
"""Bans, and announcements, that are read at once."""
KEPT = 2_000
"""Announcements that stay; who comes later asks the store."""

ASK = f"""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SET', KEYS[7], ARGV[5], 'NX')
local newest = tonumber(redis.call('GET', KEYS[2]) or '0')
local said = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[3], '+inf', 'WITHSCORES',
  'LIMIT', 0, {MOST})
local names = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[4], '+inf', 'WITHSCORES',
  'LIMIT', 0, {MOST})
local bans = {{}}
for i = 1, #names, 2 do
  bans[#bans + 1] = redis.call('HGET', KEYS[5], names[i]) or ''
  bans[#bans + 1] = names[i + 1]
end
return {{newest, redis.call('HGETALL', KEYS[1]), said, bans, redis.call('GET', KEYS[7])}}
"""
"""Say that we are here, and read all that came since, in one step: what is known together, is true
together."""

ANNOUNCE = f"""
local number = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[3], number, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -{KEPT + 1})
return number
"""

BAN = """
local number = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[5], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[4], number, ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[3], ARGV[1])
local time = redis.call('TIME')
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', time[1], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[6], name)
  redis.call('ZREM', KEYS[4], name)
  redis.call('HDEL', KEYS[5], name)
end
return number
"""
"""Put one in the place of what was said of the same target; what is over goes."""

OF_STORE = ("nodes", "announced")
"""What gateways on one store have in common; all else is the cluster's."""
PARTS = ("nodes", "number", "announced", "bans", "banned", "ends", "begun")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, whom its certificate must lead to, and by which names ours stand there.

    The URL may hold a secret.
    """

    url: str
    prefix: str
    store: str
    ca: str | None = None

    def keys(self) -> list[str]:
        """Return the names of all PARTS."""
        own = f"{self.prefix}:{self.store}"
        return [f"{own if part in OF_STORE else self.prefix}:{part}" for part in PARTS]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands on the server: numbers go up with whatever is put there."""

    newest: int
    nodes: dict[bytes, bytes]
    announced: list[tuple[int, bytes]]
    bans: list[tuple[int, bytes]]
    begun: bytes
    """Another one once all that was there is lost."""


@dataclass(slots=True)
class Marks:
    """How far was read what stands on the server: 0, nothing."""

    announced: int = 0
    bans: int = 0
    begun: bytes = b""

    def lost(self, found: Found) -> bool:
        """Tell whether the server has less than was read there already."""
        emptied = self.begun not in (b"", found.begun)
        return emptied or found.newest < max(self.announced, self.bans)


class Link:
    """One connection. One thread at a time."""

    def __init__(self, place: Place, patience_s: float = PATIENCE_S) -> None:
        """Keep what is needed; nothing is connected yet."""
        more = {} if place.ca is None else {"ssl_ca_certs": place.ca}
        url = place.url
        if url.startswith("unix:/") and not url.startswith("unix://"):
            url = url.replace("unix:", "unix://", 1)
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            retry=Retry(NoBackoff(), 0),
            max_connections=1,
            **more,
        )
        self._keys = place.keys()
        self._ask = self._client.register_script(ASK)
        self._announce = self._client.register_script(ANNOUNCE)
        self._ban = self._client.register_script(BAN)

    def ask(self, node: str, beat: bytes, marks: Marks) -> Found:
        """Say that `node` is here, and return what has come behind these marks.

        Raises:
            ClusterError: the server does not answer.
        """
        arguments = [node, beat, marks.announced, marks.bans, secrets.token_hex(8)]
        newest, nodes, said, banned, begun = self._run(self._ask, arguments)
        return Found(
            int(newest),
            dict(pairs(nodes)),
            [(int(number), sealed) for sealed, number in pairs(said)],
            [(int(number), sealed) for sealed, number in pairs(banned)],
            begun,
        )

    def announce(self, sealed: bytes) -> None:
        """Tell all gateways something once.

        Raises:
            ClusterError: the server does not answer.
        """
        self._run(self._announce, [sealed])

    def put_ban(self, name: str, sealed: bytes, until_s: int) -> None:
        """Put what is said of one target in the place of what was, until it is over.

        Raises:
            ClusterError: the server does not answer.
        """
        self._run(self._ban, [name, sealed, until_s])

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _run(self, script: Any, arguments: Sequence[Any]) -> Any:
        try:
            return script(keys=self._keys, args=arguments)
        except (redis.RedisError, OSError) as e:
            self._client.connection_pool.disconnect()
            raise ClusterError(str(e) or type(e).__name__) from e


def pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return a flat list's items two by two."""
    return list(zip(flat[::2], flat[1::2], strict=True))
