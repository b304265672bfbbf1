"""No page asserts how one training ended: what is trained is asserted over seeds, because another
processor ends elsewhere.

Read from the source of the pages: a function trains when it calls an optimiser, or one that does.
What comes from such a call is a trained result, and so is what is computed from it. It is over
seeds where the call stands in a loop whose variable or whose range has `seed` in its name. An
assert on any other needs a comment `# one run: ...` in its cell, which says why it holds anyway.

The pages were written before this test. EXACT lists their asserts that are identities, or that
compare runs within one process and do not say how a training ended. It may not grow, and what is
mended leaves it.
"""

import ast
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "book").rglob("*.md")
    if "```{code-cell}" in path.read_text(encoding="utf-8")
)
OPTIMISERS = {"adam", "sgd", "momentum", "rmsprop", "train", "fit"}
REASON = "# one run:"
EXACT = {  # page -> how an assert begins
    "fading": ["np.array_equal(runs['never'][0]"],  # two runs of one process, to the last bit
    "first-lstm": [
        "differences['float64'].max()",  # how far two engines drift apart over the first steps
        "differences['float32'][:10]",
        "differences['float64, clip_grad_norm_']",
        "differences['float64, two biases']",
        "np.isclose(nats(logits, y).mean()",
        "np.isclose(carried.mean(), last",
    ],
    "long-text": [
        "'backward through the graph a second time'",
        "np.abs(after[0] - after[1]).max()",
    ],
    "keras": [
        "forecast.shape ==",
        "(p - t).shape ==",
        "wrong > right",  # the error of a broadcast on one model is that of the variance
        "auto is False",
        "counts ==",
    ],
    "pytorch": ["torch.allclose(ratio"],
    "training-step": [
        "gap < 0.0001",
        "torch.equal(trained(0)",
        "abs(length_of_step(True)",
        "whole == straight_on",
    ],
}


def called(node):
    """Names of all that is called in a piece of code; of a method its own name, if it is that of an
    optimiser.
    """
    found = set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            if isinstance(call.func, ast.Name):
                found.add(call.func.id)
            elif isinstance(call.func, ast.Attribute):
                found.add("." + call.func.attr)
    return found


def trains(node, trainers):
    names = called(node)
    return bool(names & (trainers | {".fit"})) or ".step" in names and ".backward" in names


def trainers_of(trees):
    """Names of the functions of a page that train something, also through others."""
    functions = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    ]
    found = {name for name in OPTIMISERS if any(name in called(tree) for tree in trees)}
    while True:
        more = {function.name for function in functions if trains(function, found)} - found
        if not more:
            return found
        found |= more


def seeded(node):
    """Whether a loop or a comprehension runs over seeds."""
    heads = [node.target, node.iter] if isinstance(node, ast.For | ast.comprehension) else []
    return any("seed" in ast.unparse(head).lower() for head in heads)


