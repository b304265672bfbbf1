"""One loop, three engines: the same losses, and a run that goes on as if it had never stopped."""

import io
import os
import random
import signal
import sys

import numpy as np
import pytest

from lstm_ref import (
    ArgumentError,
    NotFiniteError,
    cross_entropy,
    dropout_forward,
    init_affine,
    init_lstm,
    lstm_backward,
    lstm_forward,
)
from lstm_ref.data import batches
from lstm_ref.learn.schedules import PlateauState, plateau, step_decay
from lstm_ref.train import (
    CheckpointError,
    DivergedError,
    History,
    NumpyEngine,
    mean_loss,
    set_seed,
    train,
)
from lstm_ref.train import checkpoint as checkpoint_file

pytestmark = pytest.mark.kernels

V, H, N, T = 6, 5, 3, 4
IDS = np.random.default_rng(0).integers(0, V, 100)
PER_PASS = (len(IDS) - 1) // N // T
# all but seconds
KEPT = ("loss", "lr", "grad_norm", "clipped", "update_ratio", "validation", "best")


def start_weights(dtype=np.float64):
    rng = np.random.default_rng(1)
    affine = init_affine(rng, H, V, dtype)
    return {**init_lstm(rng, V, H, dtype=dtype), "Wy": affine["W"], "by": affine["b"]}


def text():
    return batches(IDS, N, T)


def numpy_step(params, batch, state):
    x, y = batch
    state = (np.zeros((len(x), H)),) * 2 if state is None else state
    h, state, cache = lstm_forward(np.eye(V)[x], *state, params["Wx"], params["Wh"], params["b"])
    loss, dlogits = cross_entropy(h @ params["Wy"] + params["by"], y)
    lstm = lstm_backward(dlogits @ params["Wy"].T, cache)
    dWy = np.einsum("nth,ntv->hv", h, dlogits)
    grads = {"Wx": lstm.dWx, "Wh": lstm.dWh, "b": lstm.db, "Wy": dWy, "by": dlogits.sum((0, 1))}
    return loss, grads, state


def numpy_engine(optimiser="adam", **options):
    return NumpyEngine(start_weights(), numpy_step, optimiser, carry=True, **options)


def torch_engine(optimiser=None, dropout=0.0, dtype=np.float64):
    import torch
    from torch import nn

    from lstm_ref.frameworks.torch import torch_lstm
    from lstm_ref.train import TorchEngine

    params = start_weights(dtype)
    model = nn.ModuleDict(
        {
            "lstm": torch_lstm({name: params[name] for name in ("Wx", "Wh", "b")}),
            "drop": nn.Dropout(dropout),
            "norm": nn.BatchNorm1d(V, dtype=torch.get_default_dtype())
            if dropout
            else nn.Identity(),
            "affine": nn.Linear(H, V, dtype=getattr(torch, np.dtype(dtype).name)),
        }
    )
    with torch.no_grad():
        model["affine"].weight.copy_(torch.from_numpy(params["Wy"].T))
        model["affine"].bias.copy_(torch.from_numpy(params["by"]))

    def step(model, batch, state):
        x, y = batch
        h, state = model["lstm"](torch.eye(V, dtype=model["affine"].weight.dtype)[x], state)
        logits = model["norm"](model["affine"](model["drop"](h)).flatten(0, 1))
        return nn.functional.cross_entropy(logits, y.flatten()), state

    return TorchEngine(model, step, optimiser and optimiser(model), carry=True)


def keras_engine(optimiser=None, dropout=0.0, **options):
    import keras
    import tensorflow as tf

    from lstm_ref.frameworks.keras import keras_lstm
    from lstm_ref.train import KerasEngine

    params = start_weights()
    lstm = keras_lstm({name: params[name] for name in ("Wx", "Wh", "b")})
    drop = keras.layers.Dropout(dropout, seed=3, dtype="float64")
    affine = {
        "Wy": keras.Variable(params["Wy"], dtype="float64"),
        "by": keras.Variable(params["by"], dtype="float64"),
    }
    model = {"lstm": lstm, "drop": drop, "affine": affine}

    def step(model, batch, state, training):
        x, y = batch
        state = [tf.zeros((x.shape[0], H), tf.float64)] * 2 if state is None else list(state)
        h, *state = model["lstm"](tf.one_hot(x, V, dtype=tf.float64), initial_state=state)
        logits = (
            model["drop"](h, training=training) @ model["affine"]["Wy"].value
            + model["affine"]["by"].value
        )
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)), tuple(
            state
        )

    return KerasEngine(model, step, optimiser, carry=True, **options)


