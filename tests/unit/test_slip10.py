"""Keys derive as SLIP-0010 says, hardened only; and why only hardened."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ringfence.errors import DerivationError
from ringfence.identity.slip10 import CURVES, HARDENED, Node, read_path

SUITE = Path(__file__).parents[3] / "shared" / "suites" / "crypto" / "vectors" / "slip10.json"
NAMES = {"ed25519": "ed25519", "secp256k1": "secp256k1", "secp256r1": "p256"}
LEFT_OUT = {"curve25519": "no key of ours is for X25519"}
EC = {"secp256k1": ec.SECP256K1(), "p256": ec.SECP256R1()}

# From SLIP-0010, so that this holds where the suite is not: seed 000102…0f.
SEED = bytes(range(16))
STANDARD = [
    ("ed25519", "m", "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7"),
    ("ed25519", "m/0'", "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3"),
    ("ed25519", "m/0'/1'", "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2"),
    ("p256", "m", "612091aaa12e22dd2abef664f8a01a82cae99ad7441b7ef8110424915c268bc2"),
    ("secp256k1", "m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
]


@pytest.mark.parametrize(("curve", "path", "key"), STANDARD)
def test_keys_are_those_of_the_standard(curve: str, path: str, key: str) -> None:
    assert Node.root(curve, SEED).below(read_path(path)).key.hex() == key


@pytest.mark.skipif(not SUITE.is_file(), reason="the shared suites are not here")
def test_every_published_vector_is_met_or_is_not_hardened() -> None:
    vectors: list[dict[str, Any]] = json.loads(SUITE.read_text())
    known = {(v["curve"], v["seed"], v["node"][0]): v["node"] for v in vectors}
    met, refused, skipped = 0, 0, set()
    for (name, seed, path), node in known.items():
        if name in LEFT_OUT:
            skipped.add(name)
            continue
        wanted, (above, _, last) = (node[2], node[3]), path.rpartition("/")
        if last.isdecimal():
            with pytest.raises(DerivationError):
                read_path(path)
            refused += 1
            continue
        if not above:
            found = Node.root(NAMES[name], bytes.fromhex(seed))
        else:
            # From the parent as published: it may itself be one that is not hardened.
            parent = known[(name, seed, above)]
            start = Node(NAMES[name], bytes.fromhex(parent[3]), bytes.fromhex(parent[2]))
            found = start.below(read_path(f"m/{last}"))
        assert (found.chain.hex(), found.key.hex()) == wanted, (name, path)
        met += 1
    assert skipped == set(LEFT_OUT)
    assert met >= 20 and refused >= 5


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("index", [-1, 0, 1, HARDENED - 1, 2 * HARDENED])
def test_an_index_that_is_not_hardened_is_refused(curve: str, index: int) -> None:
    with pytest.raises(DerivationError, match="not hardened"):
        Node.root(curve, SEED).child(index)


@pytest.mark.parametrize("path", ["m/0", "m/0'/1", "0'", "m/", "m/-1'", "m/2147483648'", "m/0''"])
def test_a_path_that_is_not_hardened_throughout_is_refused(path: str) -> None:
    with pytest.raises(DerivationError):
        read_path(path)


def compressed(curve: str, key: int) -> bytes:
    public = ec.derive_private_key(key, EC[curve]).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def recovered(curve: str, public: bytes, chain: bytes, child: int, index: int) -> int:
    """Return the parent's private key, if the child came of its public key (BIP-32's CKDpriv)."""
    mixed = hmac.digest(chain, public + index.to_bytes(4, "big"), hashlib.sha512)
    order = CURVES[curve].order
    assert order is not None
    return (child - int.from_bytes(mixed[:32], "big")) % order


@pytest.mark.parametrize("curve", EC)
def test_a_child_that_is_not_hardened_gives_its_parent_away_and_a_hardened_one_does_not(
    curve: str,
) -> None:
    parent, order = Node.root(curve, secrets.token_bytes(32)), CURVES[curve].order
    assert order is not None
    key = int.from_bytes(parent.key, "big")
    public = compressed(curve, key)
    # What a derivation from the public key makes, which is not to be had here.
    mixed = hmac.digest(parent.chain, public + (7).to_bytes(4, "big"), hashlib.sha512)
    soft = (int.from_bytes(mixed[:32], "big") + key) % order
    assert recovered(curve, public, parent.chain, soft, 7) == key
    hard = int.from_bytes(parent.child(HARDENED + 7).key, "big")
    for index in (7, HARDENED + 7):
        assert recovered(curve, public, parent.chain, hard, index) != key


paths = st.lists(st.integers(0, 3), max_size=4).map(tuple)


@given(st.sampled_from(sorted(CURVES)), paths, paths)
def test_different_paths_have_different_keys(
    curve: str, one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    root = Node.root(curve, SEED)
    assert (root.below(one) == root.below(other)) == (one == other)


def test_a_node_shows_neither_key_nor_chain_code() -> None:
    node = Node.root("ed25519", SEED)
    assert node.key.hex() not in repr(node) and repr(node.key) not in repr(node)
    assert repr(node) == "Node(curve='ed25519')"
