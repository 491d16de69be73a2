"""CLIP and SigLIP of transformers: logits are those of its own towers in a plain loop."""

from pathlib import Path
from typing import Any

import pytest
import torch
from configs import composed
from zero_shot_toys import clip_folder

from oodbench.core.errors import ConfigError
from oodbench.models.build import build_classifier
from oodbench.models.weights import identified
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


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    clip_folder(folder, "clip")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ConfigError, match="no tokenizer, such as tokenizer.json"):
        config(folder)
