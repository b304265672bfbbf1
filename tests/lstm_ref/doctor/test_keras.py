"""The doctor on whole programs in Keras, all in this one process: tracing is what takes the
time.
"""

import random

import keras
import numpy as np
import pytest
from keras import layers

from lstm_ref import checks, doctor
from lstm_ref.doctor.subject import Options
from tests.lstm_ref.doctor import keras_well as WELL


def bits(model):
    """Everything that must be as before, bit by bit."""
    variables = [
        *model.variables,
        *model.optimizer.variables,
        *(v for m in model.metrics for v in m.variables),
    ]
    flags = [layer.trainable for layer in model._flatten_layers()]
    calls = ["call" in vars(layer) for layer in model._flatten_layers()]
    state = [random.getstate(), str(np.random.get_state()), flags, calls, model.optimizer.built]
    return [*state, *(np.asarray(v).tobytes() for v in variables)]


def examine(case):
    return doctor.examine(case["model"], case["batch"], **case["arguments"])


@pytest.mark.parametrize("name", WELL.WELL)
def test_well_programs_are_left_alone(name):
    case = WELL.make(name)
    before = bits(case["model"])
    report = examine(case)
    assert not report, str(report)
    assert bits(case["model"]) == before
    assert not [str(n) for n in report.not_examined if "stopped" in n.why]


def broken(last, loss, targets, rate=1e-3):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((12, 2)), layers.LSTM(16), last])
    model.compile(keras.optimizers.Adam(rate), loss)
    return WELL.case(model, WELL.series(), targets)


LABELS = np.arange(16) % 4


def without_a_class(target, output):
    """A loss of the reader's own, in which one class has a weight of 0."""
    target = keras.ops.cast(keras.ops.reshape(target, (-1,)), "int32")
    weight = keras.ops.take(np.array([1.0, 0.0, 2.0, 1.0], "float32"), target)
    return weight * keras.losses.sparse_categorical_crossentropy(target, output)


def likelihood(target, output):
    mean, spread = output[:, :1], keras.ops.softplus(output[:, 1:]) + 1e-3
    return -keras.ops.mean(((target - mean) / spread) ** 2 / 2 + keras.ops.log(spread), -1)


SICK = {
    "label-without-gradient": lambda: broken(
        layers.Dense(4, activation="softmax"), without_a_class, LABELS
    ),
    "loss-negative": lambda: broken(layers.Dense(2), likelihood, WELL.series()[:, -1, :1] + 1),
    "dropout-on-outputs": lambda: broken(
        keras.Sequential([layers.Dense(4), layers.Dropout(0.5)]),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
    ),
    "loss-wants-probabilities": lambda: broken(
        layers.Dense(4), "sparse_categorical_crossentropy", LABELS
    ),
    "loss-wants-logits": lambda: broken(
        layers.Dense(4, activation="softmax"),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
    ),
    "one-output-softmax": lambda: broken(
        layers.Dense(1, activation="softmax"),
        "binary_crossentropy",
        (LABELS % 2)[:, None].astype("float32"),
    ),
    "outputs-cannot-reach-targets": lambda: broken(
        layers.Dense(1, activation="sigmoid"), "mse", 3 * WELL.series()[:, -1, :1]
    ),
    "targets-badly-scaled": lambda: broken(
        layers.Dense(1), "mse", 500 + 50 * WELL.series()[:, -1, :1]
    ),
}


@pytest.mark.filterwarnings("ignore:You are using a softmax")
@pytest.mark.parametrize("id", SICK)
def test_sick_programs_are_named(id):
    case = SICK[id]()
    before = bits(case["model"])
    report = examine(case)
    assert report.ids[:1] == (id,), str(report)
    assert bits(case["model"]) == before


