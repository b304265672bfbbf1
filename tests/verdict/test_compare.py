from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from verdict import Case, Check, Misconception, Status, StudentError, Verdict, examine
from verdict.check import Mend
from verdict.compare import (
    CONVENTION_CREDIT,
    SINGLE_PRECISION,
    copy_tree,
    flatten,
    relative_error,
    spell,
)

X, Y = np.arange(1.0, 13.0).reshape(3, 4), np.linspace(-1, 1, 8)


def right(x, y):
    return 2 * x, (y + 1, -y), "cache"


def swapped(x, y):
    return 2 * x, (-y, y + 1), "cache"


def thrice(x, y):
    return 3 * x, (y + 1, -y), "cache"


def other_layout(x, y):
    return 2 * x[:, ::-1], (y + 1, -y), "cache"


CHECK = Check(
    name="double",
    title="It doubles.",
    function="f",
    points=3,
    cases=lambda rng: [Case("", (X, Y)), Case("one row", (X[:1], Y))],
    expected=right,
    outputs=("p", ("q", "r"), None),
    axes={"p": "N T", "q": "4H", "r": "4H"},
    blocks={"4H": ("i", "f", "g", "o")},
    misconceptions=(
        Misconception("swapped", "The pair is swapped.", swapped, ("Look at the pair.",)),
        Misconception("thrice", "It triples.", thrice),
        Misconception(
            "layout", "The columns run backward.", other_layout, status=Status.CONVENTION
        ),
    ),
    hints=("Think.",),
)


def ask(function, check=CHECK):
    return examine(check, function, np.random.default_rng(0))


def returning(p=lambda p: p, q=lambda q: q, r=lambda r: r):
    def function(x, y):
        p_, (q_, r_), cache = right(x, y)
        return p(p_), (q(q_), r(r_)), cache

    return function


class Named(NamedTuple):
    p: object
    pair: object
    cache: object


@pytest.mark.parametrize(
    "function",
    [
        right,
        lambda x, y: list(right(x, y)),
        lambda x, y: Named(*right(x, y)),
        returning(lambda p: p.tolist(), tuple, np.float64),
        returning(lambda p: p.view(np.matrix), q=np.ma.array),
        returning(np.asfortranarray, r=lambda r: r[::-1][::-1]),
        returning(lambda p: p.astype(int)),
        returning(lambda p: p.astype(np.longdouble)),
        lambda x, y: (x.__imul__(2), (y + 1, -y), None),
    ],
    ids=[
        "tuple",
        "list",
        "named",
        "lists",
        "matrix",
        "strides",
        "integers",
        "longdouble",
        "in place",
    ],
)
def test_a_right_answer_passes_whatever_it_is_made_of(function):
    verdict = ask(function)
    assert (verdict.status, verdict.credit, verdict.misconception) == (Status.PASSED, 1.0, None)
    assert not verdict.warnings


@pytest.mark.parametrize(
    ("error", "passes", "warns"), [(1e-9, True, False), (3e-5, True, True), (3e-4, False, False)]
)
def test_tolerance_has_two_tiers(error, passes, warns):
    verdict = ask(returning(lambda p: p + error * p.max()))
    assert (verdict.status is Status.PASSED) == passes
    assert bool(verdict.warnings) == warns
    if warns:
        assert verdict.warnings == (
            "p: right, but only to the precision of float32; float64 was given. Counted as right.",
        )


def test_one_warning_names_all_outputs_of_single_precision():
    verdict = ask(returning(q=lambda q: q * (1 + 2e-6), r=lambda r: r * (1 - 5e-6)))
    assert verdict.status is Status.PASSED
    assert len(verdict.warnings) == 1
    assert verdict.warnings[0].startswith("q, r: right, but only")


