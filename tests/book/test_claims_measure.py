"""What the pages *measure* and *slow* say of each library's own metrics and profiler, in the code
that their tabs show.
"""

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from tests.chapter_formulas import source_of


def code_of(page):
    """{library: code} of the tabs of a page."""
    found = re.findall(r"~~~python\n(.*?)~~~", source_of(page), re.DOTALL)
    return dict(zip(("torch", "keras"), found, strict=True))


@pytest.fixture
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def drawn(seed=0):
    """Three batches: labels (20,), and scores (20, 3) that are a little better than chance."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, 3, 20) for _ in range(3)]
    return [(rng.normal(size=(20, 3)).astype(np.float32) + np.eye(3)[y], y) for y in labels]


def macro_of_all():
    scores, labels = (np.concatenate(part) for part in zip(*drawn(), strict=True))
    return f1_score(labels, scores.argmax(axis=1), average="macro")


def test_the_torch_tab_computes_the_metric_of_all_batches_together():
    batches = [(torch.from_numpy(z), torch.from_numpy(y)) for z, y in drawn()]
    names = {"torch": torch, "f1_score": f1_score, "model": torch.nn.Identity(), "batches": batches}
    exec(code_of("measure")["torch"], names)
    by_batch = [f1_score(y, z.argmax(axis=1), average="macro") for z, y in drawn()]
    assert names["macro"] == pytest.approx(macro_of_all())
    assert abs(np.mean(by_batch) - macro_of_all()) > 1e-3


def test_the_keras_tab_does_so_too_until_its_counts_are_reset(keras):
    ready = [(keras.ops.convert_to_tensor(z.astype(np.float32)), y) for z, y in drawn()]
    names = {"keras": keras, "model": lambda x, training: x, "batches": ready}
    exec(code_of("measure")["keras"], names)
    assert names["value"] == pytest.approx(macro_of_all(), abs=1e-5)
    first, y = ready[0]
    names["macro"].update_state(keras.ops.one_hot(y, 3), first)
    of_one = f1_score(y, drawn()[0][0].argmax(axis=1), average="macro")
    assert abs(float(names["macro"].result()) - of_one) > 1e-3
    names["macro"].reset_state()
    names["macro"].update_state(keras.ops.one_hot(y, 3), first)
    assert float(names["macro"].result()) == pytest.approx(of_one, abs=1e-5)


def test_the_profiler_of_the_torch_tab_counts_what_a_model_calls(capsys):
    model = torch.nn.LSTM(3, 4)
    exec(code_of("slow")["torch"], {"torch": torch, "model": model, "x": torch.zeros(5, 2, 3)})
    told = capsys.readouterr().out
    assert "Self CPU" in told and "aten::lstm" in told and "# of Calls" in told


def test_the_profiler_of_the_keras_tab_leaves_a_trace(keras, tmp_path, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the tab is about TensorFlow behind Keras")
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.layers.Input((5, 3)), keras.layers.LSTM(4)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow

        names = {"tf": tensorflow, "model": model, "x": np.zeros((8, 5, 3), np.float32)}
        exec(code_of("slow")["keras"], names)
    assert list(tmp_path.glob("logs/plugins/profile/*/*.xplane.pb"))
