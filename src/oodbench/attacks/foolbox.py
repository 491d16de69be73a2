"""Any gradient or minimisation attack of foolbox 3 (Rauber et al. 2020), by its class name."""

import inspect
from typing import Any

from torch import Tensor, nn

from oodbench.attacks.library import LibraryAttack, alternatives, refuse_unknown_arguments
from oodbench.errors import ConfigError


class FoolboxAttack(LibraryAttack):
    """An untargeted attack of foolbox; `iterations` is its argument `steps`.

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
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            attack: name of a class of `foolbox.attacks`, such as `LinfPGD`.
            arguments: its keyword arguments.
            eps: radius in [0, 1] pixel units, under the attack's own norm; None: no bound, which
                only minimisation attacks can do.
            norm: of the radius, linf or l2.

        Raises:
            ConfigError: foolbox is not installed, there is no such class, it does not take these
                arguments, needs a radius, measures another norm, or no such radius or norm.
        """
        constructor = _attack_class(attack)
        refuse_unknown_arguments(arguments, list(inspect.signature(constructor).parameters))
        self._attack = constructor(**arguments)
        steps = arguments.get("steps", getattr(self._attack, "steps", 0))
        super().__init__(name=name, eps=eps, norm=norm, iterations=int(steps))
        _check_radius(attack, self._attack, eps, norm)

    def attack_batch(self, classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """What the library makes of the images."""
        from foolbox.models.pytorch import PyTorchModel

        model = PyTorchModel(classifier, bounds=(0, 1), device=images.device)
        _, adversarial, _ = self._attack(model, images, labels, epsilons=self.eps)
        found: Tensor = adversarial
        return found


def _attack_class(name: str) -> Any:
    try:
        from foolbox import attacks
        from foolbox.attacks.base import Attack
    except ModuleNotFoundError:
        raise ConfigError(
            "attack: needs the package foolbox: pip install 'oodbench[foolbox]'"
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
