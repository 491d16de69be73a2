"""CLIP and SigLIP of transformers: logits are those of its own towers in a plain loop."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from configs import composed
from zero_shot_toys import clip_folder

from oodbench.core.errors import ConfigError
from oodbench.models.build import build_classifier
from oodbench.models.huggingface_facts import transformers_fact
from oodbench.models.weights import identified
from oodbench.models.zero_shot.tokenizers import tokenizer_folder, tokenizer_hash
from oodbench.reference import text_lists
from oodbench.runs.key import key_document, run_key

pytest.importorskip("transformers")


def config(folder: Path, *overrides: str) -> Any:
    base = ("model=transformers_clip", f"model.repository={folder}", "model.prompts=plain")
    return composed(*base, *overrides)


def logits_of(run: Any, images: torch.Tensor) -> torch.Tensor:
    found = identified(run.model.name, run.model.weights, Path("weights"), download=False)
    classifier = build_classifier(run.model, weights_files=found.files)
    with torch.inference_mode():
        return classifier(images)


def tensor(found: Any) -> torch.Tensor:
    kept = getattr(found, "pooler_output", found)
    assert isinstance(kept, torch.Tensor)
    return kept


def their_logits(model: Any, folder: Path, kind: str, images: torch.Tensor) -> torch.Tensor:
    """One text at a time, as the model cards show it."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": 16} if kind == "siglip" else {}
    columns = []
    with torch.inference_mode():
        for name in text_lists("class_names")["clip"]:
            text = tokenizer([f"a photo of a {name}."], return_tensors="pt", **padding)
            features = tensor(model.get_text_features(input_ids=text["input_ids"]))[0]
            columns.append(features / features.norm())
        seen = tensor(model.get_image_features(pixel_values=(images - 0.5) / 0.5))
        seen = seen / seen.norm(dim=-1, keepdim=True)
        logits = model.logit_scale.exp() * seen @ torch.stack(columns, dim=1)
        return logits + model.logit_bias if kind == "siglip" else logits


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_logits_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    model = clip_folder(folder, kind)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = their_logits(model, folder, kind, images)
    found = logits_of(config(folder), images)
    assert torch.allclose(found, expected, atol=1e-3)
    assert expected.std(dim=1).min() > 0.01


def test_another_tokenizer_or_template_is_another_run(tmp_path: Path) -> None:
    clip_folder(tmp_path / "clip", "clip")

    def key(*overrides: str) -> str:
        run = config(tmp_path / "clip", *overrides)
        return run_key(key_document(run, weights="w", splits=[], device_type="cpu"))

    before = key()
    assert key("model.prompts=imagenet_80") != before
    file = tmp_path / "clip" / "tokenizer.json"
    file.write_text(file.read_text().replace("tench", "tenhc"))
    assert key("seed=1") != before  # a seed is in no key, and not in the cache of configs


def in_the_cache(folder: Path, home: Path, repository: str) -> Path:
    """A folder as the hub's cache has the files of a repository; the folder of its snapshot."""
    place = home / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = place / "snapshots" / ("a" * 40)
    shutil.copytree(folder, snapshot)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("a" * 40)
    return snapshot


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache in a folder of its own, and a hub that nobody answers for."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


def test_a_tokenizer_of_the_hub_is_in_the_key_and_needs_no_network(hub: Path) -> None:
    clip_folder(hub / "clip", "clip")
    snapshot = in_the_cache(hub / "clip", hub, "owner/name")
    assert tokenizer_folder("owner/name", download=True) == snapshot
    assert tokenizer_folder("owner/name", download=False) == snapshot
    assert tokenizer_hash(snapshot) == tokenizer_hash(hub / "clip")
    fact = transformers_fact("owner/name", "tokenizer_hash", download=False)
    assert fact == tokenizer_hash(snapshot)
    before = tokenizer_hash(snapshot)
    (snapshot / "tokenizer_config.json").write_text("{}")
    assert tokenizer_hash(snapshot) != before


def test_a_tokenizer_is_not_fetched_where_that_is_off(hub: Path) -> None:
    with pytest.raises(ConfigError, match="owner/other: its tokenizer cannot be had"):
        tokenizer_folder("owner/other", download=False)
    clip_folder(hub / "clip", "clip")
    snapshot = in_the_cache(hub / "clip", hub, "owner/part")
    (snapshot / "tokenizer_config.json").unlink()
    with pytest.raises(ConfigError, match=r"cache, and weights\.download=false"):
        tokenizer_folder("owner/part", download=False)


def test_texts_are_computed_on_the_device_of_the_run(tmp_path: Path) -> None:
    """A device that computes nothing shows that it was asked."""
    clip_folder(tmp_path / "clip", "clip")
    run = config(tmp_path / "clip")
    found = identified(run.model.name, run.model.weights, Path("weights"), download=False)
    with pytest.raises(ConfigError, match="meta tensors"):
        build_classifier(run.model, weights_files=found.files, device="meta")


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    clip_folder(folder, "clip")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ConfigError, match="no tokenizer, such as tokenizer.json"):
        config(folder)