def test_what_should_be_zero_may_be_a_rounding_error():
    check = Check("zero", "", "f", 1, lambda rng: [Case("", (X,))], lambda x: 0 * x, "p")
    assert ask(lambda x: 0 * x + 1e-14, check).status is Status.PASSED
    assert ask(lambda x: 0 * x + 1e-14, check).warnings == ()
    assert ask(lambda x: 0 * x + 1e-6, check).status is Status.WRONG


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.7e308])
def test_numbers_that_are_none_are_wrong(bad):
    def spoil(p):
        p = p.copy()
        p[0, 1] = bad
        return p

    verdict = ask(returning(spoil))
    assert verdict.status is Status.WRONG and verdict.misconception is None
    if not np.isfinite(bad):
        assert "p holds NaN or infinity." in verdict.message
    assert np.isnan(relative_error(np.array([bad]), np.ones(1))) == (not np.isfinite(bad))


def test_nan_is_explained_by_a_mistake_that_gives_nan_at_the_same_places():
    def without(*places):
        def spoilt(x, y):
            p, q, cache = right(x, y)
            for place in places:
                p[:, place] = np.nan
            p[:, 3] = np.inf
            return p, q, cache

        return spoilt

    known = Misconception("nan", "NaN comes out.", without(1))
    check = replace(CHECK, misconceptions=(known,))
    assert ask(without(1), check).misconception == "nan"
    for places in ((), (2,), (1, 2)):
        assert ask(without(*places), check).misconception is None

    def other_sign(x, y):
        p, q, cache = known.function(x, y)
        return np.where(np.isinf(p), -p, p), q, cache

    assert ask(other_sign, check).misconception is None


def test_axes_of_length_one_may_be_missing_or_added():
    verdict = ask(returning(q=lambda q: q[None]))
    assert verdict.status is Status.PASSED
    assert verdict.warnings == ("q has the shape (1, 8); (8,) was asked for. Counted as right.",)


def test_a_wrong_output_gets_no_warning_that_calls_it_right():
    verdict = ask(returning(lambda p: p[:, ::-1] if len(p) > 1 else p.ravel()))
    assert verdict.status is Status.WRONG
    assert verdict.warnings == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda p: p.T,
            "p has the wrong shape: (3, 4) = (N, T) was expected, got (4, 3); it is transposed.",
        ),
        (lambda p: p[:, :2], "p has the wrong shape: (3, 4) = (N, T) was expected, got (3, 2)."),
        (lambda p: p.ravel(), "p has the wrong shape: (3, 4) = (N, T) was expected, got (12,)."),
        (lambda p: p[:0], "p has the wrong shape: (3, 4) = (N, T) was expected, got (0, 4)."),
        (lambda p: p[0, 0], "p has the wrong shape: (3, 4) = (N, T) was expected, got ()."),
    ],
)
def test_a_wrong_shape_is_told_with_its_axes(change, text):
    assert text in ask(returning(change)).message


def test_exchanged_axes_of_three_are_told():
    check = Check(
        "s",
        "",
        "f",
        1,
        lambda rng: [Case("", (np.ones((2, 3, 4)),))],
        lambda x: x,
        "h",
        {"h": "N T H"},
    )
    verdict = ask(lambda x: x.swapaxes(0, 1), check)
    assert (
        "(2, 3, 4) = (N, T, H) was expected, got (3, 2, 4); its first two axes are exchanged."
        in verdict.message
    )


def spoil_at(*index):
    def change(array):
        array = array.copy()
        if array.shape != (1, 4):  # the case of one row has no such places
            array[index] += 1
        return array

    return change


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            returning(spoil_at(slice(None), slice(2, None))),
            "p is wrong, at time steps 2 and 3 of 0 to 3. q and r are right. The",
        ),
        (
            returning(spoil_at(1, 2)),
            "p is wrong, at example 1 of 0 to 2, at time step 2 of 0 to 3.",
        ),
        (
            returning(q=spoil_at(slice(2, 6))),
            "q is wrong, only in the blocks of f and g. p and r are right. The",
        ),
        (returning(r=spoil_at(slice(None))), "r is wrong. p and q are right. The"),
        (returning(p=lambda p: -p, r=lambda r: -r), "p and r have the wrong sign. q is right. The"),
        (returning(p=lambda p: 0 * p, q=lambda q: 0 * q), "p and q are zero. r is right. The"),
        (
            returning(p=lambda p: 0 * p if len(p) == 1 else p),
            "p is zero (one row). q and r are right. The",
        ),
    ],
)
def test_it_says_where_the_numbers_are_wrong(function, text):
    assert text in ask(function).message


