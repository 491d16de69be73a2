"""Transfer (black-box) attack: pictures made on one model, scored on another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from oodbench.attacks.base import Attack, AttackResult
from oodbench.attacks.checks import ImageError, check_range, check_result
from oodbench.attacks.network_access import frozen
from oodbench.attacks.transfer_store import StoredPicture, TransferStore, restored, storable
from oodbench.core.building import build
from oodbench.core.errors import ConfigError
from oodbench.metrics.adversarial import LEFT_OUT


class Transfer:
    """Adversarial pictures of a source model, whatever the attacked model is.

    The target's gradients and outputs are not used (Papernot et al., arXiv:1605.07277). Source and
    target see the same pixels, at the size of the run's preprocessed pictures, whatever the native
    size of the source is.

    The pictures are made once: what the store has is taken from there, and the source is then not
    even built. They are scored as they were stored, see `TransferStore` for what that costs.
    """

    needs_gradients = False
    on_scored_network = False
    steps_key = ""

    def __init__(
        self, *, name: str, attack: dict[str, Any], source: dict[str, Any] | None = None
    ) -> None:
        """Keep both configs; `connect` adds the source's network and the store.

        Args:
            name: for tables and folders.
            attack: config of the attack on the source, with `_target_`.
            source: model config of the source, which has no default.

        Raises:
            ConfigError: there is no source or no attack, or the attack refuses its arguments.
        """
        if not source:
            raise missing_source()
        if "_target_" not in attack:
            raise ConfigError(
                "attack.attack: no attack on the source: attack@attack.attack=NAME, such as "
                "pgd_linf"
            )
        self.name = name
        self.inner: Attack = build(attack, "attack.attack")
        self.eps = self.inner.eps
        self.norm = self.inner.norm
        self._make_source: Callable[[], nn.Module] | None = None
        self._source: nn.Module | None = None
        self._store: TransferStore | None = None

    def connect(self, source: Callable[[], nn.Module], store: TransferStore) -> None:
        """Give the attack what a config cannot hold.

        Args:
            source: builds the source on the run's device, images in [0, 1] -> logits; called at
                the first picture that the store lacks.
            store: of this source, attack, data and pipeline.
        """
        self._make_source = source
        self._store = store

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Make, or read, the adversarial pictures of a batch.

        Args:
            classifier: the target, images in [0, 1] -> logits `(N, K)`.
            images: float `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)`.
            seeds: one per image, for the attack on the source.

        Returns:
            `succeeded`: the target predicts another class than the label; `iterations`: of the
            attack on the source. `columns`: `source_succeeded` bool, by that attack's own criterion
            before its picture was stored; `source_prediction` int64, on the picture as stored; all
            columns of that attack, as `source_<name>`; but `left_out`, which the scores go by.

        Raises:
            ImageError: the attack on the source left its ball or [0, 1].
            ConfigError: `connect` was not called.
        """
        images = images.detach()
        check_range(images)
        made = self._pictures(images, labels, seeds)
        with frozen(classifier), torch.no_grad():
            wrong = classifier(made.images).argmax(1) != labels
        columns = {
            name if name == LEFT_OUT else f"source_{name}": values
            for name, values in made.columns.items()
        }
        columns["source_succeeded"] = made.succeeded
        return AttackResult(made.images, wrong, made.iterations, columns)

    def _pictures(self, images: Tensor, labels: Tensor, seeds: list[int]) -> AttackResult:
        """Read from the store; those that it lacks are made first."""
        if self._store is None:
            raise ConfigError(f"attack={self.name}: not connected to a source model")
        names = list(zip(images, labels.tolist(), seeds, strict=True))
        stored = [self._store.read(*name) for name in names]
        lacking = [row for row, picture in enumerate(stored) if picture is None]
        if lacking:
            rows = torch.tensor(lacking, device=images.device)
            try:
                made = self._made(images[rows], labels[rows], [seeds[row] for row in lacking])
            except ImageError as error:
                position = lacking[error.position]
                raise ImageError(position, len(images), error.complaint) from error
            for row, picture in zip(lacking, made, strict=True):
                self._store.write(*names[row], picture)
                stored[row] = picture
        return restored(images, [picture for picture in stored if picture is not None])

    def _made(self, images: Tensor, labels: Tensor, seeds: list[int]) -> list[StoredPicture]:
        source = self._source_network()
        result = self.inner(source, images, labels, seeds)
        check_result(images, result, self.eps, self.norm)
        pictures = storable(images, result)
        with frozen(source), torch.no_grad():
            predictions = source(restored(images, pictures).images).argmax(1).cpu().numpy()
        return [
            replace(picture, columns={**picture.columns, "prediction": np.asarray(prediction)})
            for picture, prediction in zip(pictures, predictions, strict=True)
        ]

    def _source_network(self) -> nn.Module:
        if self._source is None:
            if self._make_source is None:
                raise ConfigError(f"attack={self.name}: not connected to a source model")
            self._source = self._make_source()
        return self._source


def missing_source() -> ConfigError:
    """The error for a transfer attack without a source."""
    return ConfigError("attack.source is missing: name a model config, model@attack.source=NAME")
