"""The formula of the first page."""

import numpy as np

from lstm_ref import lstm_step
from tests.chapter_formulas import Chapter

chapter = Chapter("start")


@chapter.shows("eq-start-left", r"\frac{c_k}{c_0} = f^k")
def what_a_constant_gate_leaves():
    f, c0, nothing = 0.9, 3.0, np.zeros((1, 1))
    c = np.full((1, 1), c0)
    for k in range(1, 30):
        _, c, _ = lstm_step(
            nothing,
            nothing,
            c,
            np.zeros((1, 4)),
            np.zeros((1, 4)),
            np.array([0, np.log(f / (1 - f)), 0, 0]),
        )
        assert np.isclose(c.item() / c0, f**k, rtol=1e-12)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()
