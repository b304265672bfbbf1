"""Programs in PyTorch as people bring them to a forum: sick ones with what must be found, and well
ones that look odd.

Written without a look at the zoo and at what the doctor measures. Sizes, data and weights follow
the seed.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.support.forum import collection
from tests.support.forum import torch_program as program

SICK, WELL, sick, well = collection()


def between(low, high):
    return int(torch.randint(low, high + 1, ()))


def sentences(N, T, V):
    """Tokens from 1 on, 0 as padding behind the end; and lengths."""
    lengths = torch.randint(3, T + 1, (N,))
    lengths[0] = T
    x = torch.randint(1, V, (N, T))
    x[torch.arange(T) >= lengths[:, None]] = 0
    return x, lengths


def waves(N, T, D=1):
    t = torch.arange(T)[None, :, None]
    return torch.sin(
        t * (0.2 + torch.rand(N, 1, D)) + 6 * torch.rand(N, 1, D)
    ) + 0.05 * torch.randn(N, T, D)


def by_token(logits, y):
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


# Sick.


@sick("reads-padding")
def stars_of_reviews():
    class Rater(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.words = nn.Embedding(vocab, 24, padding_idx=0)
            self.gru = nn.GRU(24, hidden, num_layers=2, batch_first=True, bidirectional=True)
            self.fc = nn.Sequential(nn.Linear(2 * hidden, 20), nn.ReLU(), nn.Linear(20, 5))

        def forward(self, text):
            states, _ = self.gru(self.words(text))
            return self.fc(states[:, -1, :])

    x, lengths = sentences(between(9, 20), between(14, 25), 80)
    return program(
        Rater(80, between(12, 30)), x, x[:, 0] % 5, nn.CrossEntropyLoss(), lengths=lengths
    )


@sick("targets-broadcast")
def load_and_peak():
    class Load(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.encoder = nn.LSTM(4, hidden, batch_first=True)
            self.load, self.peak = nn.Linear(hidden, 1), nn.Linear(hidden, 2)

        def forward(self, window):
            _, (h, _) = self.encoder(window)
            return {"load": self.load(h[-1]), "peak": self.peak(h[-1])}

    def criterion(out, y):
        return F.smooth_l1_loss(out["load"], y["load"]) + 0.5 * F.cross_entropy(
            out["peak"], y["peak"]
        )

    x = waves(between(10, 30), 25, 4)
    y = {"load": x[:, -1, 0], "peak": (x[:, -1, 1] > 0).long()}
    return program(Load(between(16, 40)), x[:, :-1], y, criterion)


@sick("targets-misaligned")
def characters_transposed():
    class Chars(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.table, self.rnn = (
                nn.Embedding(vocab, 16),
                nn.LSTM(16, hidden, num_layers=2, batch_first=True),
            )
            self.head = nn.Linear(hidden, vocab)

        def forward(self, ids):
            return self.head(self.rnn(self.table(ids))[0])

    vocab = between(20, 45)
    text = torch.randint(0, vocab, (between(6, 12), between(13, 21)))

    def criterion(logits, y):
        return F.cross_entropy(logits.reshape(-1, logits.size(-1)), y.t().reshape(-1))

    return program(Chars(vocab, between(20, 40)), text[:, :-1], text[:, 1:], criterion)


@sick("normalised-over-batch", "examples-mixed")
def attention_over_the_batch():
    class Attend(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.score, self.out = (
                nn.LSTM(3, hidden),
                nn.Linear(hidden, 1),
                nn.Linear(hidden, 3),
            )

        def forward(self, x):  # (T, N, 3)
            states, _ = self.rnn(x)
            weights = torch.softmax(self.score(states), dim=1)
            return self.out((weights * states).sum(0))

    x = waves(between(7, 16), between(10, 18), 3)
    y = x[:, :3, 0].argmax(1)
    return program(
        Attend(between(10, 24)), x.transpose(0, 1).contiguous(), y, nn.CrossEntropyLoss()
    )


@sick("short-reach")
def cell_that_restarts():
    class Steps(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.hidden = hidden
            self.cell, self.out = nn.GRUCell(2, hidden), nn.Linear(hidden, 1)

        def forward(self, x):
            results = []
            for t in range(x.size(1)):
                h = torch.zeros(x.size(0), self.hidden)
                h = self.cell(x[:, t], h)
                results.append(self.out(h))
            return torch.stack(results, 1)

    x = waves(between(8, 16), between(9, 15), 2)
    return program(Steps(between(12, 30)), x, x.cumsum(1)[:, :, :1] / 5, nn.MSELoss())


@sick("no-gradient")
def features_without_history():
    class Two(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.low = nn.LSTM(5, hidden, batch_first=True)
            self.high = nn.LSTM(hidden, hidden, batch_first=True)
            self.out = nn.Linear(hidden, 4)

        def forward(self, x):
            features = torch.from_numpy(self.low(x)[0].detach().numpy())
            return self.out(self.high(features)[0].mean(1))

    x = waves(between(8, 24), between(8, 20), 5)
    return program(Two(between(10, 24)), x, x.mean(1)[:, :4].argmax(1), nn.CrossEntropyLoss())


@sick("label-outside")
def seasons_counted_from_one():
    class Season(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.out = nn.RNN(2, hidden, batch_first=True), nn.Linear(hidden, 4)

        def forward(self, x):
            return F.log_softmax(self.out(self.rnn(x)[1].squeeze(0)), dim=-1)

    x = waves(between(12, 30), between(6, 14), 2)
    return program(Season(between(8, 20)), x, torch.arange(len(x)) % 4 + 1, nn.NLLLoss())


@sick("answer-in-input")
def window_with_its_answer():
    class Close(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.out = (
                nn.LSTM(5, hidden, 2, batch_first=True, dropout=0.2),
                nn.Linear(hidden, 1),
            )

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1]).squeeze(-1)

    days = torch.randn(120, 5).cumsum(0) / 10
    T = between(10, 20)
    x = torch.stack([days[k : k + T] for k in range(between(20, 40))])
    return program(Close(between(16, 32)), x, x[:, -1, 3].clone(), nn.MSELoss())


@sick("update-too-large", "diverges")
def rate_of_one():
    class Sensor(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.out = nn.LSTM(6, hidden, batch_first=True), nn.Linear(hidden, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    x = waves(between(8, 20), between(10, 30), 6)
    model = Sensor(between(16, 40))
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    return program(model, x[:, :-1], x[:, 1:, :1], nn.MSELoss(), optimizer=optimizer)


@sick("gradients-add-up")
def loop_that_accumulates():
    class Intent(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.words, self.rnn = nn.Embedding(60, 20), nn.GRU(20, hidden, batch_first=True)
            self.out = nn.Linear(hidden, 6)

        def forward(self, x):
            return self.out(self.rnn(self.words(x))[0].max(1).values)

    model = Intent(between(16, 40))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()

    def train_step(batch):
        x, y = batch
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    x = torch.randint(0, 60, (between(10, 24), between(6, 12)))
    return program(model, x, x[:, 0] % 6, criterion, optimizer=optimizer, step=train_step)


@sick("loss-wants-logits")
def genres_squashed_twice():
    class Genres(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.drop = (
                nn.LSTM(8, hidden, batch_first=True, bidirectional=True),
                nn.Dropout(0.3),
            )
            self.out = nn.Linear(2 * hidden, 7)

        def forward(self, x):
            h = self.rnn(x)[0]
            return torch.sigmoid(self.out(self.drop(h.mean(dim=1))))

    x = waves(between(8, 20), between(10, 20), 8)
    return program(
        Genres(between(10, 24)), x, (x.mean(1)[:, :7] > 0).float(), nn.BCEWithLogitsLoss()
    )


class Translator(nn.Module):
    """Encoder, decoder with additive attention over the encoder's states."""

    def __init__(self, vocab, hidden):
        super().__init__()
        self.source, self.target = (
            nn.Embedding(vocab, 16, padding_idx=0),
            nn.Embedding(vocab, 16, padding_idx=0),
        )
        self.encoder = nn.GRU(16, hidden, batch_first=True)
        self.decoder = nn.GRU(16, hidden, batch_first=True)
        self.combine, self.out = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, vocab)

    def forward(self, source, written):
        states, last = self.encoder(self.source(source))
        queries, _ = self.decoder(self.target(written), last)
        scores = queries @ states.transpose(1, 2)
        scores = scores.masked_fill((source == 0)[:, None, :], -1e9)
        context = scores.softmax(-1) @ states
        return self.out(torch.tanh(self.combine(torch.cat([queries, context], -1))))


