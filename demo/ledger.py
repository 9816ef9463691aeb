"""What the ledger says afterwards, and what it says when one byte of it is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from demo.line import Line, Outcome, attempt
from demo.stage import ringfence

__all__ = ["inspect_ledger"]


def inspect_ledger(state: Path) -> list[Line]:
    """Verify the ledger, count what it holds, then tamper with a copy and verify that."""
    ledger = state / "ledger"
    vkey = ringfence("ledger", "vkey", str(state))["vkey"]

    def verified() -> Outcome:
        report = ringfence("ledger", "verify", str(ledger), "--vkey", vkey)
        said = f"{report['size']} entries, root {report['root'][:16]}…, {report['checkpoints']} checkpoints"
        return Outcome(said, report["fault"] is None and report["size"] > 0)

    def tampered() -> Outcome:
        copy = state.parent / "tampered"
        shutil.copytree(ledger, copy)
        log = next(copy.glob("*/entries.log"))
        content = log.read_bytes()
        # The order is to have been a cheaper one: one digit of one price.
        forged = content.replace(b'"price":"56994.3"', b'"price":"16994.3"', 1)
        if forged == content:
            return Outcome("no entry was changed: the order is not in the ledger", right=False)
        log.write_bytes(forged)
        report = ringfence("ledger", "verify", str(copy), "--vkey", vkey, check=False)
        fault = report["fault"]
        return Outcome(fault["sentence"] if fault else "nothing noticed", right=fault is not None)

    return [attempt("verified offline", verified), attempt("one entry changed", tampered)]
