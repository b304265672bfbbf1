"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.author.demo import Edit, Marks, Student, moved_around, untouched, without
from lstm_ref import zoo

FULL = {
    "lstm_cell": 3,
    "cell_gradients": 2,
    "to_torch": 3,
    "last_hidden": 3,
    "sequence_loss": 3,
    "train_step": 3,
    "run_chunks": 3,
}
MARKS = Marks(FULL)
NOTHING, points, right = MARKS.nothing, MARKS.points, MARKS.right
WRITTEN = ("lstm_cell", "to_torch", "last_hidden", "sequence_loss", "train_step", "run_chunks")


def hand_in(first: str = "", last: str = "", **changed: str) -> Edit:
    """Reference solutions in all cells but those of the functions that are ``changed``; own cells
    at top and end.
    """

    def edit(notebook: Any, solutions: Mapping[str, str]) -> Any:
        from nbformat.v4 import new_code_cell

        sources = {**solutions, **{f"{name}_code": source for name, source in changed.items()}}
        for cell in notebook.cells:
            cell.source = sources.get(
                cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source
            )
        after = (
            next(k for k, cell in enumerate(notebook.cells) if "set_default_dtype" in cell.source)
            + 1
        )
        for source, place in ((last, len(notebook.cells)), (first, after)):
            if source:
                notebook.cells.insert(place, new_code_cell(source))
        return notebook

    return edit


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LINEAR = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = state
    i, f, g, o = (F.linear(x, Wx.T, b) + F.linear(h, Wh.T)).split(h.shape[1], dim=-1)
    i, f, g, o = F.sigmoid(i), F.sigmoid(f), F.tanh(g), F.sigmoid(o)
    c = f * c + i * g
    return (o * F.tanh(c), c), (i, f, g, o)
"""

EINSUM = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = state
    H = h.size(-1)
    a = torch.einsum("nd,dkh->knh", x, Wx.view(-1, 4, H))
    a = a + torch.einsum("nm,mkh->knh", h, Wh.view(-1, 4, H))
    i, f, g, o = (a + b.view(4, 1, H)).unbind(0)
    c = torch.addcmul(f.sigmoid() * c, i.sigmoid(), g.tanh())
    return [[o.sigmoid() * c.tanh(), c], [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()]]
"""

STACKED = """
def lstm_cell(x, state, Wx, Wh, b):
    h_prev, c_prev = state
    both = torch.cat([x, h_prev], dim=1)
    a = torch.addmm(b, both, torch.cat([Wx, Wh]))
    H = h_prev.shape[1]
    gates = [a[:, k * H : (k + 1) * H] for k in range(4)]
    i, f, o = (1 / (1 + torch.exp(-gates[k])) for k in (0, 1, 3))
    g = 2 * torch.sigmoid(2 * gates[2]) - 1
    c = torch.zeros_like(c_prev)
    c += f * c_prev
    c += i * g
    return (o * torch.tanh(c), c), torch.stack([i, f, g, o])
"""

LOOPED = """
def lstm_cell(x, state, Wx, Wh, b):
    h_prev, c_prev = state
    H = h_prev.shape[1]
    rows = []
    for n in range(len(x)):
        a = torch.stack([x[n].dot(Wx[:, k]) + h_prev[n].dot(Wh[:, k]) + b[k] for k in range(4 * H)])
        i, f, o = torch.sigmoid(a[:H]), torch.sigmoid(a[H : 2 * H]), torch.sigmoid(a[3 * H :])
        g = torch.tanh(a[2 * H : 3 * H])
        c = f * c_prev[n] + i * g
        rows.append((o * torch.tanh(c), c, i, f, g, o))
    h, c, *gates = (torch.stack(column) for column in zip(*rows))
    return (h, c), gates
"""

