"""Pictures that are replaced, removed or renamed: between two runs, and while a run computes."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import go_there, planned, toy_logits
from numpy.typing import NDArray
from run_bytes import run_bytes

from oodbench.benchmarks.folder import FolderBenchmark
from oodbench.core.errors import DataError, DiskError, cause_of
from oodbench.data import contents
from oodbench.evaluation import assemble
from oodbench.evaluation.cell import evaluate_cell
from oodbench.evaluation.execute import execute
from oodbench.runs import verified
from oodbench.runs.done import is_done
from oodbench.runs.plan import Plan
from oodbench.runs.records import read_split

PICTURES = Path("data/imagenet/val")
CHANGED = "n01440764/n01440764_000.JPEG"
OTHER = "n01498041/n01498041_003.JPEG"

OWN_FOLDERS = """
from PIL import Image

from oodbench.benchmarks.folder import FolderBenchmark


class Own(FolderBenchmark):
    def load(self, path):
        return [Image.open(path).convert("RGB")]
"""


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    monkeypatch.setattr(verified, "_said", set())
    monkeypatch.setenv("OODBENCH_CACHE", str(toy / "cache"))
    go_there(toy, monkeypatch)
    make_longer(CHANGED)
    return toy


def make_longer(name: str) -> None:
    """So that another picture fits into its size: what follows a JPEG picture is not read."""
    with (PICTURES / name).open("ab") as file:
        file.write(bytes(10_000))


def overwrite(name: str, other: str = OTHER, root: Path = PICTURES) -> None:
    """Put another picture's contents into a file, of which name and size stay."""
    path = root / name
    size = path.stat().st_size
    path.write_bytes((PICTURES / other).read_bytes().ljust(size, b"\0"))
    assert path.stat().st_size == size


def executed(plan: Plan) -> NDArray[np.float32]:
    """Confidences by position."""
    assert execute(plan) is not None
    found: NDArray[np.float32] = read_split(plan.paths.records, "")["confidence"].to_numpy()
    return found


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_cached_pixels_of_an_overwritten_picture_are_not_served(here: Path, kind: str) -> None:
    cached = ("limit=3", f"data.cache={kind}", "data.cache_dir=pixels", "data.verify=sizes")
    before = executed(planned(*cached, "output_root=first"))
    overwrite(CHANGED)
    found = executed(planned(*cached, "output_root=second"))
    truth = toy_logits(planned("limit=3"), 3).softmax(1).amax(1)
    np.testing.assert_allclose(found, truth, rtol=1e-4)
    assert found[0] != before[0]
    assert found[1:].tolist() == before[1:].tolist()


