import warnings
from dataclasses import replace

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from lstm_ref import lstm_forward, practice, zoo
from lstm_ref.practice.gradient_checkers import check_gradients_plainly, lstm_loss
from lstm_ref.zoo import plain


@pytest.fixture(autouse=True)
def no_hints_given():
    practice._given.clear()


def say(capsys, call='check("lstm_step", seed=1)', **names):
    """What check prints in a notebook with these names."""
    namespace = {"np": np, "sigmoid": plain.sigmoid, "check": practice.check, **names}
    exec(call, namespace)
    return capsys.readouterr().out


def student(source, **names):
    """Functions that a notebook's cell defines."""
    namespace = {"np": np, "sigmoid": plain.sigmoid, "check": practice.check, **names}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


def test_a_known_mistake_is_told_by_degrees_and_its_name_comes_last(capsys, approved):
    bug = zoo.find("no_forget_gate")
    texts = [say(capsys, lstm_step=bug.lstm_step) for _ in range(5)]
    approved("practice-by-degrees", {f"call {k + 1}": text for k, text in enumerate(texts[:4])})
    assert texts[4] == texts[3]
    assert not any(bug.title in text for text in texts[:3])


def test_what_is_shown_beside_a_verdict_is_approved(capsys, approved):
    right = {name: getattr(plain, name) for name in zoo.FUNCTIONS}
    some = right | {
        "lstm_forward": zoo.find("zero_start").lstm_forward,
        "lstm_step": zoo.find("order_ifog").lstm_step,
    }
    needed = student(zoo.source_of("lstm_step"), lstm_backward=zoo.find("no_carry").lstm_backward)
    needed |= {"lstm_forward": plain.lstm_forward, "end_to_end": lambda *a: None}
    unwritten = student("def lstm_step(*arguments):\n    raise NotImplementedError()")
    texts = {
        "right": say(capsys, **right),
        "all parts": say(capsys, "check(seed=4)", **some),
        "another gate order": say(capsys, lstm_step=zoo.find("order_iofg").lstm_step),
        "an unknown name": say(capsys, 'check("lstm_stop")'),
        "not there": say(capsys),
        "no function": say(capsys, lstm_step=3),
        "not written": say(capsys, lstm_step=unwritten["lstm_step"]),
        "needed first": say(capsys, 'check("end_to_end")', **needed),
    }
    approved("practice", texts)


def test_hints_start_anew_when_the_mistake_changes_and_when_it_passes(capsys):
    gate, bias = zoo.find("no_forget_gate").lstm_step, zoo.find("no_bias").lstm_step
    said = [say(capsys, lstm_step=f) for f in (gate, gate, bias, gate, gate, plain.lstm_step, gate)]
    numbers = [
        next((line[5] for line in text.split("\n") if line.startswith("Hint")), "") for text in said
    ]
    assert numbers == ["", "1", "", "", "1", "", ""]


def test_hints_of_one_unknown_mistake_are_not_charged_to_the_next(capsys):
    def wrong(name):
        def lstm_step(*arguments):
            h, c, cache = plain.lstm_step(*arguments)
            return (1.1 * h, c, cache) if name == "h" else (h, 1.1 * c, cache)

        return lstm_step

    assert [say(capsys, lstm_step=wrong(name)).count("Hint 1 of") for name in ("h", "h", "c")] == [
        1,
        0,
        1,
    ]


def test_one_gate_order_through_all_parts_is_charged_once(capsys):
    names = {name: getattr(zoo.find("order_ifog"), name) for name in ("lstm_step", "lstm_forward")}
    names |= {
        name: getattr(zoo.find("back_order_ifog"), name)
        for name in ("lstm_step_backward", "lstm_backward")
    }

    def end_to_end(x, h0, c0, Wx, Wh, b, dh, dcT):
        return names["lstm_backward"](dh, names["lstm_forward"](x, h0, c0, Wx, Wh, b)[2], dcT)

    text = say(
        capsys,
        "check(seed=4)",
        end_to_end=end_to_end,
        gradient_check=check_gradients_plainly,
        **names,
    )
    assert text.startswith("18 of 20 points")


