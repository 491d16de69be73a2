"""Several processes at one run, and runs of which something is missing or damaged."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any

import pytest
from in_process import go_there, planned
from toys import WNIDS, command

from oodbench.core import lease
from oodbench.core.errors import DataError
from oodbench.core.lease import LIMIT, Owner, this_process
from oodbench.evaluation import assemble
from oodbench.evaluation import execute as execute_module
from oodbench.evaluation.execute import execute
from oodbench.reports.tables.write import rescore_all
from oodbench.runs.chunks import missing_chunks
from oodbench.runs.claims import lease_path
from oodbench.runs.done import is_done
from oodbench.runs.plan import Plan
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult, read_result

ELSEWHERE = Owner("node7", 4321, "another boot", "99")


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    return go_there(toy, monkeypatch)


def run(*overrides: str) -> RunResult:
    """A run of the 60 pictures, in chunks of ten."""
    result = execute(planned("benchmark.chunk_size=10", *overrides))
    assert result is not None
    return result


def plan_of(*overrides: str) -> Plan:
    return planned("benchmark.chunk_size=10", *overrides)


def positions(result: RunResult) -> list[int]:
    found: list[int] = read_split(result.paths.records, "", key=result.key)["position"].tolist()
    return found


def stored(result: RunResult) -> RunResult:
    found = read_result(result.paths.result)
    assert found is not None
    return found


def chunk(result: RunResult, number: int) -> Path:
    return result.paths.records / f"all-{number:05d}.parquet"


def held(path: Path, owner: Owner) -> Path:
    """The lease of a chunk, as another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lease_path(path).write_text(json.dumps({**asdict(owner), "token": "t"}))
    return lease_path(path)


# Two processes