def same(history, other):
    """Whether two histories agree to the bit, in all but time."""
    return all(getattr(history, name) == getattr(other, name) for name in KEPT)


# --- three engines


def test_three_engines_give_the_same_losses():
    import keras
    import torch

    # Numbers that float32 can hold, to which Keras rounds them, and an epsilon too small to show
    # that it adds it elsewhere.
    options = {
        "steps": 40,
        "lr": lambda k: 2.0**-5 if k < 20 else 2.0**-6,
        "clip": 0.3,
        "validation": text,
    }
    beta1, beta2, eps = 0.875, 1 - 2.0**-8, 1e-15

    def torch_adam(model):
        trained = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.Adam(trained, betas=(beta1, beta2), eps=eps)

    keras_adam = keras.optimizers.Adam(beta_1=beta1, beta_2=beta2, epsilon=eps)
    reference = train(numpy_engine(beta1=beta1, beta2=beta2, eps=eps), text, **options)
    assert reference.loss[-1] < reference.loss[0] - 0.05 and 0 < reference.clipped_share < 1
    assert [step for step, _ in reference.validation] == [8, 16, 24, 32, 40]
    for engine in (torch_engine(torch_adam), keras_engine(keras_adam, compile=True)):
        history = train(engine, text, **options)
        for name in ("loss", "grad_norm", "update_ratio", "validation"):
            got, expected = getattr(history, name), getattr(reference, name)
            np.testing.assert_allclose(
                got, expected, rtol=0, atol=1e-8, err_msg=f"{type(engine)} {name}"
            )
        assert history.clipped == reference.clipped and history.lr == reference.lr


def test_state_is_carried_over_a_pass_and_begins_anew_with_the_next():
    still = {"steps": 2 * PER_PASS, "lr": 1e-300}
    history = train(numpy_engine("sgd"), text, **still)
    length = (len(IDS) - 1) // N
    lanes = IDS[: N * length].reshape(N, length)[:, : PER_PASS * T]
    targets = IDS[1 : N * length + 1].reshape(N, length)[:, : PER_PASS * T]
    p = start_weights()
    h, _, _ = lstm_forward(np.eye(V)[lanes], *(np.zeros((N, H)),) * 2, p["Wx"], p["Wh"], p["b"])
    logits = h @ p["Wy"] + p["by"]
    pieces = [slice(k, k + T) for k in range(0, PER_PASS * T, T)]
    expected = [cross_entropy(logits[:, part], targets[:, part])[0] for part in pieces]
    np.testing.assert_allclose(history.loss, 2 * expected, rtol=1e-12)
    np.testing.assert_allclose(train(torch_engine(), text, **still).loss, 2 * expected, rtol=1e-12)


# --- going on


def unruly(rng):
    """Batches in an order, and with a character, that four generators draw: some as the pass
    begins, some batch by batch.
    """

    def one_pass():
        everything = list(text())
        for k in rng.permutation(len(everything)):
            x, y = everything[k]
            x[0, 0] = (rng.integers(V) + random.randrange(V) + np.random.randint(V)) % V
            yield x, y

    return one_pass


def kept_engine(kind, rng):
    """Engine whose step drops at random; in NumPy with the given generator."""
    if kind == "numpy":

        def step(params, batch, state, training):
            loss, grads, state = numpy_step(params, batch, state)
            noise, _ = dropout_forward(np.ones((1, 9)), 0.5, rng, training=training)
            return loss * noise.mean(), {name: g * noise.mean() for name, g in grads.items()}, state

        return NumpyEngine(start_weights(), step, carry=True)
    return (
        torch_engine(dropout=0.5, dtype=np.float32)
        if kind == "torch"
        else keras_engine(dropout=0.5)
    )


