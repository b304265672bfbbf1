"""An encoder, a decoder, and attention between them: the model that several pages train to turn one
text into another.

    model = Translator(len(source_words), len(target_words))
    fit_translator(model, sources, targets, steps=450)  # ids; targets with their start and end
    translate(model, sources)                                   # greedy
    translate_beam(model, sources[0], width=4, alpha=0.6)       # hypotheses

The encoder reads the source. Its last state is where the decoder begins, and without attention that
is all which the decoder knows. With attention it may look at each hidden state of the encoder,
before each word that it writes. In training the decoder is fed the right words, one step late
(*teacher forcing*); when it translates it is fed its own.

Sources: Sutskever, Vinyals and Le (2014); Bahdanau, Cho and Bengio (2015); Luong, Pham and Manning
(2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.padding import pad
from lstm_ref.data.words import END_ID, PAD_ID, START_ID
from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.learn.beam import Hypothesis, beam_search
from lstm_ref.train.history import History
from lstm_ref.train.loop import train
from lstm_ref.train.torch_engine import TorchEngine

try:
    import torch
    from torch import Tensor, nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.train.Translator needs PyTorch, which is not installed; run: pip install "
        "'inside-the-lstm[torch]'"
    ) from error

Attention = Literal["none", "dot", "additive"]
Ids = NDArray[np.int64]


class Encoded(NamedTuple):
    """What the decoder is given: all hidden states of the encoder, which of them are words, and the
    last state.
    """

    memory: Tensor  # (N, T, H)
    is_word: Tensor  # (N, T)
    state: tuple[Tensor, Tensor]  # (N, H) each


class Translator(nn.Module):  # type: ignore[misc]  # torch is read without its types
    """Encoder, decoder and an affine layer on the decoder's hidden state and what attention has
    found.

    Parameters
    ----------
    V_source, V_target : number of ids on each side; id 0 is padding, 2 the start and 3 the end
    E : size of the embeddings
    H : units of encoder and decoder
    attention : "none", "dot" or "additive"

    Raises
    ------
    ArgumentError : another attention

    Examples
    --------
    >>> model = Translator(V_source=10, V_target=12)
    >>> model((torch.tensor([[4, 5, 6], [7, 0, 0]]), torch.tensor([[2, 4], [2, 5]]))).shape
    torch.Size([2, 2, 12])
    """

    def __init__(
        self, V_source: int, V_target: int, E: int = 32, H: int = 48, attention: Attention = "dot"
    ) -> None:
        super().__init__()
        if attention not in ("none", "dot", "additive"):
            raise ArgumentError(
                f'Translator: attention must be "none", "dot" or "additive", got {attention!r}'
            )
        self.attention = attention
        self.source_words = nn.Embedding(V_source, E, padding_idx=PAD_ID)
        self.target_words = nn.Embedding(V_target, E, padding_idx=PAD_ID)
        self.encoder = nn.LSTM(E, H, batch_first=True)
        self.decoder = nn.LSTM(E, H, batch_first=True)
        if attention == "additive":
            self.Wq, self.Wk, self.v = (
                nn.Linear(H, H),
                nn.Linear(H, H, bias=False),
                nn.Linear(H, 1, bias=False),
            )
        self.affine = nn.Linear(H if attention == "none" else 2 * H, V_target)

    def forward(self, both: tuple[Tensor, Tensor]) -> Tensor:
        """Scores (N, S, V) of the words that follow, of sources (N, T) and what was written before
        each of them (N, S).
        """
        source, written = both
        encoded = self.encode(source)
        return self.decode(written, encoded, encoded.state)[0]

    def encode(self, source: Tensor) -> Encoded:
        """Read sources (N, T), padded at the end."""
        is_word = source != PAD_ID
        if bool(is_word.all()):
            memory, (h, c) = self.encoder(self.source_words(source))
        else:
            packed = pack_padded_sequence(
                self.source_words(source), is_word.sum(dim=1), True, enforce_sorted=False
            )
            memory, (h, c) = self.encoder(packed)
            memory, _ = pad_packed_sequence(memory, batch_first=True, total_length=source.shape[1])
        return Encoded(memory, is_word, (h[0], c[0]))

    def decode(
        self, written: Tensor, encoded: Encoded, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor]]:
        """Scores (N, S, V), attention weights (N, S, T) or None, and the state after the last of
        the words (N, S).
        """
        h, (hT, cT) = self.decoder(self.target_words(written), (state[0][None], state[1][None]))
        if self.attention == "none":
            return self.affine(h), None, (hT[0], cT[0])
        scores = self._scores(h, encoded.memory).masked_fill(~encoded.is_word[:, None], -torch.inf)
        weights = scores.softmax(dim=2)
        return self.affine(torch.cat([h, weights @ encoded.memory], dim=2)), weights, (hT[0], cT[0])

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        if self.attention == "dot":
            return query @ keys.transpose(1, 2)
        return self.v(torch.tanh(self.Wq(query)[:, :, None] + self.Wk(keys)[:, None]))[..., 0]


def fit_translator(
    model: Any,
    sources: Sequence[Ids],
    targets: Sequence[Ids],
    *,
    steps: int,
    N: int = 48,
    lr: float | Callable[..., float] = 1e-2,
    clip: float = 1.0,
    seed: int = 0,
) -> History:
    """Train with teacher forcing: cross-entropy of each word after the right ones, with Adam.

    Parameters
    ----------
    model : takes (sources (N, T), written (N, S)) and gives scores (N, S, V), as `Translator`
    sources : n arrays of ids
    targets : n arrays of ids, each with its start and its end,
        ``vocabulary.encode(words, ends=True)``
    steps : updates
    N : pairs in a batch, whose sources are of one length
    lr : learning rate, or a function of the step, as `train` takes it
    clip : largest norm of the gradient
    seed : of the draw of the batches. The weights are what the model came with

    Returns
    -------
    History

    Raises
    ------
    ArgumentError : not as many targets as sources, none at all, or a target without its start and
        end
    """
    if len(sources) != len(targets) or not len(sources):
        raise ArgumentError(
            "fit_translator: sources and targets must be as many, and at least one, got "
            f"{len(sources)} and {len(targets)}"
        )
    if any(len(target) < 2 or target[0] != START_ID or target[-1] != END_ID for target in targets):
        raise ArgumentError(
            f"fit_translator: each target must begin with {START_ID} and end with {END_ID}; use "
            "encode(words, ends=True)"
        )
    rng = np.random.default_rng(seed)
    lengths = np.array([len(source) for source in sources])

    def batches() -> Iterator[tuple[Any, Any, Any]]:
        for _ in range(steps):
            rows = of_one_length(lengths, N, rng)
            target = pad([targets[k] for k in rows]).x
            yield pad([sources[k] for k in rows]).x, target[:, :-1], target[:, 1:]

    return train(
        TorchEngine(model, teacher_forced), batches, steps=steps, lr=lr, clip=clip, rng=rng
    )


def of_one_length(lengths: Ids, N: int, rng: np.random.Generator) -> Ids:
    """N rows of one length, which is drawn as often as it occurs: such a batch needs no padding,
    and none of its steps is computed for nothing.

    Parameters
    ----------
    lengths : (n,) of all sequences
    N : rows to draw, with replacement
    rng : random numbers
    """
    same = np.flatnonzero(lengths == lengths[rng.integers(len(lengths))])
    return rng.choice(same, N)


def teacher_forced(model: Any, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy of the words of a batch, each after the right ones.

    Parameters
    ----------
    model : as in `fit_translator`
    batch : sources (N, T), written (N, S), and what follows each of the written words (N, S); 0 is
        padding
    """
    source, written, answer = batch
    scores = model((source, written))
    return nn.functional.cross_entropy(scores.flatten(0, 1), answer.flatten(), ignore_index=PAD_ID)


