"""Two processes that share a batch by DistributedDataParallel over gloo, on this machine alone;
started by slow.py.

    python benchmarks/slow_worker.py SEEDS STEPS

Prints for each seed the largest difference between their gradient and that of one process, and how
many times as long as in one process a step takes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

PROCESSES, N, T, D, H = 2, 64, 16, 32, 64


def model_and_batch(seed: int) -> tuple[Any, Any]:
    """The same in each process."""
    torch.manual_seed(seed)
    return nn.LSTM(D, H, batch_first=True), torch.randn(N, T, D)


def step(model: Any, x: Any) -> None:
    """Forward and backward; the loss is a mean over the batch."""
    model.zero_grad()
    model(x)[0].square().mean().backward()


def seconds(model: Any, x: Any, steps: int) -> float:
    """Wall clock time of so many steps."""
    step(model, x)
    start = time.perf_counter()
    for _ in range(steps):
        step(model, x)
    return time.perf_counter() - start


def work(rank: int, seeds: int, steps: int, meeting_place: str) -> None:
    """What each of the processes does."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting_place}", rank=rank, world_size=PROCESSES
    )
    for seed in range(seeds):
        compare(rank, seed, steps)
    dist.destroy_process_group()


def compare(rank: int, seed: int, steps: int) -> None:
    """One process, and then both."""
    alone, x = model_and_batch(seed)
    seconds_alone = seconds(alone, x, steps) if rank == 0 else 0.0
    dist.barrier()
    together, _ = model_and_batch(seed)
    shared, part = nn.parallel.DistributedDataParallel(together), x[rank::PROCESSES]
    seconds_together = seconds(shared, part, steps)
    if rank == 0:
        step(alone, x)
        gradients = zip(alone.parameters(), together.parameters(), strict=True)
        difference = max((a.grad - b.grad).abs().max().item() for a, b in gradients)
        print(difference, seconds_together / seconds_alone, flush=True)
    dist.barrier()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        arguments = (int(sys.argv[1]), int(sys.argv[2]), str(Path(folder) / "meet"))
        mp.start_processes(work, args=arguments, nprocs=PROCESSES, start_method="spawn")
