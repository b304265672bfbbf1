"""Programs in Keras that are well, of unlike styles; the doctor must find nothing in any of
them.
"""

import keras
import numpy as np
from keras import layers

WELL = {}


def well(make):
    WELL[make.__name__] = make
    return make


def case(model, x, y, **arguments):
    return dict(model=model, batch=(x, y), loss=None, optimizer=None, arguments=arguments)


def series(N=16, T=12, D=2, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(T)[None, :, None] * rng.uniform(0.2, 1, (N, 1, D))
    return (np.sin(t + 6 * rng.uniform(size=(N, 1, D))) + 0.1 * rng.normal(size=(N, T, D))).astype(
        "float32"
    )


def padded(N=16, T=10, V=20, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(1, V, (N, T))
    for n in range(1, N):
        x[n, rng.integers(3, T) :] = 0
    return x


@well
def forecast():
    model = keras.Sequential([layers.Input((11, 1)), layers.LSTM(16), layers.Dense(1)])
    model.compile("adam", "mse")
    x = series(16, 12, 1)
    return case(model, x[:, :-1], x[:, -1])


@well
def forecast_flat_targets():
    model = keras.Sequential([layers.Input((11, 1)), layers.GRU(16), layers.Dense(1)])
    model.compile("adam", "mae")
    x = series(16, 12, 1)
    return case(model, x[:, :-1], x[:, -1, 0])


@well
def reviews_masked_bidirectional():
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Embedding(20, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(8)),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x = padded()
    return case(model, x, np.arange(16) % 2, mask=x != 0)


@well
def classes_softmax():
    model = keras.Sequential(
        [
            layers.Input((12, 2)),
            layers.LSTM(16, return_sequences=True),
            layers.LSTM(16),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(1e-3), "sparse_categorical_crossentropy")
    return case(model, series(), np.arange(16) % 4)


@well
def classes_one_hot_logits():
    model = keras.Sequential([layers.Input((12, 2)), layers.SimpleRNN(16), layers.Dense(4)])
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    return case(model, series(), keras.utils.to_categorical(np.arange(16) % 4, 4))


@well
def tagger_masked():
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Embedding(20, 8, mask_zero=True),
            layers.LSTM(16, return_sequences=True),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = padded()
    return case(model, x, x % 5, mask=x != 0)


@well
def seq2seq():
    source, target = layers.Input((9,)), layers.Input((7,))
    _, *state = layers.LSTM(16, return_state=True)(layers.Embedding(20, 8)(source))
    steps = layers.LSTM(16, return_sequences=True)(
        layers.Embedding(20, 8)(target), initial_state=state
    )
    model = keras.Model([source, target], layers.Dense(20, activation="softmax")(steps))
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    src, tgt = rng.integers(1, 20, (16, 9)), rng.integers(1, 20, (16, 8))
    return case(model, [src, tgt[:, :-1]], tgt[:, 1:])


@well
def stateful_declared():
    model = keras.Sequential(
        [layers.Input(batch_shape=(8, 12, 2)), layers.LSTM(16, stateful=True), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    x = series(8, 13, 2)
    return case(model, x[:, :-1], x[:, -1, :1], stateful=True)


@well
def two_outputs():
    inputs = layers.Input((12, 2))
    h = layers.LSTM(16)(inputs)
    outputs = {
        "a": layers.Dense(1, name="a")(h),
        "b": layers.Dense(3, activation="softmax", name="b")(h),
    }
    model = keras.Model(inputs, outputs)
    model.compile("adam", {"a": "mse", "b": "sparse_categorical_crossentropy"})
    x = series(16, 13, 2)
    return case(model, x[:, :-1], {"a": x[:, -1, :1], "b": np.arange(16) % 3})


@well
def frozen_embedding():
    model = keras.Sequential(
        [
            layers.Input((10,)),
            layers.Embedding(300, 8, trainable=False),
            layers.GRU(16),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return case(model, padded(V=300), np.arange(16) % 2)


@well
def batch_norm_in_front_of_prices():
    model = keras.Sequential(
        [
            layers.Input((11, 1)),
            layers.BatchNormalization(),
            layers.LSTM(16),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = series(16, 12, 1)
    return case(model, 3000 + 400 * x[:, :-1], x[:, -1])


def make(name, seed=0):
    keras.utils.set_random_seed(seed)
    return WELL[name]()
