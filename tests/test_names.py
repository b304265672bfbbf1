"""Which names a function uses, read without running anything."""

import pytest

from autograder.names import LOOKS_UP, TOO_MANY, named, reached
from autograder.session import _statement
from autograder.worker import read_cell

READY_MADE = ("torch.nn.LSTM", "torch.nn.LSTMCell", "torch._VF", "torch.ops", "given")
IMPORTS = "import torch\nfrom torch import nn"
COMPARED = "layer = nn.LSTM(2, 3)\nh, c = nn.LSTMCell(2, 3)(x)\ntorch.testing.assert_close(f(x), layer(x))"


def used(*cells, names=READY_MADE):
    told = [statement for number, cell in enumerate(cells, 1) for statement in read_cell(number, cell)[0]["statements"]]
    return named(names, reached(map(_statement, told), "f"))


@pytest.mark.parametrize(
    "cell",
    [
        "def f(x): return nn.LSTMCell(2, 3)(x)",
        "cell = nn.LSTMCell(2, 3)\ndef f(x): return cell(x)",
        "def f(x): return helper(x)\nclass A:\n    def __call__(self, x): return nn.LSTM(x)\nhelper = A()",
        "from torch.nn import LSTM as L\ndef f(x): return L(x)",
        "from torch.nn import *\ndef f(x): return LSTM(x)",
        "m = nn\ndef f(x): return m.LSTM(x)",
        "table = {}\ntable['a'] = nn.LSTM\ndef f(x): return table['a'](x)",
        "torch.sigmoid = nn.LSTM\ndef f(x): return torch.sigmoid(x)",
        "def f(x):\n    import torch as q\n    return q.ops.aten.lstm_cell(x)",
        "if True:\n    def f(x): return [torch._VF.lstm_cell(y) for y in x]",
        "f = g = nn.LSTM",
        "f = lambda x: given(x)",
        "def wrap(g): return lambda x: g(x)\nf = wrap(nn.LSTM)",
        "@nn.LSTM\ndef f(x): return x",
    ],
)
def test_a_ready_made_function_is_found_by_whatever_way_it_is_reached(cell):
    assert len(used(IMPORTS, cell)) == 1


@pytest.mark.parametrize(
    "cell",
    [
        "def f(x):\n    h, c = x\n    layer = h + c\n    return layer",  # the names of the comparison, and not its values
        "def f(x): return torch.sigmoid(x)  # nn.LSTM",
        "def f(x):\n    'Like torch.nn.LSTMCell.'\n    return nn.functional.linear(x)",
        "def f(x): return nn.Module().LSTM(x)",
    ],
)
def test_what_the_function_does_not_use_is_not_found(cell):
    assert used(IMPORTS, cell, COMPARED) == []
    assert used(IMPORTS, "def g(x): return nn.LSTM(x)", cell) == []


def test_names_that_are_made_up_while_the_code_runs_are_not_found_and_can_be_suspected():
    cell = "def f(x): return getattr(nn, 'LS' + 'TM')(x)"
    assert used(IMPORTS, cell) == [] and used(IMPORTS, cell, names=LOOKS_UP) == ["getattr"]
    assert used(IMPORTS, "def f(x): return x\nprint(getattr(nn, 'LSTM'))", names=LOOKS_UP) == []


def test_of_code_that_is_made_to_take_for_ever_to_read_not_all_is_read():
    spellings = "\n".join(f"m = q{k}" for k in range(99))
    cell = f"{spellings}\ndef f(x): return [{', '.join(f'm.a{k}' for k in range(3000))}]"
    assert used(cell, names=LOOKS_UP) == [TOO_MANY]