def translate(model: Translator, sources: Sequence[Ids], longest: int = 40) -> list[list[int]]:
    """Greedy translations of all sources together: ids without start and end.

    Parameters
    ----------
    model : Translator; its mode is as before afterwards
    sources : n arrays of ids
    longest : words after which a translation is cut off
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        encoded = model.encode(torch.from_numpy(pad(sources).x))
        state, word = encoded.state, torch.full((len(sources), 1), START_ID)
        written = []
        for _ in range(longest):
            scores, _, state = model.decode(word, encoded, state)
            word = scores[:, -1:].argmax(dim=2)
            written.append(word)
            if all((torch.cat(written, dim=1) == END_ID).any(dim=1)):
                break
    model.train(training)
    rows = torch.cat(written, dim=1).tolist()
    return [row[: row.index(END_ID)] if END_ID in row else row for row in rows]


def translate_beam(
    model: Translator, source: Ids, width: int = 4, alpha: float = 0.6, longest: int = 40
) -> list[Hypothesis]:
    """Translations of one source by `beam_search`, the best one first.

    Parameters
    ----------
    model : Translator; its mode is as before afterwards
    source : (T,) ids
    width, alpha, longest : as in `beam_search`; there ``longest`` counts the end
    """
    training = model.training
    model.eval()

    def step(ids: Any, state: Any) -> tuple[Any, Any]:
        K = len(ids)
        beams = Encoded(encoded.memory.expand(K, -1, -1), encoded.is_word.expand(K, -1), state)
        scores, _, state = model.decode(torch.from_numpy(ids)[:, None], beams, state)
        return scores[:, -1].double().log_softmax(dim=1).numpy(), state

    with torch.no_grad():
        encoded = model.encode(torch.from_numpy(np.asarray(source))[None])
        found = beam_search(
            step,
            encoded.state,
            start=START_ID,
            end=END_ID,
            longest=longest,
            width=width,
            alpha=alpha,
        )
    model.train(training)
    return found
