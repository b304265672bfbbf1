"""A fifth collection in PyTorch as people bring them to a forum: of some 400 programs that were
written or put together from parts by chance before the doctor saw them, the kinds that it did not
judge rightly; see programs_torch.py.
"""

import torch
from torch import nn
from torch.nn import functional as F

from tests.support.forum import collection
from tests.support.forum import torch_program as program

SICK, WELL, sick, well = collection()


def some(low, high):
    return int(torch.randint(low, high + 1, ()))


class Net(nn.Module):
    """A recurrent body, one of its states, a head, something behind it."""

    def __init__(self, D, H, K, kind=nn.LSTM, pick=lambda h: h[:, -1], last=None, **kwargs):
        super().__init__()
        kwargs.setdefault("batch_first", True)
        self.body, self.head = kind(D, H, **kwargs), nn.Linear(H, K)
        self.pick, self.last = pick, last

    def forward(self, x):
        y = self.head(self.pick(self.body(x)[0]))
        return self.last(y) if self.last else y


def loop(model, loss, optimizer, schedule=None):
    """A step that does what it should."""

    def step(batch):
        model.train()
        optimizer.zero_grad()
        value = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        if schedule:
            schedule.step()
        return value.item()

    return step


def text(N, T, V):
    """Tokens whose next one follows from them, (N, T + 1)."""
    return (torch.randint(1, 4, (N, T + 1)).cumsum(1) + torch.randint(V, (N, 1))) % V


# Sick.


@sick("targets-misaligned")
def letters_flattened_in_another_order():
    N, T, V = some(6, 10), some(12, 18), 30

    class Letters(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.body, self.head = nn.Embedding(V, 16), nn.LSTM(16, 32), nn.Linear(32, V)

        def forward(self, x):
            return self.head(self.body(self.emb(x.t()))[0]).reshape(-1, V)

    z = text(N, T, V)
    return program(Letters(), z[:, :-1], z[:, 1:].reshape(-1), nn.CrossEntropyLoss())


@sick("not-in-optimizer")
def head_that_no_zero_grad_reaches():
    x = torch.randn(some(8, 20), some(6, 12), 4)
    model, loss = Net(4, some(10, 24), 3), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.body.parameters(), lr=0.05)
    return program(
        model,
        x,
        torch.randint(0, 3, (len(x),)),
        loss,
        optimizer=optimizer,
        step=loop(model, loss, optimizer),
    )


@sick("not-registered")
def layers_with_dropout_in_a_list():
    class Listed(nn.Module):
        def __init__(self, H):
            super().__init__()
            self.bodies = [nn.GRU(3, H, 2, dropout=0.4, batch_first=True)]
            self.head = nn.Linear(H, 1)

        def forward(self, x):
            for body in self.bodies:
                x = body(x)[0]
            return self.head(x[:, -1])

    x = torch.randn(some(8, 20), some(6, 14), 3)
    return program(Listed(some(8, 20)), x, x[:, -3:, 0].mean(1, keepdim=True), nn.MSELoss())


@sick("reads-padding")
def all_padded_to_a_fixed_length():
    """The longest example fills half of the steps, and the state has come to rest at the end."""
    lengths = torch.randint(4, 30, (some(12, 24),))
    x = torch.randint(1, 60, (len(lengths), 100)) * (torch.arange(100) < lengths[:, None])

    class Reviews(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.net = nn.Embedding(60, 24), Net(24, 32, 2)

        def forward(self, x):
            return self.net(self.emb(x))

    return program(Reviews(), x, x[:, 0] % 2, nn.CrossEntropyLoss(), lengths=lengths)


@sick("outputs-cannot-reach-targets")
def changes_behind_a_relu_and_dropout():
    x = torch.randn(some(6, 12), some(5, 9), 2).cumsum(1) / 3
    model = Net(2, some(16, 32), 1, num_layers=2, dropout=0.5, last=F.relu)
    with torch.no_grad():
        model.head.bias.fill_(-1.0)  # shut for every example at the start
    return program(model, x, x[:, -1:, 0] - x[:, -2:-1, 0], nn.MSELoss())


# Well.


@well
def warm_up_over_many_steps():
    x = torch.randn(some(10, 20), some(6, 12), 5)
    model, loss = Net(5, some(60, 100), 4, kind=nn.GRU, num_layers=2), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 500))
    return program(
        model,
        x,
        torch.randint(0, 4, (len(x),)),
        loss,
        optimizer=optimizer,
        step=loop(model, loss, optimizer, schedule),
    )


@well
def visits_of_each_day_counted():
    """Windows of few small numbers, which agree by accident."""
    x = torch.poisson(1.5 * torch.ones(256, 5, 1))
    y = x.mean(1) / 2 + 0.1 * torch.randn(256, 1)
    train, valid = (x[:192], y[:192]), (x[192:], y[192:])
    model = Net(1, some(12, 24), 1)
    return program(model, x[:32], y[:32], nn.MSELoss(), train=train, valid=valid)


@well
def many_sensors_and_few_windows():
    """Of 200 numbers a regression on 32 rows says nothing, though the targets follow from them."""
    walks = torch.randn(256, 6, 40).cumsum(1) / 5**0.5
    x, y = walks[:, :5], walks[:, 5, :1]
    train, valid = (x[:192], y[:192]), (x[192:], y[192:])
    model = Net(40, some(24, 48), 1)
    return program(model, x[:32], y[:32], nn.MSELoss(), train=train, valid=valid)


@well
def four_topics_in_their_order():
    """One example of each class, sorted, each with a word of its own here and there."""
    y = torch.arange(4)
    x = torch.where(torch.rand(4, 50) < 0.3, 1 + y[:, None], torch.randint(11, 40, (4, 50)))
    model = nn.Sequential(
        nn.Embedding(40, 16), Net(16, some(12, 20), 10, kind=nn.GRU, pick=lambda h: h.amax(1))
    )
    return program(model, x, y, nn.CrossEntropyLoss())


def make(name, seed=0):
    torch.manual_seed(900 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(), findings