@pytest.mark.parametrize("kind", ["numpy", "torch", "keras"])
def test_a_run_that_stops_after_every_step_and_goes_on_is_the_unbroken_run(kind, tmp_path):
    if kind != "numpy":
        pytest.importorskip(kind, reason="before seeds are set: its import draws random numbers")
    # Keras takes a second for each engine
    steps = PER_PASS + 3 if kind == "keras" else 2 * PER_PASS + 3

    def run(upto, **options):
        rng, dropout_rng = set_seed(5).spawn(2)
        engine = kept_engine(kind, dropout_rng)
        history = train(
            engine,
            unruly(rng),
            steps=upto,
            lr=lambda k: 0.05 / (1 + k),
            clip=0.2,
            validation=text,
            validate_every=3,
            patience=100,
            rng=[rng, dropout_rng],
            **options,
        )
        return engine, history

    unbroken, expected = run(steps)
    for k in range(1, steps + 1):
        set_seed(99)
        engine, history = run(k, checkpoint=tmp_path / "run", resume=True)
        # Measured once more at its end, which the run that goes on must not know.
        assert history.steps == k and history.loss == expected.loss[:k], k
    assert same(history, expected)
    assert any(history.clipped) and len(set(history.loss)) == steps
    for name, array in unbroken.weights().items():
        assert np.array_equal(np.asarray(engine.weights()[name]), np.asarray(array)), name


def test_batches_and_step_that_draw_in_turn_from_one_generator_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    with pytest.raises(
        ArgumentError,
        match="drawn one by one need a generator of their own, .* theirs, too: rng 0; use two",
    ):
        train(kept_engine("numpy", rng), unruly(rng), steps=9, rng=rng, checkpoint=tmp_path / "run")

    def order():
        return [list(text())[k] for k in rng.permutation(PER_PASS)]

    train(
        kept_engine("numpy", rng), order, steps=9, rng=rng, checkpoint=tmp_path / "run", resume=True
    )
    assert (
        train(
            kept_engine("numpy", rng),
            order,
            steps=11,
            rng=rng,
            checkpoint=tmp_path / "run",
            resume=True,
        ).steps
        == 11
    )


def test_control_c_while_data_are_fetched_returns_what_there_is_and_the_run_goes_on(tmp_path):
    pytest.importorskip("torch", reason="before seeds are set: its import draws random numbers")

    def run(stop_at, **options):
        rng = set_seed(5)

        def fetched():
            for number, batch in enumerate(unruly(rng)()):
                if number == stop_at:
                    raise KeyboardInterrupt
                yield batch

        engine = kept_engine("torch", rng)
        return engine, train(
            engine, fetched, steps=PER_PASS + 4, lr=0.01, validation=text, rng=rng, **options
        )

    _, expected = run(None)
    engine, history = run(5, checkpoint=tmp_path / "run")
    assert (
        history.stopped == "interrupted"
        and history.steps == 5
        and history.loss == expected.loss[:5]
    )
    assert all(
        len(getattr(history, name)) == 5
        for name in ("lr", "grad_norm", "clipped", "update_ratio", "seconds")
    )
    assert all(np.isfinite(np.asarray(w)).all() for w in engine.weights().values())
    _, history = run(None, checkpoint=tmp_path / "run", resume=True)
    assert history.stopped == "steps" and same(history, expected)


def test_control_c_within_a_step_waits_for_its_end_and_a_second_one_does_not():
    pressed = []

    def step(params, batch, state):
        pressed.append(batch)
        if len(pressed) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return numpy_step(params, batch, state)

    handler = signal.getsignal(signal.SIGINT)
    engine = NumpyEngine(start_weights(), step, carry=True)
    history = train(engine, text, steps=20)
    assert history.stopped == "interrupted" and history.steps == 4 and len(pressed) == 4
    plain = numpy_engine()
    train(plain, text, steps=4)
    assert all(np.array_equal(array, engine.model[name]) for name, array in plain.model.items())

    heard = []

    def impatient(params, batch, state):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        heard.append(False)

    assert (
        train(NumpyEngine(start_weights(), impatient, carry=True), text, steps=1).steps == 0
        and not heard
    )
    assert signal.getsignal(signal.SIGINT) is handler


