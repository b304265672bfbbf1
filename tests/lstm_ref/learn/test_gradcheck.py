import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    GradientError,
    LSTMError,
    NotFiniteError,
    ShapeError,
    check_backward,
    check_gradients,
    gru_backward,
    gru_forward,
    init_gru,
    init_rnn,
    init_variant,
    lstm_backward,
    lstm_forward,
    numerical_gradient,
    rnn_backward,
    rnn_forward,
    variant_backward,
    variant_forward,
)

GATES = ["input gate", "forget gate", "candidate", "output gate"]


@pytest.fixture(scope="module")
def problem(draw):
    """Sizes -> (loss, params, grads) of one LSTM layer, right to the last bit."""

    def problem(N=3, T=5, D=2, H=4, seed=0, scale=0.5):
        layer = draw(N, T, D, H, seed, scale)
        dh = np.random.default_rng(seed + 1).normal(size=(N, T, H))
        _, _, cache = lstm_forward(**layer)
        grads = dict(zip(layer, lstm_backward(dh, cache), strict=True))
        return (lambda params: np.sum(lstm_forward(**params)[0] * dh)), layer, grads

    return problem


def failure(loss, params, grads, **options):
    with pytest.raises(GradientError) as caught:
        check_gradients(loss, params, grads, **options)
    return caught.value


def parts_named(error):
    """The gates and time steps that a message names, by parameter."""
    return [
        match.groups()
        for match in re.finditer(r"^  d(\w+), ([\w ]+): analytic", str(error), re.MULTILINE)
    ]


@given(
    st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 50)
)
def test_right_gradients_lie_far_below_the_tolerance(problem, N, T, D, H, seed):
    errors = check_gradients(*problem(N, T, D, H, seed), rng=np.random.default_rng(seed))
    assert set(errors) == {"x", "h0", "c0", "Wx", "Wh", "b"}
    assert max(errors.values()) < 1e-7


def test_it_takes_two_evaluations_a_parameter(problem):
    loss, params, grads = problem()
    calls = []
    check_gradients(lambda p: calls.append(1) or loss(p), params, grads)
    assert len(calls) == 2 * len(params)


@pytest.mark.parametrize("name", ["x", "h0", "c0", "Wx", "Wh", "b"])
def test_one_wrong_entry_is_enough(problem, name):
    loss, params, grads = problem()
    wrong = grads[name].copy()
    wrong.flat[-1] += 1e-4 * np.linalg.norm(wrong)
    error = failure(loss, params, grads | {name: wrong})
    assert "1 of 6 gradients is not the derivative of the loss" in str(error)
    assert error.errors[name] > 1e-6 and all(
        e < 1e-6 for other, e in error.errors.items() if other != name
    )


@pytest.mark.parametrize(("block", "gate"), list(enumerate(GATES)))
def test_message_names_the_gate(problem, block, gate):
    loss, params, grads = problem(H=4)
    columns = slice(4 * block, 4 * block + 4)
    wrong = {name: grads[name].copy() for name in ("Wx", "Wh", "b")}
    for array in wrong.values():
        array[..., columns] *= 0.5
    error = failure(loss, params, grads | wrong)
    assert parts_named(error) == [("Wx", gate), ("Wh", gate), ("b", gate)]


def test_message_names_the_time_steps(problem):
    loss, params, grads = problem(T=5)
    wrong = grads["x"].copy()
    wrong[:, [1, 3]] *= -1
    assert parts_named(failure(loss, params, grads | {"x": wrong})) == [
        ("x", "time step 1"),
        ("x", "time step 3"),
    ]


def test_axes_can_be_declared_for_other_names():
    params = {"inputs": np.ones((2, 3)), "kernel": np.ones((2, 8))}
    grads = {"inputs": np.ones((2, 3)), "kernel": np.ones((2, 8))}
    grads["inputs"][:, 2] = grads["kernel"][:, 4:6] = 0

    def loss(p):
        return p["inputs"].sum() + p["kernel"].sum()

    assert parts_named(failure(loss, params, grads)) == []
    error = failure(loss, params, grads, axes={"inputs": "N T", "kernel": "D 4H"})
    assert parts_named(error) == [("inputs", "time step 2"), ("kernel", "candidate")]


