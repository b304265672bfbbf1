"""The messages of the public functions are held in their own tests; here, what those do not
reach.
"""

import numpy as np
import pytest

from lstm_ref import errors
from lstm_ref.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DivergedError,
    DTypeError,
    GradientError,
    LSTMError,
    MissingPackageError,
    NotFiniteError,
    ShapeError,
    check_arrays,
    check_floats,
)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ShapeError, ValueError),
        (DTypeError, TypeError),
        (NotFiniteError, ValueError),
        (ArgumentError, ValueError),
        (GradientError, AssertionError),
        (MissingPackageError, ImportError),
        (DataError, OSError),
        (CheckpointError, ValueError),
        (DivergedError, NotFiniteError),
    ],
)
def test_each_error_is_also_the_builtin_that_people_catch(error, builtin):
    assert issubclass(error, LSTMError) and issubclass(error, builtin)
    assert error.__name__ in errors.__doc__


def test_the_majority_says_what_a_letter_is_and_the_odd_one_is_named():
    sizes = {}
    with pytest.raises(ShapeError, match=r"^f: b must be \(N, H\) = \(2, 3\), got \(2, 4\)$"):
        check_arrays(
            "f",
            sizes,
            a=(np.zeros((2, 3)), "N H"),
            b=(np.zeros((2, 4)), "N H"),
            c=(np.zeros((2, 3)), "N H"),
        )


def test_sizes_that_are_known_win_over_the_majority():
    with pytest.raises(ShapeError, match=r"a must be \(N, H\) = \(2, 5\), got \(2, 3\)$"):
        check_arrays("f", {"H": 5}, a=(np.zeros((2, 3)), "N H"), b=(np.zeros((2, 3)), "N H"))


def test_size_that_is_known_is_expected_even_of_a_single_array():
    with pytest.raises(
        ShapeError, match=r"^f: dh must be \(N, T\) = \(2, 5\), got \(5, 2\); did you pass dh.T\?$"
    ):
        check_arrays("f", {"N": 2, "T": 5}, dh=(np.zeros((5, 2)), "N T"))


def test_size_that_only_one_array_knows_may_be_anything():
    sizes = {}
    check_arrays("f", sizes, x=(np.zeros((2, 7, 3)), "N T D"), h=(np.zeros((2, 4)), "N H"))
    assert sizes == {"N": 2, "T": 7, "D": 3, "H": 4}
    with pytest.raises(
        ShapeError, match=r"x must be \(N, T, D\) = \(2, any, any\), got \(5, 7, 3\)"
    ):
        check_arrays("f", {"N": 2}, x=(np.zeros((5, 7, 3)), "N T D"), h=(np.zeros((2, 4)), "N H"))


def test_axis_that_is_a_number_has_that_length():
    check_arrays("f", {}, b=(np.zeros((3, 1)), "H 1"))
    with pytest.raises(
        ShapeError, match=r"b must be \(H, 1\) = \(any, 1\), got \(1, 3\); did you pass b.T\?"
    ):
        check_arrays("f", {}, b=(np.zeros((1, 3)), "H 1"))


def test_length_that_is_no_multiple_is_refused():
    with pytest.raises(ShapeError, match=r"b must be \(4H,\) = \(any,\), got \(7,\)"):
        check_arrays("f", {}, b=(np.zeros(7), "4H"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("index", [(0, 0), (1, 2)])
def test_number_that_is_not_finite_is_found_and_its_place_named(value, index):
    array = np.zeros((2, 3))
    array[index] = value
    with pytest.raises(NotFiniteError) as caught:
        check_floats("f", {"a": array})
    assert (
        str(caught.value)
        == f"f: a must be finite, got {value} at index {index}; look at the step that made it"
    )


def test_large_numbers_are_finite():
    # Their sum is not: a check by summing would refuse them, or warn.
    check_floats("f", {"a": np.full(10, np.finfo(np.float32).max)})


@pytest.mark.parametrize("kind", [np.int64, np.float16, np.complex128, np.bool_, object])
def test_other_kinds_of_numbers_are_refused(kind):
    with pytest.raises(
        DTypeError, match=r"^f: a must be float32 or float64, got \w+; use a.astype\(np.float64\)$"
    ):
        check_floats("f", {"a": np.zeros(3, kind)})