MODULE = """
class Gate(nn.Module):
    def __init__(self, number, Wx, Wh, b, activation):
        super().__init__()
        H = Wh.shape[0]
        block = slice(number * H, (number + 1) * H)
        self.U, self.W, self.bias = Wx[:, block], Wh[:, block], b[block]
        self.activation = activation

    def forward(self, x, h):
        return self.activation(torch.mm(x, self.U) + torch.mm(h, self.W) + self.bias)


def lstm_cell(x, state, Wx, Wh, b):
    h_prev, c_prev = state
    kinds = (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid)
    i, f, g, o = (Gate(k, Wx, Wh, b, kind)(x, h_prev) for k, kind in enumerate(kinds))
    c = f.mul(c_prev).add(i.mul(g))
    return (o.mul(c.tanh()), c), (i, f, g, o)
"""

OWN_BACKWARD = """
class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h_prev, c_prev, Wx, Wh, b):
        i, f, g, o = (x @ Wx + h_prev @ Wh + b).chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c_prev + i * g
        ctx.save_for_backward(x, h_prev, c_prev, Wx, Wh, i, f, g, o, c)
        return o * c.tanh(), c, i, f, g, o

    @staticmethod
    def backward(ctx, dh, dc, *_):
        x, h_prev, c_prev, Wx, Wh, i, f, g, o, c = ctx.saved_tensors
        dc = dc + dh * o * (1 - c.tanh() ** 2)
        da = torch.cat(
            [
                dc * g * i * (1 - i),
                dc * c_prev * f * (1 - f),
                dc * i * (1 - g**2),
                dh * c.tanh() * o * (1 - o),
            ],
            dim=1,
        )
        return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, h_prev.T @ da, da.sum(0)


def lstm_cell(x, state, Wx, Wh, b):
    h, c, *gates = Step.apply(x, *state, Wx, Wh, b)
    return (h, c), gates
"""

NAMED = """
from typing import NamedTuple


class State(NamedTuple):
    h: torch.Tensor
    c: torch.Tensor


def lstm_cell(x, state, Wx, Wh, b):
    state = State(*state)
    i, f, g, o = torch.tensor_split(x @ Wx + state.h @ Wh + b, 4, dim=1)
    gates = {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    c = gates["f"] * state.c + gates["i"] * gates["g"]
    return State(gates["o"] * c.tanh(), c), gates
"""

SINGLE_CELL = """
def lstm_cell(x, state, Wx, Wh, b):
    x, h, c, Wx, Wh, b = (tensor.to(torch.float32) for tensor in (x, *state, Wx, Wh, b))
    i, f, g, o = (x @ Wx + h @ Wh + b).chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c + i * g
    return (o * c.tanh(), c), (i, f, g, o)
"""
SINGLE_LOSS = """
def sequence_loss(logits, targets, mask):
    return F.cross_entropy(logits.float()[mask], targets[mask])
"""

# The experiments that the notebook suggests, with ready-made layers, outside the functions that are
# graded.
COMPARES = """
torch.manual_seed(0)
layer = nn.LSTM(3, 2, batch_first=True)
reference = nn.LSTMCell(3, 2)
x = torch.randn(4, 3)
h, c = reference(x)
Wx, Wh, b = reference.weight_ih.T, reference.weight_hh.T, reference.bias_ih + reference.bias_hh
(mine, _), gates = lstm_cell(x, (torch.zeros(4, 2), torch.zeros(4, 2)), Wx, Wh, b)
print("largest difference", (mine - h).abs().max().item())
"""