def new_times(folder: Path) -> None:
    """As after a copy."""
    for path in folder.glob("*/*.JPEG"):
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def test_an_overwritten_picture_is_another_run(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = planned("limit=5")
    before = executed(plan)
    assert is_done(planned("limit=5"))
    original = (PICTURES / CHANGED).read_bytes()

    overwrite(CHANGED)
    for output_root in ("outputs", "fresh"):
        changed = planned("limit=5", f"output_root={output_root}")
        assert changed.key != plan.key
        assert is_done(changed) is None
        found = executed(changed)
        assert is_done(planned("limit=5", f"output_root={output_root}"))
        truth = toy_logits(changed, 5).softmax(1).amax(1)
        np.testing.assert_allclose(found, truth, rtol=1e-4)
        assert (found[0] != before[0], found[1:].tolist()) == (True, before[1:].tolist())
    (said,) = [text for text in caplog.messages if "hold something else" in text]
    assert said.startswith("imagenet: 1 of 60 pictures hold something else than when they were")
    assert said.endswith(f"{PICTURES / CHANGED}: the run has another key")

    (PICTURES / CHANGED).write_bytes(original)
    again = planned("limit=5")
    assert again.key == plan.key
    assert is_done(again)


def test_copied_and_touched_pictures_keep_their_key(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("limit=5")
    executed(plan)
    new_times(PICTURES)
    shutil.copytree("data", "copy")
    read: list[str] = []
    reading = contents._read
    monkeypatch.setattr(contents, "_read", lambda path: (read.append(path), reading(path))[1])
    for root, n_read in (("data", 5), ("data", 0), ("copy", 5), ("copy", 0), ("data", 0)):
        read.clear()
        again = planned("limit=5", f"data.root={root}")
        assert again.key == plan.key
        assert is_done(again)
        assert len(read) == n_read, root


def test_results_from_before_are_believed(here: Path) -> None:
    """Nothing is known of their pictures."""
    plan = planned("limit=5")
    executed(plan)
    shutil.rmtree("outputs/pictures")
    shutil.rmtree("cache")
    overwrite(CHANGED)
    assert planned("limit=5").key == plan.key
    assert is_done(planned("limit=5"))


def test_a_cleared_cache_forgets_nothing(here: Path) -> None:
    plan = planned("limit=5")
    executed(plan)
    shutil.rmtree("cache")
    assert planned("limit=5").key == plan.key
    shutil.rmtree("cache")
    overwrite(CHANGED)
    assert planned("limit=5").key != plan.key


def test_sizes_alone_are_believed_on_demand_and_noted(here: Path) -> None:
    plan = planned("limit=5")
    executed(plan)
    overwrite(CHANGED)
    trusting = planned("limit=5", "data.verify=sizes")
    assert trusting.key == plan.key
    assert is_done(trusting)
    result = execute(planned("limit=6", "data.verify=sizes"))
    assert result is not None
    assert any(note.startswith("data.verify=sizes: ") for note in result.notes)


def test_contents_are_read_on_demand_whatever_the_times(here: Path) -> None:
    plan = planned("limit=5")
    executed(plan)
    time = (PICTURES / CHANGED).stat().st_mtime_ns
    overwrite(CHANGED)
    os.utime(PICTURES / CHANGED, ns=(1, time))
    assert planned("limit=5").key == plan.key
    with pytest.raises(DataError, match=r"000.JPEG: holds another picture .*data.verify=contents"):
        execute(planned("limit=5", "model.weights.identity=toy-v2"))
    assert planned("limit=5", "data.verify=contents").key != plan.key
    assert planned("limit=5").key != plan.key  # it has been read meanwhile


def test_a_picture_that_changes_while_the_run_computes_stops_it(here: Path) -> None:
    executed(planned("limit=5"))
    plan = planned("limit=5", "model.weights.identity=toy-v2")
    overwrite(CHANGED)
    skipping = planned("limit=5", "data.on_error=skip", "data.max_skipped=1")
    with pytest.raises(DataError, match="holds another picture than when it was last looked at"):
        execute(plan)
    assert not list(plan.paths.records.glob("*.parquet"))
    assert execute(skipping) is not None


def test_of_many_pictures_some_are_looked_at(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BLOCK", 2)
    monkeypatch.setattr(contents, "ONE_IN", 10)
    monkeypatch.setattr(verified, "MANY", 59)
    plan = planned()
    executed(plan)
    names = [item.image for item in plan.splits[0].list_items()]
    make_unseen = [name for number, name in enumerate(names) if number % 20 >= 2]
    unseen, seen = Path(make_unseen[7]), Path(names[21])
    for name in (unseen, seen):
        (PICTURES / name).write_bytes(bytes((PICTURES / name).stat().st_size))
    assert planned().key != plan.key
    changed = planned()
    assert len(changed.files[""].changed) == 2  # once one is found, all are looked at
    shutil.rmtree("cache")
    assert planned("data.verify=contents").key == changed.key


def test_processes_that_load_tell_what_they_read(here: Path) -> None:
    options = ("data.loader=processes", "data.workers=1")
    plan = planned("limit=5", *options)
    executed(plan)
    overwrite(CHANGED)
    assert planned("limit=5").key != plan.key


def test_a_benchmark_that_opens_its_files_itself(here: Path) -> None:
    Path("own_folders.py").write_text(OWN_FOLDERS)
    own = ("limit=5", "benchmark.protocol._target_=own_folders.Own")
    plan = planned(*own)
    executed(plan)
    overwrite(CHANGED)
    assert planned(*own).key != plan.key


# While a run computes

IN_CHUNKS = ("benchmark.chunk_size=5", "data.workers=1", "limit=20")
LATE = "n01443537/n01443537_003.JPEG"
"""The picture at position 16, in the last of four chunks."""


def disturbed(
    change: Callable[[], object], *overrides: str, error: type[Exception], says: str
) -> Plan:
    """The plan of a run during which something changes, once five pictures are loaded."""
    load, n_loaded = FolderBenchmark.load, 0

    def loading(self: FolderBenchmark, path: Path) -> Any:
        nonlocal n_loaded
        n_loaded += 1
        if n_loaded == 6:
            change()
        return load(self, path)

    plan = planned(*IN_CHUNKS, *overrides)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FolderBenchmark, "load", loading)
        with pytest.raises(error, match=says) as caught:
            execute(plan)
    assert "\n" not in str(caught.value)
    assert cause_of(caught.value) == ("disk" if error is DiskError else "mistake")
    assert not plan.paths.result.exists()
    return plan


@pytest.fixture
def undisturbed(here: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Bytes of the whole run; nothing is remembered of its pictures, a copy of which is kept."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("OODBENCH_CACHE", str(here / "other_cache"))
        assert execute(planned(*IN_CHUNKS, "output_root=alone")) is not None
    shutil.copytree("data", "sound")
    return run_bytes(Path("alone"))


def replace_picture(name: str, how: str) -> None:
    """Put another picture of another size in the place of one."""
    new = PICTURES / "new" if how == "renamed" else PICTURES / name
    new.write_bytes((PICTURES / OTHER).read_bytes() + bytes(7))
    new.replace(PICTURES / name)


@pytest.mark.parametrize("how", ["overwritten", "renamed"])
def test_a_picture_that_is_replaced_before_it_is_computed_ends_the_run(
    undisturbed: dict[str, bytes], how: str
) -> None:
    """No run has ever read it. With the other one the command is another run, until it is back."""
    plan = disturbed(
        lambda: replace_picture(LATE, how),
        error=DataError,
        says=rf"{LATE}: \d+ bytes, and \d+ when the run began: another file .* the same command",
    )
    other = planned(*IN_CHUNKS)
    assert other.key != plan.key
    truth = toy_logits(other, 20).softmax(1).amax(1)
    np.testing.assert_allclose(executed(other), truth, rtol=1e-4)
    shutil.copy2(Path("sound/imagenet/val") / LATE, PICTURES / LATE)
    again = planned(*IN_CHUNKS)
    assert again.key == plan.key
    assert execute(again) is not None
    shutil.rmtree(other.paths.directory)
    assert run_bytes(Path("outputs")) == undisturbed


def test_so_does_one_that_is_replaced_between_two_sessions_after_it_was_computed(
    undisturbed: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """As after a kill: the other contents are another run, and the first goes on later."""
    plan = disturbed(lambda: (PICTURES / LATE).unlink(), error=DiskError, says="no longer there")
    shutil.copy2(Path("sound/imagenet/val") / LATE, PICTURES / LATE)
    overwrite(CHANGED)
    assert planned(*IN_CHUNKS).key != plan.key
    assert "1 of 60 pictures hold something else than when they were first read" in caplog.text
    shutil.copy2(Path("sound/imagenet/val") / CHANGED, PICTURES / CHANGED)
    assert planned(*IN_CHUNKS).key == plan.key
    result = execute(planned(*IN_CHUNKS))
    assert result is not None
    assert run_bytes(Path("outputs")) == undisturbed


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize(
    ("gone", "named"), [("data", "data"), (PICTURES / LATE, "data/.*003.JPEG")]
)
def test_what_is_gone_is_never_left_out_as_damaged(
    undisturbed: dict[str, bytes], gone: str | Path, named: str, on_error: str
) -> None:
    """A disk that was unmounted, or a single file."""
    skipping = (f"data.on_error={on_error}", "data.max_skipped=1")
    disturbed(
        lambda: Path(gone).rename("away"),
        *skipping,
        error=DiskError,
        says=rf"^{named}: no longer there: mount it again, or put it back; the same command",
    )
    Path("away").rename(gone)
    result = execute(planned(*IN_CHUNKS, *skipping))
    assert result is not None
    assert result.skipped == []
    assert run_bytes(Path("outputs")) == undisturbed


@pytest.mark.parametrize("loader", ["threads", "processes"])
@pytest.mark.parametrize("change", ["added", "removed", "renamed", "a class folder removed"])
def test_files_that_change_before_they_are_listed_end_the_run(
    undisturbed: dict[str, bytes], change: str, loader: str
) -> None:
    """Else places in their order would stand for other files than in the chunks of before."""
    plan = planned(*IN_CHUNKS, f"data.loader={loader}")
    first = PICTURES / CHANGED
    aside = {"removed": first, "a class folder removed": first.parent}.get(change)
    if aside is not None:
        aside.rename("away")
    elif change == "renamed":
        first.rename(first.with_name("a.JPEG"))
    else:
        shutil.copy2(first, first.with_name("a.JPEG"))
    with pytest.raises(DataError, match="files were added, removed or renamed since the run began"):
        execute(plan)
    assert not list(plan.paths.directory.rglob("*.parquet"))
    assert planned(*IN_CHUNKS).key != plan.key
    shutil.rmtree("data")
    shutil.copytree("sound", "data")
    assert execute(planned(*IN_CHUNKS)) is not None
    assert run_bytes(Path("outputs")) == undisturbed


def test_a_run_that_begins_anew_for_other_files_says_so(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = planned("limit=5")
    with caplog.at_level(logging.INFO):
        evaluate_cell(plan)
        assert "other pictures" not in caplog.text
        (PICTURES / OTHER).unlink()
        evaluate_cell(planned("limit=5"))
        said = f"renamed or replaced since run {plan.key}: other pictures make another run"
        assert caplog.text.count(said) == 1
        caplog.clear()
        evaluate_cell(planned("limit=6"))
        evaluate_cell(planned("limit=6", "model.mean=[0.1,0.1,0.1]"))
        assert "other pictures" not in caplog.text


def test_a_file_that_is_put_back_in_place_is_listed_anew(here: Path) -> None:
    """Its folder's time stays, and so would what is remembered of the folder."""
    shutil.copytree("data", "sound")
    plan = planned("limit=60")
    executed(plan)
    replace_picture(LATE, "renamed")
    for folder in PICTURES.iterdir():
        os.utime(folder, ns=(1, 1))  # long enough ago to be remembered
    assert planned("limit=60").key != plan.key
    executed(planned("limit=60"))
    (PICTURES / LATE).write_bytes((Path("sound/imagenet/val") / LATE).read_bytes())
    assert planned("limit=60").key == plan.key
    assert is_done(planned("limit=60"))
