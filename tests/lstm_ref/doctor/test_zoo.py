"""The doctor on the zoo of whole programs in PyTorch: named when sick, silent when mended, whatever
things are called.
"""

import ast
import warnings

import pytest
import torch
from torch import nn

from lstm_ref.doctor import CATALOGUE
from lstm_ref.zoo.programs import find, programs
from lstm_ref.zoo.programs.registry import build

TORCH = [pytest.param(entry, id=entry.id) for entry in programs("torch")]
PLAIN = {entry.plain: entry for entry in programs("torch")}
REMARKED = {"out_sum"}  # with Adam a sum does no harm that a step would show


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("entry", TORCH)
def test_sick_programs_are_named(entry):
    report = entry.make(True, 0).examine()
    ids = [
        finding.id for finding in report if finding.certainty != "remark" or entry.id in REMARKED
    ]
    assert ids and ids[0] in entry.finding, str(report)


@pytest.mark.parametrize("entry", PLAIN.values(), ids=PLAIN)
def test_mended_programs_are_left_alone(entry):
    report = entry.make(False, 0).examine()
    assert not report, str(report)
    assert not [str(n) for n in report.not_examined if "stopped" in n.why]


class Renamed(ast.NodeTransformer):
    """Every class, attribute and variable of a program gets a name that says nothing; docstrings
    go.
    """

    def __init__(self, tree):
        taken = {
            *dir(nn.Module()),
            *dir(torch.Tensor),
            *dir(nn.LSTM(1, 1)),
            "forward",
            "program",
            "Case",
        }
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        names |= {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        own = [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
        ]
        self.attributes = self._numbered({n.attr for n in own} - taken, "a")
        self.names = self._numbered(names - arguments - taken, "v")

    @staticmethod
    def _numbered(names, letter):
        return {name: f"{letter}{k}" for k, name in enumerate(sorted(names))}

    def visit_ClassDef(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Attribute(self, node):
        node.attr = self.attributes.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Nonlocal(self, node):
        node.names = [self.names.get(name, name) for name in node.names]
        return node


@pytest.mark.parametrize(
    "id",
    [
        "axis_batch_as_time",
        "opt_modules_in_list",
        "cell_forget_shut",
        "out_softmax_twice",
        "state_cut_each_step",
    ],
)
def test_names_do_not_matter(id):
    entry = find(id)
    tree = ast.parse(entry.code(True))
    rename = Renamed(tree)
    code = ast.unparse(rename.visit(tree))
    assert len(rename.names) > 5 and len(rename.attributes) > 1
    case = build(entry.plain, code, "renamed", 0, {})
    report = case.examine()
    assert report.ids[0] in entry.finding, str(report)


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.id) for entry in programs()])
def test_what_must_name_a_program_is_in_the_catalogue(entry):
    assert set(entry.finding) <= set(CATALOGUE)