CASE = 'found = case("lstm_step", seed=1)'


def test_the_failing_input_is_given_with_what_came_and_what_was_expected(capsys):
    names = {"np": np, "case": practice.case, "lstm_step": zoo.find("no_tanh_in_h").lstm_step}
    exec(CASE, names)
    text, found = capsys.readouterr().out, names["found"]
    h, c, _ = plain.lstm_step(*found.arguments)
    np.testing.assert_array_equal(found.expected["h"], h)
    np.testing.assert_array_equal(found.got["c"], c)
    assert set(found.got) == set(found.expected) == {"h", "c"} and not np.allclose(
        found.got["h"], h
    )
    n, k = np.unravel_index(np.argmax(abs(found.got["h"] - h)), h.shape)
    assert f"h[{n}, {k}]: {found.got['h'][n, k]:.6g} came, {h[n, k]:.6g} was expected." in text
    assert text.startswith("lstm_step: fails. h is wrong. c is right.\n") and "tanh" not in text


def test_the_failing_input_is_that_of_the_edge_where_only_that_fails(capsys):
    def lstm_step(x, *others):
        if len(x) == 1:
            raise ValueError("too small")
        return plain.lstm_step(x, *others)

    names = {"np": np, "case": practice.case, "lstm_step": lstm_step}
    exec(CASE, names)
    text, found = capsys.readouterr().out, names["found"]
    assert text.startswith("lstm_step: fails (one example, N = 1). ValueError: too small")
    assert len(found.arguments[0]) == 1 and found.got == {}
    names["lstm_step"] = plain.lstm_step
    exec(CASE, names)
    assert (
        names["found"] is None
        and capsys.readouterr().out == "lstm_step: passed with these inputs\n"
    )
    for name, says in (
        ("gradient_check", "is not written yet"),
        ("nothing", "There is no check named 'nothing'"),
    ):
        exec(f'found = case("{name}", seed=1)', names)
        assert names["found"] is None and says in capsys.readouterr().out
    exec(
        'found = case("gradient_check", seed=1)',
        names | {"gradient_check": check_gradients_plainly},
    )
    assert "compares no numbers" in capsys.readouterr().out


RULED_OUT = {
    "attribute": "def lstm_step(*a):\n    return np.convolve(a[0][0], a[0][0])",
    "imported": "from numpy import convolve as mix\ndef lstm_step(*a):\n    return mix(a[0][0], "
    "a[0][0])",
    "imported within": "def lstm_step(*a):\n    from numpy import convolve\n    return "
    "convolve(a[0][0], a[0][0])",
    "in a helper": "def mix(a):\n    return np.convolve(a, a)\ndef lstm_step(*a):\n    return "
    "mix(a[0][0])",
    "in a lambda": "def lstm_step(*a):\n    return list(map(lambda r: np.convolve(r, r), a[0]))",
    "a package": "def lstm_step(*a):\n    import scipy.signal\n    return a",
}
ALLOWED = {
    "a text": "def lstm_step(*a):\n    'np.convolve is not used'\n    return a",
    "another name": "def convolve(a):\n    return a\ndef lstm_step(*a):\n    return convolve(a)",
    "an attribute of another": "class A:\n    convolve = 1\ndef lstm_step(*a):\n    return "
    "A.convolve",
    "a part of the name": "def lstm_step(*a):\n    return np.concatenate([a[0], a[0]])",
}


@pytest.mark.parametrize(
    "source", [*RULED_OUT.values(), *ALLOWED.values()], ids=[*RULED_OUT, *ALLOWED]
)
def test_practice_looks_for_what_a_task_rules_out(capsys, source):
    forbidding = tuple(
        replace(check, forbids=("np.convolve", "scipy")) for check in practice.CHECKS
    )
    text = say(capsys, **student(source, check=practice.Instant(forbidding).check))
    assert ("which this task rules out: write it yourself" in text) == (
        source in RULED_OUT.values()
    ), text