def test_outputs_with_the_same_fault_are_told_together():
    assert ask(lambda x, y: (5 * x, (y - 1, y + 3), None)).message.startswith(
        "p, q and r are wrong. The mistake"
    )
    assert (
        "q and r hold NaN or infinity. p is right."
        in ask(returning(q=lambda q: np.full_like(q, np.inf), r=lambda r: r * np.nan)).message
    )


def test_a_mistake_in_one_case_only_names_the_case():
    verdict = ask(lambda x, y: right(x, y) if len(x) > 1 else thrice(x, y))
    assert "p is wrong (one row)." in verdict.message
    assert verdict.misconception is None  # it does not explain the other case


@pytest.mark.parametrize("mistake", CHECK.misconceptions, ids=lambda mistake: mistake.id)
def test_a_known_mistake_is_named_with_its_hints(mistake):
    verdict = ask(mistake.function)
    assert (verdict.status, verdict.misconception, verdict.hints) == (
        mistake.status,
        mistake.id,
        mistake.hints,
    )
    assert verdict.message.startswith(mistake.title)


def test_a_known_mistake_is_named_in_single_precision_too():
    assert (
        ask(lambda x, y: thrice(x.astype(np.float32), y.astype(np.float32))).misconception
        == "thrice"
    )


def test_an_unknown_mistake_is_not_named():
    verdict = ask(returning(lambda p: 1.1 * p))
    assert verdict.misconception is None and verdict.hints == CHECK.hints
    assert verdict.message.endswith("The mistake is not one of those that are known here.")


def test_of_two_mistakes_that_explain_it_none_is_named():
    twin = Misconception("twin", "The same again.", thrice)
    check = Check(**{**vars(CHECK), "misconceptions": (*CHECK.misconceptions, twin)})
    assert ask(thrice, check).misconception is None
    assert ask(swapped, check).misconception == "swapped"


@pytest.mark.parametrize(
    "broken", [lambda x, y: 1 / 0, lambda x, y: x, lambda x, y: (x, "y", None), lambda: None]
)
def test_a_known_mistake_that_cannot_be_computed_is_not_what_the_student_did(broken):
    check = Check(**{**vars(CHECK), "misconceptions": (Misconception("broken", "", broken),)})
    assert ask(thrice, check).misconception is None


