"""The formulas of the page *On a GPU*, and its table, read from a file that is made up here."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import sympy
import torch

from tests.chapter_formulas import Chapter, source_of

chapter = Chapter("gpu")

a, b, N, T = sympy.symbols("a b N T", positive=True)
RATE = N * T / (a + b * N)


@chapter.shows("eq-gpu-throughput", r"t(N) = a + b N, \qquad R(N) = \frac{N T}{a + b N}")
def throughput():
    """Tokens over time; it rises with N, and ever more slowly."""
    assert sympy.simplify(RATE - N * T / (a + b * N)) == 0
    slope = sympy.simplify(sympy.diff(RATE, N))
    assert (
        sympy.simplify(slope - a * T / (a + b * N) ** 2) == 0
        and sympy.diff(slope, N).subs({a: 1, b: 1, N: 1, T: 1}) < 0
    )


@chapter.shows(
    "eq-gpu-half",
    (
        r"\lim_{N \to \infty} R(N) = \frac{T}{b}, \qquad R\Big(\frac{a}{b}\Big) = \frac{1}{2} "
        r"\cdot \frac{T}{b}"
    ),
)
def half():
    assert sympy.limit(RATE, N, sympy.oo) == T / b
    assert sympy.simplify(RATE.subs(N, a / b) - T / b / 2) == 0


@chapter.shows(
    "eq-gpu-crossover",
    r"""\begin{aligned}
    a_G + b_G N &= a_C + b_C N \\
    \Longleftrightarrow \quad N = N^* &= \frac{a_G - a_C}{b_C - b_G}
    \end{aligned}""",
)
def crossover():
    """Below it the CPU is faster, above it the GPU."""
    for a_c, b_c, a_g, b_g in ((2, 5, 90, 1), (1, 3, 2, 2), (10, 40, 500, 3)):
        star = Fraction(a_g - a_c, b_c - b_g)
        assert a_g + b_g * star == a_c + b_c * star
        for size in range(1, 60):
            assert (a_g + b_g * size < a_c + b_c * size) == (size > star)


@chapter.shows("eq-gpu-move", r"t_{\text{move}} = t_0 + \frac{s}{B}")
def move():
    """Cut into pieces, the same bytes take t0 longer for each piece more."""
    t0, s, B, k = sympy.symbols("t0 s B k", positive=True)
    whole = t0 + s / B
    pieces = k * (t0 + (s / k) / B)
    assert sympy.simplify(pieces - whole - (k - 1) * t0) == 0


@chapter.shows(
    "eq-gpu-bytes",
    r"\frac{s_{\text{one-hot}}}{s_{\text{numbers}}} = \frac{4\, N T V}{8\, N T} = \frac{V}{2}",
)
def size():
    for V in (3, 90):
        ids = torch.randint(0, V, (5, 7))
        one_hot = torch.nn.functional.one_hot(ids, V).to(torch.float32)
        assert (
            one_hot.element_size() * one_hot.numel() == 4 * 5 * 7 * V
            and ids.element_size() * ids.numel() == 8 * 5 * 7
        )
        assert one_hot.nbytes / ids.nbytes == V / 2


def finished(launches, durations):
    """A device that works through a queue, seen every unit of time; when each task is done."""
    done, queue, busy, now = [], [], None, 0
    arrivals = list(zip(launches, durations, strict=True))
    while len(done) < len(launches):
        while arrivals and arrivals[0][0] <= now:
            queue.append(arrivals.pop(0)[1])
        if busy is not None and busy == now:
            done.append(now)
            busy = None
        if busy is None and queue:
            busy = now + queue.pop(0)
        now += 1
    return done


@chapter.shows("eq-gpu-queue", r"C_k = \max(C_{k-1},\, k \tau) + t_k, \qquad C_0 = 0")
def queue():
    rng = np.random.default_rng(0)
    for tau in (1, 4, 9):
        durations = rng.integers(1, 10, size=30).tolist()
        C, expected = 0, []
        for k, t in enumerate(durations, 1):
            C = max(C, k * tau) + t
            expected.append(C)
        assert finished([k * tau for k in range(1, 31)], durations) == expected


@chapter.shows(
    "eq-gpu-bound",
    r"""C_n = \begin{cases} \tau + n t & \text{if } t \ge \tau \\ n \tau + t & \text{if } t <
        \tau \end{cases}""",
)
def bound():
    for tau, t, n in ((3, 5, 20), (5, 5, 7), (5, 2, 20), (4, 3, 1)):
        last = finished([k * tau for k in range(1, n + 1)], [t] * n)[-1]
        assert last == (tau + n * t if t >= tau else n * tau + t)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()


def reader():
    """The function of the page that reads what was measured."""
    source = re.search(
        r"^def measured_on_a_gpu.*?(?=^\S)", source_of("gpu"), re.DOTALL | re.MULTILINE
    )
    assert source is not None
    names = {"json": json, "Path": Path}
    exec(source[0], names)
    return names["measured_on_a_gpu"]


def test_the_table_is_shown_as_soon_as_there_is_one(tmp_path):
    rates = {
        "nn.LSTM": {"median": 1234567, "lowest": 1, "highest": 2},
        "twin": {"median": 89},
        "twin, torch.compile": {"not there": "no compiler"},
    }
    report = {
        "machine": {
            "gpu": "Made-up GPU",
            "torch": "9.9",
            "date": "2001-02-03",
            "cuda": "1.2",
            "cudnn": 3,
        },
        "results": [{"N, T, D, H": [1, 2, 3, 4], "precision": "TF32", "tokens per second": rates}],
        "gpu against cpu": {"from N": 16},
    }
    (tmp_path / "gpu.json").write_text(json.dumps(report), encoding="utf-8")
    table = reader()(tmp_path)
    assert "**Made-up GPU**, 2001-02-03, PyTorch 9.9, CUDA 1.2, cuDNN 3" in table
    assert (
        "| 1, 2, 3, 4 | TF32 | 89 | - | - | 1,234,567 |" in table
        and "from a batch of 16 on" in table
    )


def test_a_file_that_is_missing_or_damaged_gives_a_sentence(tmp_path):
    read = reader()
    assert "no measurement from a GPU" in read(tmp_path)
    for text in (
        "",
        "[1]",
        "{}",
        '{"machine": {}, "results": [{"precision": "TF32"}]}',
        '{"machine": {}}',
    ):
        (tmp_path / "gpu.json").write_text(text, encoding="utf-8")
        told = read(tmp_path)
        assert told.startswith("The repository holds no measurement from a GPU") and "|" not in told
