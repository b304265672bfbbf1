"""Which names a notebook uses, read without running anything."""

import pytest

from autograder.guest.worker import CUT, MAX_USES, read_cell
from autograder.judge.static_names import introspection, named, replaced


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("import gc\ngc.get_objects()", ["gc.get_objects"]),
        ("from gc import get_objects as g\ng()", ["gc.get_objects"]),
        ("import sys as s\ns._getframe(1)", ["sys._getframe"]),
        ("import ctypes", ["ctypes"]),
        ("import gc\ngc.collect()  # not gc.get_objects", []),
        ("text = 'ctypes'", []),
        ("h, c = f(x)\no = h.grad_fn._saved_self", ["h.grad_fn._saved_self"]),
        ("print(loss.grad_fn)", []),
        ("a, b = c.grad_fn.next_functions", ["c.grad_fn.next_functions"]),
        (
            "import torch\nwith torch.autograd.graph.saved_tensors_hooks(f, g): pass",
            ["torch.autograd.graph"],
        ),
    ],
)
def test_what_reaches_into_the_program_is_found_under_every_spelling(cell, found):
    assert introspection(read_cell(1, cell)[0]["uses"]) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("torch.autograd.grad = mine", ["torch.autograd.grad"]),
        ("import torch.nn.functional as F\nF.mse_loss = mine", ["torch.nn.functional.mse_loss"]),
        ("setattr(np.linalg, 'qr', mine)", ["numpy.linalg.qr"]),
        ("np.float = float\ntorch.backends.cudnn.deterministic = True", []),
        ("model.weight = w\nself.np = 1\ntorch = None", []),
        ("print(torch.autograd.grad(y, x) == z)", []),
    ],
)
def test_what_is_put_in_the_place_of_a_library_is_found(cell, found):
    uses = read_cell(1, cell)[0]["uses"]
    assert replaced(("numpy", "torch"), uses) == found
    assert named(("np.linalg.qr",), uses) == []


def test_a_usual_short_name_also_stands_for_the_whole_one():
    assert named(("np.gradient", "torch"), {"numpy", "numpy.gradient"}) == ["np.gradient"]


def test_names_of_a_cell_beyond_the_most_are_said_to_be_cut():
    many = read_cell(1, "\n".join(f"b{k}" for k in range(6000)) + "\nnp.convolve")[0]["uses"]
    assert CUT in many and len(many) == MAX_USES + 1
    assert CUT not in read_cell(1, "np.convolve")[0]["uses"]