def test_credit_is_the_share_of_right_outputs_and_half_for_a_convention():
    assert ask(thrice).credit == pytest.approx(2 / 3)
    assert ask(swapped).credit == pytest.approx(1 / 3)
    assert ask(other_layout).credit == pytest.approx(2 / 3)
    single = Check("s", "", "f", 1, CHECK.cases, lambda x, y: x, "p", misconceptions=(
        Misconception("layout", "Backward.", lambda x, y: x[:, ::-1], status=Status.CONVENTION),
    ))  # fmt: skip
    assert ask(lambda x, y: x[:, ::-1], single).credit == CONVENTION_CREDIT
    assert ask(lambda x, y: -x, single).credit == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "f returned None; it must return p, (q, r), cache. Is there a return at the end?"),
        (X, "f must return p, (q, r), cache, got an array of shape (3, 4)."),
        (
            (X, (Y, Y)),
            (
                "f must return p, (q, r), cache: 3 things, got 2: an array of shape (3, 4) and a "
                "tuple."
            ),
        ),
        (
            (X, Y, Y, None),
            "f must return p, (q, r), cache: 3 things, got 4: an array of shape (3, 4), an array "
            "of shape (8,), "
            "an array of shape (8,) and NoneType. Return (q, r) as one thing, in brackets of its "
            "own.",
        ),
        ((), "f must return p, (q, r), cache: 3 things, got 0."),
        ((X, Y, None), "f must return p, (q, r), cache, got an array of shape (8,)."),
        ((None, (None, None), None), "f returned None for p; it must be an array of numbers"),
        ((None, None, None), "f returned None for p; it must be an array of numbers"),
        (("no", ("no", "no"), None), "f returned a str for p; it must be an array of numbers"),
        ({"p": X}, "f must return p, (q, r), cache, got dict."),
    ],
)
def test_a_return_value_of_another_form_is_an_error_that_says_what_was_expected(value, text):
    verdict = ask(lambda x, y: value)
    assert (verdict.status, verdict.credit, verdict.hints) == (Status.ERROR, 0, ())
    assert text in verdict.message


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None"),
        ("no", "a str"),
        (X.astype(object), "an array of shape (3, 4) and dtype object"),
        (X + 1j, "an array of shape (3, 4) and dtype complex128"),
        ([[1], [1, 2]], "a list of rows of different lengths"),
        ([1.0, None], "a list with None in it"),
    ],
)
def test_one_result_that_is_no_array_costs_its_own_share_only(value, told):
    verdict = ask(lambda x, y: (2 * x, (y + 1, value), None))
    assert (verdict.status, verdict.hints, verdict.misconception) == (Status.WRONG, (), None)
    assert verdict.credit == pytest.approx(2 / 3)
    assert verdict.message.startswith(f"r is {told}; an array of numbers was asked for")
    assert verdict.message.endswith("p and q are right.")


def test_what_else_is_wrong_is_told_beside_what_is_missing():
    verdict = ask(lambda x, y: (-x, (None, None), None))
    assert (verdict.status, verdict.credit) == (Status.WRONG, 0) and verdict.hints == CHECK.hints
    assert "p is wrong. q and r are None; an array of numbers was asked for" in verdict.message
    half = ask(lambda x, y: (2 * x, None, None))
    assert half.credit == pytest.approx(1 / 3) and half.message.endswith("p is right.")


def test_a_result_counts_only_with_those_that_it_is_made_from():
    check = replace(CHECK, made_from={"p": ("q", "r")}, misconceptions=())
    assert ask(right, check).credit == 1
    verdict = ask(lambda x, y: (2 * x, (np.zeros(8), -y), None), check)
    assert verdict.credit == pytest.approx(1 / 3)  # of r, which is right by itself
    assert "p and r are right, and p counts only with all that goes into them." in verdict.message
    assert ask(lambda x, y: (2 * x, None, None), check).credit == 0
    assert ask(lambda x, y: (3 * x, (y + 1, -y), None), check).credit == pytest.approx(2 / 3)


def in_blocks(**changed):
    """Credit of an answer with two results of four blocks of two, some of them changed."""
    whole = np.arange(1.0, 9.0)
    check = Check(
        "rows",
        "",
        "rows",
        1,
        cases=lambda rng: [Case("", (np.zeros(2),)), Case("again", (np.ones(2),))],
        expected=lambda x: (whole + x[0], whole * (whole > 4)),
        outputs=("p", "q"),
        axes={"p": "4H", "q": "4H"},
        blocks={"4H": ("i", "f", "g", "o")},
        mend=changed.pop("mend", None),
    )

    def answer(x):
        p, q = check.expected(x)
        for name, array in (("p", p), ("q", q)):
            for block, value in changed.get(name, {}).items():
                array[2 * block : 2 * block + 2] = value
        return p, q

    return examine(check, answer, np.random.default_rng(0)).credit


def test_where_one_block_is_wrong_the_others_count():
    assert in_blocks(p={1: 0.0}) == (3 / 4 + 1) / 2
    assert in_blocks(p={1: np.nan}) == (3 / 4 + 1) / 2
    assert in_blocks(p={0: 3.0, 1: 1.0}) == 1 / 2  # in another order, or wrong as a whole
    assert in_blocks(q={3: 0.0}) == (1 + 1 / 4) / 2  # zeros are no work: two blocks of q hold them
    assert in_blocks(p={1: 0.0}, mend=Mend(1, given="rows_given")) == 1 / 2


