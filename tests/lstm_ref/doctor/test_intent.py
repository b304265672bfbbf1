"""What can be meant is no proof; what is measured exactly keeps its margins; the catalogue and the
pages belong together.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lstm_ref import doctor

BOOK = Path(__file__).parents[3] / "book"


class Classifier(nn.Module):
    def __init__(self, H=16, K=4):
        super().__init__()
        self.layer, self.last = nn.LSTM(3, H, batch_first=True), nn.Linear(H, K)

    def forward(self, x):
        return self.last(self.layer(x)[0][:, -1])


def batch(N=8, T=10, K=4, seed=0):
    return torch.randn(N, T, 3, generator=torch.Generator().manual_seed(seed)), torch.arange(N) % K


def examine(model, optimizer=None, pair=None, loss=None, **more):
    optimizer = optimizer or torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    return doctor.examine(
        model, pair or batch(), loss=loss or nn.CrossEntropyLoss(), optimizer=optimizer, **more
    )


def certainties(report):
    return {one.id: one.certainty for one in report}


def trained(model, steps=30, rate=0.02):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x, y = batch()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(x), y).backward()
        optimizer.step()
    return model


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_reservoir_is_named_without_proof():
    model = Classifier()
    model.layer.requires_grad_(False)
    report = examine(model)
    assert certainties(report) == {"frozen-by-accident": "strong"}
    assert "reservoir" in str(report)
    report.raise_for("contract")


def test_a_spare_layer_is_a_remark():
    model = Classifier()
    model.spare = nn.Linear(16, 7)
    report = examine(model)
    assert certainties(report) == {"parameter-unused": "remark"}
    assert not report


def test_a_recurrent_layer_that_is_never_used_is_more():
    model = Classifier()
    model.second = nn.LSTM(16, 16)
    assert certainties(examine(model)) == {"parameter-unused": "strong"}


def test_training_the_head_of_a_trained_model_is_a_remark():
    model = trained(Classifier())
    report = examine(model, torch.optim.Adam(model.last.parameters()))
    assert certainties(report) == {"not-in-optimizer": "remark"}
    assert not report


def test_training_the_head_of_a_random_model_is_more():
    model = Classifier()
    assert certainties(examine(model, torch.optim.Adam(model.last.parameters()))) == {
        "not-in-optimizer": "strong"
    }


def test_a_frozen_embedding_is_nothing():
    class Words(Classifier):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding.from_pretrained(torch.randn(30, 3))

        def forward(self, x):
            return super().forward(self.embed(x))

    tokens = torch.randint(0, 30, (8, 10))
    assert not examine(Words(), pair=(tokens, torch.arange(8) % 4)).findings


def test_a_shut_forget_gate_is_named_and_an_open_one_is_not():
    for bias, ids in ((-6.0, ("memory-too-short",)), (1.0, ())):
        model = Classifier()
        with torch.no_grad():
            model.layer.bias_ih_l0[16:32] = bias
        assert examine(model).ids == ids


def test_two_forget_biases_are_a_remark():
    model = Classifier()
    with torch.no_grad():
        for bias in (model.layer.bias_ih_l0, model.layer.bias_hh_l0):
            bias[16:32] = 1.0
    report = examine(model)
    assert certainties(report) == {"forget-bias-twice": "remark"}
    assert report.findings[0].value == 2


@pytest.mark.parametrize("seed", range(5))
def test_a_linear_head_of_five_numbers_reaches_its_targets(seed):
    torch.manual_seed(seed)
    x, _ = batch(5, seed=seed)
    y = torch.randn(5, 1) * 3
    report = examine(Classifier(K=1), pair=(x, y), loss=nn.MSELoss())
    assert "outputs-cannot-reach-targets" not in report.ids


@pytest.mark.parametrize("seed", range(6))
def test_padding_in_the_loss_of_a_packed_tagger_is_named_so(seed):
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.layer, self.last = (
                nn.Embedding(20, 6),
                nn.LSTM(6, 12, batch_first=True),
                nn.Linear(12, 3),
            )

        def forward(self, x, lengths):
            packed = pack_padded_sequence(
                self.embed(x), lengths, batch_first=True, enforce_sorted=False
            )
            return self.last(
                pad_packed_sequence(
                    self.layer(packed)[0], batch_first=True, total_length=x.shape[1]
                )[0]
            )

    torch.manual_seed(seed)
    lengths = torch.randint(2, 10, (8,))
    x = torch.randint(1, 20, (8, 10))
    x[torch.arange(10) >= lengths[:, None]] = 0

    def loss(out, y):
        return F.cross_entropy(out.flatten(0, 1), y.flatten())

    report = examine(Tagger(), pair=((x, lengths), x % 3), loss=loss, lengths=lengths)
    assert report.ids[:1] == ("scores-padding",), str(report)


@pytest.mark.parametrize("seed", range(3))
def test_a_column_made_of_the_target_is_named_and_a_count_is_not(seed):
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(24, 10, 3)), dtype=torch.float32)
    y = torch.tensor(rng.normal(size=(24, 1)), dtype=torch.float32)
    x[:, -1, 1] = 0.5 * y[:, 0] + 2
    assert examine(Classifier(K=1), pair=(x, y), loss=nn.MSELoss()).ids[:1] == ("future-in-input",)
    count = (torch.arange(10) + torch.arange(24)[:, None])[..., None].expand(24, 10, 3) / 30.0
    y = count[:, -1, :1] + 1 / 30
    assert (
        "future-in-input"
        not in examine(Classifier(K=1), pair=(count.clone(), y), loss=nn.MSELoss()).ids
    )


def windows(series, T=12):
    x = np.stack([series[k : k + T] for k in range(len(series) - T)])[..., None].repeat(3, axis=2)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(series[T:, None], dtype=torch.float32)


@pytest.mark.parametrize("seed", range(3))
def test_persistence_is_remarked_on_a_random_walk_and_not_on_a_wave(seed):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=800)) / 10
    wave = np.sin(np.arange(800) / 5) + 0.1 * rng.normal(size=800)
    for series, expected in ((walk, "remark"), (wave, None)):
        train, valid = windows(series[:500]), windows(series[500:])
        pair = tuple(part[:32] for part in train)
        report = examine(Classifier(K=1), pair=pair, loss=nn.MSELoss(), train=train, valid=valid)
        assert certainties(report).get("persistence-as-good") == expected


def test_every_finding_leads_to_a_page():
    for entry in doctor.CATALOGUE.values():
        assert (BOOK.parent / entry.page).is_file(), entry.id


# How a sentence says what was allowed, beside the number that was measured. The last ones are
# filled with such words.
ALLOWED = re.compile(
    r"allowed|needed|must|meant|usual|a mean gives|taken for chance|is nothing|cannot "
    r"fall|whatever|what the loss expects|"
    r"is learned late|should|the reverse is right|is no learning|\{(evidence|limit|what)\}"
)


@pytest.mark.parametrize("id", doctor.CATALOGUE)
def test_every_sentence_names_a_number_and_what_was_allowed(id):
    entry = doctor.CATALOGUE[id]
    assert re.search(r"\{\w+(:[^}]*)?\}", entry.what) and ALLOWED.search(entry.what), entry.what
    assert entry.cause.endswith(".") and entry.fix.endswith(".")


def test_what_is_no_proof_is_called_likely():
    model = Classifier()
    model.layer.requires_grad_(False)
    report = examine(model)
    assert "Likely cause: " in str(report) and "Read: book/two/training-step.md" in str(report)
    assert "Likely cause: " in report._repr_html_()


@pytest.mark.parametrize("size", [0.0, 2.0])
def test_recurrent_weights_far_too_large_are_named_and_usual_ones_are_not(size):
    class Plain(Classifier):
        def __init__(self):
            super().__init__()
            self.layer = nn.RNN(3, 16, batch_first=True, nonlinearity="relu")
            if size:
                nn.init.normal_(self.layer.weight_hh_l0, std=size)

    report = examine(Plain(), skip=("training", "loop"))
    assert ("exploding-gradient" in report.ids) == bool(size)
