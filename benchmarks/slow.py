"""The tables of the page *slow*: variants of one pass of training side by side, what a profiler
sees of a step, loading, half precision, threads, a compiled loop, and two processes with one
gradient.

    python benchmarks/slow.py           # one minute of two idle cores
    python benchmarks/slow.py loading   # this table only; the others stay as they are stored

It writes benchmarks/results/slow.json.

Data, batches and the step of training are those of book/three/slow.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

from benchmarks.pages import asked, experiment, over_seeds, store, wanted_or_stored

PAGE = experiment("slow")
ROUNDS, STEPS, WORKER = 3, 20, Path(__file__).parent / "slow_worker.py"
Runs = dict[str, Callable[[], object]]


def seconds_of(run: Callable[[], object], clock: Callable[[], float], times: int = 1) -> float:
    """Seconds of one run, by this clock."""
    start = clock()
    for _ in range(times):
        run()
    return (clock() - start) / times


def side_by_side(
    runs: Callable[[int], Runs],
    clock: Callable[[], float] = time.process_time,
    times: int = 1,
    rounds: int = ROUNDS,
) -> dict[str, list[float]]:
    """For each run and round: time of the first run next to its own; all runs of a round follow
    each other, so that what else the machine does hits all of them.
    """
    found: dict[str, list[float]] = {}
    for seed in range(rounds + 1):
        seconds = {name: seconds_of(run, clock, times) for name, run in runs(seed).items()}
        if seed:  # the first round warms up
            for name, value in seconds.items():
                found.setdefault(name, []).append(next(iter(seconds.values())) / value)
    print({name: [round(value, 2) for value in values] for name, values in found.items()})
    return found


def one_pass(model: Any, batches: list[Any], item: bool = False) -> None:
    """One pass of training over these batches; with ``item``, the loss is read at each step."""
    optimiser = torch.optim.Adam(model.parameters())
    for batch in batches:
        loss = PAGE.one_step(model, batch, optimiser)
        if item:
            loss.item()


def classifier() -> Any:
    """A fresh model."""
    torch.manual_seed(0)
    return PAGE.SentenceClassifier(len(PAGE.vocabulary))


def counting() -> None:
    """All of the training of a model that counts words."""
    bags = CountVectorizer(token_pattern=r"\S+")
    MultinomialNB().fit(bags.fit_transform(PAGE.data.texts), PAGE.data.labels)


def variants(seed: int) -> Runs:
    """What is run side by side; the first is the measure of the others."""
    by_length = {N: PAGE.buckets(PAGE.lengths, N, seed=seed) for N in (16, 64, 256)}
    at_random = PAGE.in_random_order(64, seed)
    return {
        "batches of 64 in random order": lambda: one_pass(classifier(), at_random),
        "by length": lambda: one_pass(classifier(), by_length[64]),
        "by length, batches of 16": lambda: one_pass(classifier(), by_length[16]),
        "by length, batches of 256": lambda: one_pass(classifier(), by_length[256]),
        "by length, a cell in a loop": lambda: one_pass(PAGE.OwnLoop(), by_length[64]),
        "by length, `loss.item()` at each step": lambda: one_pass(
            classifier(), by_length[64], item=True
        ),
        "no LSTM: naive Bayes, all of its training": counting,
    }


def profiled(make: Callable[[], Any], steps: int = STEPS) -> dict[str, dict[str, float]]:
    """Operation -> how often a step starts it, and its share of all time, without what it calls."""
    model, batch = make(), np.flatnonzero(PAGE.lengths == 16)[:16]
    optimiser = torch.optim.Adam(model.parameters())
    PAGE.one_step(model, batch, optimiser)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(steps):
            PAGE.one_step(model, batch, optimiser)
    rows = seen.key_averages()
    whole = sum(row.self_cpu_time_total for row in rows)
    return {
        row.key: {"calls": row.count / steps, "share": row.self_cpu_time_total / whole}
        for row in rows
    }


def profiles(shown: int = 5) -> dict[str, Any]:
    """Of each model, the operations with the largest share of the time, and how many a step has."""
    tables: dict[str, Any] = {}
    for name, make in (("nn.LSTM", classifier), ("a cell in a loop", PAGE.OwnLoop)):
        rounds = [profiled(make) for _ in range(ROUNDS)]
        mean = {key: np.mean([one[key]["share"] for one in rounds]) for key in rounds[0]}
        largest = sorted(mean, key=lambda key: -mean[key])[:shown]
        tables[name] = {
            "calls of all": sum(row["calls"] for row in rounds[0].values()),
            "largest": {
                key: {
                    "calls": rounds[0][key]["calls"],
                    "share": over_seeds([one[key]["share"] for one in rounds]),
                }
                for key in largest
            },
        }
        print(name, {key: round(float(mean[key]), 2) for key in largest})
    return tables


class Sentences(Dataset[Any]):
    """The reviews one by one, for a DataLoader."""

    def __len__(self) -> int:
        """How many."""
        return len(PAGE.ids)

    def __getitem__(self, k: int) -> tuple[Any, int]:
        """Ids and label of one."""
        return PAGE.ids[k], int(PAGE.data.labels[k])


def together(rows: list[tuple[Any, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tensors of a batch."""
    ids, labels = zip(*rows, strict=True)
    return torch.from_numpy(PAGE.pad(list(ids)).x), torch.tensor(labels)


