"""Solutions of the problem set error-analysis as plain functions: one idea a line, so that a known
mistake is a line or two changed.
"""

from __future__ import annotations

import random
from statistics import NormalDist
from typing import Any

import numpy as np

quantile = NormalDist().inv_cdf

NOUNS = ["film", "story", "plot", "cast", "music", "camera", "ending", "title"]
VERBS = ["was", "seemed"]
MILD = ["", "very", "rather", "really"]
TURNS = ["not", "never", "not at all", "anything but"]
GOOD = ["good", "lovely", "clever", "funny", "moving"]
BAD = ["bad", "dull", "clumsy", "stale", "boring"]
SHAPES = {
    "single": "{b}",
    "but": "{a} , but {b}",
    "although first": "although {a} , {b}",
    "although last": "{b} , although {a}",
}


def clause(noun: str, verb: str, modifier: str, adjective: str) -> str:
    return " ".join(["the", noun, verb, *modifier.split(), adjective])


def review(shape: str, b: str, a: str) -> str:
    return SHAPES[shape].format(a=a, b=b)


def slice_table(errors: Any, attributes: Any) -> Any:
    slices, support, rate = [], [], []
    for name, values in attributes.items():
        for value in sorted(set(values)):
            inside = np.array([v == value for v in values])
            slices.append((name, value))
            support.append(inside.sum())
            rate.append(errors[inside].sum() / inside.sum())
    return slices, support, rate


def wilson_interval(wrong: Any, n: Any, alpha: Any) -> Any:
    z = quantile(1 - alpha / 2)
    share = wrong / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


def slices_that_differ(wrong: Any, support: Any, rate: Any, alpha: Any) -> Any:
    level = alpha / len(wrong)
    z = quantile(1 - level / 2)
    spread = np.sqrt(rate * (1 - rate) / support)
    distance = (wrong / support - rate) / spread
    worse = np.flatnonzero(distance > z)
    better = np.flatnonzero(distance < -z)
    return worse, better


def search_and_confirm(errors: Any, members: Any, search: Any, alpha: Any) -> Any:
    def worse(half: Any, candidates: Any, looks: Any) -> Any:
        rate = errors[half].mean()
        result = []
        for s in candidates:
            inside = members[s] & half
            spread = np.sqrt(rate * (1 - rate) / inside.sum())
            distance = (errors[inside].mean() - rate) / spread
            z = quantile(1 - alpha / looks / 2)
            if distance > z:
                result.append(s)
        return result

    found = worse(search, range(len(members)), len(members))
    confirmed = worse(~search, found, len(found))
    return found, confirmed


def invariant(model: Any) -> Any:
    draw = random.Random(1).choice
    groups = []
    for place, words in enumerate([NOUNS, VERBS, MILD, GOOD, BAD]):
        for word in words:
            group = []
            for k in range(20):
                kind = words if place > 2 else (GOOD, BAD)[k % 2]
                shape, a = draw([*SHAPES]), clause(draw(NOUNS), "was", "", draw(GOOD + BAD))
                parts = [draw(NOUNS), draw(VERBS), draw(MILD), draw(kind)]
                before = review(shape, clause(*parts), a)
                parts[min(place, 3)] = word
                group.append((before, review(shape, clause(*parts), a)))
            groups.append(group)
    for shape in SHAPES:
        group = []
        for k in range(20):
            kind, other = (GOOD, BAD) if k % 2 else (BAD, GOOD)
            b, a = (clause(draw(NOUNS), draw(VERBS), draw(MILD), draw(x)) for x in (kind, other))
            group.append((b, review(shape, b, a)))
        groups.append(group)
    answers = model([text for group in groups for pair in group for text in pair])
    changed = np.reshape(answers, (len(groups), 20, 2))
    return bool(((changed[:, :, 0] != changed[:, :, 1]).mean(axis=1) < 0.4).all())


def directed(model: Any) -> Any:
    draw = random.Random(2).choice
    changes: Any = [(shape, "", "", None) for shape in SHAPES]
    changes += [("", "", "", word) for word in GOOD + BAD]
    changes += [("", turn, kind, None) for turn in TURNS for kind in ("good", "bad")]
    pairs = []
    for shape, turn, kind, word in changes:
        for k in range(20):
            good = kind == "good" if kind else word in GOOD if word else k % 2 == 0
            same, other = (GOOD, BAD) if good else (BAD, GOOD)
            where, a = shape or draw([*SHAPES]), clause(draw(NOUNS), "was", "", draw(GOOD + BAD))
            noun, verb, adjective = draw(NOUNS), draw(VERBS), word or draw(same)
            before = clause(noun, verb, draw(MILD) if not turn else "", adjective)
            after = clause(noun, verb, turn, adjective if turn else draw(other))
            pairs += [review(where, before, a), review(where, after, a)]
    answers = np.reshape(model(pairs), (len(changes), 20, 2))
    return bool(((answers[:, :, 0] == answers[:, :, 1]).mean(axis=1) < 0.4).all())
