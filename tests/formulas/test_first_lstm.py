"""The formulas of the page *A first trained LSTM*, beside PyTorch, and beside tables that count by brute force."""

import ast
from collections import Counter
from itertools import pairwise

import jupytext
import numpy as np
import torch

from lstm_ref.losses import cross_entropy
from tests.chapter_formulas import BOOK, Chapter

chapter = Chapter("first-lstm")


def function_of_the_page(name, **names):
    """A function of the page, with the names that it takes from other cells."""
    cells = jupytext.read(BOOK / "first-lstm.md", fmt="md:myst").cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    wanted = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    names |= {"np": np, "Counter": Counter}
    exec(compile(ast.Module(wanted, []), str(BOOK / "first-lstm.md"), "exec"), names)
    return names[name]


@chapter.shows("eq-first-cross-entropy", r"L = -\frac{1}{M-1} \sum_{t=1}^{M-1} \ln p(x_{t+1} \mid x_1, \ldots, x_t)")
def cross_entropy_of_a_text():
    text = "abracadabra"
    alphabet, M = sorted(set(text)), len(text)
    # A model that one can count with: the next letter depends on the last one.
    p = {pair: weight for pair, weight in zip([(a, b) for a in alphabet for b in alphabet], range(1, 26), strict=True)}
    p = {(a, b): w / sum(p[a, x] for x in alphabet) for (a, b), w in p.items()}
    by_hand = -sum(np.log(p[pair]) for pair in pairwise(text)) / (M - 1)
    logits = np.log([[[p[a, x] for x in alphabet] for a in text[:-1]]])
    targets = np.array([[alphabet.index(x) for x in text[1:]]])
    assert np.isclose(cross_entropy(logits, targets)[0], by_hand, rtol=1e-12)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(logits[0]), torch.tensor(targets[0]))
    assert np.isclose(theirs.item(), by_hand, rtol=1e-12)


@chapter.shows(
    "eq-first-table",
    r"""\begin{aligned}
    p_k(x \mid s) &= \frac{n(s\,x) + \alpha\, p_{k-1}(x \mid s')}{n(s) + \alpha} \\[4pt]
    p_{-1}(x) &= \frac1V
    \end{aligned}""",
)
def table_that_counts():
    text, alpha, longest = "abracadabra, a cat, a bar", 8.0, 3
    alphabet = sorted(set(text))
    V = len(alphabet)
    starts = range(len(text) - longest)

    def n(s):
        return sum(text[j : j + len(s)] == s for j in starts)  # one place after the other

    def p(x, s, k):
        return 1 / V if k < 0 else (n(s + x) + alpha * p(x, s[1:], k - 1)) / (n(s) + alpha)

    runs = function_of_the_page("count_runs")(text, longest)
    found = function_of_the_page("table_probabilities", V=V)
    for s in ("abr", "a c", "xyz"):
        for x in alphabet:
            of_page = found(runs, s, x, longest, alpha)
            assert np.allclose(of_page, [p(x, s[longest - k :], k) for k in range(longest + 1)], rtol=1e-12)
        assert np.isclose(sum(p(x, s, longest) for x in alphabet), 1)


@chapter.shows(
    "eq-first-softmax",
    r"""\begin{aligned}
    z_t &= h_t W_y + b_y \\[4pt]
    p(x_{t+1} = k \mid x_1, \ldots, x_t) &= \frac{e^{z_{t,k}}}{\sum_j e^{z_{t,j}}}
    \end{aligned}""",
)
def scores_and_softmax():
    rng = np.random.default_rng(0)
    h, W_y, b_y = rng.normal(size=(2, 3, 5)), rng.normal(size=(5, 7)), rng.normal(size=7)
    z = torch.nn.functional.linear(torch.tensor(h), torch.tensor(W_y.T), torch.tensor(b_y))
    p = torch.softmax(z, dim=-1).numpy()
    z = z.numpy()
    assert np.allclose(z, h @ W_y + b_y, rtol=1e-12)
    for n, t, k in np.ndindex(2, 3, 7):
        assert np.isclose(p[n, t, k], np.exp(z[n, t, k]) / sum(np.exp(z[n, t, j]) for j in range(7)), rtol=1e-12)
        assert np.isclose(cross_entropy(z[n : n + 1, t : t + 1], np.array([[k]]))[0], -np.log(p[n, t, k]))


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()