def test_an_object_that_raises_when_it_is_read_is_an_error():
    class Trap:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("trap")

    verdict = ask(lambda x, y: (Trap(), (y, y), None))
    assert "p is a Trap; an array of numbers was asked for" in verdict.message


def test_arrays_stacked_in_one_count_as_their_tuple_where_they_can_be_unpacked_so():
    stacked = ask(lambda x, y: (2 * x, np.stack([y + 1, -y]), None))
    assert stacked.status is Status.PASSED
    assert "q and r are wrong" in ask(lambda x, y: (2 * x, np.stack([y, y + 2]), None)).message
    for odd in (np.stack([Y, Y, Y]), np.ones(2), 3.0):  # three things, two numbers, one
        assert (
            "f must return p, (q, r), cache"
            in ask(lambda x, y, odd=odd: (2 * x, odd, None)).message
        )


def failing(status, when):
    def function(x, y):
        calls.append(1)
        if when(x):
            raise StudentError(status, "It stopped.")
        return right(x, y)

    calls = []
    return function, calls


SIZES = Check(
    **{
        **vars(CHECK),
        "cases": lambda rng: [
            Case("", (X, Y)),
            Case("one row", (X[:1], Y)),
            Case("two rows", (X[:2], Y)),
        ],
    }
)


@pytest.mark.parametrize(("rows", "case"), [(1, " (case: one row)"), (3, "")])
def test_work_that_fails_for_one_size_keeps_the_points_of_the_others_whichever_comes_first(
    rows, case
):
    function, calls = failing(Status.ERROR, lambda x: len(x) == rows)
    verdict = ask(function, SIZES)
    assert verdict.status is Status.ERROR and verdict.credit == pytest.approx(2 / 3)
    assert (
        verdict.message == f"It stopped.{case} In all other cases it is right." and len(calls) == 3
    )


def test_answers_to_edge_cases_alone_earn_nothing():
    function, calls = failing(Status.ERROR, lambda x: len(x) > 1)
    verdict = ask(function, SIZES)
    assert (verdict.status, verdict.credit, len(calls)) == (Status.ERROR, 0.0, 3)
    assert verdict.message.endswith("it works in the ordinary case, the first one.")
    function, _ = failing(Status.ERROR, lambda x: len(x) < 3)
    assert ask(function, SIZES).credit == pytest.approx(1 / 3)


@pytest.mark.parametrize("status", [Status.ENVIRONMENT, Status.UNFINISHED, Status.CRASHED])
def test_what_fails_by_no_size_is_not_called_again(status):
    function, calls = failing(status, lambda x: True)
    assert (ask(function).credit, len(calls)) == (0, 1)


def test_after_a_timeout_no_further_case_is_tried():
    check = Check(
        **{
            **vars(CHECK),
            "cases": lambda rng: [Case("", (X, Y)), Case("b", (X[:1], Y)), Case("c", (X, Y))],
        }
    )
    function, calls = failing(Status.TIMEOUT, lambda x: len(x) == 1)
    verdict = ask(function, check)
    assert (verdict.status, verdict.credit) == (Status.TIMEOUT, pytest.approx(1 / 3))
    assert len(calls) == 2


def test_further_mistakes_are_made_only_where_none_of_the_first_explains_the_answer():
    def fourfold(x, y):
        return 4 * x, (y + 1, -y), "cache"

    asked = []

    def further():
        asked.append("further")
        return [[], [Misconception("fourfold", "It multiplies by four.", fourfold)]]

    check = replace(CHECK, further=further)
    assert (ask(thrice, check).misconception, asked) == ("thrice", [])
    assert (ask(fourfold, check).misconception, asked) == ("fourfold", ["further"])
    assert ask(lambda x, y: (5 * x, (y, y), "cache"), check).misconception is None


