"""Models of open_clip: their logits are those of its own zero-shot loop."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from configs import composed
from PIL import Image
from safetensors.torch import save_file
from zero_shot_toys import CONFIG, STEPS, clip_folder, open_clip_folder

from oodbench.core.building import build
from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.schema import RunConfig
from oodbench.models.build import build_classifier
from oodbench.models.weights import identified, wanted
from oodbench.models.zero_shot import features, open_clip_facts
from oodbench.models.zero_shot.open_clip_facts import open_clip_fact
from oodbench.models.zero_shot.tokenizers import tokenizer_hash
from oodbench.reference import text_lists

open_clip = pytest.importorskip("open_clip")

DATA = os.environ.get("OODBENCH_TEST_DATA")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiny"


def config(folder: Path, *overrides: str) -> RunConfig:
    return composed(
        "model=open_clip",
        f"model.arch={folder}",
        f"model.weights.file={folder}/open_clip_model.safetensors",
        "model.prompts=plain",
        *overrides,
    )


def logits_of(run: RunConfig, images: torch.Tensor) -> torch.Tensor:
    found = identified(run.model.name, run.model.weights, Path("weights"), download=False)
    classifier = build_classifier(run.model, weights_files=found.files)
    with torch.inference_mode():
        return classifier(images)


def their_logits(
    model: Any, templates: list[str], images: torch.Tensor, tokenizer: Any = None
) -> torch.Tensor:
    """By open_clip's own zero-shot classifier, on its own normalisation."""
    tokenizer = tokenizer or open_clip.SimpleTokenizer(context_length=32)
    names = text_lists("class_names")["clip"]
    classes = open_clip.build_zero_shot_classifier(
        model, tokenizer, names, [t.replace("{c}", "{}") for t in templates]
    )
    mean, std = (torch.tensor(STEPS[k]).view(3, 1, 1) for k in ("mean", "std"))
    with torch.inference_mode():
        features = model.encode_image((images - mean) / std, normalize=True)
        logits = model.logit_scale.exp() * features @ classes
        return logits if model.logit_bias is None else logits + model.logit_bias


def test_a_tokenizer_of_transformers_is_in_the_config(tmp_path: Path) -> None:
    """And so in the run key; the configs of other models are as they were."""
    clip_folder(tmp_path / "words", "clip")
    text = {**CONFIG["text_cfg"], "hf_tokenizer_name": str(tmp_path / "words")}
    model = open_clip_folder(tmp_path / "tiny", text_cfg=text)
    stored = json.loads(open_clip_fact(str(tmp_path / "tiny"), None, "config"))
    assert stored.pop("tokenizer_hash") == tokenizer_hash(tmp_path / "words")
    assert stored == {**CONFIG, "text_cfg": text}
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = their_logits(
        model,
        text_lists("prompts")["plain"],
        images,
        open_clip.tokenizer.HFTokenizer(str(tmp_path / "words"), context_length=32),
    )
    assert torch.allclose(logits_of(config(tmp_path / "tiny"), images), expected, atol=1e-3)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"custom_text": True},
        {"custom_text": True, "init_logit_bias": -10.0},
        {"quick_gelu": True},
    ],
    ids=["clip", "custom text", "with a bias", "quick gelu"],
)
def test_logits_are_those_of_open_clip(folder: Path, changed: dict[str, Any]) -> None:
    model = open_clip_folder(folder, **changed)
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = their_logits(model, ["a photo of a {c}."], images)
    found = logits_of(config(folder), images)
    assert found.shape == (4, 1000)
    assert torch.allclose(found, expected, atol=1e-4)
    assert expected.std(dim=1).min() > 0.1  # they tell something apart


def test_several_templates_and_a_file_of_the_user(folder: Path, tmp_path: Path) -> None:
    model = open_clip_folder(folder)
    templates = ["a sketch of a {c}", "{c}, seen from far away.", "the {c}!"]
    (tmp_path / "mine.txt").write_text("\n".join(templates))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    run = config(folder, f"model.prompts={tmp_path}/mine.txt")
    assert torch.allclose(logits_of(run, images), their_logits(model, templates, images), atol=1e-4)
    assert run.model.network["prompts"] == templates  # by content, so that the key holds them


