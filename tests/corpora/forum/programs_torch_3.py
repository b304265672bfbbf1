"""A third collection in PyTorch as people bring them to a forum, written in two rounds before the
doctor saw them, and without a look at the zoo or at the other two; see programs_torch.py.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from torch.utils.data import DataLoader, TensorDataset

from tests.support.forum import collection
from tests.support.forum import torch_program as program

SICK, WELL, sick, well = collection()


def some(low, high):
    return int(torch.randint(low, high + 1, ()))


def curves(N, T, D):
    """Smooth series (N, T, D) about 0 with a spread about 1."""
    t = torch.arange(T) / 8
    phase, speed = 6 * torch.rand(N, 1, D), 0.5 + torch.rand(N, 1, D)
    return 1.4 * torch.sin(phase + speed * t[None, :, None]) + 0.05 * torch.randn(N, T, D)


def padded(N, T, V):
    """Tokens (N, T) from 1, padded with 0, longest first, and their lengths."""
    lengths = torch.randint(max(T // 3, 2), T + 1, (N,)).sort(descending=True).values
    lengths[0] = T
    return torch.randint(1, V, (N, T)) * (torch.arange(T) < lengths[:, None]), lengths


def loop(loss, model, optimizer, clip=None):
    """One step of an ordinary training loop."""

    def step(batch):
        model.train()
        optimizer.zero_grad()
        value = loss(model(batch[0]), batch[1])
        value.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return value

    return step


# Sick.


class AttentionByHand(nn.Module):
    """A softmax over one score for each step: 1 everywhere, but for the last bits."""

    def __init__(self, D, H):
        super().__init__()
        self.rnn = nn.LSTM(D, H, batch_first=True)
        self.score, self.out = nn.Linear(H, 1), nn.Linear(H, 1)

    def forward(self, x):
        states, _ = self.rnn(x)
        scores = torch.exp(self.score(states)) * 1.1
        weights = scores / scores.sum(-1, keepdim=True)
        return self.out((weights * states).mean(1))


@sick("parameter-unused")
def attention_by_hand_over_one_score():
    x = curves(some(12, 24), some(8, 14), 3)
    return program(AttentionByHand(3, some(12, 20)), x, x.mean(1)[:, :1], nn.MSELoss())


class Encoder(nn.Module):
    def __init__(self, V, H):
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.rnn = nn.GRU(H, H, batch_first=True)

    def forward(self, x):
        return self.rnn(self.embedding(x))


class Decoder(nn.Module):
    def __init__(self, V, H):
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.rnn = nn.GRU(H, H, batch_first=True)
        self.out = nn.Linear(H, V)

    def forward(self, y, h):
        states, _ = self.rnn(F.relu(self.embedding(y)), h)
        return F.log_softmax(self.out(states), dim=-1)


class Translator(nn.Module):
    def __init__(self, V, W, H, read=True):
        super().__init__()
        self.encoder, self.decoder, self.read, self.H = Encoder(V, H), Decoder(W, H), read, H

    def forward(self, pair):
        x, y = pair
        _, h = self.encoder(x)
        if not self.read:
            h = torch.zeros(1, len(x), self.H)
        return self.decoder(y, h).transpose(1, 2)


@sick("outputs-ignore-inputs", "parameter-unused", "no-gradient")
def translator_that_forgets_its_source():
    N, T = some(8, 20), some(6, 12)
    x, y = torch.randint(1, 30, (N, T)), torch.randint(1, 24, (N, T + 3))
    model = Translator(30, 24, some(16, 28), read=False)
    return program(model, (x, y[:, :-1]), y[:, 1:], nn.NLLLoss())


@sick("not-in-optimizer")
def optimizer_of_the_decoder_alone():
    N, T = some(8, 20), some(6, 12)
    x, y = torch.randint(1, 30, (N, T)), torch.randint(1, 24, (N, T + 3))
    model = Translator(30, 24, some(16, 28))
    optimizer = torch.optim.Adam(model.decoder.parameters(), lr=2e-3)
    return program(model, (x, y[:, :-1]), y[:, 1:], nn.NLLLoss(), optimizer=optimizer)


class Speech(nn.Module):
    def __init__(self, D, H, C, logs=True):
        super().__init__()
        self.norm = nn.LayerNorm(D)
        self.rnn = nn.LSTM(D, H, 2, batch_first=True, bidirectional=True)
        self.out, self.logs = nn.Linear(2 * H, C), logs

    def forward(self, x):
        y = self.out(self.rnn(self.norm(x))[0])
        y = F.log_softmax(y, dim=2) if self.logs else F.softmax(y, dim=2)
        return y.transpose(0, 1)


def ctc(N, T, C):
    y = torch.randint(1, C, (N, 4))
    lengths, sizes = torch.full((N,), T), torch.full((N,), 4)
    return y, lambda out, want: F.ctc_loss(out, want, lengths, sizes)


@sick("loss-wants-log-probabilities")
def speech_with_softmax():
    N, T = some(6, 14), some(20, 32)
    y, loss = ctc(N, T, 12)
    return program(Speech(13, some(16, 24), 12, logs=False), curves(N, T, 13), y, loss)


class WordModel(nn.Module):
    def __init__(self, V, H, layers=2, drop=0.3):
        super().__init__()
        self.embedding, self.drop = nn.Embedding(V, H), nn.Dropout(drop)
        self.rnn = nn.LSTM(H, H, layers, dropout=drop)
        self.out = nn.Linear(H, V)

    def forward(self, x):
        h, _ = self.rnn(self.drop(self.embedding(x)))
        return self.out(self.drop(h))


@sick("targets-misaligned", "targets-broadcast")
def words_flattened_in_two_orders():
    T, N, V = some(10, 18), some(6, 14), some(30, 60)
    text = torch.randint(0, V, (N, T + 1))
    model = WordModel(V, some(16, 28))

    def loss(out, y):
        return F.cross_entropy(out.reshape(-1, out.size(-1)), y.reshape(-1))

    return program(model, text[:, :-1].t(), text[:, 1:], loss)


@sick("examples-mixed", "sees-the-future", "time-on-wrong-axis")
def words_with_the_batch_first():
    T, N, V = some(10, 18), some(6, 14), some(30, 60)
    text = torch.randint(0, V, (N, T + 1))
    model = WordModel(V, some(16, 28), drop=0.0)

    def loss(out, y):
        return F.cross_entropy(out.flatten(0, 1), y.flatten())

    return program(model, text[:, :-1], text[:, 1:], loss)


class Forecast(nn.Module):
    def __init__(self, D, H, out, layers=1, last=None):
        super().__init__()
        self.rnn = nn.LSTM(D, H, layers, batch_first=True)
        self.head = nn.Sequential(nn.Linear(H, 16), nn.ReLU(), nn.Linear(16, out))
        self.last = last or (lambda states: states[:, -1])

    def forward(self, x):
        return self.head(self.last(self.rnn(x)[0]))


@sick("targets-broadcast")
def load_of_tomorrow():
    x = curves(some(12, 40), some(14, 24), 3)
    return program(Forecast(3, some(16, 32), 1), x[:, :-1], x[:, -1, 0], nn.L1Loss())


@sick("gradients-add-up")
def loop_without_zero():
    x = curves(some(12, 40), some(14, 24), 2)
    model = Forecast(2, some(16, 32), 1)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def step(batch):
        value = F.mse_loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        return value.item()

    arguments = dict(optimizer=optimizer, step=step)
    return program(model, x[:, :-1], x[:, -1, :1], nn.MSELoss(), **arguments)


@sick("left-in-evaluation-mode")
def validation_that_stays():
    x = curves(some(12, 40), some(14, 24), 2)
    model = nn.Sequential(nn.Dropout(0.2), Forecast(2, some(16, 32), 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train = DataLoader(TensorDataset(x[:, :-1], x[:, -1, :1]), batch_size=8)
    model.train()

    def step(batch):
        optimizer.zero_grad()
        value = F.mse_loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            for some_x, some_y in train:
                F.mse_loss(model(some_x), some_y)
        return value

    arguments = dict(optimizer=optimizer, step=step)
    return program(model, x[:, :-1], x[:, -1, :1], nn.MSELoss(), **arguments)


@sick("no-gradient", "gradient-cut", "loss-detached")
def numpy_on_the_way():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.GRU(4, H, batch_first=True), nn.Linear(H, 3)

        def forward(self, x):
            states, _ = self.rnn(x)
            best = torch.tensor(states.detach().numpy().max(axis=1))
            return self.out(best)

    N = some(12, 30)
    return program(
        Model(some(12, 24)), curves(N, some(10, 20), 4), torch.arange(N) % 3, nn.CrossEntropyLoss()
    )


@sick("reads-padding")
def sentiment_at_the_last_column():
    N, T, V = some(12, 30), some(12, 20), some(40, 80)
    x, lengths = padded(N, T, V)

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H, padding_idx=0)
            self.rnn, self.out = nn.LSTM(H, H, batch_first=True), nn.Linear(H, 1)

        def forward(self, x):
            return self.out(self.rnn(self.embedding(x))[0][:, -1]).squeeze(1)

    y = (x[:, 0] % 2).float()
    return program(Model(some(12, 24)), x, y, nn.BCEWithLogitsLoss(), lengths=lengths)


@sick("scores-padding")
def tags_scored_on_padding():
    N, T, V = some(8, 20), some(10, 18), some(40, 80)
    x, lengths = padded(N, T, V)

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H, padding_idx=0)
            self.rnn = nn.LSTM(H, H, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * H, 6)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(self.embedding(x), lengths, batch_first=True)
            states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
            return self.out(states).transpose(1, 2)

    y = torch.where(x > 0, 1 + x % 5, 0)
    return program(Model(some(12, 24)), (x, lengths), y, nn.CrossEntropyLoss(), lengths=lengths)


@sick("output-not-scored")
def two_tasks_one_loss():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn = nn.LSTM(3, H, batch_first=True)
            self.level, self.kind = nn.Linear(H, 1), nn.Linear(H, 4)

        def forward(self, x):
            h = self.rnn(x)[1][0][-1]
            return self.level(h), self.kind(h)

    def loss(out, y):
        level, _ = F.mse_loss(out[0], y[0]), F.cross_entropy(out[1], y[1])
        return level

    N = some(12, 30)
    x = curves(N, some(10, 20), 3)
    y = x[:, -1, :1] * 0.7, torch.arange(N) % 4
    return program(Model(some(12, 24)), x[:, :-1], y, loss)


class PeepholeFree(nn.Module):
    """An LSTM cell written by hand."""

    def __init__(self, D, H, cut=False, fresh=False):
        super().__init__()
        self.H, self.cut, self.fresh = H, cut, fresh
        self.x, self.h = nn.Linear(D, 4 * H), nn.Linear(H, 4 * H, bias=False)
        self.out = nn.Linear(H, 1)

    def forward(self, x):
        h = c = x.new_zeros(len(x), self.H)
        for t in range(x.size(1)):
            if self.fresh:
                h = c = x.new_zeros(len(x), self.H)
            i, f, g, o = (self.x(x[:, t]) + self.h(h)).chunk(4, 1)
            c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            if self.cut:
                h, c = h.detach(), c.detach()
        return self.out(
            torch.sigmoid(o) * torch.tanh(c)
            if not self.cut
            else h + 0 * self.x(x[:, t])[:, : self.H]
        )


@sick("short-reach")
def cell_that_starts_anew():
    x = curves(some(12, 30), some(10, 18), 3)
    y = x[:, :-1].mean(1)[:, :1]
    return program(PeepholeFree(3, some(12, 20), fresh=True), x[:, :-1], y, nn.MSELoss())


@sick("no-gradient", "gradient-cut", "zero-gradient")
def cell_cut_at_its_last_step():
    x = curves(some(12, 30), some(10, 18), 3)
    y = x[:, :-1].mean(1)[:, :1]
    return program(PeepholeFree(3, some(12, 20), cut=True), x[:, :-1], y, nn.MSELoss())


@sick("state-not-detached", "graph-grows")
def stream_that_never_lets_go():
    N, T, V = some(4, 8), some(8, 14), some(20, 40)
    text = torch.randint(0, V, (N, T + 1))

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn, self.out = nn.LSTM(H, H, batch_first=True), nn.Linear(H, V)

        def forward(self, x, state=None):
            h, state = self.rnn(self.embedding(x), state)
            return self.out(h).transpose(1, 2), state

    model = Model(some(12, 24))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = {"state": None}

    def step(batch):
        optimizer.zero_grad()
        out, kept["state"] = model(batch[0], kept["state"])
        value = F.cross_entropy(out, batch[1])
        value.backward(retain_graph=True)
        optimizer.step()
        return value

    def loss(out, y):
        return F.cross_entropy(out[0], y)

    return program(model, text[:, :-1], text[:, 1:], loss, optimizer=optimizer, step=step)


class Lit(nn.Module):
    """In the form of a LightningModule."""

    def __init__(self, D, H):
        super().__init__()
        self.rnn, self.head = nn.GRU(D, H, batch_first=True), nn.Linear(H, 5)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        return F.softmax(self.head(self.drop(self.rnn(x)[0].mean(1))), dim=-1)

    def training_step(self, batch, index):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 10)]


@sick("loss-wants-logits")
def lightning_with_softmax():
    N = some(12, 30)
    return dict(model=Lit(4, some(12, 24)), batch=(curves(N, some(10, 20), 4), torch.arange(N) % 5))


@sick("inputs-badly-scaled")
def bytes_of_an_image_by_rows():
    N = some(10, 24)
    x = torch.randint(0, 256, (N, 28, 28)).float()
    x[:, :4] = x[:, -4:] = 0

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.LSTM(28, H, 2, batch_first=True), nn.Linear(H, 10)

        def forward(self, x):
            h0 = torch.zeros(2, x.size(0), self.rnn.hidden_size)
            return self.out(self.rnn(x, (h0, torch.zeros_like(h0)))[0][:, -1])

    return program(Model(some(24, 40)), x, torch.arange(N) % 10, nn.CrossEntropyLoss())


@sick("not-registered")
def stack_of_cells_in_a_list():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.cells = [nn.LSTMCell(3 if k == 0 else H, H) for k in range(2)]
            self.out, self.H = nn.Linear(H, 2), H

        def forward(self, x):
            states = [(x.new_zeros(len(x), self.H),) * 2 for _ in self.cells]
            for t in range(x.size(1)):
                z = x[:, t]
                for k, cell in enumerate(self.cells):
                    states[k] = cell(z, states[k])
                    z = states[k][0]
            return self.out(z)

    N = some(12, 30)
    return program(
        Model(some(12, 20)), curves(N, some(8, 14), 3), torch.arange(N) % 2, nn.CrossEntropyLoss()
    )


@sick("answer-in-input")
def characters_not_shifted():
    N, T, V = some(8, 16), some(12, 20), some(20, 40)
    text = torch.randint(0, V, (N, T))
    model = WordModel(V, some(16, 28), drop=0.1)

    def loss(out, y):
        return F.cross_entropy(out.permute(1, 2, 0), y)

    return program(model, text.t(), text, loss)


@sick(
    "softmax-over-time",
    "parameter-unused",
    "zero-gradient",
    "loss-wants-logits",
    "softmax-over-batch",
)
def softmax_of_the_wrong_dimension():
    N, T, V = some(8, 16), some(12, 20), some(20, 40)
    x, _ = padded(N, T, V)

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn, self.out = nn.LSTM(H, H, batch_first=True), nn.Linear(H, 5)

        def forward(self, x):
            return F.log_softmax(self.out(self.rnn(self.embedding(x))[0]), dim=1)

    def loss(out, y):
        return F.nll_loss(out.reshape(-1, 5), y.reshape(-1))

    return program(Model(some(12, 24)), x, x % 5, loss)


@sick("clip-too-low", "update-too-small")
def clipped_to_nothing():
    x = curves(some(12, 40), some(14, 24), 2)
    model = Forecast(2, some(16, 32), 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    step = loop(F.mse_loss, model, optimizer, clip=1e-6)
    arguments = dict(optimizer=optimizer, step=step)
    return program(model, x[:, :-1], x[:, -1, :1], nn.MSELoss(), **arguments)


@sick("label-outside")
def stars_from_one_to_five():
    N, T, V = some(12, 30), some(12, 20), some(40, 80)
    x, _ = padded(N, T, V)

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn, self.out = nn.LSTM(H, H, batch_first=True), nn.Linear(H, 1)

        def forward(self, x):
            return torch.sigmoid(self.out(self.rnn(self.embedding(x))[1][0][-1])).squeeze(-1)

    def loss(p, y):
        return -(y * (p + 1e-8).log() + (1 - y) * (1 - p + 1e-8).log()).mean()

    return program(Model(some(12, 24)), x, (1 + x[:, 0] % 5).float(), loss)


@sick("direction-sees-one-step")
def both_ways_read_at_the_end():
    N, T, V = some(12, 30), some(12, 20), some(40, 80)
    x = torch.randint(1, V, (N, T))

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn = nn.GRU(H, H, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * H, 3)

        def forward(self, x):
            return self.out(self.rnn(self.embedding(x))[0][:, -1, :])

    return program(Model(some(12, 24)), x, x.sum(1) % 3, nn.CrossEntropyLoss())


@sick("loss-negative")
def likelihood_without_its_sign():
    N = some(12, 30)
    x = curves(N, some(10, 20), 4)

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.LSTM(4, H, batch_first=True), nn.Linear(H, 3)

        def forward(self, x):
            return F.log_softmax(self.out(self.rnn(x)[0][:, -1]), -1)

    def loss(out, y):
        return out.gather(1, y[:, None]).mean()

    return program(Model(some(12, 24)), x, torch.arange(N) % 3, loss)


# Well.


@well
def translator_that_reads_its_source():
    N, T = some(8, 20), some(6, 12)
    x, y = torch.randint(1, 30, (N, T)), torch.randint(1, 24, (N, T + 3))
    return program(Translator(30, 24, some(16, 28)), (x, y[:, :-1]), y[:, 1:], nn.NLLLoss())


@well
def speech_with_log_softmax():
    N, T = some(6, 14), some(20, 32)
    y, loss = ctc(N, T, 12)
    return program(Speech(13, some(16, 24), 12), curves(N, T, 13), y, loss)


@well
def words_time_first_and_tied():
    T, N, V = some(10, 18), some(6, 14), some(30, 60)
    text = torch.randint(0, V, (T + 1, N))
    model = WordModel(V, some(16, 28))
    model.out.weight = model.embedding.weight

    def loss(out, y):
        return F.cross_entropy(out.view(-1, V), y.reshape(-1))

    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
    step = loop(loss, model, optimizer, clip=0.25)
    arguments = dict(optimizer=optimizer, step=step, causal=True)
    return program(model, text[:-1], text[1:], loss, **arguments)


@well
def packed_list_of_sequences():
    N, V = some(8, 20), some(20, 50)
    rows = [torch.randint(1, V, (some(3, 12),)) for _ in range(N)]

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn, self.out = nn.LSTM(H, H, 2, dropout=0.2), nn.Linear(H, 3)

        def forward(self, x, lengths):
            rows = [self.embedding(row[:n]) for row, n in zip(x, lengths, strict=True)]
            _, (h, _) = self.rnn(pack_sequence(rows, enforce_sorted=False))
            return self.out(h[-1])

    lengths = torch.tensor([len(row) for row in rows])
    x = pad_sequence(rows, batch_first=True)
    y = torch.arange(N) % 3
    return program(Model(some(12, 24)), (x, lengths), y, nn.CrossEntropyLoss(), lengths=lengths)


@well
def stream_that_lets_go():
    N, T, V = some(4, 8), some(8, 14), some(20, 40)
    text = torch.randint(0, V, (N, T + 1))

    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn, self.out = nn.LSTM(H, H, batch_first=True), nn.Linear(H, V)

        def forward(self, x, state=None):
            h, state = self.rnn(self.embedding(x), state)
            return self.out(h).transpose(1, 2), state

    model = Model(some(12, 24))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = {"state": None}

    def step(batch):
        optimizer.zero_grad(set_to_none=True)
        state = None if kept["state"] is None else tuple(s.detach() for s in kept["state"])
        out, kept["state"] = model(batch[0], state)
        value = F.cross_entropy(out, batch[1])
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return value

    def loss(out, y):
        return F.cross_entropy(out[0], y)

    return program(model, text[:, :-1], text[:, 1:], loss, optimizer=optimizer, step=step)


@well
def two_tasks_with_learned_weights():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn = nn.LSTM(3, H, batch_first=True)
            self.level, self.kind = nn.Linear(H, 1), nn.Linear(H, 4)
            self.log_weights = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            h = self.rnn(x)[1][0][-1]
            return self.level(h), self.kind(h)

    model = Model(some(12, 24))

    def loss(out, y):
        a, b = F.mse_loss(out[0], y[0]), F.cross_entropy(out[1], y[1])
        s = model.log_weights
        return (torch.exp(-s) * torch.stack([a, b]) + s).sum()

    N = some(12, 30)
    x = curves(N, some(10, 20), 3)
    y = x[:, -1, :1] * 0.7, torch.arange(N) % 4
    return program(model, x[:, :-1], y, loss)


@well
def cell_by_hand_with_layer_norm():
    class Model(nn.Module):
        def __init__(self, D, H):
            super().__init__()
            self.H, self.norm = H, nn.LayerNorm(4 * H)
            self.w = nn.Parameter(torch.randn(D + H, 4 * H) / math.sqrt(H))
            self.start = nn.Parameter(torch.zeros(2, H))
            self.out = nn.Linear(H, 1)

        def forward(self, x):
            h, c = (s.expand(len(x), -1) for s in self.start)
            outs = []
            for t in range(x.size(1)):
                a = self.norm(torch.cat([x[:, t], h], 1) @ self.w)
                i, f, g, o = a.chunk(4, 1)
                c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outs.append(self.out(h))
            return torch.stack(outs, 1)

    x = curves(some(8, 20), some(8, 14), 2)
    return program(Model(2, some(12, 20)), x[:, :-1], x[:, 1:, :1], nn.SmoothL1Loss(), causal=True)


@well
def mixture_of_densities():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.GRU(2, H, batch_first=True), nn.Linear(H, 9)

        def forward(self, x):
            weight, mean, spread = self.out(self.rnn(x)[0][:, -1]).chunk(3, -1)
            return weight.log_softmax(-1), mean, F.softplus(spread) + 1e-3

    def loss(out, y):
        weight, mean, spread = out
        each = torch.distributions.Normal(mean, spread).log_prob(y)
        return -torch.logsumexp(weight + each, -1).mean()

    x = curves(some(12, 30), some(10, 20), 2)
    return program(Model(some(12, 24)), x[:, :-1], x[:, -1, :1], loss)


@well
def autoencoder_that_reads_backwards():
    class Model(nn.Module):
        def __init__(self, D, H):
            super().__init__()
            self.encoder = nn.LSTM(D, H, batch_first=True)
            self.decoder, self.out = nn.LSTMCell(D, H), nn.Linear(H, D)

        def forward(self, x):
            h, c = (s[0] for s in self.encoder(x)[1])
            y, outs = torch.zeros_like(x[:, 0]), []
            for _ in range(x.size(1)):
                h, c = self.decoder(y, (h, c))
                y = self.out(h)
                outs.append(y)
            return torch.stack(outs[::-1], 1)

    x = curves(some(12, 24), some(6, 12), 2)
    return program(Model(2, some(16, 28)), x, x, nn.MSELoss())


@well
def lightning_with_focal_loss():
    class Model(Lit):
        def forward(self, x):
            return self.head(self.drop(self.rnn(x)[0].mean(1)))

        def training_step(self, batch, index):
            x, y = batch
            each = F.cross_entropy(self(x), y, reduction="none", label_smoothing=0.05)
            return {"loss": ((1 - torch.exp(-each)) ** 2 * each).mean()}

    N = some(12, 30)
    return dict(
        model=Model(4, some(12, 24)), batch=(curves(N, some(10, 20), 4), torch.arange(N) % 5)
    )


@well
def attention_with_a_causal_mask():
    class Model(nn.Module):
        def __init__(self, V, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H)
            self.rnn = nn.LSTM(H, H, batch_first=True)
            self.attention = nn.MultiheadAttention(H, 2, batch_first=True)
            self.norm, self.out = nn.LayerNorm(H), nn.Linear(H, V)

        def forward(self, x):
            h, _ = self.rnn(self.embedding(x))
            later = torch.ones(x.size(1), x.size(1), dtype=torch.bool).triu(1)
            a, _ = self.attention(h, h, h, attn_mask=later, need_weights=False)
            return self.out(self.norm(h + a)).permute(0, 2, 1)

    N, T, V = some(8, 16), some(8, 14), some(20, 40)
    text = torch.randint(0, V, (N, T + 1))
    model = Model(V, 2 * some(8, 14))
    return program(model, text[:, :-1], text[:, 1:], nn.CrossEntropyLoss(), causal=True)


@well
def similar_sentences():
    class Model(nn.Module):
        def __init__(self, V, H):
            super().__init__()
            self.embedding = nn.Embedding(V, H, padding_idx=0)
            self.rnn = nn.LSTM(H, H, batch_first=True)

        def forward(self, a, b):
            a, b = (F.normalize(self.rnn(self.embedding(x))[0].mean(1)) for x in (a, b))
            return a, b

    N, T, V = some(12, 24), some(8, 14), some(30, 60)
    a, b = torch.randint(1, V, (N, T)), torch.randint(1, V, (N, T))
    y = torch.where(torch.arange(N) % 2 == 0, 1.0, -1.0)

    def loss(out, y):
        return F.cosine_embedding_loss(*out, y, margin=0.3)

    return program(Model(V, some(12, 24)), (a, b), y, loss)


@well
def survival_by_hazard():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.GRU(3, H, 2, batch_first=True, dropout=0.1), nn.Linear(H, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0]).squeeze(-1)

    def loss(out, y):
        event, when = y
        steps = torch.arange(out.size(1))
        alive = (steps < when[:, None]).float()
        at = (steps == when[:, None]).float() * event[:, None].float()
        each = F.binary_cross_entropy_with_logits(out, at, reduction="none")
        return ((alive + at) * each).sum() / (alive + at).sum()

    N, T = some(12, 30), some(10, 18)
    y = (torch.arange(N) % 3 > 0, torch.randint(2, T, (N,)))
    return program(Model(some(12, 24)), curves(N, T, 3), y, loss)


# A second round, written before the doctor saw it and after the first round was examined.


class Reader(nn.Module):
    """Tokens to classes, read in a way of one's own."""

    def __init__(self, V, H, C, read):
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.rnn, self.out, self.read = nn.LSTM(H, H, batch_first=True), nn.Linear(H, C), read

    def forward(self, x):
        states, _ = self.rnn(self.embedding(x))
        return self.out(self.read(states))