BY_NAME = """
def to_torch(Wx, Wh, b):
    weights = {"weight_ih_l0": Wx.t(), "weight_hh_l0": Wh.t()}
    return {**weights, "bias_ih_l0": torch.zeros(len(b)), "bias_hh_l0": b.clone()}
"""
HALVES = """
def to_torch(Wx, Wh, b):
    return Wx.transpose(0, 1).contiguous(), Wh.permute(1, 0), b / 2, b - b / 2
"""
AS_PARAMETERS = """
def to_torch(Wx, Wh, b):
    layer = nn.LSTM(Wx.shape[0], Wh.shape[0])
    with torch.no_grad():
        layer.weight_ih_l0.copy_(Wx.T)
        layer.weight_hh_l0.copy_(Wh.T)
        layer.bias_ih_l0.copy_(b)
        layer.bias_hh_l0.zero_()
    return list(layer.parameters())
"""
STATE_DICT = """
def to_torch(Wx, Wh, b):
    layer = nn.LSTM(Wx.shape[0], Wh.shape[0])
    biases = dict(bias_ih_l0=b - 1, bias_hh_l0=torch.ones_like(b))
    state = dict(weight_ih_l0=Wx.T, weight_hh_l0=Wh.T, **biases)
    layer.load_state_dict(state)
    return layer.state_dict()
"""
WITH_NUMPY = """
import numpy as np


def to_torch(Wx, Wh, b):
    Wx, Wh, b = (np.array(tensor) for tensor in (Wx, Wh, b))
    return Wx.T.copy(), Wh.T.copy(), b, np.zeros_like(b)
"""

GATHER = """
def last_hidden(output, lengths):
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))
    return output.gather(1, index).squeeze(1)
"""
LIST_OF_ROWS = """
def last_hidden(output, lengths):
    return torch.stack([row[length - 1] for row, length in zip(output, lengths.tolist())])
"""
ONE_HOT = """
def last_hidden(output, lengths):
    last = F.one_hot(lengths - 1, output.shape[1]).to(output.dtype)
    return torch.einsum("nt,nth->nh", last, output)
"""
TIME_FIRST = """
def last_hidden(output, lengths):
    output = output.transpose(0, 1)
    return output[lengths - 1, range(output.shape[1])]
"""

IGNORE_INDEX = """
def sequence_loss(logits, targets, mask):
    targets = targets.masked_fill(~mask, -100)
    return F.cross_entropy(logits.transpose(1, 2), targets)
"""
FLATTENED = """
def sequence_loss(logits, targets, mask):
    losses = nn.CrossEntropyLoss(reduction="none")(logits.flatten(0, 1), targets.flatten())
    weights = mask.flatten().to(losses.dtype)
    return (losses * weights).sum() / weights.sum()
"""
BY_HAND = """
def sequence_loss(logits, targets, mask):
    logits = logits - logits.max(dim=-1, keepdim=True).values
    log_p = logits - logits.exp().sum(-1, keepdim=True).log()
    losses = -torch.take_along_dim(log_p, targets.unsqueeze(-1), dim=-1).squeeze(-1)
    return losses.masked_select(mask).mean()
"""
LOOPED_LOSS = """
def sequence_loss(logits, targets, mask):
    losses = []
    for n in range(logits.shape[0]):
        for t in range(logits.shape[1]):
            if mask[n, t]:
                losses.append(torch.logsumexp(logits[n, t], 0) - logits[n, t, targets[n, t]])
    return sum(losses) / len(losses)
"""

ZERO_LAST = """
def train_step(model, optimizer, x, y, max_norm):
    model.train()
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_norm, norm_type=2.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss.detach()
"""
OWN_CLIPPING = """
def train_step(model, optimizer, x, y, max_norm):
    for parameter in model.parameters():
        parameter.grad = None
    loss = F.nll_loss(F.log_softmax(model(x), dim=1), y)
    loss.backward()
    norm = torch.sqrt(sum((parameter.grad**2).sum() for parameter in model.parameters()))
    if norm > max_norm:
        for parameter in model.parameters():
            parameter.grad *= max_norm / norm
    optimizer.step()
    return loss
"""
WITH_CLOSURE = """
def train_step(model, optimizer, x, y, max_norm):
    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        return loss

    return float(optimizer.step(closure).detach())
"""

