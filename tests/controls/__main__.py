"""`python -m tests.controls`: takes each listed control out of a copy, and sees its tests fail."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.controls.listed import Control, Proof, controls
from tests.controls.tree import BuildError, Tree

__all__ = ["main"]

WORDS = {True: "still passes", None: "came to no end", False: "fails"}


def main() -> int:
    """Return 0 when every test failed without its control, 1 when not, 2 when one fails with it."""
    parser = argparse.ArgumentParser(prog="controls", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="of room or name"
    )
    parser.add_argument("--list", action="store_true", help="name the controls")
    said = parser.parse_args()
    wanted = [
        one
        for one in controls()
        if not said.only or any(word in f"{one.room}: {one.name}" for word in said.only)
    ]
    if said.list:
        for one in wanted:
            print(f"{one.room}: {one.name}")
        return 0
    tree = Tree()
    if not stand(tree, wanted):
        return 2
    held = [fails(tree, one) for one in wanted]
    print(f"{sum(held)} of {len(held)} controls have a test that fails without them")
    return 0 if all(held) else 1


def stand(tree: Tree, wanted: Sequence[Control]) -> bool:
    """Tell whether all tests pass where nothing is taken out."""
    proofs: set[Proof] = {proof for one in wanted for proof in one.proofs}
    found = tree.play(proofs)
    for proof in sorted(proof for proof in proofs if not found[proof]):
        print(f"with all controls, {proof} {WORDS[found[proof]]}", file=sys.stderr)
    return all(found.values())


def fails(tree: Tree, control: Control) -> bool:
    """Take a control out, and tell whether all of its tests fail."""
    since = time.monotonic()
    with tree.without(control):
        try:
            found = tree.play(control.proofs)
        except BuildError as e:
            print(f"NOT BUILT  {control.room}: {control.name}\n{e}", flush=True)
            return False
    seen = all(verdict is False for verdict in found.values())
    mark = "held" if seen else "NOT HELD"
    print(
        f"{mark:<10} {control.room}: {control.name} ({time.monotonic() - since:.0f} s)", flush=True
    )
    for proof, verdict in found.items():
        if verdict is not False:
            print(f"           {proof} {WORDS[verdict]}", flush=True)
    return seen


if __name__ == "__main__":
    sys.exit(main())
