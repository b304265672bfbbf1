"""A fourth collection in PyTorch as people bring them to a forum, written before the doctor saw it;
see programs_torch.py.
"""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.support.forum import collection
from tests.support.forum import torch_program as program

SICK, WELL, sick, well = collection()


def some(low, high):
    return int(torch.randint(low, high + 1, ()))


def waves(N, T, D):
    """Smooth series (N, T, D) about 0."""
    t = torch.arange(T) / 8
    phase, speed = 6 * torch.rand(N, 1, D), 0.5 + torch.rand(N, 1, D)
    return torch.sin(phase + speed * t[None, :, None]) + 0.1 * torch.randn(N, T, D)


def text(N, T, V, shortest=3):
    """Tokens (N, T) from 1, padded with 0, and their lengths."""
    lengths = torch.randint(shortest, T + 1, (N,))
    lengths[0] = T
    return torch.randint(1, V, (N, T)) * (torch.arange(T) < lengths[:, None]), lengths


# Sick.


class Net(nn.Module):
    """A recurrent body, something done with its states, a head."""

    def __init__(self, D, H, K, kind=nn.LSTM, pick=lambda h: h[:, -1], last=None, **kwargs):
        super().__init__()
        kwargs.setdefault("batch_first", True)
        self.body = kind(D, H, **kwargs)
        self.head = nn.Linear(H * (2 if kwargs.get("bidirectional") else 1), K)
        self.pick, self.last = pick, last

    def forward(self, x):
        y = self.head(self.pick(self.body(x)[0]))
        return self.last(y) if self.last else y


class Words(nn.Module):
    def __init__(self, V, H, K, pick=lambda h: h[:, -1], last=None, kind=nn.LSTM, **kwargs):
        super().__init__()
        self.emb, self.net = nn.Embedding(V, H), Net(H, H, K, kind, pick, last, **kwargs)

    def forward(self, x):
        return self.net(self.emb(x))


CE, MSE, BCE = nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss()


@sick("not-registered", "not-repeatable")
def head_made_in_forward():
    N = some(10, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 20, batch_first=True)

        def forward(self, x):
            h = self.rnn(x)[0][:, -1]
            return nn.Linear(20, 3)(F.relu(h))

    return program(M(), waves(N, 14, 3), torch.randint(0, 3, (N,)), CE)


@sick("not-registered", "not-in-optimizer")
def directions_in_a_dict():
    N = some(10, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnns = {"f": nn.GRU(3, 12, batch_first=True), "b": nn.GRU(3, 12, batch_first=True)}
            self.fc = nn.Linear(24, 3)

        def forward(self, x):
            f, b = self.rnns["f"](x)[1][0], self.rnns["b"](x.flip(1))[1][0]
            return self.fc(torch.cat([f, b], 1))

    return program(M(), waves(N, 14, 3), torch.randint(0, 3, (N,)), CE)


@sick("no-update", "not-in-optimizer")
def optimizer_of_another_copy():
    N = some(10, 24)
    x = waves(N, 14, 3)
    model, other = Net(3, 20, 1), Net(3, 20, 1)
    optimizer = torch.optim.Adam(other.parameters(), 1e-3)
    return program(model, x, x[:, -1:, 0], MSE, optimizer=optimizer)


def loop(model, optimizer, loss, order, after=lambda: None):
    """A loop whose calls stand in the order that is named."""

    def step(batch):
        model.train()
        value = loss(model(batch[0]), batch[1])
        for name in order:
            {
                "zero": optimizer.zero_grad,
                "back": value.backward,
                "step": optimizer.step,
                "clip": lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.5),
            }[name]()
        after()
        return value.item()

    return step


def looped(order, rate=1e-3, Optimizer=torch.optim.Adam, after=None, **kwargs):
    N = some(10, 24)
    x = waves(N, 14, 3)
    model = Net(3, 20, 1, nn.GRU)
    optimizer = Optimizer(model.parameters(), rate, **kwargs)
    return program(
        model,
        x,
        x[:, -3:, 0].mean(1, keepdim=True),
        MSE,
        optimizer=optimizer,
        step=loop(
            model, optimizer, MSE, order, (after or (lambda m, o: lambda: None))(model, optimizer)
        ),
    )


@sick("no-update")
def cleared_between_backward_and_step():
    return looped(["back", "zero", "step"])


@sick("sees-the-future")
def normalised_along_time():
    s = waves(some(8, 16), 25, 3)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(3, 20, batch_first=True), nn.Linear(20, 3)

        def forward(self, x):
            x = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-6)
            return self.fc(self.rnn(x)[0])

    return program(M(), s[:, :-1], s[:, 1:], MSE, causal=True)


@well
def last_column_and_no_lengths_given():
    N = some(12, 30)
    x, lengths = text(N, 18, 40)
    return program(Words(40, 20, 3), x, torch.randint(0, 3, (N,)), CE)


@well
def mean_over_padding_and_no_lengths_given():
    N, T = some(12, 30), 20
    x = waves(N, T, 4)
    lengths = torch.randint(5, T + 1, (N,))
    lengths[0] = T
    x = x * (torch.arange(T) < lengths[:, None]).unsqueeze(2)
    return program(Net(4, 20, 3, pick=lambda h: h.mean(1)), x, torch.randint(0, 3, (N,)), CE)


@sick("scores-padding")
def tags_with_padding_class():
    N, T = some(10, 24), 14
    x, lengths = text(N, T, 40)
    y = torch.where(x > 0, 1 + x % 4, 0)
    return program(
        Words(40, 20, 5, pick=lambda h: h, bidirectional=True),
        x,
        y,
        lambda o, y: F.cross_entropy(o.transpose(1, 2), y),
        lengths=lengths,
    )


@sick("targets-misaligned")
def sorted_and_never_unsorted():
    N = some(10, 24)
    x, lengths = text(N, 14, 40)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.fc = (
                nn.Embedding(40, 20),
                nn.LSTM(20, 20, batch_first=True),
                nn.Linear(20, 3),
            )

        def forward(self, x):
            n = (x > 0).sum(1)
            n, order = n.sort(descending=True)
            packed = pack_padded_sequence(self.emb(x[order]), n, batch_first=True)
            return self.fc(self.rnn(packed)[1][0][-1])

    return program(M(), x, torch.randint(0, 3, (N,)), CE)


