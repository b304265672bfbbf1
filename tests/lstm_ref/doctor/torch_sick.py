"""Programs in PyTorch with one mistake each, and the findings that may name it first."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SICK, WANTED = {}, {}


def sick(*ids):
    def keep(make):
        SICK[make.__name__], WANTED[make.__name__] = make, ids
        return make

    return keep


def case(model, x, y, loss, optimizer=None, **arguments):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-3)
    return dict(model=model, batch=(x, y), loss=loss, optimizer=optimizer, arguments=arguments)


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


class Net(nn.Module):
    """A classifier of series whose parts are replaced one by one."""

    def __init__(self, D=3, H=16, K=4, **kw):
        super().__init__()
        kw.setdefault("batch_first", True)
        self.rnn = nn.LSTM(D, H, **kw)
        self.out = nn.Linear(H * (2 if kw.get("bidirectional") else 1), K)

    def states(self, x):
        return self.rnn(x)[0]

    def take(self, h):
        return h[:, -1]

    def last(self, o):
        return o

    def forward(self, x):
        return self.last(self.out(self.take(self.states(x))))


CE = nn.CrossEntropyLoss()
LABELS = torch.arange(8) % 4


@sick("examples-mixed")
def no_batch_first():
    return case(Net(batch_first=False), series(), LABELS, CE)


@sick("examples-mixed", "targets-misaligned")
def view_for_transpose():
    class S(Net):
        def states(self, x):
            return self.rnn(x.view(x.size(1), x.size(0), -1))[0]

        def take(self, h):
            return h[-1]

    return case(S(batch_first=False), series(), LABELS, CE)


@sick("examples-mixed", "targets-misaligned")
def final_states_by_view():
    class S(Net):
        def forward(self, x):
            return self.out(self.rnn(x)[1][0].view(x.size(0), -1))

    return case(S(bidirectional=True), series(), LABELS, CE)


@sick("outputs-ignore-inputs", "examples-mixed")
def last_example_for_all():
    class S(Net):
        def forward(self, x):
            h = self.rnn(x)[1][0][:, -1]
            return self.out(h).repeat(len(x), 1)

    return case(S(), series(), LABELS, CE)


@sick("softmax-over-batch")
def softmax_over_batch():
    class S(Net):
        def last(self, o):
            return o.softmax(0)

    y = F.one_hot(LABELS, 4).float()
    return case(S(), series(), y, nn.BCELoss())


@sick("normalised-over-batch")
def norm_over_batch():
    class S(Net):
        def take(self, h):
            h = h[:, -1]
            return (h - h.mean(0)) / (h.std(0) + 1e-5)

    return case(S(), series(), LABELS, CE)


@sick("targets-broadcast")
def column_against_row():
    x = series(16, 21, 1)
    return case(Net(1, 16, 1), x[:, :-1], x[:, -1, 0], nn.MSELoss())


@sick("targets-misaligned")
def targets_flattened_otherwise():
    class S(Net):
        def take(self, h):
            return h

    x = series(8, 10, 3)
    y = (x[:, :, 0] > 0).long()
    return case(
        S(), x, y, lambda o, y: F.cross_entropy(o.transpose(0, 1).reshape(-1, 4), y.reshape(-1))
    )


@sick("targets-misaligned")
def not_unsorted():
    class S(Net):
        def forward(self, x, lengths):
            order = lengths.argsort(descending=True)
            p = pack_padded_sequence(x[order], lengths[order].cpu(), batch_first=True)
            return self.out(self.rnn(p)[1][0][-1])

    lengths = torch.tensor([5, 20, 7, 18, 3, 12, 16, 9])
    return case(S(), (series(), lengths), LABELS, CE)


@sick("loss-wants-logits")
def softmax_twice():
    class S(Net):
        def last(self, o):
            return o.softmax(1)

    return case(S(), series(), LABELS, CE)


@sick("loss-wants-logits")
def sigmoid_twice():
    class S(Net):
        def last(self, o):
            return o.sigmoid().squeeze(1)

    return case(S(K=1), series(), (torch.arange(8) % 2).float(), nn.BCEWithLogitsLoss())


@sick("loss-wants-log-probabilities")
def nll_of_probabilities():
    class S(Net):
        def last(self, o):
            return o.softmax(1)

    return case(S(), series(), LABELS, nn.NLLLoss())


@sick("loss-wants-log-probabilities")
def nll_of_logits():
    return case(Net(), series(), LABELS, nn.NLLLoss())


@sick("one-output-softmax")
def softmax_one_output():
    class S(Net):
        def last(self, o):
            return o.softmax(1)

    return case(S(K=1), series(), (torch.arange(8) % 2).float()[:, None], nn.BCELoss())


@sick("outputs-cannot-reach-targets")
def relu_last():
    class S(Net):
        def last(self, o):
            return o.relu()

    x = series(16, 21, 1)
    return case(S(1, 16, 1), x[:, :-1], x[:, -1], nn.MSELoss())


@sick("outputs-cannot-reach-targets")
def tanh_narrow():
    class S(Net):
        def last(self, o):
            return o.tanh()

    x = 3 * series(16, 21, 1)
    return case(S(1, 16, 1), x[:, :-1], x[:, -1], nn.MSELoss())


@sick("loss-negative")
def sign():
    def loss(o, y):
        return o.log_softmax(1).gather(1, y[:, None]).mean()

    return case(Net(), series(), LABELS, loss)


@sick("classes-on-wrong-axis")
def classes_last():
    class S(Net):
        def take(self, h):
            return h

    x = series(8, 4, 3)
    return case(S(), x, (x[:, :, 0] > 0).long(), CE)


@sick("loss-detached")
def argmax_before_loss():
    class S(Net):
        def last(self, o):
            return o.argmax(1).float()

    return case(S(), series(), LABELS.float(), nn.MSELoss())


@sick("no-gradient")
def encoder_without_gradient():
    class S(Net):
        def states(self, x):
            with torch.no_grad():
                return self.rnn(x)[0]

    return case(S(), series(), LABELS, CE)


@sick("no-gradient")
def new_tensor():
    class S(Net):
        def take(self, h):
            return torch.tensor(h[:, -1].tolist())

    return case(S(), series(), LABELS, CE)


@sick("loss-wants-log-probabilities")
def letters_of_logits():
    class S(Net):
        def take(self, h):
            return h.transpose(0, 1)

    letters = torch.randint(1, 4, (8, 3))

    def ctc(o, y):
        return F.ctc_loss(o, y, torch.full((8,), len(o)), torch.full((8,), 3))

    return case(S(), series(), letters, ctc)


@sick("targets-broadcast")
def class_numbers_against_all_outputs():
    return case(Net(), series(), LABELS.float()[:, None], lambda o, y: ((o - y) ** 2).mean())


@sick("loss-detached")
def history_by_decree():
    def loss(o, y):
        value = F.mse_loss(o.argmax(1).float(), y.float())
        value.requires_grad = True
        return value

    return case(Net(), series(), LABELS, loss)


class Cells(nn.Module):
    def __init__(self, H=16, K=4):
        super().__init__()
        self.cell, self.out, self.H = nn.LSTMCell(3, H), nn.Linear(H, K), H

    def carry(self, h, c, h0, c0):
        return h, c

    def forward(self, x):
        h0 = c0 = x.new_zeros(len(x), self.H)
        h, c = h0, c0
        for t in range(x.shape[1]):
            h, c = self.carry(*self.cell(x[:, t], (h, c)), h0, c0)
        return self.out(h)


@sick("gradient-cut")
def cut_each_step():
    class S(Cells):
        def carry(self, h, c, h0, c0):
            return h.detach() + 0 * h if False else h.detach(), c.detach()

        def forward(self, x):
            h = c = x.new_zeros(len(x), self.H)
            for t in range(x.shape[1]):
                h, c = self.cell(x[:, t], (h.detach(), c.detach()))
            return self.out(h)

    return case(S(), series(), LABELS, CE)


@sick("short-reach")
def state_never_updated():
    class S(Cells):
        def forward(self, x):
            h0 = c0 = x.new_zeros(len(x), self.H)
            for t in range(x.shape[1]):
                h, c = self.cell(x[:, t], (h0, c0))
            return self.out(h)

    return case(S(), series(), LABELS, CE)


@sick("short-reach")
def first_step_for_last():
    class S(Net):
        def take(self, h):
            return h[:, 0]

    return case(S(), series(), LABELS, CE)


@sick("not-registered")
def cells_in_list():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = [nn.LSTM(3, 16, batch_first=True), nn.LSTM(16, 16, batch_first=True)]
            self.out = nn.Linear(16, 4)

        def forward(self, x):
            for cell in self.cells:
                x = cell(x)[0]
            return self.out(x[:, -1])

    return case(S(), series(), LABELS, CE)


@sick("not-in-optimizer")
def optimizer_of_head():
    model = Net()
    return case(model, series(), LABELS, CE, torch.optim.Adam(model.out.parameters()))


@sick("not-in-optimizer")
def layer_replaced():
    model = Net(K=7)
    optimizer = torch.optim.Adam(model.parameters())
    model.out = nn.Linear(16, 4)
    return case(model, series(), LABELS, CE, optimizer)


@sick("parameter-unused")
def encoder_layer_unused():
    class S(Net):
        def __init__(self):
            super().__init__()
            self.second = nn.LSTM(16, 16, batch_first=True)

        def states(self, x):
            h = self.rnn(x)[0]
            self.second(h)
            return h

    return case(S(), series(), LABELS, CE)


@sick("outputs-ignore-inputs")
def encoder_unused():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.enc, self.dec = (
                nn.Embedding(30, 8),
                nn.GRU(8, 16, batch_first=True),
                nn.GRU(8, 16, batch_first=True),
            )
            self.o = nn.Linear(16, 30)

        def forward(self, src, tgt):
            self.enc(self.e(src))
            return self.o(self.dec(self.e(tgt))[0])

    src, tgt = tokens(8, 9), tokens(8, 8)

    def loss(o, y):
        return F.cross_entropy(o.reshape(-1, 30), y.reshape(-1))

    return case(S(), (src, tgt[:, :-1]), tgt[:, 1:], loss)


@sick("state-carried")
def state_kept():
    class S(Net):
        state = None

        def states(self, x):
            h, state = self.rnn(x, self.state)
            self.state = tuple(s.detach() for s in state)
            return h

    return case(S(), series(), LABELS, CE)


@sick("state-carried")
def state_kept_with_history():
    class S(Net):
        state = None

        def states(self, x):
            h, self.state = self.rnn(x, self.state)
            return h

    return case(S(), series(), LABELS, CE)


@sick("not-repeatable", "noise-in-evaluation")
def random_start():
    class S(Net):
        def states(self, x):
            return self.rnn(x, (torch.randn(1, len(x), 16), torch.randn(1, len(x), 16)))[0]

    return case(S(), series(), LABELS, CE)


@sick("noise-in-evaluation")
def functional_dropout():
    class S(Net):
        def take(self, h):
            return F.dropout(h[:, -1], 0.5)

    return case(S(), series(), LABELS, CE)


@sick("mode-without-effect")
def dropout_in_one_layer():
    return case(Net(dropout=0.5), series(), LABELS, CE)


@sick("mode-never-returns")
def eval_in_forward():
    class S(Net):
        def forward(self, x):
            self.eval()
            return super().forward(x)

    return case(S(), series(), LABELS, CE)


@sick("forward-changes-weights")
def initialised_in_forward():
    class S(Net):
        def forward(self, x):
            nn.init.orthogonal_(self.rnn.weight_hh_l0)
            return super().forward(x)

    return case(S(), series(), LABELS, CE)


@sick("not-registered", "not-repeatable")
def layer_made_in_forward():
    class S(Net):
        def last(self, o):
            return nn.Linear(4, 4)(o)

    return case(S(), series(), LABELS, CE)


@sick("outputs-equal-at-all-steps")
def one_output_for_all_steps():
    class S(Net):
        def take(self, h):
            return h[:, -1:].expand(-1, h.shape[1], -1)

    x = series(8, 10, 3)
    y = (x[:, :, 0] > 0).long()
    return case(S(), x, y, lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten()))


@sick("zero-gradient")
def dead_relu():
    class S(Net):
        def take(self, h):
            return F.hardtanh(h[:, -1] * 1e-3 + h[:, -1].sign() * 2)

    return case(S(), series(), LABELS, CE)


@sick("loss-constant")
def loss_of_something_else():
    def loss(o, y):
        return (0 * o).sum() + (y.float() ** 2).mean()

    return case(Net(), series(), LABELS, loss)


@sick("softmax-over-time")
def softmax_over_time():
    class S(Net):
        def take(self, h):
            return h

        def last(self, o):
            return o.softmax(1)

    x = series(8, 10, 3)
    y = F.one_hot((x[:, :, 0] > 0).long(), 4).float()
    return case(S(), x, y, nn.BCELoss())


@sick("loss-over-wrong-axis")
def log_softmax_of_the_loss_over_time():
    class S(Net):
        def take(self, h):
            return h

    x = series(8, 10, 3)

    def loss(o, y):
        return F.nll_loss(F.log_softmax(o, dim=1).reshape(-1, 4), y.reshape(-1))

    return case(S(), x, (x[:, :, 0] > 0).long(), loss)


@sick("loss-over-wrong-axis")
def log_softmax_of_the_loss_over_examples():
    return case(Net(), series(), LABELS, lambda o, y: F.nll_loss(F.log_softmax(o, 0), y))


@sick("loss-over-wrong-axis")
def softmax_over_all_rows_with_a_sum():
    class S(Net):
        def take(self, h):
            return h

    x = series(8, 10, 3)

    def loss(o, y):
        chances = F.softmax(o.reshape(-1, 4), dim=0)
        return -chances.gather(1, y.reshape(-1, 1)).log().sum() / 8

    return case(S(), x, (x[:, :, 0] > 0).long(), loss)


@sick("outputs-ignore-inputs")
def zeros_behind_the_end():
    class S(Net):
        def forward(self, x, lengths):
            p = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            h, _ = pad_packed_sequence(self.rnn(p)[0], batch_first=True)
            return self.out(h[:, -1])

    lengths = torch.tensor([5, 20, 7, 18, 3, 12, 16, 9])
    return case(S(), (series(), lengths), LABELS, CE)


class Steps(nn.Module):
    """A tagger of tokens, with the reversed direction by hand or none."""

    def __init__(self, forward=True):
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.one, self.other = (nn.LSTM(8, 8, batch_first=True) for _ in range(2))
        self.out, self.both = nn.Linear(16 if forward else 8, 4), forward

    def forward(self, x):
        e = self.embed(x)
        back, _ = self.other(e.flip(1))
        return self.out(torch.cat([self.one(e)[0], back], 2) if self.both else back)


def tagged(o, y):
    return F.cross_entropy(o.transpose(1, 2), y)


@sick("direction-not-turned-back")
def second_direction_not_turned_back():
    x = tokens(16, 13)
    return case(Steps(), x, x % 4, tagged)


@sick("direction-not-turned-back")
def only_direction_not_turned_back():
    x = tokens(16, 9)
    return case(Steps(forward=False), x, x % 4, tagged)


@sick("label-without-gradient")
def ignored_class_here_and_there():
    x = tokens(24, 10)
    y = x % 4

    def loss(o, y):
        return F.cross_entropy(o.transpose(1, 2), y, ignore_index=2)

    model = nn.Sequential(nn.Embedding(30, 8), First(nn.LSTM(8, 8, batch_first=True)))
    return case(nn.Sequential(model, nn.Linear(8, 4)), x, y, loss)


class First(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


@sick("reads-padding")
def second_direction_begins_in_the_padding():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(30, 8, padding_idx=0)
            self.rnn = nn.LSTM(8, 16, batch_first=True, bidirectional=True)
            self.out = nn.Linear(32, 4)

        def forward(self, x, n):
            h, _ = self.rnn(self.embed(x))
            last = h[torch.arange(len(x)), n - 1, :16]
            return self.out(torch.cat([last, h[:, 0, 16:]], 1))

    x, n = padded(16, 18)
    return case(S(), (x, n), torch.arange(16) % 4, CE, lengths=n)


class Loop(nn.Module):
    def __init__(self, first, last):
        super().__init__()
        self.cell, self.out, self.ends = nn.LSTMCell(3, 16), nn.Linear(16, 4), (first, last)

    def forward(self, x):
        state = None
        for t in range(self.ends[0], x.shape[1] + self.ends[1]):
            state = self.cell(x[:, t], state)
        return self.out(state[0])


@sick("steps-ignored")
def loop_ends_one_step_early():
    return case(Loop(0, -1), series(8, 14), LABELS, CE)


@sick("steps-ignored")
def loop_begins_one_step_late():
    return case(Loop(1, 0), series(8, 14), LABELS, CE)


@sick("not-in-optimizer")
def optimizer_of_a_copy():
    model = Net()
    copied = torch.optim.Adam(copy.deepcopy(model).parameters())

    def step(batch):
        copied.zero_grad()
        value = CE(model(batch[0]), batch[1])
        value.backward()
        copied.step()
        return value.detach()

    return case(model, series(), LABELS, CE, copied, step=step)


@sick("dropout-on-outputs")
def dropout_behind_the_last_layer():
    class Dropped(Net):
        def forward(self, x):
            return F.dropout(super().forward(x), 0.5, self.training)

    return case(Dropped(), series(), LABELS, CE)


@sick("future-in-input")
def answer_beside_each_step():
    x = series(16, 14, 3)
    y = x[:, -1, :1] + 0.2 * torch.randn(16, 1)
    told = (2 * y - 1)[:, None].expand(-1, 14, 1)
    return case(Net(D=4, K=1), torch.cat([x, told], 2), y, nn.MSELoss())


@sick("targets-misaligned")
def classes_by_view_in_the_loss():
    class S(Net):
        def take(self, h):
            return h

    x = series(8, 10, 3)
    y = (x[:, :, 0] > 0).long() + 2 * (x[:, :, 1] > 0).long()
    return case(S(), x, y, lambda o, y: F.cross_entropy(o.view(len(o), 4, -1), y))


@sick("state-not-carried")
def state_made_anew_in_each_call():
    class S(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(30, 8), nn.Linear(16, 30)
            self.rnn, self.state = nn.LSTM(8, 16, batch_first=True), None

        def forward(self, x):
            state = (torch.zeros(1, len(x), 16), torch.zeros(1, len(x), 16))
            h, state = self.rnn(self.embed(x), state)
            self.state = tuple(s.detach() for s in state)
            return self.out(h)

    x = tokens(8, 12)
    return case(S(), x[:, :-1], x[:, 1:], tagged, stateful=True)


@sick("loss-negative")
def likelihood_is_minimised():
    def loss(o, y):
        mean, spread = o.chunk(2, 1)
        return torch.distributions.Normal(mean, F.softplus(spread) + 1e-3).log_prob(y).mean()

    x = series(12, 15, 3)
    return case(Net(K=2), x[:, :-1], x[:, -1, :1], loss)


@sick("gradients-cleared")
def gradients_cleared_for_each_part_of_the_batch():
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(batch):
        total = 0.0
        for x, y in zip(batch[0].chunk(4), batch[1].chunk(4), strict=True):
            optimizer.zero_grad()
            value = CE(model(x), y) / 4
            value.backward()
            total += value.item()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return total

    return case(model, series(), LABELS, CE, optimizer, step=step)


@sick("answer-in-input")
def autoencoder_whose_decoder_reads_the_input():
    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.GRU(3, 8, batch_first=True)
            self.decoder, self.out = nn.LSTM(11, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x):
            code = self.encoder(x)[1][-1][:, None].expand(-1, x.shape[1], -1)
            return self.out(self.decoder(torch.cat([x, code], 2))[0])

    x = series(16, 15, 3)
    return case(Coder(), x, x, nn.MSELoss())


@sick("weights-stand-still")
def loop_moves_the_head_alone():
    model = Net()

    def step(batch):
        model.zero_grad()
        value = CE(model(batch[0]), batch[1])
        value.backward()
        with torch.no_grad():
            for p in model.out.parameters():
                p -= 0.05 * p.grad
        return value.detach()

    return case(model, series(), LABELS, CE, step=step)


def make(name, seed=0):
    torch.manual_seed(seed)
    np.random.seed(seed)
    return SICK[name]()
