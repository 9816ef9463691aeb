"""Gateways that hear each other's bans end at the same ones, in whichever order they hear."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.api.cluster.bans import SharedBans, Word
from ringfence.engine import Engine, StateChange
from ringfence.errors import ClusterError

TARGETS = ["203.0.113.9", "203.0.113.0/24", "key:rf_1"]
FAR_US = 10**9


class Bans:
    """Bans as the engine keeps them: an operator's last word, then the later end."""

    def __init__(self, room: int = 100) -> None:
        self.now: dict[str, dict[str, Any]] = {}
        self.changes = 0
        self.room = room
        self.told: list[str] = []

    def put(self, ban: dict[str, Any]) -> bool:
        there = self.now.get(ban["target"])
        operator = ban["origin"] == "operator"
        if there is None and len(self.now) >= self.room and not operator:
            return False
        kept = there is not None and (
            there["origin"] == "operator" or there["until_us"] > ban["until_us"]
        )
        if taken := operator or not kept:
            self.now[ban["target"]] = ban
            self.changes += 1
        return taken

    def learn_ban(self, ban: dict[str, Any], detail: dict[str, Any]) -> StateChange:
        origin = ban["origin"] if ban["origin"] == "operator" else "peer"
        self.told.append(f"added by {detail['node']}")
        return StateChange(1, recorded=self.put({**ban, "origin": origin}))

    def lift_ban(self, target: str, detail: dict[str, Any]) -> StateChange | None:
        self.changes += 1
        self.told.append(f"lifted by {detail.get('node', 'us')}")
        return StateChange(1, recorded=True) if self.now.pop(target, None) else None

    def bans(self) -> list[dict[str, Any]]:
        return list(self.now.values())

    def bans_changed(self) -> int:
        return self.changes


class Gateway:
    def __init__(self, name: str, room: int = 100) -> None:
        self.engine = Bans(room)
        self.bans = SharedBans(cast("Engine", self.engine), name)

    def says(self, now_us: int) -> list[Word]:
        words = self.bans.unsaid(now_us)
        for word in words:
            self.bans.said(word)
        return [Word.read(word.content()) for word in words]

    def hears(self, word: Word, now_us: int) -> None:
        self.bans.look()
        self.bans.hear(word, now_us)

    def now(self) -> dict[str, tuple[int, int, str]]:
        return {
            target: (ban["since_us"], ban["until_us"], ban["why"])
            for target, ban in self.engine.now.items()
        }


def ban(target: str, since_us: int, until_us: int, origin: str, why: str = "") -> dict[str, Any]:
    same = {"answer": "ban", "reach": "all", "step": 0}
    return {"target": target, "origin": origin, "since_us": since_us, "until_us": until_us} | {
        **same,
        "why": why,
    }


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["ladder", "operator", "lift", "talk", "hear"]),
        st.sampled_from(TARGETS),
        st.integers(1, 50),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=50)
@given(steps, st.randoms(use_true_random=False))
def test_all_end_at_the_same_bans_however_words_travel(
    history: list[tuple[int, str, str, int]], chance: Any
) -> None:
    gateways = [Gateway(name) for name in "abc"]
    words: list[Word] = []
    # Of each target the word that came last, as the server has it.
    server: dict[str, Word] = {}
    for step, (which, what, target, more) in enumerate(history):
        # Each clock is off by another hour or so.
        now_us = 1_000 * step + which * 37_777 + 1
        gateway = gateways[which]
        if what == "lift":
            gateway.engine.lift_ban(target, {})
        elif what == "talk":
            said = gateway.says(now_us)
            words += said
            server |= {word.target: word for word in said}
        elif what == "hear" and words:
            # Late, or again; and one that comes there late is in a newer one's place.
            gateway.hears(chance.choice(words), now_us)
            late = chance.choice(words)
            server[late.target] = late
        elif what in ("ladder", "operator"):
            why = f"{which}.{step}"
            gateway.engine.put(ban(target, now_us, FAR_US + more, what, why))
    for _ in range(12):
        for gateway in gateways:
            server |= {word.target: word for word in gateway.says(200_000)}
        for gateway in chance.sample(gateways, 3):
            for word in chance.sample(list(server.values()), len(server)):
                gateway.hears(word, 200_000)
    assert not any(gateway.bans.unsaid(200_000) for gateway in gateways)
    gateways.append(Gateway("new"))
    for word in server.values():
        gateways[-1].hears(word, 200_000)
    assert all(gateway.now() == gateways[0].now() for gateway in gateways)