@sick("targets-misaligned", "examples-mixed")
def flipped_the_batch_for_the_backward_net():
    N = some(10, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.b, self.fc = (
                nn.GRU(3, 16, batch_first=True),
                nn.GRU(3, 16, batch_first=True),
                nn.Linear(32, 3),
            )

        def forward(self, x):
            return self.fc(torch.cat([self.f(x)[0], self.b(x.flip(0))[0]], 2))

    x = waves(N, 12, 3)
    return program(
        M(),
        x,
        (x[..., 0] > 0).long() + (x[..., 1] > 0).long(),
        lambda o, y: F.cross_entropy(o.transpose(1, 2), y),
    )


@sick("examples-mixed", "targets-misaligned")
def directions_viewed_together():
    N = 2 * some(6, 12)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = (
                nn.LSTM(4, 16, batch_first=True, bidirectional=True),
                nn.Linear(32, 3),
            )

        def forward(self, x):
            h = self.rnn(x)[1][0]
            return self.fc(h.reshape(x.shape[0], -1))

    return program(M(), waves(N, 12, 4), torch.randint(0, 3, (N,)), CE)


@sick("outputs-cannot-reach-targets")
def softmax_for_labels_that_come_together():
    N = some(14, 30)
    x = torch.randint(0, 40, (N, 12))
    y = (torch.rand(N, 5) < 0.5).float()
    return program(Words(40, 20, 5, last=lambda o: o.softmax(-1)), x, y, nn.BCELoss())


@sick("gradient-cut")
def cell_loop_with_data():
    N = some(12, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.fc = nn.LSTMCell(3, 20), nn.Linear(20, 1)

        def forward(self, x):
            h = c = torch.zeros(len(x), 20)
            for t in range(x.shape[1]):
                h, c = self.cell(x[:, t], (h.data, c.data))
            return self.fc(h)

    x = waves(N, 14, 3)
    return program(M(), x, x[:, 2:5, 0].mean(1, keepdim=True), MSE)


@sick("no-gradient", "loss-detached")
def outputs_wrapped_into_a_new_tensor():
    N = some(12, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.mid, self.fc = (
                nn.LSTM(3, 20, batch_first=True),
                nn.Linear(20, 10),
                nn.Linear(10, 1),
            )

        def forward(self, x):
            h = torch.tensor([row.tolist() for row in self.mid(self.rnn(x)[0][:, -1])])
            return self.fc(F.relu(h))

    x = waves(N, 10, 3)
    return program(M(), x, x[:, 2:5, 0].mean(1, keepdim=True), MSE)


@sick("inputs-badly-scaled")
def pressure_in_pascal():
    N = some(12, 24)
    x = waves(N, 12, 3)
    y = x[:, -3:, 0].mean(1, keepdim=True)
    x[..., 0] = 101300 + 800 * x[..., 0]
    return program(Net(3, 20, 1), x, y, MSE)


@sick("dead-units")
def initialised_with_constants():
    N = some(12, 24)
    model = Net(3, 20, 3)
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    return program(model, waves(N, 12, 3), torch.randint(0, 3, (N,)), CE)


@sick("one-time-step")
def unsqueezed_before_the_features():
    N = some(12, 24)
    x = waves(N, 12, 1)[..., 0]

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(12, 20, batch_first=True), nn.Linear(20, 1)

        def forward(self, x):
            return self.fc(self.rnn(x.unsqueeze(1))[0][:, -1])

    return program(M(), x, x[:, -3:].mean(1, keepdim=True), MSE)


@sick("examples-mixed", "time-on-wrong-axis", "one-time-step")
def batch_taken_for_one_sequence():
    N = some(12, 24)
    x = waves(N, 12, 1)[..., 0]

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(12, 20, batch_first=True), nn.Linear(20, 1)

        def forward(self, x):
            return self.fc(self.rnn(x.unsqueeze(0))[0].squeeze(0))

    return program(M(), x, x[:, -3:].mean(1, keepdim=True), MSE)


@sick("parameter-unused", "outputs-ignore-inputs", "no-gradient")
def attention_computed_and_not_used():
    N, V = some(8, 16), 30

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.q, self.k = (
                nn.Embedding(V, 20),
                nn.GRU(20, 20, batch_first=True),
                nn.Linear(20, 20),
                nn.Linear(20, 20),
            )
            self.fc = nn.Linear(20, 4)

        def forward(self, x):
            h = self.rnn(self.emb(x))[0]
            w = (self.q(h[:, -1:]) @ self.k(h).transpose(1, 2)).softmax(-1)
            _context = (w @ h).squeeze(1)
            return self.fc(h[:, -1])

    return program(M(), torch.randint(0, V, (N, 12)), torch.randint(0, 4, (N,)), CE)


@sick("classes-on-wrong-axis")
def as_many_steps_as_tags():
    N = some(8, 20)
    x = torch.randint(0, 40, (N, 6))
    return program(Words(40, 20, 6, pick=lambda h: h), x, x % 6, CE)


@sick("inputs-changed")
def centred_in_place():
    N = some(12, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 3)

        def forward(self, x):
            x -= x.mean(1, keepdim=True)
            x /= 2
            return self.fc(self.rnn(x)[0][:, -1])

    return program(M(), waves(N, 12, 3), torch.randint(0, 3, (N,)), CE)


@sick("normalised-over-batch", "examples-mixed")
def batch_norm_without_running_mean():
    N = some(12, 24)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.rnn, self.fc = (
                nn.BatchNorm1d(3, track_running_stats=False),
                nn.LSTM(3, 24, batch_first=True),
                nn.Linear(24, 3),
            )

        def forward(self, x):
            return self.fc(self.rnn(self.norm(x.transpose(1, 2)).transpose(1, 2))[0][:, -1])

    return program(M(), waves(N, 12, 3), torch.randint(0, 3, (N,)), CE)


@sick("outputs-ignore-inputs", "no-gradient")
def scaled_values_cast_to_numbers_of_words():
    N = some(12, 24)
    x = torch.rand(N, 12)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.fc = (
                nn.Embedding(10, 8),
                nn.LSTM(8, 20, batch_first=True),
                nn.Linear(20, 1),
            )

        def forward(self, x):
            return self.fc(self.rnn(self.emb(x.long()))[0][:, -1])

    return program(M(), x, x.mean(1, keepdim=True), MSE)


@sick("place-in-batch")
def positions_counted_along_the_batch():
    N = some(10, 20)
    pe = torch.zeros(64, 32)
    pos = torch.arange(64)[:, None] * torch.exp(torch.arange(0, 32, 2) * (-math.log(10000.0) / 32))
    pe[:, 0::2], pe[:, 1::2] = pos.sin(), pos.cos()

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(40, 32)
            self.register_buffer("pe", pe.unsqueeze(1))
            self.enc, self.fc = (
                nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 1),
                nn.Linear(32, 3),
            )

        def forward(self, x):
            h = self.emb(x)
            return self.fc(self.enc(h + self.pe[: h.size(0)]).mean(1))

    return program(M(), torch.randint(0, 40, (N, 12)), torch.randint(0, 3, (N,)), CE)


@sick("short-reach")
def own_cell_that_forgets_its_state():
    N = some(10, 20)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.fc = nn.LSTMCell(3, 20), nn.Linear(20, 2)

        def forward(self, x):
            out = []
            for t in range(x.shape[1]):
                h, c = self.cell(x[:, t])
                out.append(h)
            return self.fc(torch.stack(out, 1)[:, -1])

    return program(M(), waves(N, 12, 3), torch.randint(0, 2, (N,)), CE)


@sick("parameter-unused", "direction-sees-one-step", "short-reach")
def last_layer_of_both_ways_read_by_minus_one():
    N = some(10, 20)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = (
                nn.LSTM(3, 20, 2, batch_first=True, bidirectional=True),
                nn.Linear(20, 2),
            )

        def forward(self, x):
            return self.fc(self.rnn(x)[1][0][-1])

    return program(M(), waves(N, 12, 3), torch.randint(0, 2, (N,)), CE)


@sick("examples-not-scored", "output-not-scored")
def only_the_first_horizon_is_scored():
    N = some(10, 20)
    s = waves(N, 18, 1)
    return program(
        Net(1, 20, 6), s[:, :12], s[:, 12:, 0], lambda o, y: F.mse_loss(o[:, 0], y[:, 0])
    )


@sick("label-without-gradient", "scores-padding")
def class_zero_ignored():
    N = some(16, 30)
    x = torch.randint(0, 40, (N, 12))
    y = torch.arange(N) % 3
    return program(Words(40, 20, 3), x, y, nn.CrossEntropyLoss(ignore_index=0))


# Well.


class Reader(nn.Module):
    """Tokens -> last valid state, by packing."""

    def __init__(self, V, E, H, C, bi=False):
        super().__init__()
        self.emb = nn.Embedding(V, E, padding_idx=0)
        self.rnn = nn.LSTM(E, H, batch_first=True, bidirectional=bi)
        self.fc = nn.Linear(H * (1 + bi), C)

    def encode(self, x):
        lengths = (x != 0).sum(1).clamp(min=1)
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(packed)
        return torch.cat(list(h), 1)

    def forward(self, x):
        return self.fc(self.encode(x))


@well
def packed_reviews_without_lengths():
    N = some(10, 30)
    x, _ = text(N, some(10, 20), 60)
    return program(
        Reader(60, 16, 24, 1, True), x, torch.randint(0, 2, (N, 1)).float(), nn.BCEWithLogitsLoss()
    )


@well
def four_examples_three_topics():
    x, lengths = text(4, some(8, 16), 40)
    return program(
        Reader(40, 12, 20, 3), x, torch.tensor([0, 2, 1, 0]), nn.CrossEntropyLoss(), lengths=lengths
    )


@well
def one_fraud_of_sixteen():
    x = waves(16, some(10, 20), 5)
    y = torch.zeros(16)
    y[some(0, 15)] = 1

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.GRU(5, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            return self.fc(self.rnn(x)[1][-1]).squeeze(1)

    return program(M(), x, y, nn.BCEWithLogitsLoss(pos_weight=torch.tensor(20.0)))


@well
def no_fraud_among_sixteen():
    x = waves(16, some(10, 20), 5)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(5, 20, 2, batch_first=True, dropout=0.2), nn.Linear(20, 1)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1]).squeeze(-1)

    return program(M(), x, torch.zeros(16), nn.BCEWithLogitsLoss(pos_weight=torch.tensor(50.0)))


@well
def rare_class_of_two_outputs():
    x = waves(16, some(10, 20), 3)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(3, 20, batch_first=True), nn.Linear(20, 2)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    return program(
        M(),
        x,
        torch.zeros(16, dtype=torch.long),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 30.0])),
    )


