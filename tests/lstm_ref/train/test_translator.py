"""The translator of the pages: what depends on what, its attention beside that in NumPy, and that
it learns.
"""

import numpy as np
import pytest
import torch

from lstm_ref import additive_attention_forward, dot_attention_forward
from lstm_ref.errors import ArgumentError
from lstm_ref.train import Translator, fit_translator, teacher_forced, translate, translate_beam
from lstm_ref.train.translator import of_one_length

KINDS = pytest.mark.parametrize("attention", ["none", "dot", "additive"])


def translator(attention, seed=0, **sizes):
    torch.manual_seed(seed)
    return Translator(9, 8, E=5, H=6, attention=attention, **sizes)


SOURCE = torch.tensor([[4, 5, 6, 7], [8, 4, 0, 0]])
WRITTEN = torch.tensor([[2, 4, 5], [2, 6, 7]])


@KINDS
def test_neither_padding_nor_the_neighbours_nor_later_words_change_a_score(attention):
    model = translator(attention)
    scores = model((SOURCE, WRITTEN))
    assert torch.allclose(model((SOURCE[1:, :2], WRITTEN[1:])), scores[1:], atol=1e-6)
    longer = torch.cat([SOURCE, torch.zeros(2, 3, dtype=torch.int64)], dim=1)
    assert torch.allclose(model((longer, WRITTEN)), scores, atol=1e-6)
    later = WRITTEN.clone()
    later[:, 2] = 3
    changed = model((SOURCE, later))
    assert torch.allclose(changed[:, :2], scores[:, :2], atol=1e-6) and not torch.allclose(
        changed[:, 2], scores[:, 2]
    )
    other = SOURCE.clone()
    other[:, 0] = 8
    assert not torch.allclose(model((other, WRITTEN))[:, 0], scores[:, 0])  # the source is read


@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_attention_is_that_of_the_reference_in_numpy(attention):
    model = translator(attention).double()
    encoded = model.encode(SOURCE)
    h, _ = model.decoder(
        model.target_words(WRITTEN), (encoded.state[0][None], encoded.state[1][None])
    )
    _, weights, _ = model.decode(WRITTEN, encoded, encoded.state)
    query, memory, mask = (
        h.detach().numpy(),
        encoded.memory.detach().numpy(),
        encoded.is_word.numpy(),
    )
    if attention == "dot":
        _, expected, _ = dot_attention_forward(query, memory, memory, mask, scaled=False)
    else:
        # The reference has no bias in its scores: it goes into the query, which gets a constant 1.
        ones = np.ones((*query.shape[:2], 1))
        Wq = np.vstack([model.Wq.weight.detach().numpy().T, model.Wq.bias.detach().numpy()])
        Wk, v = model.Wk.weight.detach().numpy().T, model.v.weight.detach().numpy()[0]
        _, expected, _ = additive_attention_forward(
            np.concatenate([query, ones], axis=2), memory, memory, Wq, Wk, v, mask
        )
    assert np.allclose(weights.detach(), expected, atol=1e-12)
    assert np.allclose(weights.detach().sum(dim=2), 1) and torch.all(weights[1, :, 2:] == 0)


@KINDS
def test_greedy_is_a_beam_of_one_and_modes_stay(attention):
    model = translator(attention, seed=3).train()
    sources = [np.array([4, 5, 6]), np.array([7]), np.array([8, 8, 4, 5])]
    together = translate(model, sources, longest=6)
    for source, written in zip(sources, together, strict=True):
        (best,) = translate_beam(model, source, width=1, longest=6)
        assert list(best.ids) == written
        wide = translate_beam(model, source, width=5, alpha=0.0, longest=6)
        assert not best.ended or wide[0].log_p >= best.log_p - 1e-6
    assert model.training


@KINDS
def test_the_probability_of_a_hypothesis_is_that_of_teacher_forcing(attention):
    model = translator(attention, seed=1).double().eval()
    source = np.array([4, 6, 7])
    best = next(
        one for one in translate_beam(model, source, width=6, alpha=0.6, longest=8) if one.ended
    )
    written = torch.tensor([[2, *best.ids]])
    answer = torch.tensor([[*best.ids, 3]])
    with torch.no_grad():
        mean = teacher_forced(model, (torch.tensor(source)[None], written, answer))
    assert best.log_p == pytest.approx(-float(mean) * answer.shape[1])


def test_it_learns_to_write_backwards_and_a_seed_gives_the_same_weights():
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, 8, size=rng.integers(1, 4)) for _ in range(300)]
    targets = [np.array([2, *source[::-1], 3]) for source in sources]
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        model = Translator(8, 8, E=12, H=24)
        history = fit_translator(model, sources, targets, steps=120, N=24, lr=2e-2)
        ends.append(history.loss[-1])
    assert ends[0] == ends[1] and ends[0] < 0.3 * history.loss[0]
    right = np.mean(
        [
            found == target[1:-1].tolist()
            for found, target in zip(translate(model, sources), targets, strict=True)
        ]
    )
    assert right > 0.8


def test_a_batch_holds_one_length_and_each_length_comes_as_often_as_it_occurs():
    lengths, rng = np.array([5] * 60 + [7] * 30 + [9] * 10), np.random.default_rng(0)
    drawn = [lengths[of_one_length(lengths, 8, rng)] for _ in range(2000)]
    assert all(len(set(some)) == 1 and len(some) == 8 for some in drawn)
    shares = [np.mean([some[0] == length for some in drawn]) for length in (5, 7, 9)]
    assert np.allclose(shares, [0.6, 0.3, 0.1], atol=0.04)


def test_targets_without_ends_and_other_attentions_are_refused():
    sources = [np.array([4, 5])]
    with pytest.raises(ArgumentError, match="must begin with 2 and end with 3"):
        fit_translator(translator("dot"), sources, [np.array([4, 5])], steps=1)
    with pytest.raises(ArgumentError, match="must be as many, and at least one, got 1 and 0"):
        fit_translator(translator("dot"), sources, [], steps=1)
    with pytest.raises(ArgumentError, match="attention must be"):
        translator("self")
