"""Models of open_clip as zero-shot classifiers."""

import json
import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from oodbench.core.errors import ConfigError, WeightsError, one_line
from oodbench.core.extras import install_extra
from oodbench.models.zero_shot.assemble import assembled
from oodbench.models.zero_shot.open_clip_facts import TOKENIZER_HASH
from oodbench.models.zero_shot.texts import Content
from oodbench.models.zero_shot.tokenizers import tokenizer_folder


def open_clip_network(
    *,
    config: str,
    prompts: Content,
    class_names: Content,
    weights_file: str | None = None,
    device: str = "cpu",
) -> nn.Module:
    """The image tower of a model of open_clip, and the classes in its words.

    Args:
        config: `model_cfg` of open_clip as JSON, with `tokenizer_hash` beside its keys where its
            tokenizer is one of transformers: another tokenizer makes other runs.
        prompts, class_names: see `oodbench.models.zero_shot.texts`.
        weights_file: of both towers, `.safetensors` or what torch.save wrote without code. Default:
            random weights.
        device: that the texts' features are computed on.

    Raises:
        ConfigError: open_clip is not installed, or the model is of a kind that is not supported.
        WeightsError: the file does not fit.
    """
    open_clip = load_open_clip()
    parts: dict[str, Any] = json.loads(config)
    parts.pop(TOKENIZER_HASH, None)
    model = _model(open_clip, deepcopy(parts))
    if weights_file is not None:
        _load(open_clip, model, weights_file)
    tokenize = _tokenizer(open_clip, parts["text_cfg"])

    def encode(texts: Sequence[str]) -> Tensor:
        found: Tensor = model.encode_text(tokenize(list(texts)).to(device))
        return found

    return assembled(
        model,
        lambda: model.visual,
        encode,
        prompts=prompts,
        class_names=class_names,
        grounds=config,
        weights_file=weights_file,
        device=device,
    )


def load_open_clip() -> Any:
    """The module `open_clip`.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import open_clip
    except ModuleNotFoundError:
        raise ConfigError(
            f"model=open_clip needs that package too: {install_extra('open-clip')}"
        ) from None
    return open_clip


def _model(open_clip: Any, parts: dict[str, Any]) -> Any:
    """The whole model with random weights."""
    if "multimodal_cfg" in parts or "hf_model_name" in parts["text_cfg"]:
        raise ConfigError(
            "model.arch: open_clip's CoCa models, and those whose text tower is of transformers, "
            "are not supported: choose another one"
        )
    kind = open_clip.CustomTextCLIP if parts.pop("custom_text", False) else open_clip.CLIP
    before = logging.root.level
    try:
        return kind(**parts)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model.arch: open_clip refuses its config: {one_line(error)}") from None
    finally:
        logging.root.setLevel(before)


def _load(open_clip: Any, model: nn.Module, weights_file: str) -> None:
    try:
        open_clip.load_checkpoint(model, weights_file, weights_only=True)
    except Exception as error:  # of torch.load, of safetensors and of load_state_dict
        raise WeightsError(f"{weights_file}: does not fit: {one_line(error, 300)}") from None


def _tokenizer(open_clip: Any, text: dict[str, Any]) -> Any:
    length = text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
    options = text.get("tokenizer_kwargs", {})
    name = text.get("hf_tokenizer_name")
    if not name:
        return open_clip.SimpleTokenizer(context_length=length, **options)
    folder = tokenizer_folder(name, download=False)  # fetched when its hash was taken
    try:
        return open_clip.tokenizer.HFTokenizer(
            str(folder),
            context_length=length,
            tokenizer_mode=text.get("tokenizer_mode"),
            **options,
        )
    except Exception as error:  # of transformers and of the hub
        raise ConfigError(
            f"model.arch: its tokenizer {name} cannot be had: {one_line(error, 200)}"
        ) from None
