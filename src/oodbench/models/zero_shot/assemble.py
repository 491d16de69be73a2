"""A zero-shot network from a model of pictures and texts, whichever library it is of."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from oodbench.models.zero_shot.features import class_features
from oodbench.models.zero_shot.network import ZeroShotNetwork
from oodbench.models.zero_shot.texts import Content, sentences


def assembled(
    model: Any,
    images: Callable[[], nn.Module],
    encode: Callable[[Sequence[str]], Tensor],
    *,
    prompts: Content,
    class_names: Content,
    grounds: str,
    weights_file: str | None,
    device: str,
) -> ZeroShotNetwork:
    """The image tower and the classes in the model's words, on the CPU.

    Args:
        model: both towers, with `logit_scale` and, where it has one, `logit_bias`.
        images: gives the image tower once texts are done.
        encode: texts -> features `(n, D)`, on the device.
        prompts, class_names: see `oodbench.models.zero_shot.texts`.
        grounds, weights_file, device: see `oodbench.models.zero_shot.features.class_features`.
    """
    model.eval().to(device)
    features = class_features(
        sentences(prompts, class_names),
        encode,
        grounds=grounds,
        weights_file=None if weights_file is None else Path(weights_file),
        device=device,
    )
    model.to("cpu")
    bias = getattr(model, "logit_bias", None)
    return ZeroShotNetwork(
        images(),
        features,
        scale=model.logit_scale.detach().exp().item(),
        bias=0.0 if bias is None else bias.detach().item(),
    )
