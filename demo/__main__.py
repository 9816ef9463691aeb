"""`python -m demo`: exit code 0 only if every line came out as it should."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.console import Console

from demo.attack import Target, attack
from demo.doors import doors
from demo.ledger import inspect_ledger
from demo.line import Line
from demo.stage import set_stage
from demo.trade import client, trade

FOLDER = Path(".demo")


def show(console: Console, heading: str, lines: list[Line]) -> bool:
    """Print `lines` under `heading` and tell whether all of them are right."""
    console.print(f"\n[bold]{heading}[/bold]")
    for line in lines:
        mark = "[green]✔[/green]" if line.right else "[red]✘[/red]"
        said = line.said if len(line.said) <= 96 else line.said[:95] + "…"
        console.print(f" {mark} {line.title:<26}", end="")
        console.print(f"{line.elapsed_ms:8.1f} ms  {said}", markup=False, highlight=False)
    return all(line.right for line in lines)


def main() -> int:
    """Run the demonstration and return its exit code."""
    console = Console(soft_wrap=True)
    start = time.monotonic()
    console.print("Starting a paper venue, and a gateway with TLS in front of it …")
    with set_stage(FOLDER) as stage:
        console.print(
            f"The gateway listens on [cyan]{stage.gateway}[/cyan]; ccxt knows nothing else."
        )
        exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
        target = Target(
            stage.gateway, stage.ca, stage.trader, stage.burst, stage.elsewhere, exchange
        )
        right = show(console, "An unmodified ccxt client trades", trade(exchange))
        right &= show(console, "Other doors, the same controls", doors(stage))
        right &= show(console, "Nine attacks", attack(target))
    right &= show(console, "The ledger", inspect_ledger(stage.state))
    verdict = "[green]Everything came out as it should." if right else "[red]Something is wrong."
    console.print(f"\n{verdict}[/] {time.monotonic() - start:.1f} s; all files are in {FOLDER}/")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
