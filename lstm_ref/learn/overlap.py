"""How much of a reference stands in a text that a model wrote: BLEU for translations, ROUGE for
summaries.

Both count runs of n words, *n-grams*, that two texts share. An n-gram that the reference has once
counts once, however often it was written.

    BLEU      of all texts together: geometric mean of the precisions for n = 1 ... 4, times a
              penalty for what is too short
    ROUGE-n   of one pair: precision, recall and F1 of its n-grams
    ROUGE-L   of one pair: the same of the longest common subsequence, words in the same order with
              others between them

Neither knows what a word means: "not" is a word like any other. Texts are lists of words; how they
were cut into words changes the numbers, so that only those of one tokenizer can be compared.

Sources: Papineni, Roukos, Ward and Zhu (2002) for BLEU; Lin and Och (2004) for its smoothing; Lin
(2004) for ROUGE.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from lstm_ref.errors import ArgumentError

Words = Sequence[str]


class Overlap(NamedTuple):
    """What two texts share: precision by the length of the hypothesis, recall by that of the
    reference, and F1 of both.
    """

    precision: float
    recall: float
    f1: float


def bleu(
    references: Sequence[Words], hypotheses: Sequence[Words], longest: int = 4, smooth: bool = False
) -> float:
    """BLEU of a whole test set, from 0 to 1, with one reference for each hypothesis.

    Counts are added up over all pairs before they are divided: BLEU is no mean of the BLEUs of
    sentences. Where no n-gram of some length is right, it is 0; so it is for every text of fewer
    than ``longest`` words, a right one, too.

    Parameters
    ----------
    references, hypotheses : as many of each, lists of words
    longest : of the n-grams
    smooth : add one to both counts of each n above 1, as is done for single sentences

    Raises
    ------
    ArgumentError : not as many of each, none at all, a string in place of a list of words, or
        longest below 1

    Examples
    --------
    >>> right = "the cat sat on the mat".split()
    >>> round(bleu([right], ["the cat sat on a mat".split()]), 4)
    0.5373
    >>> bleu([right], ["the the the the the the".split()]), bleu([right], [right])
    (0.0, 1.0)
    """
    _check_texts("bleu", references, hypotheses)
    if longest < 1:
        raise ArgumentError(f"bleu: longest must be 1 or more, got {longest}")
    logs = 0.0
    for n in range(1, longest + 1):
        shared = total = int(smooth and n > 1)
        for reference, hypothesis in zip(references, hypotheses, strict=True):
            written = ngrams(hypothesis, n)
            shared += (written & ngrams(reference, n)).total()
            total += written.total()
        if shared == 0:
            return 0.0
        logs += math.log(shared / total) / longest
    return math.exp(logs) * brevity_penalty(sum(map(len, references)), sum(map(len, hypotheses)))


def brevity_penalty(reference_words: int, hypothesis_words: int) -> float:
    """Factor of BLEU for texts that are shorter than their references: exp(1 - r / c), and 1 for
    longer ones.

    Parameters
    ----------
    reference_words : r, words of all references
    hypothesis_words : c, words of all hypotheses

    Examples
    --------
    >>> brevity_penalty(10, 12), round(brevity_penalty(10, 5), 4), brevity_penalty(10, 0)
    (1.0, 0.3679, 0.0)
    """
    if hypothesis_words == 0:
        return 0.0
    return math.exp(min(0.0, 1 - reference_words / hypothesis_words))


def rouge_n(reference: Words, hypothesis: Words, n: int = 1) -> Overlap:
    """ROUGE-n of one pair: n-grams that both have.

    Parameters
    ----------
    reference, hypothesis : lists of words
    n : words in an n-gram

    Returns
    -------
    Overlap : precision, recall, f1; zeros where one of the texts has no n-gram

    Raises
    ------
    ArgumentError : a string in place of a list of words, or n below 1

    Examples
    --------
    >>> rouge_n("the cat sat".split(), "the cat".split())
    Overlap(precision=1.0, recall=0.6666666666666666, f1=0.8)
    """
    _check_texts("rouge_n", [reference], [hypothesis])
    if n < 1:
        raise ArgumentError(f"rouge_n: n must be 1 or more, got {n}")
    right, written = ngrams(reference, n), ngrams(hypothesis, n)
    return _overlap((right & written).total(), right.total(), written.total())


def rouge_l(reference: Words, hypothesis: Words) -> Overlap:
    """ROUGE-L of one pair: words of the longest common subsequence.

    Parameters
    ----------
    reference, hypothesis : lists of words

    Returns
    -------
    Overlap : precision, recall, f1; zeros where one of the texts is empty

    Raises
    ------
    ArgumentError : a string in place of a list of words

    Examples
    --------
    Three words in this order, "sat" and "on" of the reference left out between them:

    >>> rouge_l("the cat sat on mats".split(), "the cat mats".split())
    Overlap(precision=1.0, recall=0.6, f1=0.7499999999999999)
    """
    _check_texts("rouge_l", [reference], [hypothesis])
    row = [0] * (len(hypothesis) + 1)  # row k: longest with the first k words of the reference
    for word in reference:
        corner = 0
        for j, other in enumerate(hypothesis, 1):
            corner, row[j] = row[j], corner + 1 if word == other else max(row[j], row[j - 1])
    return _overlap(row[-1], len(reference), len(hypothesis))


def ngrams(words: Words, n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n words occurs.

    Parameters
    ----------
    words : a list of words
    n : words in a run

    Examples
    --------
    >>> ngrams("to be or not to be".split(), 2).most_common(1)
    [(('to', 'be'), 2)]
    """
    return Counter(tuple(words[k : k + n]) for k in range(len(words) - n + 1))


def _overlap(shared: int, right: int, written: int) -> Overlap:
    if shared == 0:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = shared / written, shared / right
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def _check_texts(operation: str, references: Sequence[Words], hypotheses: Sequence[Words]) -> None:
    if len(references) != len(hypotheses) or len(references) == 0:
        raise ArgumentError(
            f"{operation}: references and hypotheses must be as many, and at least one, got "
            f"{len(references)} and {len(hypotheses)}"
        )
    for text in (*references, *hypotheses):
        if isinstance(text, str):
            raise ArgumentError(
                f"{operation}: a text must be a list of words, got the string {text[:40]!r}, whose "
                "letters would be taken for words; use tokenize(text) or text.split()"
            )
