"""The tables of the page *translation*: three numbers in a row with and without attention,
searches, dates letter by letter, and real sentences.

    python benchmarks/translation.py  # ten minutes of one core, into results/translation.json
    python benchmarks/translation.py rest   # only the runs that the file does not have yet

Data, model and measures are those of book/four/translation.md. The English and French sentences are
measured where LSTM_DATA_DIR has them; else the stored rows stay as they are.
"""

from __future__ import annotations

import json
import os
from itertools import product
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, asked, experiment, over_seeds, store
from lstm_ref.data import date_pairs, load, split_by_group, tokenize

PAGE = experiment("translation")
SEEDS = range(3)
ARMS = ("dot", "none", "additive")
NAMES = [
    f"{arm} {seed}"
    for part in (("dot", "none"), ("real",), ("additive",), ("dates",))
    for seed in SEEDS
    for arm in part
]
SEARCHED = 60  # strings
REAL_STEPS, REAL_H = 600, 64
STYLES = ("full", "long", "medium")  # Thursday, February 29, 2024 and its two shorter forms
DATE_STEPS, DATE_H, DATES, DATES_TESTED = (300, 600, 1200), 64, 3000, 500
PARTS = {"year": slice(0, 4), "month": slice(5, 7), "day": slice(8, 10)}  # of 2024-02-29

Numbers = dict[str, float]


def run(attention: str, seed: int, task: Any) -> dict[str, Any]:
    """One network on the numbers: what the first table has; of dot attention also exact match by
    length, and searches.
    """
    model = PAGE.learn(task, attention, seed)
    found = PAGE.written_by(model, task)
    numbers = {**PAGE.of_texts(found, task), "forced words": PAGE.forced(model, task)}
    print(f"{attention}, seed {seed}: {told(numbers)}", flush=True)
    tables = {"numbers": numbers}
    if attention == "dot":
        tables |= {
            "by length": PAGE.by_length(found, task),
            "searches": PAGE.searched(model, task, SEARCHED),
        }
    return tables


def told(numbers: Numbers) -> str:
    """Numbers on one line."""
    return ", ".join(f"{key} {value:.3f}" for key, value in numbers.items())


def over(rows: list[Numbers]) -> dict[str, Any]:
    """Each number over the seeds."""
    return {key: over_seeds([row[key] for row in rows]) for key in rows[0]}


def over_all(tables: list[dict[str, Numbers]]) -> dict[str, Any]:
    """Each row of a table over the seeds."""
    return {name: over([table[name] for table in tables]) for name in tables[0]}


def sentences(seed: int) -> tuple[Any, dict[tuple[str, ...], set[tuple[str, ...]]]]:
    """English sentences split so that the test has none of training's, and all translations of
    each.
    """
    data = load("eng-fra")
    pairs = [(tokenize(x), tokenize(y)) for x, y in zip(data.source, data.target, strict=True)]
    parts = split_by_group([" ".join(x) for x, _ in pairs], validation=0.1, test=0.1, seed=seed)
    known: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for x, y in pairs:
        known.setdefault(tuple(x), set()).add(tuple(y))
    task = PAGE.task_of(
        [pairs[k] for k in parts.train], [pairs[k] for k in parts.test], min_count=2
    )
    return task, known


def any_translation(found: list[list[str]], task: Any, known: Any) -> float:
    """Share of the translations that somebody gave for this sentence."""
    return float(
        np.mean([tuple(f) in known[tuple(x)] for f, (x, _) in zip(found, task.test, strict=True)])
    )


