import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import lstm_ref
from lstm_ref import zoo
from lstm_ref.zoo import plain

N, T, D, H = 3, 4, 5, 2


def arguments(seed, T=T, zero_state=False, N=N):
    rng = np.random.default_rng(seed)
    state = np.zeros if zero_state else (lambda shape: rng.normal(size=shape))
    x, h0, c0 = rng.normal(size=(N, T, D)), state((N, H)), state((N, H))
    return (
        x,
        h0,
        c0,
        rng.normal(size=(D, 4 * H)) / 2,
        rng.normal(size=(H, 4 * H)) / 2,
        rng.normal(size=4 * H) / 2,
    )


def flat(value):
    if isinstance(value, tuple | list):
        return np.concatenate([flat(item) for item in value])
    return np.ravel(value)


def results(bug, seed):
    """What the wrong function returns, on true inputs."""
    x, h0, c0, Wx, Wh, b = arguments(seed)
    rng = np.random.default_rng(seed + 100)
    dh, dc = rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
    if bug.function == "lstm_step":
        return flat(bug.lstm_step(x[:, 0], h0, c0, Wx, Wh, b)[:2])
    if bug.function == "lstm_forward":
        return flat(bug.lstm_forward(x, h0, c0, Wx, Wh, b)[:2])
    _, _, cache = lstm_ref.lstm_forward(x, h0, c0, Wx, Wh, b)
    if bug.function == "lstm_step_backward":
        return flat(bug.lstm_step_backward(dh[:, 0], dc, zoo.step_caches(cache)[0]))
    return flat(bug.lstm_backward(dh, cache, dc))


def right(function):
    return zoo.Bug("right", function, "", (), "", "", "", ())


@pytest.mark.parametrize("seed", range(3))
def test_plain_version_equals_the_reference(seed):
    x, h0, c0, Wx, Wh, b = arguments(seed)
    h, (hT, cT), cache = lstm_ref.lstm_forward(x, h0, c0, Wx, Wh, b)
    h_plain, (hT_plain, cT_plain), steps = plain.lstm_forward(x, h0, c0, Wx, Wh, b)
    np.testing.assert_allclose(h_plain, h, rtol=0, atol=1e-13)
    np.testing.assert_allclose((hT_plain, cT_plain), (hT, cT), rtol=0, atol=1e-13)
    for ours, theirs in zip(zoo.step_caches(cache), steps, strict=True):
        for a, b_ in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b_, rtol=0, atol=1e-13)
    rng = np.random.default_rng(seed)
    dh, dcT = rng.normal(size=h.shape), rng.normal(size=cT.shape)
    for d in (dcT, None):
        for ours, theirs in zip(
            lstm_ref.lstm_backward(dh, cache, d), plain.lstm_backward(dh, steps, d), strict=True
        ):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)


def test_there_are_enough_entries_and_their_ids_differ():
    assert len(zoo.forward_bugs()) >= 12
    assert len(zoo.backward_bugs()) >= 16
    everything = (*zoo.BUGS, *zoo.PYTORCH)
    assert len({bug.id for bug in everything}) == len(everything)


@pytest.mark.parametrize("bug", (*zoo.BUGS, *zoo.PYTORCH), ids=lambda bug: bug.id)
def test_every_entry_is_complete_and_its_hints_hold_no_right_line(bug):
    assert bug.framework == "torch" or bug.function in zoo.FUNCTIONS
    assert zoo.find(bug.id) is bug
    for text in (bug.title, bug.symptom, bug.cause, bug.fix, bug.source, *bug.hints):
        assert text.endswith((".", "?")), text
    assert len(bug.hints) >= 2
    squeezed = [re.sub(r"\s", "", hint) for hint in bug.hints]
    for change in bug.changes:
        assert change.right != change.wrong
        assert not any(re.sub(r"\s", "", change.right) in hint for hint in squeezed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bug", zoo.BUGS, ids=lambda bug: bug.id)
def test_every_entry_differs_from_the_right_version(bug, seed):
    wrong, good = results(bug, seed), results(right(bug.function), seed)
    if wrong.shape == good.shape:
        assert np.abs(wrong - good).max() > 1e-2 * np.abs(good).max()


@pytest.mark.parametrize(
    "bug", [b for b in zoo.BUGS if "backward" in b.function], ids=lambda bug: bug.id
)
def test_silent_at_one_step_is_measured(bug):
    """With T = 1 and zero state, the gradients of x and of the weights are right exactly for the
    entries marked so.
    """
    cases = []
    for seed in range(3):
        x, h0, c0, Wx, Wh, b = arguments(seed, T=1, zero_state=True)
        h, _, cache = lstm_ref.lstm_forward(x, h0, c0, Wx, Wh, b)
        dh = np.random.default_rng(seed).normal(size=h.shape)
        good, got = lstm_ref.lstm_backward(dh, cache), bug.lstm_backward(dh, cache)
        same = [
            np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, rtol=0, atol=1e-12)
            for name, ours, theirs in zip(good._fields, got, good, strict=True)
            if name in ("dWx", "dWh", "db") or (name == "dx" and bug.id != "dx_time_first")
        ]
        cases.append(all(same))
    assert cases == [bug.silent_at_one_step] * 3