def test_the_shipped_templates_are_those_of_open_clip() -> None:
    """open_clip ships OpenAI's own: a second source of what is shipped here."""
    theirs = [template("X") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    assert [t.replace("{c}", "X") for t in text_lists("prompts")["imagenet_80"]] == theirs
    plain = text_lists("prompts")["plain"]
    assert plain == ["a photo of a {c}."]


def test_the_shipped_names_are_those_of_open_clip() -> None:
    assert text_lists("class_names")["clip"] == list(open_clip.IMAGENET_CLASSNAMES)


def test_text_features_are_kept_and_give_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_clip_folder(folder)
    images = torch.rand(2, 3, 32, 32)
    first = logits_of(config(folder), images)

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(features, "_computed", never)
    again = logits_of(config(folder), images)
    assert torch.equal(first, again)
    with pytest.raises(ConfigError, match="computed again"):
        logits_of(config(folder, "model.prompts=imagenet_80"), images)


def test_gradients_reach_the_pixels(folder: Path) -> None:
    open_clip_folder(folder)
    run = config(folder)
    found = identified(run.model.name, run.model.weights, Path("weights"), download=False)
    classifier = build_classifier(run.model, weights_files=found.files)
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    torch.nn.functional.cross_entropy(classifier(images), torch.tensor([1, 2])).backward()
    assert images.grad is not None
    assert images.grad.abs().amax(dim=(1, 2, 3)).min() > 0


def test_facts_of_a_folder(folder: Path) -> None:
    open_clip_folder(folder)
    run = config(folder)
    model = run.model
    assert model.name == "open_clip_tiny"
    assert (model.input_size, model.crop_pct, model.interpolation) == (32, 1.0, "bicubic")
    assert (model.mean, model.std) == (STEPS["mean"], STEPS["std"])
    assert json.loads(model.network["config"]) == CONFIG


def test_facts_of_a_name_are_those_of_open_clip() -> None:
    arch, tag = "ViT-B-32", "laion2b_s34b_b79k"
    theirs = open_clip.get_pretrained_cfg(arch, tag)
    run = composed("model=open_clip", f"model.arch={arch}", f"model.pretrained={tag}")
    assert run.model.name == f"open_clip_{arch}_{tag}"
    assert run.model.weights.hub == theirs["hf_hub"].rstrip("/")
    assert run.model.mean == pytest.approx(theirs["mean"])
    assert run.model.input_size == open_clip.get_model_config(arch)["vision_cfg"]["image_size"]
    assert run.model.crop_pct == 1.0
    assert "open_clip_model.safetensors" in wanted(run.model.weights)
    quick = open_clip_fact("ViT-B-32", "openai", "config")
    assert json.loads(quick)["quick_gelu"] is True
    assert open_clip_fact("ViT-B-16-SigLIP", "webli", "resize_mode") == "squash"


def test_a_plan_needs_no_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked once is remembered, so that skipping a run imports nothing heavy."""
    open_clip_fact("ViT-B-32", "openai", "input_size")

    def never(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(open_clip_facts, "_asked", never)
    assert open_clip_fact("ViT-B-32", "openai", "input_size") == 224


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.arch=ViT-B-33"], "open_clip has no model ViT-B-33; close names: ViT-B-32"),
        (
            ["model.arch=ViT-B-32", "model.pretrained=laion"],
            "open_clip has no such weights of ViT-B-32; available: openai",
        ),
        (["model.arch=ViT-B-32", "model.prompts=nothing"], "neither a file nor one of imagenet_80"),
    ],
)
def test_wrong_values_are_named(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        composed("model=open_clip", *overrides)


def test_templates_and_names_are_checked(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("a photo of something\n")
    (tmp_path / "few.txt").write_text("tench\ngoldfish\n")
    base = ("model=open_clip", "model.arch=ViT-B-32")
    with pytest.raises(ConfigError, match="has no {c}, where the class is to stand"):
        composed(*base, f"model.prompts={tmp_path}/none.txt")
    with pytest.raises(ConfigError, match="2 names instead of 1000"):
        composed(*base, f"model.class_names={tmp_path}/few.txt")


def test_weights_that_do_not_fit(folder: Path) -> None:
    open_clip_folder(folder)
    save_file({"a": torch.zeros(1)}, folder / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match="does not fit"):
        logits_of(config(folder), torch.rand(1, 3, 32, 32))


def test_models_of_another_kind_are_refused(folder: Path) -> None:
    open_clip_folder(folder)
    content = json.loads((folder / "open_clip_config.json").read_text())
    content["model_cfg"]["multimodal_cfg"] = {}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="CoCa models"):
        logits_of(config(folder), torch.rand(1, 3, 32, 32))


def test_without_open_clip_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from oodbench.models.zero_shot.open_clip import load_open_clip

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ConfigError, match=r"pip install -e '.\[open-clip\]'"):
        load_open_clip()


@pytest.mark.skipif(DATA is None, reason="OODBENCH_TEST_DATA is not set")
@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_native_preprocessing_is_open_clips(folder: Path, mode: str, interpolation: str) -> None:
    """Pixels of preprocessing=timm beside those of open_clip's own evaluation transform."""
    open_clip_folder(folder)
    content = json.loads((folder / "open_clip_config.json").read_text())
    content["preprocess_cfg"] |= {"resize_mode": mode, "interpolation": interpolation}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    run = config(folder, "preprocessing=timm", f"output_root={mode}-{interpolation}")
    ours = build(run.preprocessing, "preprocessing")
    theirs = open_clip.image_transform(
        32,
        is_train=False,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        interpolation=interpolation,
        resize_mode=mode,
    )
    files = sorted((Path(str(DATA)) / "imagenet" / "val").rglob("*.JPEG"))[:8]
    for file in files:
        with Image.open(file) as picture:
            rgb = picture.convert("RGB")
        found = torch.from_numpy(ours(rgb)).permute(2, 0, 1)
        assert torch.equal(found, (theirs(rgb) * 255).round().to(torch.uint8))


def test_pictures_that_are_padded_are_refused(folder: Path) -> None:
    open_clip_folder(folder)
    content = json.loads((folder / "open_clip_config.json").read_text())
    content["preprocess_cfg"]["resize_mode"] = "longest"
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="model.resize_mode=longest is not supported"):
        config(folder, "preprocessing=timm")