def nearest(task: Any) -> list[list[str]]:
    """The translation of the training sentence that shares most, rare words counting more."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    bags = TfidfVectorizer(analyzer=list)
    known = bags.fit_transform([x for x, _ in task.train])
    best = (bags.transform([x for x, _ in task.test]) @ known.T).argmax(axis=1)
    return [task.train[int(k)][1] for k in np.asarray(best).ravel()]


def real(seed: int) -> dict[str, Any]:
    """Arms and searches on one split of the sentences."""
    task, known = sentences(seed)
    rows, searches = {}, {}
    for name, found in (("nearest sentence", nearest(task)), ("dictionary", PAGE.dictionary(task))):
        rows[name] = {**PAGE.of_texts(found, task), "exact": any_translation(found, task, known)}
    for attention in ("none", "dot"):
        model = PAGE.learn(task, attention, seed, steps=REAL_STEPS, H=REAL_H)
        found = PAGE.written_by(model, task)
        rows[attention] = {
            **PAGE.of_texts(found, task),
            "exact": any_translation(found, task, known),
            "forced words": PAGE.forced(model, task),
        }
        if attention == "dot":
            searches = PAGE.searched(model, task, 300)
    for name, row in rows.items():
        print(f"{name}, split {seed}: {told(row)}", flush=True)
    return {"arms": rows, "searches": searches}


def dates_task(seed: int) -> Any:
    """Days of twenty years, letter by letter, from one of three English forms into 2024-02-29; no
    day of the test is trained in any form.
    """
    rng = np.random.default_rng(seed)
    forms = [date_pairs(target="iso", style=style) for style in STYLES]
    days = rng.permutation(len(forms[0].source))[: DATES + DATES_TESTED]
    chosen = rng.integers(len(STYLES), size=len(days))
    pairs = [
        (list(forms[k].source[day]), list(forms[k].target[day]))
        for day, k in zip(days, chosen, strict=True)
    ]
    return PAGE.task_of(pairs[:DATES], pairs[DATES:])


def by_part(found: list[list[str]], task: Any) -> Numbers:
    """Share of right years, months and days."""
    pairs = [("".join(f), "".join(y)) for f, (_, y) in zip(found, task.test, strict=True)]
    return {name: float(np.mean([f[k] == y[k] for f, y in pairs])) for name, k in PARTS.items()}


def dates(seed: int) -> dict[str, Any]:
    """Arms and baselines on one draw of the days."""
    task, rows = dates_task(seed), {}
    for name, found in (("nearest date", nearest(task)), ("dictionary", PAGE.dictionary(task))):
        rows[name] = {**PAGE.of_texts(found, task), **by_part(found, task)}
    for steps, attention in product(DATE_STEPS, ("none", "dot")):
        model = PAGE.learn(task, attention, seed, steps=steps, H=DATE_H)
        found = PAGE.written_by(model, task)
        rows[f"{attention}, {steps} updates"] = {
            **PAGE.of_texts(found, task),
            **by_part(found, task),
            "forced words": PAGE.forced(model, task),
        }
    for name, row in rows.items():
        print(f"dates, {name}, draw {seed}: {told(row)}", flush=True)
    return {"arms": rows}


def tables(runs: dict[str, Any]) -> dict[str, Any]:
    """The tables of the page from the runs that are there."""
    by = {
        arm: [one for name, one in runs.items() if name.split()[0] == arm]
        for arm in (*ARMS, "real", "dates")
    }
    found: dict[str, Any] = {
        "arms": {arm: over([one["numbers"] for one in by[arm]]) for arm in ARMS if len(by[arm]) > 1}
    }
    if len(by["dot"]) > 1:
        found["dot, exact by French words"] = over([one["by length"] for one in by["dot"]])
        found["searches, numbers"] = over_all([one["searches"] for one in by["dot"]])
    if len(by["real"]) > 1:
        found["English to French"] = {
            key: over_all([one[key] for one in by["real"]]) for key in ("arms", "searches")
        }
    if len(by["dates"]) > 1:
        found["dates"] = over_all([one["arms"] for one in by["dates"]])
    return found


def main(rest: bool) -> None:
    """Measure all runs, or those that the file does not have yet; each is written when it is
    done.
    """
    torch.set_num_threads(1)
    path = RESULTS / "translation.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    runs = known.get("runs", {})
    task = PAGE.numbers_task()
    of_all = {"real": real, "dates": dates}
    for name in NAMES:
        arm, seed = name.split()
        if (rest and name in runs) or (arm == "real" and "LSTM_DATA_DIR" not in os.environ):
            continue
        runs[name] = of_all[arm](int(seed)) if arm in of_all else run(arm, int(seed), task)
        what = "translations of the test, with and without attention"
        store("translation", what, {**tables(runs), "runs": runs}, ("numpy", "torch"))


if __name__ == "__main__":
    main(rest=asked(__doc__, ("rest",)) == ["rest"])