def test_hints_of_one_function_do_not_use_up_those_of_another(capsys):
    step, sequence = zoo.find("no_bias").lstm_step, zoo.find("zero_start").lstm_forward
    for hint in ("A known mistake", "Hint 1", "Hint 2"):
        assert hint in say(capsys, lstm_step=step)
        if hint != "Hint 2":
            assert hint in say(capsys, 'check("lstm_forward")', lstm_forward=sequence)


def test_an_error_is_shown_with_the_students_own_line(capsys, tmp_path):
    source = (
        "def cut(a):\n    return np.split(a, 5)\n\n"
        "def lstm_step(x, h_prev, c_prev, Wx, Wh, b):\n    return cut((x @ Wx).ravel()[:3])\n"
    )
    file = tmp_path / "cell.py"
    file.write_text(source)
    namespace = {"np": np, "check": practice.check}
    exec(compile(source + 'check("lstm_step", seed=1)', str(file), "exec"), namespace)
    text = capsys.readouterr().out
    assert text.startswith("lstm_step: stopped with an error\nValueError: array split")
    assert (
        "\nIn cut, line 2 of its cell: return np.split(a, 5)"
        "\ncalled from lstm_step, line 5 of its cell: return cut((x @ Wx).ravel()[:3])\n"
    ) in text
    imported = {
        "check": practice.check,
        "lstm_step": namespace["lstm_step"],
    }  # the function's globals are another file's
    exec('check("lstm_step", seed=1)', imported)
    assert "\nIn cut, line 2 of cell.py: return np.split(a, 5)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("import a_package_that_is_not_there", "stopped by something outside the mathematics"),
        ("return x.astype(np.float_)", "stopped by something outside the mathematics"),
        ("return hprev", "stopped with an error"),
        ("raise SystemExit", "stopped with an error"),
        ("raise MemoryError", "ran out of memory"),
        ("return lstm_step(x, h_prev, c_prev, Wx, Wh, b)", "stopped with an error"),
    ],
)
def test_errors_of_the_environment_are_told_from_those_of_the_work(capsys, body, head):
    names = student(f"def lstm_step(x, h_prev, c_prev, Wx, Wh, b):\n    {body}\n")
    text = say(capsys, lstm_step=names["lstm_step"])
    assert text.startswith(f"lstm_step: {head}\n")
    assert ("nothing about your mathematics" in text) == (
        head == "stopped by something outside the mathematics"
    )


class Trap:
    """Raises whatever is done to it."""

    def __getattribute__(self, name):
        raise RuntimeError("trap")

    def __iter__(self):
        raise RuntimeError("trap")


class EvilTuple(tuple):
    def __len__(self):
        raise RuntimeError("trap")


class EvilError(Exception):
    def __str__(self):
        raise RuntimeError("trap")


def raises_evil(*arguments):
    raise EvilError


@pytest.mark.parametrize("name", [check.name for check in practice.CHECKS])
@pytest.mark.parametrize(
    "function",
    [
        lambda *a: None,
        lambda *a: Trap(),
        lambda *a: EvilTuple((1, 2, 3)),
        lambda *a: (Trap(),) * len(a),
        lambda *a: "text",
        lambda *a: {"h": Trap()},
        lambda *a: [[], [[], []], []],
        lambda *a: (np.nan, (np.nan, np.inf), None),
        lambda *a: (x for x in a),
        lambda *a: (a, a, a, a, a, a),
        lambda *a: (np.array([None]), np.array("x"), np.array([1j])),
        lambda *a: NotImplemented,
        lambda: 1,
        raises_evil,
        int,
        Trap,
    ],
)
def test_nothing_that_a_student_returns_breaks_it(capsys, name, function):
    needed = {"lstm_forward": plain.lstm_forward, "lstm_backward": plain.lstm_backward}
    text = say(capsys, f'check("{name}", seed=3)', **{**needed, name: function})
    assert text.startswith(f"{name}: ") and "passed" not in text


def test_prints_are_shown_and_a_warning_is_told_once_and_costs_nothing(capsys):
    def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
        print("hello")
        warnings.warn("odd", stacklevel=1)
        return plain.lstm_step(x, h_prev, c_prev, Wx, Wh, b)

    text = say(capsys, lstm_step=lstm_step)
    assert text.startswith("hello\n")
    assert text.endswith(
        "looked at here, but where it is used.\nYour code gives a warning: UserWarning: odd\n"
    )


