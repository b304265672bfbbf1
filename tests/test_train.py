"""One loop, three engines: the same losses, and a run that goes on as if it had never stopped."""

import numpy as np

from lstm_ref import (
    cross_entropy,
    init_affine,
    init_lstm,
    lstm_backward,
    lstm_forward,
)
from lstm_ref.data import batches
from lstm_ref.train import NumpyEngine, train

V, H, N, T = 6, 5, 3, 4
IDS = np.random.default_rng(0).integers(0, V, 100)
PER_PASS = (len(IDS) - 1) // N // T
KEPT = ("loss", "lr", "grad_norm", "clipped", "update_ratio", "validation", "best")  # all but seconds


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

    from lstm_ref.torch_twin import torch_lstm
    from lstm_ref.train import TorchEngine

    params = start_weights(dtype)
    model = nn.ModuleDict(
        {
            "lstm": torch_lstm({name: params[name] for name in ("Wx", "Wh", "b")}),
            "drop": nn.Dropout(dropout),
            "norm": nn.BatchNorm1d(V, dtype=torch.get_default_dtype()) if dropout else nn.Identity(),
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

    from lstm_ref.keras_twin import keras_lstm
    from lstm_ref.train import KerasEngine

    params = start_weights()
    lstm = keras_lstm({name: params[name] for name in ("Wx", "Wh", "b")})
    drop = keras.layers.Dropout(dropout, seed=3, dtype="float64")
    affine = {"Wy": keras.Variable(params["Wy"], dtype="float64"), "by": keras.Variable(params["by"], dtype="float64")}
    model = {"lstm": lstm, "drop": drop, "affine": affine}

    def step(model, batch, state, training):
        x, y = batch
        state = [tf.zeros((x.shape[0], H), tf.float64)] * 2 if state is None else list(state)
        h, *state = model["lstm"](tf.one_hot(x, V, dtype=tf.float64), initial_state=state)
        logits = model["drop"](h, training=training) @ model["affine"]["Wy"].value + model["affine"]["by"].value
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)), tuple(state)

    return KerasEngine(model, step, optimiser, carry=True, **options)


def same(history, other):
    """Whether two histories agree to the bit, in all but time."""
    return all(getattr(history, name) == getattr(other, name) for name in KEPT)


# --- three engines


def test_three_engines_give_the_same_losses():
    import keras
    import torch

    # Numbers that float32 can hold, to which Keras rounds them, and an epsilon too small to show that it adds it elsewhere.
    options = {"steps": 40, "lr": lambda k: 2.0**-5 if k < 20 else 2.0**-6, "clip": 0.3, "validation": text}
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
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8, err_msg=f"{type(engine)} {name}")
        assert history.clipped == reference.clipped and history.lr == reference.lr
