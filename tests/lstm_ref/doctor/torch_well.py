"""Programs in PyTorch that are well, of unlike styles; the doctor must find nothing in any of
them.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WELL = {}


def well(make):
    WELL[make.__name__] = make
    return make


def adam(model, rate=1e-3):
    return torch.optim.Adam(model.parameters(), lr=rate)


def case(model, x, y, loss, optimizer=None, **arguments):
    return dict(
        model=model,
        batch=(x, y),
        loss=loss,
        optimizer=optimizer or adam(model),
        arguments=arguments,
    )


class Last(nn.Module):
    def __init__(self, D, H, K, layer=nn.LSTM, **kw):
        super().__init__()
        self.rnn = layer(D, H, batch_first=True, **kw)
        self.out = nn.Linear(H * (2 if kw.get("bidirectional") else 1), K)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class Tokens(nn.Module):
    def __init__(self, V=30, E=8, H=16, K=4, each=False, **kw):
        super().__init__()
        self.embed = nn.Embedding(V, E, padding_idx=0)
        self.rnn = nn.LSTM(E, H, batch_first=True, **kw)
        self.out = nn.Linear(H * (2 if kw.get("bidirectional") else 1), K)
        self.each = each

    def forward(self, x):
        h, _ = self.rnn(self.embed(x))
        return self.out(h if self.each else h[:, -1])


def tokens(N=8, T=11, V=30):
    return torch.randint(1, V, (N, T))


def padded(N=8, T=12, V=30):
    x = tokens(N, T, V)
    lengths = torch.randint(4, T + 1, (N,))
    lengths[0] = T
    for n in range(N):
        x[n, lengths[n] :] = 0
    return x, lengths


def series(N=8, T=20, D=3):
    t = torch.arange(T)[None, :, None] * torch.rand(N, 1, D)
    return torch.sin(t + 6 * torch.rand(N, 1, D)) + 0.1 * torch.randn(N, T, D)


@well
def classify_series():
    x = series()
    return case(Last(3, 16, 4), x, torch.arange(8) % 4, nn.CrossEntropyLoss())


@well
def classify_gru_sgd():
    model = Last(3, 16, 2, nn.GRU, num_layers=2, dropout=0.3)
    return case(
        model,
        series(),
        torch.arange(8) % 2,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), 0.05),
    )


@well
def tagger_bidirectional():
    model = Tokens(each=True, bidirectional=True, K=5)
    x = tokens()
    y = x % 5
    return case(model, x, y, lambda o, y: F.cross_entropy(o.reshape(-1, 5), y.reshape(-1)))


@well
def tagger_transposed():
    model = Tokens(each=True, K=5)
    x = tokens()
    return case(model, x, x.roll(1, 1) % 5, lambda o, y: F.cross_entropy(o.transpose(1, 2), y))


@well
def language_model_time_first():
    class LM(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = (
                nn.Embedding(30, 12),
                nn.LSTM(12, 16, 2, dropout=0.2),
                nn.Linear(16, 30),
            )
            self.d = nn.Dropout(0.2)

        def forward(self, x):
            h, _ = self.r(self.d(self.e(x)))
            o = self.o(self.d(h))
            return o.view(-1, 30)

    text = torch.randint(0, 30, (10, 7))
    model = LM()
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    return case(model, text[:-1], text[1:].reshape(-1), nn.CrossEntropyLoss(), opt, causal=True)


@well
def language_model_tied():
    class LM(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = (
                nn.Embedding(30, 16),
                nn.LSTM(16, 16, batch_first=True),
                nn.Linear(16, 30),
            )
            self.o.weight = self.e.weight

        def forward(self, x, state=None):
            h, state = self.r(self.e(x), state)
            return self.o(h), state

    x = tokens(6, 12)

    def loss(o, y):
        return F.cross_entropy(o[0].flatten(0, 1), y.flatten())

    return case(LM(), x[:, :-1], x[:, 1:], loss, causal=True)


@well
def packed_last_state():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = (
                nn.Embedding(30, 8, padding_idx=0),
                nn.LSTM(8, 16, batch_first=True),
                nn.Linear(16, 3),
            )

        def forward(self, x, lengths):
            p = pack_padded_sequence(
                self.e(x), lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            return self.o(self.r(p)[1][0][-1])

    x, lengths = padded()
    return case(Packed(), (x, lengths), torch.arange(8) % 3, nn.CrossEntropyLoss(), lengths=lengths)


@well
def packed_tagger_ignore_index():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r = (
                nn.Embedding(30, 8, padding_idx=0),
                nn.GRU(8, 16, batch_first=True, bidirectional=True),
            )
            self.o = nn.Linear(32, 6)

        def forward(self, x):
            lengths = (x != 0).sum(1)
            p = pack_padded_sequence(
                self.e(x), lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            h, _ = pad_packed_sequence(self.r(p)[0], batch_first=True, total_length=x.shape[1])
            return self.o(h)

    x, lengths = padded()
    y = x % 6
    y[x == 0] = -100
    return case(
        Packed(), x, y, lambda o, y: F.cross_entropy(o.permute(0, 2, 1), y), lengths=lengths
    )


@well
def packed_input():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, p):
            return self.o(self.r(p)[1][0][-1])

    x = pack_padded_sequence(
        series(), torch.tensor([20, 15, 14, 12, 12, 9, 8, 5]), batch_first=True
    )
    return case(Packed(), x, torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def forecast_one_value():
    x = series(16, 21, 1)
    return case(Last(1, 16, 1), x[:, :-1], x[:, -1], nn.MSELoss())


@well
def forecast_horizon():
    x = series(16, 25, 2)
    return case(Last(2, 16, 5), x[:, :-5], x[:, -5:, 0], nn.L1Loss(), None)


@well
def forecast_each_step():
    class Each(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(1, 16, 2, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            return self.o(self.r(x)[0])

    x = series(8, 21, 1)
    return case(Each(), x[:, :-1], x[:, 1:], nn.SmoothL1Loss(), causal=True)


@well
def forecast_residual():
    class Residual(Last):
        def forward(self, x):
            return x[:, -1] + super().forward(x)

    x = series(8, 21, 2)
    return case(Residual(2, 16, 2), x[:, :-1], x[:, -1], nn.HuberLoss())


@well
def forecast_squeezed():
    class Squeezed(Last):
        def forward(self, x):
            return super().forward(x).squeeze(-1)

    x = series(8, 21, 2)
    return case(Squeezed(2, 16, 1), x[:, :-1], x[:, -1, 0], nn.MSELoss())


@well
def gaussian_likelihood():
    def nll(o, y):
        return (o[:, 1] + (y - o[:, 0]) ** 2 * torch.exp(-o[:, 1])).mean() - 3

    x = series(8, 21, 1)
    return case(Last(1, 16, 2), x[:, :-1], x[:, -1, 0], nll)


@well
def quantiles():
    q = torch.tensor([0.1, 0.5, 0.9])

    def pinball(o, y):
        d = y[:, None] - o
        return torch.maximum(q * d, (q - 1) * d).mean()

    x = series(8, 21, 1)
    return case(Last(1, 16, 3), x[:, :-1], x[:, -1, 0], pinball)


class Seq2Seq(nn.Module):
    def __init__(self, V=30, attention=False):
        super().__init__()
        self.e1, self.e2 = nn.Embedding(V, 8), nn.Embedding(V, 8)
        self.enc, self.dec = nn.LSTM(8, 16, batch_first=True), nn.LSTM(8, 16, batch_first=True)
        self.o, self.attention = nn.Linear(32 if attention else 16, V), attention

    def forward(self, src, tgt):
        h, state = self.enc(self.e1(src))
        d, _ = self.dec(self.e2(tgt), state)
        if self.attention:
            w = torch.softmax(d @ h.transpose(1, 2), -1)
            d = torch.cat([d, w @ h], -1)
        return self.o(d)


@well
def seq2seq():
    src, tgt = tokens(8, 9), tokens(8, 8)

    def loss(o, y):
        return F.cross_entropy(o.reshape(-1, 30), y.reshape(-1))

    return case(Seq2Seq(), (src, tgt[:, :-1]), tgt[:, 1:], loss)


@well
def seq2seq_attention_padded():
    src, tgt = padded(8, 9)[0], padded(8, 8)[0]

    def loss(o, y):
        return F.cross_entropy(o.reshape(-1, 30), y.reshape(-1), ignore_index=0)

    return case(Seq2Seq(attention=True), (src, tgt[:, :-1]), tgt[:, 1:], loss)


@well
def seq2seq_feeding_back():
    class Free(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.enc, self.cell = nn.Embedding(20, 8), nn.GRU(8, 16), nn.GRUCell(8, 16)
            self.o = nn.Linear(16, 20)

        def forward(self, src, tgt):
            h = self.enc(self.e(src.T))[1][0]
            token, steps = torch.ones(len(src), dtype=torch.long), []
            for t in range(tgt.shape[1]):
                h = self.cell(self.e(token), h)
                steps.append(self.o(h))
                token = tgt[:, t] if self.training else steps[-1].argmax(-1)
            return torch.stack(steps, 1)

    src, tgt = tokens(8, 9, 20), tokens(8, 7, 20)
    return case(Free(), (src, tgt), tgt, lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten()))


@well
def ctc():
    class Speech(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(5, 16, batch_first=True, bidirectional=True), nn.Linear(32, 8)

        def forward(self, x):
            return self.o(self.r(x)[0]).log_softmax(-1).transpose(0, 1)

    x, y = series(6, 24, 5), torch.randint(1, 8, (6, 6))
    sizes = torch.full((6,), 24), torch.tensor([6, 5, 6, 4, 3, 6])
    return case(Speech(), x, y, lambda o, y: F.ctc_loss(o, y, *sizes))


@well
def transformer_pooled():
    class T(nn.Module):
        def __init__(self):
            super().__init__()
            self.e = nn.Embedding(30, 16)
            self.p = nn.Parameter(torch.randn(1, 11, 16) * 0.1)
            self.t = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2
            )
            self.o = nn.Linear(16, 3)

        def forward(self, x):
            return self.o(self.t(self.e(x) + self.p).mean(1))

    return case(T(), tokens(), torch.arange(8) % 3, nn.CrossEntropyLoss())


@well
def transformer_causal():
    class T(nn.Module):
        def __init__(self):
            super().__init__()
            self.e = nn.Embedding(30, 16)
            self.t = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True), 1
            )
            self.o = nn.Linear(16, 30)

        def forward(self, x):
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.o(self.t(self.e(x), mask=mask))

    x = tokens(6, 12)

    def loss(o, y):
        return F.cross_entropy(o.flatten(0, 1), y.flatten())

    return case(T(), x[:, :-1], x[:, 1:], loss, causal=True)


class OwnCell(nn.Module):
    """An LSTM by hand, with its own weights."""

    def __init__(self, D=3, H=12, K=2):
        super().__init__()
        self.Wx = nn.Parameter(torch.randn(D, 4 * H) / D**0.5)
        self.Wh = nn.Parameter(torch.randn(H, 4 * H) / H**0.5)
        self.b = nn.Parameter(torch.zeros(4 * H))
        self.h0, self.c0 = nn.Parameter(torch.zeros(H)), nn.Parameter(torch.zeros(H))
        self.o, self.H = nn.Linear(H, K), H

    def forward(self, x):
        h, c = self.h0.expand(len(x), -1), self.c0.expand(len(x), -1)
        for t in range(x.shape[1]):
            i, f, g, o = (x[:, t] @ self.Wx + h @ self.Wh + self.b).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.o(h)


@well
def own_cell_learned_start():
    return case(OwnCell(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def truncated_within_forward():
    class Truncated(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x):
            state, outs = None, []
            for part in x.split(8, 1):
                if state is not None:
                    state = tuple(s.detach() for s in state)
                h, state = self.r(part, state)
                outs.append(h)
            return self.o(torch.cat(outs, 1))

    x = series(6, 32, 3)
    y = (x[:, :, 0].roll(2, 1) > 0).long()
    return case(Truncated(), x, y, lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten()))


@well
def carried_state_declared():
    class Carried(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o, self.state = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2), None

        def forward(self, x):
            h, state = self.r(x, self.state)
            self.state = tuple(s.detach() for s in state)
            return self.o(h[:, -1])

    return case(Carried(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss(), stateful=True)


@well
def dict_in_dict_out():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r = nn.Embedding(30, 8), nn.LSTM(11, 16, batch_first=True)
            self.a, self.b = nn.Linear(16, 3), nn.Linear(16, 1)

        def forward(self, ids, values):
            h = self.r(torch.cat([self.e(ids), values], -1))[0][:, -1]
            return {"class": self.a(h), "value": self.b(h)}

    x = {"ids": tokens(8, 20), "values": series()}
    y = {"class": torch.arange(8) % 3, "value": torch.randn(8, 1)}

    def loss(o, y):
        return F.cross_entropy(o["class"], y["class"]) + F.mse_loss(o["value"], y["value"])

    return case(Two(), x, y, loss)


@well
def weighted_rare_class():
    y = torch.zeros(16, dtype=torch.long)
    y[3], y[9] = 1, 2
    return case(
        Last(3, 16, 3), series(16), y, nn.CrossEntropyLoss(weight=torch.tensor([0.1, 10.0, 10.0]))
    )


@well
def weighted_positive():
    y = torch.zeros(16, 1)
    y[3] = y[9] = 1
    return case(Last(3, 16, 1), series(16), y, nn.BCEWithLogitsLoss(pos_weight=torch.tensor([7.0])))


@well
def multi_label():
    y = (torch.rand(8, 5) > 0.5).float()
    return case(Last(3, 16, 5), series(), y, nn.BCEWithLogitsLoss())


@well
def sigmoid_and_bce():
    class S(Last):
        def forward(self, x):
            return torch.sigmoid(super().forward(x)).squeeze(1)

    return case(S(3, 16, 1), series(), (torch.arange(8) % 2).float(), nn.BCELoss())


@well
def log_softmax_and_nll():
    class S(Last):
        def forward(self, x):
            return F.log_softmax(super().forward(x), 1)

    return case(S(3, 16, 4), series(), torch.arange(8) % 4, nn.NLLLoss())


@well
def log_softmax_and_cross_entropy():
    class S(Last):
        def forward(self, x):
            return F.log_softmax(super().forward(x), 1)

    return case(S(3, 16, 4), series(), torch.arange(8) % 4, nn.CrossEntropyLoss())


@well
def softmax_in_evaluation_only():
    class S(Last):
        def forward(self, x):
            o = super().forward(x)
            return o if self.training else o.softmax(1)

    return case(S(3, 16, 4), series(), torch.arange(8) % 4, nn.CrossEntropyLoss())


@well
def one_hot_squared_error():
    class S(Last):
        def forward(self, x):
            return super().forward(x).softmax(1)

    y = F.one_hot(torch.arange(8) % 4, 4).float()
    return case(S(3, 16, 4), series(), y, nn.MSELoss())


@well
def label_smoothing():
    return case(
        Last(3, 16, 4), series(), torch.arange(8) % 4, nn.CrossEntropyLoss(label_smoothing=0.1)
    )


@well
def focal_loss():
    def focal(o, y):
        p = o.log_softmax(1).gather(1, y[:, None])[:, 0]
        return (-((1 - p.exp()) ** 2) * p).mean()

    return case(Last(3, 16, 4), series(), torch.arange(8) % 4, focal)


@well
def summed_loss_adam():
    return case(Last(3, 16, 4), series(), torch.arange(8) % 4, nn.CrossEntropyLoss(reduction="sum"))


@well
def frozen_pretrained_embedding():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.e = nn.Embedding.from_pretrained(torch.randn(500, 20), freeze=True, padding_idx=0)
            self.r, self.o = nn.GRU(20, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x):
            return self.o(self.r(self.e(x))[1][-1])

    model = S()
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    return case(model, padded(8, 12, 500)[0], torch.arange(8) % 2, nn.CrossEntropyLoss(), opt)


@well
def large_embedding_little_used():
    return case(Tokens(V=5000, K=2), tokens(8, 11, 30), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def sparse_embedding():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r, self.o = (
                nn.Embedding(300, 8, sparse=True),
                nn.GRU(8, 16, batch_first=True),
                nn.Linear(16, 2),
            )

        def forward(self, x):
            return self.o(self.r(self.e(x))[1][-1])

    model = S()
    return case(
        model,
        tokens(),
        torch.arange(8) % 2,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), 0.1),
    )


@well
def inputs_against_the_model():
    model, y = Last(3, 16, 2), torch.arange(8) % 2
    optimizer = adam(model)

    def step(batch):
        optimizer.zero_grad()
        x = batch[0].clone().requires_grad_()
        F.cross_entropy(model(x), batch[1]).backward()
        optimizer.zero_grad()
        value = F.cross_entropy(model((x + 2 * x.grad.sign()).detach()), batch[1])
        value.backward()
        optimizer.step()
        return value.item()

    return case(model, series(), y, F.cross_entropy, optimizer, step=step)


@well
def norms():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn, self.r, self.ln = (
                nn.BatchNorm1d(3),
                nn.LSTM(3, 16, batch_first=True),
                nn.LayerNorm(16),
            )
            self.o, self.d = nn.Linear(16, 2), nn.Dropout(0.5)

        def forward(self, x):
            x = self.bn(x.transpose(1, 2)).transpose(1, 2)
            return self.o(self.d(self.ln(self.r(x)[0].mean(1))))

    return case(S(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def bidirectional_final_states():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = (
                nn.LSTM(3, 16, 2, batch_first=True, bidirectional=True),
                nn.Linear(32, 2),
            )

        def forward(self, x):
            h = self.r(x)[1][0]
            return self.o(torch.cat([h[-2], h[-1]], 1))

    return case(S(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def conv_then_lstm():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.r, self.o = (
                nn.Conv1d(3, 8, 3, padding=1),
                nn.LSTM(8, 16, batch_first=True),
                nn.Linear(16, 2),
            )

        def forward(self, x):
            return self.o(self.r(F.relu(self.c(x.transpose(1, 2))).transpose(1, 2))[0][:, -1])

    return case(S(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def video():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.r, self.o = (
                nn.Conv2d(1, 4, 3),
                nn.LSTM(4 * 36, 16, batch_first=True),
                nn.Linear(16, 3),
            )

        def forward(self, x):
            N, T = x.shape[:2]
            z = F.relu(self.c(x.flatten(0, 1))).reshape(N, T, -1)
            return self.o(self.r(z)[0][:, -1])

    return case(S(), torch.rand(4, 5, 1, 8, 8), torch.arange(4) % 3, nn.CrossEntropyLoss())


@well
def autoencoder():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.o = (
                nn.LSTM(3, 8, batch_first=True),
                nn.LSTM(8, 16, batch_first=True),
                nn.Linear(16, 3),
            )

        def forward(self, x):
            z = self.a(x)[1][0][-1]
            return self.o(self.b(z[:, None].repeat(1, x.shape[1], 1))[0])

    x = series()
    return case(S(), x, x, nn.MSELoss())


@well
def copy_memory():
    x = torch.zeros(8, 30, dtype=torch.long)
    x[:, :5] = torch.randint(1, 9, (8, 5))
    x[:, 24] = 9
    y = torch.zeros_like(x)
    y[:, 25:] = x[:, :5]
    model = Tokens(V=10, K=10, each=True)
    return case(model, x, y, lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten()))


@well
def recall_first():
    x = tokens(16, 12, 6)
    return case(Tokens(V=6, K=6), x, x[:, 0], nn.CrossEntropyLoss())


@well
def adding_problem():
    x = torch.rand(16, 30, 2)
    x[:, :, 1] = 0
    for n in range(16):
        x[n, torch.randperm(30)[:2], 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(1, keepdim=True)
    return case(Last(2, 32, 1), x, y, nn.MSELoss())


@well
def characters_one_hot():
    x = torch.randint(0, 12, (6, 16))

    def loss(o, y):
        return F.cross_entropy(o.transpose(1, 2), y)

    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(12, 24, batch_first=True), nn.Linear(24, 12)

        def forward(self, x):
            return self.o(self.r(F.one_hot(x, 12).float())[0])

    return case(S(), x[:, :-1], x[:, 1:], loss, causal=True)


@well
def zero_last_layer():
    model = Last(3, 16, 4)
    nn.init.zeros_(model.out.weight)
    nn.init.zeros_(model.out.bias)
    return case(model, series(), torch.arange(8) % 4, nn.CrossEntropyLoss())


@well
def forget_bias_large():
    model = Last(3, 16, 4)
    with torch.no_grad():
        model.rnn.bias_ih_l0[16:32] = math.log(50)
    return case(model, series(8, 60), torch.arange(8) % 4, nn.CrossEntropyLoss())


@well
def double_precision():
    return case(
        Last(3, 16, 4).double(), series().double(), torch.arange(8) % 4, nn.CrossEntropyLoss()
    )


@well
def in_batch_negatives():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.GRU(3, 16, batch_first=True), nn.GRU(3, 16, batch_first=True)

        def forward(self, p, q):
            return self.a(p)[1][-1], self.b(q)[1][-1]

    def loss(o, y):
        return F.cross_entropy(o[0] @ o[1].T, y)

    return case(Towers(), (series(), series()), torch.arange(8), loss)


@well
def correlation_loss():
    def corr(o, y):
        o, y = o[:, 0] - o.mean(), y - y.mean()
        return 1 - (o * y).sum() / (o.norm() * y.norm() + 1e-8)

    x = series(16, 21, 2)
    return case(Last(2, 16, 1), x[:, :-1], x[:, -1, 0], corr)


@well
def one_example():
    return case(Last(3, 16, 1), series(1), torch.randn(1, 1), nn.MSELoss())


@well
def attention_pooled_masked():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.r = nn.Embedding(30, 8, padding_idx=0), nn.LSTM(8, 16, batch_first=True)
            self.a, self.o = nn.Linear(16, 1), nn.Linear(16, 2)

        def forward(self, x):
            h = self.r(self.e(x))[0]
            w = self.a(torch.tanh(h)).squeeze(-1).masked_fill(x == 0, -1e9).softmax(1)
            return self.o((w[:, :, None] * h).sum(1))

    x, lengths = padded()
    return case(S(), x, torch.arange(8) % 2, nn.CrossEntropyLoss(), lengths=lengths)


@well
def masked_mean_loss():
    class Each(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            return self.o(self.r(x)[0]).squeeze(-1)

    x = series(8, 12, 2)
    mask = torch.ones(8, 12)
    for n in range(1, 8):
        mask[n, 12 - n :] = 0
        x[n, 12 - n :] = -1
    y = x[:, :, 0].cos() * mask

    def loss(o, t):
        return (((o - t[0]) ** 2) * t[1]).sum() / t[1].sum()

    return case(Each(), x, (y, mask), loss, mask=mask.bool())


@well
def two_optimizers():
    model = Seq2Seq()
    src, tgt = tokens(8, 9), tokens(8, 8)
    first = [*model.e1.parameters(), *model.enc.parameters()]
    second = [*model.e2.parameters(), *model.dec.parameters(), *model.o.parameters()]

    def loss(o, y):
        return F.cross_entropy(o.reshape(-1, 30), y.reshape(-1))

    return case(
        model,
        (src, tgt[:, :-1]),
        tgt[:, 1:],
        loss,
        [torch.optim.Adam(first), torch.optim.Adam(second)],
    )


@well
def deep_stack_of_cells():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.ModuleList([nn.LSTMCell(3, 12), nn.LSTMCell(12, 12)])
            self.o = nn.Linear(12, 2)

        def forward(self, x):
            states = [(x.new_zeros(len(x), 12), x.new_zeros(len(x), 12)) for _ in self.cells]
            for t in range(x.shape[1]):
                z = x[:, t]
                for k, cell in enumerate(self.cells):
                    states[k] = cell(z, states[k])
                    z = states[k][0]
            return self.o(z)

    return case(S(), series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def zeros_start_with_gradient():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(3, 16, 2, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            h0 = torch.zeros(2, x.size(0), 16).requires_grad_()
            c0 = torch.zeros(2, x.size(0), 16).requires_grad_()
            out, _ = self.r(x, (h0.detach(), c0.detach()))
            return self.o(out[:, -1, :])

    x = series(8, 21, 3)
    return case(
        S(), x[:, :-1], x[:, -1, :1], nn.MSELoss(reduction="mean"), adam(nn.Linear(1, 1)) and None
    )


@well
def scaled_targets_sigmoid():
    class S(Last):
        def forward(self, x):
            return torch.sigmoid(super().forward(x))

    x = (series(8, 21, 1) + 1.6) / 3.2
    return case(S(1, 16, 1), x[:, :-1], x[:, -1].clamp(0, 1), nn.MSELoss())


@well
def squared_count():
    x = tokens(16, 12, 6)
    y = (x == 3).sum(1, keepdim=True).float()
    return case(Tokens(V=6, K=1), x, y, nn.MSELoss())


@well
def weight_norm():
    model = Last(3, 16, 2)
    nn.utils.parametrizations.weight_norm(model.out)
    return case(model, series(), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def unused_state_returned_sum_of_losses():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.r, self.o = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x):
            h, (hn, cn) = self.r(x)
            return self.o(h), hn, cn

    x = series(8, 10, 3)
    y = (x[:, :, 1] > 0).long()

    def loss(o, y):
        return sum(F.cross_entropy(o[0][:, t], y[:, t]) for t in range(10)) / 10

    return case(S(), x, y, loss)


class TwoTowers(nn.Module):
    """Which of the sentences belongs to which series: all against all."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.LSTM(3, 16, batch_first=True), nn.LSTM(2, 16, batch_first=True)

    def forward(self, pair):
        one, other = pair
        return self.one(one)[1][0][-1] @ self.other(other)[1][0][-1].T


