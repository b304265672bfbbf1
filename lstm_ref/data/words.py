"""From sentences to ids of words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lstm_ref.data.tasks import Ints
from lstm_ref.errors import ArgumentError

PAD, UNKNOWN_WORD, START, END = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL = (PAD, UNKNOWN_WORD, START, END)
PAD_ID, UNKNOWN_ID, START_ID, END_ID = range(len(SPECIAL))


def tokenize(text: str) -> list[str]:
    """Words and punctuation marks in lower case. An apostrophe or hyphen inside a word belongs to
    it.

    Parameters
    ----------
    text : a sentence, in any case

    Examples
    --------
    >>> tokenize("It isn't well-made, is it?")
    ['it', "isn't", 'well-made', ',', 'is', 'it', '?']
    """
    return re.findall(r"\w+(?:['\u2019-]\w+)*|[^\w\s]", text.lower())


class WordVocabulary:
    """Words and their ids. Built from the training sentences alone.

    The mistake that this prevents: a vocabulary from all data. It has an id for every word of the
    test, among them those that were never trained, and what is measured is not what happens when
    new sentences come.

    Ids 0 to 3 are padding, the unknown word, and the start and end of a sentence. The others are
    words, the most frequent first; of equally frequent ones, in the order of their letters, so that
    the same sentences give the same ids everywhere.

    Parameters
    ----------
    training_sentences : each a list of words (`tokenize`)
    min_count : a word that occurs less often becomes unknown. With 1 the model never meets the
        unknown in training, and its embedding stays as it was drawn.
    max_size : at most so many ids, the special ones included; None means no limit

    Raises
    ------
    ArgumentError : a sentence that is a string, no word that occurs often enough, or a limit that
        leaves room for none

    Examples
    --------
    >>> vocabulary = WordVocabulary([["a", "fine", "film"], ["a", "dull", "film"]], min_count=2)
    >>> vocabulary.words
    ('<pad>', '<unk>', '<s>', '</s>', 'a', 'film')
    >>> vocabulary.encode(["a", "weak", "film"], ends=True)
    array([2, 4, 1, 5, 3])
    >>> vocabulary.unknown_rate([["a", "weak", "film"]])
    0.3333333333333333
    """

    def __init__(
        self,
        training_sentences: Iterable[Sequence[str]],
        min_count: int = 2,
        max_size: int | None = None,
    ) -> None:
        if min_count < 1:
            raise ArgumentError(f"WordVocabulary: min_count must be 1 or more, got {min_count}")
        if max_size is not None and max_size <= len(SPECIAL):
            raise ArgumentError(
                f"WordVocabulary: max_size must be {len(SPECIAL) + 1} or more, for {len(SPECIAL)} "
                f"ids are special, got {max_size}"
            )
        counts: Counter[str] = Counter()
        for sentence in training_sentences:
            counts.update(_words("WordVocabulary", sentence))
        known = sorted(
            (w for w, count in counts.items() if count >= min_count and w not in SPECIAL),
            key=lambda w: (-counts[w], w),
        )
        if not known:
            raise ArgumentError(
                f"WordVocabulary: no word occurs {min_count} times or more among {counts.total()} "
                "words; give more sentences or a smaller min_count"
            )
        self.words = (*SPECIAL, *known)[:max_size]
        self._ids = {w: k for k, w in enumerate(self.words)}

    @classmethod
    def of_words(cls, words: Sequence[str]) -> WordVocabulary:
        """The vocabulary whose ``words`` are these, in this order: one that was saved with a model.

        Parameters
        ----------
        words : ``vocabulary.words``, the special ones included

        Raises
        ------
        ArgumentError : the first four are not the special ones, or a word stands there twice

        Examples
        --------
        >>> saved = WordVocabulary([["a", "fine", "film"]], min_count=1).words
        >>> WordVocabulary.of_words(saved).encode(["film", "score"])
        array([5, 1])
        """
        if tuple(words[: len(SPECIAL)]) != SPECIAL or len(set(words)) != len(words):
            raise ArgumentError(
                f"WordVocabulary.of_words: words must begin with {', '.join(SPECIAL)} and hold "
                f"each word once, got {', '.join(words[: len(SPECIAL)]) or 'nothing'} and "
                f"{len(words) - len(set(words))} repeated; give vocabulary.words"
            )
        found = cls.__new__(cls)
        found.words = tuple(words)
        found._ids = {w: k for k, w in enumerate(found.words)}
        return found

    def __len__(self) -> int:
        """Return V: the number of ids, the special ones included."""
        return len(self.words)

    def __repr__(self) -> str:
        return (
            f"WordVocabulary of {len(self)} words: "
            f"{' '.join(self.words[:12])}{' ...' * (len(self) > 12)}"
        )

    def encode(self, sentence: Sequence[str], ends: bool = False) -> Ints:
        """Ids of the words of a sentence.

        A word that is spelt like padding, start or end is unknown: the text must not be able to end
        a sentence early.

        Returns
        -------
        ids : (number of words,) int64; with ``ends`` two more, for the start and the end
        """
        ids = [self._known(word) for word in _words("encode", sentence)]
        return np.array([2, *ids, 3] if ends else ids, np.int64)

    def decode(self, ids: Any) -> list[str]:
        """Words of a one-dimensional array or list of ids up to the first end; padding and starts
        are left out.

        Raises
        ------
        ArgumentError : an id that is not in 0 ... V-1, not an integer, or not one axis
        """
        array = np.asarray(ids)
        if array.size == 0:
            return []
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ArgumentError(
                f"decode: ids must be integers with one axis, got {array.dtype} with shape "
                f"{array.shape}"
            )
        if array.min() < 0 or array.max() >= len(self):
            raise ArgumentError(
                f"decode: an id must be in 0 ... {len(self) - 1}, got {array.min()} to "
                f"{array.max()}; is it another vocabulary's?"
            )
        words = []
        for k in array.tolist():
            if k == 3:
                break
            if k not in (0, 2):
                words.append(self.words[k])
        return words

    def unknown_rate(self, sentences: Iterable[Sequence[str]]) -> float:
        """Share of the words that have no id of their own. Report it beside every result: what is
        unknown cannot be got right.

        Raises
        ------
        ArgumentError : no word at all
        """
        total = unknown = 0
        for sentence in sentences:
            words = _words("unknown_rate", sentence)
            total += len(words)
            unknown += sum(self._known(word) == UNKNOWN_ID for word in words)
        if total == 0:
            raise ArgumentError("unknown_rate: there is no word in the sentences")
        return unknown / total

    def _known(self, word: str) -> int:
        k = self._ids.get(word, UNKNOWN_ID)
        return k if k >= len(SPECIAL) else UNKNOWN_ID


def _words(operation: str, sentence: Sequence[str]) -> Sequence[str]:
    if isinstance(sentence, str):
        raise ArgumentError(
            f"{operation}: a sentence must be a list of words, got the string {sentence[:40]!r}, "
            "whose letters would be taken for words; use tokenize(text) or text.split()"
        )
    return sentence