def test_ctrl_c_leaves_everything_as_it_was():
    case = WELL.make("classes_softmax")
    model, calls = case["model"], []
    original = model.compute_loss

    def stops(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    object.__setattr__(model, "compute_loss", stops)
    before = bits(model)
    with pytest.raises(KeyboardInterrupt):
        examine(case)
    assert bits(model) == before


def test_ctrl_c_leaves_a_normalisation_as_it_was(monkeypatch):
    case = WELL.make("batch_norm_in_front_of_prices")
    model = case["model"]

    def stops(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(layers.Dense, "call", stops)
    before, momentum = bits(model), model.layers[0].momentum
    with pytest.raises(KeyboardInterrupt):
        examine(case)
    assert bits(model) == before and model.layers[0].momentum == momentum > 0


def test_a_callback_examines_once_before_the_first_step():
    case = broken(layers.Dense(4), "sparse_categorical_crossentropy", LABELS)
    shown = []
    callback = doctor.keras_callback(case["batch"], show=shown.append)
    for _ in range(2):
        case["model"].fit(*case["batch"], verbose=0, callbacks=[callback])
    assert shown == [callback.report] and shown[0].ids[0] == "loss-wants-probabilities"


def test_gradient_errors_of_a_layer_of_keras_are_rounding_and_its_weights_stay():
    keras.utils.set_random_seed(0)
    layer, x = layers.GRU(5), WELL.series()[:3]
    layer.build(x.shape)
    before = [v.numpy().tobytes() for v in layer.weights]
    errors = checks.gradient_errors(layer, x)
    assert len(errors) == 4 and max(errors.values()) < 2e-2
    assert [v.numpy().tobytes() for v in layer.weights] == before


class OwnCall(keras.Model):
    """Hands no training flag on: Keras does."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def stepped(kind):
    """A program whose step is fit's own, or a loop of the reader's with one mistake."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    parts = [layers.Input((12, 2)), layers.LSTM(8), layers.Dropout(0.3), layers.Dense(4)]
    model = OwnCall(parts[1:]) if kind == "own_call" else keras.Sequential(parts)
    model(WELL.series())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    optimizer = keras.optimizers.SGD(0.01)
    if kind != "unbuilt":
        optimizer.build(model.trainable_variables)

    def by_hand(batch):
        x, y = batch
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=kind != "evaluation"))
        grads = tape.gradient(value, model.trainable_variables)
        pairs = list(zip(grads, model.trainable_variables, strict=True))
        if kind != "no_step":
            optimizer.apply_gradients(pairs[-2:] if kind == "head" else pairs)
        return value

    step = by_hand if kind != "fit" else lambda batch: model.train_on_batch(*batch)
    return WELL.case(model, WELL.series(), LABELS, step=step)


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("fit", ()),
        ("by_hand", ()),
        ("no_step", ("no-update",)),
        ("head", ("weights-stand-still",)),
        ("evaluation", ("left-in-evaluation-mode",)),
        ("own_call", ()),
    ],
)
def test_a_loop_is_examined_and_put_back(kind, ids):
    case = stepped(kind)
    before = bits(case["model"])
    report = examine(
        {**case, "arguments": {**case["arguments"], "skip": ("training", "data", "reach")}}
    )
    assert report.ids == ids, str(report)
    assert bits(case["model"]) == before
    assert "training loop" in report.ran


def test_an_optimizer_without_variables_is_asked_for():
    case = stepped("unbuilt")
    report = examine(
        {
            **case,
            "arguments": {**case["arguments"], "skip": ("training", "data", "reach", "gradients")},
        }
    )
    assert any(
        "optimizer.build(model.trainable_variables)" in entry.why for entry in report.not_examined
    )


@pytest.mark.parametrize("seed", [3, 4])
def test_a_loop_is_examined_with_the_same_random_numbers_whatever_was_drawn_before(seed):
    def step(batch):
        return np.random.random() + float(keras.random.uniform(())) + random.random()

    model = broken(layers.Dense(4), "mse", LABELS)["model"]
    x, y = WELL.series(), np.zeros((16, 4))
    logs = []
    for drawn in (seed, seed + 10):
        keras.utils.set_random_seed(drawn)
        before = random.getstate(), str(np.random.get_state())
        subject = doctor._subject(model, (x, y), None, None, Options(step=step), None)
        logs.append(subject.audit(step).losses)
        assert (random.getstate(), str(np.random.get_state())) == before
    assert logs[0] == logs[1] and len(set(logs[0])) > 1