def test_control_c_while_it_is_measured_loses_no_measurement(tmp_path):
    measured = []

    def evaluate(params):
        measured.append(1)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return float(params["by"].sum())

    options = {
        "steps": 12,
        "evaluate": evaluate,
        "validate_every": 4,
        "checkpoint": tmp_path / "run",
    }
    history = train(numpy_engine(), text, **options)
    assert (
        history.stopped == "interrupted"
        and [k for k, _ in history.validation] == [4]
        and history.steps == 8
    )
    history = train(numpy_engine(), text, **options, resume=True)
    assert [k for k, _ in history.validation] == [4, 8, 12]


# --- validation


def test_learning_rate_may_follow_the_validation_loss():
    def falling(taken, history):
        state = PlateauState(0.1)
        for _, loss in history.validation:
            state = plateau(state, loss, factor=0.5, patience=0)
        return state.lr

    scores = iter([1.0, 2.0, 0.5, 3.0])
    options = {"evaluate": lambda params: next(scores), "validate_every": 2}
    history = train(numpy_engine(), text, steps=8, lr=falling, **options)
    assert history.lr == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]
    history = train(
        numpy_engine(), text, steps=3, lr=lambda k, top=0.5: step_decay(k, top, every=2)
    )
    assert history.lr == [0.5, 0.5, 0.05]


def test_early_stopping_puts_the_best_weights_back():
    scores, seen = iter([3.0, 2.0, 2.5, 2.0, 2.25, 1.0]), []

    def evaluate(params):
        seen.append({name: array.copy() for name, array in params.items()})
        return next(scores)

    engine = numpy_engine()
    history = train(engine, text, steps=1000, evaluate=evaluate, validate_every=2, patience=3)
    assert history.stopped == "patience" and history.steps == 10  # an equal score is no better one
    assert history.validation == [
        (2, 3.0),
        (4, 2.0),
        (6, 2.5),
        (8, 2.0),
        (10, 2.25),
    ] and history.best == (4, 2.0)
    assert all(np.array_equal(array, seen[1][name]) for name, array in engine.model.items())
    assert not np.array_equal(seen[-1]["Wh"], seen[1]["Wh"])


def test_a_stopped_run_that_goes_on_stays_stopped(tmp_path):
    def run(**options):
        engine = numpy_engine()
        scores = iter([1.0, 2.0, 3.0, 4.0])

        def evaluate(params):
            return next(scores)

        options |= {"evaluate": evaluate, "patience": 2, "checkpoint": tmp_path / "run"}
        return engine, train(engine, text, steps=100, **options)

    first, history = run()
    second, again = run(resume=True)
    assert history.stopped == again.stopped == "patience" and same(history, again)
    assert all(np.array_equal(array, second.model[name]) for name, array in first.model.items())


def test_validation_drops_nothing_and_changes_nothing():
    engine = torch_engine(dropout=0.9, dtype=np.float32)
    engine.model["norm"].eval()  # frozen on purpose
    before = engine.weights()
    assert mean_loss(engine, text) == mean_loss(engine, text)
    assert engine.model["drop"].training and not engine.model["norm"].training
    assert all(before[name].equal(tensor) for name, tensor in engine.weights().items())


def test_mean_loss_weighs_batches_by_their_examples():
    engine = NumpyEngine(
        {"w": np.ones(1)},
        lambda params, batch: (batch[0].mean(), params),
        loss=lambda p, b: b[0].mean(),
    )
    assert mean_loss(engine, lambda: iter([(np.ones(3), 0), (np.full(1, 5.0), 0)])) == 2.0


# --- gradients