class Window(nn.Module):
    """A forecast from a part of the window."""

    def __init__(self, D, H, part):
        super().__init__()
        self.inner, self.part = Forecast(D, H, 1), part

    def forward(self, x):
        return self.inner(x[:, self.part])


def forecast(loss, model=None, target=None):
    x = curves(some(12, 40), some(14, 20), 3)
    y = x[:, -1, :1] if target is None else target(x)
    return program(model or Forecast(3, some(16, 32), 1), x[:, :-1], y, loss)


@sick("examples-not-scored")
def loss_of_the_first_example():
    return forecast(lambda out, y: F.mse_loss(out[0], y[0]))


@sick("inputs-identical")
def data_set_that_returns_one_item():
    N = some(12, 40)
    x = curves(1, some(10, 20), 3).expand(N, -1, -1).clone()
    return program(Forecast(3, some(16, 32), 1), x, torch.randn(N, 1), nn.MSELoss())


@sick("inputs-badly-scaled")
def divided_by_255_twice():
    N = some(12, 40)
    x = curves(N, some(10, 20), 4) / 255 / 255
    return program(Forecast(4, some(16, 32), 3), x, torch.arange(N) % 3, nn.CrossEntropyLoss())


def next_characters(out, y):
    return F.cross_entropy(out.transpose(1, 2), y)