@well
def many_labels_most_absent():
    N = some(12, 24)
    x, _ = text(N, 14, 50)
    y = (torch.rand(N, 20) < 0.05).float()
    return program(Reader(50, 16, 24, 20), x, y, nn.BCEWithLogitsLoss())


class Rain(nn.Module):
    def __init__(self, D, H):
        super().__init__()
        self.rnn = nn.LSTM(D, H, batch_first=True)
        self.wet, self.much = nn.Linear(H, 1), nn.Linear(H, 1)

    def forward(self, x):
        h = self.rnn(x)[0][:, -1]
        return self.wet(h).squeeze(-1), self.much(h).squeeze(-1)


@well
def rain_of_two_parts():
    N = some(16, 32)
    x = waves(N, 20, 4)
    y = torch.where(torch.rand(N) < 0.25, torch.rand(N) * 8 + 0.2, torch.zeros(N))

    def loss(out, y):
        wet, much = out
        rain = y > 0
        size = (much - y.clamp(min=1e-3).log()) ** 2 * rain
        return F.binary_cross_entropy_with_logits(
            wet, rain.float()
        ) + size.sum() / rain.sum().clamp(min=1)

    return program(Rain(4, 24), x, y, loss)


class Tagger(nn.Module):
    def __init__(self, V, C, H=20):
        super().__init__()
        self.emb = nn.Embedding(V, 16)
        self.rnn = nn.GRU(16, H, bidirectional=True)
        self.fc = nn.Linear(2 * H, C)

    def forward(self, x):
        lengths = (x != 0).sum(0)
        packed = pack_padded_sequence(self.emb(x), lengths, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.rnn(packed)[0], total_length=len(x))
        return self.fc(out).permute(1, 2, 0)


@well
def time_first_tags_minus_hundred():
    N, T = some(8, 20), some(9, 16)
    x, _ = text(N, T, 50)
    y = torch.where(x != 0, x % 5, torch.full_like(x, -100))
    return program(Tagger(50, 5), x.t().contiguous(), y, nn.CrossEntropyLoss())


class Encoder(nn.Module):
    def __init__(self, V, C, causal=False, d=32, maxlen=64):
        super().__init__()
        self.emb, self.pos = nn.Embedding(V, d), nn.Parameter(0.02 * torch.randn(1, maxlen, d))
        layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc, self.causal = nn.Linear(d, C), causal

    def forward(self, x):
        h = self.emb(x) * math.sqrt(32) + self.pos[:, : x.shape[1]]
        if self.causal:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.fc(self.enc(h, mask=mask, is_causal=True))
        h = self.enc(h, src_key_padding_mask=x == 0)
        return self.fc(h[:, 0])


