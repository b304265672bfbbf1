"""Faults of kinds that no examination names: they are found by relations between runs and by parts
in exchange, and described by what was measured.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lstm_ref import doctor
from lstm_ref.doctor import CATALOGUE
from lstm_ref.zoo.programs import find

# Programs of the zoo, each with what must be seen of it when its own family is left out.
LEFT_OUT = {
    "axis_order_of_lengths": "order-changes-loss",
    "axis_hn_batch_index": "order-changes-loss",
    "axis_column_vs_row": "targets-exchangeable",
    "state_random_start": "loss-not-repeated",
    "numpy_batch_in_place": "loss-not-repeated",
    "pad_in_loss": "padding-changes-loss",
    "data_sees_the_future": "later-steps-count",
    "opt_zero_before_step": "loop-stands",
    "state_cut_each_step": "slope-left-out",
    "numpy_tanh_slope": "slope-left-out",
    "state_not_detached": "loop-stops",
    "opt_clip_tiny": "loop-learns-less",
    "opt_schedule_zero": "optimizer-stands",
    "opt_parameters_missing": "weights-stand-still",
    "numpy_rate_huge": "optimizer-climbs",
    "out_softmax_twice": "outputs-fall-short",
}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("id", "seen"), LEFT_OUT.items(), ids=LEFT_OUT)
def test_without_its_family_a_program_is_found_and_not_named_otherwise(id, seen):
    entry = find(id)
    # A batch that cannot be learned by heart would be said first.
    families = {"training", *(CATALOGUE[name].family for name in entry.finding)}
    report = entry.make(True, 1).examine(skip=tuple(families))
    assert report.ids[:1] == (seen,), str(report)
    assert "Not recognised" in str(report) and not report.findings[0].consequences


class Net(nn.Module):
    """Reads the last step, through a function between layer and head."""

    def __init__(self, between=None):
        super().__init__()
        self.layer, self.last = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 4)
        self.between = between or (lambda h: h)

    def forward(self, x):
        return self.last(self.between(self.layer(x)[0][:, -1]))


class Weak(torch.autograd.Function):
    """A function whose slope was written by hand, and is a fifth of the right one."""

    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h.cos())
        return h.sin()

    @staticmethod
    def backward(ctx, grad):
        return 0.2 * grad * ctx.saved_tensors[0]


def batch(N=12):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(N, 10, 3, generator=draw), torch.arange(N) % 4


def examine(model, loss, **more):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return doctor.examine(model, batch(), loss=loss, optimizer=optimizer, **more)


def restoring(model, optimizer):
    """A loop that begins every other call from its first weights again, as one may that keeps the
    best ones.
    """
    best, calls, plain = {}, [0], loop(model, optimizer)

    def step(pair):
        best.update(best or {name: v.clone() for name, v in model.state_dict().items()})
        if calls[0] % 2 == 0:
            model.load_state_dict(best)
        calls[0] += 1
        return plain(pair)

    return step


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("seen", ["slope-left-out", "loop-learns-less", "outputs-fall-short"])
def test_kinds_that_nobody_thought_of_are_found(seen, seed):
    torch.manual_seed(seed)
    model = (
        Narrow() if seen == "outputs-fall-short" else Net(Weak.apply if "slope" in seen else None)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    more = {"step": restoring(model, optimizer)} if "loop" in seen else {}
    loss = nn.functional.cross_entropy
    report = doctor.examine(model, batch(), loss=loss, optimizer=optimizer, **more)
    assert report.ids == (seen,), str(report)
    assert "Not recognised" in str(report)


class Narrow(Net):
    """Logits between -0.5 and 0.5."""

    def forward(self, x):
        return 0.5 * super().forward(x).tanh()


def test_a_loss_that_weighs_its_places_is_no_fault():
    torch.manual_seed(0)
    mask = torch.arange(12) % 5 > 0

    def masked(outputs, y):
        each = nn.functional.cross_entropy(outputs, y, reduction="none")
        return (each * mask).sum() / mask.sum()

    report = examine(Net(), masked)
    assert "order-changes-loss" not in report.ids, str(report)


def test_what_a_loss_leaves_out_on_purpose_is_no_fault():
    torch.manual_seed(0)
    ce = nn.functional.cross_entropy

    def weighted(outputs, y):
        each = ce(outputs, y, reduction="none")
        return (each * each.detach()).mean()

    assert not examine(Net(), weighted)


@pytest.mark.parametrize("seed", range(3))
def test_outputs_below_all_targets_are_no_fault_of_an_absolute_error(seed):
    torch.manual_seed(seed)
    x, _ = batch()
    y = x.mean((1, 2), keepdim=True)[:, :, 0] + 2.0  # a fresh net answers less than 1
    model = nn.Sequential(Net(), nn.Linear(4, 1))
    report = doctor.examine(model, (x, y), loss=nn.functional.l1_loss)
    assert "targets-exchangeable" not in report.ids, str(report)


def test_they_are_not_made_beside_what_was_found():
    entry = find("state_cut_each_step")
    report = entry.make(True, 0).examine()
    assert report.ids[0] in entry.finding
    left = {one.name: one.why for one in report.not_examined}
    assert left["slope and gradient"] == "not needed beside what was found"


@pytest.mark.parametrize("name", ["call", "loss", "changed", "steps"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_stops_them_leaves_everything_as_it_was(name, error, monkeypatch):
    from lstm_ref.doctor import relations, swaps
    from lstm_ref.doctor.torch_subject import TorchSubject

    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    pair = batch()
    before = state(model, optimizer, pair)
    real, armed = getattr(TorchSubject, name), []

    def first(context):
        armed.append(0)
        return relations.again(context)

    def breaks(self, *args, **more):
        armed and armed.append(0)
        if len(armed) == 3:
            raise error
        return real(self, *args, **more)

    run = __import__("sys").modules["lstm_ref.doctor.run"]
    chosen = [one for one in run.EXAMINATIONS if one.last]
    assert {one.function.__module__ for one in chosen} == {relations.__name__, swaps.__name__}
    arm = run.Examination("arm", "relations", first, last=True)
    monkeypatch.setattr(run, "EXAMINATIONS", (arm, *chosen))
    monkeypatch.setattr(TorchSubject, name, breaks)
    try:
        doctor.examine(
            model,
            pair,
            loss=nn.functional.cross_entropy,
            optimizer=optimizer,
            step=loop(model, optimizer),
        )
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    assert len(armed) >= 3
    assert state(model, optimizer, pair) == before


def loop(model, optimizer):
    def step(pair):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(pair[0]), pair[1])
        loss.backward()
        optimizer.step()
        return loss

    return step


def state(model, optimizer, pair):
    """Everything that must be as before, bit by bit."""
    tensors = [*model.state_dict().values(), *pair]
    return (
        [t.numpy().tobytes() for t in tensors],
        [p.grad is None for p in model.parameters()],
        [m.training for m in model.modules()],
        repr(optimizer.state_dict()),
        torch.get_rng_state().numpy().tobytes(),
        str(np.random.get_state()),
    )