def test_what_there_is_no_room_for_is_not_lifted_everywhere() -> None:
    big, small = Gateway("big"), Gateway("small", room=0)
    big.engine.put(ban(TARGETS[0], 5, FAR_US, "ladder"))
    for word in big.says(10):
        small.hears(word, 10)
    assert small.now() == {} and small.says(11) == []
    assert big.now()


def test_a_lift_reaches_who_was_away_and_kept_the_ban() -> None:
    here, away = Gateway("here"), Gateway("away")
    here.engine.put(ban(TARGETS[0], 5, FAR_US, "operator"))
    said = here.says(10)
    here.engine.lift_ban(TARGETS[0], {})
    said += here.says(20)
    # As its file has it when it starts again.
    away.engine.put(ban(TARGETS[0], 5, FAR_US, "operator"))
    for word in said[-1:]:
        away.hears(word, 30)
    assert away.now() == {} and away.says(31) == []


def test_a_ban_after_a_lift_counts_however_late_the_lift_is_heard() -> None:
    one, other = Gateway("one"), Gateway("other")
    one.engine.put(ban(TARGETS[0], 5, FAR_US, "operator"))
    words = one.says(10)
    other.hears(words[0], 10)
    # By a clock that is behind.
    other.engine.lift_ban(TARGETS[0], {})
    [lift] = other.says(7)
    one.hears(lift, 20)
    assert one.now() == {}
    one.engine.put(ban(TARGETS[0], 8, FAR_US, "operator", "again"))
    [again] = one.says(21)
    other.hears(again, 21)
    other.hears(lift, 22)
    one.hears(lift, 22)
    assert one.now() == other.now() == {TARGETS[0]: (8, FAR_US, "again")}


def test_an_older_word_changes_nothing_and_is_answered_with_the_newer_one() -> None:
    one, other = Gateway("one"), Gateway("other")
    one.engine.put(ban(TARGETS[0], 5, FAR_US, "operator", "first"))
    [first] = one.says(10)
    one.engine.put(ban(TARGETS[0], 20, FAR_US, "operator", "second"))
    [second] = one.says(20)
    other.hears(second, 30)
    other.hears(first, 31)
    assert other.now() == one.now()
    assert other.says(32) == [second]


def test_one_that_ends_by_itself_is_not_lifted_elsewhere() -> None:
    one = Gateway("one")
    one.engine.put(ban(TARGETS[0], 5, 100, "operator"))
    assert len(one.says(10)) == 1
    del one.engine.now[TARGETS[0]]
    one.engine.changes += 1
    assert one.says(100) == []


def test_after_a_loss_all_that_is_in_force_is_said_again() -> None:
    one, other = Gateway("one"), Gateway("other")
    one.engine.put(ban(TARGETS[0], 5, FAR_US, "operator"))
    one.engine.put(ban(TARGETS[1], 5, FAR_US, "ladder"))
    one.says(10)
    one.engine.lift_ban(TARGETS[1], {})
    one.says(11)
    one.bans.say_all(12)
    for word in one.says(12):
        other.hears(word, 12)
    assert other.now().keys() == {TARGETS[0]}


def test_a_word_of_another_form_is_refused() -> None:
    for wrong in ({}, {"target": "x", "version": [1], "until_us": 2, "ban": None}):
        try:
            Word.read(wrong)
        except ClusterError as e:
            assert e.code == "cluster_forged"
        else:
            raise AssertionError(wrong)