@well
def small_gpt():
    N, T, V = some(6, 14), some(10, 20), 50
    s = torch.randint(0, V, (N, T + 1))
    return program(
        Encoder(V, V, True),
        s[:, :-1],
        s[:, 1:],
        lambda o, y: F.cross_entropy(o.reshape(-1, V), y.reshape(-1)),
        causal=True,
        optimizer=None,
        rate=3e-4,
    )


@well
def first_token_classifies():
    N = some(8, 20)
    x, lengths = text(N, 15, 40)
    x[:, 0] = 39
    return program(
        Encoder(40, 4),
        x,
        torch.randint(0, 4, (N,)),
        nn.CrossEntropyLoss(),
        lengths=lengths,
        rate=3e-4,
    )


class Seq2Seq(nn.Module):
    def __init__(self, V, W, H):
        super().__init__()
        self.e1, self.e2 = nn.Embedding(V, H, padding_idx=0), nn.Embedding(W, H, padding_idx=0)
        self.enc, self.dec = (
            nn.GRU(H, H, batch_first=True, bidirectional=True),
            nn.GRUCell(2 * H, H),
        )
        self.bridge, self.attn, self.out = (
            nn.Linear(2 * H, H),
            nn.Linear(H, 2 * H, bias=False),
            nn.Linear(3 * H, W),
        )
        self.look = nn.Linear(2 * H, H)

    def forward(self, src, tgt):
        mask = src != 0
        packed = pack_padded_sequence(
            self.e1(src), mask.sum(1), batch_first=True, enforce_sorted=False
        )
        memory, h = self.enc(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        h = torch.tanh(self.bridge(torch.cat([h[0], h[1]], 1)))
        outs = []
        for t in range(tgt.shape[1]):
            score = torch.bmm(memory, self.attn(h).unsqueeze(2)).squeeze(2).masked_fill(~mask, -1e9)
            context = torch.bmm(score.softmax(1).unsqueeze(1), memory).squeeze(1)
            h = self.dec(torch.cat([self.e2(tgt[:, t]), self.look(context)], 1), h)
            outs.append(self.out(torch.cat([h, context], 1)))
        return torch.stack(outs, 1)


@well
def translator_with_attention_and_pads():
    N = some(6, 16)
    src, _ = text(N, 9, 30)
    tgt, _ = text(N, 8, 25, 4)
    return program(
        Seq2Seq(30, 25, 20),
        (src, tgt[:, :-1]),
        tgt[:, 1:],
        lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten(), ignore_index=0),
    )


