"""Several processes that train one model, as `torchrun` starts them; without it, one process.

Losses are computed by every process from the embeddings of all, so that a batch has the same negatives however it is
shared out. Gradients come out right when `torch.nn.parallel.DistributedDataParallel` averages them, because
`gather_rows` adds up, on the way back, what all processes want of each row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """This process among all."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Its number on this machine, and that of its GPU."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports for all."""
        return self.rank == 0

    def rows(self, batch_size: int) -> slice:
        """This process's share of a batch.

        Raises:
            ValueError: if the batch cannot be shared out evenly.
        """
        if batch_size % self.size:
            raise ValueError(f"batch_size must be a multiple of the {self.size} processes, got {batch_size}")
        share = batch_size // self.size
        return slice(self.rank * share, (self.rank + 1) * share)


class ProcessLostError(Exception):
    """Another process of the training has ended, which its own line explains."""


@contextmanager
def joined_ranks(*, on_cuda: bool) -> Iterator[Ranks]:
    """Joins the other processes that `torchrun` started, if it did.

    Raises:
        ProcessLostError: if the block waits for a process that has ended.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Ranks()
        return
    ranks = Ranks(
        rank=int(os.environ["RANK"]), size=int(os.environ["WORLD_SIZE"]), local_rank=int(os.environ["LOCAL_RANK"])
    )
    distributed.init_process_group("nccl" if on_cuda else "gloo")
    try:
        yield ranks
    except RuntimeError as error:
        # NCCL's errors have a class of their own, gloo's are known by where they come from.
        if isinstance(error, distributed.DistError) or "gloo/transport" in str(error):
            raise ProcessLostError("another process of this training has ended, see what it printed") from None
        raise
    finally:
        distributed.destroy_process_group()


def gather_rows(rows_bX: Tensor) -> Tensor:
    """Joins the rows of all processes, in the order of their ranks; gradients pass. Every process has as many.

    Returns:
        [B, X]; the argument itself where there is one process.
    """
    return torch.cat(all_gather(rows_bX.contiguous())) if distributed.is_initialized() else rows_bX
