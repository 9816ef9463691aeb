"""A witness over real HTTP cosigns growth, and refuses forks, rollbacks and what is cut off."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from demo.stage import ringfence, running
from ringfence import cli, config, engine
from ringfence.errors import EngineError, WitnessError
from ringfence.witness import Folder, State, app, ask
from tests import forked

NAME = "witness.example/w1"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a command in this process."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.argv", ["ringfence", *words])
        try:
            return cli.main()
        except SystemExit as e:
            return e.code if isinstance(e.code, int) else 0


@dataclass(frozen=True, slots=True)
class Log:
    """A gateway's ledger that grows by events."""

    state: Path

    @property
    def directory(self) -> Path:
        """The folder of its newest volume."""
        return engine.ledger_volumes(self.state / "ledger")[-1].directory

    @property
    def vkey(self) -> str:
        section = config.load(self.state / "ringfence.yaml").config.ledger
        return engine.ledger_vkey(self.state / "keys" / "ledger.key", section.origin)

    def grow(self, *events: str) -> Log:
        """Run the gateway for as long as it takes to record `events`."""
        gateway = engine.Engine(config.load(self.state / "ringfence.yaml").snapshot())
        gateway.start([])
        for event in events:
            gateway.event(event, {})
        gateway.stop(0)
        return self

    def copy(self, to: Path) -> Log:
        shutil.copytree(self.state, to)
        return Log(to)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    state = tmp_path / "gw1"
    words = ["--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--plain"]
    assert run(monkeypatch, "init", str(state), "--node", "gw1", *words) == 0
    return Log(state).grow("test.first")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the witness in `folder` and yield its address."""
    files = Folder(folder)
    made = app(State(files.state_file), files.cosigner(), files.logs())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=[[listener]])
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True, slots=True)
class Watched:
    """A witness that runs, and the policy that wants it."""

    folder: Path
    url: str
    policy: Path

    @property
    def witness(self) -> engine.PolicyWitness:
        return engine.read_policy(self.policy.read_bytes()).witnesses[0]


@pytest.fixture
def watched(log: Log, tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "w1"
    vkey = Folder.lay(folder, NAME, [log.vkey]).cosigner().vkey
    with serving(folder) as url:
        policy = tmp_path / "policy"
        policy.write_text(f"log {log.vkey}\nwitness w1 {vkey} {url}\nquorum w1\n")
        yield Watched(folder, url, policy)


def post(url: str, old: int, proof: list[bytes], note: bytes) -> httpx.Response:
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    body = f"old {old}\n{lines}\n".encode() + note
    return httpx.post(f"{url}/add-checkpoint", content=body)


def size_of(note: bytes) -> int:
    return int(note.split(b"\n")[1])


def test_growth_is_cosigned_by_the_format_others_read(log: Log, watched: Watched) -> None:
    note = engine.stage_ledger(log.directory)
    before = int(time.time())
    answer = post(watched.url, 0, [], note)
    assert answer.status_code == 200
    dash, name, blob = answer.text.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", NAME)
    # Written out from the specification, with another library.
    signed = base64.b64decode(blob, validate=True)
    vkey = Folder(watched.folder).cosigner().vkey
    public = base64.b64decode(vkey.split("+", 2)[2])
    assert public[0] == 4
    assert signed[:4] == hashlib.sha256(NAME.encode() + b"\n" + public).digest()[:4]
    at = int.from_bytes(signed[4:12])
    assert before <= at <= time.time()
    text = note[: note.index(b"\n\n") + 1]
    message = f"cosignature/v1\ntime {at}\n".encode() + text
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signed[12:], message)
    # And the state is what was cosigned.
    origin = hashlib.sha256(text.split(b"\n")[0]).hexdigest()
    newest = httpx.get(f"{watched.url}/{origin}/checkpoint")
    assert newest.content == note + answer.content
    assert httpx.get(f"{watched.url}/{'0' * 64}/checkpoint").status_code == 404


def test_the_answers_are_those_of_the_specification(log: Log, watched: Watched) -> None:
    first = engine.stage_ledger(log.directory)
    assert post(watched.url, 0, [], first).status_code == 200
    size = size_of(first)
    # The same again: the sender was not told, or asks for a newer time.
    assert post(watched.url, size, [], first).status_code == 200
    conflict = post(watched.url, 0, [], first)
    assert conflict.status_code == 409
    assert conflict.headers["content-type"].split(";")[0] == "text/x.tlog.size"
    assert conflict.text == f"{size}\n"
    log.grow("test.second")
    second = engine.stage_ledger(log.directory)
    proof = engine.prove_growth(log.directory, size, second)
    assert proof is not None
    assert post(watched.url, size, proof[:-1], second).status_code == 422
    assert post(watched.url, size, [], second).status_code == 422
    assert post(watched.url, size, [b"\0" * 32, *proof[1:]], second).status_code == 422
    assert post(watched.url, size_of(second) + 1, proof, second).status_code == 400
    assert post(watched.url, size, [b"short"], second).status_code == 400
    assert httpx.post(f"{watched.url}/add-checkpoint", content=b"nonsense").status_code == 400
    altered = second.replace(f"\n{size_of(second)}\n".encode(), b"\n99\n")
    assert post(watched.url, size, proof, altered).status_code == 403
    stranger = second.replace(b"gw1", b"gw2", 1)
    assert post(watched.url, size, proof, stranger).status_code == 404
    assert httpx.post(f"{watched.url}/add-checkpoint", content=b"x" * 200_000).status_code == 413
    assert httpx.get(f"{watched.url}/add-checkpoint").status_code == 405
    assert post(watched.url, size, proof, second).status_code == 200


def test_a_fork_is_never_cosigned(log: Log, watched: Watched, tmp_path: Path) -> None:
    fork = log.copy(tmp_path / "fork").grow("test.theirs")
    log.grow("test.ours")
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)
    # As large, and larger.
    for events in ([], ["test.more"]):
        note = engine.stage_ledger(fork.grow(*events).directory)
        with pytest.raises(WitnessError) as refused:
            ask(fork.directory, note, watched.witness)
        assert refused.value.code == "witness_fork"
    # What it came with is kept, signed by the log itself.
    with State(watched.folder / "witness.db").turn() as turn:
        kept = turn.contradictions()
    policy = f"log {log.vkey}\nquorum none\n".encode()
    for one in kept:
        for note in (one.note, one.cosigned):
            assert engine.accept_checkpoint(policy, note)
    assert len(kept) == 2
    done = forked.run(["witness", "contradictions", str(watched.folder), "--json"])
    assert done.returncode == 1
    assert [one["what"] for one in json.loads(done.stdout)] == ["not shown to continue"] * 2
    # And the honest log goes on.
    log.grow("test.on")
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)


def test_two_roots_of_one_size_are_kept_as_proof_of_a_fork(
    log: Log, watched: Watched, tmp_path: Path
) -> None:
    fork = log.copy(tmp_path / "fork").grow("test.theirs")
    log.grow("test.ours")
    note, other = engine.stage_ledger(log.directory), engine.stage_ledger(fork.directory)
    # The same events at other times: as many entries, and other ones.
    assert size_of(note) == size_of(other)
    assert post(watched.url, 0, [], note).status_code == 200
    for _ in range(2):
        assert post(watched.url, size_of(other), [], other).status_code == 422
    with State(watched.folder / "witness.db").turn() as turn:
        (kept,) = turn.contradictions()
    assert kept.forked
    assert (kept.note, kept.cosigned[: len(note)]) == (other, note)


def test_a_log_that_was_set_back_is_never_cosigned(
    log: Log, watched: Watched, tmp_path: Path
) -> None:
    old = log.copy(tmp_path / "old")
    log.grow("test.later")
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)
    note = engine.stage_ledger(old.directory)
    with pytest.raises(WitnessError) as refused:
        ask(old.directory, note, watched.witness)
    assert refused.value.code == "witness_rollback"
    # Nor when it asks knowingly.
    assert post(watched.url, size_of(note), [], note).status_code == 409
    later = size_of(engine.stage_ledger(log.directory))
    assert post(watched.url, later, [], note).status_code == 400


def test_a_restarted_witness_remembers(log: Log, watched: Watched, tmp_path: Path) -> None:
    fork = log.copy(tmp_path / "fork").grow("test.theirs")
    log.grow("test.ours")
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)
    with serving(watched.folder) as url:
        note = engine.stage_ledger(fork.directory)
        assert post(url, 0, [], note).status_code == 409
        assert post(url, size_of(note), [], note).status_code == 422
    (watched.folder / "witness.db").unlink()
    with pytest.raises(WitnessError):
        State(watched.folder / "witness.db")


def test_nothing_is_cosigned_that_cannot_be_remembered(log: Log, watched: Watched) -> None:
    with closing(sqlite3.connect(watched.folder / "witness.db")) as database:
        database.execute("DROP TABLE seen")
    answer = post(watched.url, 0, [], engine.stage_ledger(log.directory))
    assert answer.status_code == 500
    assert "\u2014" not in answer.text


def test_requests_that_race_leave_one_history(log: Log, watched: Watched, tmp_path: Path) -> None:
    fork = log.copy(tmp_path / "fork").grow("test.theirs")
    log.grow("test.ours")
    notes = [engine.stage_ledger(one.directory) for one in (log, fork)] * 4
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda n=note: answers.append(post(watched.url, 0, [], n).status_code)
        )
        for note in notes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7


def test_what_the_quorum_cosigned_is_published_and_proven(
    log: Log,
    watched: Watched,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy, ledger = str(watched.policy), str(log.directory)
    verify = ["ledger", "verify", ledger, "--policy", policy]
    assert run(monkeypatch, *verify) == 1
    assert run(monkeypatch, "ledger", "publish", ledger, "--policy", policy) == 0
    capsys.readouterr()
    assert run(monkeypatch, *verify) == 0
    assert "cosigned by w1" in capsys.readouterr().out
    receipt = tmp_path / "order.tlog-proof"
    assert run(monkeypatch, "ledger", "prove", ledger, "0", "-o", str(receipt)) == 0
    proven = engine.verify_receipt(receipt.read_bytes(), None, watched.policy.read_bytes())
    assert proven.index == 0
    assert run(monkeypatch, "ledger", "verify-receipt", str(receipt), "--policy", policy) == 0
    assert run(monkeypatch, "ledger", "verify-receipt", str(receipt), "--vkey", log.vkey) == 0
    other = tmp_path / "other"
    other.write_text("{}")
    words = ["ledger", "verify-receipt", str(receipt), "--vkey", log.vkey, "--entry", str(other)]
    assert run(monkeypatch, *words) == 1
    # A checkpoint of the log itself, without the witness, is not enough.
    shutil.copy(log.directory / "checkpoint", log.directory / "tlog" / "checkpoint")
    assert run(monkeypatch, *verify) == 1
    assert "does not satisfy the policy" in capsys.readouterr().err


def test_without_its_quorum_nothing_is_published(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vkey = Folder.lay(tmp_path / "w2", NAME, [log.vkey]).cosigner().vkey
    policy = tmp_path / "policy"
    policy.write_text(f"log {log.vkey}\nwitness w2 {vkey} http://127.0.0.1:9\nquorum w2\n")
    words = ["ledger", "publish", str(log.directory), "--policy", str(policy)]
    assert run(monkeypatch, *words) == 1
    assert not (log.directory / "tlog" / "checkpoint").exists()


def test_a_truncated_log_is_never_cosigned_again(
    log: Log, watched: Watched, tmp_path: Path
) -> None:
    cut = log.copy(tmp_path / "cut")
    log.grow("test.later")
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)
    # The last batches are gone, with the checkpoints over them; the log goes on from there.
    cut.grow("test.instead")
    with pytest.raises((WitnessError, EngineError)):
        ask(cut.directory, engine.stage_ledger(cut.directory), watched.witness)


def configured(log: Log, watched: Watched) -> str:
    """Have the gateway of `log` publish by itself, and return its configuration."""
    file = log.state / "ringfence.yaml"
    text = file.read_text()
    section = f"\nledger:\n  publish: {{interval_ms: 100, policy: {watched.policy}}}\n"
    changed = text.replace("\nledger:\n", section)
    assert changed != text
    file.write_text(changed)
    return str(file)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def events(log: Log) -> list[str]:
    entries = engine.LedgerReader(log.state / "ledger", 0).read(10_000)
    return [json.loads(content).get("event", "") for _, content in entries]


def test_a_gateway_publishes_by_itself_what_its_witness_cosigned(
    log: Log, watched: Watched, tmp_path: Path
) -> None:
    config = configured(log, watched)
    with running(tmp_path / "gateway.log", "serve", "-c", config):
        until(lambda: ringfence("status", "-c", config)["published"]["size"] > 0)
        assert ringfence("status", "-c", config)["published"]["trouble"] is None
    verified = ringfence("ledger", "verify", str(log.state), "--policy", str(watched.policy))
    assert [name for name, _ in verified["accepted"]["witnesses"]] == ["w1"]


def test_a_ledger_that_was_set_back_is_an_incident(
    log: Log, watched: Watched, tmp_path: Path
) -> None:
    old = log.copy(tmp_path / "old")
    log.grow(*(f"test.{number}" for number in range(50)))
    ask(log.directory, engine.stage_ledger(log.directory), watched.witness)
    config, said = configured(old, watched), tmp_path / "gateway.log"
    with running(said, "serve", "-c", config):
        until(lambda: "ledger.contradicted" in events(old))
        assert "set back" in ringfence("status", "-c", config)["published"]["trouble"]
    assert events(old).count("ledger.contradicted") == 1
    assert said.read_text().count("ALARM: witness w1 has cosigned") == 1
    assert not (old.directory / "tlog" / "checkpoint").exists()


def test_two_gateways_watch_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host runs a gateway and a witness of the other's ledger."""
    logs = {}
    for node in ("gw1", "gw2"):
        state = tmp_path / node
        words = ["--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--plain"]
        assert run(monkeypatch, "init", str(state), "--node", node, *words) == 0
        logs[node] = Log(state).grow("test.first")
    with ExitStack() as stack:
        policies = {}
        for own, other in (("gw1", "gw2"), ("gw2", "gw1")):
            folder = tmp_path / f"witness-on-{own}"
            name = f"witness.example/{own}"
            vkey = Folder.lay(folder, name, [logs[other].vkey]).cosigner().vkey
            url = stack.enter_context(serving(folder))
            policies[other] = tmp_path / f"policy-{other}"
            text = f"log {logs[other].vkey}\nwitness w {vkey} {url}\nquorum w\n"
            policies[other].write_text(text)
        files = {node: configured(logs[node], Watched(Path(), "", policies[node])) for node in logs}
        for node in logs:
            said = tmp_path / f"{node}.log"
            stack.enter_context(running(said, "serve", "-c", files[node]))
        for node, log in logs.items():
            published = log.directory / "tlog" / "checkpoint"
            until(published.is_file)
            cosigned = engine.accept_checkpoint(policies[node].read_bytes(), published.read_bytes())
            assert [name for name, _ in cosigned.witnesses] == ["w"]
