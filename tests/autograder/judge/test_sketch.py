import numpy as np
import pytest

from autograder.judge import judge, problem_set
from autograder.judge.sketch import RAISED, equal, sketch
from autograder.sandbox import choose
from tests.support.tiny_course import RIGHT, ROOT, make_tiny_course
from verdict import Case, Check, Status, StudentError


def rng():
    return judge.generator("the same for all", "a check")


def check(*args, **more):
    return Check(
        "f", "f.", "f", 1, cases=lambda rng: [Case("one", args)], expected=lambda *a: a[0], **more
    )


@pytest.mark.parametrize("name", ["lstm-bptt", "measure"])
def test_every_known_mistake_has_a_sketch_of_its_own_that_rounding_leaves_alone(name):
    for asked in problem_set.load(name, ROOT, validate=False).checks:
        if asked.examine is not None:
            continue
        found = {}
        for mistake in asked.misconceptions[:12]:

            def answer(*args, mistake=mistake):
                try:
                    return mistake.function(*args)
                except Exception as error:  # as a student's function that fails in an edge case
                    raise StudentError(Status.ERROR, str(error)) from None

            def rounded(*args, answer=answer):
                value = answer(*args)
                return value * (1 + 1e-12) if isinstance(value, np.ndarray) else value

            with np.errstate(all="ignore"):
                found[mistake.id] = sketch(asked, answer, rng())
                assert equal(found[mistake.id], sketch(asked, rounded, rng())), mistake.id
        ids = list(found)
        same = [
            (a, b) for k, a in enumerate(ids) for b in ids[k + 1 :] if equal(found[a], found[b])
        ]
        assert len(same) <= len(ids) // 6, (asked.name, same)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.array([np.nan, np.inf, 1.0]),
        np.full(3, 1e308),
        np.zeros((0, 3)),
        np.ones(200_000),
        7,
    ],
)
def test_whatever_an_answer_holds_its_sketch_is_finite_numbers(value):
    with np.errstate(all="ignore"):
        numbers = sketch(check(value, outputs="y"), lambda x: x, rng())
    assert len(numbers) == 3 and np.isfinite(numbers).all()


def test_words_are_told_apart_and_an_error_has_a_place_of_its_own():
    words = check(["a", "b"], outputs="y", exact=("y",))
    assert sketch(words, lambda x: x, rng()) == sketch(words, tuple, rng())
    assert not equal(sketch(words, lambda x: x, rng()), sketch(words, lambda x: x[::-1], rng()))

    def raises(x):
        raise StudentError(Status.ERROR, "no")

    assert sketch(words, raises, rng()) == RAISED


def test_students_who_are_wrong_in_the_same_way_get_the_same_numbers(tmp_path):
    course = make_tiny_course(tmp_path)
    questions, box = problem_set.load("tiny", course), choose.choose()

    def grade(scale, seed):
        cells = ["import numpy as np", scale, RIGHT["total_code"]]
        return judge.grade(cells, questions, seed=seed, isolation=box)

    first = grade("def scale(x, a):\n    return 3 * a * x", "one")
    second = grade("def scale(b, c):\n    return b * c + b * c + b * c", "two")
    other = grade("def scale(x, a):\n    return 4 * a * x", "three")
    named = grade("def scale(x, a):\n    return a + x", "four")
    for result in (first, second, other):
        wrong, right = result.checks
        assert (wrong.status, wrong.score, right.status) == ("wrong", 0, "passed")
        assert wrong.answer and not right.answer
    assert equal(first.checks[0].answer, second.checks[0].answer)
    assert not equal(first.checks[0].answer, other.checks[0].answer)
    assert named.checks[0].misconception == "adds" and not named.checks[0].answer
    again = type(first).from_json(first.to_json())
    assert again == first


def test_code_that_ends_its_worker_when_it_is_asked_once_more_keeps_its_points(tmp_path):
    course = make_tiny_course(tmp_path)
    questions, box = problem_set.load("tiny", course), choose.choose()
    deadly = (
        "def scale(x, a):\n    global calls\n    calls += 1\n    if calls > 2:\n"
        "        import os; os._exit(3)\n    return 3 * a * x"
    )
    cells = ["calls = 0", deadly, RIGHT["total_code"]]
    result = judge.grade(cells, questions, seed="one", isolation=box)
    wrong, right = result.checks
    assert (wrong.status, right.status, right.score) == ("wrong", "passed", 1)
    assert wrong.answer == () and "worker 2" not in "".join(result.log)