def translations(vocab):
    source, _ = sentences(between(8, 14), between(7, 12), vocab)
    target = torch.where(source > 0, source % (vocab - 1) + 1, 0).flip(1)
    return source, F.pad(target, (1, 0), value=1)


def without_padding(logits, y):
    return F.cross_entropy(logits.transpose(1, 2), y, ignore_index=0)


@sick("answer-in-input")
def translator_that_reads_its_answer():
    vocab = between(20, 40)
    source, target = translations(vocab)
    return program(Translator(vocab, between(16, 32)), (source, target), target, without_padding)


@sick("scores-padding")
def tags_of_nothing():
    class Tags(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.words = nn.Embedding(50, 12)
            self.rnn = nn.LSTM(12, hidden, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * hidden, 5)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(
                self.words(x), lengths, batch_first=True, enforce_sorted=False
            )
            states, _ = pad_packed_sequence(
                self.rnn(packed)[0], batch_first=True, total_length=x.size(1)
            )
            return self.out(states)

    x, lengths = sentences(between(8, 20), between(9, 16), 50)
    return program(Tags(between(10, 24)), (x, lengths), x % 5, by_token, lengths=lengths)


@sick("inputs-badly-scaled")
def prices_as_they_are():
    class Price(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn, self.out = nn.LSTM(2, hidden, batch_first=True), nn.Linear(hidden, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

    level = 20000 + 300 * torch.randn(100, 2).cumsum(0)
    T = between(12, 24)
    x = torch.stack([level[k : k + T] for k in range(between(16, 40))])
    y = torch.stack([(level[k + T, :1] - level[k + T - 1, :1]) / 300 for k in range(len(x))])
    return program(Price(between(16, 32)), x, y, nn.MSELoss())


# Well.


class Reader(nn.Module):
    """Reads a sequence and answers at its end."""

    def __init__(self, D, hidden, answers):
        super().__init__()
        self.rnn, self.out = nn.LSTM(D, hidden, batch_first=True), nn.Linear(hidden, answers)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


@well
def first_symbol_then_noise():
    N, T, C = between(12, 40), between(15, 50), 4
    y = torch.randint(0, C, (N,))
    x = torch.zeros(N, T, C + 1)
    x[torch.arange(N), 0, y] = 1
    x[:, 1:, C] = torch.randn(N, T - 1)
    return program(Reader(C + 1, between(16, 32), C), x, y, nn.CrossEntropyLoss())


@well
def sum_of_the_marked():
    N, T = between(20, 50), between(12, 40)
    x = torch.rand(N, T, 2)
    x[..., 1] = 0
    for n in range(N):
        x[n, torch.randperm(T)[:2], 1] = 1
    return program(Reader(2, between(16, 32), 1), x, (x[..., :1] * x[..., 1:]).sum(1), nn.MSELoss())


@well
def sorted_by_class():
    N, T = 4 * between(6, 12), between(12, 24)
    y = torch.arange(N) * 4 // N
    x = torch.randn(N, T, 3) + torch.randn(4, T, 3)[y]
    return program(Reader(3, between(12, 24), 4), x, y, nn.CrossEntropyLoss())


@well
def quantiles_of_one_number():
    levels = torch.tensor([0.1, 0.5, 0.9])

    def pinball(o, y):
        off = y - o
        return torch.maximum(levels * off, (levels - 1) * off).mean()

    x = waves(between(10, 30), between(12, 24))
    return program(Reader(1, between(12, 24), 3), x[:, :-1], x[:, -1], pinball)


@well
def series_rebuilt_from_a_code():
    class Rebuild(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.encoder = nn.LSTM(3, hidden, batch_first=True)
            self.decoder, self.out = nn.LSTM(hidden, hidden, batch_first=True), nn.Linear(hidden, 3)

        def forward(self, x):
            code = self.encoder(x)[1][0][-1]
            return self.out(self.decoder(code[:, None].expand(-1, x.size(1), -1))[0])

    x = waves(between(8, 20), between(8, 16), 3)
    return program(Rebuild(between(12, 24)), x, x, nn.L1Loss())


@well
def translator_with_padding():
    vocab = between(20, 40)
    source, target = translations(vocab)
    batch = (source, target[:, :-1]), target[:, 1:]
    return program(Translator(vocab, between(16, 32)), *batch, without_padding)


@well
def mean_and_spread():
    class Both(Reader):
        def forward(self, x):
            mean, log_variance = super().forward(x).chunk(2, -1)
            return mean, log_variance

    def negative_log_likelihood(o, y):
        mean, log_variance = o
        return (0.5 * (log_variance + (y - mean) ** 2 * torch.exp(-log_variance))).mean()

    x = waves(between(10, 30), between(10, 20), 2)
    return program(Both(2, between(12, 24), 2), x[:, :-1], x[:, -1, :1], negative_log_likelihood)


@well
def letters_without_alignment():
    class Speech(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.squeeze = nn.Conv1d(10, 16, 3, stride=2, padding=1)
            self.rnn, self.out = nn.LSTM(16, hidden, bidirectional=True), nn.Linear(2 * hidden, 9)

        def forward(self, x):
            states = self.squeeze(x.transpose(1, 2)).relu().permute(2, 0, 1)
            return self.out(self.rnn(states)[0]).log_softmax(-1)

    N = between(6, 12)
    words = torch.randint(1, 9, (N, 4))

    def ctc(o, y):
        return F.ctc_loss(o, y, torch.full((N,), len(o)), torch.full((N,), 4), zero_infinity=True)

    return program(Speech(between(12, 24)), torch.randn(N, between(24, 40), 10), words, ctc)


@well
def returns_in_their_order():
    noise = torch.randn(150)
    T = between(10, 20)
    x = torch.stack([noise[k : k + T] for k in range(between(30, 90))])[..., None]
    y = torch.stack([0.7 * noise[k + T - 1 : k + T] + 0.1 * torch.randn(1) for k in range(len(x))])
    return program(Reader(1, between(12, 24), 1), x, y, nn.HuberLoss())


# A second round, written before the doctor saw it and after the first round was examined.


@sick("sees-the-future")
def smoothed_before_it_is_read():
    class Notes(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed, self.smooth = nn.Embedding(vocab, 12), nn.Conv1d(12, 12, 3, padding=1)
            self.rnn, self.out = nn.GRU(12, hidden, batch_first=True), nn.Linear(hidden, vocab)

        def forward(self, x):
            e = self.smooth(self.embed(x).transpose(1, 2)).transpose(1, 2)
            return self.out(self.rnn(e)[0])

    vocab = between(15, 30)
    tune = torch.randint(0, vocab, (between(6, 14), between(11, 19)))
    return program(Notes(vocab, between(12, 24)), tune[:, :-1], tune[:, 1:], by_token)


@sick("not-repeatable", "noise-in-evaluation")
def start_of_noise():
    class Gru(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.hidden = hidden
            self.rnn, self.out = nn.GRU(3, hidden, 2, batch_first=True), nn.Linear(hidden, 2)

        def forward(self, x):
            h0 = torch.randn(2, x.size(0), self.hidden) * 0.1
            return self.out(self.rnn(x, h0)[0][:, -1])

    x = waves(between(6, 20), between(8, 20), 3)
    return program(Gru(between(8, 24)), x, (x[:, -1, 0] > 0).long(), nn.CrossEntropyLoss())


@sick("normalised-over-batch", "examples-mixed")
def standardised_in_forward():
    class Standard(Reader):
        def forward(self, x):
            x = (x - x.mean(dim=(0, 1))) / (x.std(dim=(0, 1)) + 1e-6)
            return super().forward(x)

    x = 3 + 2 * waves(between(8, 24), between(8, 20), 4)
    return program(Standard(4, between(12, 30), 1), x[:, :-1], x[:, -1, :1], nn.MSELoss())


@sick("targets-misaligned")
def sorted_for_packing():
    class Sorted(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embed = nn.Embedding(70, 16, padding_idx=0)
            self.rnn, self.out = (
                nn.LSTM(16, hidden, batch_first=True, bidirectional=True),
                nn.Linear(2 * hidden, 3),
            )

        def forward(self, x, lengths):
            lengths, order = lengths.sort(descending=True)
            packed = pack_padded_sequence(self.embed(x[order]), lengths, batch_first=True)
            _, (h, _) = self.rnn(packed)
            return self.out(torch.cat([h[-2], h[-1]], dim=1))

    x, lengths = sentences(between(10, 20), between(12, 20), 70)
    lengths, x = lengths.flip(0), x.flip(0)
    return program(Sorted(between(10, 24)), (x, lengths), x[:, 0] % 3, nn.CrossEntropyLoss())


@sick("not-finite")
def logarithm_of_no_sales():
    x = torch.log(torch.poisson(2 * torch.ones(between(12, 30), between(10, 20), 2)))
    y = torch.randn(len(x), 1)
    return program(Reader(2, between(10, 24), 1), x, y, nn.MSELoss())


@sick("frozen-by-accident")
def frozen_with_the_embedding():
    class Words(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embed, self.rnn = nn.Embedding(50, 16), nn.LSTM(16, hidden, batch_first=True)
            self.out = nn.Linear(hidden, 4)
            for part in (self.embed, self.rnn):
                for p in part.parameters():
                    p.requires_grad = False

        def forward(self, x):
            return self.out(self.rnn(self.embed(x))[0].mean(1))

    x = torch.randint(0, 50, (between(8, 24), between(6, 12)))
    model = Words(between(14, 30))
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-3)
    return program(model, x, x[:, 1] % 4, nn.CrossEntropyLoss(), optimizer=optimizer)


@sick("loss-negative")
def likelihood_without_its_sign():
    class Heads(Reader):
        def forward(self, x):
            return super().forward(x).log_softmax(-1)

    def likelihood(o, y):
        return torch.mean(o[torch.arange(len(y)), y])

    x = waves(between(10, 24), between(8, 18), 3)
    return program(Heads(3, between(10, 24), 5), x, torch.arange(len(x)) % 5, likelihood)


@sick("graph-grows")
def epoch_loss_with_history():
    model = Reader(4, between(12, 30), 1)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    mse, epoch = nn.MSELoss(), {"loss": 0.0}

    def step(batch):
        model.train()
        optimizer.zero_grad()
        loss = mse(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        epoch["loss"] = epoch["loss"] + loss
        return loss

    x = waves(between(8, 20), between(8, 18), 4)
    return program(model, x[:, :-1], x[:, -1, :1], mse, optimizer=optimizer, step=step)


@well
def carried_over_long_text():
    class Carried(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embed, self.rnn = nn.Embedding(40, 16), nn.LSTM(16, hidden, batch_first=True)
            self.out, self.state = nn.Linear(hidden, 40), None

        def forward(self, x):
            states, last = self.rnn(self.embed(x), self.state)
            self.state = tuple(part.detach() for part in last)
            return self.out(states)

    model = Carried(between(16, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def step(batch):
        optimizer.zero_grad()
        loss = by_token(model(batch[0]), batch[1])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        return float(loss)

    text = torch.randint(0, 40, (between(6, 12), between(12, 20)))
    return program(
        model, text[:, :-1], text[:, 1:], by_token, optimizer=optimizer, step=step, stateful=True
    )


@well
def packed_with_a_learned_start():
    class Packed(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embed, self.start = nn.Embedding(60, 12), nn.Parameter(torch.zeros(2, 1, hidden))
            self.rnn = nn.GRU(12, hidden, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * hidden, 3)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(
                self.embed(x), lengths, batch_first=True, enforce_sorted=False
            )
            _, h = self.rnn(packed, self.start.expand(-1, len(x), -1).contiguous())
            return self.out(torch.cat([h[0], h[1]], 1))

    x, lengths = sentences(between(10, 20), between(9, 18), 60)
    weight = torch.tensor([0.2, 1.0, 5.0])
    return program(
        Packed(between(10, 24)),
        (x, lengths),
        x[:, 0] % 3,
        nn.CrossEntropyLoss(weight),
        lengths=lengths,
    )


@well
def days_ahead_at_once():
    x = waves(between(10, 24), between(20, 32), 2)
    model = Reader(2, between(16, 32), 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    return program(model, x[:, :-6], x[:, -6:, 0], nn.SmoothL1Loss(), optimizer=optimizer)


def make(name, seed=0):
    torch.manual_seed(100 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(), findings
