"""What a run records of an attack, without a run."""

import pandas as pd
import torch
from torch import Tensor, nn

from oodbench.attacks.base import Attack
from oodbench.readouts import cross_entropy


def records_of_attack(
    attack: Attack, network: nn.Module, images: Tensor, labels: Tensor
) -> pd.DataFrame:
    """Its report's rows; the seeds count up from 0."""
    result = attack(network, images, labels, list(range(len(images))))
    with torch.no_grad():
        clean, found = network(images).numpy(), network(result.images).numpy()
    columns = {name: values.numpy() for name, values in result.columns.items()}
    return pd.DataFrame(
        {
            "label": labels.numpy(),
            "prediction": found.argmax(1),
            "clean_prediction": clean.argmax(1),
            "clean_loss": cross_entropy(clean, columns.get("target", labels.numpy())),
            "attack_succeeded": result.succeeded.numpy(),
            "attack_contradicted": False,
            "attack_iterations": result.iterations.numpy(),
            **columns,
        }
    )
