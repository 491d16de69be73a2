"""Networks that a Python program gives to an evaluation, where no config could build them."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import nn

from oodbench.core.errors import ConfigError, one_line
from oodbench.models.networks import FunctionNetwork

_lent: ContextVar[nn.Module | None] = ContextVar("lent", default=None)


@contextmanager
def lent(network: nn.Module) -> Iterator[None]:
    """Make it what `given_network` gives within the block, in this thread alone."""
    token = _lent.set(network)
    try:
        yield
    finally:
        _lent.reset(token)


def given_network(*, code: list[str] | None = None, function: str | None = None) -> nn.Module:
    """A copy of the network that was lent: the lender's own keeps its mode, gradients and device.

    The arguments only say what it is: they stand in the key, beside the identity of the weights.

    Args:
        code: the user's own classes that it is made of, so that their sources count.
        function: name of the function that it calls, which is not copied.

    Raises:
        ConfigError: none was lent, or it cannot be copied.
    """
    network = _lent.get()
    if network is None:
        given = ", ".join(code or ()) or function or "the network"
        raise ConfigError(
            f"model.network: {given} was given from Python: only oodbench.evaluate can build it"
        )
    if isinstance(network, FunctionNetwork):
        return network
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever a class of the user's does about being copied
        raise ConfigError(
            f"model {type(network).__name__}: cannot be copied ({one_line(error, 120)}): give a "
            "function, such as lambda images: network(images)"
        ) from error
