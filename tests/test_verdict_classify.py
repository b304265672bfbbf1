import warnings

import numpy as np
import pytest

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
    assert message.startswith(f"NumPy no longer has np.{name}. Write {REMOVED_NUMPY_NAMES[name]} instead.")


def test_a_typing_error_is_no_removed_name():
    status, message = raised("np.tahn(1)")
    assert status is Status.ERROR
    assert message == "NumPy has no np.tahn. Did you mean np.tan or np.tanh?"
    assert raised("np.qqqqqqqq")[1] == "NumPy has no np.qqqqqqqq. Look it up in the NumPy documentation."


def test_an_import_that_fails_is_the_environment():
    status, message = raised("import a_package_that_is_not_there")
    assert status is Status.ENVIRONMENT
    assert "runs with numpy and Python's standard library only" in message
    assert "numpy and torch" in classify("ModuleNotFoundError", "No module named 'x'", ("numpy", "torch"))[1]
    assert raised("from numpy import nothing_of_this_name")[0] is Status.ENVIRONMENT


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("raise NotImplementedError", Status.UNFINISHED, "still raises NotImplementedError"),
        ("np.ones(2) @ np.ones(3)", Status.ERROR, "ValueError: matmul"),
        ("undefined_name", Status.ERROR, "NameError: undefined_name is not defined. Is it spelled"),
        ("tanh(1)", Status.ERROR, "NameError: tanh is not defined. Did you mean np.tanh? If not: is it spelled"),
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
