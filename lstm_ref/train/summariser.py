"""A translator that may also copy: each word of a summary is written from a vocabulary, or copied
from a place of the text.

    words = SummaryWords(source_words, target_words)
    model = Pointer(len(source_words), len(target_words))
    fit_summaries(model, words, texts, summaries, steps=300)
    summarise(model, words, texts)

With the decoder's hidden state q and what attention found, z, the gate g says how much is written,
and attention itself says where it is copied from. V words of the vocabulary, T places of the text:

    p(w) = g softmax(...)[w] + (1 - g) * sum over the places t that hold w of weights[t]
    g    = sigmoid(v . [q, z] + b)

A word that is in no vocabulary can be copied. Within one text it has a number of its own, from V
on.

Sources: Vinyals, Fortunato and Jaitly (2015) for attention as an answer; See, Liu and Manning
(2017) for the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.padding import pad
from lstm_ref.data.words import (
    END_ID,
    PAD_ID,
    SPECIAL,
    START_ID,
    UNKNOWN_ID,
    WordVocabulary,
)
from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.train.history import History
from lstm_ref.train.loop import train
from lstm_ref.train.torch_engine import TorchEngine
from lstm_ref.train.translator import Translator, of_one_length

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.train.Pointer needs PyTorch, which is not installed; run: pip install "
        "'inside-the-lstm[torch]'"
    ) from error

Ids = NDArray[np.int64]
Words = Sequence[str]
LEAST_PROBABILITY = 1e-9  # of a probability: an answer that can neither be written nor copied


class Text(NamedTuple):
    """A text for the pointer: ids that the encoder reads (T,), numbers that copying gives (T,), and
    its unknown words.
    """

    read: Ids
    copied: Ids
    unknown: list[str]


class SummaryWords(NamedTuple):
    """The vocabulary that is read and the one that is written."""

    source: WordVocabulary
    target: WordVocabulary

    def text(self, words: Words) -> Text:
        """Ids of a text, and the numbers of its words as they are copied.

        Examples
        --------
        >>> words = SummaryWords(
        ...     WordVocabulary([["the", "film"]], 1), WordVocabulary([["good"]], 1)
        ... )
        >>> words.text(["the", "score"]).copied.tolist(), words.text(["the", "score"]).unknown
        ([5, 6], ['the', 'score'])
        """
        # A word that is spelt like the end of a text must not end the summary.
        known = {word: k for k, word in enumerate(self.target.words) if k >= len(SPECIAL)}
        unknown = list(dict.fromkeys(word for word in words if word not in known))
        V = len(self.target)
        numbers = {**known, **{word: V + k for k, word in enumerate(unknown)}}
        return Text(
            self.source.encode(words),
            np.array([numbers[word] for word in words], np.int64),
            unknown,
        )

    def answer(self, summary: Words, text: Text) -> Ids:
        """Numbers of a summary with its start and end; a word that is neither known nor in the text
        is unknown.
        """
        V = len(self.target)
        places = {word: V + k for k, word in enumerate(text.unknown)}
        written = self.target.encode(summary)
        found = [
            places.get(word, UNKNOWN_ID) if k == UNKNOWN_ID else k
            for word, k in zip(summary, written.tolist(), strict=True)
        ]
        return np.array([START_ID, *found, END_ID], np.int64)

    def words(self, numbers: Sequence[int], text: Text) -> list[str]:
        """Words of what was written, without start and end."""
        return [*map([*self.target.words, *text.unknown].__getitem__, numbers)]


class Pointer(Translator):
    """A `Translator` whose attention may also be the answer.

    Parameters
    ----------
    V_source, V_target, E, H, attention : as in `Translator`, with attention "dot" or "additive"

    Raises
    ------
    ArgumentError : without attention there is nothing to copy by

    Examples
    --------
    >>> model = Pointer(V_source=10, V_target=6)
    >>> read, copied, written = (
    ...     torch.tensor([[4, 5, 1]]),
    ...     torch.tensor([[4, 6, 7]]),
    ...     torch.tensor([[2, 4]]),
    ... )
    >>> log_p = model((read, copied, written))
    >>> log_p.shape, torch.allclose(log_p.exp().sum(dim=2), torch.ones(1, 2))
    (torch.Size([1, 2, 8]), True)
    """

    def __init__(
        self, V_source: int, V_target: int, E: int = 32, H: int = 48, attention: Any = "dot"
    ) -> None:
        super().__init__(V_source, V_target, E, H, attention)
        if attention == "none":
            raise ArgumentError(
                'Pointer: attention must be "dot" or "additive": what copies is attention'
            )
        self.gate = nn.Linear(2 * H, 1)

    def forward(self, both: tuple[Tensor, ...]) -> Tensor:
        """Logarithms of probabilities (N, S, V + M) of texts (read (N, T), copied (N, T)) and what
        was written (N, S).
        """
        read, copied, written = both
        encoded = self.encode(read)
        return self.next_words(written, copied, encoded, encoded.state)[0]

    def next_words(
        self, written: Tensor, copied: Tensor, encoded: Any, state: Any
    ) -> tuple[Tensor, Tensor, Tensor, Any]:
        """Log p (N, S, V + M), attention weights (N, S, T), gate (N, S) and state; M words of the
        batch are in no vocabulary.
        """
        V = self.affine.out_features
        # the decoder has no embedding for what was copied
        fed = torch.where(written < V, written, UNKNOWN_ID)
        h, (hT, cT) = self.decoder(self.target_words(fed), (state[0][None], state[1][None]))
        weights = (
            self._scores(h, encoded.memory)
            .masked_fill(~encoded.is_word[:, None], -torch.inf)
            .softmax(dim=2)
        )
        found = torch.cat([h, weights @ encoded.memory], dim=2)
        g = torch.sigmoid(self.gate(found))
        M = max(0, int(copied.max()) - V + 1)
        p = nn.functional.pad(g * self.affine(found).softmax(dim=2), (0, M))
        places = copied[:, None].expand(-1, written.shape[1], -1)
        p = p.scatter_add(2, places, (1 - g) * weights)  # padding has no weight
        return torch.log(p.clamp(min=LEAST_PROBABILITY)), weights, g[..., 0], (hT[0], cT[0])


def fit_summaries(
    model: Pointer,
    words: SummaryWords,
    texts: Sequence[Words],
    summaries: Sequence[Words],
    *,
    steps: int,
    N: int = 48,
    lr: float | Callable[..., float] = 1e-2,
    clip: float = 1.0,
    seed: int = 0,
) -> History:
    """Train with teacher forcing: -log p of each right word, written or copied, with Adam.

    Parameters
    ----------
    model : Pointer
    words : the vocabularies
    texts, summaries : as many of each, lists of words
    steps : updates
    N : texts in a batch, all of one length
    lr : learning rate, or a function of the step, as `train` takes it
    clip : largest norm of the gradient
    seed : of the draw of the batches. The weights are what the model came with

    Returns
    -------
    History

    Raises
    ------
    ArgumentError : not as many summaries as texts, or none at all
    """
    if len(texts) != len(summaries) or not len(texts):
        raise ArgumentError(
            "fit_summaries: texts and summaries must be as many, and at least one, got "
            f"{len(texts)} and {len(summaries)}"
        )
    read = [words.text(text) for text in texts]
    answers = [words.answer(summary, text) for summary, text in zip(summaries, read, strict=True)]
    rng = np.random.default_rng(seed)
    lengths = np.array([len(text.read) for text in read])

    def batches() -> Iterator[tuple[Any, ...]]:
        for _ in range(steps):
            rows = of_one_length(lengths, N, rng)
            answer = pad([answers[k] for k in rows]).x
            yield (*_padded([read[k] for k in rows]), answer[:, :-1], answer[:, 1:])

    return train(TorchEngine(model, copy_loss), batches, steps=steps, lr=lr, clip=clip, rng=rng)


def copy_loss(model: Any, batch: tuple[Tensor, ...]) -> Tensor:
    """Mean -log p of the words of a batch, each after the right ones.

    Parameters
    ----------
    model : Pointer
    batch : read (N, T), copied (N, T), written (N, S), and what follows each of the written words
        (N, S); 0 is padding
    """
    *given, answer = batch
    return nn.functional.nll_loss(
        model(tuple(given)).flatten(0, 1), answer.flatten(), ignore_index=PAD_ID
    )


def summarise(
    model: Pointer, words: SummaryWords, texts: Sequence[Words], longest: int = 20
) -> list[list[str]]:
    """Greedy summaries of all texts together.

    Parameters
    ----------
    model : Pointer; its mode is as before afterwards
    words : the vocabularies
    texts : lists of words
    longest : words after which a summary is cut off
    """
    training = model.training
    model.eval()
    read = [words.text(text) for text in texts]
    with torch.no_grad():
        ids, copied = map(torch.from_numpy, _padded(read))
        encoded = model.encode(ids)
        state, word, written = encoded.state, torch.full((len(texts), 1), START_ID), []
        for _ in range(longest):
            log_p, _, _, state = model.next_words(word, copied, encoded, state)
            # neither padding nor the unknown word is ever an answer
            log_p[..., : UNKNOWN_ID + 1] = -torch.inf
            word = log_p[:, -1:].argmax(dim=2)
            written.append(word)
    model.train(training)
    rows = torch.cat(written, dim=1).tolist()
    return [
        words.words(row[: row.index(END_ID)] if END_ID in row else row, text)
        for row, text in zip(rows, read, strict=True)
    ]


def _padded(texts: Sequence[Text]) -> tuple[Any, Any]:
    return pad([text.read for text in texts]).x, pad([text.copied for text in texts]).x
