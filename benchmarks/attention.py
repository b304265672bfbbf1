"""The attention weights that the map of the page *translation* shows: a right text, a wrong one, a
long one.

    python -m benchmarks.attention       # half a minute of one core, into results/attention.json
    python -m benchmarks.attention dot   # this network only; the other's map stays as it is

Data, model and training are those of book/four/translation.md, with one seed.
"""

from __future__ import annotations

import json
import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, asked, experiment, store

PAGE = experiment("translation")
SEED = 0
Words = list[str]


def weights_of(model: Any, task: Any, source: Words, written: Words) -> Any:
    """Attention weights (S, T) while the model is fed what it wrote; the last row is the end."""
    read = torch.from_numpy(task.source.encode(source)[None])
    fed = torch.from_numpy(task.target.encode(written, ends=True)[None, :-1])
    with torch.no_grad():
        encoded = model.encode(read)
        return model.decode(fed, encoded, encoded.state)[1][0].numpy()


def of_text(name: str, model: Any, task: Any, k: int, written: Words, ask: int) -> dict[str, Any]:
    """A text of the test as `lstm_ref.inspect.AttentionMap` takes it."""
    source, right = task.test[k]
    return {
        "name": name,
        "source": list(source),
        "written": [*written, "(end)"],
        "right": [*right, "(end)"],
        "ask": ask,
        "weights": weights_of(model, task, source, written).tolist(),
    }


def chosen(task: Any, found: list[Words]) -> list[tuple[str, int, int]]:
    """Name, number and asked place of three texts: one that says *soixante et onze*, one with a
    wrong word, and the longest right one with more than one *mille*.
    """
    right = [k for k, (_, y) in enumerate(task.test) if found[k] == y]
    wrong = [k for k, (_, y) in enumerate(task.test) if found[k] != y and len(found[k]) == len(y)]

    def size(k: int) -> int:
        return len(task.test[k][0])

    odd = [k for k in right if " soixante et onze" in " ".join(["", *found[k]])]
    first = min(odd, key=size)
    second = min(wrong, key=lambda k: (abs(size(k) - 15), k))
    third = max((k for k in right if found[k].count("mille") > 1), key=size)
    last_thousand = len(found[third]) - 1 - found[third][::-1].index("mille")
    pairs = zip(found[second], task.test[second][1], strict=True)
    differs = int(np.argmax([a != b for a, b in pairs]))
    return [
        ("right", first, found[first].index("onze")),
        ("wrong", second, differs),
        ("long", third, last_thousand),
    ]


def of_dot(task: Any) -> list[dict[str, Any]]:
    """Three texts of a network with dot attention."""
    model = PAGE.learn(task, "dot", SEED)
    found = PAGE.written_by(model, task)
    return [of_text(name, model, task, k, found[k], ask) for name, k, ask in chosen(task, found)]


def of_additive(task: Any, first: dict[str, Any]) -> dict[str, Any]:
    """The first text once more, by a network with additive attention."""
    model = PAGE.learn(task, "additive", SEED)
    k = next(k for k, (x, _) in enumerate(task.test) if list(x) == first["source"])
    written = PAGE.written_by(model, task)[k]
    ask = written.index("onze") if "onze" in written else 0
    return of_text("right, additive", model, task, k, written, ask)


def main(wanted: list[str]) -> None:
    """Train what is asked for, or both, and write the maps after each network."""
    torch.set_num_threads(1)
    file, task = RESULTS / "attention.json", PAGE.numbers_task()
    texts = json.loads(file.read_text(encoding="utf-8"))["texts"] if file.is_file() else []
    for kind in wanted or ("dot", "additive"):
        if kind == "dot":
            texts[:3] = of_dot(task)
        else:
            texts[3:] = [of_additive(task, texts[0])]
        what = "attention weights of translations, word by word"
        store("attention", what, {"seed": SEED, "texts": texts}, ("numpy", "torch"))
    for one in texts:
        row = np.array(one["weights"][one["ask"]])
        best = [(one["source"][t], round(float(row[t]), 3)) for t in np.argsort(row)[::-1][:3]]
        print(f"{one['name']}: {' '.join(one['source'])} | {' '.join(one['written'])}")
        print(f"    {one['written'][one['ask']]} looked at {best}")


if __name__ == "__main__":
    main(asked(__doc__, ("dot", "additive")))
