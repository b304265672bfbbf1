"""No page asserts how one training ended: what is trained is asserted over seeds, because another
processor ends elsewhere.

Read from the source of the pages: a function trains when it calls an optimiser, or one that does.
What comes from such a call is a trained result, and so is what is computed from it. It is over
seeds where the call stands in a loop whose variable or whose range has `seed` in its name. An
assert on any other needs a comment `# one run: ...` in its cell, which says why it holds anyway.
What a training changes in place counts as well: the model that `fit` gets, the list that takes up
its losses, the names within a loop that calls `backward` and `step`. What a function returns or
asserts about a global name is not followed.

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
FILLS = {"append", "extend", "add", "update", "insert"}
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
    "speech": ["torch.equal(*same)"],  # one batch twice
    "long-text": [
        "np.isclose(bytes_kept[39]",  # bytes of arrays
        "'backward through the graph a second time'",
        "np.abs(after[0] - after[1]).max()",
    ],
    "keras": [
        "forecast.shape ==",
        "(p - t).shape ==",
        "wrong > right",  # the error of a broadcast on one model is that of the variance
        "auto is False",
        "counts ==",
        "np.array_equal(loaded(",  # a model and its copy from a file
    ],
    "pytorch": ["torch.allclose(ratio"],
    "three-engines": [
        # one pass, no training
        "all((a.dtype == kind",
        "all((v.max() < 200",
        "max(relative(found[np.float32",
        # engines from one start, step for step, within bands of powers of ten
        "curves[np.float64, 'NumPy'][-10:]",  # that it learns at all, by more than a nat
        "all((gaps[np.float64",
        "all((6 < np.log10(gaps",
        "all((1e-05 < gaps[np.float32",
        "g[0] < 1e-05 < g.max()",
    ],
    "training-step": [
        "torch.equal(again(x, lengths)",  # a model and its copy from a file
        "len(missing) == 4",
        "kept.data_ptr()",
        "set(optimiser.state_dict()",
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


def stored(node):
    """Names that are set anywhere in a piece of code."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def base(node):
    """Name of what an expression is a part of: that of `runs["a"].losses` is `runs`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


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

    def changed_in_place(self, call):
        """Names of what a statement changes without an assignment: a list or dict that takes up the
        result of a single training, the model that `fit` trains, the arguments of a trainer.
        """
        if not isinstance(call, ast.Call):
            return set()
        filled = isinstance(call.func, ast.Attribute) and call.func.attr in FILLS
        if filled and any(self.is_single(argument, False) for argument in call.args):
            return base(call.func.value)
        if getattr(call.func, "attr", "") == "fit":
            return base(call.func.value)
        if self.trains(call.func):
            return {a.id for a in call.args if isinstance(a, ast.Name)}
        return set()

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
            self.mark(stored(part.target), self.is_single(part.iter, over_seeds))
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

    def mark(self, names, single):
        """Note that these names hold the result of a single training, or no longer do."""
        self.single = self.single | names if single else self.single - names

    def assign(self, node, over_seeds):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        single = self.is_single(node.value, over_seeds)
        names = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        whole = {n for t in targets for n in stored(t)}
        if single or not isinstance(node, ast.AugAssign):
            self.mark(names if single else whole, single)

    def read(self, body, cell, over_seeds=False):
        for node in body:
            if isinstance(node, ast.Assert):
                if self.is_single(node.test, over_seeds) and REASON not in cell:
                    self.found.append(ast.unparse(node))
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value:
                self.assign(node, over_seeds)
            elif isinstance(node, ast.Expr) and not over_seeds:
                self.mark(self.changed_in_place(node.value), True)
            elif isinstance(node, ast.For | ast.With | ast.If | ast.While | ast.Try):
                if isinstance(node, ast.For):
                    self.mark(stored(node.target), self.is_single(node.iter, over_seeds))
                seeds = over_seeds or seeded(node)
                for part in ("body", "orelse", "finalbody"):
                    self.read(getattr(node, part, []), cell, seeds)
                if not seeds and isinstance(node, ast.For | ast.While) and trains(node, set()):
                    self.mark({n for part in node.body for n in stored(part)}, True)


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
        ("model.fit(x)\nassert history(model) < 1", ["assert history(model) < 1"]),
        ("net = new()\nlearn(net)\nassert loss(net) < 1", ["assert loss(net) < 1"]),
        ("for seed in SEEDS:\n    model.fit(x)\n    assert history(model) < 1", []),
        (
            "runs = []\nfor name in 'ab':\n    runs.append(learn(name))\nassert runs[0] < 1",
            ["assert runs[0] < 1"],
        ),
        (
            "runs = {}\nfor name in 'ab':\n    runs[name] = learn(name)\nassert runs['a'] < 1",
            ["assert runs['a'] < 1"],
        ),
        ("runs = {}\nfor seed in SEEDS:\n    runs[seed] = learn(seed)\nassert max(runs) < 1", []),
        (
            "for k in range(9):\n    a = f()\n    a.backward()\n    o.step()\nassert a < 1",
            ["assert a < 1"],
        ),
        ("try:\n    run = learn(0)\nfinally:\n    assert run < 1", ["assert run < 1"]),
        ("run = learn(0)\nrun += 1\nassert run < 1", ["assert run < 1"]),
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