@pytest.mark.parametrize("size", [6, 8])
def test_bias_of_another_layer_has_no_gates(size):
    error = failure(lambda p: p["b"].sum(), {"b": np.ones(size)}, {"b": np.zeros(size)})
    assert "db: analytic 0" in str(error) and parts_named(error) == []


def test_axes_that_do_not_fit_are_named():
    def check(axes):
        check_gradients(lambda p: 0.0, {"w": np.ones((2, 6))}, {"w": np.zeros((2, 6))}, axes=axes)

    with pytest.raises(
        ShapeError, match=r'params\["w"\] must be \(N T D\) as declared, got \(2, 6\)'
    ):
        check({"w": "N T D"})
    with pytest.raises(
        ShapeError, match=r'params\["w"\] must be \(D 4H\) as declared, got \(2, 6\)'
    ):
        check({"w": "D 4H"})
    with pytest.raises(ArgumentError, match="axes must name parameters, w; got 'v'"):
        check({"v": "N"})


def test_message_holds_both_numbers():
    error = failure(lambda p: 3 * p["w"].sum(), {"w": np.ones(1)}, {"w": np.array([6.0])})
    analytic, numerical = (
        float(n) for n in re.findall(r"(?:analytic|numerical) (-?[\d.]+)", str(error))
    )
    assert analytic == pytest.approx(2 * numerical, rel=1e-3)
    assert "relative error 5e-01 (at most 1e-06 is right)" in str(error)
    assert error.errors["w"] == pytest.approx(0.5, rel=1e-6)
    assert isinstance(error, AssertionError) and isinstance(error, LSTMError)


def test_gradient_of_zero_passes_and_a_small_wrong_one_does_not():
    params = {"w": np.ones(3)}

    def loss(p):
        return 100.0 + 0 * p["w"].sum()

    assert check_gradients(loss, params, {"w": np.zeros(3)})["w"] == 0
    failure(loss, params, {"w": np.full(3, 1e-4)})


def test_rounding_of_the_loss_is_no_gradient():
    def loss(p):
        return 1e3 * np.prod(np.exp(p["w"]) * np.exp(-p["w"]))  # a constant, but for rounding

    params = {"w": np.linspace(1, 2, 50)}
    assert loss({"w": params["w"] + 1e-3}) != loss(params)
    check_gradients(loss, params, {"w": np.zeros(50)})


def test_loss_far_from_zero_is_no_mistake(problem):
    # The rounding of a loss of 1e4 is much larger than that of the loss itself.
    loss, params, grads = problem()
    check_gradients(lambda p: loss(p) + 1e4, params, grads)
    failure(lambda p: loss(p) + 1e4, params, grads | {"Wh": 1.01 * grads["Wh"]})


def test_strongly_curved_loss_is_no_mistake():
    def loss(p):
        return float(np.sin(1e4 * p["w"]).sum())

    w = np.array([0.3])
    assert check_gradients(loss, {"w": w}, {"w": 1e4 * np.cos(1e4 * w)})["w"] < 1e-6
    failure(loss, {"w": w}, {"w": 1.001e4 * np.cos(1e4 * w)})


def test_directions_repeat_unless_a_generator_is_given(problem):
    first, again, other = (
        check_gradients(*problem(), rng=rng) for rng in (None, None, np.random.default_rng(9))
    )
    assert first == again != other


