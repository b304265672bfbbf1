"""What an LSTM writes while it learns a larger text, for the page *first-lstm*: samples at some
steps of one training on Tiny Shakespeare, its validation loss, and that of the best table that
counts.

    python benchmarks/plays.py  # some ten minutes of one core, into results/plays.json

The model is that of book/one/first-lstm.md, with twice as many units, trained in PyTorch. The text
is the course's data set "tinyshakespeare", which is downloaded once.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before PyTorch is loaded: the run is for one core
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from benchmarks.pages import asked, store
from lstm_ref.data import NgramTable, Vocabulary, batches, load, split_text

UNITS, N, T = 256, 64, 96
STEPS, SHOWN = 4000, (30, 100, 300, 1000, 4000)
LENGTH, COUNTED, TEMPERATURE = 180, 3000, 0.7
READ_FIRST = 400  # letters of the validation text, to the end of a speech, before it writes
LONGEST = 7  # letters of context of the longest table


class Writer(torch.nn.Module):
    """Letters as one-hot vectors into an LSTM, and scores for the next letter out."""

    def __init__(self, V: int) -> None:
        super().__init__()
        self.V = V
        self.lstm = torch.nn.LSTM(V, UNITS, batch_first=True)
        self.affine = torch.nn.Linear(UNITS, V)
        with torch.no_grad():  # forget bias 1, as on the page
            self.lstm.bias_ih_l0[UNITS : 2 * UNITS] = 1.0
            self.lstm.bias_hh_l0[UNITS : 2 * UNITS] = 0.0

    def forward(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
        """Letters (N, T) and a state, or none -> scores (N, T, V) and the state afterwards."""
        h, state = self.lstm(torch.nn.functional.one_hot(ids, self.V).float(), state)
        return self.affine(h), state


def loss_of(scores: Any, y: Any) -> Any:
    """Mean surprise in nats of the letters y (N, T) under scores (N, T, V)."""
    return torch.nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten())


@torch.no_grad()
def validation_loss(model: Writer, ids: Any) -> float:
    """Mean loss over a text, the state carried from piece to piece."""
    state, losses = None, []
    for x, y in batches(ids, N, T):
        scores, state = model(torch.from_numpy(x), state)
        losses.append(loss_of(scores, torch.from_numpy(y)).item())
    return float(np.mean(losses))


@torch.no_grad()
def write(model: Writer, vocabulary: Vocabulary, before: Any, length: int, seed: int = 0) -> str:
    """Letters drawn from the model's probabilities, one after the other, behind the letters that it
    reads first; never the one that stands for unknown letters.
    """
    rng = np.random.default_rng(seed)
    scores, state = model(torch.from_numpy(before[None]))
    ids: list[int] = []
    for _ in range(length):
        p = torch.softmax(scores[0, -1].double() / TEMPERATURE, dim=0).numpy()
        p[0] = 0
        ids.append(int(rng.choice(len(p), p=p / p.sum())))
        scores, state = model(torch.tensor([[ids[-1]]]), state)
    return vocabulary.decode(np.array(ids))


def words_of(text: str) -> list[str]:
    """Words of four letters or more."""
    return re.findall(r"[a-z]{4,}", text.lower())


def speakers_of(text: str) -> list[str]:
    """What stands alone in a line and ends with a colon, as the name of who speaks."""
    return re.findall(r"^([A-Z][A-Za-z ]*):$", text, re.MULTILINE)


def counted(text: str, words: Collection[str], speakers: Collection[str]) -> dict[str, float]:
    """How far a text looks like the one that was read."""
    found, said = words_of(text), speakers_of(text)
    return {
        "letters in a line": len(text) / (text.count("\n") + 1),
        "words that stand in the training text": float(np.mean([w in words for w in found] or [0])),
        "speakers": len(said),
        "speakers that stand in the training text": float(
            np.mean([name in speakers for name in said] or [0])
        ),
    }


def train(ids: dict[str, Any], vocabulary: Vocabulary, known: str) -> list[dict[str, Any]]:
    """One training; at each step of SHOWN what is written, counted, and the validation loss."""
    torch.manual_seed(0)
    model, words, speakers = Writer(len(vocabulary)), set(words_of(known)), set(speakers_of(known))
    unseen = vocabulary.decode(ids["validation"])
    before = ids["validation"][: unseen.index("\n\n", READ_FIRST) + 2]
    optimiser, stages, done = torch.optim.Adam(model.parameters()), [], 0
    while done < STEPS:
        state = None
        for x, y in batches(ids["train"], N, T):
            scores, state = model(torch.from_numpy(x), state)
            state = tuple(part.detach() for part in state)
            optimiser.zero_grad()
            loss_of(scores, torch.from_numpy(y)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.param_groups[0]["lr"] = 0.004 * min(1.0, 2.5 * (1 - done / STEPS))
            optimiser.step()
            done += 1
            if done in SHOWN:
                loss = validation_loss(model, ids["validation"])
                long = write(model, vocabulary, before, COUNTED)
                stages.append(
                    {
                        "step": done,
                        "validation": loss,
                        "sample": long[:LENGTH],
                        **counted(long, words, speakers),
                    }
                )
                print(f"step {done}: {loss:.3f}\n{long[:LENGTH]}\n", flush=True)
            if done == STEPS:
                break
    return stages


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    split = split_text(load("tinyshakespeare"))
    vocabulary = Vocabulary(split.train, min_count=5)
    ids = {
        name: vocabulary.encode(getattr(split, name)).astype(np.int64)
        for name in ("train", "validation")
    }
    known, unseen = (vocabulary.decode(ids[name]) for name in ("train", "validation"))
    table = NgramTable(known, vocabulary.characters, LONGEST)
    best = {kind: float(table.losses(unseen, kind).min()) for kind in ("interpolation", "back-off")}
    words, speakers = set(words_of(known)), set(speakers_of(known))
    tables = {
        "units": UNITS,
        "temperature": TEMPERATURE,
        "letters": len(known),
        "best table": min(best.values()),
        "stages": train(ids, vocabulary, known),
        "validation text": counted(unseen[: 10 * COUNTED], words, speakers),
    }
    store("plays", "what an LSTM writes while it learns plays", tables, ("numpy", "torch"))


if __name__ == "__main__":
    asked(__doc__)
    main()
