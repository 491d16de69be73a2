"""CLIP and SigLIP of transformers as zero-shot classifiers."""

import json
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from oodbench.core.errors import ConfigError, WeightsError, one_line
from oodbench.models.huggingface import LibraryKind, library_model
from oodbench.models.zero_shot.assemble import assembled
from oodbench.models.zero_shot.texts import Content
from oodbench.models.zero_shot.tokenizers import tokenizer_folder


class ImageTower(nn.Module):
    """Features of pictures, by a model of transformers."""

    def __init__(self, model: Any) -> None:
        """`model`: one with `get_image_features`, whose text tower is let go."""
        super().__init__()
        model.text_model = None
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Features `(N, D)` of normalised images `(N, 3, H, W)`."""
        return _features(self.model.get_image_features(pixel_values=images))


def transformers_clip_network(
    *,
    config: str,
    tokenizer: str,
    prompts: Content,
    class_names: Content,
    tokenizer_hash: str | None = None,
    weights_file: str | None = None,
    device: str = "cpu",
) -> nn.Module:
    """The image tower of CLIP or SigLIP, and the classes in its words. No code is run.

    Args:
        config: content of its `config.json`.
        tokenizer: folder or repository that has it.
        prompts, class_names: see `oodbench.models.zero_shot.texts`.
        tokenizer_hash: of its files; another tokenizer makes other runs.
        weights_file: `.safetensors` of both towers, one of its shards or their index. Default:
            random weights.
        device: that the texts' features are computed on.

    Raises:
        ConfigError: transformers is not installed, has no such model, or the tokenizer cannot be
            had.
        WeightsError: the file is no safetensors file, or does not fit.
    """
    kind = LibraryKind("AutoModel", "transformers_clip", "model")
    try:
        model = library_model(kind, config, weights_file)
    except RuntimeError as error:
        raise WeightsError(f"{weights_file}: does not fit: {one_line(error, 300)}") from None
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise ConfigError(
            f"transformers' {model.config.model_type} compares no pictures with texts: use "
            "model=transformers for an image classifier"
        )
    tokenize = _tokenizer(tokenizer, model.config)

    def encode(texts: Sequence[str]) -> Tensor:
        return _features(model.get_text_features(**tokenize(texts).to(device)))

    return assembled(
        model,
        lambda: ImageTower(model),
        encode,
        prompts=prompts,
        class_names=class_names,
        grounds=json.dumps([config, tokenizer, tokenizer_hash]),
        weights_file=weights_file,
        device=device,
    )


def _tokenizer(where: str, config: Any) -> Any:
    from transformers import AutoTokenizer

    make: Any = AutoTokenizer
    try:
        # What is on the hub was fetched when its hash was taken.
        tokenizer = make.from_pretrained(tokenizer_folder(where, download=False))
    except ConfigError:
        raise
    except Exception as error:  # of the hub, of the tokenizers and of transformers
        raise ConfigError(f"{where}: its tokenizer cannot be had: {one_line(error, 200)}") from None
    longest = config.text_config.max_position_embeddings
    # SigLIP was trained on texts of full length, as its model card says.
    padding: Any = "max_length" if "siglip" in config.model_type else True

    def tokenize(texts: Sequence[str]) -> Any:
        found = tokenizer(
            list(texts), padding=padding, truncation=True, max_length=longest, return_tensors="pt"
        )
        if "siglip" in config.model_type:
            found.pop("attention_mask", None)
        return found

    return tokenize


def _features(found: Any) -> Tensor:
    """The tensor, which newer versions of transformers put into an object."""
    features: Tensor = getattr(found, "pooler_output", found)
    return features
