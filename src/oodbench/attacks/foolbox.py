"""Any gradient or minimisation attack of foolbox 3 (Rauber et al. 2020), by its class name."""

import inspect
from typing import Any

from torch import Tensor, nn

from oodbench.attacks.goals import Choice
from oodbench.attacks.libraries.adapter import STATE, LibraryAttack, refuse_unknown_arguments
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess
from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra

_GRADIENT_FREE = (
    *("additive_noise", "binarization", "blended_noise", "blur", "boundary_attack", "contrast"),
    *("contrast_min", "dataset_attack", "gen_attack", "hop_skip_jump", "inversion", "pointwise"),
    *("saltandpepper", "spatial_attack"),
)
"""Modules of the library whose attacks use no gradients."""


class FoolboxAttack(LibraryAttack):
    """An attack of foolbox; `iterations` is its argument `steps`.

    An attack of a fixed radius (`LinfPGD`) is given `eps`. A minimisation attack (`L2DeepFool`)
    looks for the smallest change; where that is beyond `eps`, foolbox gives the image with the
    change cut to it.
    """

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
        """Look up the class in foolbox and check its arguments.

        Args:
            name: for tables and folders.
            attack: name of a class of `foolbox.attacks`, such as `LinfPGD`.
            arguments: its keyword arguments.
            eps: radius in [0, 1] pixel units, under the attack's own norm; None: no bound, which
                only minimisation attacks can do.
            norm: of the radius, linf or l2.
            target: none (any error is a success), random, least_likely, top_k or a class index.
            top_k: targets tried one after the other under `target=top_k`; any error is a success.
            target_is_label: with a class index, leave_out (of what is attacked and scored) or next
                (the next class).
            micro_batch: images in the network at once, with `memory` at most; None: all, with
                `memory` 8 on a CPU, up to 256 on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: foolbox is not installed, there is no such class, it does not accept these
                arguments, needs a radius, measures another norm, or a value is out of range.
        """
        constructor = _attack_class(attack)
        refuse_unknown_arguments(arguments, list(inspect.signature(constructor).parameters))
        self._attack = constructor(**arguments)
        steps = arguments.get("steps", getattr(self._attack, "steps", 0))
        super().__init__(
            name=name,
            eps=eps,
            norm=norm,
            iterations=int(steps),
            needs_gradients=constructor.__module__.rsplit(".")[-1] not in _GRADIENT_FREE,
            choice=Choice(target, top_k, target_is_label),
            access=NetworkAccess(micro_batch, memory, state=STATE, as_it_is=True),
        )
        _check_radius(attack, self._attack, eps, norm)

    def attack_batch(self, network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        """The library's adversarial images."""
        from foolbox.criteria import Misclassification, TargetedMisclassification
        from foolbox.models.pytorch import PyTorchModel

        model = PyTorchModel(network, bounds=(0, 1), device=images.device)
        criterion = (TargetedMisclassification if self.targeted else Misclassification)(classes)
        try:
            _, adversarial, _ = self._attack(model, images, criterion, epsilons=self.eps)
        except ValueError as error:
            if "unsupported criterion" not in str(error):
                raise
            goal = "takes no targets" if self.targeted else "needs a target"
            raise ConfigError(
                f"attack.target={self.choice.rule}: {type(self._attack).__name__} of foolbox {goal}"
            ) from error
        found: Tensor = adversarial
        return found


def _attack_class(name: str) -> Any:
    try:
        from foolbox import attacks
        from foolbox.attacks.base import Attack
    except ModuleNotFoundError:
        raise ConfigError(
            f"attack: needs the package foolbox: {install_extra('foolbox')}"
        ) from None
    classes = {
        key: value
        for key, value in vars(attacks).items()
        if inspect.isclass(value) and issubclass(value, Attack) and not inspect.isabstract(value)
    }
    if name not in classes:
        raise ConfigError(f"unknown attack.attack={name}: {alternatives(name, sorted(classes))}")
    return classes[name]


def _check_radius(name: str, attack: Any, eps: float | None, norm: str) -> None:
    from foolbox.attacks.base import FixedEpsilonAttack
    from foolbox.distances import l2, linf

    if eps is None:
        if isinstance(attack, FixedEpsilonAttack):
            raise ConfigError(f"attack.eps=null: {name} of foolbox needs a radius")
        return
    measured = getattr(attack, "distance", None)
    if measured is not {"linf": linf, "l2": l2}[norm]:
        raise ConfigError(
            f"attack.norm={norm}: {name} of foolbox measures {measured}; set attack.eps=null or "
            "another attack.norm"
        )
