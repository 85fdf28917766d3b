"""Training on several processes: who one is among them, and what they add up. Knows nothing of networks or tunes.

`torchrun` starts the processes and tells each its rank; one that it did not start is alone. They meet over NCCL where
there are GPUs (one each), else over gloo.
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
VARIABLES: Final = (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))  # that torchrun sets; for one alone


@dataclass(frozen=True)
class Ranks:
    """The process `rank` of `world`, and the device it trains on. Rank 0 is the one that writes and tells."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        return self.rank == 0

    def add_up(self, parameters: Iterable[torch.nn.Parameter], cost: Tensor) -> Tensor:
        """Sum the gradients over the ranks, in place, and the cost, which is returned; the same bits on each rank.

        One message of all numbers instead of DistributedDataParallel, whose hooks would have to see through blocks
        compiled one by one. A parameter that this rank's windows did not touch counts as zeros.
        """
        if self.world == 1:
            return cost
        known = list(parameters)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in known]
        sums = torch.cat([*(grad.flatten() for grad in grads), cost.detach().float().view(1)])
        self._reduce(sums)
        for parameter, part in zip(known, sums[:-1].split([p.numel() for p in known]), strict=True):
            parameter.grad = part.view_as(parameter)
        return sums[-1]

    def agree(self, number: int, what: str) -> None:
        """ModelError where the ranks hold different numbers."""
        if self.world == 1:
            return
        extremes = torch.tensor([number, -number], device=self.device)
        self._reduce(extremes, dist.ReduceOp.MAX)
        most, least = extremes.tolist()
        if most != -least:
            raise ModelError(
                f"expected the same {what} in all {self.world} processes, found {-least} to {most}: "
                "give all of them the same folder on a disk that they share"
            )

    def _reduce(self, numbers: Tensor, how: dist.ReduceOp.RedOpType = dist.ReduceOp.SUM) -> None:
        try:
            dist.all_reduce(numbers, how)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"one of the {self.world} processes is gone ({reason}): the same command takes the run up again"
            ) from error


ALONE: Final = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """This process among those that torchrun started, while the block lasts; the GPU of its number, or the CPU.

    Raises ModelError where the others cannot be reached.
    """
    world, rank, local = (int(os.environ.get(name, alone)) for name, alone in VARIABLES)
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
        raise ModelError(f"the {world} processes cannot meet ({reason}): start them with torchrun") from error
    try:
        yield Ranks(rank, world, device)
    finally:
        dist.destroy_process_group()