@pytest.mark.parametrize(
    "make", [lambda: numpy_engine("sgd"), lambda: torch_engine(torch_sgd)], ids=["numpy", "torch"]
)
def test_clipping_changes_the_length_and_not_the_direction(make):
    moved = {}
    for clip in (None, 0.01):
        engine = make()
        before = engine.weights()
        history = train(engine, text, steps=1, lr=1.0, clip=clip)
        moved[clip] = np.concatenate(
            [
                np.ravel(np.asarray(before[name]) - np.asarray(new))
                for name, new in engine.weights().items()
            ]
        ).astype(np.float64)
        assert history.clipped == [clip is not None]
        # before it was clipped
        assert np.isclose(history.grad_norm[0], np.linalg.norm(moved[None]), rtol=1e-10)
        assert np.isclose(
            history.update_ratio[0], np.linalg.norm(moved[clip]) / norm_of(before), rtol=1e-10
        )
    assert np.isclose(np.linalg.norm(moved[0.01]), 0.01, rtol=1e-10)
    np.testing.assert_allclose(
        moved[0.01] / 0.01, moved[None] / np.linalg.norm(moved[None]), rtol=0, atol=1e-12
    )


def torch_sgd(model):
    import torch

    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad])


def norm_of(weights):
    arrays = [np.asarray(array) for name, array in weights.items() if "bias_hh" not in name]
    return np.sqrt(sum(float((array**2).sum()) for array in arrays))


def test_length_of_gradients_whose_squares_overflow():
    import torch

    huge = {"a": np.array([3e38, 0.0], np.float32), "b": np.array([1e38], np.float32)}
    assert np.isclose(numpy_engine().norm(huge), np.sqrt(10) * 1e38)
    assert np.isclose(
        torch_engine().norm({name: torch.from_numpy(a) for name, a in huge.items()}),
        np.sqrt(10) * 1e38,
    )
    assert (
        numpy_engine().norm({"a": np.zeros(2)}) == 0.0
        and numpy_engine().norm({"a": np.array([np.inf])}) == np.inf
    )


# --- what goes wrong


def poisoned(at, value=np.nan, where="loss"):
    """A step whose loss, or a gradient, is not finite at call number ``at``."""
    calls = []

    def step(params, batch, state):
        calls.append(1)
        loss, grads, state = numpy_step(params, batch, state)
        if len(calls) == at:
            loss, grads = (
                (value, grads) if where == "loss" else (loss, {**grads, "Wh": grads["Wh"] + value})
            )
        return loss, grads, state

    return step


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "loss",
            (
                r"train: step 4: the loss is nan\. The model holds the weights before the last "
                r"update, whose loss was 1\."
            ),
        ),
        (
            "gradient",
            (
                r"step 4: the loss is 1\.\d+, but the length of its gradients is nan\. .* not "
                r"clipped: .* and clip=1\.0"
            ),
        ),
    ],
)
def test_training_stops_at_what_is_not_finite_and_keeps_the_last_good_weights(where, message):
    engine = NumpyEngine(start_weights(), poisoned(4, where=where), carry=True)
    with pytest.raises(DivergedError, match=message) as caught:
        train(engine, text, steps=20)
    good = numpy_engine()
    train(good, text, steps=2)  # its loss was finite; that of the third step's weights was not
    assert caught.value.history.steps == 3 and isinstance(caught.value, NotFiniteError)
    assert all(np.array_equal(array, engine.model[name]) for name, array in good.model.items())


def test_the_message_says_where_to_look():
    with pytest.raises(DivergedError, match="It is the first step: look at the initial weights"):
        train(NumpyEngine(start_weights(), poisoned(1), carry=True), text, steps=2)
    with pytest.raises(DivergedError, match="the validation loss is nan"):
        train(numpy_engine(), text, steps=2, evaluate=lambda params: np.nan)
    with pytest.raises(
        DivergedError,
        match=r"lstm_forward: x must be finite.* The batch itself holds NaN .* in array 0",
    ):

        def step(params, batch):
            h, _, _ = lstm_forward(
                batch[0], *(np.zeros((1, H)),) * 2, params["Wx"], params["Wh"], params["b"]
            )
            return 0.0, {}

        train(NumpyEngine(start_weights(), step), [(np.full((1, 2, V), np.nan), 1)], steps=2)


