"""What recording costs: the gateway beside a build of it that records nothing."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import ringfence
from bench.contender import Contender
from bench.drive import Answer
from bench.gateway import Setting
from bench.server import BenchError
from bench.stage import Job, Stage
from bench.table import Row, Table, paired, rate

__all__ = ["recording"]

BUILT = Path(__file__).parent.parent / "target" / "unlogged" / "release" / "lib_core.so"
ENGINE = "_core.abi3.so"
OFF = "nothing recorded"

Done = dict[str, Table]


def recording(stage: Stage, _done: Done) -> list[Table]:
    """Measure signed orders and reads in both modes and with nothing recorded.

    Raises:
        BenchError: the build that records nothing is not there.
    """
    tables = []
    package = without_ledger(stage.ground.folder / "unlogged")
    with stage.gateway(OFF, Setting(package=package)) as off:
        known = {one.name: one for one in stage.contenders}
        contenders = [off, known["ringfence group"], known["ringfence strict"]]
        for kind in ("order", "read"):
            jobs: dict[str, Job] = {
                one.name: partial(asking, stage, one, kind) for one in contenders
            }
            answers = stage.interleave(f"recording, {kind}s", jobs)
            rows = [
                Row(name, found, paired(found, answers[OFF], rate))
                for name, found in answers.items()
            ]
            title = f"signed {kind}s, 32 connections, with and without the ledger"
            key = "recording" if kind == "order" else "recording-reads"
            tables.append(Table(key, title, "/s", "× off", rows, []))
    return tables


def asking(stage: Stage, one: Contender, kind: str, _round: int) -> Answer:
    """Drive `one` as fast as it answers."""
    return stage.measure(one, kind)


def without_ledger(folder: Path) -> Path:
    """Return a folder to put on the path: the package with the engine that records nothing."""
    if not BUILT.is_file():
        raise BenchError("there is no engine without a ledger; start with `make bench`")
    package = folder / "ringfence"
    package.mkdir(parents=True)
    for file in Path(ringfence.__file__).parent.iterdir():
        if file.name not in (ENGINE, "__pycache__"):
            (package / file.name).symlink_to(file)
    shutil.copy(BUILT, package / ENGINE)
    return folder
