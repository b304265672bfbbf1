"""What the page *keras* says about Keras and TensorFlow, run against the installed versions.

What needs a GPU is run with the test for one simulated, or read in the installed source; such tests
say so in their names.
"""

import ast
import inspect
import json
import os
import re
import subprocess
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import sys

import numpy as np
import pytest
from scipy import stats

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
RIGHT = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]], bool)
LEFT = RIGHT[:, ::-1].copy()


@pytest.fixture
def tries_of_cudnn(monkeypatch):
    """Keras believes in a GPU; what came of each call of cuDNN is written down."""
    rnn = sys.modules["keras.src.backend.tensorflow.rnn"]
    tries, call = [], rnn._cudnn_lstm

    def watched(*args, **options):
        try:
            return call(*args, **options)
        except Exception as error:
            tries.append(error)
            raise

    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    monkeypatch.setattr(rnn, "_cudnn_lstm", watched)
    return tries


def test_left_padding_is_slow_in_silence_in_an_eager_call_simulated(tries_of_cudnn):
    layer = keras.layers.LSTM(4)
    out = layer(X, mask=LEFT)
    assert len(tries_of_cudnn) == 1 and "right-padded" in str(tries_of_cudnn[0])
    plain = keras.layers.LSTM(4, use_cudnn=False)
    plain.build(X.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(out, plain(X, mask=LEFT), rtol=1e-5, atol=1e-6)


def test_left_padding_is_an_error_inside_a_tf_function_simulated(tries_of_cudnn, monkeypatch):
    def kernel(**given):  # a stand-in for the kernel itself: what is asked is whether it is reached
        steps = tf.zeros([tf.shape(given["input"])[0], tf.shape(given["input"])[1], 4])
        return steps, given["input_h"], given["input_c"], None, None

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", kernel)
    layer = keras.layers.LSTM(4)
    layer.build(X.shape)
    in_a_graph = tf.function(lambda x, mask: layer(x, mask=mask))
    assert in_a_graph(tf.constant(X), tf.constant(RIGHT)).shape == (2, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded"):
        in_a_graph(tf.constant(X), tf.constant(LEFT))


def test_a_demand_for_cudnn_blames_the_layer_for_a_mask_simulated(tries_of_cudnn):
    with pytest.raises(ValueError, match="(?i)cudnn") as caught:
        keras.layers.LSTM(4, use_cudnn=True)(X, mask=LEFT)
    assert "for this layer configuration" in str(caught.value) and "right-padded" not in str(
        caught.value
    )
    assert "right-padded" in str(tries_of_cudnn[0])


@pytest.mark.parametrize(
    ("options", "fast"),
    [
        ({}, True),
        ({"dropout": 0.2}, True),
        ({"activation": "relu"}, False),
        ({"use_bias": False}, False),
        ({"unroll": True}, False),
        ({"recurrent_dropout": 0.2}, False),
        ({"use_cudnn": False}, False),
    ],
)
def test_the_conditions_of_cudnn_simulated(tries_of_cudnn, options, fast):
    keras.layers.LSTM(4, **options)(X)
    # there is no such kernel here, so that each try ends in an error
    assert bool(tries_of_cudnn) == fast


def test_a_cell_in_a_rnn_layer_never_asks_for_cudnn_simulated(tries_of_cudnn):
    keras.layers.RNN(keras.layers.LSTMCell(4))(X)
    assert tries_of_cudnn == []


def test_a_layer_on_cudnn_keeps_its_whole_model_from_xla_simulated(tries_of_cudnn):
    fast, slow = keras.layers.LSTM(4), keras.layers.LSTM(4, use_cudnn=False)
    assert (fast.supports_jit, slow.supports_jit) == (False, True)
    model = keras.Sequential([keras.layers.LSTM(4), keras.layers.Dense(1)])
    with pytest.warns(UserWarning, match="(?i)jit"):
        model.compile(loss="mse", jit_compile=True)


def test_the_losses_put_unequal_shapes_right_and_count_valid_steps_only():
    pairs = np.array([[1.0], [2.0], [4.0]], "float32"), np.array([1.0, 1.0, 1.0], "float32")
    assert float(keras.losses.MeanSquaredError()(pairs[1], pairs[0])) == pytest.approx(10 / 3)
    model = keras.Sequential(
        [keras.layers.Masking(0.0), keras.layers.LSTM(4, return_sequences=True)]
    )
    out = model(X * RIGHT[..., None])
    target = np.zeros(out.shape, "float32")
    valid = np.asarray(out)[RIGHT] ** 2
    model.compile(loss="mse")
    assert model.evaluate(X * RIGHT[..., None], target, verbose=0) == pytest.approx(
        float(valid.mean()), rel=1e-5
    )


def test_a_plain_function_of_tensorflow_loses_the_mask():
    out = keras.layers.Masking(0.0)(X * RIGHT[..., None])
    assert np.array_equal(keras.src.backend.get_keras_mask(out), RIGHT)
    assert keras.src.backend.get_keras_mask(tf.tanh(out)) is None


def test_a_class_of_ones_own_is_found_again_only_if_registered(tmp_path):
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model, file = keras.Sequential([keras.Input((3,)), Doubled()]), tmp_path / "own.keras"
    model.save(file)
    with pytest.raises(TypeError, match="register_keras_serializable"):
        keras.models.load_model(file)
    again = keras.models.load_model(file, custom_objects={"Doubled": Doubled})
    assert np.array_equal(again(X[:, 0]), 2 * X[:, 0])


def test_the_bias_of_the_forget_gate_starts_at_one_unless_switched_off():
    for asked, value in (({}, 1.0), ({"unit_forget_bias": False}, 0.0)):
        layer = keras.layers.LSTM(4, **asked)
        layer.build(X.shape)
        assert np.array_equal(layer.get_weights()[2], np.repeat([0.0, value, 0.0, 0.0], 4))


def test_the_kernel_of_a_layer_is_drawn_from_a_matrix_of_four_h_columns():
    """A function that sees (D, 4H) takes 4H for the number of outputs: smaller than for (D, H)."""
    layer = keras.layers.LSTM(64)
    layer.build((None, None, 64))
    limit = np.sqrt(6 / (64 + 4 * 64))
    assert 0.95 * limit < np.abs(layer.get_weights()[0]).max() <= limit


def test_a_layer_returns_its_last_state_unless_asked_for_all():
    """The answer of a quiz, too: there it is 4 * 5 numbers."""
    assert keras.layers.LSTM(5)(np.zeros((4, 7, 3), "float32")).shape == (4, 5)


def test_int8_takes_dense_and_embedding_and_passes_a_lstm_over_with_a_warning():
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Embedding(7, 3),
            keras.layers.LSTM(4),
            keras.layers.Dense(2),
        ]
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.quantize("int8")
    assert sum("LSTMCell" in str(one.message) for one in told) == 1
    types = [{str(w.dtype) for w in layer.weights} for layer in model.layers]
    assert "int8" in types[0] and types[1] == {"float32"} and "int8" in types[2]


def test_one_norm_clips_each_array_alone_and_the_other_all_together():
    for kind, expected in (("clipnorm", [1.0, 0.6]), ("global_clipnorm", [5.0, 0.6])):
        arrays = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
        optimiser = keras.optimizers.SGD(1.0, **{kind: 1.0})
        optimiser.build(arrays)
        optimiser.apply([tf.constant([3.0, 4.0]), tf.constant([0.6, 0.0])])
        lengths = np.array([np.linalg.norm(a.numpy()) for a in arrays])
        whole = np.hypot(5.0, 0.6) if kind == "global_clipnorm" else 1.0
        assert lengths == pytest.approx(np.array(expected) / whole, rel=1e-5)


def test_the_blank_of_ctc_is_symbol_0_and_the_mean_is_over_the_batch():
    """PyTorch has the time axis first, and divides each loss by the length of its target."""
    torch = pytest.importorskip("torch")
    scores = np.random.default_rng(0).normal(size=(2, 8, 4)).astype("float32")
    labels, lengths = np.array([[1, 2, 2], [3, 1, 0]]), torch.tensor([3, 2])
    found = np.array(keras.losses.CTC(reduction=None)(labels, scores))
    arguments = (
        torch.tensor(scores).log_softmax(2).transpose(0, 1),
        torch.tensor(labels),
        torch.tensor([8, 8]),
        lengths,
    )
    theirs = torch.nn.functional.ctc_loss(*arguments, reduction="none").numpy()
    assert found == pytest.approx(theirs, rel=1e-5)
    mean = float(keras.losses.CTC()(labels, scores))
    assert mean == pytest.approx(theirs.mean(), rel=1e-5)
    by_length = float(torch.nn.functional.ctc_loss(*arguments))
    assert by_length == pytest.approx((theirs / lengths.numpy()).mean(), rel=1e-5)


def test_logits_taken_for_probabilities_are_cut_off_at_0_and_get_no_gradient():
    logits = tf.Variable([[-1.0, 2.0, 0.5]])
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(tf.constant([0]), logits * 1.0)
    assert float(loss[0]) > 10
    assert np.asarray(tape.gradient(loss, logits))[0, 0] == 0


def test_the_stored_skills_come_from_the_functions_of_the_page():
    page = (ROOT / "book" / "two" / "keras.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    script = (ROOT / "benchmarks" / "copied_model.py").read_text(encoding="utf-8")
    for name in ("copied", "mended"):
        shown, ran = (
            defined(name, source)
            for source in ("\n".join(c for c in cells if f"def {name}(" in c), script)
        )
        assert shown == ran, (
            f"{name} of the page is not the one that benchmarks/copied_model.py trains"
        )


def defined(name, source):
    """Syntax tree of a function, as text: layout and comments do not count."""
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert len(found) == 1
    return ast.dump(found[0])


def test_the_stored_interval_is_that_of_the_stored_skills():
    record = json.loads(
        (ROOT / "benchmarks" / "results" / "copied_model.json").read_text(encoding="utf-8")
    )
    given = np.array(record["skill"]["as given"])
    assert len(record["seeds"]) == len(given) >= 8 and np.isfinite(given).all()
    for name, (mean, half) in record["against as given"].items():
        gain = np.array(record["skill"][name]) - given
        assert mean == pytest.approx(gain.mean(), abs=1e-3)
        error = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
        assert half == pytest.approx(error, abs=1e-3)


def test_the_torch_backend_gives_the_numbers_of_this_course():
    program = f"""
import os
os.environ["KERAS_BACKEND"] = "torch"
import sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
import keras
from lstm_ref import init_lstm, lstm_forward
assert keras.backend.backend() == "torch"
rng = np.random.default_rng(0)
p = init_lstm(rng, 3, 4)
x = rng.normal(size=(2, 6, 3))
layer = keras.layers.LSTM(4, return_sequences=True, dtype="float64")
layer.build(x.shape)
layer.set_weights([p["Wx"], p["Wh"], p["b"]])
zeros = np.zeros((2, 4))
h = keras.ops.convert_to_numpy(layer(x))
np.testing.assert_allclose(h, lstm_forward(x, zeros, zeros, **p)[0], rtol=0, atol=1e-12)
print("the same")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=540
    )
    assert run.stdout.strip().endswith("the same"), run.stderr


def test_the_layer_has_no_switch_for_a_gate_or_for_peepholes():
    options = inspect.signature(keras.layers.LSTM.__init__).parameters
    assert "use_cudnn" in options and not any(
        "peephole" in name or "gate" in name or "coupled" in name for name in options
    )


def test_keras_runs_on_pytorch_and_jax_and_no_longer_on_theano_read_in_the_source():
    source = inspect.getsource(keras.src.backend)
    assert all(f'backend() == "{name}"' in source for name in ("tensorflow", "jax", "torch"))
    assert "theano" not in source.lower()
