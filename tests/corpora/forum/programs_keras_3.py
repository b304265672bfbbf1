"""A third collection in Keras as people bring them to a forum, written before the doctor saw it;
see programs_torch.py.
"""

import keras
import numpy as np
from keras import layers, ops

from tests.support.forum import collection

SICK, WELL, sick, well = collection()


def compiled(model, x, y, loss, optimizer="adam", **arguments):
    metrics = arguments.pop("metrics", None)
    weighted = arguments.pop("loss_weights", None)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, loss_weights=weighted)
    return dict(model=model, batch=(x, y), **arguments)


def waves(rng, N, T, D):
    t = np.arange(T)[None, :, None] / 8
    s = np.sin(rng.uniform(0, 6, (N, 1, D)) + rng.uniform(0.5, 1.5, (N, 1, D)) * t)
    return (s + 0.1 * rng.normal(size=s.shape)).astype("float32")


def text(rng, N, T, V):
    n = rng.integers(4, T + 1, N)
    n[0] = T
    return rng.integers(1, V, (N, T)) * (np.arange(T) < n[:, None]), n


@sick("loss-wants-logits")
def softmax_into_logits(rng):
    N = int(rng.integers(10, 20))
    i = layers.Input((12,))
    h = layers.Bidirectional(layers.GRU(16))(layers.Embedding(40, 12)(i))
    return compiled(
        keras.Model(i, layers.Dense(4, activation="softmax")(h)),
        rng.integers(0, 40, (N, 12)),
        rng.integers(0, 4, N),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


@sick("one-output-softmax")
def one_unit_of_softmax(rng):
    N = int(rng.integers(10, 20))
    m = keras.Sequential(
        [layers.Input((12, 3)), layers.LSTM(20), layers.Dense(1, activation="softmax")]
    )
    return compiled(
        m, waves(rng, N, 12, 3), rng.integers(0, 2, N).astype("float32"), "binary_crossentropy"
    )


@sick("reads-padding")
def embedding_without_mask_zero(rng):
    N = int(rng.integers(12, 24))
    x, n = text(rng, N, 16, 40)
    m = keras.Sequential(
        [
            layers.Input((16,)),
            layers.Embedding(40, 12),
            layers.LSTM(20),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return compiled(
        m, x, rng.integers(0, 2, (N, 1)).astype("float32"), "binary_crossentropy", lengths=n
    )


@well
def embedding_without_mask_zero_and_no_lengths(rng):
    N = int(rng.integers(12, 24))
    x, n = text(rng, N, 16, 40)
    m = keras.Sequential(
        [
            layers.Input((16,)),
            layers.Embedding(40, 12),
            layers.GRU(20),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return compiled(m, x, rng.integers(0, 3, N), "sparse_categorical_crossentropy")


@sick("targets-broadcast")
def sequence_for_one_number(rng):
    N = int(rng.integers(12, 24))
    x = waves(rng, N, 14, 3)
    m = keras.Sequential(
        [layers.Input((14, 3)), layers.LSTM(20, return_sequences=True), layers.Dense(1)]
    )
    return compiled(m, x, x[:, -3:, 0].mean(1)[:, None, None], "mse")


@sick("outputs-cannot-reach-targets")
def sigmoid_for_temperatures(rng):
    N = int(rng.integers(12, 24))
    x = waves(rng, N, 14, 3)
    m = keras.Sequential(
        [layers.Input((14, 3)), layers.GRU(20), layers.Dense(1, activation="sigmoid")]
    )
    return compiled(m, x, 3 * x[:, -3:, 0].mean(1, keepdims=True), "mae")


@sick("one-time-step")
def features_for_time(rng):
    N = int(rng.integers(12, 24))
    x = waves(rng, N, 20, 1).transpose(0, 2, 1)
    m = keras.Sequential([layers.Input((1, 20)), layers.LSTM(20), layers.Dense(1)])
    return compiled(m, x, x[:, 0, -3:].mean(1, keepdims=True), "mse")


@sick("state-carried")
def stateful_on_shuffled_windows(rng):
    i = layers.Input(batch_shape=(12, 14, 3))
    h = layers.LSTM(16, stateful=True)(i)
    x = waves(rng, 12, 14, 3)
    return compiled(
        keras.Model(i, layers.Dense(1)(h)), x, x[:, -3:, 0].mean(1, keepdims=True), "mse"
    )


@sick("update-too-large", "diverges", "cannot-fit-one-batch")
def rate_of_five(rng):
    N = int(rng.integers(12, 24))
    x = waves(rng, N, 14, 3)
    m = keras.Sequential(
        [
            layers.Input((14, 3)),
            layers.LSTM(24),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    return compiled(m, x, x[:, -3:, 0].mean(1, keepdims=True), "mse", keras.optimizers.Adam(5.0))


@sick("examples-mixed", "normalised-over-batch")
def centred_over_the_batch(rng):
    N = int(rng.integers(12, 24))
    i = layers.Input((14, 3))
    h = layers.Lambda(
        lambda t: (
            (t - ops.mean(t, axis=0, keepdims=True)) / (ops.std(t, axis=0, keepdims=True) + 1e-5)
        )
    )(i)
    h = layers.LSTM(16)(h)
    return compiled(
        keras.Model(i, layers.Dense(3, activation="softmax")(h)),
        waves(rng, N, 14, 3),
        rng.integers(0, 3, N),
        "sparse_categorical_crossentropy",
    )


@sick("inputs-badly-scaled")
def pixels_not_divided(rng):
    N = int(rng.integers(12, 24))
    x = rng.integers(0, 256, (N, 14, 14)).astype("float32")
    m = keras.Sequential(
        [layers.Input((14, 14)), layers.LSTM(24), layers.Dense(10, activation="softmax")]
    )
    return compiled(m, x, rng.integers(0, 10, N), "sparse_categorical_crossentropy")


@sick("frozen-by-accident")
def lstm_not_trainable(rng):
    N = int(rng.integers(12, 24))
    i = layers.Input((14, 3))
    inner = layers.LSTM(24)
    m = keras.Model(i, layers.Dense(3, activation="softmax")(inner(i)))
    inner.trainable = False
    return compiled(
        m, waves(rng, N, 14, 3), rng.integers(0, 3, N), "sparse_categorical_crossentropy"
    )


@well
def masked_embedding_with_lengths(rng):
    N = int(rng.integers(8, 16))
    x, n = text(rng, N, 14, 40)
    m = keras.Sequential(
        [
            layers.Input((14,)),
            layers.Embedding(40, 12, mask_zero=True),
            layers.Bidirectional(layers.LSTM(12, return_sequences=True)),
            layers.LSTM(12, dropout=0.2),
            layers.Dense(1),
        ]
    )
    return compiled(
        m,
        x,
        rng.integers(0, 2, (N, 1)).astype("float32"),
        keras.losses.BinaryCrossentropy(from_logits=True),
        lengths=n,
    )


@well
def rare_machine_fault_of_sixteen(rng):
    y = np.zeros((16, 1), "float32")
    m = keras.Sequential(
        [
            layers.Input((14, 4)),
            layers.GRU(16),
            layers.Dense(
                1, activation="sigmoid", bias_initializer=keras.initializers.Constant(-4.0)
            ),
        ]
    )
    return compiled(m, waves(rng, 16, 14, 4), y, "binary_crossentropy", metrics=["AUC"])


@well
def two_towers_shared(rng):
    N = int(rng.integers(8, 16))
    a, b = layers.Input((10,)), layers.Input((10,))
    tower = keras.Sequential([layers.Embedding(30, 12), layers.LSTM(16)])
    d = layers.Dot(1, normalize=True)([tower(a), tower(b)])
    x = [rng.integers(1, 30, (N, 10)), rng.integers(1, 30, (N, 10))]
    return compiled(
        keras.Model([a, b], layers.Dense(1, activation="sigmoid")(d)),
        x,
        rng.integers(0, 2, (N, 1)).astype("float32"),
        "binary_crossentropy",
    )


@well
def two_heads_weighted(rng):
    N = int(rng.integers(8, 16))
    i = layers.Input((12, 3), name="signal")
    h = layers.LSTM(16, return_sequences=True)(i)
    h = layers.GlobalMaxPooling1D()(h)
    m = keras.Model(
        i,
        {
            "kind": layers.Dense(3, activation="softmax", name="kind")(h),
            "size": layers.Dense(1, name="size")(h),
        },
    )
    x = waves(rng, N, 12, 3)
    y = {"kind": rng.integers(0, 3, N), "size": x[:, -4:, :1].mean(1)}
    return compiled(
        m,
        {"signal": x},
        y,
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.3},
    )


@well
def forecast_of_six_hours_adapted(rng):
    N = int(rng.integers(12, 24))
    s = 20 + 8 * waves(rng, N, 30, 2)
    norm = layers.Normalization()
    norm.adapt(s)
    m = keras.Sequential(
        [
            layers.Input((24, 2)),
            norm,
            layers.LSTM(20),
            layers.Dense(6),
            layers.Rescaling(6.0, offset=20.0),
        ]
    )
    return compiled(
        m,
        s[:, :24],
        s[:, 24:, 0],
        keras.losses.Huber(),
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, 1000)),
    )


@well
def causal_attention_writer(rng):
    N, T, V = int(rng.integers(6, 12)), 12, 30
    i = layers.Input((T,))
    h = layers.Embedding(V, 16)(i) + layers.Embedding(T, 16)(ops.arange(T))
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 8)(h, h, use_causal_mask=True))
    m = keras.Model(i, layers.Dense(V)(h))
    s = rng.integers(0, V, (N, T + 1))
    return compiled(
        m,
        s[:, :-1],
        s[:, 1:],
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        causal=True,
    )


@well
def conv_then_gru_with_norm(rng):
    N = int(rng.integers(10, 20))
    m = keras.Sequential(
        [
            layers.Input((32, 4)),
            layers.Conv1D(12, 5, strides=2, padding="causal", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling1D(2),
            layers.GRU(16, recurrent_dropout=0.1),
            layers.Dropout(0.3),
            layers.Dense(5, activation="softmax"),
        ]
    )
    y = np.eye(5, dtype="float32")[rng.integers(0, 5, N)]
    return compiled(
        m, waves(rng, N, 32, 4), y, keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    )


@well
def rebuilt_from_a_code(rng):
    N = int(rng.integers(10, 20))
    x = waves(rng, N, 12, 2)
    m = keras.Sequential(
        [
            layers.Input((12, 2)),
            layers.LSTM(16),
            layers.RepeatVector(12),
            layers.LSTM(16, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    return compiled(m, x, x, "mae", "nadam")


@well
def left_padded_by_pad_sequences(rng):
    N = int(rng.integers(12, 20))
    rows = [rng.integers(1, 40, rng.integers(4, 15)) for _ in range(N)]
    x = keras.utils.pad_sequences(rows, maxlen=14)
    m = keras.Sequential(
        [
            layers.Input((14,)),
            layers.Embedding(40, 12),
            layers.LSTM(16),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return compiled(m, x, rng.integers(0, 3, N), "sparse_categorical_crossentropy")


@well
def several_labels_of_four(rng):
    x = waves(rng, 4, 14, 3)
    m = keras.Sequential(
        [
            layers.Input((14, 3)),
            layers.SimpleRNN(16, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(6, activation="sigmoid"),
        ]
    )
    return compiled(
        m,
        x,
        (rng.random((4, 6)) < 0.3).astype("float32"),
        "binary_crossentropy",
        keras.optimizers.RMSprop(1e-3),
    )


def make(name, seed=0):
    keras.utils.set_random_seed(700 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(np.random.default_rng(700 + seed)), findings
