"""Small models of pictures and texts in the real formats, with random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 32,
        "head_width": 16,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 32,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}
STEPS: dict[str, Any] = {
    "mean": [0.48, 0.45, 0.40],
    "std": [0.26, 0.27, 0.28],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
NAMES = ["tench", "goldfish", "great white shark"]


def open_clip_folder(folder: Path, **changed: Any) -> Any:
    """A repository of open_clip on disk; its whole model."""
    import open_clip

    config = {**CONFIG, **changed}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
        model = kind(**{k: v for k, v in config.items() if k != "custom_text"}).eval()
        with torch.no_grad():
            for parameter in model.parameters():  # those that begin with 0 say nothing
                parameter.add_(0.02 * torch.randn_like(parameter))
    folder.mkdir(parents=True)
    content = {"model_cfg": config, "preprocess_cfg": STEPS}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model