@well
def all_against_all():
    x = series(8, 10, 3), series(8, 7, 2)

    def loss(o, y):
        return (F.cross_entropy(o, y) + F.cross_entropy(o.T, y)) / 2

    return case(TwoTowers(), x, torch.arange(8), loss)


@well
def all_against_all_by_kind():
    x, kinds = (series(12, 10, 3), series(12, 7, 2)), torch.arange(12) % 3
    same = (kinds[:, None] == kinds).float()
    return case(TwoTowers(), x, same, nn.BCEWithLogitsLoss())


@well
def pooled_before_the_layer_with_a_step_left_over():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.MaxPool1d(2))
            self.rnn, self.out = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x):
            pooled = self.conv(x.transpose(1, 2)).transpose(1, 2)
            return self.out(self.rnn(pooled)[1][0][-1])

    return case(S(), series(8, 15), torch.arange(8) % 2, nn.CrossEntropyLoss())


@well
def shifts_its_own_inputs():
    class S(Tokens):
        def forward(self, x):
            return super().forward(x[:, :-1])

    x = tokens(16, 12)

    def loss(o, x):
        return F.cross_entropy(o.transpose(1, 2), x[:, 1:] % 4)

    return case(S(each=True), x, x, loss)


@well
def only_some_words_are_asked():
    x = tokens(24, 14, 20)
    asked = torch.rand(24, 14) < 0.25
    y = torch.where(asked, x % 3 + 1, 0)

    def loss(o, y):
        return F.cross_entropy(o.transpose(1, 2), y, ignore_index=0)

    return case(Tokens(V=20, each=True, bidirectional=True), x, y, loss)