def test_an_examination_of_its_own_is_asked_instead():
    verdict = Verdict(Status.PASSED, "Fine.", 1.0)
    check = Check("own", "", "f", 1, examine=lambda call, rng: verdict)
    assert ask(right, check) is verdict

    def raises(call, rng):
        raise StudentError(Status.TIMEOUT, "Too slow.")

    assert ask(right, Check("own", "", "f", 1, examine=raises)).status is Status.TIMEOUT


def test_each_call_gets_copies_of_its_own():
    def spoils(x, y):
        result = right(x.copy(), y.copy())
        x[:], y[:] = 0, 0
        return result

    assert ask(spoils).status is Status.PASSED
    assert X.max() == 12  # the case's own array is untouched
    tree = {"a": [X, (Y, Named(X, 1, None))]}
    copy = copy_tree(tree)
    copy["a"][1][1].p[:] = 0
    assert isinstance(copy["a"][1][1], Named) and X.max() == 12


def test_same_generator_same_verdict():
    check = Check(
        **{
            **vars(CHECK),
            "cases": lambda rng: [Case("", (rng.normal(size=(3, 4)), rng.normal(size=8)))],
        }
    )
    seen = []
    for _ in range(2):
        examine(check, lambda x, y: seen.append(x) or right(x, y), np.random.default_rng(5))
    np.testing.assert_array_equal(*seen)


def test_patterns_are_flattened_and_spelled():
    assert list(flatten(CHECK.outputs, right(X, Y), "f")) == ["p", "q", "r"]
    assert spell(CHECK.outputs) == "p, (q, r), cache"
    assert SINGLE_PRECISION > CHECK.tolerance


def test_results_by_name_are_as_good_as_results_in_order():
    check = replace(CHECK, expected=lambda x, y: (2 * x, y), outputs=("p", "q"))
    assert ask(lambda x, y: {"q": y, "p": 2 * x}, check).status is Status.PASSED
    verdict = ask(lambda x, y: {"q": y, "r": 2 * x}, check)
    assert (verdict.status, verdict.message) == (Status.ERROR, "f must return p, q, got dict.")


SUM = replace(
    CHECK,
    expected=lambda x, y: (2 * x, y, 0 * y),
    outputs=("p", "q", "r"),
    one_form=lambda a: {"p": a["p"], "sum": a["q"] + a["r"]},
    misconceptions=(Misconception("twice", "It counts twice.", lambda x, y: (2 * x, y, y)),),
)


def test_where_several_answers_are_right_one_form_is_compared():
    assert ask(lambda x, y: (2 * x, y - 3, 0 * y + 3), SUM).status is Status.PASSED
    verdict = ask(lambda x, y: (2 * x, 3 * y, -y), SUM)
    assert (verdict.misconception, verdict.credit) == (
        "twice",
        0.5,
    ) and "sum is wrong" in verdict.message
    verdict = ask(lambda x, y: (2 * x, y, y[:3]), SUM)
    assert verdict.status is Status.ERROR
    assert (
        verdict.message
        == "What f returned does not fit together. The shapes are: p (3, 4), q (8,) and r (3,)."
    )


def late(x):
    return x[np.arange(3) + 2]


INDEXED = replace(
    CHECK,
    cases=lambda rng: [Case("long", (X.ravel(),)), Case("short", (Y[:4],))],
    expected=lambda x: x[np.arange(3) + 1],
    outputs="p",
    misconceptions=(Misconception("late", "It is one too late.", late, ("Count.",)),),
)


def raising(function):
    def call(x):
        try:
            return function(x)
        except IndexError as error:
            raise StudentError(Status.ERROR, str(error)) from None

    return call


