"""What `step=` shows of a training loop in PyTorch, and that it is all put back."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lstm_ref import doctor
from lstm_ref.doctor.context import Context
from lstm_ref.zoo import programs
from tests.lstm_ref.doctor import torch_sick as SICK

WANTED = {
    "well": (),
    "well_clipped": (),
    "no_zero_grad": ("gradients-add-up",),
    "no_zero_grad_clipped": ("gradients-add-up",),
    "clip_tiny": ("clip-too-low",),
    "clip_scaled": ("clip-before-unscale",),
    "decay_by_batch": ("rate-decays-at-once",),
    "zero_before_step": ("no-update",),
    "no_step": ("no-update",),
    "clip_after_step": ("clip-after-step",),
    "left_in_evaluation": ("left-in-evaluation-mode",),
    "clip_after_step_unseen": ("clip-after-step",),
    "list_of_losses": ("graph-grows",),
    "sum_of_losses": ("graph-grows",),
    "sum_of_numbers": (),
    "uphill": ("loss-negative",),
}


LIMITS = {"well_clipped": 0.1, "no_zero_grad_clipped": 0.1, "clip_tiny": 1e-6, "clip_scaled": 0.1}


def program(kind):
    torch.manual_seed(0)
    model = SICK.Net()
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.ExponentialLR(
        optimizer, 0.5 if kind == "decay_by_batch" else 0.999
    )
    counter, kept, total = [0], [], [0.0]

    def step(batch):
        x, y = batch
        counter[0] += 1
        if kind != "left_in_evaluation":
            model.train()
        if not kind.startswith("no_zero_grad"):
            optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y) * (-1 if kind == "uphill" else 1)
        scale = 1024.0 if kind == "clip_scaled" else 1.0
        (loss * scale).backward()
        if kind in LIMITS:
            nn.utils.clip_grad_norm_(model.parameters(), LIMITS[kind])
        for p in model.parameters() if scale > 1 else ():
            p.grad.div_(scale)
        if kind == "zero_before_step":
            optimizer.zero_grad()
        if kind != "no_step":
            optimizer.step()
        if kind == "clip_after_step":
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        if kind == "clip_after_step_unseen":
            nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        if kind == "list_of_losses":
            kept.append(loss)
        if kind.startswith("sum_of"):
            total[0] = total[0] + (loss if kind == "sum_of_losses" else loss.item())
        schedule.step()
        model.eval()
        return loss.item()

    return model, optimizer, schedule, counter, step


@pytest.mark.parametrize("kind", WANTED)
def test_loops_are_named_and_put_back(kind):
    model, optimizer, schedule, counter, step = program(kind)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, place = repr(optimizer.state_dict()), repr(schedule.state_dict())
    report = doctor.examine(
        model,
        (SICK.series(), SICK.LABELS),
        loss=SICK.CE,
        optimizer=optimizer,
        step=step,
        skip=("training",),
    )
    assert report.ids == WANTED[kind], str(report)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (repr(optimizer.state_dict()), repr(schedule.state_dict()), counter) == (
        state,
        place,
        [0],
    )


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        (1e-3, ()),
        (1e-2, ()),
        (1.0, ("update-too-large",)),
        (1e-9, ("update-too-small",)),
        (0.0, ("rate-is-zero",)),
    ],
)
def test_rates_are_judged_by_what_they_move(rate, wanted):
    torch.manual_seed(0)
    model = SICK.Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    report = doctor.examine(
        model, (SICK.series(), SICK.LABELS), loss=SICK.CE, optimizer=optimizer, skip=("training",)
    )
    assert report.ids == wanted, str(report)


@pytest.mark.parametrize(
    ("losses", "tame"),
    [
        ([0.65, 15.0, 21.0, 6.0, 0.7, 189.0, 75.0, 183.0, 44.0, 98.0, 183.0, 0.74], False),
        ([1.0, 0.9, 0.8, 5.0, 0.7, 0.6, 4.0, 0.5], True),
        ([1.0, 0.9, 0.8, 0.7, float("inf"), 0.6, 0.5, 0.5], False),
        ([1.0, 0.5, 0.4], False),
    ],
)
def test_a_loop_that_keeps_its_loss_is_not_told_by_its_last_call_alone(losses, tame):
    """The first list is that of a rate 400 times too large; whether its last loss is small is
    chance.
    """
    context = SimpleNamespace(
        subject=SimpleNamespace(options=SimpleNamespace(step=print)),
        step_log=SimpleNamespace(losses=losses),
    )
    assert Context.loop_is_tame.fget(context) == tame


def test_the_report_does_not_depend_on_the_random_numbers_drawn_before():
    """The loop of this program draws its batches from PyTorch's global generator."""
    reports = set()
    for seed in (15, 22, 29):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        reports.add(str(programs.find("opt_rate_huge").make(True).examine()))
        assert torch.equal(torch.get_rng_state(), before)
    assert len(reports) == 1 and "update-too-large" in reports.pop()
