import warnings

import numpy as np
import pytest
import torch

from verdict import Status, classify
from verdict.classify import REMOVED_NUMPY_NAMES


def raised(code, **names):
    try:
        exec(code, {"np": np, **names})
    except BaseException as error:
        return classify(type(error).__name__, str(error))
    raise AssertionError(f"{code} did not raise")


@pytest.mark.parametrize("name", sorted(REMOVED_NUMPY_NAMES))
def test_names_that_this_numpy_removed_are_told_with_what_to_write(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = hasattr(np, name)
    if there:
        assert name in ("bool", "row_stack"), f"np.{name} is back: remove it from the list"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        status, message = raised(f"np.{name}")
    assert status is Status.ENVIRONMENT
    assert message.startswith(
        f"NumPy no longer has np.{name}. Write {REMOVED_NUMPY_NAMES[name]} instead."
    )


def test_a_typing_error_is_no_removed_name():
    status, message = raised("np.tahn(1)")
    assert status is Status.ERROR
    assert message == "NumPy has no np.tahn. Did you mean np.tan or np.tanh?"
    assert (
        raised("np.qqqqqqqq")[1]
        == "NumPy has no np.qqqqqqqq. Look it up in the NumPy documentation."
    )


def test_an_import_that_fails_is_the_environment():
    status, message = raised("import a_package_that_is_not_there")
    assert status is Status.ENVIRONMENT
    assert "runs with numpy and Python's standard library only" in message
    assert (
        "numpy and torch"
        in classify("ModuleNotFoundError", "No module named 'x'", ("numpy", "torch"))[1]
    )
    assert raised("from numpy import nothing_of_this_name")[0] is Status.ENVIRONMENT


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("raise NotImplementedError", Status.UNFINISHED, "still raises NotImplementedError"),
        ("np.ones(2) @ np.ones(3)", Status.ERROR, "ValueError: matmul"),
        ("undefined_name", Status.ERROR, "NameError: undefined_name is not defined. Is it spelled"),
        (
            "tanh(1)",
            Status.ERROR,
            "NameError: tanh is not defined. Did you mean np.tanh? If not: is it spelled",
        ),
        ("def f():\n    f()\nf()", Status.ERROR, "calls itself without an end"),
        ("raise MemoryError", Status.CRASHED, "more memory"),
        ("x = 1\nx.shape", Status.ERROR, "AttributeError: 'int' object has no attribute 'shape'"),
        ("assert False", Status.ERROR, "AssertionError"),
    ],
)
def test_other_errors_are_the_students_own(code, status, text):
    got, message = raised(code)
    assert got is status
    assert text in message


def test_only_a_broken_environment_says_nothing_about_mathematics():
    for code in ("np.ones(2) @ np.ones(3)", "undefined_name", "np.tahn(1)"):
        assert "mathematics" not in raised(code)[1]
    assert "nothing about your mathematics" in raised("import a_package_that_is_not_there")[1]


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("np.ones(3).ptp()", Status.ENVIRONMENT, "Write np.ptp(array) instead."),
        ("np.complex_(1)", Status.ENVIRONMENT, "Write np.complex128 instead."),
        ("-np.Infinity", Status.ENVIRONMENT, "Write np.inf instead."),
        ("np.sum(x for x in [1])", Status.ENVIRONMENT, "Write sum(...), Python's own, instead."),
        ("np.array([[1], [1, 2]])", Status.ERROR, "parts that have not all the same shape"),
    ],
)
def test_what_numpy_no_longer_does_is_told_with_what_to_write(code, status, words):
    got, message = raised(code)
    assert got is status and words in message, message


