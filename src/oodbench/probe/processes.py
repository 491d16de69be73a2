"""The processes of a training: one, or those that torchrun starts."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from oodbench.core.errors import ConfigError
from oodbench.engines.settings import resolve_device

PATIENCE = timedelta(hours=1)
"""How long processes wait for each other: the first one lists ImageNet and may download."""

MOST_DECODERS = 16
"""Of one training process: more give more pictures than a GPU takes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among all; every one must make the same calls in the same order."""

    rank: int
    world: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and messages."""
        return self.rank == 0

    def sum(self, *tensors: Tensor) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def broadcast(self, value: T) -> T:
        """The first process's value, made of plain Python objects and tensors on the CPU."""
        if self.world == 1:
            return value
        holder = [value]
        dist.broadcast_object_list(holder, src=0)
        return holder[0]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


def join(device: str) -> Processes:
    """Join the other processes, if torchrun started this one: gloo on the CPU, NCCL on CUDA.

    Args:
        device: auto (CUDA where there is any), cpu, cuda, cuda:1, …

    Raises:
        ConfigError: there is no such device, or not one for each process.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world > 1 and not dist.is_initialized():
        if chosen.type == "cuda":
            dist.init_process_group("nccl", timeout=PATIENCE, device_id=chosen)
        else:
            dist.init_process_group("gloo", timeout=PATIENCE)
    return Processes(rank=int(os.environ.get("RANK", "0")), world=world, device=chosen)


def decoding_processes(workers: int | None) -> int:
    """How many processes decode for this one: as many as are asked for, or its share of the cores.

    Args:
        workers: of the config; None where nothing is asked for.
    """
    if workers is not None:
        return workers
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST_DECODERS, len(os.sched_getaffinity(0)) // here))


def leave() -> None:
    """End the group of processes, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _device(name: str) -> torch.device:
    """Under torchrun, where no card is named, that of this process's number on the machine."""
    chosen = resolve_device(name, "device")
    if chosen != "cuda":
        return torch.device(chosen)
    local, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= count:
        raise ConfigError(
            f"device={name}: process {local + 1} of this machine has no CUDA device of its own; "
            f"use torchrun --nproc-per-node {count}, or device=cpu"
        )
    return torch.device("cuda", local)