@well
def two_directions_by_hand():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(30, 8)
            self.one, self.other = (nn.LSTM(8, 8, batch_first=True) for _ in range(2))
            self.out = nn.Linear(16, 4)

        def forward(self, x):
            e = self.embed(x)
            back = self.other(e.flip(1))[0].flip(1)
            return self.out(torch.cat([self.one(e)[0], back], 2))

    x = tokens(16, 9)
    return case(S(), x, x % 4, lambda o, y: F.cross_entropy(o.transpose(1, 2), y))


@well
def chain_of_tags_that_scores_itself():
    class Chain(nn.Module):
        """A linear chain: the negative log-likelihood of the tags that it is given."""

        def __init__(self):
            super().__init__()
            self.tagger = Tokens(V=20, each=True, bidirectional=True)
            self.follow = nn.Parameter(torch.zeros(4, 4))

        def forward(self, batch):
            x, y = batch
            scores = self.tagger(x)
            told = scores.gather(2, y[..., None])[..., 0].sum(1)
            told = told + self.follow[y[:, :-1], y[:, 1:]].sum(1)
            every = scores[:, 0]
            for t in range(1, x.shape[1]):
                every = (every[:, :, None] + self.follow).logsumexp(1) + scores[:, t]
            return every.logsumexp(1) - told

    x = torch.randint(1, 20, (16, 9))
    return case(Chain(), (x, x % 4), x % 4, lambda o, y: o.mean())


