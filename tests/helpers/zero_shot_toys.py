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
            for name, parameter in model.named_parameters():
                # Those that begin with 0 say nothing, and little of the picture would be seen.
                size = 0.2 if name.startswith("visual") else 0.02
                parameter.add_(size * torch.randn_like(parameter))
    folder.mkdir(parents=True)
    content = {"model_cfg": config, "preprocess_cfg": STEPS}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model


def clip_folder(folder: Path, kind: str) -> Any:
    """A repository of CLIP or SigLIP on disk, with a tokenizer of whole words; its model."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    from oodbench.reference import text_lists

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    words = sorted({word for name in text_lists("class_names")["clip"] for word in name.split()})
    vocab = {word: k for k, word in enumerate(["<pad>", "<unk>", "a", "photo", "of", ".", *words])}
    vocab.setdefault("<end>", len(vocab))
    text = {
        **tower,
        "num_hidden_layers": 1,
        "vocab_size": len(vocab) + 1,
        "max_position_embeddings": 16,
        "eos_token_id": vocab["<end>"],
        "bos_token_id": 0,
        "pad_token_id": 0,
    }
    vision = {**tower, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16}
    extra = {"projection_dim": 16} if kind == "clip" else {}
    config = AutoConfig.for_model(kind, text_config=text, vision_config=vision, **extra)
    make: Any = AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", vocab["<end>"])]
    )
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>").save_pretrained(folder)
    steps = {
        "size": {"shortest_edge": 32},
        "crop_size": 32,
        "do_center_crop": True,
        "resample": 3,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(steps))
    return model