def padded(batches: list[Any]) -> Iterator[Any]:
    """Tensors of each batch, made when they are asked for."""
    for batch in batches:
        yield together([(PAGE.ids[k], int(PAGE.data.labels[k])) for k in batch])


def trained_on(batches: Any) -> None:
    """One pass over tensors."""
    model = classifier()
    optimiser = torch.optim.Adam(model.parameters())
    for x, y in batches:
        loss = nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def loading() -> dict[str, Any]:
    """Share of a pass that is spent on loading, by processor time; and what two more processes that
    load do to the wall clock.
    """
    shares: dict[str, list[float]] = {}
    for seed in range(ROUNDS + 1):
        batches = PAGE.in_random_order(64, seed)
        ready = list(padded(batches))
        step = seconds_of(lambda ready=ready: trained_on(ready), time.process_time)
        ways: Runs = {
            "tensors made once": lambda ready=ready: [None for _ in ready],
            "padded when asked for": lambda batches=batches: list(padded(batches)),
            "DataLoader": lambda: list(DataLoader(Sentences(), 64, True, collate_fn=together)),
        }
        for name, way in ways.items() if seed else ():
            own = seconds_of(way, time.process_time)
            shares.setdefault(name, []).append(own / (own + step))
    workers = side_by_side(
        lambda seed: {
            f"{n} processes": partial(
                trained_on, DataLoader(Sentences(), 64, True, collate_fn=together, num_workers=n)
            )
            for n in (0, 2)
        },
        time.perf_counter,
    )
    print(shares)
    return {
        "share of a pass": {name: over_seeds(values) for name, values in shares.items()},
        "two processes for loading, times as fast": over_seeds(workers["2 processes"]),
    }


def step_of(layer: Any, x: torch.Tensor, half: bool) -> Callable[[], None]:
    """Forward and backward of a layer, in float32 or under autocast in bfloat16."""

    def step() -> None:
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            out = layer(x)
        (out[0] if isinstance(out, tuple) else out).float().square().mean().backward()

    return step


def precision() -> dict[str, Any]:
    """How many times as fast bfloat16 is, by size."""
    found: dict[str, Any] = {}
    for kind, H, times in (
        ("matrix product", 64, 200),
        ("matrix product", 512, 20),
        ("matrix product", 2048, 2),
        ("LSTM", 64, 20),
        ("LSTM", 512, 2),
    ):
        torch.manual_seed(0)
        lstm = kind == "LSTM"
        layer = nn.LSTM(H, H, batch_first=True) if lstm else nn.Linear(H, 4 * H)
        x = torch.randn(64, 20, H) if lstm else torch.randn(64, H)
        runs = {str(half): step_of(layer, x, half) for half in (False, True)}
        faster = side_by_side(lambda seed, runs=runs: runs, times=times)["True"]
        found[f"{kind}, {H}"] = {"times as fast": over_seeds(faster)}
    return found