def test_loss_that_changes_its_arguments_spoils_only_its_own_copies():
    params = {"w": np.arange(3.0), "v": np.ones(2)}

    def loss(p):
        value = float((p["w"] ** 2).sum() + p["v"].sum())
        for array in p.values():
            array[:] = 1e9
        return value

    check_gradients(loss, params, {"w": 2 * np.arange(3.0), "v": np.ones(2)})
    np.testing.assert_array_equal(params["w"], np.arange(3.0))
    np.testing.assert_array_equal(params["v"], np.ones(2))


def test_numerical_gradient_is_the_backward_pass(problem):
    loss, params, grads = problem(N=2, T=3, D=2, H=2)
    for name, array in params.items():
        array.flags.writeable = False

        def along(changed, name=name):
            return loss(params | {name: changed})

        np.testing.assert_allclose(numerical_gradient(along, array), grads[name], rtol=0, atol=1e-8)


def test_numerical_gradient_of_one_number():
    assert numerical_gradient(lambda a: float(a) ** 3, np.array(2.0)) == pytest.approx(
        12.0, rel=1e-8
    )


def good():
    return {"w": np.ones(3)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: check_gradients(lambda p: 0.0, {"w": np.ones(3, np.float32)}, good()),
            DTypeError,
            r'check_gradients: params\["w"\] must be float64, got float32: .*astype\(np.float64\)',
        ),
        (
            lambda: check_gradients(lambda p: np.float32(0), good(), good()),
            DTypeError,
            "f must compute in float64, got a loss of float32",
        ),
        (
            lambda: check_gradients(lambda p: p["w"], good(), good()),
            ArgumentError,
            r"f must return one number, the loss, got an array of shape \(3,\)",
        ),
        (
            lambda: check_gradients(lambda p: None, good(), good()),
            ArgumentError,
            "f must return one number, the loss, got NoneType",
        ),
        (
            lambda: check_gradients(lambda p: float("nan"), good(), good()),
            NotFiniteError,
            "f must return a finite loss, got nan near the given w",
        ),
        (
            lambda: check_gradients(lambda p: 0.0, good(), {"dw": np.ones(3)}),
            ArgumentError,
            "grads must have the names w; missing: w; too many: dw",
        ),
        (
            lambda: check_gradients(lambda p: 0.0, good(), {"w": np.ones((3, 1))}),
            ShapeError,
            r'grads\["w"\] must have the shape of params\["w"\] = \(3,\), got \(3, 1\)',
        ),
        (
            lambda: check_gradients(lambda p: 0.0, good(), {"w": np.full(3, np.nan)}),
            NotFiniteError,
            r'grads\["w"\] must be finite, got nan at index \(0,\)',
        ),
        (
            lambda: check_gradients(lambda p: 0.0, good(), good(), eps=0),
            ArgumentError,
            "eps must be a number above 0, got 0",
        ),
        (
            lambda: numerical_gradient(lambda a: 0.0, np.ones(3, np.float32)),
            DTypeError,
            "numerical_gradient: array must be float64, got float32",
        ),
        (
            lambda: numerical_gradient(lambda a: a, np.ones(3)),
            ArgumentError,
            "numerical_gradient: f must return one number",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_every_wrong_backward_pass_of_the_zoo_is_refused(draw):
    from lstm_ref import zoo

    layer = draw(N=3, T=4, D=5, H=2)
    rng = np.random.default_rng(1)
    dh, dcT = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 2))
    _, _, cache = lstm_forward(**layer)

    def loss(params):
        h, (_, cT), _ = lstm_forward(**params)
        return np.sum(h * dh) + np.sum(cT * dcT)

    for bug in zoo.backward_bugs():
        wrong = bug.lstm_backward(dh, zoo.step_caches(cache), dcT)
        with pytest.raises((GradientError, ShapeError)):
            check_gradients(loss, layer, dict(zip(layer, wrong, strict=True)))
            pytest.fail(bug.id)