class Siamese(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.reader = Reader(V, 16, 24, 16)

    def forward(self, pair):
        a, b = self.reader(pair[0]), self.reader(pair[1])
        return torch.exp(-(a - b).abs().sum(1))


@well
def twins_by_manhattan():
    N = some(10, 24)
    a, b = text(N, 12, 40)[0], text(N, 12, 40)[0]
    return program(Siamese(40), (a, b), torch.rand(N), nn.MSELoss())


class Triple(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(4, 24, batch_first=True), nn.Linear(24, 12)

    def one(self, x):
        return F.normalize(self.fc(self.rnn(x)[1][0][-1]), dim=1)

    def forward(self, a, p, n):
        return self.one(a), self.one(p), self.one(n)


@well
def triplets_without_a_target():
    N, T = some(8, 20), some(10, 18)
    a = waves(N, T, 4)
    x = (a, a + 0.1 * torch.randn_like(a), waves(N, T, 4))
    return program(
        Triple(), x, torch.zeros(N), lambda out, y: F.triplet_margin_loss(*out, margin=0.5)
    )


class Frames(nn.Module):
    def __init__(self, C):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
        )
        self.rnn, self.fc = nn.LSTM(54, 24, batch_first=True), nn.Linear(24, C)

    def forward(self, x):
        N, T = x.shape[:2]
        f = self.cnn(x.flatten(0, 1)).view(N, T, -1)
        return self.fc(self.rnn(f)[0][:, -1])


@well
def frames_of_a_video():
    N = some(6, 12)
    return program(
        Frames(3), torch.rand(N, 6, 1, 8, 8), torch.randint(0, 3, (N,)), nn.CrossEntropyLoss()
    )


class ConvCell(nn.Module):
    def __init__(self, C, H):
        super().__init__()
        self.conv, self.H = nn.Conv2d(C + H, 4 * H, 3, padding=1), H
        self.out = nn.Conv2d(H, C, 1)

    def forward(self, x):
        N, T, C, A, B = x.shape
        h = x.new_zeros(N, self.H, A, B)
        c = torch.zeros_like(h)
        for t in range(T):
            i, f, g, o = self.conv(torch.cat([x[:, t], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return torch.sigmoid(self.out(h))


@well
def next_frame_by_convolution():
    N = some(4, 8)
    x = torch.rand(N, 6, 1, 7, 7)
    return program(ConvCell(1, 8), x[:, :5], x[:, 4] * 0.5 + 0.5 * x[:, 5], nn.BCELoss())


class Wrapper(nn.Module):
    """As torch.compile wraps: everything is handed on."""

    def __init__(self, inner):
        super().__init__()
        self._orig_mod = inner

    def forward(self, *args, **kwargs):
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("_orig_mod"), name)


@well
def wrapped_as_if_compiled():
    N = some(10, 20)
    x, _ = text(N, 12, 40)
    return program(
        Wrapper(Reader(40, 16, 20, 3)), x, torch.randint(0, 3, (N,)), nn.CrossEntropyLoss()
    )


class DropConnect(nn.Module):
    """Weight dropping: the recurrent matrix is masked anew in training."""

    def __init__(self, V, H, p=0.3):
        super().__init__()
        self.emb, self.p = nn.Embedding(V, H), p
        self.wx, self.wh, self.b = (
            nn.Linear(H, 4 * H),
            nn.Parameter(torch.randn(H, 4 * H) / H**0.5),
            nn.Parameter(torch.zeros(4 * H)),
        )
        self.bias = nn.Parameter(torch.zeros(V))
        self.extra = []

    def forward(self, x):
        wh = F.dropout(self.wh, self.p, self.training)
        a, h = self.wx(self.emb(x)), x.new_zeros(len(x), self.wh.shape[0], dtype=torch.float)
        c, hs = torch.zeros_like(h), []
        for t in range(x.shape[1]):
            i, f, g, o = (a[:, t] + h @ wh + self.b).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            hs.append(h)
        h = torch.stack(hs, 1)
        return F.linear(h, self.emb.weight, self.bias), h


@well
def weight_dropped_with_activation_penalty():
    N, T, V = some(6, 14), some(10, 18), 40
    s = torch.randint(0, V, (N, T + 1))

    def loss(out, y):
        o, h = out
        return (
            F.cross_entropy(o.flatten(0, 1), y.flatten())
            + 2 * h.pow(2).mean()
            + (h[:, 1:] - h[:, :-1]).pow(2).mean()
        )

    return program(DropConnect(V, 24), s[:, :-1], s[:, 1:], loss)


class Tasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(6, 24, batch_first=True)
        self.heads = nn.ModuleDict({"kind": nn.Linear(24, 4), "age": nn.Linear(24, 1)})

    def forward(self, x):
        h = self.rnn(x["signal"])[0].mean(1) + 0 * x["site"].float().mean()
        return {k: head(h) for k, head in self.heads.items()}


@well
def dict_in_and_dict_out():
    N = some(8, 20)
    x = {"signal": waves(N, 15, 6), "site": torch.randint(0, 3, (N,))}
    y = {"kind": torch.randint(0, 4, (N,)), "age": torch.randn(N, 1)}
    return program(
        Tasks(),
        x,
        y,
        lambda o, y: F.cross_entropy(o["kind"], y["kind"]) + 0.5 * F.mse_loss(o["age"], y["age"]),
    )


class Heads(nn.Module):
    """Loss in the model, as libraries for text do it."""

    def __init__(self, V, C):
        super().__init__()
        self.body = Reader(V, 16, 20, C)

    def forward(self, input_ids, labels=None):
        logits = self.body(input_ids)
        return {
            "loss": None if labels is None else F.cross_entropy(logits, labels),
            "logits": logits,
        }


@well
def loss_from_within_the_model():
    N = some(8, 20)
    x, _ = text(N, 12, 40)
    y = torch.randint(0, 3, (N,))
    return program(Heads(40, 3), {"input_ids": x, "labels": y}, y, lambda o, y: o["loss"])


class WithState(nn.Module):
    def __init__(self, V, H):
        super().__init__()
        self.emb, self.rnn, self.fc = (
            nn.Embedding(V, 16),
            nn.LSTM(16, H, 2, batch_first=True, dropout=0.5),
            nn.Linear(H, V),
        )

    def forward(self, x, state=None):
        out, state = self.rnn(self.emb(x), state)
        return self.fc(out), state


@well
def returns_its_state():
    N, T, V = some(6, 16), some(10, 20), 50
    s = torch.randint(0, V, (N, T + 1))
    return program(
        WithState(V, 24),
        s[:, :-1],
        s[:, 1:],
        lambda o, y: F.cross_entropy(o[0].transpose(1, 2), y),
        causal=True,
    )


class LastPlus(nn.Module):
    def __init__(self, D, H, K):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(D, H, batch_first=True), nn.Linear(H, K * D)
        self.K, self.D = K, D
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        last = x[:, -1:]
        return last + self.fc(self.rnn(x - last)[0][:, -1]).view(-1, self.K, self.D)


@well
def change_after_the_last_zero_head():
    N = some(12, 24)
    s = waves(N, 30, 3) * 20 + 200
    return program(LastPlus(3, 24, 6), s[:, :24], s[:, 24:], nn.SmoothL1Loss())


class RevIn(nn.Module):
    def __init__(self, D, K):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.ones(D)), nn.Parameter(torch.zeros(D))
        self.rnn, self.fc = nn.GRU(D, 24, 2, batch_first=True), nn.Linear(24, K * D)

    def forward(self, x):
        m, s = x.mean(1, keepdim=True), x.std(1, keepdim=True) + 1e-5
        z = (x - m) / s * self.a + self.b
        y = self.fc(self.rnn(z)[1][-1]).view(len(x), -1, x.shape[2])
        return (y - self.b) / self.a * s + m


@well
def normalised_by_its_own_window():
    N = some(12, 24)
    s = waves(N, 28, 2).cumsum(1) * 1000 + 5000
    return program(RevIn(2, 4), s[:, :24], s[:, 24:], lambda o, y: ((o - y).abs() / y.abs()).mean())


class Dilated(nn.Module):
    def __init__(self, D, H):
        super().__init__()
        self.first = nn.Conv1d(D, H, 1)
        self.convs = nn.ModuleList(nn.Conv1d(H, 2 * H, 2, dilation=2**k) for k in range(3))
        self.out = nn.Conv1d(H, D, 1)

    def forward(self, x):
        h = self.first(x.transpose(1, 2))
        for k, conv in enumerate(self.convs):
            a, b = conv(F.pad(h, (2**k, 0))).chunk(2, 1)
            h = h + a.tanh() * b.sigmoid()
        return self.out(h).transpose(1, 2)


@well
def dilated_causal_convolutions():
    s = waves(some(8, 16), 25, 2)
    return program(Dilated(2, 16), s[:, :-1], s[:, 1:], nn.L1Loss(), causal=True)


class Adaptive(nn.Module):
    def __init__(self, V, H):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(V, H), nn.LSTM(H, H, batch_first=True)

    def forward(self, x):
        return self.rnn(self.emb(x))[0]


@well
def adaptive_softmax_in_the_loss():
    N, T, V = some(6, 12), 12, 100
    s = torch.randint(0, V, (N, T + 1))
    model, head = Adaptive(V, 24), nn.AdaptiveLogSoftmaxWithLoss(24, V, [20, 60])
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], 1e-3)
    return program(
        model,
        s[:, :-1],
        s[:, 1:],
        lambda o, y: head(o.flatten(0, 1), y.flatten()).loss,
        optimizer=optimizer,
    )


@well
def soft_labels_of_a_teacher():
    N = some(10, 20)
    x, _ = text(N, 12, 40)
    y = F.softmax(2 * torch.randn(N, 5), 1)
    return program(
        Reader(40, 16, 20, 5),
        x,
        y,
        lambda o, y: F.kl_div(F.log_softmax(o / 2, 1), y, reduction="batchmean") * 4,
    )


@well
def smoothed_labels_and_groups():
    N = some(10, 20)
    x, _ = text(N, 12, 40)
    model = Reader(40, 16, 20, 6, True)
    groups = [
        {"params": model.emb.parameters(), "lr": 1e-4},
        {"params": model.rnn.parameters()},
        {"params": model.fc.parameters(), "lr": 3e-3},
    ]
    return program(
        model,
        x,
        torch.randint(0, 6, (N,)),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=torch.optim.AdamW(groups, 1e-3, weight_decay=0.05),
    )


@well
def vectors_from_outside_kept_fixed():
    N = some(10, 20)
    x, _ = text(N, 12, 60)
    model = Reader(60, 25, 20, 2)
    table = torch.randn(60, 25)
    table[0] = 0
    model.emb = nn.Embedding.from_pretrained(table, freeze=True, padding_idx=0)
    return program(
        model,
        x,
        torch.randint(0, 2, (N,)),
        nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam((p for p in model.parameters() if p.requires_grad), 1e-3),
    )


