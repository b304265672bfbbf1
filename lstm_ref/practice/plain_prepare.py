"""The functions of the problem set prepare, in the style of a notebook: one line an idea, no checks
on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np


def tokenize(text: Any) -> Any:
    text = text.lower()
    return re.findall(r"[\w']+|[^\w\s]", text)


def build_vocabulary(sentences: Any, min_count: Any) -> Any:
    counts = Counter(word for sentence in sentences for word in sentence)
    kept = [word for word in counts if counts[word] >= min_count]
    kept = sorted(kept, key=lambda word: (-counts[word], word))
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for word in kept:
        vocabulary[word] = len(vocabulary)
    return vocabulary


def encode_pad(sentences: Any, vocabulary: Any, T: Any) -> Any:
    ids = np.zeros((len(sentences), T), dtype=int)
    mask = np.zeros((len(sentences), T), dtype=bool)
    for n, sentence in enumerate(sentences):
        numbers = [vocabulary.get(word, 1) for word in sentence]
        numbers = numbers[:T]
        ids[n, : len(numbers)] = numbers
        mask[n, : len(numbers)] = True
    return ids, mask


def encode_sets(train: Any, test: Any, min_count: Any) -> Any:
    train = [tokenize(text) for text in train]
    test = [tokenize(text) for text in test]
    vocabulary = build_vocabulary(train, min_count)
    train_ids = [[vocabulary.get(word, 1) for word in sentence] for sentence in train]
    test_ids = [[vocabulary.get(word, 1) for word in sentence] for sentence in test]
    return train_ids, test_ids


def scale(train: Any, test: Any) -> Any:
    mean = train.mean(axis=0)
    sd = train.std(axis=0)
    sd = np.where(sd > 0, sd, 1)
    return (train - mean) / sd, (test - mean) / sd


def windows(series: Any, T: Any, horizon: Any) -> Any:
    M = len(series) - T - horizon + 1
    x = [series[k : k + T] for k in range(M)]
    y = [series[k + T - 1 + horizon] for k in range(M)]
    return np.array(x), np.array(y)


def split_by_time(n: Any, n_test: Any, gap: Any) -> Any:
    first_test = n - n_test
    train = list(range(first_test - gap))
    test = list(range(first_test, n))
    return train, test


def leak_report(train: Any, test: Any) -> Any:
    seen = {text for _, text in train}
    speakers = {speaker for speaker, _ in train}
    repeated = [k for k, (_, text) in enumerate(test) if text in seen]
    known = [k for k, (speaker, _) in enumerate(test) if speaker in speakers]
    clean = [k for k in range(len(test)) if k not in repeated and k not in known]
    return {"repeated": repeated, "known": known, "clean": clean}
