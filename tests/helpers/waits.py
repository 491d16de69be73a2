"""Counts what would make a CPU wait for a GPU, on tensors of the CPU."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten

_LOOKS = {
    *(_aten._local_scalar_dense, _aten.is_nonzero, _aten.equal, _aten.allclose),
    *(_aten.nonzero, _aten.masked_select, _aten.unique_dim, _aten._unique2),
}
"""Operations whose result, or its size, the host has to know."""

_INDEXED = {_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_}

_TAKES = {torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu, torch.Tensor.__array__}
"""Copies to the host that are none on a CPU, where no operation shows them."""


class Waits(TorchFunctionMode):
    """While it is active, notes the name of each operation that waits for a device.

    An index of bools counts, for it is turned into places first; and so do the copies of tensors
    that are given to `cpu`, `numpy` and `tolist`, whatever device they are on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._below = _Operations(self.names)

    def __enter__(self) -> "Waits":
        self._below.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._below.__exit__(*error)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _TAKES:
            self.names.append(func.__name__)
        return func(*args, **kwargs or {})


class _Operations(TorchDispatchMode):
    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        packet = func.overloadpacket
        if packet in _LOOKS or (packet in _INDEXED and any(_is_mask(index) for index in args[1])):
            self._names.append(str(packet))
        return func(*args, **kwargs or {})


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)