def test_a_plain_rnn_has_no_gates_even_with_four_units():
    rng = np.random.default_rng(0)
    params = {"Wx": rng.normal(size=(3, 4)), "Wh": rng.normal(size=(4, 4)), "b": rng.normal(size=4)}

    def loss(p):
        return float(np.sum([np.sum(array**2) for array in p.values()]))

    wrong = {name: 3 * array for name, array in params.items()}
    with pytest.raises(GradientError) as caught:
        check_gradients(loss, params, wrong)
    assert "dWh" in str(caught.value) and "gate" not in str(caught.value)


# --- A layer over time
# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def layer(draw):
    return draw(N=3, T=5, D=4, H=2)


def first_steps(backward, layer, forward=lstm_forward, **options):
    """What the message says of each part that is wrong: {"dWh, forget gate": "first wrong at t =
    1"}.
    """
    with pytest.raises(GradientError) as caught:
        check_backward(forward, backward, layer, **options)
    found = re.findall(
        r"^  (d\w+(?:, [a-z ]+ gate|, candidate)?), ((?:first )?wrong [\w =]+): analytic",
        str(caught.value),
        re.M,
    )
    return dict(found)


def sick(id):
    from lstm_ref import zoo

    bug = zoo.find(id)
    return lambda dh, cache, dcT: bug.lstm_backward(dh, zoo.step_caches(cache), dcT)


def test_right_backward_passes_are_right(layer):
    rng = np.random.default_rng(0)
    x, h0, c0 = (layer[name] for name in ("x", "h0", "c0"))
    coupled = {"x": x, "h0": h0, "c0": c0, **init_variant(rng, 4, 2, "coupled")}
    peepholes = {"x": x, "h0": h0, "c0": c0, **init_variant(rng, 4, 2, "peepholes")}
    before = init_gru(rng, 4, 2, reset="before")
    for forward, backward, params in (
        (lstm_forward, lstm_backward, layer),
        (gru_forward, gru_backward, {"x": x, "h0": h0, **init_gru(rng, 4, 2)}),
        (partial(gru_forward, reset="before"), gru_backward, {"x": x, "h0": h0, **before}),
        (rnn_forward, rnn_backward, {"x": x, "h0": h0, **init_rnn(rng, 4, 2)}),
        (partial(variant_forward, variant="coupled"), variant_backward, coupled),
        (partial(variant_forward, variant="peepholes"), variant_backward, peepholes),
    ):
        errors = check_backward(forward, backward, params)
        assert set(errors) == set(params) and max(errors.values()) < 1e-7


def test_every_wrong_backward_pass_of_the_zoo_is_refused_with_its_first_step(layer):
    from lstm_ref import zoo

    for bug in zoo.backward_bugs():
        if bug.id == "dx_uses_Wh":
            with pytest.raises(
                ShapeError, match=r'^check_backward: grads\["x"\] must have the shape'
            ):
                check_backward(lstm_forward, sick(bug.id), layer)
        elif bug.id == "dx_reversed":
            # the lines of x say the steps by themselves
            assert first_steps(sick(bug.id), layer) == {}
        else:
            assert first_steps(sick(bug.id), layer), bug.id


def test_mistake_within_a_step_is_wrong_from_the_first_step_on(layer):
    found = first_steps(sick("no_tanh_prime_for_g"), layer)
    assert found["dWx, candidate"] == found["db, candidate"] == "first wrong at t = 0"
    # Of the other gates it spoils what comes by way of the candidate of the step after.
    assert found["dWx, forget gate"] == "first wrong at t = 1"


def test_mistake_between_the_steps_is_wrong_from_the_second_step_on(layer):
    found = first_steps(sick("no_dh_carry"), layer)
    assert found["dh0"] == found["dWh, output gate"] == "first wrong at t = 1"
    found = first_steps(sick("no_dc_carry"), layer)
    assert found["dWh, forget gate"] == found["dc0"] == "first wrong at t = 1"
    # An output gate reaches the cell state only by way of h, one step later; so what is lost along
    # c is lost later, too.
    assert found["dWh, output gate"] == "first wrong at t = 2"


