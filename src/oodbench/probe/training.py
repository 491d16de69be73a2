"""The training of the classifier: steps, epochs, and the state from which it can be resumed."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from oodbench.core.errors import ConfigError
from oodbench.models.full_float32 import full_float32
from oodbench.probe.features import FeatureSource, StoredFeatures
from oodbench.probe.processes import Processes
from oodbench.probe.recipe import batches, epoch_order, learning_rate, share
from oodbench.probe.schema import RecipeConfig

INITIAL_STD = 0.01
"""Standard deviation of the initial weights; the bias starts at 0 (main_lincls.py of MoCo)."""

EVALUATION_BATCH = 4096

Row = dict[str, float]
"""Of one epoch: epoch (from 1), lr, train_loss, train_top1, val_loss, val_top1 (shares)."""


@dataclass
class TrainingState:
    """All that a training has come to; the same in every process.

    Attributes:
        head: float32 linear layer.
        optimizer: of its weight and bias.
        epoch: finished epochs.
        step: finished steps of the epoch under way.
        tally: float64 `(3,)`, on the CPU: summed loss, correct, pictures of the epoch under way.
        rows: one for each finished epoch.
    """

    head: nn.Linear
    optimizer: torch.optim.SGD
    epoch: int = 0
    step: int = 0
    tally: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    rows: list[Row] = field(default_factory=list)


class Interrupted(BaseException):
    """The training was asked to stop, and all processes have done so after the same step."""


def initial_state(
    dimension: int, n_classes: int, recipe: RecipeConfig, *, seed: int, device: torch.device
) -> TrainingState:
    """The state before the first step.

    Args:
        dimension: of the features.
        n_classes: outputs.
        recipe: for the optimizer.
        seed: of the weights, which are drawn on the CPU.
        device: of the classifier.
    """
    with torch.random.fork_rng(devices=[]):
        head = nn.Linear(dimension, n_classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.normal_(0.0, INITIAL_STD, generator=generator)
        head.bias.zero_()
    head.to(device)
    groups = [
        {"params": [head.weight], "weight_decay": recipe.weight_decay},
        {"params": [head.bias], "weight_decay": 0.0},
    ]
    return TrainingState(head, torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum))


@dataclass(frozen=True)
class Trainer:
    """Trains a state with a recipe.

    Attributes:
        recipe: learning rates, batch size, epochs.
        source: training features.
        n: number of training pictures.
        val: features and labels that every epoch is evaluated on.
        seed: of the order of the pictures.
        processes: this process among all.
        after_step: called with the state and the number of pictures of the step.
        after_epoch: called with the state when its row is complete.
        stop_asked: whether this process has been asked to stop.
    """

    recipe: RecipeConfig
    source: FeatureSource
    n: int
    val: StoredFeatures
    seed: int
    processes: Processes
    after_step: Callable[[TrainingState, int], None]
    after_epoch: Callable[[TrainingState], None]
    stop_asked: Callable[[], bool]

    def train(self, state: TrainingState) -> None:
        """Go on from `state` to the end of the recipe.

        Raises:
            Interrupted: it was asked to stop; `state` is whole.
            ConfigError: the loss is no longer a number.
            DataError: a picture cannot be read.
        """
        while state.epoch < self.recipe.epochs:
            self._train_epoch(state)
            self._end_epoch(state)

    def _train_epoch(self, state: TrainingState) -> None:
        rate = learning_rate(self.recipe, state.epoch)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        order = epoch_order(self.n, seed=self.seed, epoch=state.epoch)
        whole = batches(order, self.recipe.batch_size)[state.step :]
        own = share(whole, rank=self.processes.rank, world=self.processes.world)
        features = self.source.batches(own, state.epoch)
        for piece, (inputs, labels) in zip(whole, features, strict=True):
            stop = self._step(state, inputs, labels, len(piece))
            self.after_step(state, len(piece))
            if stop:
                raise Interrupted

    def _step(self, state: TrainingState, inputs: Tensor, labels: Tensor, size: int) -> bool:
        """One step on a batch of `size` pictures over all processes; whether any is to stop."""
        parameters = list(state.head.parameters())
        with full_float32():
            logits = state.head(inputs)
            loss = functional.cross_entropy(logits, labels, reduction="sum")
            gradients = torch.autograd.grad(loss / size, parameters)
        correct = (logits.argmax(1) == labels).sum()
        asked = torch.tensor(float(self.stop_asked()), device=inputs.device)
        tally = torch.stack([loss.detach(), correct.float(), asked])
        self.processes.sum(tally, *gradients)
        summed_loss, n_correct, n_asked = tally.tolist()
        if not torch.isfinite(tally).all():
            raise ConfigError(
                f"epoch {state.epoch + 1}, step {state.step + 1}: the loss is {summed_loss}: "
                "give a smaller recipe.lr"
            )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        state.optimizer.step()
        state.step += 1
        state.tally += torch.tensor([summed_loss, n_correct, size], dtype=torch.float64)
        return bool(n_asked > 0)

    def _end_epoch(self, state: TrainingState) -> None:
        summed_loss, correct, n = state.tally.tolist()
        val_loss, val_correct = loss_and_correct(state.head, self.val)
        state.rows.append(
            {
                "epoch": state.epoch + 1,
                "lr": learning_rate(self.recipe, state.epoch),
                "train_loss": summed_loss / n,
                "train_top1": correct / n,
                "val_loss": val_loss,
                "val_top1": val_correct / len(self.val.labels),
            }
        )
        state.epoch += 1
        state.step = 0
        state.tally = torch.zeros_like(state.tally)
        self.after_epoch(state)


@torch.no_grad()
def loss_and_correct(head: nn.Linear, known: StoredFeatures) -> tuple[float, int]:
    """Mean cross entropy and number of correct pictures."""
    loss, correct = 0.0, 0
    pieces = batches(np.arange(len(known.labels)), EVALUATION_BATCH)
    for inputs, labels in known.batches(pieces, epoch=0):
        with full_float32():
            logits = head(inputs)
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(known.labels), correct