class Reader:
    """Goes through a page, cell by cell; notes which names hold the result of a single training."""

    def __init__(self, trainers):
        self.trainers, self.single, self.found = trainers, set(), []

    def is_single(self, node, over_seeds):
        """Whether an expression holds, or makes, the result of a single training."""
        if isinstance(node, ast.Lambda):
            return False
        if isinstance(node, ast.Name):
            return node.id in self.single
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return self.is_single_within(
                node, over_seeds or any(seeded(part) for part in node.generators)
            )
        if isinstance(node, ast.Call) and not over_seeds and self.trains(node.func):
            return True
        return any(self.is_single(part, over_seeds) for part in ast.iter_child_nodes(node))

    def trains(self, function):
        """Whether a call of this trains something."""
        return (
            isinstance(function, ast.Name)
            and function.id in self.trainers
            or getattr(function, "attr", "") == "fit"
        )

    def is_single_within(self, node, over_seeds):
        """The same of a comprehension, whose variables are its own."""
        outside = self.single
        for part in node.generators:
            names = {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
            self.single = (
                self.single | names
                if self.is_single(part.iter, over_seeds)
                else self.single - names
            )
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        parts = [
            *values,
            *(test for part in node.generators for test in part.ifs),
            *(part.iter for part in node.generators),
        ]
        try:
            return any(self.is_single(part, over_seeds) for part in parts)
        finally:
            self.single = outside

    def read(self, body, cell, over_seeds=False):
        for node in body:
            if isinstance(node, ast.Assert):
                if self.is_single(node.test, over_seeds) and REASON not in cell:
                    self.found.append(ast.unparse(node))
            elif (
                isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
                and node.value is not None
            ):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {
                    n.id
                    for t in targets
                    for n in ast.walk(t)
                    if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                }
                self.single = (
                    self.single | names
                    if self.is_single(node.value, over_seeds)
                    else self.single - names
                )
            elif isinstance(node, ast.For | ast.With | ast.If | ast.While):
                if isinstance(node, ast.For):
                    names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
                    self.single = (
                        self.single | names
                        if self.is_single(node.iter, over_seeds)
                        else self.single - names
                    )
                self.read(node.body, cell, over_seeds or seeded(node))
                self.read(getattr(node, "orelse", []), cell, over_seeds)


def asserts_on_one_run(page):
    """The asserts of a page that look at the result of a single training."""
    cells = [
        cell.source
        for cell in jupytext.reads(page, fmt="md:myst").cells
        if cell.cell_type == "code"
    ]
    trees = [ast.parse(re.sub(r"^[%!].*$", "", cell, flags=re.MULTILINE)) for cell in cells]
    reader = Reader(trainers_of(trees))
    for cell, tree in zip(cells, trees, strict=True):
        reader.read(tree.body, cell)
    return reader.found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_page_asserts_how_one_training_ended(path):
    found = asserts_on_one_run(path.read_text(encoding="utf-8"))
    listed = [f"assert {begin}" for begin in EXACT.get(path.stem, [])]
    assert [text for text in found if not text.startswith(tuple(listed))] == [], (
        "assert it over seeds"
    )
    assert [begin for begin in listed if not any(text.startswith(begin) for text in found)] == [], (
        "mended: unlist it"
    )


def test_lists_name_pages_that_there_are():
    assert set(EXACT) <= {path.stem for path in PAGES}


HEAD = "---\nkernelspec:\n  display_name: p\n  language: python\n  name: python3\n---\n\n# P\n\n"
LEARN = """def learn(seed):
    for _ in range(3):
        params, state = adam(params, grads, state)
    return loss

def both(seed):
    return learn(seed)
"""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("loss = learn(0)\nassert loss < 1", ["assert loss < 1"]),
        ("loss = both(0)\nlast = loss[-1]\nassert last < 1", ["assert last < 1"]),
        ("assert learn(3) < 1", ["assert learn(3) < 1"]),
        (
            "runs = {n: learn(n) for n in 'ab'}\nfor n, run in runs.items():\n    assert run < 1",
            ["assert run < 1"],
        ),
        ("loss = learn(0)  # one run: it computes in integers\nassert loss < 1", []),
        ("losses = [learn(seed) for seed in range(5)]\nassert max(losses) < 1", []),
        ("losses = {n: [both(s) for s in SEEDS] for n in 'ab'}\nassert min(losses['a']) < 1", []),
        ("loss = learn(0)\nloss = 3\nassert loss == 3", []),
        (
            (
                "run = learn(0)\nruns = [learn(seed) for seed in SEEDS]\nassert max(run for run in "
                "runs) < 1"
            ),
            [],
        ),
        (
            "run = learn(0)\nassert max(last for last in run) < 1",
            ["assert max((last for last in run)) < 1"],
        ),
        ("assert sum([1, 2]) == 3", []),
        ("model.fit(x)\nassert history(model) < 1", []),  # what is changed in place is not followed
    ],
)
def test_single_run_is_told_from_runs_over_seeds(code, found):
    assert (
        asserts_on_one_run(
            f"{HEAD}```{{code-cell}} ipython3\n{LEARN}```\n\n```{{code-cell}} ipython3\n"
            f"{code}\n```\n"
        )
        == found
    )