class Q(nn.Module):
    def __init__(self, D, A):
        super().__init__()
        self.rnn, self.value, self.adv = (
            nn.GRU(D, 24, batch_first=True),
            nn.Linear(24, 1),
            nn.Linear(24, A),
        )

    def forward(self, x):
        h = self.rnn(x)[0]
        a = self.adv(h)
        return self.value(h) + a - a.mean(-1, keepdim=True)


@well
def values_of_the_action_taken():
    N, T, A = some(8, 16), some(8, 14), 4
    y = (torch.randint(0, A, (N, T)), torch.randn(N, T))
    return program(
        Q(6, A),
        waves(N, T, 6),
        y,
        lambda q, y: F.smooth_l1_loss(q.gather(2, y[0].unsqueeze(2)).squeeze(2), y[1]),
    )


class WithTarget(nn.Module):
    def __init__(self):
        super().__init__()
        self.online = Q(5, 3)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, x):
        return self.online(x)


@well
def copy_of_the_net_for_targets():
    N, T = some(8, 16), 10
    model = WithTarget()
    y = (torch.randint(0, 3, (N, T)), torch.randn(N, T))
    return program(
        model,
        waves(N, T, 5),
        y,
        lambda q, y: F.mse_loss(q.gather(2, y[0].unsqueeze(2)).squeeze(2), y[1]),
        optimizer=torch.optim.Adam(model.online.parameters(), 1e-3),
    )


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.pi, self.v = (
            nn.LSTM(5, 24, batch_first=True),
            nn.Linear(24, 3),
            nn.Linear(24, 1),
        )

    def forward(self, x):
        h = self.rnn(x)[0]
        return self.pi(h).log_softmax(-1), self.v(h).squeeze(-1)


@well
def actor_and_critic():
    N, T = some(8, 16), some(8, 14)
    y = torch.stack([torch.randint(0, 3, (N, T)).float(), torch.randn(N, T)], 2)

    def loss(out, y):
        logp, v = out
        adv = (y[..., 1] - v).detach()
        taken = logp.gather(2, y[..., :1].long()).squeeze(2)
        entropy = -(logp.exp() * logp).sum(-1).mean()
        return -(taken * adv).mean() + 0.5 * F.mse_loss(v, y[..., 1]) - 0.01 * entropy

    return program(Policy(), waves(N, T, 5), y, loss, rate=7e-4)


class Masked(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.emb, self.rnn, self.fc = (
            nn.Embedding(V + 1, 20),
            nn.LSTM(20, 20, batch_first=True, bidirectional=True),
            nn.Linear(40, V),
        )

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0])


@well
def words_hidden_and_guessed():
    N, T, V = some(8, 16), 16, 40
    s = torch.randint(1, V, (N, T))
    hide = torch.rand(N, T) < 0.15
    hide[:, 3] = True
    return program(
        Masked(V),
        s.masked_fill(hide, V),
        s.masked_fill(~hide, -100),
        lambda o, y: F.cross_entropy(o.transpose(1, 2), y),
    )


