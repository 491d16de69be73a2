"""Randomness of a library's attack that depends on each image and its seed alone."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from oodbench.attacks.base import generator_of
from oodbench.core.errors import AttackError

_FILLERS: dict[Any, Callable[..., Any]] = {
    torch.Tensor.uniform_: torch.Tensor.uniform_,
    torch.Tensor.normal_: torch.Tensor.normal_,
    torch.Tensor.random_: torch.Tensor.random_,
    torch.rand: torch.Tensor.uniform_,
    torch.rand_like: torch.Tensor.uniform_,
    torch.randn: torch.Tensor.normal_,
    torch.randn_like: torch.Tensor.normal_,
    torch.randint: torch.Tensor.random_,
    torch.randint_like: torch.Tensor.random_,
}
"""What fills the result of a random function again, in place."""

_IN_PLACE = {torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.random_}

_WITH_BOUNDS = {torch.randint, torch.randint_like}

_NEVER_PER_IMAGE = {
    torch.bernoulli,
    torch.multinomial,
    torch.normal,
    torch.poisson,
    torch.randperm,
    torch.Tensor.bernoulli,
    torch.Tensor.bernoulli_,
    torch.Tensor.cauchy_,
    torch.Tensor.exponential_,
    torch.Tensor.geometric_,
    torch.Tensor.log_normal_,
    torch.Tensor.multinomial,
}
"""Random functions that are not split among images."""


class SharedDrawError(AttackError):
    """A random number was drawn that belongs to no single image of the batch."""


class PerImageRandomness(TorchFunctionMode):
    """While it is active, random tensors are filled from one CPU generator per image.

    It covers `Tensor.uniform_`, `normal_`, `random_`, and `torch.rand`, `randn`, `randint` and
    their `_like` forms. A draw whose leading dimension is the number of images is split: row i
    comes from the generator of image i, with the numbers that the image would get in a batch of
    its own. (A draw of three dimensions is not split: it is the shape of one image, and three
    images have as many rows as an image has channels.)

    Any other draw is refused, since it would make a result depend on which images share a batch:
    other shapes, other random functions of torch, and NumPy's global generator, whose use is
    noticed on leaving.
    With one seed there is nothing to mix up, so nothing is refused: these draws then come from the
    image's generator, or from the global ones, seeded for the time with the image's seed.

    The states of the global generators are restored on leaving.
    """

    def __init__(self, seeds: list[int]) -> None:
        """Make the generators.

        Args:
            seeds: one per image, in the order of the batch.
        """
        super().__init__()
        self._seeds = seeds
        self._generators = [generator_of(seed) for seed in seeds]
        self._stack = ExitStack()
        self._numpy_state = _numpy_state()

    def __enter__(self) -> Self:
        """Save the global generators, and seed them if there is one image."""
        initialized = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        # All of them: the images may be on any, and `manual_seed` seeds every one.
        devices = list(range(torch.cuda.device_count())) if initialized else []
        self._stack.enter_context(torch.random.fork_rng(devices=devices))
        self._stack.callback(np.random.set_state, np.random.get_state())
        if len(self._seeds) == 1:
            torch.manual_seed(self._seeds[0])
            np.random.seed(self._seeds[0] % 2**32)
        self._numpy_state = _numpy_state()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the global generators.

        Raises:
            SharedDrawError: NumPy's global generator was used for several images.
        """
        super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        numpy_was_used = _numpy_state() != self._numpy_state
        self._stack.close()
        if error is None and numpy_was_used and len(self._seeds) != 1:
            raise SharedDrawError(self._message("NumPy's global generator"))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call `func`, and fill its result again if it is random.

        Raises:
            SharedDrawError: the draw cannot be split among the images.
        """
        kwargs = kwargs or {}
        if func in _FILLERS:
            result = args[0] if func in _IN_PLACE else func(*args, **kwargs)
            self._fill(result, func, *_parameters(func, args, kwargs))
            return result
        if func in _NEVER_PER_IMAGE and len(self._seeds) != 1:
            raise SharedDrawError(self._message(func.__name__))
        return func(*args, **kwargs)

    def _fill(
        self,
        tensor: Tensor,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        filler = _FILLERS[func]
        drawn = torch.empty(tensor.shape, dtype=tensor.dtype)
        with torch.no_grad():
            for part, generator in zip(self._parts(drawn, func), self._generators, strict=True):
                filler(part, *args, **kwargs, generator=generator)
            tensor.copy_(drawn)

    def _parts(self, drawn: Tensor, func: Callable[..., Any]) -> list[Tensor]:
        """Views of `drawn`, one per image."""
        images = len(self._seeds)
        if images == 1:
            return [drawn]
        if drawn.dim() in (0, 3) or len(drawn) != images:
            raise SharedDrawError(self._message(f"{func.__name__} of shape {tuple(drawn.shape)}"))
        return list(drawn.unbind())

    def _message(self, draw: str) -> str:
        return (
            f"a draw ({draw}) belongs to no single one of the {len(self._seeds)} images: "
            "set engine.batch_size=1"
        )


def _parameters(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments for the filler that draws from the same distribution as `func`."""
    if func in _IN_PLACE:
        return args[1:], {key: value for key, value in kwargs.items() if key != "generator"}
    if func not in _WITH_BOUNDS:
        return (), {}
    bounds = [argument for argument in args if isinstance(argument, int)]
    high = kwargs["high"] if "high" in kwargs else bounds.pop()
    low = bounds[0] if bounds else kwargs.get("low", 0)
    return (low, high), {}


def _numpy_state() -> tuple[bytes, int, int]:
    """NumPy's global state, in a form that `==` compares."""
    state = np.random.get_state(legacy=False)
    return state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"]
