import math

import numpy as np
import pytest
import torch

from lstm_ref import (
    ArgumentError,
    NotFiniteError,
    PlateauState,
    cosine,
    plateau,
    step_decay,
    warm_up,
)

pytestmark = pytest.mark.kernels

STEPS = 25


def torch_rates(make, losses=None):
    """Rates that a scheduler of PyTorch gives for the first steps, starting from 0.3."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(optimizer)
    rates = []
    for k in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if losses is None else [losses[k]]))
    return rates


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda t: step_decay(t, 0.3, 4, 0.5),
            lambda o: torch.optim.lr_scheduler.StepLR(o, 4, 0.5),
        ),
        (lambda t: step_decay(t, 0.3, 1), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.1)),
        (
            lambda t: cosine(t, 0.3, STEPS),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS),
        ),
        (
            lambda t: cosine(t, 0.3, STEPS, 0.1),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1),
        ),
        # From 1/10 on by nine equal steps to all of it.
        (
            lambda t: warm_up(t, 0.3, 10),
            lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 9),
        ),
    ],
    ids=["step", "every step", "cosine", "cosine to a tenth", "warm-up"],
)
def test_rates_are_those_of_torch(ours, theirs):
    np.testing.assert_allclose([ours(t) for t in range(STEPS)], torch_rates(theirs), rtol=1e-10)


@pytest.mark.parametrize(
    "options", [{"patience": 0}, {"patience": 2, "threshold": 0.1}, {"patience": 1, "lowest": 0.02}]
)
def test_plateau_is_that_of_torch(options):
    rng = np.random.default_rng(0)
    losses = (1 / (1 + np.arange(STEPS)) + 0.1 * rng.random(STEPS)).tolist()
    theirs = {{"lowest": "min_lr"}.get(name, name): number for name, number in options.items()}
    expected = torch_rates(
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, **theirs), losses
    )
    state, rates = PlateauState(0.3), []
    for loss in losses:
        rates.append(state.lr)
        state = plateau(state, loss, factor=0.5, **options)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert min(rates) < 0.1


def test_a_loss_below_zero_is_better_when_it_is_lower():
    state = PlateauState(1.0, best=-1.0)
    assert plateau(state, -1.1, patience=0) == PlateauState(1.0, -1.1, 0)
    assert plateau(state, -0.99995, patience=0, threshold=1e-4).lr == 0.1


def test_warm_up_ends_where_the_other_schedule_goes_on():
    rates = [warm_up(t, cosine(t, 1.0, 20), 5) for t in range(20)]
    assert rates[0] == 0.2 and rates[5:] == [cosine(t, 1.0, 20) for t in range(5, 20)]
    assert warm_up(0, 0.5, 0) == 0.5 and cosine(99, 1.0, 20, 0.1) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: step_decay(-1, 0.1, 2),
            ArgumentError,
            "step_decay: t must be an integer of at least 0, got -1",
        ),
        (
            lambda: step_decay(1, 0.1, 0),
            ArgumentError,
            "step_decay: every must be an integer of at least 1, got 0",
        ),
        (
            lambda: step_decay(1, 0, 2),
            ArgumentError,
            "step_decay: lr must be a number above 0, got 0",
        ),
        (
            lambda: cosine(1.5, 0.1, 2),
            ArgumentError,
            "cosine: t must be an integer of at least 0, got 1.5",
        ),
        (
            lambda: cosine(1, 0.1, 2, -1),
            ArgumentError,
            "cosine: lowest must be a number of at least 0, got -1",
        ),
        (
            lambda: warm_up(1, -0.1, 2),
            ArgumentError,
            "warm_up: lr must be a number of at least 0, got -0.1",
        ),
        (
            lambda: warm_up(True, 0.1, 2),
            ArgumentError,
            "warm_up: t must be an integer of at least 0, got True",
        ),
        (
            lambda: plateau(PlateauState(0.0), 1.0),
            ArgumentError,
            "plateau: state.lr must be a number above 0, got 0.0",
        ),
        (
            lambda: plateau(PlateauState(1.0), 1.0, factor=1),
            ArgumentError,
            "plateau: factor must be above 0 and below 1",
        ),
        (
            lambda: plateau(PlateauState(1.0), 1.0, threshold=-1),
            ArgumentError,
            "plateau: threshold must be a number of",
        ),
        (
            lambda: plateau(PlateauState(1.0), math.nan),
            NotFiniteError,
            "plateau: loss must be finite, got nan",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
