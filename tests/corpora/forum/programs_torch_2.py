"""More programs in PyTorch as people bring them to a forum, written as a whole before the doctor
saw any of them: sick ones with what must be found, and well ones that look odd.

Written without a look at the zoo or at the first collection. Sizes, data and weights follow the
seed. One was written as sick and stands among the well ones: `characters_whose_first_is_padding`
trains as well as its mended twin, since a vector of zeros tells its character apart, too.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import WeightedRandomSampler

from tests.support.forum import collection
from tests.support.forum import torch_program as program

SICK, WELL, sick, well = collection()


def some(low, high):
    return int(torch.randint(low, high + 1, ()))


def reviews(N, T, V):
    """Padded sentences (N, T) with 0 at the end, and their lengths."""
    lengths = torch.randint(max(T // 3, 2), T + 1, (N,))
    lengths[some(0, N - 1)] = T
    tokens = torch.randint(1, V, (N, T))
    return tokens * (torch.arange(T) < lengths[:, None]), lengths


def series(N, T, D):
    """Smooth series (N, T, D) about 0 with a spread about 1."""
    t = torch.arange(T) / T
    phase, speed = 6 * torch.rand(N, 1, D), 2 + 8 * torch.rand(N, 1, D)
    return 1.4 * torch.sin(phase + speed * t[None, :, None]) + 0.05 * torch.randn(N, T, D)


def texts(N, T, V):
    """Characters of a chain that prefers some successors."""
    table = torch.softmax(2 * torch.randn(V, V), 1)
    rows = [torch.randint(V, (N,))]
    for _ in range(T):
        rows.append(torch.multinomial(table[rows[-1]], 1)[:, 0])
    return torch.stack(rows, 1)


class Regressor(nn.Module):
    def __init__(self, features, hidden, out, layers=1):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, out)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


# Sick.


@sick("examples-mixed", "targets-misaligned")
def sentiment_from_a_viewed_state():
    class Sentiment(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embedding = nn.Embedding(vocab, 16, padding_idx=0)
            self.gru = nn.GRU(16, hidden, 2, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(4 * hidden, 2)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(
                self.embedding(x), lengths, batch_first=True, enforce_sorted=False
            )
            _, h = self.gru(packed)
            return self.fc(h.view(x.size(0), -1))

    N, V = some(8, 20), some(40, 90)
    x, lengths = reviews(N, some(8, 16), V)
    model = Sentiment(V, some(8, 20))
    return program(model, (x, lengths), torch.randint(0, 2, (N,)), nn.CrossEntropyLoss())


@sick("steps-as-channels")
def activity_with_convolved_time():
    class ConvLSTM(nn.Module):
        def __init__(self, window, channels, hidden):
            super().__init__()
            self.conv = nn.Conv1d(window, channels, kernel_size=3, padding=1)
            self.pool = nn.ReLU()
            self.lstm = nn.LSTM(9, hidden, batch_first=True)
            self.fc = nn.Linear(hidden, 6)

        def forward(self, x):
            x = self.pool(self.conv(x))
            out, _ = self.lstm(x)
            return self.fc(out[:, -1, :])

    N, T = some(12, 32), some(24, 64)
    x = series(N, T, 9)
    return program(ConvLSTM(T, 32, some(16, 32)), x, torch.arange(N) % 6, nn.CrossEntropyLoss())


@sick("time-on-wrong-axis")
def sensors_by_channel():
    N, T, D = some(16, 32), some(30, 60), some(3, 6)
    x = series(N, T, D)
    y = x[:, T // 2 :].mean((1, 2))
    x = x.permute(0, 2, 1).contiguous()
    model = Regressor(T, some(16, 32), 1)
    return program(model, x, y[:, None], nn.MSELoss())


@sick("short-reach")
def translator_whose_decoder_stands_still():
    class Seq2Seq(nn.Module):
        def __init__(self, source, target, hidden):
            super().__init__()
            self.source, self.target = nn.Embedding(source, 16), nn.Embedding(target, 16)
            self.encoder = nn.LSTM(16, hidden, batch_first=True)
            self.cell = nn.LSTMCell(16, hidden)
            self.out = nn.Linear(hidden, target)

        def forward(self, src, trg):
            _, (h, c) = self.encoder(self.source(src))
            h, c = h[0], c[0]
            logits = []
            for t in range(trg.size(1)):
                hx, cx = self.cell(self.target(trg[:, t]), (h, c))
                logits.append(self.out(hx))
            return torch.stack(logits, 1)

    N, V = some(8, 16), some(20, 40)
    src, trg = texts(N, some(7, 12), V), texts(N, some(6, 11), V)
    return program(
        Seq2Seq(V, V, some(16, 32)),
        (src, trg[:, :-1]),
        trg[:, 1:],
        lambda out, y: F.cross_entropy(out.reshape(-1, V), y.reshape(-1)),
    )


@sick("outputs-ignore-inputs", "reads-padding")
def news_read_at_the_last_column():
    class News(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embedding = nn.Embedding(vocab, 20, padding_idx=0)
            self.lstm = nn.LSTM(20, hidden, batch_first=True)
            self.dropout = nn.Dropout(0.3)
            self.fc = nn.Linear(hidden, 4)

        def forward(self, batch):
            embedded = self.embedding(batch["text"])
            packed = pack_padded_sequence(
                embedded, batch["length"].cpu(), batch_first=True, enforce_sorted=False
            )
            out, _ = self.lstm(packed)
            out, _ = pad_packed_sequence(out, batch_first=True)
            return self.fc(self.dropout(out[:, -1]))

    N, V = some(12, 24), some(40, 90)
    text, length = reviews(N, some(10, 20), V)
    return program(
        News(V, some(16, 32)),
        {"text": text, "length": length},
        torch.randint(0, 4, (N,)),
        nn.CrossEntropyLoss(),
        lengths=length,
    )


@sick("parameter-unused")
def forecast_from_the_first_layer():
    class Forecast(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.lstm = nn.LSTM(2, hidden, num_layers=2, batch_first=True)
            self.fc = nn.Sequential(nn.Linear(hidden, 16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, x):
            _, (h, _) = self.lstm(x)
            return self.fc(h[0]).squeeze(-1)

    x = series(some(16, 40), some(15, 31), 2)
    return program(Forecast(some(16, 32)), x[:, :-1], x[:, -1, 0], nn.MSELoss())


@sick("not-in-optimizer")
def module_that_configures_its_head():
    class Lit(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.encoder = nn.GRU(3, hidden, batch_first=True)
            self.head = nn.Linear(hidden, 5)

        def forward(self, x):
            return self.head(self.encoder(x)[0].mean(1))

        def training_step(self, batch, batch_idx):
            x, y = batch
            return F.cross_entropy(self(x), y)

        def configure_optimizers(self):
            return torch.optim.AdamW(self.head.parameters(), lr=1e-3)

    N = some(16, 32)
    x = series(N, some(12, 24), 3)
    return dict(model=Lit(some(16, 32)), batch=(x, torch.arange(N) % 5))


@sick("one-label")
def fraud_sampled_the_wrong_way():
    x = series(900, some(10, 20), 4)
    y = (torch.arange(900) % 60 == 7).float()
    x[y == 1] += 0.8
    count = torch.bincount(y.long())
    weights = count[y.long()].double()  # 1 / count was meant
    rows = list(WeightedRandomSampler(weights, some(24, 48)))
    model = Regressor(4, some(16, 32), 1)
    return program(model, x[rows], y[rows, None], nn.BCEWithLogitsLoss())


@sick("rate-decays-at-once")
def schedule_stepped_by_the_batch():
    x = series(some(16, 32), some(16, 30), 3)
    model = Regressor(3, some(16, 32), 1, layers=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    criterion = nn.MSELoss()

    def step(batch):
        inputs, targets = batch
        model.train()
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        return loss

    return program(model, x[:, :-1], x[:, -1, :1], criterion, optimizer=optimizer, step=step)


@sick("dead-units")
def own_cell_of_equal_weights():
    class MyLSTM(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.hidden = hidden
            self.W = nn.Parameter(torch.full((inputs, 4 * hidden), 0.1))
            self.U = nn.Parameter(torch.full((hidden, 4 * hidden), 0.1))
            self.b = nn.Parameter(torch.zeros(4 * hidden))

        def forward(self, x):
            h = x.new_zeros(x.size(0), self.hidden)
            c = torch.zeros_like(h)
            outputs = []
            for step in x.unbind(1):
                i, f, g, o = (step @ self.W + h @ self.U + self.b).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            return torch.stack(outputs, 1)

    N = some(12, 24)
    x = series(N, some(9, 16), 3)
    H = some(12, 24)
    model = nn.Sequential(MyLSTM(3, H), nn.Flatten(), nn.Linear(H * x.size(1), 3))
    return program(model, x, torch.arange(N) % 3, nn.CrossEntropyLoss())


@sick("decay-too-large")
def forecast_under_heavy_decay():
    x = series(some(16, 32), some(16, 30), 2)
    model = Regressor(2, some(24, 48), 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1.0)
    return program(model, x[:, :-1], x[:, -1, :1], nn.MSELoss(), optimizer=optimizer)


@sick("no-gradient", "loss-detached")
def forecasts_collected_in_a_new_tensor():
    class Rollout(nn.Module):
        def __init__(self, hidden, ahead):
            super().__init__()
            self.ahead = ahead
            self.encoder = nn.LSTM(1, hidden, batch_first=True)
            self.cell = nn.LSTMCell(1, hidden)
            self.out = nn.Linear(hidden, 1)

        def forward(self, x):
            _, (h, c) = self.encoder(x)
            h, c, last = h[0], c[0], x[:, -1]
            predictions = []
            for _ in range(self.ahead):
                h, c = self.cell(last, (h, c))
                last = self.out(h)
                predictions.append(last.squeeze(1).tolist())
            return torch.tensor(predictions, requires_grad=True).T

    x = series(some(12, 24), some(20, 30), 1)
    return program(Rollout(some(16, 32), 5), x[:, :-5], x[:, -5:, 0], nn.L1Loss())


@sick("reads-padding")
def attention_to_what_is_masked():
    class Attentive(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.lstm = nn.LSTM(16, hidden, batch_first=True, bidirectional=True)
            self.score = nn.Linear(2 * hidden, 1)
            self.fc = nn.Linear(2 * hidden, 3)

        def forward(self, input_ids, attention_mask):
            out, _ = self.lstm(self.embed(input_ids))
            scores = self.score(torch.tanh(out)).squeeze(-1)
            scores = scores.masked_fill(attention_mask == 1, -1e9)
            weights = torch.softmax(scores, 1)
            return self.fc((weights.unsqueeze(-1) * out).sum(1))

    N, V = some(10, 20), some(40, 80)
    x, lengths = reviews(N, some(10, 18), V)
    mask = (x != 0).long()
    return program(
        Attentive(V, some(10, 20)), (x, mask), torch.arange(N) % 3, nn.CrossEntropyLoss(), mask=mask
    )


@sick("direction-sees-one-step")
def topics_from_the_last_step_of_both():
    class Topics(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.lstm = nn.LSTM(16, hidden, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(2 * hidden, 3)

        def forward(self, x):
            out, _ = self.lstm(self.embed(x))
            return self.fc(out[:, -1, :])

    N, V = some(12, 24), some(30, 60)
    x = torch.randint(0, V, (N, some(8, 16)))
    return program(Topics(V, some(12, 24)), x, torch.arange(N) % 3, nn.CrossEntropyLoss())


@sick("dropout-too-high")
def dropout_that_keeps_a_twentieth():
    x = series(some(16, 32), some(12, 24), 3)
    lstm = Regressor(3, some(16, 32), 32)
    model = nn.Sequential(lstm, nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 1))
    return program(model, x[:, :-1], x[:, -1, :1], nn.MSELoss())


@sick("outputs-too-large", "exploding-gradient", "diverges")
def relu_that_grows_from_step_to_step():
    class Grows(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
            nn.init.normal_(self.rnn.weight_hh_l0, std=0.6)
            self.fc = nn.Linear(hidden, 1)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    x = series(some(16, 24), 41, 2)
    return program(Grows(some(28, 36)), x[:, :-1], x[:, -1, :1], nn.MSELoss())


@sick("zero-gradient")
def answers_rounded_before_the_loss():
    class Rounded(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.gru = nn.GRU(16, hidden, batch_first=True)
            self.fc = nn.Linear(hidden, 1)

        def forward(self, x):
            _, h = self.gru(self.embed(x))
            return torch.sigmoid(self.fc(h[-1])).round().squeeze(1)

    N, V = some(12, 24), some(30, 60)
    x = torch.randint(0, V, (N, some(8, 16)))
    y = (torch.arange(N) % 2).float()
    return program(Rounded(V, some(12, 24)), x, y, nn.BCELoss())


@sick("update-too-large", "diverges")
def rate_of_a_half():
    x = series(some(16, 30), some(12, 20), 3)
    return program(
        Regressor(3, some(16, 32), 4), x, torch.arange(len(x)) % 4, nn.CrossEntropyLoss(), rate=0.5
    )


# Well, though they look odd.


@well
def log_probabilities_into_cross_entropy():
    class Tagger(nn.Module):
        def __init__(self, vocab, hidden, tags):
            super().__init__()
            self.embed = nn.Embedding(vocab, 12)
            self.lstm = nn.LSTM(12, hidden // 2, bidirectional=True)
            self.tag = nn.Linear(2 * (hidden // 2), tags)

        def forward(self, x):
            out, _ = self.lstm(self.embed(x.t()))
            return F.log_softmax(self.tag(out), dim=2)

    V, K = some(30, 60), 5
    x = torch.randint(0, V, (some(8, 16), some(9, 16)))

    def loss(out, y):
        return F.cross_entropy(out.reshape(-1, K), y.t().reshape(-1))

    return program(Tagger(V, some(16, 32), K), x, (x * 7) % K, loss, rate=5e-3)


@well
def shop_with_its_own_features():
    class Sales(nn.Module):
        def __init__(self, hidden, static):
            super().__init__()
            self.gru = nn.GRU(2, hidden)
            self.start = nn.Linear(static, hidden)
            self.norm = nn.LayerNorm(hidden)
            self.head = nn.Linear(hidden, 3)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

        def forward(self, batch):
            h0 = torch.tanh(self.start(batch["shop"])).unsqueeze(0)
            out, h = self.gru(batch["history"].permute(1, 0, 2), h0)
            return {"forecast": self.head(self.norm(h[-1] + out.mean(0)))}

    N = some(12, 30)
    x = series(N, some(17, 30), 2)
    batch = {"history": x[:, :-3], "shop": torch.randn(N, 4)}

    def loss(out, y):
        return (out["forecast"] - y["sales"]).abs().mean()

    return program(Sales(some(12, 24), 4), batch, {"sales": x[:, -3:, 0]}, loss)


@well
def translator_with_scheduled_sampling():
    class Seq2Seq(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.encoder = nn.GRU(16, hidden, batch_first=True)
            self.cell = nn.GRUCell(16 + hidden, hidden)
            self.out = nn.Linear(2 * hidden, vocab)

        def forward(self, src, trg):
            memory, h = self.encoder(self.embed(src))
            h, word, logits = h[0], trg[:, 0], []
            for t in range(trg.size(1)):
                if t and (not self.training or float(torch.rand(())) < 0.7):
                    word = trg[:, t]
                weights = torch.softmax((memory @ h.unsqueeze(2)).squeeze(2), 1)
                context = (weights.unsqueeze(1) @ memory).squeeze(1)
                h = self.cell(torch.cat([self.embed(word), context], 1), h)
                logits.append(self.out(torch.cat([h, context], 1)))
                word = logits[-1].argmax(1)
            return torch.stack(logits, 2)

    N, V = some(8, 14), some(20, 30)
    src, trg = texts(N, some(7, 11), V), texts(N, some(6, 10), V)
    model = Seq2Seq(V, some(16, 28))
    return program(model, (src, trg[:, :-1]), trg[:, 1:], nn.CrossEntropyLoss(label_smoothing=0.1))


@well
def prices_scaled_inside():
    class Prices(nn.Module):
        def __init__(self, x, y, hidden):
            super().__init__()
            self.register_buffer("mean", x.mean((0, 1)))
            self.register_buffer("std", x.std((0, 1)))
            self.register_buffer("level", y.mean())
            self.register_buffer("spread", y.std())
            self.lstm = nn.LSTM(x.size(2), hidden, batch_first=True)
            self.fc = nn.Linear(hidden, 1)

        def forward(self, x):
            out, _ = self.lstm((x - self.mean) / self.std)
            return self.fc(out[:, -1]).squeeze(1) * self.spread + self.level

        def loss(self, out, y):
            return F.mse_loss((out - self.level) / self.spread, (y - self.level) / self.spread)

    x = 4e4 + 3e3 * series(some(16, 32), some(14, 25), 3)
    x, y = x[:, :-1], x[:, -1, 0]
    model = Prices(x, y, some(16, 32))
    return program(model, x, y, model.loss, rate=3e-3)


@well
def documents_of_sentences():
    class Hierarchy(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 14, padding_idx=0)
            self.words = nn.GRU(14, hidden, batch_first=True)
            self.sentences = nn.LSTM(hidden, hidden, batch_first=True)
            self.fc = nn.Linear(hidden, 4)

        def forward(self, x):
            N, S, T = x.shape
            _, h = self.words(self.embed(x.view(N * S, T)))
            _, (h, _) = self.sentences(h[0].view(N, S, -1))
            return self.fc(h[0])

    N, V = some(8, 14), some(30, 60)
    x = torch.randint(1, V, (N, some(3, 5), some(6, 9)))
    return program(Hierarchy(V, some(12, 24)), x, torch.arange(N) % 4, nn.CrossEntropyLoss())


@well
def questions_against_all_answers():
    class TwoTowers(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.lstm = nn.LSTM(16, hidden, batch_first=True)

        def encode(self, x):
            _, (h, _) = self.lstm(self.embed(x))
            return F.normalize(h[-1], dim=1)

        def forward(self, question, answer):
            return self.encode(question), self.encode(answer)

    def loss(out, y):
        question, answer = out
        return F.cross_entropy(question @ answer.T / 0.1, y)

    N, V = some(8, 16), some(30, 60)
    question = torch.randint(0, V, (N, some(6, 10)))
    answer = question.flip(1)[:, : some(4, 6)]
    return program(TwoTowers(V, some(16, 32)), (question, answer), torch.arange(N), loss)


@well
def own_cell_with_zoneout():
    class Zoneout(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.hidden = hidden
            self.gates = nn.Linear(inputs + hidden, 4 * hidden)
            self.norm = nn.LayerNorm(hidden)
            nn.init.orthogonal_(self.gates.weight)
            with torch.no_grad():
                self.gates.bias.zero_()[:hidden] = 2.0
            self.out = nn.Linear(hidden, inputs)

        def forward(self, x):
            h = c = x.new_zeros(x.size(0), self.hidden)
            outputs = []
            for t in range(x.size(1)):
                f, i, o, g = self.gates(torch.cat([h, x[:, t]], 1)).split(self.hidden, 1)
                new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                if self.training:
                    keep = (torch.rand_like(c) < 0.1).float()
                    c = keep * c + (1 - keep) * new
                else:
                    c = 0.1 * c + 0.9 * new
                h = torch.sigmoid(o) * torch.tanh(self.norm(c))
                outputs.append(x[:, t] + self.out(h))
            return torch.stack(outputs, 1)

    x = series(some(10, 24), some(14, 25), some(2, 4))
    model = Zoneout(x.size(2), some(16, 32))
    return program(model, x[:, :-1], x[:, 1:], nn.MSELoss(), causal=True)


@well
def counts_of_calls():
    N, T = some(16, 32), some(15, 30)
    rate = torch.exp(0.5 * series(N, T, 1) + 2)
    calls = torch.poisson(rate)
    model = Regressor(1, some(16, 32), 1)
    loss = nn.PoissonNLLLoss(log_input=True)
    return program(model, torch.log1p(calls[:, :-1]) - 2, calls[:, -1], loss, rate=3e-3)


@well
def names_with_a_chain_of_tags():
    class Chain(nn.Module):
        def __init__(self, tags):
            super().__init__()
            self.moves = nn.Parameter(0.1 * torch.randn(tags, tags))

        def forward(self, scores, y):
            alpha, right = scores[:, 0], scores[:, 0].gather(1, y[:, :1])
            for t in range(1, scores.size(1)):
                alpha = torch.logsumexp(alpha.unsqueeze(2) + self.moves, 1) + scores[:, t]
                move = self.moves[y[:, t - 1], y[:, t]].unsqueeze(1)
                right = right + scores[:, t].gather(1, y[:, t : t + 1]) + move
            return (torch.logsumexp(alpha, 1) - right.squeeze(1)).mean()

    class Tagger(nn.Module):
        def __init__(self, vocab, hidden, tags):
            super().__init__()
            self.embed = nn.Embedding(vocab, 12)
            self.lstm = nn.LSTM(12, hidden, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(2 * hidden, tags)

        def forward(self, x):
            return self.fc(self.lstm(self.embed(x))[0])

    V, K = some(30, 50), some(4, 6)
    x = torch.randint(0, V, (some(8, 16), some(7, 12)))
    model, chain = Tagger(V, some(12, 20), K), Chain(K)
    optimizer = torch.optim.Adam([*model.parameters(), *chain.parameters()], lr=5e-3)
    return program(model, x, x % K, chain, optimizer=optimizer)


@well
def gradients_of_four_batches():
    x = series(some(16, 32), some(16, 26), 3)
    model = Regressor(3, some(16, 32), 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 10))
    criterion, counter = nn.MSELoss(), {"batches": 0}

    def step(batch):
        inputs, targets = batch
        loss = criterion(model(inputs), targets)
        (loss / 4).backward()
        counter["batches"] += 1
        if counter["batches"] % 4 == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            warm.step()
        return loss

    return program(model, x[:, :-1], x[:, -1, :1], criterion, optimizer=optimizer, step=step)


@well
def characters_whose_first_is_padding():
    class CharRNN(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 24, padding_idx=0)
            self.lstm = nn.LSTM(24, hidden, 2, dropout=0.2, batch_first=True)
            self.head = nn.Linear(hidden, vocab)

        def forward(self, x):
            out, _ = self.lstm(self.embed(x))
            return self.head(out).transpose(1, 2)

    V = some(12, 30)
    text = texts(some(8, 16), some(16, 32), V)
    text[:, 3:-3:5] = 0  # a space is the first character of the alphabet
    return program(
        CharRNN(V, some(24, 48)), text[:, :-1], text[:, 1:], nn.CrossEntropyLoss(), rate=2e-3
    )


@well
def days_of_hours():
    N = some(16, 30)
    hours = torch.sin(torch.arange(24) / 24 * 6.28)
    load = hours + 0.5 * torch.randn(N, 8, 1) + 0.2 * torch.randn(N, 8, 24)
    return program(Regressor(24, some(24, 40), 24), load[:, :-1], load[:, -1], nn.MSELoss())


@well
def window_normalised_and_back():
    class Reversible(nn.Module):
        def __init__(self, hidden, ahead):
            super().__init__()
            self.gru = nn.GRU(1, hidden, batch_first=True)
            self.fc = nn.Linear(hidden, ahead)

        def forward(self, x):
            mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True) + 1e-5
            _, h = self.gru((x - mean) / std)
            return self.fc(h[-1]) * std[:, 0] + mean[:, 0]

    x = series(some(16, 30), some(28, 40), 1) * 30 + 500
    return program(Reversible(some(16, 28), 3), x[:, :-3], x[:, -3:, 0], nn.MSELoss(), rate=1e-2)


@well
def attention_with_its_mask():
    class Attentive(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.lstm = nn.LSTM(16, hidden, batch_first=True)
            self.score, self.fc = nn.Linear(hidden, 1), nn.Linear(hidden, 3)

        def forward(self, input_ids, attention_mask):
            out, _ = self.lstm(self.embed(input_ids))
            scores = self.score(torch.tanh(out)).squeeze(-1)
            weights = torch.softmax(scores.masked_fill(attention_mask == 0, -1e9), 1)
            return self.fc((weights.unsqueeze(-1) * out).sum(1))

    N, V = some(10, 20), some(40, 80)
    x, _ = reviews(N, some(10, 18), V)
    mask = (x != 0).long()
    batch = {"input_ids": x, "attention_mask": mask}
    model = Attentive(V, some(10, 20))
    return program(model, batch, torch.arange(N) % 3, nn.CrossEntropyLoss(), mask=mask)


@well
def text_read_on_from_batch_to_batch():
    class ReadsOn(nn.Module):
        def __init__(self, vocab, hidden):
            super().__init__()
            self.embed = nn.Embedding(vocab, hidden)
            self.lstm = nn.LSTM(hidden, hidden, 2, batch_first=True, dropout=0.3)
            self.out = nn.Linear(hidden, vocab, bias=False)
            self.out.weight = self.embed.weight
            self.state = None

        def forward(self, x):
            state = None if self.state is None else tuple(s.detach() for s in self.state)
            out, self.state = self.lstm(self.embed(x), state)
            return self.out(out).flatten(0, 1)

    V = some(20, 40)
    text = texts(some(6, 12), some(14, 24), V)

    def loss(out, y):
        return F.cross_entropy(out, y.flatten())

    return program(ReadsOn(V, some(16, 32)), text[:, :-1], text[:, 1:], loss)


def make(name, seed=0):
    torch.manual_seed(100 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(), findings
