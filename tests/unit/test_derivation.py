"""Secrets stand in a hardened tree by shard, account, key and generation; older ones stay."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.api import KeyService, NewKey
from ringfence.errors import DerivationError, StoreError
from ringfence.identity import MasterKey, Store
from ringfence.identity.derivation import ALPHABET, Place, Places, ShardKey
from ringfence.identity.secret import MASTER_BYTES
from ringfence.identity.slip10 import Node

MASTER = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Store.create(tmp_path / "ringfence.db")
    return tmp_path / "ringfence.db"


def test_a_secret_stands_where_the_path_says(path: Path) -> None:
    places = Places(path)
    places.take("key-0001", Place("desk", 7))
    shard = ShardKey.derive(MASTER, 7)
    assert MasterKey(MASTER, places).secret("key-0001", 2) == shard.secret("desk", "key-0001", 2)
    # The shard is the third step below the root, and every step is hardened by construction.
    node = Node.root("ed25519", MASTER).below((83, 1, 7))
    assert shard.material() == node.key + node.chain


def test_the_secret_of_a_fixed_path_never_changes() -> None:
    found = ShardKey.derive(MASTER, 0).secret("desk", "key-0001", 1)
    assert found == "BG5iOquieSQwJlWBTY0VO7qqLhqTJfoYN3kgB554GXlNa33VF8e1ltXEbekBRpsm"
    assert len(found) == 64 and set(found) <= set(ALPHABET)


def test_a_credential_from_before_the_tree_keeps_its_secret(path: Path) -> None:
    before = MasterKey(MASTER).secret("key-old1", 1)
    places = Places(path)
    places.take("key-new1", Place("desk"))
    master = MasterKey(MASTER, places)
    assert master.secret("key-old1", 1) == before
    assert master.secret("key-new1", 1) != MasterKey(MASTER).secret("key-new1", 1)


def test_what_was_handed_out_is_derived_again_after_a_restart(path: Path) -> None:
    service = KeyService(Store(path), MasterKey(MASTER, Places(path)))
    made = service.create(NewKey("desk", ["read"], ["127.0.0.1/32"]), "operator")
    again = MasterKey(MASTER, Places(path))
    assert again.secret(made["key_id"], 1) == made["secret"]
    assert made["secret"] == ShardKey.derive(MASTER, 0).secret("desk", made["key_id"], 1)


def test_a_shard_s_key_gives_its_own_secrets_and_no_other_shard_s() -> None:
    one, other = ShardKey.derive(MASTER, 1), ShardKey.derive(MASTER, 2)
    carried = ShardKey.parse(1, one.material())
    assert carried.secret("desk", "key-0001", 1) == one.secret("desk", "key-0001", 1)
    assert carried.secret("desk", "key-0001", 1) != other.secret("desk", "key-0001", 1)
    assert carried.vault_key() == one.vault_key() != other.vault_key()
    # What the other shard's node has is nowhere in what this one can reach upwards: no parent.
    assert not {"parent", "master"} & set(dir(carried))


names = st.text("ab", min_size=1, max_size=2)
where = st.tuples(st.integers(0, 1), names, names, st.integers(1, 2))


@given(where, where)
def test_no_two_of_shard_account_key_and_generation_share_a_secret(
    one: tuple[int, str, str, int], other: tuple[int, str, str, int]
) -> None:
    first, second = (ShardKey.derive(MASTER, w[0]).secret(*w[1:]) for w in (one, other))
    assert (first == second) == (one == other)


def test_a_place_is_taken_once(path: Path) -> None:
    places, later = Places(path), Places(path)
    places.take("key-0001", Place("desk"))
    later.take("key-0001", Place("desk"))
    with pytest.raises(StoreError, match="belong to desk in shard 0"):
        later.take("key-0001", Place("other"))


def test_a_place_has_no_secret_in_it(path: Path) -> None:
    master = MasterKey(secrets.token_bytes(MASTER_BYTES), Places(path))
    master.settle("key-0001", "desk")
    secret = master.secret("key-0001", 1)
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert secret.encode() not in content and b"key-0001" in content
    assert secret not in repr(master) + repr(master.shard(0))


@pytest.mark.parametrize("shard", [-1, 2**31])
def test_a_shard_that_is_no_hardened_index_is_refused(shard: int) -> None:
    with pytest.raises(DerivationError):
        ShardKey.derive(MASTER, shard)