@contextmanager
def another_program(there: bool) -> Iterator[None]:
    """While another program computes on one thread, if it is to be there; two minutes at most."""
    code = "import time\nend = time.time() + 120\nwhile time.time() < end: pass"
    other = subprocess.Popen([sys.executable, "-c", code]) if there else None
    try:
        yield
    finally:
        if other:
            other.kill()
            other.wait()


def second_thread(H: int, N: int, times: int) -> dict[str, Any]:
    """How many times as fast a layer is with a second thread, by the wall clock and by the time of
    the processor.
    """
    torch.manual_seed(0)
    step = step_of(nn.LSTM(H, H, batch_first=True), torch.randn(N, 20, H), half=False)

    def with_threads(n: int) -> None:
        torch.set_num_threads(n)
        for _ in range(times):
            step()

    runs: Runs = {str(n): partial(with_threads, n) for n in (1, 2)}
    found = {
        name: over_seeds(side_by_side(lambda seed: runs, clock)["2"])
        for name, clock in (("wall clock", time.perf_counter), ("processor", time.process_time))
    }
    torch.set_num_threads(1)
    return found


def threads() -> dict[str, Any]:
    """What a second thread does by size, on an idle machine and beside another program."""
    found: dict[str, Any] = {}
    for beside in ("nothing", "another program"):
        with another_program(beside == "another program"):
            found[beside] = {
                f"{H}, {N}": second_thread(H, N, times)
                for H, N, times in ((64, 16, 40), (512, 64, 2))
            }
    return found


def compiled() -> dict[str, Any]:
    """The loop compiled: what building costs, in steps of the loop as it is; and what it wins."""
    batch = np.flatnonzero(PAGE.lengths == 8)[:16]
    x = torch.from_numpy(PAGE.pad([PAGE.ids[k] for k in batch]).x)
    loop = PAGE.OwnLoop()
    plain = step_of(loop, x, half=False)
    plain()
    one = seconds_of(plain, time.perf_counter, STEPS)
    fast = step_of(torch.compile(loop), x, half=False)
    built = seconds_of(fast, time.perf_counter) / one
    faster = side_by_side(lambda seed: {"plain": plain, "compiled": fast}, times=STEPS)["compiled"]
    return {"steps to build": built, "times as fast": over_seeds(faster)}


def two_processes(seeds: int) -> list[dict[str, float]]:
    """For each seed: gradient of two processes against that of one, and the time of a step of each;
    see slow_worker.py.
    """
    command = [sys.executable, str(WORKER), str(seeds), str(STEPS)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=540, check=True)
    found = [tuple(map(float, line.split())) for line in run.stdout.splitlines()]
    return [
        {"largest difference of the gradients": a, "time of a step, of one process": b}
        for a, b in found
    ]


def shared() -> dict[str, Any]:
    """Two processes next to one."""
    runs = two_processes(3)
    return {name: over_seeds([run[name] for run in runs]) for name in runs[0]}


def passes() -> dict[str, Any]:
    """One pass of training, in variants."""
    return {
        name: {"times as fast": over_seeds(values)}
        for name, values in side_by_side(variants).items()
    }


TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    "variants": passes,
    "profiler": profiles,
    "loading": loading,
    "precision": precision,
    "threads": threads,
    "compiled": compiled,
    "two processes": shared,
}


def main(wanted: list[str]) -> None:
    """Measure the tables that are wanted, or all, and write the file."""
    torch.set_num_threads(1)
    tables = wanted_or_stored("slow", TABLES, wanted)
    what = (
        "one pass of training in variants, by processor time; operations of a step by a profiler; "
        "loading; bfloat16; threads; a compiled loop; two processes with one gradient"
    )
    store("slow", what, {"rounds": ROUNDS, **tables}, ("numpy", "torch", "scikit-learn"))


if __name__ == "__main__":
    main(asked(__doc__, TABLES))