def test_a_symptom_that_speaks_of_one_step_is_measured_so():
    said = {bug.id for bug in zoo.BUGS if bug.symptom.startswith("One step")}
    assert len(said) > 10
    assert said <= {bug.id for bug in zoo.BUGS if bug.silent_at_one_step}


def gradient_error(bug, seed, T=6):
    """Relative error of dWx, dWh and db, the worst; weights of order 0.5, random state."""
    x, h0, c0, Wx, Wh, b = arguments(seed, T)
    h, _, cache = lstm_ref.lstm_forward(x, h0, c0, Wx, Wh, b)
    dh = np.random.default_rng(seed).normal(size=h.shape)
    good, got = lstm_ref.lstm_backward(dh, cache), bug.lstm_backward(dh, cache)
    norm = np.linalg.norm
    return max(
        norm(getattr(got, name) - getattr(good, name))
        / (norm(getattr(got, name)) + norm(getattr(good, name)))
        for name in ("dWx", "dWh", "db")
    )


@pytest.mark.parametrize(
    ("id", "low", "high"),
    [
        ("no_dh_carry", 0.05, 0.2),  # "about a tenth off"
        ("dh_prev_without_g", 0.05, 0.2),
        ("dc_ignored", 0.2, 0.4),  # "a fifth off or more"
        ("no_dc_carry", 0.2, 0.4),
        ("do_uses_c", 0.01, 0.1),  # "by a few per cent"
    ],
)
def test_sizes_of_errors_that_symptoms_state_are_measured(id, low, high):
    assert low < np.median([gradient_error(zoo.find(id), seed) for seed in range(9)]) < high


def test_a_mistake_in_the_step_is_in_the_sequence_too():
    bug = zoo.find("no_forget_gate")
    x, h0, c0, Wx, Wh, b = arguments(0)
    h, (_, cT), _ = bug.lstm_forward(x, h0, c0, Wx, Wh, b)
    hs, c = h0, c0
    for t in range(T):
        hs, c, _ = bug.lstm_step(x[:, t], hs, c, Wx, Wh, b)
    np.testing.assert_array_equal(cT, c)
    np.testing.assert_array_equal(h[:, -1], hs)


def test_source_has_the_wrong_line_and_runs_on_its_own():
    bug = zoo.find("no_bias")
    source = bug.source_of("lstm_step")
    assert "a = x @ Wx + h_prev @ Wh\n" in source and "Any" not in source
    namespace = {"np": np}
    exec(bug.source_of("lstm_forward") + "\n" + source + "\n" + zoo.source_of("sigmoid"), namespace)
    x, h0, c0, Wx, Wh, b = arguments(0)
    np.testing.assert_array_equal(
        namespace["lstm_forward"](x, h0, c0, Wx, Wh, b)[0],
        bug.lstm_forward(x, h0, c0, Wx, Wh, b)[0],
    )


def test_find_lists_what_there_is():
    with pytest.raises(KeyError, match="no entry 'nothing'; there are no_forget_gate, "):
        zoo.find("nothing")


def test_a_change_that_fits_no_line_is_refused():
    bug = zoo.Bug("odd", "lstm_step", "", (zoo.Change("c = 1", "c = 2"),), "", "", "", ())
    with pytest.raises(
        ValueError, match="must stand exactly once in the plain version, it stands there 0 times"
    ):
        _ = bug.code


def test_mistakes_in_pytorch_are_read_without_it_and_run_only_with_it():
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom lstm_ref import zoo\n"
        "bug = zoo.find('not_detached')\nprint('retain_graph=True' in bug.source_of('run_chunks'), "
        "'class' in bug.code)\n"
        "try:\n    bug.calling('run_chunks')()\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[0] == "True True" and "pip install 'inside-the-lstm[torch]'" in said[1]


def test_a_mistake_in_pytorch_leaves_the_callers_settings_alone():
    bug = zoo.find("softmax_twice")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    arguments = np.zeros((1, 2, 3)), np.zeros((1, 2), int), np.ones((1, 2), bool)
    with torch.no_grad():
        loss, gradient = bug.calling("loss_and_gradient")(*arguments)
        # which draws weights first
        bug.calling("lstm_layer")(np.ones((8, 3)), np.ones((8, 2)), np.ones(8), np.ones(8))
    assert type(loss) is type(gradient) is np.ndarray and gradient.shape == (1, 2, 3)
    assert torch.equal(torch.get_rng_state(), before)
