"""Any attack of the torchattacks library (Kim, 2020, arXiv:2010.01950), by its class name."""

import inspect
from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

from oodbench.attacks.goals import Choice
from oodbench.attacks.libraries.adapter import STATE, LibraryAttack, refuse_unknown_arguments
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess
from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError

_GRADIENT_FREE = ("GN", "OnePixel", "Pixle", "SPSA", "Square", "VANILA")


_SINGLE_PRECISION = ("FAB",)
"""Attacks that take float32 pictures alone."""


class TorchAttack(LibraryAttack):
    """An attack of torchattacks; `iterations` is its argument `steps`."""

    def __init__(
        self,
        *,
        name: str,
        attack: str,
        arguments: dict[str, Any],
        eps: float | None,
        norm: str = "linf",
        target: str | int = "none",
        top_k: int = 9,
        target_is_label: str = "leave_out",
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Look up the class in torchattacks and check its arguments.

        Args:
            name: for tables and folders.
            attack: name of a class of the library, such as `PGD`.
            arguments: its keyword arguments, without the model.
            eps: radius in [0, 1] pixel units that the result is held to; None: no such bound. The
                attack gets it, and `norm`, where it takes such an argument and none is given.
            norm: of the radius, linf or l2.
            target: none (any error is a success), random, least_likely, top_k or a class index.
            top_k: targets tried one after the other under `target=top_k`; any error is a success.
            target_is_label: with a class index, leave_out (of what is attacked and scored) or next
                (the next class).
            micro_batch: images in the network at once, with `memory` at most; None: all, with
                `memory` 8 on a CPU, up to 256 on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: no such class, it refuses these arguments, supports no targets, or a
                value is out of range.
        """
        self._attack = _attack_class(attack)
        parameters = _parameters(self._attack)
        refuse_unknown_arguments(arguments, list(parameters))
        self._arguments = _radius(parameters, eps, norm) | arguments
        iterations = int((parameters | self._arguments).get("steps", 0))
        super().__init__(
            name=name,
            eps=eps,
            norm=norm,
            iterations=iterations,
            needs_gradients=attack not in _GRADIENT_FREE,
            choice=Choice(target, top_k, target_is_label),
            access=NetworkAccess(micro_batch, memory, state=STATE, as_it_is=True),
        )
        if self.targeted and not _has_targets(self._attack, self._arguments):
            raise ConfigError(f"attack.target={target}: {attack} of torchattacks takes no targets")

    def attack_batch(self, network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        """The library's adversarial images."""
        # The library puts a model whose own flag says training back into training after each
        # attack, and with it every module inside, whatever mode those were in: `frozen` has cleared
        # the flag, and an attack of several calls finds it cleared each time.
        attack = self._attack(network, **self._arguments)
        attack.set_device(images.device)
        if self.targeted:
            attack.set_mode_targeted_by_label(quiet=True)
        single = self._attack.__name__ in _SINGLE_PRECISION
        adversarial: Tensor = attack(images.float() if single else images, classes)
        return adversarial


def _attack_class(name: str) -> Any:
    import torchattacks  # here, because it takes 0.7 s
    from torchattacks.attack import Attack

    classes = {
        key: value
        for key, value in vars(torchattacks).items()
        if inspect.isclass(value) and issubclass(value, Attack) and _takes_only_a_model(value)
    }
    if name not in classes:
        raise ConfigError(f"unknown attack.attack={name}: {alternatives(name, sorted(classes))}")
    return classes[name]


def _has_targets(attack: Any, arguments: dict[str, Any]) -> bool:
    """The library keeps it in its objects, which need some model."""
    modes: list[str] = attack(nn.PReLU(), **arguments).supported_mode
    return "targeted" in modes


def _takes_only_a_model(attack: Any) -> bool:
    """Whether a config can hold what it needs: not, say, other attacks or a data loader."""
    parameters = inspect.signature(attack).parameters
    required = [key for key, value in parameters.items() if value.default is value.empty]
    return required == ["model"]


def _parameters(attack: Any) -> dict[str, Any]:
    """The arguments that it takes beside the model, with the library's defaults."""
    parameters = dict(inspect.signature(attack).parameters)
    del parameters["model"]
    return {key: value.default for key, value in parameters.items()}


def _radius(parameters: Collection[str], eps: float | None, norm: str) -> dict[str, Any]:
    """What the library calls radius and norm, where the attack takes them."""
    radius = {} if eps is None else {"eps": eps, "max_epsilon": eps}
    known = radius | {"norm": {"linf": "Linf", "l2": "L2"}.get(norm, norm)}
    return {key: value for key, value in known.items() if key in parameters}
