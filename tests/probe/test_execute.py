"""Plans and their execution in this process; the head file as `model=moco_v2` reads it."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from in_process import make_importable
from probe_toys import ALONE, composed, read_head
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from oodbench.core.errors import ConfigError, DataError, WeightsError
from oodbench.models.build import build_classifier
from oodbench.models.loading import read_state_dict
from oodbench.models.weights import find_weights
from oodbench.probe import pixels
from oodbench.probe.execute import describe_probe, stop_flag, train_probe
from oodbench.probe.log import TensorBoard, check_tensorboard
from oodbench.probe.plan import ProbePlan, make_probe_plan
from oodbench.probe.processes import decoding_processes, join
from oodbench.probe.schema import ProbeConfig

TREES = ("train", "val")


@pytest.fixture
def base(probe_toy: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Overrides of a small training in the current folder."""
    monkeypatch.chdir(probe_toy)
    make_importable(probe_toy, monkeypatch)
    monkeypatch.delitem(sys.modules, "toy_network", raising=False)
    return (
        "hydra.searchpath=[file://my_conf]",
        "model=toy",
        "data.allow_partial=true",
        "data.workers=0",
        "recipe.epochs=2",
        "recipe.milestones=[]",
        "recipe.lr=1",
        "device=cpu",
    )


def key(probe: ProbeConfig) -> str:
    return make_probe_plan(probe).key


def test_key_follows_what_changes_the_weights_and_nothing_else(base: tuple[str, ...]) -> None:
    first = key(composed(*base))
    for same in (
        "data.workers=3",
        "output_root=other",
        "checkpoint_minutes=1",
        "head_file=x.pth",
        "forward_batch_size=3",
        "recipe.name=mine",
        "recipe.lr=1.0",
        "data.val_expected=7",
    ):
        assert key(composed(*base, same)) == first
    for other in (
        "recipe.epochs=3",
        "recipe.augment=none",
        "recipe.momentum=0.5",
        "seed=1",
        "precision=bf16",
        "data.classes=folders",
        "preprocessing.crop=16",
        "+model.weights.random_seed=1",
        "data.val_root=data/imagenet/train",
    ):
        assert key(composed(*base, other)) != first


def test_moco_head_is_read_by_the_evaluation(base: tuple[str, ...], tmp_path: Path) -> None:
    """Pre-training file -> probe -> head file -> the classifier of model=moco_v2."""
    source = torchvision.models.resnet50().eval()
    encoder = {
        f"module.encoder_q.{name}": tensor
        for name, tensor in source.state_dict().items()
        if not name.startswith("fc.")
    }
    encoder["module.queue"] = torch.zeros(2, 2)
    torch.save({"epoch": 800, "state_dict": encoder}, tmp_path / "pretrain.pth.tar")
    probe = composed(
        *base,
        "model=moco_v2",
        "model.weights.hash=null",
        f"model.weights.file={tmp_path / 'pretrain.pth.tar'}",
        f"weights.dir={tmp_path / 'w'}",
        "model.input_size=32",
        "recipe.augment=none",
    )
    plan = make_probe_plan(probe)
    assert not train_probe(plan, ALONE)
    assert plan.head_file == tmp_path / "w" / "moco_v2_head.pth.tar"
    files = find_weights(probe.model.name, probe.model.weights, tmp_path, download=False)
    classifier = build_classifier(probe.model, weights_files=files)
    head = read_state_dict(plan.head_file)
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    source.fc = nn.Identity()
    with torch.no_grad():
        features = source((images - classifier.mean) / classifier.std)
        by_hand = features @ head["fc.weight"].T + head["fc.bias"]
        torch.testing.assert_close(classifier(images), by_hand, rtol=1e-4, atol=1e-4)
    assert head["fc.weight"].shape == (1000, 2048)
    content = torch.load(plan.head_file, weights_only=True)
    assert content["recipe"]["lr"] == 1.0
    assert content["backbone"]["model"] == "moco_v2"
    assert str(plan.head_file) in describe_probe(plan)


def test_an_unfinished_epoch_is_read_from_the_same_pixels_whatever_the_workers(
    base: tuple[str, ...],
) -> None:
    heads = []
    for workers in (0, 2):
        name = f"head{workers}.pth"
        probe = composed(
            *base, f"data.workers={workers}", f"output_root=out{workers}", f"head_file={name}"
        )
        train_probe(make_probe_plan(probe), ALONE)
        heads.append(Path(name).read_bytes())
    assert heads[0] == heads[1]