@sick("answer-in-input")
def shifted_the_wrong_way():
    N, T, V = some(8, 16), some(12, 20), some(20, 40)
    text = torch.randint(0, V, (N, T + 1))
    model = Reader(V, some(16, 24), V, lambda states: states)
    return program(model, text[:, 1:], text[:, :-1], next_characters)


@sick("steps-ignored")
def third_of_the_window():
    return forecast(nn.MSELoss(), Window(3, some(16, 32), slice(5)))


@sick("steps-ignored")
def lengths_that_count_features():
    class Model(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.rnn, self.out = nn.LSTM(3, H, batch_first=True), nn.Linear(H, 2)

        def forward(self, x):
            packed = pack_padded_sequence(x, [x.size(2)] * len(x), batch_first=True)
            return self.out(self.rnn(packed)[1][0][-1])

    N = some(12, 28)
    x = curves(N, some(14, 24), 3)
    return program(Model(some(12, 24)), x, torch.arange(N) % 2, nn.CrossEntropyLoss())


class StepByStep(nn.Module):
    """A decoder that writes into a tensor of zeros, from step 1 on."""

    def __init__(self, V, H):
        super().__init__()
        self.source, self.target = nn.Embedding(V, H), nn.Embedding(V, H)
        self.encoder, self.cell = nn.GRU(H, H, batch_first=True), nn.GRUCell(H, H)
        self.out, self.V = nn.Linear(H, V), V

    def forward(self, source, target):
        h = self.encoder(self.source(source))[1][0]
        outs = torch.zeros(*target.shape, self.V)
        for t in range(1, target.size(1)):
            h = self.cell(self.target(target[:, t - 1]), h)
            outs[:, t] = self.out(h)
        return outs


def two_languages():
    N, T, V = some(8, 20), some(7, 12), some(20, 40)
    return torch.randint(1, V, (N, T)), torch.randint(1, V, (N, T - 1)), V


@sick("output-never-filled")
def first_word_never_written():
    source, target, V = two_languages()
    return program(StepByStep(V, some(16, 28)), (source, target), target, next_characters)


@sick("loss-wants-log-probabilities")
def divergence_of_probabilities():
    N, V = some(12, 28), some(30, 60)
    x, y = torch.randint(1, V, (N, some(10, 18))), torch.softmax(torch.randn(N, 4), 1)
    model = nn.Sequential(Reader(V, some(12, 24), 4, lambda states: states[:, -1]), nn.Softmax(1))
    return program(model, x, y, nn.KLDivLoss(reduction="batchmean"))


@sick("not-finite")
def answers_longer_than_the_recording():
    N, T = some(6, 12), some(8, 10)
    y, lengths, sizes = torch.randint(1, 12, (N, 14)), torch.full((N,), T), torch.full((N,), 14)

    def loss(out, want):
        return F.ctc_loss(out, want, lengths, sizes)

    return program(Speech(13, some(16, 24), 12), curves(N, T, 13), y, loss)


@sick("targets-broadcast")
def horizons_with_an_axis_more():
    x = curves(some(12, 40), some(14, 24), 1)
    y = x[:, -4:].transpose(1, 2)
    return program(Forecast(1, some(16, 32), 4), x[:, :-4], y, nn.L1Loss())


@sick("loss-detached", "no-gradient")
def gradient_asked_of_the_loss():
    def loss(out, y):
        return F.mse_loss(torch.tensor(out.tolist()), y).requires_grad_()

    return forecast(loss)


@well
def first_word_left_out_on_both_sides():
    source, target, V = two_languages()

    def loss(out, y):
        return next_characters(out[:, 1:], y[:, 1:])

    return program(StepByStep(V, some(16, 28)), (source, target), target, loss)


@well
def every_other_step():
    return forecast(nn.MSELoss(), Window(3, some(16, 32), slice(None, None, 2)))


@well
def loss_that_squeezes():
    return forecast(lambda out, y: F.l1_loss(out.squeeze(-1), y), target=lambda x: x[:, -1, 0])


def counts(x):
    return torch.poisson(torch.exp(0.5 * x[:, 0, :1]))


@well
def counts_with_their_rate():
    model = nn.Sequential(Forecast(3, some(16, 32), 1), nn.Softplus())
    return forecast(nn.PoissonNLLLoss(log_input=False), model, counts)


@well
def counts_with_the_log_of_it():
    return forecast(nn.PoissonNLLLoss(), target=counts)


@well
def grades_by_thresholds():
    N, V = some(12, 28), some(30, 60)
    model = Reader(V, some(12, 24), 4, lambda states: states[:, -1])

    def loss(out, y):
        above = (y[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(out, above)

    return program(model, torch.randint(1, V, (N, some(10, 18))), torch.arange(N) % 5, loss)


class FromTheLast(Forecast):
    """What is added to the last value, nothing at the start."""

    def __init__(self, D, H):
        super().__init__(D, H, 1)
        nn.init.zeros_(self.head[-1].weight)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, x):
        return x[:, -1, :1] + super().forward(x)


@well
def change_from_the_last_value():
    return forecast(nn.MSELoss(), FromTheLast(3, some(16, 32)))


class Variational(nn.Module):
    """A code that is drawn in training and in evaluation."""

    def __init__(self, D, H, Z):
        super().__init__()
        self.encoder = nn.LSTM(D, H, batch_first=True)
        self.mean, self.log_variance = nn.Linear(H, Z), nn.Linear(H, Z)
        self.decoder, self.out = nn.LSTM(Z, H, batch_first=True), nn.Linear(H, D)

    def forward(self, x):
        h = self.encoder(x)[1][0][-1]
        mean, log_variance = self.mean(h), self.log_variance(h)
        code = mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
        states, _ = self.decoder(code[:, None].expand(-1, x.size(1), -1))
        return self.out(states), mean, log_variance


@well
def variational_autoencoder():
    def loss(out, y):
        series, mean, v = out
        return F.mse_loss(series, y) - 0.5 * (1 + v - mean**2 - v.exp()).mean()

    x = curves(some(12, 24), some(8, 14), 2)
    return program(Variational(2, some(16, 24), 4), x, x, loss)


@well
def long_window_of_a_fresh_net():
    x = curves(some(6, 10), 120, 2)
    return program(Forecast(2, some(16, 32), 1), x[:, :-1], x[:, -1, :1], nn.MSELoss())


def make(name, seed=0):
    torch.manual_seed(500 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(), findings