def test_the_seed_repeats_the_inputs_and_without_one_they_differ(capsys):
    seen = []

    def lstm_step(x, *others):
        seen.append(x.copy())
        return plain.lstm_step(x, *others)

    for call in ('check("lstm_step", seed=7)', 'check("lstm_step", seed=7)', 'check("lstm_step")'):
        say(capsys, call, lstm_step=lstm_step)
    count = len(seen) // 3
    np.testing.assert_array_equal(seen[0], seen[count])
    assert not np.array_equal(seen[0], seen[2 * count])


@pytest.mark.parametrize("check", practice.CHECKS, ids=lambda check: check.name)
def test_a_student_who_turns_numpys_warnings_into_errors_is_graded_alike(capsys, check):
    source = "\n\n".join(zoo.source_of(name) for name in zoo.FUNCTIONS)
    names = student(source, end_to_end=check.expected, gradient_check=check_gradients_plainly)
    with np.errstate(all="raise"):
        exec(f'check("{check.name}")', names)
        assert capsys.readouterr().out.startswith(f"{check.name}: passed\n")
        names["lstm_step"] = lambda x, h, c, *weights: (
            np.full_like(h, 1e308),
            np.full_like(c, -1e308),
            None,
        )
        exec('check("lstm_step", seed=1)', names)
        assert "h and c are wrong. The mistake is not one of those" in capsys.readouterr().out


def test_the_students_own_random_numbers_are_left_alone(capsys):
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    say(capsys, lstm_step=plain.lstm_step)
    assert np.random.random() == expected


def run_notebook(tmp_path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    return [cell.outputs for cell in notebook.cells]


def test_in_a_notebook_it_shows_html_with_the_same_text_and_the_line_of_the_cell(tmp_path):
    _, right, wrong, broken = run_notebook(
        tmp_path,
        "import numpy as np\nfrom lstm_ref.practice import check\nfrom lstm_ref.zoo.plain import "
        "*\n"
        "from lstm_ref.zoo.plain import sigmoid",
        'check("lstm_step")',
        zoo.find("no_tanh_in_h").source_of("lstm_step") + '\n\ncheck("lstm_step", seed=5)',
        "def lstm_step(x, h_prev, c_prev, Wx, Wh, b):\n    # <b>\n    return x < Wx\n\n"
        + 'check("lstm_step", seed=5)',
    )
    assert (
        right[0]
        .data["text/plain"]
        .startswith("lstm_step: passed\nOne step forward gives the right h and c.\n")
    )
    assert "✓ lstm_step: passed</strong><div>One step forward" in right[0].data["text/html"]
    assert wrong[0].data["text/plain"].split("\n")[1] == "h is wrong. c is right."
    assert "✗ lstm_step: not right yet" in wrong[0].data["text/html"]
    assert "In lstm_step, line 3 of its cell: return x < Wx" in broken[0].data["text/plain"]
    assert "return x &lt; Wx" in broken[0].data["text/html"]
    assert len(right) == len(wrong) == len(broken) == 1  # nothing but the verdict is shown


@pytest.mark.parametrize(("N", "T", "D", "H"), [(2, 3, 2, 1), (3, 1, 1, 2), (1, 4, 3, 3)])
def test_the_loss_that_checkers_ask_is_that_of_the_reference(N, T, D, H):
    rng = np.random.default_rng(N)
    x, dh, dcT = rng.normal(size=(N, T, D)), rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
    sizes = {"h0": (N, H), "c0": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    params = {name: rng.normal(size=size) for name, size in sizes.items()}
    h, (_, cT), _ = lstm_forward(x, **params)
    loss = lstm_loss(x, dh, dcT)
    assert loss(params) == pytest.approx((h * dh).sum() + (cT * dcT).sum(), rel=1e-13, abs=1e-13)
    assert np.isnan(loss({**params, "h0": np.full((N, H), np.nan)}))