def test_training_that_explodes_is_stopped():
    engine = NumpyEngine(
        {"w": np.ones(1)},
        lambda params, batch: (params["w"][0] ** 2, {"w": 2 * params["w"]}),
        "sgd",
    )
    with (
        np.errstate(over="ignore"),
        pytest.raises(DivergedError, match="try a tenth of the learning rate"),
    ):
        train(engine, [0], steps=2000, lr=3.0)
    assert np.isfinite(engine.model["w"]).all() and np.isfinite(engine.model["w"] ** 2).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "train: batches gave no batch"),
        (lambda: [], "train: batches gave no batch"),
        (
            iter([1, 2]),
            "train: batches can be gone through only once, got list_iterator; give a function",
        ),
        (
            3,
            (
                "train: batches must be a list of batches, or a function that gives those of one "
                "pass, got int"
            ),
        ),
    ],
)
def test_data_that_are_none_are_named(data, message):
    with pytest.raises(ArgumentError, match=message):
        train(numpy_engine(), data, steps=3)


def test_an_iterator_that_is_used_up_is_noticed_in_the_second_pass():
    used = text()
    with pytest.raises(ArgumentError, match="is an iterator used up"):
        train(numpy_engine(), lambda: used, passes=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "train: give steps or passes"),
        ({"steps": 0}, "train: steps must be a whole number above 0, got 0"),
        ({"passes": 1.5}, "train: passes must be a whole number above 0, got 1.5"),
        ({"steps": 1, "lr": -1}, "train: lr must be a number above 0, got -1"),
        ({"steps": 1, "lr": "fast"}, "train: lr must be a number above 0, got 'fast'"),
        (
            {"steps": 3, "lr": lambda k: 0.0},
            "train: lr must be a number above 0 at every step, got 0.0",
        ),
        ({"steps": 1, "clip": 0}, "train: clip must be a number above 0, got 0"),
        ({"steps": 1, "patience": 2}, "train: patience needs something to measure"),
        ({"steps": 1, "validate_every": 2}, "train: validate_every needs something to measure"),
        (
            {"steps": 1, "validation": text, "evaluate": len},
            "train: give validation or evaluate, not both",
        ),
        ({"steps": 1, "evaluate": 3}, "train: evaluate must be a function of the model, got int"),
        ({"steps": 1, "rng": [np.random]}, "train: rng must be a numpy.random.Generator"),
        (
            {"steps": 1, "resume": True},
            "train: resume=True needs the file to go on with; give checkpoint",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(options, message):
    with pytest.raises(ArgumentError) as caught:
        train(numpy_engine(), text, **options)
    assert message in str(caught.value)


def test_engines_name_what_does_not_fit():
    import torch

    from lstm_ref.train import TorchEngine

    p, line = start_weights(), torch.nn.Linear(2, 1)
    with pytest.raises(
        ArgumentError, match="engine must be a NumpyEngine, TorchEngine or KerasEngine, got Linear"
    ):
        train(line, text, steps=1)
    with pytest.raises(
        ArgumentError,
        match=r"step must take \(model, batch\), got numpy_step\(params, batch, state\); .* carry",
    ):
        NumpyEngine(p, numpy_step)
    with pytest.raises(
        ArgumentError, match="params must be a dict of arrays with at least one, got dict"
    ):
        NumpyEngine({}, numpy_step, carry=True)
    with pytest.raises(
        ArgumentError, match="there is no optimiser 'adamant'; there are: adam, .*sgd"
    ):
        NumpyEngine(p, numpy_step, "adamant", carry=True)
    with pytest.raises(
        ArgumentError, match=r"step must return \(loss, grads, state\), got 2 of them"
    ):
        train(NumpyEngine(p, lambda params, batch, state: (0.0, params), carry=True), text, steps=1)
    with pytest.raises(
        ArgumentError, match="train: step: grads must have the names .* missing: Wx"
    ):
        train(NumpyEngine(p, lambda params, batch: (0.0, {"Wh": p["Wh"]})), text, steps=1)
    with pytest.raises(
        ArgumentError, match="the loss as a tensor .* got a tensor of shape \\(\\) without a graph"
    ):
        train(
            TorchEngine(line, lambda model, batch: model(torch.ones(1, 2)).sum().detach()),
            [0],
            steps=1,
        )
    with pytest.raises(
        ArgumentError,
        match="optimiser must hold every parameter .* missing: weight, bias; is it another model's",
    ):
        TorchEngine(line, len, torch.optim.SGD(torch.nn.Linear(2, 1).parameters()))
    other = torch.nn.Linear(2, 1)
    with pytest.raises(
        ArgumentError, match="a loss that depends on the trained parameters of the model"
    ):
        train(TorchEngine(line, lambda model, batch: other(torch.ones(1, 2)).sum()), [0], steps=1)
    with pytest.raises(
        ArgumentError, match=r"must have one learning rate, because train sets it, got 0\.1, 0\.2"
    ):
        groups = [{"params": [line.weight], "lr": 0.1}, {"params": [line.bias], "lr": 0.2}]
        TorchEngine(line, lambda model, batch: 0, torch.optim.SGD(groups))
    with pytest.raises(ArgumentError, match="model has no parameter to train, got Dropout"):
        TorchEngine(torch.nn.Dropout(), lambda model, batch: 0)


# --- checkpoints


@pytest.fixture
def run_file(tmp_path):
    train(numpy_engine(), text, steps=3, checkpoint=tmp_path / "run")
    return tmp_path / "run"


def go_on(path, engine=None, data=text, **options):
    return train(engine or numpy_engine(), data, steps=6, checkpoint=path, resume=True, **options)


def test_a_damaged_or_foreign_file_is_refused(run_file):
    content = run_file.read_bytes()
    flipped = [
        content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :]
        for k in range(0, len(content), len(content) // 60)
    ]
    for wrong in [
        b"",
        content[:-1],
        content[: len(content) // 2],
        b"PK\x03\x04 of somebody else",
        *flipped,
    ]:
        run_file.write_bytes(wrong)
        with pytest.raises(CheckpointError, match=r"is (damaged|not a checkpoint)"):
            go_on(run_file)


def test_a_checkpoint_of_another_model_or_of_other_data_is_refused(run_file):
    with pytest.raises(
        CheckpointError, match="belongs to another model: optimiser is adam there and sgd here"
    ):
        go_on(run_file, numpy_engine("sgd"))
    with pytest.raises(
        CheckpointError, match="another model: engine is NumpyEngine there and TorchEngine here"
    ):
        go_on(run_file, torch_engine())
    wider = NumpyEngine({**start_weights(), "Wy": np.zeros((H, V + 1))}, numpy_step, carry=True)
    with pytest.raises(
        CheckpointError, match=r"Wy is \(5, 6\) float64 there and \(5, 7\) float64 here"
    ):
        go_on(run_file, wider)
    with pytest.raises(
        CheckpointError, match="the batches are not those that the checkpoint was written with"
    ):
        go_on(run_file, data=lambda: batches(IDS[::-1], N, T))
    with pytest.raises(CheckpointError, match="the batches are not those"):
        go_on(run_file, data=lambda: batches(IDS[:30], N, T))
    with pytest.raises(CheckpointError, match="written with 0 generators as rng, got 1"):
        go_on(run_file, rng=np.random.default_rng(0))


def test_a_run_is_not_overwritten_by_chance(run_file):
    content = run_file.read_bytes()
    with pytest.raises(
        ArgumentError, match="holds a run already; use resume=True to go on with it, or delete it"
    ):
        train(numpy_engine(), text, steps=3, checkpoint=run_file)
    assert run_file.read_bytes() == content


def test_a_program_that_dies_while_it_writes_leaves_the_old_file_whole(run_file, monkeypatch):
    content = run_file.read_bytes()

    class Dying(io.FileIO):
        def write(self, data):
            super().write(data[: len(data) // 2])
            raise OSError("no space left on device")

    monkeypatch.setattr(
        checkpoint_file, "open", lambda path, mode: Dying(path, mode), raising=False
    )
    with pytest.raises(OSError, match="no space left"):
        go_on(run_file)
    assert run_file.read_bytes() == content and list(run_file.parent.iterdir()) == [run_file]
    monkeypatch.undo()

    def moved(source, target):
        # the new one is whole before it is moved
        assert checkpoint_file.read_checkpoint(source) and target == run_file
        raise OSError("interrupted")

    monkeypatch.setattr(os, "replace", moved)
    with pytest.raises(OSError, match="interrupted"):
        go_on(run_file)
    assert run_file.read_bytes() == content and list(run_file.parent.iterdir()) == [run_file]


def test_every_type_that_torch_trains_with_survives_a_checkpoint(tmp_path):
    import torch

    from lstm_ref.train import TorchEngine

    def run(steps):
        set_seed(0)
        model = torch.nn.Linear(2, 1, dtype=torch.bfloat16)
        optimiser = torch.optim.SGD(model.parameters(), momentum=0.9)
        engine = TorchEngine(
            model, lambda model, batch: model(torch.ones(1, 2).bfloat16()).square().sum(), optimiser
        )
        return engine, train(engine, [0], steps=steps, checkpoint=tmp_path / "run", resume=True)

    run(2)
    engine, history = run(4)
    (tmp_path / "run").unlink()
    unbroken, expected = run(4)
    assert history.loss == expected.loss and engine.model.weight.equal(unbroken.model.weight)


def test_what_a_checkpoint_cannot_hold_is_named(tmp_path):
    with pytest.raises(ArgumentError, match="a checkpoint can hold .* got set"):
        checkpoint_file.write_checkpoint(tmp_path / "run", {"state": {1, 2}})
    tree = {
        "a": (1, [2.5, None, True]),
        3: {"x": np.arange(3)},
        "inf": float("inf"),
        "big": 2**100,
        "one": np.float32(0.5),
    }
    checkpoint_file.write_checkpoint(tmp_path / "run", tree)
    found = checkpoint_file.read_checkpoint(tmp_path / "run")
    assert found[3]["x"].tolist() == [0, 1, 2] and found.pop(3) and tree.pop(3) and found == tree


# --- history, seeds, progress


def test_history_keeps_every_step():
    history = train(numpy_engine(), text, passes=2, lr=lambda k: 0.1 / (k + 1), validation=text)
    assert history.stopped == "passes" and history.steps == 2 * PER_PASS
    assert history.lr == [0.1 / (k + 1) for k in range(history.steps)] and [
        k for k, _ in history.validation
    ] == [8, 16]
    assert all(s > 0 for s in history.seconds) and all(0 < r < 1 for r in history.update_ratio)
    assert History.from_dict(history.as_dict()) == history
    assert repr(History()) == "0 steps" and history.best == min(
        history.validation, key=lambda pair: pair[1]
    )


def test_a_seed_repeats_what_every_library_draws():
    import torch

    def draw():
        return set_seed(7).random(), random.random(), np.random.random(), torch.rand(1).item()

    assert (
        draw()
        == draw()
        != (set_seed(8).random(), random.random(), np.random.random(), torch.rand(1).item())
    )
    with pytest.raises(ArgumentError, match="set_seed: seed must be a whole number"):
        set_seed(-1)


def test_a_bar_is_shown_where_it_is_asked_for_and_nowhere_else(capfd):
    train(numpy_engine(), text, steps=3)
    train(numpy_engine(), text, steps=3, progress=False)
    assert capfd.readouterr() == ("", "")  # stderr is a file here, no terminal
    train(numpy_engine(), text, steps=3, progress=True)
    assert "3/3" in capfd.readouterr().err


def test_neither_torch_nor_keras_is_imported_before_it_is_asked_for():
    import subprocess

    code = (
        "import sys, lstm_ref.train as t; print(*{'torch', 'keras'} & set(sys.modules)); "
        "t.TorchEngine; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split("\n") == ["", "True", ""]
    with pytest.raises(ImportError, match="JaxEngine"):
        from lstm_ref.train import JaxEngine  # noqa: F401
