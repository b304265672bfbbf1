"""More programs in Keras as people bring them to a forum, written in two rounds before the doctor
saw them, and without a look at the zoo; see programs_torch.py.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tests.support.forum import collection

SICK, WELL, sick, well = collection()


def program(model, x, y, loss, optimizer="adam", **arguments):
    model.compile(optimizer=optimizer, loss=loss)
    return dict(model=model, batch=(x, y), **arguments)


def series(rng, N, T, D):
    """Smooth series (N, T, D) about 0 with a spread about 1."""
    t = np.arange(T)[None, :, None] / T
    phase, speed = rng.uniform(0, 6, (N, 1, D)), rng.uniform(2, 9, (N, 1, D))
    x = 1.3 * np.sin(phase + speed * t) + 0.05 * rng.normal(size=(N, T, D))
    return x.astype("float32")


def sentences(rng, N, T, V):
    """Tokens (N, T) from 1, padded with 0, and their lengths."""
    lengths = rng.integers(max(T // 3, 2), T + 1, N)
    lengths[0] = T
    return rng.integers(1, V, (N, T)) * (np.arange(T) < lengths[:, None]), lengths


def sizes(rng):
    return int(rng.integers(12, 28)), int(rng.integers(9, 20))


# Sick.


@sick("loss-wants-logits")
def softmax_and_from_logits(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 6)
    inputs = layers.Input((T, 6))
    h = layers.LSTM(24, return_sequences=True)(inputs)
    h = layers.LSTM(16)(layers.Dropout(0.3)(h))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(h))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return program(model, x, np.arange(N) % 5, loss)


@sick("label-outside")
def sentiment_of_minus_one(rng):
    N, T = sizes(rng)
    x, _ = sentences(rng, N, T, 50)
    model = keras.Sequential(
        [
            layers.Input((T,)),
            layers.Embedding(50, 16),
            layers.SpatialDropout1D(0.2),
            layers.LSTM(20, dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    y = np.where(x[:, 0] % 2 == 0, 1.0, -1.0).astype("float32")
    return program(model, x, y, "binary_crossentropy")


@sick("reads-padding")
def masks_for_another_value(rng):
    N, T = sizes(rng)
    x, lengths = series(rng, N, T, 4), rng.integers(4, T, N)
    x[np.arange(T) >= lengths[:, None]] = 0
    model = keras.Sequential(
        [layers.Input((T, 4)), layers.Masking(-99.0), layers.GRU(18), layers.Dense(1)]
    )
    return program(model, x, x[:, :3, 0].mean(1), "mse", lengths=lengths)


@sick("parameter-unused", "zero-gradient", "no-gradient")
def attention_over_one_score(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    inputs = layers.Input((T, 3))
    states = layers.LSTM(16, return_sequences=True)(inputs)
    weights = layers.Dense(1, activation="softmax")(states)
    pooled = layers.Lambda(lambda p: ops.sum(p[0] * p[1], axis=1))([states, weights])
    model = keras.Model(inputs, layers.Dense(1)(pooled))
    return program(model, x, x.mean(1)[:, :1], "mse")


@sick("time-mixed-with-features")
def sensors_reshaped_inside(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 5)
    model = keras.Sequential(
        [
            layers.Input((5, T)),
            layers.Reshape((T, 5)),
            layers.LSTM(24, return_sequences=True),
            layers.LSTM(12),
            layers.Dense(3, activation="softmax"),
        ]
    )
    x = np.ascontiguousarray(x.transpose(0, 2, 1))
    return program(model, x, np.arange(N) % 3, "sparse_categorical_crossentropy")


@sick("sees-the-future")
def writer_that_reads_both_ways(rng):
    N, T = sizes(rng)
    text = rng.integers(1, 30, (N, T + 1))
    model = keras.Sequential(
        [
            layers.Input((T,)),
            layers.Embedding(30, 12),
            layers.Bidirectional(layers.LSTM(14, return_sequences=True)),
            layers.Dense(30, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    return program(model, text[:, :-1], text[:, 1:], loss, causal=True)


@sick("answer-in-input")
def teacher_not_shifted(rng):
    N, T = sizes(rng)
    source, target = rng.integers(1, 25, (N, T)), rng.integers(1, 28, (N, T + 2))
    one, two = layers.Input((None,)), layers.Input((None,))
    _, h, c = layers.LSTM(20, return_state=True)(layers.Embedding(25, 10)(one))
    decoder = layers.LSTM(20, return_sequences=True)
    out = decoder(layers.Embedding(28, 10)(two), initial_state=[h, c])
    model = keras.Model([one, two], layers.Dense(28, activation="softmax")(out))
    return program(model, [source, target], target, "sparse_categorical_crossentropy", "rmsprop")


@sick("inputs-badly-scaled")
def tokens_as_numbers(rng):
    N, T = sizes(rng)
    x = rng.integers(1, 5000, (N, T, 1)).astype("float32")
    model = keras.Sequential(
        [layers.Input((T, 1)), layers.LSTM(32), layers.Dense(2, activation="softmax")]
    )
    return program(model, x, np.arange(N) % 2, "sparse_categorical_crossentropy")


@sick("targets-badly-scaled", "outputs-cannot-reach-targets")
def prices_as_they_are(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 2)
    model = keras.Sequential([layers.Input((T, 2)), layers.LSTM(25), layers.Dense(1)])
    return program(model, x, 42000 + 6000 * x[:, -1, :1], "mean_absolute_error")


@sick("short-reach")
def first_of_all_states(rng):
    N, T = sizes(rng)
    x, _ = sentences(rng, N, T, 40)
    inputs = layers.Input((T,))
    states = layers.LSTM(18, return_sequences=True)(layers.Embedding(40, 12)(inputs))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(states[:, 0]))
    return program(model, x, x.sum(1) % 4, "sparse_categorical_crossentropy")


@sick("loss-constant", "no-gradient", "loss-detached", "zero-gradient")
def score_with_rounded_answers(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 4)

    def f1(y, p):
        p = ops.round(p)
        hits = ops.sum(y * p)
        return 1 - 2 * hits / (ops.sum(y) + ops.sum(p) + 1e-7)

    model = keras.Sequential(
        [layers.Input((T, 4)), layers.LSTM(16), layers.Dense(1, activation="sigmoid")]
    )
    return program(model, x, (x[:, 0, :1] > 0).astype("float32"), f1)


@sick("rate-decays-at-once")
def schedule_of_one_step(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    rate = keras.optimizers.schedules.ExponentialDecay(1e-2, decay_steps=1, decay_rate=0.5)
    model = keras.Sequential([layers.Input((T, 3)), layers.GRU(20), layers.Dense(2)])
    return program(model, x, x.mean(1)[:, :2], "mse", keras.optimizers.Adam(rate))


@sick("update-too-small")
def rate_of_a_millionth(rng):
    N, T = sizes(rng)
    x, _ = sentences(rng, N, T, 60)
    model = keras.Sequential(
        [
            layers.Input((T,)),
            layers.Embedding(60, 16),
            layers.Bidirectional(layers.LSTM(12)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    y = (x[:, 0] % 2).astype("float32")
    return program(model, x, y, "binary_crossentropy", keras.optimizers.SGD(1e-6))


@sick("softmax-over-batch")
def softmax_along_the_wrong_axis(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    inputs = layers.Input((T, 3))
    scores = layers.Dense(4)(layers.LSTM(20)(inputs))
    model = keras.Model(inputs, layers.Softmax(axis=0)(scores))
    y = keras.utils.to_categorical(np.arange(N) % 4, 4)
    return program(model, x, y, "categorical_crossentropy")


@sick("frozen-by-accident")
def layers_frozen_after_loading(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 5)
    base = keras.Sequential(
        [layers.Input((T, 5)), layers.LSTM(20, return_sequences=True), layers.LSTM(20)]
    )
    base.trainable = False
    head = layers.Dense(1, trainable=False)
    model = keras.Sequential([layers.Input((T, 5)), base, head])
    return program(model, x, x.mean(1)[:, :1], "mse")


@sick("no-update")
def loop_that_forgets_to_apply(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 2)
    model = keras.Sequential([layers.Input((T, 2)), layers.LSTM(14), layers.Dense(1)])
    loss, optimizer = keras.losses.MeanSquaredError(), keras.optimizers.Adam(1e-3)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            value = loss(batch[1], model(batch[0], training=True))
        tape.gradient(value, model.trainable_variables)
        return value

    model.compile(loss=loss, optimizer=optimizer)
    return dict(model=model, batch=(x, x.mean(1)[:, :1]), step=step)


@sick("one-output-softmax")
def spam_with_one_softmax(rng):
    N, T = sizes(rng)
    x, _ = sentences(rng, N, T, 45)
    model = keras.Sequential(
        [
            layers.Input((T,)),
            layers.Embedding(45, 16, mask_zero=True),
            layers.Conv1D(16, 3, padding="same", activation="relu"),
            layers.GRU(12),
            layers.Dense(1, activation="softmax"),
        ]
    )
    return program(model, x, (x[:, 0] % 2).astype("float32"), "binary_crossentropy")


@sick("reads-padding")
def mean_over_all_steps(rng):
    N, T = sizes(rng)
    x, lengths = sentences(rng, N, T, 45)
    inputs = layers.Input((T,))
    states = layers.LSTM(16, return_sequences=True)(layers.Embedding(45, 12)(inputs))
    pooled = layers.Lambda(lambda s: ops.mean(s, axis=1))(states)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(pooled))
    return program(model, x, x[:, 0] % 3, "sparse_categorical_crossentropy", lengths=lengths)


@sick("wrong-loss-for-task")
def stars_by_squared_error(rng):
    N, T = sizes(rng)
    x, _ = sentences(rng, N, T, 45)
    model = keras.Sequential(
        [layers.Input((T,)), layers.Embedding(45, 12), layers.LSTM(16), layers.Dense(1)]
    )
    return program(model, x, x[:, 0] % 5, "mse")


@sick("time-on-wrong-axis")
def channels_first(rng):
    N, T = int(rng.integers(14, 28)), int(rng.integers(24, 40))
    x = np.ascontiguousarray(series(rng, N, T, 4).transpose(0, 2, 1))
    model = keras.Sequential(
        [layers.Input((4, T)), layers.LSTM(24), layers.Dense(2, activation="softmax")]
    )
    return program(model, x, np.arange(N) % 2, "sparse_categorical_crossentropy")


@sick("outputs-cannot-reach-targets", "inputs-badly-scaled", "targets-badly-scaled")
def autoencoder_with_tanh(rng):
    N, T = sizes(rng)
    x = 4 + 3 * series(rng, N, T, 2)
    model = keras.Sequential(
        [
            layers.Input((T, 2)),
            layers.LSTM(16),
            layers.RepeatVector(T),
            layers.LSTM(16, return_sequences=True),
            layers.LSTM(2, return_sequences=True),
        ]
    )
    return program(model, x, x, "mse")


# Well.


@well
def writer_with_shifted_teacher(rng):
    N, T = sizes(rng)
    source, target = rng.integers(1, 25, (N, T)), rng.integers(1, 28, (N, T + 2))
    one, two = layers.Input((None,)), layers.Input((None,))
    _, h, c = layers.LSTM(20, return_state=True)(layers.Embedding(25, 10, mask_zero=True)(one))
    decoder = layers.LSTM(20, return_sequences=True)
    out = decoder(layers.Embedding(28, 10, mask_zero=True)(two), initial_state=[h, c])
    model = keras.Model([one, two], layers.Dense(28, activation="softmax")(out))
    batch = [source, target[:, :-1]]
    return program(model, batch, target[:, 1:], "sparse_categorical_crossentropy", "rmsprop")


@well
def words_from_a_table(rng):
    N, T = sizes(rng)
    x, lengths = sentences(rng, N, T, 50)
    table = rng.normal(size=(50, 16)).astype("float32") * 0.4
    embedding = layers.Embedding(
        50, 16, embeddings_initializer=keras.initializers.Constant(table), mask_zero=True
    )
    embedding.trainable = False
    model = keras.Sequential(
        [
            layers.Input((T,)),
            embedding,
            layers.Bidirectional(layers.LSTM(14)),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    y = (x[:, 0] % 2).astype("float32")
    return program(model, x, y, "binary_crossentropy", lengths=lengths)


@well
def several_labels_at_once(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 4)
    model = keras.Sequential(
        [
            layers.Input((T, 4)),
            layers.Conv1D(12, 3, padding="causal", activation="relu"),
            layers.MaxPooling1D(2),
            layers.LSTM(16),
            layers.Dense(5, activation="sigmoid"),
        ]
    )
    y = (rng.random((N, 5)) < 0.3).astype("float32")
    y[0], y[1] = 1, 0
    return program(model, x, y, "binary_crossentropy")


@well
def mean_and_spread(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 2)

    def likelihood(y, p):
        mean, log_spread = p[:, :1], p[:, 1:]
        return ops.mean(log_spread + 0.5 * ops.square((y - mean) * ops.exp(-log_spread)))

    model = keras.Sequential(
        [layers.Input((T - 1, 2)), layers.LSTM(20), layers.LayerNormalization(), layers.Dense(2)]
    )
    return program(model, x[:, :-1], x[:, -1, :1], likelihood)


@keras.saving.register_keras_serializable("forum")
class MinimalCell(layers.Layer):
    def __init__(self, units, **more):
        super().__init__(**more)
        self.units = self.state_size = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 2 * self.units), name="w")
        self.u = self.add_weight(
            shape=(self.units, 2 * self.units), initializer="orthogonal", name="u"
        )
        self.b = self.add_weight(shape=(2 * self.units,), initializer="zeros", name="b")

    def call(self, x, states):
        a = ops.matmul(x, self.w) + ops.matmul(states[0], self.u) + self.b
        gate, value = ops.sigmoid(a[:, : self.units]), ops.tanh(a[:, self.units :])
        h = gate * states[0] + (1 - gate) * value
        return h, [h]


@well
def cell_of_my_own(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    model = keras.Sequential(
        [layers.Input((T, 3)), layers.RNN(MinimalCell(18)), layers.Dense(3, activation="softmax")]
    )
    return program(model, x, np.arange(N) % 3, "sparse_categorical_crossentropy", "nadam")


@well
def attention_over_steps(rng):
    N, T = sizes(rng)
    x, lengths = sentences(rng, N, T, 40)
    inputs = layers.Input((T,))
    states = layers.GRU(16, return_sequences=True)(layers.Embedding(40, 12, mask_zero=True)(inputs))
    scores = layers.Dense(1)(layers.Dense(8, activation="tanh")(states))
    keep = layers.Lambda(lambda t: ops.cast(ops.not_equal(t, 0), "float32")[..., None])(inputs)
    pooled = layers.Lambda(
        lambda p: ops.sum(ops.softmax(p[0] - 1e9 * (1 - p[2]), axis=1) * p[1], axis=1)
    )([scores, states, keep])
    model = keras.Model(inputs, layers.Dense(3)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return program(model, x, x[:, 0] % 3, loss, lengths=lengths)


@well
def hinge_with_tanh(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    model = keras.Sequential(
        [layers.Input((T, 3)), layers.GRU(16), layers.Dense(1, activation="tanh")]
    )
    return program(
        model, x, np.sign(x[:, 0, :1]), "hinge", keras.optimizers.SGD(0.05, momentum=0.9)
    )


@well
def day_after_day(rng):
    N, T = sizes(rng)
    x = series(rng, N, T + 6, 2)
    warm = keras.optimizers.schedules.CosineDecay(1e-5, 500, warmup_target=2e-3, warmup_steps=50)
    model = keras.Sequential(
        [
            layers.Input((T, 2)),
            layers.GaussianNoise(0.05),
            layers.LSTM(24, return_sequences=True, recurrent_dropout=0.1),
            layers.LSTM(16),
            layers.Dense(12),
            layers.Reshape((6, 2)),
        ]
    )
    return program(model, x[:, :T], x[:, T:], keras.losses.Huber(), keras.optimizers.AdamW(warm))


@well
def transitions_in_a_long_stream(rng):
    N, T = int(rng.integers(6, 12)), int(rng.integers(10, 18))
    text = rng.integers(0, 20, (N, T + 1))
    model = keras.Sequential(
        [
            layers.Input(batch_shape=(N, T)),
            layers.Embedding(20, 12),
            layers.LSTM(20, return_sequences=True, stateful=True),
            layers.Dense(20),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return program(model, text[:, :-1], text[:, 1:], loss, stateful=True, causal=True)


class Two(keras.Model):
    """Subclassed, with batch norm and a rate that is set by the mode."""

    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization()
        self.rnn = layers.LSTM(16, return_sequences=True)
        self.pool = layers.GlobalMaxPooling1D()
        self.drop = layers.Dropout(0.4)
        self.out = layers.Dense(4, activation="softmax")

    def call(self, x, training=False):
        h = self.pool(self.rnn(self.norm(x, training=training)))
        return self.out(self.drop(h, training=training))


@well
def subclass_with_batch_norm(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 5)
    y = keras.utils.to_categorical(np.arange(N) % 4, 4)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return program(Two(), x, y, loss)


@well
def tags_with_padding_weighted_away(rng):
    N, T = sizes(rng)
    x, lengths = sentences(rng, N, T, 40)

    def scored(y, p):
        keep = ops.cast(ops.not_equal(y, 0), "float32")
        each = keras.losses.sparse_categorical_crossentropy(y, p)
        return ops.sum(keep * each) / ops.sum(keep)

    model = keras.Sequential(
        [
            layers.Input((T,)),
            layers.Embedding(40, 12, mask_zero=True),
            layers.Bidirectional(layers.LSTM(14, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(6, activation="softmax")),
        ]
    )
    y = np.where(x > 0, 1 + x % 5, 0)
    return program(model, x, y, scored, lengths=lengths)


# A second round, written before the doctor saw it and after the first round was examined.


def reader(T, V, *rest):
    return keras.Sequential([layers.Input((T,)), layers.Embedding(V, 14), *rest])


@sick("no-gradient")
def features_held_fast(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    inputs = layers.Input((T, 3))
    states = layers.LSTM(16, return_sequences=True)(inputs)
    best = layers.Lambda(lambda s: ops.stop_gradient(ops.max(s, axis=1)))(states)
    model = keras.Model(inputs, layers.Dense(1)(best))
    return program(model, x, x.mean(1)[:, :1], "mse")


@sick("direction-sees-one-step")
def both_ways_at_the_last_step(rng):
    N, T = sizes(rng)
    x = rng.integers(1, 40, (N, T))
    inputs = layers.Input((T,))
    states = layers.Bidirectional(layers.GRU(12, return_sequences=True))(
        layers.Embedding(40, 12)(inputs)
    )
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(states[:, -1]))
    return program(model, x, x.sum(1) % 3, "sparse_categorical_crossentropy")


@sick("outputs-ignore-inputs")
def decoder_without_its_state(rng):
    N, T = sizes(rng)
    source, target = rng.integers(1, 25, (N, T)), rng.integers(1, 28, (N, T + 2))
    one, two = layers.Input((None,)), layers.Input((None,))
    layers.LSTM(20, return_state=True)(layers.Embedding(25, 10)(one))
    out = layers.LSTM(20, return_sequences=True)(layers.Embedding(28, 10)(two))
    model = keras.Model([one, two], layers.Dense(28, activation="softmax")(out))
    batch = [source, target[:, :-1]]
    return program(model, batch, target[:, 1:], "sparse_categorical_crossentropy")


@sick("update-too-small", "clip-too-low")
def clipped_by_a_typing_error(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    model = keras.Sequential([layers.Input((T, 3)), layers.LSTM(16), layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.01, clipnorm=1e-6)
    return program(model, x, x.mean(1)[:, :1], "mse", optimizer)


@sick("dropout-too-high")
def share_to_keep(rng):
    N, T = sizes(rng)
    x = rng.integers(1, 40, (N, T))
    head = [layers.LSTM(16), layers.Dropout(0.95), layers.Dense(4, activation="softmax")]
    return program(reader(T, 40, *head), x, x[:, 0] % 4, "sparse_categorical_crossentropy")


@sick("dead-units", "zero-gradient", "cannot-fit-one-batch")
def everything_starts_at_zero(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    model = keras.Sequential(
        [
            layers.Input((T, 3)),
            layers.LSTM(16, **zeros),
            layers.Dense(3, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    return program(model, x, np.arange(N) % 3, "sparse_categorical_crossentropy")


@sick("sees-the-future")
def attention_without_its_mask(rng):
    N, T = sizes(rng)
    text = rng.integers(1, 30, (N, T + 1))
    inputs = layers.Input((T,))
    states = layers.LSTM(16, return_sequences=True)(layers.Embedding(30, 12)(inputs))
    mixed = layers.Add()([states, layers.MultiHeadAttention(2, 8)(states, states)])
    model = keras.Model(inputs, layers.Dense(30, activation="softmax")(mixed))
    return program(model, text[:, :-1], text[:, 1:], "sparse_categorical_crossentropy")


class AlwaysNormed(keras.Model):
    """A batch norm that never uses what it has stored."""

    def __init__(self):
        super().__init__()
        self.rnn, self.norm = layers.LSTM(16), layers.BatchNormalization()
        self.out = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.out(self.norm(self.rnn(x), training=True))


@sick("normalised-over-batch")
def norm_always_in_training_mode(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 4)
    return program(AlwaysNormed(), x, np.arange(N) % 3, "sparse_categorical_crossentropy")


@sick("answer-in-input")
def text_against_itself(rng):
    N, T = sizes(rng)
    text = rng.integers(1, 30, (N, T))
    head = [layers.GRU(16, return_sequences=True), layers.Dense(30)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return program(reader(T, 30, *head), text, text, loss)


@sick("not-finite")
def column_with_a_gap(rng):
    N, T = sizes(rng)
    x = series(rng, N, T, 3)
    x[1, 2, 0] = np.nan
    model = keras.Sequential([layers.Input((T, 3)), layers.GRU(16), layers.Dense(1)])
    return program(model, x, np.nan_to_num(x).mean(1)[:, :1], "mae")


@sick("inputs-identical")
def one_window_for_all(rng):
    N, T = sizes(rng)
    x = np.repeat(series(rng, 1, T, 3), N, axis=0)
    model = keras.Sequential([layers.Input((T, 3)), layers.GRU(16), layers.Dense(1)])
    return program(model, x, rng.normal(size=(N, 1)).astype("float32"), "mse")


@sick("loss-wants-probabilities", "loss-wants-log-probabilities")
def divergence_of_logits(rng):
    N, T = sizes(rng)
    x = rng.integers(1, 40, (N, T))
    y = rng.dirichlet(np.ones(4), N).astype("float32")

    def cross_entropy(y, p):
        return -ops.mean(ops.sum(y * ops.log(ops.clip(p, 1e-7, 1.0)), axis=-1))

    return program(reader(T, 40, layers.LSTM(16), layers.Dense(4)), x, y, cross_entropy)


@well
def shares_of_four_kinds(rng):
    N, T = sizes(rng)
    x = rng.integers(1, 40, (N, T))
    y = rng.dirichlet(np.ones(4), N).astype("float32")
    head = [layers.LSTM(16), layers.Dense(4, activation="softmax")]
    return program(reader(T, 40, *head), x, y, "kl_divergence")


@well
def two_recordings_compared(rng):
    N, T = sizes(rng)
    shared = keras.Sequential([layers.Input((T, 3)), layers.LSTM(16), layers.Dense(8)])
    one, two = layers.Input((T, 3)), layers.Input((T, 3))
    gap = layers.Lambda(lambda p: ops.abs(p[0] - p[1]))([shared(one), shared(two)])
    model = keras.Model([one, two], layers.Dense(1, activation="sigmoid")(gap))
    x = [series(rng, N, T, 3), series(rng, N, T, 3)]
    y = (np.arange(N) % 2).astype("float32")[:, None]
    return program(model, x, y, "binary_crossentropy")


@well
def generator_of_series(rng):
    N, T = sizes(rng)
    x, y = rng.normal(size=(N, 6)).astype("float32"), series(rng, N, T, 2)
    model = keras.Sequential(
        [
            layers.Input((6,)),
            layers.RepeatVector(T),
            layers.GRU(20, return_sequences=True),
            layers.Dense(2),
        ]
    )
    return program(model, x, y, "mse")


def make(name, seed=0):
    keras.utils.set_random_seed(300 + seed)
    maker, findings = {**SICK, **WELL}[name]
    return maker(np.random.default_rng(300 + seed)), findings
