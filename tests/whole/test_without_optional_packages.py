"""A clean evaluation needs none of the packages that only clips, one engine or one attack use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toys import Cli, command

UNUSED = ("av", "corrupt_tta", "cv2", "foolbox", "onnx", "onnxruntime", "openvino", "transformers")


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["threads", "processes"])
def test_pictures_are_evaluated_without_them(toy: Path, loader: str) -> None:
    # Python imports sitecustomize first, here and in the processes that load pictures.
    (toy / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({UNUSED!r}))\n"
    )
    options = ("preprocessing=timm", "model=toy", f"data.loader={loader}", "data.workers=2")
    line, environment = command(toy, *options)
    done = subprocess.run(
        line, cwd=toy, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (information,) = (toy / "outputs").rglob("run.json")
    (session,) = json.loads(information.read_text())["sessions"]
    assert session["clip_decoder"] is None


def test_clips_without_pyav_are_one_line_that_says_what_to_install(
    toy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = toy / "data" / "imagenet-p" / "gaussian_noise" / "n01440764" / "clip.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"no clip")
    monkeypatch.setitem(sys.modules, "av", None)
    done = cli("model=toy", "preprocessing=timm", "benchmark=imagenet_p")
    assert done.returncode == 1
    assert "clips need PyAV" in done.stderr
    assert "pip install av" in done.stderr