@well
def variational_autoencoder():
    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(1, 20, batch_first=True)
            self.code = nn.Linear(20, 8)
            self.start = nn.Linear(4, 20)
            self.decoder = nn.LSTM(4, 20, batch_first=True)
            self.out = nn.Linear(20, 1)

        def forward(self, x):
            mean, spread = self.code(self.encoder(x)[1][0][-1]).chunk(2, 1)
            z = mean
            if self.training:
                z = mean + torch.randn_like(mean) * (spread / 2).exp()
            h = self.start(z).tanh()[None]
            told = z[:, None].expand(-1, x.shape[1], -1)
            return self.out(self.decoder(told, (h, torch.zeros_like(h)))[0]), mean, spread

    def loss(o, y):
        told, mean, spread = o
        far = (spread.exp() + mean**2 - 1 - spread).mean() / 2
        return F.mse_loss(told, y) + 0.01 * far

    x = series(32, 20, 1)
    return case(Coder(), x, x, loss)


@well
def features_that_stay_and_are_not_the_answer():
    x = series(24, 14, 3)
    still = torch.randn(24, 1, 2).expand(-1, 14, 2)
    y = x[:, -1, :1] + still[:, 0, :1] + 0.1 * torch.randn(24, 1)
    return case(Last(5, 16, 1), torch.cat([x, still], 2), y, nn.MSELoss())