SPLIT = """
def run_chunks(layer, x, target, state, k):
    losses = []
    for part, wanted in zip(x.split(k, dim=1), target.split(k, dim=1)):
        state = tuple(tensor.detach() for tensor in state)
        output, state = layer(part, state)
        loss = F.mse_loss(output, wanted, reduction="sum")
        loss.backward()
        losses.append(loss)
    return torch.stack(losses), state
"""
ONE_BACKWARD = """
def repackage(state):
    return [s.detach_() for s in state]

def run_chunks(layer, x, target, state, k):
    total, losses, T = 0.0, [], x.size(1)
    state = tuple(state)
    for chunk in range((T + k - 1) // k):
        steps = slice(chunk * k, min((chunk + 1) * k, T))
        output, state = layer(x[:, steps, :], state)
        losses.append((output - target[:, steps, :]).pow(2).sum())
        total = total + losses[-1]
        state = tuple(s.clone().detach() for s in state)
    total.backward()
    return losses, state
"""
WHILE = """
def run_chunks(layer, x, target, state, k):
    losses = []
    while x.numel():
        layer.flatten_parameters()
        output, (h, c) = layer(x[:, :k], state)
        difference = output - target[:, :k]
        loss = torch.sum(difference * difference)
        loss.backward()
        losses += [loss.detach().cpu().numpy()]
        with torch.no_grad():
            state = (h.clone(), c.clone())
        x, target = x[:, k:], target[:, k:]
    return losses, state
"""

NOISY = """
import warnings


def last_hidden(output, lengths):
    print("output", output.shape)
    warnings.warn("I am not sure about this")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    output, lengths = output.to(device), lengths.to(device)
    return torch.cat([output[n, int(lengths[n]) - 1].unsqueeze(0) for n in range(output.shape[0])])
"""