X = torch.ones(2, 3, dtype=torch.float64)
W = torch.ones(3, requires_grad=True)
TORCH = {
    "X @ torch.zeros(3, 2)": (Status.ENVIRONMENT, "Two tensors of different precision meet"),
    "torch.nn.Linear(3, 2)(X)": (Status.ENVIRONMENT, "Two tensors of different precision meet"),
    "torch.nn.LSTM(3, 2)(X)": (Status.ENVIRONMENT, "Two tensors of different precision meet"),
    "X.index_put((torch.tensor([0]),), torch.zeros(3))": (
        Status.ENVIRONMENT,
        "different precision",
    ),
    "X.scatter(1, torch.zeros(2, 1, dtype=int), torch.zeros(2, 1))": (
        Status.ENVIRONMENT,
        "different precision",
    ),
    "W.mul_(2)": (Status.ERROR, "Make a new tensor instead."),
    "W[0] = 1": (Status.ERROR, "A tensor whose gradient is asked for is changed in place"),
    "y = (W * W).sum(); y.backward(); y.backward()": (
        Status.ERROR,
        "retain_graph=True would only hide this",
    ),
    "W.detach().sum().backward()": (Status.ERROR, "the numbers left the graph"),
    "torch.autograd.grad((W.sum(), X.sum()), W)": (Status.ERROR, "the numbers left the graph"),
    "np.tanh(W)": (Status.ERROR, "each NumPy function has a twin in torch"),
    "(W * 2).backward()": (Status.ERROR, "backward() starts from one number"),
    "s = W.sigmoid(); t = s * s; s += 1; t.sum().backward()": (
        Status.ERROR,
        "changed in place after it was used",
    ),
    "W.sum().item().backward()": (Status.ERROR, "Return the tensor."),
    "print().backward()": (Status.ERROR, "Is there a return at the end?"),
    "torch.tahn(W)": (Status.ERROR, "PyTorch has no torch.tahn."),
    "torch.rfft(X, 1)": (
        Status.ENVIRONMENT,
        "PyTorch no longer has torch.rfft. Write torch.fft.rfft instead.",
    ),
    "torch.solve(X, X)": (Status.ENVIRONMENT, "Write torch.linalg.solve instead."),
    "torch.array([1])": (Status.ERROR, "Write torch.tensor instead."),
    "torch.utils.clip_grad_norm_([W], 1)": (
        Status.ERROR,
        "Write nn.utils.clip_grad_norm_ instead.",
    ),
    "X.astype(float)": (Status.ERROR, "Write .to(x.dtype) instead."),
    "W.sum().data[0]": (Status.ENVIRONMENT, "Write loss.item()."),
    "X[torch.ones(1)]": (Status.ERROR, "write // where an index is computed"),
    "X.gather(1, torch.ones(2, 1))": (Status.ERROR, "An index must hold whole numbers"),
    "torch.nn.functional.cross_entropy(X, X[:, 0])": (Status.ERROR, "Classes are whole numbers"),
    "torch.nn.functional.cross_entropy(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=int))": (
        Status.ERROR,
        "logits (N, C, T) go with targets (N, T)",
    ),
    "a, b = (W * 2).view(1, 3).chunk(2, 1); a += 1": (
        Status.ERROR,
        "which autograd does not allow",
    ),
    "torch.autograd.grad((np.ones(2),), W)": (
        Status.ERROR,
        "Return (h, c), the tensors themselves",
    ),
    "import math; math.tanh(X)": (Status.ERROR, "torch has a twin of each"),
    "X.item()": (Status.ERROR, "One number was expected"),
    "(X, X).detach()": (Status.ERROR, "must be asked of each of the two"),
    "torch.zeros(10**7, 10**7)": (Status.CRASHED, "more memory than the task allows"),
    "torch.nn.Module()(X)": (Status.ERROR, "A module is called through its method forward"),
    "torch.ones(2, 2, dtype=bool) @ torch.ones(2, 2, dtype=bool)": (
        Status.ERROR,
        "no such operation for numbers of this type",
    ),
}


@pytest.mark.parametrize("code", TORCH)
def test_what_pytorch_says_is_told_with_what_it_means(code):
    status, words = TORCH[code]
    got, message = raised(code, torch=torch, X=X.clone(), W=W.clone().detach().requires_grad_())
    assert got is status and words in message, message
    assert ("nothing about your mathematics" in message) == (status is Status.ENVIRONMENT)
    assert "Hint" not in message and "detach()." not in message.split(". ")[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_the_environment():
    for code in (
        "X.cuda()",
        "X.to('cuda')",
        "torch.cuda.FloatTensor(1)",
        "torch.cuda.Event()",
        "torch.cuda.synchronize()",
    ):
        status, message = raised(code, torch=torch, X=X)
        assert status is Status.ENVIRONMENT and "this is graded on the CPU" in message


def test_a_usual_name_without_its_import_is_told_with_the_import():
    for name, line in (
        ("torch", "import torch"),
        ("nn", "from torch import nn"),
        ("np", "import numpy as np"),
    ):
        status, message = classify("NameError", f"name '{name}' is not defined")
        assert status is Status.ENVIRONMENT and f"Is “{line}” missing" in message
