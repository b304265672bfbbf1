"""Programs in Keras as people bring them to a forum; see programs_torch.py."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tests.support.forum import collection

SICK, WELL, sick, well = collection()


def program(model, x, y, loss, optimizer="adam", **arguments):
    model.compile(optimizer=optimizer, loss=loss)
    return dict(model=model, batch=(x, y), **arguments)


def waves(rng, N, T, D=1):
    t = np.arange(T)[None, :, None]
    clean = np.sin(t * rng.uniform(0.2, 1.2, (N, 1, D)) + rng.uniform(0, 6, (N, 1, D)))
    return (clean + 0.05 * rng.normal(size=(N, T, D))).astype("float32")


def windows(series, T):
    x = np.stack([series[k : k + T] for k in range(len(series) - T)])[..., None]
    return x.astype("float32"), series[T:, None].astype("float32")


# Sick.


@sick("loss-wants-probabilities")
def topics_without_activation(rng):
    x = rng.integers(1, 90, (rng.integers(12, 30), rng.integers(10, 25)))
    model = keras.Sequential(
        [
            layers.Input(x.shape[1:]),
            layers.Embedding(90, 16),
            layers.Bidirectional(layers.GRU(12)),
            layers.Dense(6),
        ]
    )
    return program(model, x, x[:, 0] % 6, "sparse_categorical_crossentropy", "rmsprop")


@sick("outputs-cannot-reach-targets")
def temperatures_through_relu(rng):
    x = waves(rng, rng.integers(16, 40), rng.integers(12, 30), 3)
    model = keras.Sequential(
        [layers.Input((x.shape[1] - 1, 3)), layers.LSTM(20), layers.Dense(2, activation="relu")]
    )
    return program(model, x[:, :-1], x[:, -1, :2], "mae")


@sick("one-time-step")
def window_as_features(rng):
    series = np.sin(np.arange(90) / 4) + 0.1 * rng.normal(size=90)
    x, y = windows(series, int(rng.integers(8, 16)))
    x, y = x[:32], y[:32]
    x = x.reshape(len(x), 1, -1)
    model = keras.Sequential(
        [layers.Input(x.shape[1:]), layers.LSTM(24, activation="tanh"), layers.Dense(1)]
    )
    return program(model, x, y, "mean_squared_error")


@sick("outputs-equal-at-all-steps")
def one_tag_for_all(rng):
    x = rng.integers(1, 40, (rng.integers(10, 24), rng.integers(7, 14)))
    model = keras.Sequential(
        [
            layers.Input(x.shape[1:]),
            layers.Embedding(40, 12),
            layers.LSTM(18),
            layers.RepeatVector(x.shape[1]),
            layers.TimeDistributed(layers.Dense(4, activation="softmax")),
        ]
    )
    return program(model, x, (x % 4)[..., None], "sparse_categorical_crossentropy")


@sick("state-carried")
def stateful_for_no_reason(rng):
    N, T = int(rng.integers(8, 16)), int(rng.integers(10, 20))
    x = waves(rng, N, T, 2)
    model = keras.Sequential(
        [
            layers.Input(batch_shape=(N, T, 2)),
            layers.LSTM(14, stateful=True),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return program(
        model, x, (x[:, :, 0].mean(1) > 0).astype("float32")[:, None], "binary_crossentropy"
    )


@sick("targets-broadcast")
def every_step_against_the_last(rng):
    x = waves(rng, rng.integers(12, 30), rng.integers(10, 20), 2)
    model = keras.Sequential(
        [
            layers.Input(x.shape[1:]),
            layers.LSTM(16, return_sequences=True),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    return program(model, x, x.mean(1)[:, :1], "mse")


@sick("labels-shuffled")
def shuffled_without_their_labels(rng):
    x = waves(rng, 400, int(rng.integers(8, 14)), 2)
    y = x[:, -1, :1] * 0.8 + x[:, -2, 1:] * 0.5
    train_x, valid = x[:300], (x[300:], y[300:])
    train = train_x[rng.permutation(300)], y[:300]
    model = keras.Sequential([layers.Input(x.shape[1:]), layers.GRU(16), layers.Dense(1)])
    return program(model, train[0][:32], train[1][:32], "mse", train=train, valid=valid)


@sick("train-valid-overlap")
def windows_mixed_before_the_split(rng):
    x, y = windows(np.cumsum(rng.normal(size=420)) / 10, int(rng.integers(12, 20)))
    order = rng.permutation(len(x))
    train, valid = (x[order[:300]], y[order[:300]]), (x[order[300:]], y[order[300:]])
    model = keras.Sequential([layers.Input(x.shape[1:]), layers.LSTM(16), layers.Dense(1)])
    return program(model, train[0][:32], train[1][:32], "mse", train=train, valid=valid)


# Well.


@well
def text_and_numbers(rng):
    N, T = int(rng.integers(8, 16)), int(rng.integers(8, 14))
    words, numbers = layers.Input((T,)), layers.Input((5,))
    text = layers.LSTM(12)(layers.Embedding(30, 8, mask_zero=True)(words))
    both = layers.Concatenate()([text, layers.Dense(8, activation="relu")(numbers)])
    outputs = [layers.Dense(1)(both), layers.Dense(3, activation="softmax")(both)]
    x = [rng.integers(1, 30, (N, T)), rng.normal(size=(N, 5)).astype("float32")]
    y = [x[1][:, :1] + 0.1, x[0][:, 0] % 3]
    return program(
        keras.Model([words, numbers], outputs), x, y, ["mse", "sparse_categorical_crossentropy"]
    )


@well
def series_rebuilt(rng):
    x = waves(rng, rng.integers(8, 20), rng.integers(8, 14), 2)
    model = keras.Sequential(
        [
            layers.Input(x.shape[1:]),
            layers.LSTM(16),
            layers.RepeatVector(x.shape[1]),
            layers.LSTM(16, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    return program(model, x, x, "mae")


@well
def quantiles_of_one_number(rng):
    levels = np.array([0.1, 0.5, 0.9], "float32")

    def pinball(y, o):
        return keras.ops.mean(keras.ops.maximum(levels * (y - o), (levels - 1) * (y - o)), axis=-1)

    x = waves(rng, rng.integers(10, 24), rng.integers(10, 20))
    model = keras.Sequential([layers.Input((x.shape[1] - 1, 1)), layers.GRU(14), layers.Dense(3)])
    return program(model, x[:, :-1], x[:, -1], pinball)


# A second round, written before the doctor saw it and after the first round was examined.


@sick("reads-padding")
def zeros_behind_the_end(rng):
    N, T = int(rng.integers(10, 20)), int(rng.integers(12, 20))
    x, lengths = waves(rng, N, T, 3), rng.integers(4, T, N)
    x[np.arange(T) >= lengths[:, None]] = 0
    model = keras.Sequential(
        [layers.Input((None, 3)), layers.LSTM(16), layers.Dense(1, activation="sigmoid")]
    )
    return program(
        model, x, (x[:, 0, :1] > 0).astype("float32"), "binary_crossentropy", lengths=lengths
    )


@sick("update-too-large", "diverges")
def rate_of_a_paper_on_something_else(rng):
    x = waves(rng, rng.integers(10, 24), rng.integers(10, 20), 2)
    model = keras.Sequential([layers.Input((x.shape[1] - 1, 2)), layers.GRU(20), layers.Dense(1)])
    return program(model, x[:, :-1], x[:, -1, :1], "mse", keras.optimizers.Adam(2.0))


@sick("left-in-evaluation-mode")
def own_loop_without_training(rng):
    x = waves(rng, rng.integers(10, 20), rng.integers(8, 16), 2)
    y = (x[:, -1, 0] > 0).astype("int32")
    model = keras.Sequential(
        [layers.Input(x.shape[1:]), layers.LSTM(12), layers.Dropout(0.4), layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    def step(batch):
        with tf.GradientTape() as tape:
            value = loss(batch[1], model(batch[0]))
        optimizer.apply_gradients(
            zip(
                tape.gradient(value, model.trainable_variables),
                model.trainable_variables,
                strict=True,
            )
        )
        return value

    return program(model, x, y, loss, step=step)


@well
def masked_and_read_both_ways(rng):
    N, T = int(rng.integers(10, 20)), int(rng.integers(10, 18))
    x, lengths = waves(rng, N, T, 3), rng.integers(4, T, N)
    x[np.arange(T) >= lengths[:, None]] = -1
    model = keras.Sequential(
        [
            layers.Input((None, 3)),
            layers.Masking(-1.0),
            layers.Bidirectional(layers.LSTM(10)),
            layers.Dropout(0.2),
            layers.Dense(4, activation="softmax"),
        ]
    )
    return program(model, x, np.arange(N) % 4, "sparse_categorical_crossentropy", lengths=lengths)


def make(name, seed=0):
    keras.utils.set_random_seed(100 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(np.random.default_rng(100 + seed)), findings
