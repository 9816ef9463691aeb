"""`ringfence ledger query`: what the ledger knows, by account, order, address, time, or in SQL."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence import ledger
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, say_json, table
from ringfence.errors import LedgerError

if TYPE_CHECKING:
    from ringfence.ledger.cache import Columns

__all__ = ["CacheOption", "LedgerArgument", "load", "plain", "query", "when"]

LedgerArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="A ledger's folder, or a state folder.")
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Where columns are kept; beside the ledger.")
]
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def query(
    directory: LedgerArgument = Path(),
    sql: Annotated[
        str | None, typer.Argument(metavar="SQL", help="A question to the table `entries`.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Whose.")] = None,
    credential: Annotated[str | None, typer.Option(help="Made with this credential.")] = None,
    address: Annotated[str | None, typer.Option(help="From this address.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Orders in this instrument.")] = None,
    order: Annotated[str | None, typer.Option(help="A client order id, or a message id.")] = None,
    message: Annotated[str | None, typer.Option(help="A message id.")] = None,
    operation: Annotated[str | None, typer.Option(help="As order.place.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="permitted, refused, answered, not_sent or unknown.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="A refusal's code.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="Of this shard.")] = None,
    since: Annotated[str | None, typer.Option(help="A time, or how long ago: 30m, 2d.")] = None,
    until: Annotated[str | None, typer.Option(help="A time, or how long ago.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many; not with SQL.")] = 100,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the ledger. Without SQL: the newest entries that fit every option.

    Columns are made from the entries once and kept. An answer is as good as the ledger:
    `ringfence ledger verify` proves that.
    """
    from ringfence.ledger.query import ask, opened, select

    wanted = {
        "account": account, "credential": credential, "address": address, "symbol": symbol,
        "order": order, "message": message, "operation": operation, "outcome": outcome,
        "code": code, "shard": shard, "since": since and when(since),
        "until": until and when(until),
    }  # fmt: skip
    filters = {name: value for name, value in wanted.items() if value is not None}
    if sql is not None and filters:
        hint = "put it into the SQL: WHERE account = 'alice'"
        raise LedgerError(f"--{next(iter(filters))} does not go with SQL", hint=hint)
    question, parameters = select(filters, limit) if sql is None else (sql, [])
    with opened(load(directory, cache, shown=not as_json)) as db:
        answer = ask(db, question, parameters)
    if as_json:
        for record in answer.records():
            say_json({name: plain(value) for name, value in record.items()})
        return
    table(answer.names, [[plain(value) for value in row] for row in answer.rows])


def load(directory: Path, cache: Path | None, *, shown: bool) -> Columns:
    """Return the columns of the ledger that `directory` names, with progress on a terminal."""
    from ringfence.ledger.cache import columns

    folder = locate(directory).directory
    with progress(folder, shown=shown) as tell:
        return columns(folder, cache or ledger.beside(folder), tell)


@contextmanager
def progress(folder: Path, *, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield what to tell the entries done to: a bar on a terminal's stderr, or nothing."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=ledger.signed_size(folder) or None)
        yield lambda done: bar.update(task, completed=done)


def when(text: str) -> datetime:
    """Return a time: ISO 8601, UTC unless it says otherwise; or so long ago.

    Raises:
        LedgerError: it is neither.
    """
    if ago := re.fullmatch(r"(\d{1,6})([dhms])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError as e:
        hint = "write 2026-11-23T14:00:00Z, or how long ago: 30m, 12h, 2d"
        raise LedgerError(f"{text!r} is not a time", hint=hint, code="ledger_query") from e
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: times in ISO 8601 with microseconds, decimals as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return format(value, "f") if hasattr(value, "as_tuple") else str(value)
