"""A small classifier of sentences, and its training: the model on which several pages make their
experiments.

    model = SentenceClassifier(V=len(vocabulary))
    fit_sentences(model, ids, labels, passes=8, lr=5e-3)
    class_scores(model, ids).argmax(axis=1)

It is an embedding, an LSTM, and an affine layer on the hidden state after the last word. Nothing in
it is special, so that what an experiment shows is due to what the experiment changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.padding import buckets, pad
from lstm_ref.data.words import PAD_ID
from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.train.history import History
from lstm_ref.train.loop import train
from lstm_ref.train.torch_engine import TorchEngine

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.train.SentenceClassifier needs PyTorch, which is not installed; run: pip install "
        "'inside-the-lstm[torch]'"
    ) from error

# batches that are sorted by length among each other: random enough, and little padding
MEGABATCH = 20


class SentenceClassifier(nn.Module):  # type: ignore[misc]  # torch is read without its types
    """Embedding, LSTM, and an affine layer on the hidden state after the last word.

    Parameters
    ----------
    V : number of ids; id 0 is padding
    classes : number of classes
    E : size of the embedding
    H : units of the LSTM

    Examples
    --------
    >>> model = SentenceClassifier(V=10, classes=3)
    >>> model(torch.tensor([[4, 5, 6], [7, 0, 0]])).shape
    torch.Size([2, 3])
    """

    def __init__(self, V: int, classes: int = 2, E: int = 32, H: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E, padding_idx=PAD_ID)
        self.lstm = nn.LSTM(E, H, batch_first=True)
        self.affine = nn.Linear(H, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (N, classes) of sentences (N, T), padded at the end."""
        h, _ = self.lstm(self.embedding(ids))
        # padding comes later, so that no state before it has seen it
        last = (ids != PAD_ID).sum(dim=1) - 1
        return self.affine(h[torch.arange(len(ids)), last])


def fit_sentences(
    model: nn.Module,
    sentences: Sequence[NDArray[np.int64]],
    labels: Any,
    *,
    passes: int,
    N: int = 32,
    lr: float = 5e-3,
    clip: float = 1.0,
    seed: int = 0,
    validation: tuple[Sequence[NDArray[np.int64]], Any] | None = None,
) -> History:
    """Train a classifier by cross-entropy with Adam; batches hold sentences of about one length.

    Parameters
    ----------
    model : takes ids (N, T) and gives scores (N, classes)
    sentences : n arrays of ids, each (length,)
    labels : (n,) integers
    passes : over all sentences
    N : sentences in a batch
    lr : learning rate
    clip : largest norm of the gradient
    seed : of the order of the sentences, another one in each pass. The weights are what the model
        came with
    validation : sentences and labels, whose error rate is measured after each pass

    Returns
    -------
    History : with ``validation`` as error rate, if asked for

    Raises
    ------
    ArgumentError : not as many labels as sentences, or none at all
    """
    targets = np.asarray(labels)
    if targets.shape != (len(sentences),) or len(sentences) == 0:
        raise ArgumentError(
            f"fit_sentences: labels must be one for each of the {len(sentences)} sentences, and at "
            f"least one, got shape {targets.shape}"
        )
    rng = np.random.default_rng(seed)

    def one_pass() -> Iterator[tuple[Any, Any]]:
        for chosen in _about_one_length(sentences, N, rng):
            yield pad([sentences[k] for k in chosen]).x, targets[chosen]

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def error_rate(model: nn.Module) -> float:
        assert validation is not None
        return float(
            np.mean(class_scores(model, validation[0]).argmax(axis=1) != np.asarray(validation[1]))
        )

    return train(
        TorchEngine(model, step),
        one_pass,
        passes=passes,
        lr=lr,
        clip=clip,
        evaluate=error_rate if validation is not None else None,
        rng=rng,
    )


def class_scores(
    model: nn.Module, sentences: Sequence[NDArray[np.int64]], N: int = 256
) -> NDArray[np.float64]:
    """Scores of sentences in evaluation mode, in the order in which the sentences came.

    Parameters
    ----------
    model : takes ids (N, T) and gives scores (N, classes)
    sentences : n arrays of ids, each (length,)
    N : sentences that are computed together

    Returns
    -------
    scores : (n, classes)
    """
    training = model.training
    model.eval()
    found: list[Any] = [None] * len(sentences)
    with torch.no_grad():
        for chosen in buckets([len(sentence) for sentence in sentences], N):
            scores = model(torch.from_numpy(pad([sentences[k] for k in chosen]).x)).double().numpy()
            for k, one in zip(chosen, scores, strict=True):
                found[k] = one
    model.train(training)
    return np.array(found)


def _about_one_length(
    sentences: Sequence[Any], N: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """All sentences in batches of N in random order; sorted by length only among the sentences of
    MEGABATCH batches.

    Sorted over the whole data, each batch would hold one kind of sentence, and the model would
    forget the others meanwhile.
    """
    order = rng.permutation(len(sentences))
    lengths = np.array([len(sentence) for sentence in sentences])
    batches: list[NDArray[np.int64]] = []
    for k in range(0, len(order), N * MEGABATCH):
        part = order[k : k + N * MEGABATCH]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[j : j + N] for j in range(0, len(part), N)]
    return [batches[k] for k in rng.permutation(len(batches))]