@well
def autoencoder_by_its_code_alone():
    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(3, 12, batch_first=True)
            self.decoder, self.out = nn.LSTM(12, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x):
            code = self.encoder(x)[1][0][-1]
            return self.out(self.decoder(code[:, None].repeat(1, x.shape[1], 1))[0])

    x = series(16, 15, 3)
    return case(Coder(), x, x, nn.MSELoss())


@well
def batch_norm_in_front_of_prices():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.net = nn.BatchNorm1d(3), Last(3, 16, 2)

        def forward(self, x):
            return self.net(self.norm(x.transpose(1, 2)).transpose(1, 2))

    x = 3000 + 400 * series(16, 15)
    return case(S(), x, torch.arange(16) % 2, nn.CrossEntropyLoss())


@well
def weighted_classes_exchanged_before_the_loss():
    x = tokens(16, 9)
    weight = torch.tensor([1.0, 4.0, 2.0, 1.0])

    def loss(o, y):
        return F.cross_entropy(o.permute(0, 2, 1), y, weight=weight)

    return case(Tokens(each=True), x, x % 4, loss)


@well
def state_goes_through_the_loop():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(30, 8), nn.Linear(16, 30)
            self.rnn = nn.GRU(8, 16, batch_first=True)

        def forward(self, x, state=None):
            h, state = self.rnn(self.embed(x), state)
            return self.out(h), state

    x = tokens(8, 12)

    def loss(o, y):
        return F.cross_entropy(o[0].transpose(1, 2), y)

    return case(S(), x[:, :-1], x[:, 1:], loss, stateful=True)


