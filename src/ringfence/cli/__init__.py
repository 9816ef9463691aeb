"""The `ringfence` command: one file per subcommand. Nobody imports this room."""

from __future__ import annotations

import os
import sys

import typer

from ringfence.cli import (
    address,
    approval,
    ban,
    check,
    codes,
    dialect,
    init,
    key_change,
    key_create,
    key_list,
    key_state,
    ledger_erase,
    ledger_export,
    ledger_hold,
    ledger_prove,
    ledger_publish,
    ledger_query,
    ledger_receipt,
    ledger_reconstruct,
    ledger_retain,
    ledger_ship,
    ledger_show,
    ledger_tail,
    ledger_verify,
    ledger_vkey,
    mfa,
    mfa_passkey,
    policy_check,
    policy_load,
    policy_prove,
    policy_show,
    policy_test,
    principal,
    serve,
    shard,
    status,
    top,
    unlock,
    vault,
    vault_accept,
    vault_export,
    vault_import,
    vault_seal,
    vault_shares,
    venue,
    version,
    witness_contradictions,
    witness_init,
    witness_serve,
    witness_vkey,
)
from ringfence.errors import ConfigError, GatewayError, InternalError

__all__ = ["app", "main"]

app = typer.Typer(
    help="A gateway that authenticates, limits, checks and records every trading message.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.callback()(unlock.options)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("serve")(serve.serve)
app.command("status")(status.status)
app.command("top")(top.top)
app.command("codes")(codes.codes)
app.command("version")(version.version)

actor = typer.Typer(help="Keep who acts: organisations, accounts, services and operators.")
actor.command("create")(principal.create)
actor.command("list")(principal.list_principals)
actor.command("show")(principal.show)
actor.command("tree")(principal.tree)
actor.command("suspend")(principal.suspend)
actor.command("resume")(principal.resume)
actor.command("close")(principal.close)
actor.command("move")(principal.move)
app.add_typer(actor, name="principal")

key = typer.Typer(help="Create credentials, and lead them through their lives.")
key.command("create")(key_create.create)
key.command("list")(key_list.list_keys)
key.command("show")(key_list.show)
key.command("suspend")(key_state.suspend)
key.command("resume")(key_state.resume)
key.command("revoke")(key_state.revoke)
key.command("destroy")(key_state.destroy)
key.command("rotate")(key_change.rotate)
key.command("scope")(key_change.scope)
key.command("expire")(key_change.expire)
app.add_typer(key, name="key")

destination = typer.Typer(help="Keep the addresses that an account's withdrawals may go to.")
destination.command("add")(address.add)
destination.command("list")(address.list_addresses)
destination.command("show")(address.show)
destination.command("remove")(address.remove)
app.add_typer(destination, name="address")

exile = typer.Typer(help="Keep addresses, networks and keys out for a while.")
exile.command("list")(ban.list_bans)
exile.command("add")(ban.add)
exile.command("lift")(ban.lift)
app.add_typer(exile, name="ban")

cell = typer.Typer(help="Keep who stands in which shard, and close one off.")
cell.command("list")(shard.list_shards)
cell.command("move")(shard.move)
cell.command("drain")(shard.drain)
cell.command("isolate")(shard.isolate)
cell.command("resume")(shard.resume)
app.add_typer(cell, name="shard")

consent = typer.Typer(help="Approve what needs more than one operator.")
consent.command("list")(approval.list_approvals)
consent.command("show")(approval.show)
consent.command("approve")(approval.approve)
consent.command("reject")(approval.reject)
consent.command("execute")(approval.execute)
app.add_typer(consent, name="approval")

proof = typer.Typer(help="Keep your second factors, and prove one.")
proof.command("totp")(mfa.totp)
proof.command("recovery")(mfa.recovery)
proof.command("list")(mfa.list_factors)
proof.command("remove")(mfa.remove)
proof.command("step-up")(mfa.step_up)
proof.command("reset")(mfa.reset)
token = typer.Typer(help="Keep your passkeys.")
token.command("add")(mfa_passkey.add)
token.command("list")(mfa_passkey.list_passkeys)
token.command("remove")(mfa_passkey.remove)
proof.add_typer(token, name="passkey")
app.add_typer(proof, name="mfa")

safe = typer.Typer(help="Keep the keys that sign for a venue, and the folder's own, sealed.")
safe.command("put")(vault.put)
safe.command("list")(vault.list_keys)
safe.command("remove")(vault.remove)
safe.command("accept")(vault_accept.accept)
safe.command("status")(vault_seal.status)
safe.command("rewrap")(vault_seal.rewrap)
safe.command("unseal-check")(vault_seal.unseal_check)
shares = typer.Typer(help="The master key in shares, for the day that it is lost.")
shares.command("split")(vault_shares.split)
shares.command("combine")(vault_shares.combine)
safe.add_typer(shares, name="shares")
parcel = typer.Typer(help="Venue keys or a shard for another vault, sealed to its key.")
parcel.command("ask")(vault_export.ask)
parcel.command("take")(vault_export.take)
safe.add_typer(parcel, name="export")
safe.command("recipient")(vault_export.recipient)
safe.command("import")(vault_import.import_file)
app.add_typer(safe, name="vault")

ledger = typer.Typer(help="Verify, prove and read the ledger.")
ledger.command("verify")(ledger_verify.verify)
ledger.command("verify-receipt")(ledger_receipt.verify_receipt)
ledger.command("prove")(ledger_prove.prove)
ledger.command("publish")(ledger_publish.publish)
ledger.command("tail")(ledger_tail.tail)
ledger.command("show")(ledger_show.show)
ledger.command("query")(ledger_query.query)
ledger.command("reconstruct")(ledger_reconstruct.reconstruct)
ledger.command("export")(ledger_export.export)
ledger.command("ship")(ledger_ship.ship)
ledger.command("vkey")(ledger_vkey.vkey)
ledger.command("erase")(ledger_erase.erase)
ledger.command("disclose")(ledger_erase.disclose)
ledger.command("retain")(ledger_retain.retain)
hold = typer.Typer(help="Keep volumes beyond their time.")
hold.command("place")(ledger_hold.place)
hold.command("list")(ledger_hold.list_holds)
hold.command("lift")(ledger_hold.lift)
ledger.add_typer(hold, name="hold")
app.add_typer(ledger, name="ledger")

policy = typer.Typer(help="Check, test and prove the policies behind the scopes.")
policy.command("check")(policy_check.check)
policy.command("show")(policy_show.show)
policy.command("load")(policy_load.load)
policy.command("test")(policy_test.test)
policy.command("prove")(policy_prove.prove)
app.add_typer(policy, name="policy")

witness = typer.Typer(help="Watch that logs only grow, and cosign it.")
witness.command("init")(witness_init.init)
witness.command("serve")(witness_serve.serve)
witness.command("contradictions")(witness_contradictions.contradictions)
witness.command("vkey")(witness_vkey.vkey)
app.add_typer(witness, name="witness")
speech = typer.Typer(help="Show how venues sign, and test a captured message.")
speech.command("list")(dialect.list_dialects)
speech.command("show")(dialect.show)
speech.command("test")(dialect.test)
app.add_typer(speech, name="dialect")

app.add_typer(venue.app, name="venue")


def main() -> int:
    """Run the command line and return the exit code: 0 done, 1 failed, 2 not understood."""
    try:
        app()
    except GatewayError as e:
        return fail(e)
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not try to flush it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as e:  # a user never sees a traceback unless asking for it
        return fail(InternalError(f"{type(e).__name__}: {e}"), e)
    return 0


def fail(error: GatewayError, cause: Exception | None = None) -> int:
    """Say on stderr what failed and what to do."""
    if os.environ.get("RINGFENCE_DEBUG") == "1":
        raise cause or error
    problems = error.problems if isinstance(error, ConfigError) else [str(error)]
    for problem in problems:
        print(f"error: {problem} [{error.code}]", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return 1