class Span(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.emb, self.rnn, self.fc = (
            nn.Embedding(V, 20),
            nn.GRU(20, 20, batch_first=True, bidirectional=True),
            nn.Linear(40, 2),
        )

    def forward(self, x):
        logits = self.fc(self.rnn(self.emb(x))[0]).masked_fill((x == 0).unsqueeze(2), -1e4)
        return logits[..., 0], logits[..., 1]


@well
def start_and_end_of_an_answer():
    N = some(8, 16)
    x, lengths = text(N, 16, 40, 6)
    start = torch.randint(0, 3, (N,))
    y = torch.stack([start, start + torch.randint(0, 3, (N,))], 1)
    return program(
        Span(40),
        x,
        y,
        lambda o, y: (F.cross_entropy(o[0], y[:, 0]) + F.cross_entropy(o[1], y[:, 1])) / 2,
    )


class Pointer(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.LSTM(2, 24, batch_first=True), nn.LSTMCell(24, 24)
        self.w1, self.w2, self.v = nn.Linear(24, 24), nn.Linear(24, 24), nn.Linear(24, 1)

    def forward(self, x):
        m, (h, c) = self.enc(x)
        h, c, inp, outs = h[0], c[0], m.mean(1), []
        for _ in range(x.shape[1]):
            h, c = self.dec(inp, (h, c))
            a = self.v(torch.tanh(self.w1(m) + self.w2(h).unsqueeze(1))).squeeze(2).log_softmax(1)
            outs.append(a)
            inp = (a.exp().unsqueeze(2) * m).sum(1)
        return torch.stack(outs, 1)


@well
def points_at_its_inputs():
    N, T = some(8, 20), some(5, 8)
    x = torch.rand(N, T, 2)
    return program(
        Pointer(), x, x[..., 0].argsort(1), lambda o, y: F.nll_loss(o.flatten(0, 1), y.flatten())
    )


class OneStep(nn.Module):
    def __init__(self, D, H):
        super().__init__()
        self.cell, self.fc = nn.LSTMCell(D, H), nn.Linear(H, D)

    def forward(self, x, h, c):
        return self.fc(self.cell(x, (h, c))[0])


@well
def one_step_with_its_state_given():
    N = some(12, 24)
    x = torch.randn(N, 4)
    return program(
        OneStep(4, 16),
        (x, 0.3 * torch.randn(N, 16), torch.randn(N, 16)),
        0.8 * x.roll(1, 1),
        nn.MSELoss(),
    )


class Known(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.dec, self.fc = (
            nn.LSTM(3, 24, batch_first=True),
            nn.LSTM(2, 24, batch_first=True),
            nn.Linear(24, 1),
        )

    def forward(self, past, future):
        _, s = self.enc(past)
        return self.fc(self.dec(future, s)[0]).squeeze(-1)


@well
def calendar_of_the_days_to_come():
    N = some(10, 20)
    t = torch.arange(36)[None] + torch.randint(0, 7, (N, 1))
    cal = torch.stack([torch.sin(2 * math.pi * t / 7), torch.cos(2 * math.pi * t / 7)], 2)
    s = cal[..., :1] * 1.5 + 0.3 * torch.randn(N, 36, 1)
    return program(
        Known(), (torch.cat([s, cal], 2)[:, :28], cal[:, 28:]), s[:, 28:, 0], nn.HuberLoss()
    )


class Gaps(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.rnn, self.fc = nn.GRU(2 * D, 24, batch_first=True), nn.Linear(24, D)

    def forward(self, x):
        seen = ~torch.isnan(x)
        return self.fc(self.rnn(torch.cat([torch.nan_to_num(x), seen.float()], 2))[0])


@well
def gaps_in_inputs_and_targets():
    N = some(10, 20)
    s = waves(N, 21, 3)
    s[torch.rand_like(s) < 0.2] = float("nan")
    x, y = s[:, :-1], s[:, 1:]

    def loss(o, y):
        seen = ~torch.isnan(y)
        return ((o[seen] - y[seen]) ** 2).mean()

    return program(Gaps(3), x, y, loss)


class Scan(nn.Module):
    """Linear recurrence by FFT: a diagonal state space."""

    def __init__(self, D, H):
        super().__init__()
        self.inp, self.out, self.fc = nn.Linear(D, H), nn.Linear(H, H), nn.Linear(H, D)
        self.decay, self.gain = nn.Parameter(torch.linspace(-3, 0, H)), nn.Parameter(torch.ones(H))

    def forward(self, x):
        T = x.shape[1]
        u = self.inp(x)
        k = self.gain * torch.exp(-torch.exp(self.decay) * torch.arange(T)[:, None])
        y = torch.fft.irfft(
            torch.fft.rfft(u, 2 * T, dim=1) * torch.fft.rfft(k, 2 * T, dim=0), 2 * T, dim=1
        )[:, :T]
        return self.fc(F.gelu(self.out(y)) + u)


@well
def state_space_by_fourier():
    s = waves(some(8, 16), 33, 2)
    return program(Scan(2, 16), s[:, :-1], s[:, 1:], nn.MSELoss(), causal=True)


class MinGru(nn.Module):
    def __init__(self, D, H, C):
        super().__init__()
        self.z, self.h, self.fc = nn.Linear(D, H), nn.Linear(D, H), nn.Linear(H, C)

    def forward(self, x):
        z, g, h = torch.sigmoid(self.z(x)), self.h(x), 0
        for t in range(x.shape[1]):
            h = (1 - z[:, t]) * h + z[:, t] * g[:, t]
        return self.fc(h)


@well
def gates_that_see_inputs_only():
    N = some(10, 24)
    return program(
        MinGru(4, 24, 3), waves(N, 16, 4), torch.randint(0, 3, (N,)), nn.CrossEntropyLoss()
    )


class Streets(nn.Module):
    """(N, T, V, F): nodes of a graph mixed by a fixed matrix, then time for each node."""

    def __init__(self, V, F_, K):
        super().__init__()
        a = (torch.rand(V, V) < 0.4).float() + torch.eye(V)
        self.register_buffer("a", a / a.sum(1, keepdim=True))
        self.lin, self.rnn, self.fc = (
            nn.Linear(F_, 12),
            nn.GRU(12, 20, batch_first=True),
            nn.Linear(20, K),
        )

    def forward(self, x):
        N, T, V, _ = x.shape
        h = F.relu(self.lin(torch.einsum("vw,ntwf->ntvf", self.a, x)))
        h = h.permute(0, 2, 1, 3).reshape(N * V, T, -1)
        return self.fc(self.rnn(h)[1][-1]).view(N, V, -1).transpose(1, 2)


@well
def speeds_on_a_graph_of_streets():
    N, V = some(5, 10), some(6, 9)
    s = waves(N, 15, V)
    return program(Streets(V, 1, 3), s[:, :12].unsqueeze(3), s[:, 12:], nn.L1Loss())


class Dice(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(D, 20, batch_first=True, bidirectional=True), nn.Linear(40, 1)

    def forward(self, x):
        return torch.sigmoid(self.fc(self.rnn(x)[0])).squeeze(-1)


@well
def segments_by_dice_over_the_batch():
    x = waves(some(8, 16), 20, 3)
    y = (x[..., 0] > 0.5).float()
    return program(
        Dice(3), x, y, lambda p, y: 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
    )


class Regress(nn.Module):
    def __init__(self, D, H=24, K=1, layers=1, drop=0.0):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(D, H, layers, batch_first=True, dropout=drop), nn.Linear(H, K)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1]).squeeze(-1)


def concordance(p, y):
    cov = ((p - p.mean()) * (y - y.mean())).mean()
    return 1 - 2 * cov / (
        p.var(unbiased=False) + y.var(unbiased=False) + (p.mean() - y.mean()) ** 2
    )


@well
def agreement_over_the_batch():
    N = some(14, 30)
    x = waves(N, 15, 4)
    return program(Regress(4), x, x[:, -3:, 0].mean(1), concordance)


@well
def share_of_return_to_risk():
    N = some(20, 32)
    x = torch.randn(N, 15, 4)
    y = 0.01 * torch.randn(N)
    return program(
        Regress(4), x, y, lambda p, y: -(p.tanh() * y).mean() / ((p.tanh() * y).std() + 1e-6)
    )


@well
def risk_of_those_who_live_longer():
    N = some(14, 28)
    x = waves(N, 12, 3)
    y = torch.stack([torch.rand(N) * 10 + 0.1, (torch.rand(N) < 0.7).float()], 1)

    def cox(risk, y):
        later = y[:, 0][None] >= y[:, 0][:, None]
        logsum = torch.logsumexp(torch.where(later, risk[None], torch.tensor(-1e9)), 1)
        return -((risk - logsum) * y[:, 1]).sum() / y[:, 1].sum()

    return program(Regress(3), x, y, cox)


@well
def one_long_recording():
    s = waves(1, 61, 2)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(2, 20, batch_first=True), nn.Linear(20, 2)

        def forward(self, x):
            return self.fc(self.rnn(x)[0])

    return program(M(), s[:, :-1], s[:, 1:], nn.MSELoss())


class Piano(nn.Module):
    def __init__(self, K):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(K, 32), nn.Linear(32, K)
        nn.init.constant_(self.fc.bias, -3.0)

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


@well
def keys_pressed_on_a_piano():
    T, N, K = some(12, 20), some(6, 10), 40
    s = (torch.rand(T + 1, N, K) < 0.05).float()

    def loss(o, y):
        return F.binary_cross_entropy_with_logits(o, y, reduction="none").sum(2).mean()

    return program(Piano(K), s[:-1], s[1:], loss)


@well
def facts_repeated_at_each_step():
    N, T = some(10, 24), 16
    x = torch.cat([waves(N, T, 3), torch.randn(N, 1, 2).expand(N, T, 2), torch.ones(N, T, 1)], 2)
    return program(Regress(6, 20, layers=2, drop=0.2), x, x[:, -4:, 1].mean(1), nn.MSELoss())


@well
def short_histories_padded_at_the_left():
    N, T = some(10, 24), 16
    x = waves(N, T, 4)
    x[torch.arange(T) < torch.randint(0, 10, (N, 1))] = 0
    return program(Regress(4), x, x[:, -3:, 0].mean(1), nn.MSELoss())


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(3, 20, batch_first=True), nn.Linear(20, 2)

    def forward(self, x):
        return F.softplus(self.fc(self.rnn(torch.log1p(x))[0][:, -1])) + 1e-4


@well
def counts_over_dispersed():
    N = some(12, 24)
    x = torch.poisson(40 * torch.rand(N, 14, 3))
    y = torch.poisson(30 * torch.rand(N))

    def loss(o, y):
        mu, r = o[:, 0], o[:, 1]
        d = torch.distributions.NegativeBinomial(r, logits=(mu / r).log())
        return -d.log_prob(y).mean()

    return program(Counts(), x, y, loss)


class Clock(nn.Module):
    """Seconds since 1970 in the first column; the model makes of it what it needs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([50.0, 1000.0]))
        self.register_buffer("std", torch.tensor([10.0, 8.0]))
        self.rnn, self.fc = nn.LSTM(4, 20, batch_first=True), nn.Linear(20, 1)

    def forward(self, x):
        day = 2 * math.pi * (x[..., :1] % 86400) / 86400
        z = torch.cat([day.sin(), day.cos(), (x[..., 1:] - self.mean.to(x)) / self.std.to(x)], 2)
        return self.fc(self.rnn(z.float())[0][:, -1])


@well
def seconds_since_1970():
    N, T = some(12, 24), 14
    t = 1.7e9 + 3600 * (torch.arange(T)[None] + torch.randint(0, 500, (N, 1)))
    x = torch.stack(
        [
            t.double(),
            50 + 10 * waves(N, T, 1)[..., 0].double(),
            1000 + 8 * torch.randn(N, T).double(),
        ],
        2,
    )
    return program(
        Clock(), x, ((x[:, -1, 1:2] - 50) / 10 + 0.2 * torch.randn(N, 1)).float(), nn.MSELoss()
    )


@well
def start_by_the_length_of_memory():
    N, T, H = some(12, 24), 24, 24
    model = Regress(3, H)
    with torch.no_grad():
        b = torch.log(torch.rand(H) * (T - 2) + 1)
        model.rnn.bias_ih_l0[H : 2 * H] = b
        model.rnn.bias_ih_l0[:H] = -b
        model.rnn.bias_hh_l0.zero_()
        nn.init.orthogonal_(model.rnn.weight_hh_l0)
    x = waves(N, T, 3)
    return program(
        model, x, x[:, 0, 0], nn.MSELoss(), optimizer=torch.optim.RMSprop(model.parameters(), 1e-3)
    )


@well
def momentum_and_a_warm_start():
    N = some(12, 24)
    x = waves(N, 16, 3)
    model, loss = Regress(3, 20, 1), nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 20))

    def step(batch):
        model.train()
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(batch[0]), batch[1])
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return value.item()

    return program(model, x, x[:, -3:, 0].mean(1), loss, optimizer=optimizer, step=step)


@well
def narrow_state_of_three_layers():
    N = some(8, 20)

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(4, 32, 3, proj_size=8, batch_first=True, dropout=0.3)
            self.norm, self.fc = nn.BatchNorm1d(8), nn.Linear(8, 5)

        def forward(self, x):
            h = self.rnn(x)[0]
            return self.fc(self.norm(h.transpose(1, 2)).amax(2))

    return program(M(), waves(N, 14, 4), torch.randint(0, 5, (N,)), nn.CrossEntropyLoss())


class Lit(nn.Module):
    """Has the methods of a LightningModule."""

    def __init__(self):
        super().__init__()
        self.net = Regress(3, 16, 2)
        self.logged = []

    def forward(self, x):
        return self.net(x)

    def log(self, name, value, **kwargs):
        self.logged.append((name, float(value)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss)
        return {"loss": loss}

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), 2e-3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
                "monitor": "train_loss",
            },
        }


@well
def lightning_with_a_dict():
    x = waves(some(10, 20), 14, 3)
    return dict(model=Lit(), batch=(x, x[:, -1, :2] * 0.5 + 0.1 * torch.randn(len(x), 2)))


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(3, 20, batch_first=True), nn.Linear(20, 4)

    def forward(self, x):
        h0 = torch.zeros(1, len(x), 20)
        if self.training:
            x, h0 = x + 0.1 * torch.randn_like(x), 0.1 * torch.randn_like(h0)
            keep = (torch.rand(len(x), x.shape[1], 1) > 0.1).float()
            x = x * keep
        return self.fc(self.rnn(x, h0)[1][0])


@well
def jittered_in_training():
    N = some(10, 20)
    return program(Noisy(), waves(N, 14, 3), torch.randint(0, 4, (N,)), nn.CrossEntropyLoss())


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.gate = nn.LSTM(4, 16, batch_first=True), nn.Linear(16, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)) for _ in range(3)
        )

    def forward(self, x):
        h = self.rnn(x)[0][:, -1]
        w, k = self.gate(h).softmax(1).topk(2, 1)
        all_ = torch.stack([e(h) for e in self.experts], 1)
        picked = all_.gather(1, k.unsqueeze(2).expand(-1, -1, 2))
        return ((w / w.sum(1, keepdim=True)).unsqueeze(2) * picked).sum(1)


@well
def two_experts_of_three():
    x = waves(some(16, 30), 12, 4)
    return program(Experts(), x, x[:, -2:, :2].mean(1), nn.MSELoss())


@well
def doubles_and_a_second_order_method():
    x = waves(some(12, 20), 12, 3).double()
    model = Regress(3, 12).double()
    return program(
        model,
        x,
        x[:, -3:, 1].mean(1),
        nn.MSELoss(),
        optimizer=torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5),
    )


@well
def half_of_the_steps_in_bfloat():
    N = some(10, 20)
    x = waves(N, 14, 3)
    model = Regress(3, 20, 1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss = nn.MSELoss()

    def step(batch):
        model.train()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(model(batch[0]).float(), batch[1])
        value.backward()
        optimizer.step()
        return value

    return program(model, x, x[:, -3:, 0].mean(1), loss, optimizer=optimizer, step=step)


@well
def grows_from_day_to_day_with_validation():
    s = 0.02 * torch.randn(400).cumsum(0) + torch.sin(torch.arange(400) / 9.0)
    w = s.unfold(0, 16, 1)
    train, valid = w[:280], w[300:]
    model = Regress(1, 20)

    def xy(w):
        return w[:, :15, None].contiguous(), w[:, 15]

    return program(
        model, *xy(train[torch.randperm(280)[:24]]), nn.MSELoss(), train=xy(train), valid=xy(valid)
    )


def make(name, seed=0):
    torch.manual_seed(700 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(), findings