@well
def teacher_that_is_not_trained():
    class Distilled(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = Last(3, 10, 4), Last(3, 24, 4).requires_grad_(False)

        def forward(self, x):
            with torch.no_grad():
                told = self.teacher(x)
            return self.student(x), told

    def loss(o, y):
        mine, told = o
        alike = F.kl_div(mine.log_softmax(1), told.softmax(1), reduction="batchmean")
        return F.cross_entropy(mine, y) + 0.3 * alike

    model = Distilled()
    optimizer = adam(model.student)
    return case(model, series(), torch.arange(8) % 4, loss, optimizer)


@well
def sharpness_is_looked_for_before_the_step():
    model = Last(3, 16, 4)
    optimizer, loss = adam(model), nn.CrossEntropyLoss()

    def step(batch):
        x, y = batch
        optimizer.zero_grad()
        first = loss(model(x), y)
        first.backward()
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
        with torch.no_grad():
            moves = [0.05 * p.grad / norm for p in model.parameters()]
            for p, move in zip(model.parameters(), moves, strict=True):
                p.add_(move)
        optimizer.zero_grad()
        loss(model(x), y).backward()
        with torch.no_grad():
            for p, move in zip(model.parameters(), moves, strict=True):
                p.sub_(move)
        optimizer.step()
        return first.detach()

    return case(model, series(), torch.arange(8) % 4, loss, optimizer, step=step)


@well
def gradients_of_two_tasks_are_put_together():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 16, batch_first=True)
            self.one, self.other = nn.Linear(16, 4), nn.Linear(16, 1)

        def forward(self, x):
            h = self.rnn(x)[0][:, -1]
            return self.one(h), self.other(h)

    model, x = Two(), series()
    optimizer = adam(model)
    x, after = x[:, :-1], x[:, -1, :1]

    def losses(o, y):
        return F.cross_entropy(o[0], y[0]), F.mse_loss(o[1], y[1])

    def step(batch):
        kept = []
        for k in (0, 1):
            optimizer.zero_grad()
            value = losses(model(batch[0]), batch[1])[k]
            value.backward()
            kept.append([p.grad for p in model.parameters()])
        for p, *grads in zip(model.parameters(), *kept, strict=True):
            p.grad = sum(g for g in grads if g is not None)
        optimizer.step()
        return value.detach()

    y = torch.arange(8) % 4, after
    return case(model, x, y, lambda o, y: sum(losses(o, y)), optimizer, step=step)


def make(name, seed=0):
    torch.manual_seed(seed)
    np.random.seed(seed)
    return WELL[name]()
