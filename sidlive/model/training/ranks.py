"""Training on several processes: this process's rank, and sums over all ranks. Knows nothing of networks or tunes.

`torchrun` starts the processes and sets each one's rank in its environment; a process without these variables trains
alone. The processes talk over NCCL if there are GPUs (one per process), else over gloo.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from sidlive.errors import ModelError

CPU: Final = torch.device("cpu")
VARIABLES: Final = (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))  # set by torchrun; else these defaults


@dataclass(frozen=True)
class Ranks:
    """This process's rank among ``world`` processes, and its device for training. Only rank 0 writes and prints."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def add_up(
        self, parameters: Iterable[torch.nn.Parameter], cost: Tensor, seconds: float = 0.0
    ) -> tuple[Tensor, float]:
        """Sum the gradients over all ranks in place; return the sum of the costs, and rank 0's ``seconds``.

        Every rank gets the same bits. All numbers travel in one message. DistributedDataParallel is not used because
        its hooks do not work with blocks that are compiled one by one. A parameter without a gradient on this rank
        counts as zeros.
        """
        if self.world == 1:
            return cost, seconds
        known = list(parameters)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in known]
        last = torch.stack([cost.detach().float(), torch.tensor(seconds if self.first else 0.0, device=cost.device)])
        sums = torch.cat([*(grad.flatten() for grad in grads), last])
        self._reduce(sums)
        for parameter, part in zip(known, sums[:-2].split([p.numel() for p in known]), strict=True):
            parameter.grad = part.view_as(parameter)
        return sums[-2], sums[-1].item()

    def require_equal(self, number: int, name: str) -> None:
        """Raise ModelError if ``number`` is not the same on all ranks. ``name``: of the number, for the message."""
        if self.world == 1:
            return
        extremes = torch.tensor([number, -number], device=self.device)
        self._reduce(extremes, dist.ReduceOp.MAX)
        most, least = extremes.tolist()
        if most != -least:
            raise ModelError(
                f"expected the same {name} in all {self.world} processes, found {-least} to {most}: "
                "give all of them the same folder on a disk that they share"
            )

    def _reduce(self, numbers: Tensor, how: dist.ReduceOp.RedOpType = dist.ReduceOp.SUM) -> None:
        """Combine the tensor over all ranks in place. Raises ModelError if another process has ended."""
        try:
            dist.all_reduce(numbers, how)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"one of the {self.world} processes has ended ({reason}): run the same command again to resume"
            ) from error


ALONE: Final = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Join the other processes that torchrun started, for the length of the block.

    The device is the GPU of the process's local rank, or the CPU. Raises ModelError if the others cannot be reached.
    """
    world, rank, local = (int(os.environ.get(name, default)) for name, default in VARIABLES)
    device = torch.device("cuda", local) if torch.cuda.is_available() else CPU
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world == 1:
        yield Ranks(device=device)
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"the {world} processes cannot connect ({reason}): start them with torchrun") from error
    try:
        yield Ranks(rank, world, device)
    finally:
        dist.destroy_process_group()