def test_mistake_that_only_the_last_cell_state_shows_is_named(layer):
    assert set(first_steps(sick("dcT_ignored"), layer).values()) == {"wrong for dcT alone"}


def test_first_step_at_which_a_gate_goes_wrong_is_found(layer):
    def late(dh, cache, dcT):
        grads = lstm_backward(dh, cache, dcT)
        # the forget gate, where the loss looks at step 3 or later
        grads.dWh[:, 2:4] *= 1 + 0.1 * dh[:, 3:].any()
        return grads

    assert first_steps(late, layer) == {"dWh, forget gate": "first wrong at t = 3"}


def test_mistake_that_no_step_alone_shows_is_told_so(layer):
    def together(dh, cache, dcT):
        grads = lstm_backward(dh, cache, dcT)
        grads.dh0[:] *= 1 + dh.any(axis=(0, 2)).all()
        return grads

    assert first_steps(together, layer) == {
        "dh0": "wrong only where the loss looks at several steps"
    }


def test_gates_of_other_cells_are_named(layer):
    rng = np.random.default_rng(0)
    gru = {"x": layer["x"], "h0": layer["h0"], **init_gru(rng, 4, 2)}

    def no_update(dh, cache):
        grads = gru_backward(dh, cache)
        grads.dWx[:, 2:4] = 0
        return grads

    assert list(first_steps(no_update, gru, gru_forward)) == ["dWx, update gate"]

    coupled = {name: layer[name] for name in ("x", "h0", "c0")} | init_variant(rng, 4, 2, "coupled")

    def no_forget(dh, cache, dcT):
        grads = variant_backward(dh, cache, dcT)
        grads.dWx[:, :2] = 0
        return grads

    forward = partial(variant_forward, variant="coupled")
    # three blocks might be those of a GRU
    assert list(first_steps(no_forget, coupled, forward)) == ["dWx"]
    options = {"axes": {"Wx": "D 3H"}, "gates": ("forget gate", "candidate", "output gate")}
    assert list(first_steps(no_forget, coupled, forward, **options)) == ["dWx, forget gate"]


def test_gradients_may_come_in_any_container_and_may_spoil_what_they_get(layer):
    def as_dict(dh, cache, dcT):
        grads = lstm_backward(dh, cache, dcT)._asdict()
        for array in (dh, dcT, *cache):
            array[...] = 99
        return grads

    assert check_backward(lstm_forward, as_dict, layer) == check_backward(
        lstm_forward, lstm_backward, layer
    )
    check_backward(lstm_forward, lambda *a: list(lstm_backward(*a)), layer)
    check_backward(
        lstm_forward, lambda *a: {n[1:]: g for n, g in lstm_backward(*a)._asdict().items()}, layer
    )


@pytest.mark.parametrize(
    ("backward", "params", "message"),
    [
        (
            lambda *a: [1, 2],
            None,
            "backward must return 6 gradients, of x, h0, c0, Wx, Wh, b, got 2",
        ),
        (lambda *a: None, None, "backward must return 6 gradients, .* got NoneType"),
        (
            lambda *a: {"dx": 1},
            None,
            "gradients must have the names dx, dh0, dc0, dWx, dWh, db; missing: dh0",
        ),
        (lstm_backward, {}, "params must hold at least one array"),
    ],
)
def test_what_is_no_backward_pass_is_named(layer, backward, params, message):
    with pytest.raises(ArgumentError, match=f"^check_backward: {message}"):
        check_backward(lstm_forward, backward, layer if params is None else params)


@pytest.mark.parametrize(
    ("results", "got"), [(slice(2), "2 results"), (0, "ndarray"), (slice(0), "0 results")]
)
def test_forward_without_three_results_is_named(layer, results, got):
    with pytest.raises(ArgumentError, match=f"three results, h .*, got {got}$"):
        check_backward(lambda **p: lstm_forward(**p)[results], lstm_backward, layer)