@pytest.mark.slow
def test_two_processes_that_raise_a_limit_end_with_each_picture_once(toy: Path) -> None:
    """In one chunk, in which both would append."""
    slow = (
        "\n\nclass Slow(Toy):\n    def forward(self, x):\n        import time\n"
        "        time.sleep(0.1)\n        return super().forward(x)\n"
    )
    (toy / "toy_network.py").write_text((toy / "toy_network.py").read_text() + slow)
    common = ("model=toy", "preprocessing=timm", "engine=eager", "engine.batch_size=4")
    common = (*common, "model.network._target_=toy_network.Slow")
    line, environment = command(toy, *common)
    done = subprocess.run([*line, "limit=4"], cwd=toy, env=environment, capture_output=True)
    assert done.returncode == 0
    both = [
        subprocess.Popen(
            [*line, "limit=60"], cwd=toy, env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    (path,) = (toy / "outputs" / "runs").rglob("result.json")
    result = read_result(path)
    assert result is not None
    assert positions(result) == list(range(60))
    assert (result.n_images, result.scores[""]["top1"].n) == (60, 60)
    assert all("n=60" in text for text in said)
    sessions = json.loads(result.paths.info.read_text())["sessions"]
    assert sorted(session["items"] for session in sessions) == [0, 4, 56]


def test_what_another_process_computes_is_left_to_it(
    here: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are computed; then it waits, and goes on when the other one is gone."""
    monkeypatch.setattr(lease, "_POLL", (0.01, 0.01))
    plan = plan_of()
    path = held(plan.paths.records / "all-00001.parquet", ELSEWHERE)
    seen: list[set[str]] = []

    def wait(*arguments: Any) -> None:
        seen.append({file.name for file in plan.paths.records.glob("*.parquet")})
        os.utime(path, (0, 0)) if len(seen) > 1 else None
        path.unlink()
        lease.wait_until_free(*arguments)

    def say(paths: Any, said: Callable[[Owner], None]) -> None:
        said(ELSEWHERE)
        wait(paths, said)

    monkeypatch.setattr(execute_module, "wait_until_free", say)
    with caplog.at_level(logging.INFO):
        result = execute(plan)
    assert result is not None
    assert seen == [{f"all-0000{number}.parquet" for number in (0, 2, 3, 4, 5)}]
    waiting = [message for message in caplog.messages if "waiting for it" in message]
    assert waiting == [
        "toy × imagenet preprocessing=timm: process 4321 on node7 computes what is missing of "
        "this run: waiting for it"
    ]
    assert positions(result) == list(range(60))
    (session,) = json.loads(result.paths.info.read_text())["sessions"]
    assert session["items"] == 60


def test_a_chunk_that_another_process_has_written_meanwhile_is_not_computed_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("output_root=other")
    plan = plan_of()
    path = held(plan.paths.records / "all-00001.parquet", ELSEWHERE)

    def finish(paths: Any, say: Any) -> None:
        copyfile(chunk(whole, 1), plan.paths.records / "all-00001.parquet")
        path.unlink()

    monkeypatch.setattr(execute_module, "wait_until_free", finish)
    result = execute(plan)
    assert result is not None
    (session,) = json.loads(result.paths.info.read_text())["sessions"]
    assert session["items"] == 50


@pytest.mark.parametrize("owner", [replace(this_process(), started="1"), ELSEWHERE])
@pytest.mark.parametrize("age", [LIMIT + 10, -3600])
def test_the_chunk_of_a_process_that_is_gone_is_taken_over(
    here: Path, owner: Owner, age: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead on this machine, or elsewhere without a heartbeat; what it left goes, too.

    A clock may have been set back since, so that its last heartbeat lies in the future.
    """
    whole = run("output_root=alone")
    for name, value in (("WATCH", 0.1), ("LIMIT", 0.3), ("_POLL", (0.05, 0.05))):
        monkeypatch.setattr(lease, name, value)
    plan = plan_of()
    path = held(plan.paths.records / "all-00001.parquet", owner)
    (plan.paths.records / ".all-00001.parquet.ab.part").touch()
    now = path.stat().st_mtime
    os.utime(path, (now - age,) * 2)
    result = execute(plan)
    assert result is not None
    for number in range(6):
        assert chunk(result, number).read_bytes() == chunk(whole, number).read_bytes()
    assert not list(plan.paths.records.glob(".*"))


def test_clocks_that_are_set_all_the_time_change_no_byte(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few milliseconds all heartbeats lie an hour back, or ahead, for two at one run."""
    whole = run("output_root=alone")
    monkeypatch.setattr(lease, "_POLL", (0.01, 0.02))
    network = sys.modules["toy_network"].Toy
    forward = network.forward

    def slow(self: Any, images: Any) -> Any:
        time.sleep(0.02)
        return forward(self, images)

    monkeypatch.setattr(network, "forward", slow)
    plans = [plan_of(), plan_of()]
    threads = [threading.Thread(target=execute, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    random = Random(0)
    while any(thread.is_alive() for thread in threads):
        for path in plans[0].paths.records.glob(f"*{lease.SUFFIX}"):
            with suppress(FileNotFoundError):
                os.utime(path, (time.time() + random.choice((-3600, 3600)),) * 2)
        time.sleep(0.005)
    assert plans[0].paths.result.read_bytes() == whole.paths.result.read_bytes()
    for number in range(6):
        ours = plans[0].paths.records / f"all-{number:05d}.parquet"
        assert ours.read_bytes() == chunk(whole, number).read_bytes()
    sessions = json.loads(plans[0].paths.info.read_text())["sessions"]
    assert sum(session["items"] for session in sessions) == 60


def test_rows_of_a_chunk_that_was_taken_over_are_dropped(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process was stopped; the other one has written the whole chunk."""
    whole = run("output_root=other")
    run("limit=4")
    take = lease.Leases.take

    def lost(leases: lease.Leases, path: Path) -> Owner | None:
        owner = take(leases, path)
        if "all-00000" in path.name:
            path.unlink()
            copyfile(chunk(whole, 0), path.with_name("all-00000.parquet"))
        return owner

    monkeypatch.setattr(lease.Leases, "take", lost)
    monkeypatch.setattr(execute_module, "wait_until_free", lambda *_: None)
    result = run("limit=10")
    assert positions(result) == list(range(10))
    assert chunk(result, 0).read_bytes() == chunk(whole, 0).read_bytes()


def test_threads_at_once_end_with_the_bytes_of_one(here: Path) -> None:
    """Two writers in one process, which the kernel's locks would not keep apart."""
    whole = run("output_root=alone")
    plans = [plan_of(), plan_of()]
    threads = [threading.Thread(target=execute, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number in range(6):
        ours = plans[0].paths.records / f"all-{number:05d}.parquet"
        assert ours.read_bytes() == chunk(whole, number).read_bytes()
    assert plans[0].paths.result.read_bytes() == whole.paths.result.read_bytes()


# A smaller limit


def test_a_smaller_limit_never_replaces_a_larger_result(here: Path) -> None:
    small, large = plan_of("limit=4"), run("limit=25")
    before = large.paths.result.read_bytes(), chunk(large, 0).read_bytes()
    result = execute(small)
    assert result is not None
    assert result.n_images == 25
    assert before == (large.paths.result.read_bytes(), chunk(large, 0).read_bytes())


def test_not_even_one_that_was_written_while_it_computed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower process was asked for less; the faster one ends while it scores."""
    score = execute_module.score_records
    large = plan_of("limit=25")

    def slow(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(execute_module, "score_records", score)
        execute(large)
        return score(*arguments, **named)

    monkeypatch.setattr(execute_module, "score_records", slow)
    result = run("limit=4")
    assert result.n_images == 25
    assert stored(result).n_images == 25


def test_a_chunk_is_done_again_as_far_as_it_reached(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a larger run that left a picture out, which the smaller one tries again."""
    monkeypatch.setenv("OODBENCH_CACHE", str(here / "cache"))  # which has not seen it sound
    broken = here / "data" / "imagenet" / "val" / WNIDS[1] / f"{WNIDS[1]}_000.JPEG"
    sound = broken.read_bytes()
    broken.write_bytes(bytes(len(sound)))  # of the same size: the key knows no other
    large = run("data.on_error=skip", "data.max_skipped=0.1", "limit=20")
    assert (large.n_images, len(large.skipped)) == (19, 1)
    large.paths.result.unlink()
    broken.write_bytes(sound)
    result = run("limit=4")
    assert result.n_images == 4
    assert positions(result) == list(range(20))


def test_two_processes_with_unknown_weights_are_not_let_into_one_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the other one is gone."""
    plan = plan_of("model.weights.identity=null")
    result = execute(plan)
    assert result is not None
    run_lease = plan.paths.directory / ".run.lease"
    run_lease.write_text(json.dumps({**asdict(ELSEWHERE), "token": ""}))
    with pytest.raises(DataError, match=r"process 4321 on node7 computes this run, .*unknown: "):
        execute(plan)
    assert positions(result) == list(range(60))
    monkeypatch.setattr(lease, "WATCH", 0.1)
    os.utime(run_lease, (0, 0))
    assert execute(plan) is not None


# What is missing or damaged


@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_missing_chunk_is_named_and_computed_again(
    here: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    result = run()
    before = {path: path.read_bytes() for path in sorted(result.paths.directory.rglob("*.[jp]*"))}
    chunk(result, number).unlink()
    plan = plan_of("limit=1")
    assert is_done(plan) is None
    assert caplog.messages == [f"{chunk(plan_result(plan), number)}: missing: computed again"]
    assert execute(plan) is not None
    del before[result.paths.info]
    assert {path: path.read_bytes() for path in before} == before
    assert is_done(plan_of()) is not None


def plan_result(plan: Plan) -> RunResult:
    found = read_result(plan.paths.result)
    assert found is not None
    return found


def flipped(path: Path, place: int | None = None) -> None:
    """One bit of the file, in its middle by default."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 4
    path.write_bytes(bytes(content))


def test_a_damaged_chunk_is_named_and_computed_again(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run()
    before = chunk(result, 2).read_bytes()
    flipped(chunk(result, 2))
    plan = plan_of()
    assert is_done(plan) is None
    assert execute(plan) is not None
    (message,) = caplog.messages
    assert message.startswith(f"{chunk(plan_result(plan), 2)}: damaged (")
    assert chunk(result, 2).read_bytes() == before
    assert is_done(plan) is not None


def test_a_chunk_of_another_run_is_named_and_computed_anew(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run()
    before = chunk(result, 2).read_bytes()
    other = run("model.mean=[0.1,0.1,0.1]")
    copyfile(chunk(other, 2), chunk(result, 2))
    plan = plan_of()
    assert is_done(plan) is None
    assert list(missing_chunks(plan)) != []
    assert f"of run {other.key}, not of {result.key}" in caplog.text
    assert execute(plan) is not None
    assert chunk(result, 2).read_bytes() == before


@pytest.mark.parametrize("place", [20, 200, 1000, -30])
def test_a_damaged_result_is_named_and_written_again_from_the_records(
    here: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    result = run()
    before = result.paths.result.read_bytes()
    flipped(result.paths.result, place)
    plan = plan_of()
    assert is_done(plan) is None
    assert f"{plan.paths.result}: not used: damaged (" in caplog.text
    assert execute(plan) is not None
    assert result.paths.result.read_bytes() == before
    sessions = json.loads(result.paths.info.read_text())["sessions"]
    assert [session["items"] for session in sessions] == [60, 0]


def test_a_result_of_another_run_is_not_believed(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, other = run(), run("model.mean=[0.1,0.1,0.1]")
    copyfile(other.paths.result, result.paths.result)
    assert is_done(plan_of()) is None
    assert f"of run {other.key}, not of {result.key}" in caplog.text


def test_what_a_killed_process_left_is_removed(here: Path) -> None:
    """Half-written files: that of a chunk at once, others when they are old."""
    plan = plan_of("limit=20")
    records = plan.paths.records
    records.mkdir(parents=True)
    held(records / "all-00000.parquet", replace(this_process(), started="1"))
    held(records / "all-00004.parquet", replace(this_process(), started="1"))
    held(records / "all-00005.parquet", ELSEWHERE)
    held(records / ".all-00000.parquet.lease", replace(this_process(), started="1"))
    for number in (0, 4, 5):
        (records / f".all-{number:05d}.parquet.ab.part").touch()
    (records / ".mine.part").touch()
    for name in ("old", "new"):
        (plan.paths.directory / f".result.json.{name}.part").touch()
    os.utime(plan.paths.directory / ".result.json.old.part", (0, 0))
    assert execute(plan) is not None
    left = sorted(path.name for path in plan.paths.directory.rglob(".*"))
    assert left == [
        ".all-00005.parquet.ab.part",
        ".all-00005.parquet.lease",
        ".mine.part",
        ".result.json.new.part",
        ".run.json.lock",
    ]


def test_bit_rot_that_a_table_finds_is_mended_by_the_next_run(here: Path) -> None:
    """It leaves the file's times as they were, so that a skipped run does not open it."""
    result = run()
    path = chunk(result, 2)
    before, status = path.read_bytes(), path.stat()
    flipped(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_done(plan_of()) is not None
    (problem,) = rescore_all(Path("outputs"))
    assert problem.startswith(f"not rescored: {path}: damaged (")
    plan = plan_of()
    assert is_done(plan) is None
    assert execute(plan) is not None
    assert path.read_bytes() == before
    assert not plan.paths.error.exists()
    assert rescore_all(Path("outputs")) == []


# Pictures that cannot be read


def broken(here: Path, count: int) -> None:
    """Make the first pictures of the run unreadable, without a change of their sizes."""
    for position in range(count):
        wnid = WNIDS[position % 5]
        path = here / "data" / "imagenet" / "val" / wnid / f"{wnid}_{position // 5:03d}.JPEG"
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("count", "share", "allowed"),
    [(1, "0.01", 1), (2, "0.01", 1), (6, "0.1", 6), (7, "0.1", 6), (1, "0", 0), (60, "1", 60)],
)
def test_so_many_may_be_left_out(here: Path, count: int, share: str, allowed: int) -> None:
    """A share of the 60 pictures, rounded up."""
    broken(here, count)
    given = ("data.on_error=skip", f"data.max_skipped={share}")
    if count <= allowed:
        assert len(run(*given).skipped) == count
        return
    with pytest.raises(DataError) as caught:
        run(*given)
    assert str(caught.value).startswith(
        f"{allowed + 1} of 60 items could not be read, and data.max_skipped={float(share)} allows "
        f"{allowed} (the last one: "
    )
    assert not list(here.glob("outputs/runs/*/*/*/result.json"))


def test_the_data_vanish_while_it_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 25 pictures; what was whole before is kept, and the rest comes later."""
    from oodbench.benchmarks.folder import FolderBenchmark

    load, loaded = FolderBenchmark.load, []

    def vanishing(self: FolderBenchmark, path: Path) -> Any:
        loaded.append(path)
        if len(loaded) > 25:
            raise DataError(f"{path}: no such file")
        return load(self, path)

    given = ("data.on_error=skip", "data.workers=1")
    with monkeypatch.context() as patched:
        patched.setattr(FolderBenchmark, "load", vanishing)
        with pytest.raises(DataError, match="2 of 60 items could not be read"):
            run(*given)
    result = run(*given)
    assert (result.n_images, result.skipped) == (60, [])
    sessions = json.loads(result.paths.info.read_text())["sessions"]
    (items,) = [session["items"] for session in sessions]
    assert 0 < items < 60


def test_shards_together_may_leave_out_no_more_either(here: Path) -> None:
    """Both had begun before the other one left anything out; later each tries its own again."""
    broken(here, 1)
    given = ("data.on_error=skip", "benchmark.chunk_size=10")
    plans = [planned(*given, "shard.count=2", f"shard.index={index}") for index in range(2)]
    assert execute(plans[0]) is None
    first = plans[0].paths.records / "all-00000.parquet"
    other = here / "data" / "imagenet" / "val" / WNIDS[0] / f"{WNIDS[0]}_002.JPEG"
    sound = other.read_bytes()
    other.write_bytes(bytes(len(sound)))
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(DataError, match="2 of 60"):
        execute_after(plans[1], lambda: first.write_bytes(kept))
    other.write_bytes(sound)
    result = execute(plans[1])
    assert result is not None
    assert (result.n_images, len(result.skipped)) == (59, 1)


def execute_after(plan: Plan, late: Callable[[], object]) -> RunResult | None:
    """Carry out a plan; another shard's chunk arrives when the own ones are written."""
    write_info = execute_module._write_info

    def and_then(*arguments: Any) -> None:
        write_info(*arguments)
        late()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(execute_module, "_write_info", and_then)
        return execute(plan)


def test_fewer_may_be_left_out_than_before(here: Path) -> None:
    """A finished run with more is not done."""
    broken(here, 3)
    given = ("data.on_error=skip", "data.max_skipped=0.05")
    assert len(run(*given).skipped) == 3
    assert is_done(plan_of(*given)) is not None
    assert is_done(plan_of("data.on_error=skip")) is None
    with pytest.raises(DataError, match="allows 1"):
        run("data.on_error=skip")


# Generated runs


def test_a_finished_generated_run_is_done(here: Path) -> None:
    """Its corruptions are a tuple in the config's defaults and a list in key.json."""
    generated = ("benchmark=imagenet_c_generated", "limit=1")
    plan = planned(*generated)
    assert isinstance(plan.document["benchmark"]["protocol"]["corruptions"], tuple)
    result = execute(plan)
    assert result is not None
    assert result.n_images == 75
    assert is_done(planned(*generated)) is not None