def test_a_mistake_that_raises_in_some_cases_is_named_where_it_raises_in_the_same_ones():
    verdict = ask(raising(late), INDEXED)
    assert (verdict.status, verdict.misconception, verdict.hints) == (
        Status.ERROR,
        "late",
        ("Count.",),
    )
    assert (
        verdict.message.startswith("It is one too late. index 4 is out of bounds")
        and verdict.credit == 0
    )
    assert (
        ask(
            raising(lambda x: late(x) if len(x) > 4 else x[np.arange(3) + 9]), INDEXED
        ).misconception
        == "late"
    )
    assert ask(raising(lambda x: late(x) + 1), INDEXED).misconception is None
    early = Misconception("early", "It is one too early.", lambda x: x[:3])  # which never raises
    verdict = ask(
        raising(lambda x: x[:3] if len(x) > 4 else x[np.arange(3) + 9]),
        replace(INDEXED, misconceptions=(early,)),
    )
    # Not of the failure, but of what it gives where it does not fail.
    assert (verdict.status, verdict.misconception) == (Status.ERROR, "early")
    assert "In all other cases: It is one too early." in verdict.message
    # right where it should raise
    assert ask(lambda x: late(x) if len(x) > 4 else x[1:], INDEXED).misconception is None


def test_rows_of_different_lengths_are_told_as_such():
    message = ask(returning(p=lambda p: [[1.0, 2.0], [3.0]])).message
    assert "a list of rows of different lengths" in message, message
    assert "the shortest has 1 entries, the longest 2" in message


def test_empty_arrays_and_missing_numbers_are_told():
    check = replace(
        CHECK, outputs="p", misconceptions=(Misconception("none", "Empty.", lambda x, y: x[:0]),)
    )
    check = replace(check, expected=lambda x, y: 2 * x)
    assert ask(lambda x, y: x[:0], check).misconception == "none"
    verdict = ask(lambda x, y: [1.0, None], check)
    assert verdict.message.startswith(
        "f returned a list with None in it for p; it must be an array of numbers (is there a return"
    )


def test_the_framework_of_a_check_must_be_a_known_one():
    with pytest.raises(
        ValueError,
        match="check 'double': arrays must be one of numpy, torch, tensorflow, got 'jax'",
    ):
        replace(CHECK, arrays="jax")


def test_check_with_more_asks_its_own_cases_first_and_stays_as_it_is():
    shown = replace(CHECK, cases=lambda rng: [Case("shown", (rng.normal(),))])
    more = shown.with_more(lambda rng: [Case("hidden", (rng.normal(),))])
    draws = np.random.default_rng(0).normal(size=2)
    assert [(case.label, *case.args) for case in more.cases(np.random.default_rng(0))] == [
        ("shown", draws[0]),
        ("hidden", draws[1]),
    ]
    assert [case.label for case in shown.cases(np.random.default_rng(0))] == ["shown"]
    assert replace(more, cases=shown.cases) == shown


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x, W: W @ x, "double was called with x (3, 4) and W (4, 2)."),
        (lambda x, W: x + W, "double was called with x (3, 4) and W (4, 2)."),
        (lambda x, W: [][1], ""),
        (lambda x, W: open(W), ""),
    ],
)
def test_an_error_of_shapes_is_told_with_the_shapes_that_came(function, told):
    check = Check(
        "double",
        "",
        "double",
        1,
        cases=lambda rng: [Case("", (rng.normal(size=(3, 4)), rng.normal(size=(4, 2))))],
        expected=lambda x, W: x @ W,
        outputs="y",
    )
    verdict = examine(check, _as_student(function), np.random.default_rng(0))
    assert verdict.status is Status.ERROR
    assert verdict.message.endswith(told) and ("was called with" in verdict.message) == bool(told)


def test_a_wrong_number_of_arguments_is_told_with_those_of_the_task():
    def double(x):
        return x

    check = Check(
        "double",
        "",
        "double",
        1,
        cases=lambda rng: [Case("", (1.0, 2.0))],
        expected=lambda x, scale, more=0: x * scale,
        outputs="y",
    )
    verdict = examine(check, _as_student(double), np.random.default_rng(0))
    assert verdict.message.endswith("The task asks for double(x, scale).")
    nameless = replace(check, expected=lambda *arguments: 2.0)
    verdict = examine(nameless, _as_student(double), np.random.default_rng(0))
    assert verdict.message.endswith("were given")


def _as_student(function):
    def call(*args):
        try:
            return function(*args)
        except Exception as error:
            raise StudentError(Status.ERROR, f"{type(error).__name__}: {error}") from None

    return call
