import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from autograder.batch import similar
from autograder.course.course import Course
from autograder.judge import problem_set
from tests.support.tiny_course import ROOT

CORPUS = Path(__file__).parents[2] / "corpora" / "fair"
NOTHING = np.zeros(0, dtype=np.uint64)


def prints(code, known=NOTHING):
    return similar._own(code, known)


def program(seed, lines=60):
    """Code of one student's own: statements that are drawn."""
    rng = np.random.default_rng(seed)
    functions = ["tanh", "exp", "outer", "sum", "dot", "stack", "zeros", "where", "sqrt", "log"]
    signs = ["+", "-", "*", "@", "/", "**", "<", ">="]
    text = ["def step(x, h):"]
    for k in range(lines):
        f, g = rng.choice(functions, 2)
        a, b = rng.choice(signs, 2)
        text.append(f"    v{k} = np.{f}(x {a} h) {b} np.{g}(v{rng.integers(max(k, 1))}, {k})")
    return "\n".join([*text, "    return x"])


def disguised(code):
    """The same program with other names, numbers, comments and layout."""
    code = re.sub(r"\bv(\d+)\b", r"value_number_\1", code).replace("(x ", "(inputs ")
    code = re.sub(r", (\d+)\)", r",\1.5)   # the next one", code)
    return f'"""My own work."""\n{code}'


def test_names_numbers_comments_and_layout_do_not_hide_the_same_code():
    own = {f"s{k}": prints(program(k)) for k in range(12)}
    own |= {"copy": prints(disguised(program(3))), "part": prints(program(5, lines=50))}
    found = similar.compare(own)
    assert [group.students for group in found.groups] == [["copy", "s3"], ["part", "s5"]]
    assert found.groups[0].share == 1 and found.compared == 14


def test_order_does_not_count_and_what_was_added_does_not_hide_it():
    one, two = program(1), program(2)
    first, second = prints(f"{one}\n{two}"), prints(f"{two}\n{one}\n{program(3, lines=40)}")
    (group,) = similar.compare({"ann": first, "bob": second, "cay": prints(program(9))}).groups
    assert group.students == ["ann", "bob"] and group.share >= similar.ALIKE


def test_what_was_handed_out_is_left_out():
    given = np.unique(similar._hashes(program(1)))
    assert len(prints(program(1), given)) == 0
    own = {name: prints(f"{program(1)}\ny = {name}", given) for name in ("ann", "bob")}
    found = similar.compare(own)
    assert (found.groups, found.compared, found.too_little) == ([], 0, 2)


def test_right_work_in_many_habits_is_no_group():
    course = Course.load(ROOT)
    known = similar._known(course, problem_set.load("lstm-bptt", ROOT, validate=False))
    own = {path.stem: prints(path.read_text(), known) for path in CORPUS.glob("*.cell")}
    found = similar.compare(own)
    assert found.groups == [] and found.compared > 40
    enough = [own[name] for name in own if len(own[name]) >= similar.LEAST]
    most = max(similar._common(a, b) for a, b in itertools.combinations(enough, 2))
    assert most < 0.6, "a margin to what is called alike"
    name = max(own, key=lambda name: len(own[name]))
    copied = (CORPUS / f"{name}.cell").read_text().replace("    ", "  ").replace("x", "xs")
    (group,) = similar.compare(own | {"copied": prints(copied, known)}).groups
    assert group.students == sorted([name, "copied"])


@pytest.mark.parametrize(
    "code",
    [
        '"""' * 20_000,
        "'" * 60_000,
        "\\" * 60_000,
        'rb"' * 20_000,
        "\N{GREEK SMALL LETTER LAMDA}9.e" * 12_000,
        "(" * 60_000,
        "x\0\ud800" * 20_000,
        "a.b" * 20_000,
    ],
)
def test_no_text_takes_more_than_one_pass(code):
    # Eight times what is read: with a pass for each character this would not end.
    assert len(similar.tokens(code * 8)) <= 8 * len(code)
    assert len(prints(code * 8)) <= 8 * len(code)


def test_a_class_of_equal_and_of_strange_programs_is_compared_in_bounded_work(monkeypatch):
    same = {f"s{k}": prints(program(1)) for k in range(300)}
    asked = []
    common = similar._common
    monkeypatch.setattr(similar, "_common", lambda a, b: asked.append(1) or common(a, b))
    (group,) = similar.compare(same).groups
    assert len(group.students) == 300 and not asked  # equal ones are not even compared
    near = {f"s{k}": prints(program(1) + program(k + 2, lines=3)) for k in range(120)}
    (group,) = similar.compare(near).groups
    assert len(group.students) == 120 and len(asked) < 200
    monkeypatch.setattr(similar, "MAX_PAIRS", 50)
    assert similar.compare(near).cut
