"""The real command line on a toy model: training, resuming, two processes, messages."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from probe_toys import read_head, run, started

OPTIONS = ("data.allow_partial=true", "recipe.lr=0.03", "recipe.batch_size=17", "recipe.epochs=3")
SHORT = (*OPTIONS, "recipe.milestones=[2]")
EVERY_STEP = (*SHORT, "checkpoint_minutes=0", "model=fragile")


def only(folder: Path, pattern: str) -> Path:
    (path,) = (folder / "outputs" / "probe").glob(f"*/*/{pattern}")
    return path


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in ("fc.weight", "fc.bias"))


@pytest.mark.slow
def test_training_then_done_already(probe_toy: Path) -> None:
    done = run(probe_toy, *SHORT, "tensorboard=true")
    assert done.returncode == 0, done.stderr
    assert "toy, linear probe, 3 epochs  [partial: 60 of 1281167 training pictures]" in done.stdout
    head = only(probe_toy, "head.pth.tar")
    assert read_head(head)["fc.weight"].shape == (1000, 48)
    log = pd.read_csv(only(probe_toy, "log.csv"))
    assert log["epoch"].tolist() == [1, 2, 3]
    assert log["lr"].tolist() == pytest.approx([0.03, 0.03, 0.003])
    # log(1000) = 6.9 is the loss of chance.
    assert 6.9 > log["train_loss"].iloc[0] > log["train_loss"].iloc[-1]
    assert len(list(only(probe_toy, "tensorboard").iterdir())) == 1
    assert not list((probe_toy / "outputs").rglob("*.npy"))
    before = (head.read_bytes(), head.stat().st_mtime_ns)
    again = started(probe_toy, *SHORT)
    assert again.returncode == 0
    assert "done already" in again.stderr
    assert (head.read_bytes(), head.stat().st_mtime_ns) == before


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["published", "none"])
def test_two_processes_train_what_one_trains(probe_toy: Path, augment: str) -> None:
    # 60 pictures in batches of 59: in the second batch one process has no picture.
    options = (*SHORT, "recipe.batch_size=59", f"recipe.augment={augment}", "device=cpu")
    alone = run(probe_toy, *options, "head_file=alone.pth", "output_root=alone")
    assert alone.returncode == 0, alone.stderr
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    both = started(probe_toy, *options, "head_file=both.pth", "output_root=both", launcher=launcher)
    assert both.returncode == 0, both.stderr
    assert both.stdout.count("toy, linear probe, 3 epochs") == 1
    one, two = (read_head(probe_toy / f"{name}.pth") for name in ("alone", "both"))
    for key in ("fc.weight", "fc.bias"):
        torch.testing.assert_close(one[key], two[key], rtol=1e-4, atol=1e-5)
    tables = [pd.read_csv(next((probe_toy / name).rglob("log.csv"))) for name in ("alone", "both")]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)


@pytest.mark.slow
def test_an_error_is_said_once_by_all_processes(probe_toy: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    failed = started(probe_toy, "data.root=nowhere", "device=cpu", launcher=launcher)
    assert failed.returncode == 1
    assert failed.stderr.count("nowhere/imagenet/train: no such folder") == 1


@pytest.fixture
def undisturbed(probe_toy: Path) -> dict[str, torch.Tensor]:
    done = run(probe_toy, *EVERY_STEP, "output_root=undisturbed", "head_file=undisturbed.pth")
    assert done.returncode == 0, done.stderr
    return read_head(probe_toy / "undisturbed.pth")


@pytest.mark.slow
def test_kills_change_nothing(probe_toy: Path, undisturbed: dict[str, torch.Tensor]) -> None:
    """Killed in the validation features, in the middle of epochs 1 and 3, then left alone."""
    # Passes: 1 checks the last layer, 2 are of the validation, then 4 an epoch.
    for at in ("2", "6", "8"):
        killed = started(probe_toy, *EVERY_STEP, SIGNAL_AT=at, SIGNAL="SIGKILL")
        assert killed.returncode == -9, killed.stderr
    state = torch.load(only(probe_toy, "checkpoint.pt"), weights_only=True)
    assert (state["epoch"], state["step"]) != (0, 0)
    done = run(probe_toy, *EVERY_STEP)
    assert done.returncode == 0, done.stderr
    assert same(read_head(only(probe_toy, "head.pth.tar")), undisturbed)
    table = next((probe_toy / "undisturbed").rglob("log.csv"))
    assert only(probe_toy, "log.csv").read_bytes() == table.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_keeps_the_checkpoint(
    probe_toy: Path, undisturbed: dict[str, torch.Tensor], name: str
) -> None:
    options = (*EVERY_STEP, "checkpoint_minutes=10")
    stopped = started(probe_toy, *options, SIGNAL_AT="5", SIGNAL=name)
    assert stopped.returncode == 130, stopped.stderr
    assert "the checkpoint is kept, the same command goes on from it" in stopped.stderr
    state = torch.load(only(probe_toy, "checkpoint.pt"), weights_only=True)
    assert state["epoch"] == 0
    assert state["step"] > 0
    done = run(probe_toy, *options)
    assert done.returncode == 0, done.stderr
    assert same(read_head(only(probe_toy, "head.pth.tar")), undisturbed)


def test_messages_are_one_line_and_the_exit_code_is_1(probe_toy: Path) -> None:
    (probe_toy / "taken.pth").write_bytes(b"somebody's")
    cases = {
        ("data.root=nowhere",): "nowhere/imagenet/train: no such folder; set data.root=DIR",
        SHORT[1:]: "995 of 1000 classes missing",
        (*SHORT, "head_file=taken.pth"): "taken.pth: exists and comes from another training",
        (*SHORT, "+recipe.epoch=3"): "unknown key recipe.epoch: did you mean epochs?",
        (*SHORT, "model.weights.hash=md5:0", "model.weights.file=taken.pth"): "expected md5 0",
    }
    for options, said in cases.items():
        failed = run(probe_toy, *options)
        assert failed.returncode == 1
        assert said in failed.stderr
        assert "Traceback" not in failed.stdout + failed.stderr
        assert failed.stdout == ""
        (line,) = failed.stderr.strip().splitlines()
        assert "[ERROR]" in line
    assert (probe_toy / "taken.pth").read_bytes() == b"somebody's"