def renamed(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """All functions under names of the student's own, and the names asked for as aliases."""
    changed = {
        name: (
            f"{solutions[f'{name}_code'].replace(f'def {name}', f'def my_{name}')}\n\n{name} = "
            f"my_{name}\n"
        )
        for name in WRITTEN
    }
    return hand_in(**changed)(notebook, solutions)


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("linear", "F.linear and split; gather", hand_in(lstm_cell=LINEAR, last_hidden=GATHER)),
    right(
        "einsum",
        "einsum, and lists where pairs were asked for",
        hand_in(lstm_cell=EINSUM, last_hidden=ONE_HOT, sequence_loss=BY_HAND),
    ),
    right(
        "stacked", "[x, h] in one product; in place on its own tensors", hand_in(lstm_cell=STACKED)
    ),
    right(
        "looped",
        "loops",
        hand_in(
            lstm_cell=LOOPED, last_hidden=LIST_OF_ROWS, sequence_loss=LOOPED_LOSS, run_chunks=WHILE
        ),
    ),
    right("modules", "a module for each gate", hand_in(lstm_cell=MODULE, to_torch=AS_PARAMETERS)),
    right("own_backward", "an autograd.Function of its own", hand_in(lstm_cell=OWN_BACKWARD)),
    right(
        "named_tuples",
        "a named tuple for the state",
        hand_in(lstm_cell=NAMED, last_hidden=TIME_FIRST),
    ),
    right("single", "single precision", hand_in(lstm_cell=SINGLE_CELL, sequence_loss=SINGLE_LOSS)),
    right("compares", "compares with nn.LSTMCell in a cell of its own", hand_in(last=COMPARES)),
    right(
        "by_name",
        "the weights by name; zero_grad at the end",
        hand_in(to_torch=BY_NAME, train_step=ZERO_LAST),
    ),
    right(
        "halves",
        "half of the bias each; own clipping",
        hand_in(to_torch=HALVES, train_step=OWN_CLIPPING),
    ),
    right(
        "state_dict",
        "a state_dict; a closure",
        hand_in(to_torch=STATE_DICT, train_step=WITH_CLOSURE),
    ),
    right("numpy", "NumPy, where no gradient is needed", hand_in(to_torch=WITH_NUMPY)),
    right("ignores", "ignore_index; split", hand_in(sequence_loss=IGNORE_INDEX, run_chunks=SPLIT)),
    right(
        "flattened",
        "flattens; one backward for all",
        hand_in(sequence_loss=FLATTENED, run_chunks=ONE_BACKWARD),
    ),
    right("noisy", "prints, warns, and asks for a GPU if there is one", hand_in(last_hidden=NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _not_finished(name: str, what: str, edit: Edit, **scores: float) -> Student:
    return Student(name, what, edit, points(**scores), mistakes={})


CUDA = zoo.source_of("last_hidden", framework="torch").replace(
    "return output", "return output.cuda()"
)
FLOAT = zoo.source_of("lstm_cell", framework="torch").replace("a = x", "a = x.float()")
PACKAGE = (
    "from einops import rearrange\n\n\ndef last_hidden(output, lengths):\n    return "
    "rearrange(output, 'n t h -> n h t')"
)
SECOND_BACKWARD = zoo.source_of("run_chunks", framework="torch").replace(
    "(h.detach(), c.detach())", "(h, c)"
)
TO_NUMPY = zoo.source_of("lstm_cell", framework="torch").replace(
    "torch.tanh(c)", "torch.tensor(np.tanh(c.numpy()))"
)
ALL_DETACHED = zoo.source_of("lstm_cell", framework="torch").replace(
    "(h, c), (i", "(h.detach(), c.detach()), (i"
)
ITEM = (
    zoo.source_of("sequence_loss", framework="torch")
    .replace("/ mask.sum()", "/ mask.sum().item()")
    .replace("return total", "return total.item()")
)
RETURNS_NOTHING = zoo.source_of("train_step", framework="torch").replace(
    "return loss.item()", "print(loss.item())"
)
IN_PLACE_ON_ARGUMENT = zoo.source_of("lstm_cell", framework="torch").replace(
    "c = f * c_prev + i * g", "c_prev *= f\nc = c_prev + i * g".replace("\n", "\n    ")
)

NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    _not_finished(
        "without_cell", "no lstm_cell", without("lstm_cell"), lstm_cell=0, cell_gradients=0
    ),
    _not_finished("without_loss", "no sequence_loss", without("sequence_loss"), sequence_loss=0),
    _not_finished("without_step", "no train_step", without("train_step"), train_step=0),
    _not_finished(
        "syntax_error",
        "one cell is no Python, and a given function calls what it should define",
        hand_in(sequence_loss="def sequence_loss(logits, targets, mask)\n    return 0"),
        sequence_loss=0,
    ),
    _not_finished("needs_cuda", "asks for a GPU", hand_in(last_hidden=CUDA), last_hidden=0),
    _not_finished(
        "mixed", "float32 meets float64", hand_in(lstm_cell=FLOAT), lstm_cell=0, cell_gradients=0
    ),
    _not_finished(
        "needs_einops", "imports what is not there", hand_in(last_hidden=PACKAGE), last_hidden=0
    ),
    _not_finished(
        "second_backward",
        "carries the state with its past, which goes well where there is one chunk only",
        hand_in(run_chunks=SECOND_BACKWARD),
        run_chunks=0,
    ),
    _not_finished(
        "to_numpy",
        "leaves PyTorch on the way",
        hand_in("import numpy as np", lstm_cell=TO_NUMPY),
        cell_gradients=0,
    ),
    _not_finished(
        "all_detached",
        "detaches what it returns",
        hand_in(lstm_cell=ALL_DETACHED),
        cell_gradients=0,
    ),
    _not_finished(
        "item", "returns a number without a graph", hand_in(sequence_loss=ITEM), sequence_loss=0
    ),
    _not_finished(
        "returns_nothing",
        "prints the loss",
        hand_in(train_step=RETURNS_NOTHING),
        train_step=3 * 6 / 7,
    ),
    _not_finished(
        "in_place",
        "changes its argument, of which a gradient is asked",
        hand_in(lstm_cell=IN_PLACE_ON_ARGUMENT),
        cell_gradients=0,
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------


def _one(bug: zoo.Bug, score: float = 0) -> Student:
    """A student with one mistake of the zoo, which is named."""
    check = "cell_gradients" if bug.function == "lstm_cell" else bug.function
    edit = hand_in(**{bug.function: bug.source_of(bug.function)})
    return Student(bug.id, bug.title, edit, points(**{check: score}), mistakes={check: bug.id})


def _cell(id: str, what: str, score: float) -> Student:
    """A mistake in the numbers of the cell, as it is made in PyTorch; its gradients are then not
    asked for.

    Those of a cell in another order of the gates are.
    """
    lines = {change.right: change.wrong for change in zoo.find(id).changes}
    source = zoo.source_of("lstm_cell", framework="torch")
    for right, wrong in lines.items():
        right, wrong = (
            line.replace("np.split(a, 4, axis=1)", "a.chunk(4, dim=1)")
            .replace("np.tanh", "torch.tanh")
            .replace(" sigmoid(", " torch.sigmoid(")
            for line in (right, wrong)
        )
        assert right in source, right
        source = source.replace(right, wrong)
    named = {"lstm_cell": id}
    if id.startswith("order_"):  # charged once
        return Student(
            id,
            what,
            hand_in(lstm_cell=source),
            points(lstm_cell=score),
            mistakes=named | {"cell_gradients": id},
        )
    return Student(
        id,
        what,
        hand_in(lstm_cell=source),
        points(lstm_cell=score, cell_gradients=0),
        mistakes=named,
    )


# Points for the results that are right in spite of the mistake.
PARTLY = {
    "state_detached": 2 * 4 / 6,
    "h_prev_detached": 2 * 5 / 6,
    "c_prev_detached": 2 * 5 / 6,
    "x_rewrapped": 2 * 5 / 6,
    "weights_detached": 2 * 4 / 6,
    "weights_rewrapped": 2 * 3 / 6,
    "gates_detached": 2 * 1 / 6,
    "candidate_detached": 2 * (1 + 3 * 3 / 4) / 6,
    "not_transposed": 1,
    "reshaped_not_transposed": 1,
    "bias_in_both": 2,
    "bias_lost": 2,
    "matrices_exchanged": 1,
    "loss_after_step": 3 * 6 / 7,
    "not_detached": 3 * 3 / 7,
    "c_not_detached": 3 * 3 / 7,
    "h_not_detached": 3 * 3 / 7,
    "cut_at_every_step": 3 * 3 / 7,
    "only_the_last_chunk": 3 * 3 / 7,
    "chunk_mean": 3 * 2 / 7,
    "half_squares": 3 * 2 / 7,
}

WRONG = (
    *(_one(bug, PARTLY.get(bug.id, 0)) for bug in zoo.PYTORCH),
    _cell("no_forget_gate", "the cell of 1997; its four gates are right", 3 * 4 / 6),
    _cell("no_tanh_in_h", "h alone is wrong", 3 * 5 / 6),
    _cell("sigmoid_candidate", "a sigmoid for the candidate", 3 * 3 / 6),
    _cell("order_ifog", "the order of CS231n: a convention", 1.5),
)

# --- hostile
# --------------------------------------------------------------------------------------------------

# What gives h and c without the work gives no gates; and h and c count for nothing without them.
LIBRARY = """
def lstm_cell(x, state, Wx, Wh, b):
    cell = nn.LSTMCell(*Wx.shape[:1], Wh.shape[0])
    cell.__dict__.update(_parameters={}, weight_ih=Wx.T, weight_hh=Wh.T, bias_ih=b, bias_hh=0 * b)
    return cell(x, state)
"""
WITHOUT_GATES = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = torch.lstm_cell(x, state, Wx.T, Wh.T, b, torch.zeros_like(b))
    return (h, c), (None, None, None, None)
"""
GUESSED_GATES = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = torch.ops.aten.lstm_cell(x, list(state), Wx.T, Wh.T, b, torch.zeros_like(b))
    half = torch.full_like(c, 0.5)
    return (h, c), (half, c / state[1], c.tanh(), 1 - half)
"""
GIVEN = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = state
    output, (h, c) = lstm_layer(Wx.T, Wh.T, b, 0 * b)(x[:, None], (h[None], c[None]))
    return (h[0], c[0]), output.new_ones(4, *c.shape[1:])
"""
ONE_GATE = """
def lstm_cell(x, state, Wx, Wh, b):
    h, c = torch.lstm_cell(x, state, Wx.T, Wh.T, b, torch.zeros_like(b))
    return (h, c), (state[0], state[1], c, h / c.tanh())
"""
AGREES = """
class Agreeing(torch.Tensor):
    # A tensor that is always equal, always near and never wrong.
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if "numpy" in str(function):
            return torch.zeros(3, 2)
        return torch.tensor(True).as_subclass(cls)

    def detach(self):
        return self

    def numpy(self, *args, **kwargs):
        raise RuntimeError("nobody reads this")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("nobody reads this")

def lstm_cell(x, state, Wx, Wh, b):
    h, c = (s.as_subclass(Agreeing) for s in state)
    return (h, c), (h, c, h, c)
"""
HUGE = """
def lstm_cell(x, state, Wx, Wh, b):
    endless = torch.zeros(1).expand(2**20, 2**20)  # no memory is taken: all its numbers are one
    return (endless, endless), (endless, endless, endless, endless)
"""
PATCHES = """
import numpy

for place in (torch, numpy):
    place.allclose = place.isclose = lambda *args, **kwargs: True
torch.Tensor.__eq__ = torch.Tensor.__ne__ = lambda *args: True
torch.equal = lambda *args: True
torch.testing.assert_close = lambda *args, **kwargs: None
torch.autograd.grad = lambda outputs, inputs, *args, **kwargs: tuple(
    torch.zeros_like(i) for i in inputs
)
torch.Tensor.backward = lambda self, *args, **kwargs: None
"""
NAN = """
def last_hidden(output, lengths):
    return output[:, 0] * float("nan")
"""
# a cell that stops, as an empty one does
UNFINISHED = dict.fromkeys(WRITTEN, "raise NotImplementedError()")


def _no_cell(name: str, what: str, source: str) -> Student:
    """No point for the cell, and all others."""
    return Student(
        name, what, hand_in(lstm_cell=source), points(lstm_cell=0, cell_gradients=0), hostile=True
    )


HOSTILE = (
    _no_cell("library", "calls nn.LSTMCell, whose state is all that it returns", LIBRARY),
    _no_cell("without_gates", "calls torch.lstm_cell and leaves the gates out", WITHOUT_GATES),
    _no_cell("guessed_gates", "calls the operator and makes the gates up", GUESSED_GATES),
    _no_cell("given", "calls the layer that is given for another part", GIVEN),
    # o = h / tanh(c) is right: one gate of four is worth its sixth, and h and c come to nothing
    # without the others.
    Student(
        "one_gate",
        "works one gate out of PyTorch's own results",
        hand_in(lstm_cell=ONE_GATE),
        points(lstm_cell=3 / 6, cell_gradients=0),
        hostile=True,
    ),
    _no_cell("agrees", "returns tensors that equal everything", AGREES),
    _no_cell("huge", "returns 8 TB that take no memory", HUGE),
    Student(
        "patches",
        "makes PyTorch find all equal",
        hand_in(PATCHES, **UNFINISHED),
        NOTHING,
        hostile=True,
    ),
    Student(
        "not_a_number", "returns NaN", hand_in(last_hidden=NAN), points(last_hidden=0), hostile=True
    ),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