def test_features_are_computed_once_without_augmentation(
    base: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    original = pixels.load_picture
    monkeypatch.setattr(
        pixels, "load_picture", lambda path: (loaded.append(path), original(path))[1]
    )
    train_probe(make_probe_plan(composed(*base, "recipe.augment=none", "recipe.epochs=5")), ALONE)
    assert len(loaded) == len(set(loaded)) == 120


def test_another_head_is_refused_before_the_training(base: tuple[str, ...]) -> None:
    train_probe(make_probe_plan(composed(*base, "head_file=head.pth")), ALONE)
    before = Path("head.pth").read_bytes()
    make_probe_plan(composed(*base, "head_file=head.pth"))
    other = (*base, "head_file=head.pth", "seed=1")
    with pytest.raises(ConfigError, match=r"head.pth: exists and .*overwrite=true to replace it"):
        make_probe_plan(composed(*other))
    train_probe(make_probe_plan(composed(*other, "overwrite=true")), ALONE)
    assert Path("head.pth").read_bytes() != before
    # The first training is done already; its head is written again where it is missing.
    Path("head.pth").unlink()
    assert train_probe(make_probe_plan(composed(*base, "head_file=head.pth")), ALONE)
    assert Path("head.pth").read_bytes() == before


def test_pictures_and_code_that_change_are_another_training(
    base: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OODBENCH_CACHE", "cache")
    short = (*base, "recipe.epochs=1")
    of = {tree: Path(f"data/imagenet/{tree}/n01440764/n01440764_007.JPEG") for tree in TREES}
    for picture in of.values():
        with picture.open("ab") as file:  # so that the other one fits into its size
            file.write(bytes(9999))
    plan = make_probe_plan(composed(*short))
    assert not train_probe(plan, ALONE)
    other = Path("data/imagenet/train/n01498041/n01498041_003.JPEG").read_bytes()
    for tree, picture in of.items():
        sound = picture.read_bytes()
        picture.write_bytes(other.ljust(len(sound), b"\0"))
        assert key(composed(*short)) != plan.key
        assert key(composed(*short, "data.verify=sizes")) == plan.key
        with pytest.raises(DataError, match="007.JPEG: holds another picture than when it was"):
            list(load_one(plan, tree, 7))
        picture.write_bytes(sound)
        assert key(composed(*short)) == plan.key
    sys.modules.pop("toy_network", None)
    code = Path("toy_network.py").read_text()
    Path("toy_network.py").write_text(code.replace("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"))
    assert key(composed(*short)) != plan.key


def load_one(plan: ProbePlan, tree: str, index: int) -> Iterator[torch.Tensor]:
    pictures = getattr(plan, tree).pictures(plan.classes)
    dataset = pixels.PictureSet(pictures, pixels.centre_crop_transform(plan.probe.preprocessing))
    yield from pixels.load_pixels(dataset, [np.array([index])], workers=0, pin=False)


def test_target_that_is_a_folder(base: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="data: is a folder; set head_file=PATH to a file"):
        make_probe_plan(composed(*base, "head_file=data"))


def test_unknown_weights_are_refused(base: tuple[str, ...]) -> None:
    with pytest.raises(WeightsError, match="its weights are unknown: set model.weights.identity"):
        make_probe_plan(composed(*base, "model.weights.identity=null"))


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device=cuda: PyTorch finds no CUDA device"):
        join("cuda")
    with pytest.raises(ConfigError, match="^device=gpu: PyTorch has none .* use device=cpu"):
        join("gpu")
    assert join("auto") == ALONE


def test_a_process_without_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("oodbench.probe.processes.resolve_device", lambda name, key: "cuda")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match=r"process 3 .* use torchrun --nproc-per-node 2, or"):
        join("auto")


@pytest.mark.parametrize(
    ("workers", "here", "cores", "decoders"),
    [
        (None, 1, 6, 6),
        (None, 4, 6, 1),
        (None, 8, 4, 1),
        (None, 2, 128, 16),
        (0, 1, 6, 0),
        (3, 9, 1, 3),
    ],
)
def test_decoding_processes_share_the_cores(
    workers: int | None, here: int, cores: int, decoders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    assert decoding_processes(workers) == decoders


def test_tf32_needs_a_card(base: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="^precision=tf32: needs a CUDA device, this is cpu"):
        train_probe(make_probe_plan(composed(*base, "precision=tf32")), ALONE)


def test_unreadable_picture_names_the_file(base: tuple[str, ...]) -> None:
    broken = Path("data/imagenet/train/n01440764/n01440764_003.JPEG")
    broken.write_bytes(b"no picture")
    with pytest.raises(DataError, match=f"{broken}: cannot be read as a picture"):
        train_probe(make_probe_plan(composed(*base)), ALONE)


def test_features_of_another_size_are_refused(base: tuple[str, ...]) -> None:
    plan = make_probe_plan(composed(*base))
    plan.paths.features.mkdir(parents=True)
    np.save(plan.paths.features / "val.npy", np.zeros((3, 48), dtype=np.float32))
    with pytest.raises(DataError, match=r"val.npy: \(3, 48\), expected \(60, 48\): remove the"):
        train_probe(plan, ALONE)


def test_tensorboard_holds_every_epoch_once_after_going_on(tmp_path: Path) -> None:
    rows = [
        {
            "epoch": epoch,
            "lr": 1.0,
            "train_loss": 3.0,
            "train_top1": 0.5,
            "val_loss": 4.0,
            "val_top1": 0.25 * epoch,
        }
        for epoch in (1, 2, 3)
    ]
    TensorBoard(tmp_path / "events", rows[:2]).close()
    board = TensorBoard(tmp_path / "events", rows[:1])
    for row in rows[1:]:
        board.add(row)
    board.close()
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    assert set(events.Tags()["scalars"]) == {
        "lr",
        "loss/train",
        "loss/val",
        "top1/train",
        "top1/val",
    }
    found = [(event.step, event.value) for event in events.Scalars("top1/val")]
    assert found == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_tensorboard_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[tensorboard\]'"):
        check_tensorboard()


def test_the_second_ctrl_c_interrupts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_flag() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_head_of_the_toy_has_the_names_of_moco(base: tuple[str, ...]) -> None:
    plan = make_probe_plan(composed(*base, "data.classes=folders"))
    train_probe(plan, ALONE)
    assert {name: tuple(t.shape) for name, t in read_head(plan.paths.head).items()} == {
        "fc.weight": (5, 48),
        "fc.bias": (5,),
    }
