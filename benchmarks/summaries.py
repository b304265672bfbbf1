"""The tables of the page *summaries*: real docstrings beside baselines, and what a pointer copies
and when it can judge.

    python benchmarks/summaries.py  # six minutes of one core, into results/summaries.json
    python benchmarks/summaries.py rest        # only the runs that the file does not have yet

Reviews, models and measures are those of book/four/summaries.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, asked, experiment, over_seeds, store
from lstm_ref.data import WordVocabulary, load, split_by_group, tokenize
from lstm_ref.metrics import rouge_l, rouge_n
from lstm_ref.train import Pointer, SummaryWords, fit_summaries, summarise

PAGE = experiment("summaries")
SEEDS = range(3)
# Reviews with one clause first: their verdict is found sooner, and the others build on it.
PLAN = ((True, 250, 1e-2), (False, 500, 1e-2), (False, 250, 3e-3))
LONGER = ((True, 250, 1e-2), (False, 1000, 1e-2), (False, 250, 3e-3))
KINDS = {
    "writer, 250 updates": (PAGE.learn_writer, PAGE.EARLY),
    "pointer, 250 updates": (PAGE.learn_pointer, PAGE.EARLY),
    "pointer, 1000 updates": (PAGE.learn_pointer, PLAN),
    "pointer, 1500 updates": (PAGE.learn_pointer, LONGER),
}
NAMES = (
    "pointer, 250 updates",
    "writer, 250 updates",
    "docstrings",
    "pointer, 1000 updates",
    "pointer, 1500 updates",
)
TEXT_WORDS, SUMMARY_WORDS, TESTED, VOCABULARY = 60, 14, 200, 1500
DOC_STEPS = 250

Numbers = dict[str, float]
Texts = Sequence[Sequence[str]]


def over(rows: list[Numbers]) -> dict[str, Any]:
    """Each number over the seeds."""
    return {key: over_seeds([row[key] for row in rows]) for key in rows[0]}


def told(row: Numbers) -> str:
    """Numbers on one line."""
    return ", ".join(f"{key} {value:.3f}" for key, value in row.items())


def of_both(model: Any, words: Any, task: Any) -> Numbers:
    """Shares of right nouns and verdicts on both tests."""
    found: Numbers = {}
    for name, pairs in task.tests.items():
        scores = PAGE.scores_of(PAGE.written_by(model, words, [x for x, _ in pairs]), pairs)
        found |= {f"{name}, {key}": value for key, value in scores.items()}
    print(told(found), flush=True)
    return found


def reviews(kind: str, seed: int, task: Any) -> Numbers:
    """One network on the reviews."""
    learn, plan = KINDS[kind]
    model, words = learn(task, seed, plan)
    return of_both(model, words, task)


def first_noun(task: Any) -> float:
    """How often the first noun of a text is the right one."""
    pairs = task.tests["known nouns"]
    return float(np.mean([next(w for w in x if w in PAGE.NOUNS) == y[0] for x, y in pairs]))


def rouge(references: Texts, found: Texts, texts: Texts) -> Numbers:
    """Mean F1 of three kinds, and the share of the written words that stand in the text."""
    pairs = list(zip(references, found, strict=True))
    inside = [
        np.mean([w in text for w in one]) for one, text in zip(found, texts, strict=True) if one
    ]
    return {
        "ROUGE-1": float(np.mean([rouge_n(y, f, 1).f1 for y, f in pairs])),
        "ROUGE-2": float(np.mean([rouge_n(y, f, 2).f1 for y, f in pairs])),
        "ROUGE-L": float(np.mean([rouge_l(y, f).f1 for y, f in pairs])),
        "in the text": float(np.mean(inside)),
    }


def nearest(train: Texts, test: Texts) -> list[int]:
    """For each test text the training text that shares most, rare words counting more."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    bags = TfidfVectorizer(analyzer=list)
    known = bags.fit_transform(train)
    return [int(k) for k in np.asarray((bags.transform(test) @ known.T).argmax(axis=1)).ravel()]


def docstrings(seed: int, data: Any) -> dict[str, Any]:
    """Rows and a few examples of one split of the modules."""
    texts = [tokenize(text)[:TEXT_WORDS] for text in data.texts]
    summaries = [tokenize(text)[:SUMMARY_WORDS] for text in data.summaries]
    parts, rng = (
        split_by_group(data.groups, validation=0.05, test=0.2, seed=seed),
        np.random.default_rng(seed),
    )
    train, test = parts.train, rng.permutation(parts.test)[:TESTED]
    x, y = [texts[k] for k in train], [summaries[k] for k in train]
    given, right = [texts[k] for k in test], [summaries[k] for k in test]

    both = WordVocabulary([*x, *y], min_count=2, max_size=VOCABULARY)
    words = SummaryWords(both, both)
    torch.manual_seed(seed)
    model = Pointer(len(both), len(both), E=48, H=64)
    fit_summaries(model, words, x, y, steps=DOC_STEPS, N=24, lr=4e-3, seed=seed)
    found = {
        "a training summary at random": [y[k] for k in rng.integers(len(y), size=len(test))],
        "first 14 words": [text[:SUMMARY_WORDS] for text in given],
        "network": summarise(model, words, given, longest=SUMMARY_WORDS),
        "nearest text's summary": [y[k] for k in nearest(x, given)],
    }
    rows = {name: rouge(right, some, given) for name, some in found.items()}
    rows["the author's"] = {"in the text": rouge(right, right, given)["in the text"]}
    for name, row in rows.items():
        print(f"split {seed}, {name}: {told(row)}", flush=True)
    shown = ("network", "nearest text's summary")
    examples = [
        {
            "reference": " ".join(right[k]),
            **{name.split()[0]: " ".join(found[name][k]) for name in shown},
        }
        for k in range(3)
    ]
    return {"rows": rows, "examples": examples}


def tables(runs: dict[str, Any], task: Any) -> dict[str, Any]:
    """The tables of the page from the runs that are there."""
    by = {
        kind: [one for name, one in runs.items() if name.startswith(f"{kind}: ")]
        for kind in (*KINDS, "docstrings")
    }
    found: dict[str, Any] = {
        "first noun": first_noun(task),
        "reviews": {kind: over(by[kind]) for kind in KINDS if len(by[kind]) > 1},
    }
    if docs := by["docstrings"]:
        names = docs[0]["rows"]
        rows = (
            {name: over([one["rows"][name] for one in docs]) for name in names}
            if len(docs) > 1
            else {}
        )
        found["docstrings"] = {"rows": rows, "examples": docs[0]["examples"]}
    return found


def main(rest: bool) -> None:
    """Measure all runs, or those that the file does not have yet; each is written when it is
    done.
    """
    torch.set_num_threads(1)
    path = RESULTS / "summaries.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    runs, task, data = known.get("runs", {}), PAGE.reviews_task(), load("docstrings")
    for kind in NAMES:
        for seed in SEEDS:
            name = f"{kind}: {seed}"
            if rest and name in runs:
                continue
            runs[name] = (
                docstrings(seed, data) if kind == "docstrings" else reviews(kind, seed, task)
            )
            what, packages = (
                "summaries of docstrings and of reviews",
                ("numpy", "torch", "scikit-learn", "statsmodels"),
            )
            store("summaries", what, {**tables(runs, task), "runs": runs}, packages)


if __name__ == "__main__":
    main(rest=asked(__doc__, ("rest",)) == ["rest"])
