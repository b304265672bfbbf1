"""The pointer: a distribution over words that are written or copied, and what it can do that a
vocabulary cannot.
"""

import numpy as np
import pytest
import torch

from lstm_ref.data import WordVocabulary
from lstm_ref.errors import ArgumentError
from lstm_ref.train import Pointer, SummaryWords, fit_summaries, summarise

KNOWN = [f"w{k}" for k in range(6)]
WORDS = SummaryWords(
    WordVocabulary([["name", "is", "old", "new", *KNOWN]], 1),
    WordVocabulary([["good", "bad", "w0"]], 1),
)


def test_unknown_words_have_numbers_of_their_own_and_come_back():
    text = WORDS.text("name is Zoe and w0 Zoe Max".split())
    V = len(WORDS.target)
    known = WORDS.target.words.index("w0")
    assert text.copied.tolist() == [V, V + 1, V + 2, V + 3, known, V + 2, V + 4]
    assert text.unknown == ["name", "is", "Zoe", "and", "Max"] and text.read[2] == text.read[6] == 1
    answer = WORDS.answer(["Zoe", "good", "Tim", "Max"], text)
    assert answer.tolist() == [2, V + 2, WORDS.target.words.index("good"), 1, V + 4, 3]
    assert WORDS.words([V + 2, known, V + 4], text) == ["Zoe", "w0", "Max"]


def test_a_word_that_is_spelt_like_an_end_is_copied_as_a_word():
    text = WORDS.text(["</s>", "<pad>"])
    assert text.copied.min() >= len(WORDS.target) and WORDS.words(text.copied.tolist(), text) == [
        "</s>",
        "<pad>",
    ]


def test_probabilities_are_those_of_the_formula():
    torch.manual_seed(0)
    model = Pointer(9, 6, E=5, H=4).double()
    read, copied, written = (
        torch.tensor([[4, 1, 5, 4], [6, 7, 0, 0]]),
        torch.tensor([[4, 6, 7, 4], [6, 5, 0, 0]]),
        torch.tensor([[2, 7], [2, 5]]),
    )
    encoded = model.encode(read)
    log_p, weights, g, _ = model.next_words(written, copied, encoded, encoded.state)
    fed = torch.tensor([[2, 1], [2, 5]])  # 7 has no embedding
    h, _ = model.decoder(model.target_words(fed), (encoded.state[0][None], encoded.state[1][None]))
    softmax = model.affine(torch.cat([h, weights @ encoded.memory], dim=2)).softmax(dim=2)
    for n in range(2):
        for s in range(2):
            expected = torch.zeros(8, dtype=torch.float64)
            expected[:6] = g[n, s] * softmax[n, s]
            for t in range(4):
                expected[copied[n, t]] += (1 - g[n, s]) * weights[n, s, t]
            assert torch.allclose(log_p[n, s].exp(), expected.clamp(min=1e-9))
    assert torch.allclose(
        log_p.exp().sum(dim=2), torch.ones(2, 2, dtype=torch.float64)
    ) and torch.all(weights[1, :, 2:] == 0)


def draw(rng, names):
    """Something is old or new, and has a name; the summary is the name and a judgement."""
    age = rng.choice(["old", "new"])
    name = str(rng.choice(names))
    order = [["is", age], ["name", name]] if rng.random() < 0.5 else [["name", name], ["is", age]]
    return [word for part in order for word in part], [name, "good" if age == "new" else "bad"]


def test_it_copies_names_that_it_has_never_seen_and_writes_what_is_in_no_text():
    rng = np.random.default_rng(0)
    train = [draw(rng, [*KNOWN, "Ann", "Bob"]) for _ in range(400)]
    test = [draw(rng, ["Zoe", "Max", "Kim"]) for _ in range(100)]
    torch.manual_seed(0)
    model = Pointer(len(WORDS.source), len(WORDS.target), E=16, H=24)
    history = fit_summaries(
        model, WORDS, [x for x, _ in train], [y for _, y in train], steps=200, N=32, lr=2e-2
    )
    assert history.loss[-1] < 0.3 * history.loss[0]
    found = summarise(model.train(), WORDS, [x for x, _ in test], longest=4)
    assert model.training and np.mean([f == y for f, (_, y) in zip(found, test, strict=True)]) > 0.9


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="what copies is attention"):
        Pointer(9, 6, attention="none")
    with pytest.raises(ArgumentError, match="must be as many, and at least one, got 1 and 0"):
        fit_summaries(Pointer(9, 6), WORDS, [["is"]], [], steps=1)
