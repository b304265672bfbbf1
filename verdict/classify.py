"""Tell a broken environment from a mistake in the mathematics, from the name and text of an
exception.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from verdict.check import Status

# Spellings that old tutorials use and NumPy no longer has. The right-hand side is what to write
# today.
REMOVED_NUMPY_NAMES = {
    "float": "float or np.float64",
    "int": "int or np.int64",
    "bool": "bool or np.bool_",
    "object": "object",
    "complex": "complex",
    "str": "str",
    "float_": "np.float64",
    "product": "np.prod",
    "cumproduct": "np.cumprod",
    "sometrue": "np.any",
    "alltrue": "np.all",
    "in1d": "np.isin",
    "row_stack": "np.vstack",
    "trapz": "np.trapezoid",
    "Inf": "np.inf",
    "infty": "np.inf",
    "NaN": "np.nan",
    "asscalar": "array.item()",
    "mat": "np.asmatrix, or better np.array",
    "complex_": "np.complex128",
    "bool8": "np.bool_",
    "unicode_": "np.str_",
    "string_": "np.bytes_",
    "Infinity": "np.inf",
    "PINF": "np.inf",
    "NINF": "-np.inf",
    "round_": "np.round",
    "asfarray": "np.asarray(x, dtype=float)",
    "msort": "np.sort(x, axis=0)",
    "rank": "np.ndim",
    "cast": "array.astype",
}
REMOVED_ARRAY_NAMES = {
    "ptp": "np.ptp(array)",
    "itemset": "array[index] = value",
    "tostring": "array.tobytes()",
}

# Names that everybody gives to a package, and the import that does.
USUAL_IMPORTS = {
    "np": "import numpy as np",
    "torch": "import torch",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "optim": "from torch import optim",
}

# What Python 2 had under another name.
PYTHON_2_NAMES = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "basestring": "str",
    "long": "int",
    "izip": "zip",
    "reduce": "functools.reduce",
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
    "has_key": "the operator in",
}

# A float where Python 3 and NumPy want a whole number: most often a size or an index that was
# computed with /.
FLOAT_FOR_INTEGER = (
    r"slice indices must be integers|'(numpy\.)?float(64|32)?' object cannot be interpreted as an "
    r"integer"
    r"|indices must be integers or slices, not (numpy\.)?float|only integers, slices"
)

# Names that are looked for in PyTorch's main module: those that it had once, and those that NumPy
# has or another module holds.
REMOVED_TORCH_NAMES = {
    "rfft": "torch.fft.rfft",
    "irfft": "torch.fft.irfft",
    "ifft": "torch.fft.ifft",
    "gels": "torch.linalg.lstsq",
    "symeig": "torch.linalg.eigh",
    "eig": "torch.linalg.eig",
    "lstsq": "torch.linalg.lstsq",
}
OTHER_TORCH_NAMES = {
    "array": "torch.tensor",
    "expand_dims": "torch.unsqueeze",
    "copy": "x.clone()",
    "clip_grad_norm_": "nn.utils.clip_grad_norm_",
    "clip_grad_norm": "nn.utils.clip_grad_norm_",
    "cross_entropy": "F.cross_entropy",
    "one_hot": "F.one_hot",
    "pad": "F.pad",
    "Linear": "nn.Linear",
    "Parameter": "nn.Parameter",
    "Module": "nn.Module",
    "LSTM": "nn.LSTM",
    "SGD": "torch.optim.SGD",
    "Adam": "torch.optim.Adam",
    "Variable": "the tensor itself",
}
OTHER_TENSOR_NAMES = {"astype": ".to(x.dtype)", "copy": ".clone()"}

OUTSIDE = "It says nothing about your mathematics."
# Kinds of which no text is PyTorch's.
NOT_OF_TORCH = ("SyntaxError", "NameError", "ImportError", "ModuleNotFoundError", "KeyError")

# PyTorch: part of an error's text -> status, and what it means. The first that is found counts.
TORCH_ERRORS = (
    (
        r"Torch not compiled with CUDA|Found no NVIDIA driver|No CUDA GPUs are available|CUDA is "
        r"not available"
        r"|Attempting to deserialize object on a CUDA device|Cannot access accelerator "
        r"device|torch\.cuda\.\w+ not available"
        r"|not linked with support for \w+ devices|instantiate dummy base class",
        Status.ENVIRONMENT,
        "The code asks for a GPU, and there is none: this is graded on the CPU. Leave .cuda() and "
        'device="cuda" out, or take '
        f"the device of the tensors that you are given: device=x.device. {OUTSIDE}",
    ),
    (
        "No working C\\+\\+ compiler found|InvalidCxxCompiler",
        Status.ENVIRONMENT,
        "torch.compile needs a compiler for C++, and there is none where this is graded. Leave "
        "torch.compile out, or write "
        f'torch.compile(..., backend="eager"). {OUTSIDE}',
    ),
    (
        "DefaultCPUAllocator: (can't|not enough)",
        Status.CRASHED,
        "The code asked for more memory than the task allows.",
    ),
    (
        "0-dim tensor",
        Status.ENVIRONMENT,
        "Before PyTorch 0.4 a loss was read as loss.data[0]; now it is a single number and has "
        f"no index. Write loss.item(). {OUTSIDE}",
    ),
    (
        "tensors used as indices must be|int64 for index",
        Status.ERROR,
        "An index must hold whole numbers, of type torch.int64. / and .float() make numbers with "
        "a fraction: write // where an index is computed, or .long().",
    ),
    (
        "expected target dtype to be Long|scalar type Long but found (Float|Double)",
        Status.ERROR,
        "Classes are whole numbers, of type torch.int64: leave them as you are given them.",
    ),
    (
        "Expected target size",
        Status.ERROR,
        "F.cross_entropy looks for the classes on the second axis: logits (N, C, T) go with "
        "targets (N, T), and logits (rows, C) with targets (rows,). Exchange the axes with "
        "transpose, or flatten both.",
    ),
    (
        r"have the same dtype|scalar type \w+ but (found|got)|source and destination dtypes match"
        r"|RNN input dtype|self.dtype to be equal to src.dtype",
        Status.ENVIRONMENT,
        "Two tensors of different precision meet. You are given float64, which PyTorch calls "
        "double, because a mistake shows better there; something in the code is made as float32 "
        "(float), or the other way round. Make new tensors with dtype=x.dtype, or from the ones "
        f"that you have: torch.zeros_like(x), x.new_zeros(shape). {OUTSIDE}",
    ),
    (
        "backward through the graph a second time",
        Status.ERROR,
        "A part of the graph was gone through backward already, and backward() frees what it has "
        "used. In a loop this means: something that is carried from one round to the next still "
        "hangs on the graph of the round before. Cut it off where it is carried; "
        "retain_graph=True would only hide this, and the graph would grow with every round.",
    ),
    (
        r"does not require grad and does not have a grad_fn|does not require grad$",
        Status.ERROR,
        "What was computed hangs on no tensor that needs a gradient, so there is nothing to go "
        "back through. On the way the numbers left the graph: by .detach(), .data, .numpy(), "
        ".item(), float(), torch.tensor(...), or under torch.no_grad() or "
        "torch.set_grad_enabled(False).",
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        Status.ERROR,
        "A tensor that needs a gradient cannot become an array: NumPy would not know the way "
        "back. Stay with PyTorch's own functions; each NumPy function has a twin in torch.",
    ),
    (
        "leaf Variable that requires grad",
        Status.ERROR,
        "A tensor whose gradient is asked for is changed in place (by +=, an index on the left, "
        "or a name that ends in _), and its gradient would then be that of other numbers. Make a "
        "new tensor instead.",
    ),
    (
        "is a view and is being modified inplace",
        Status.ERROR,
        "One of the parts that chunk, split or unbind gives is changed in place (by +=, an index "
        "on the left, or a name that ends in _), which autograd does not allow. Make a new tensor "
        "instead.",
    ),
    (
        "modified by an inplace operation",
        Status.ERROR,
        "A tensor that the way back needs was changed in place after it was used (by +=, an index "
        "on the left, or a name that ends in _; an optimizer's step does that to the weights). "
        "Make a new tensor instead.",
    ),
    (
        "grad can be implicitly created only for scalar outputs",
        Status.ERROR,
        (
            "backward() starts from one number: the loss must be a mean or a sum, and not one "
            "number for each example."
        ),
    ),
    (
        "Expected output to be a torch.Tensor",
        Status.ERROR,
        "Gradients are asked for through what your function returned, and that is no pair of "
        "tensors. Return (h, c), the tensors themselves: an array of NumPy has no way back, and a "
        "dict gives its names when it is unpacked.",
    ),
    (
        r"elements? (tensors )?can(not)? be converted to (a )?(Python )?[sS]calar",
        Status.ERROR,
        "One number was expected, and a tensor with many came. .item() and float() take a tensor "
        "of one number, and so do the functions of math: torch has a twin of each that takes them "
        "all at once.",
    ),
    (
        r"'(tuple|list)' object has no attribute '(detach|data|clone|requires_grad_)'",
        Status.ERROR,
        (
            "An LSTM's state is a pair of tensors: what you ask of it must be asked of each of the "
            "two."
        ),
    ),
    (
        r"'NoneType' object has no attribute '(backward|requires_grad)'",
        Status.ERROR,
        "None came back where a tensor was asked for. Is there a return at the end?",
    ),
    (
        r"'(float|int|numpy\.float64|ndarray)' object has no attribute '(backward|requires_grad)'",
        Status.ERROR,
        (
            "A plain number has no graph: .item(), float() and NumPy take it out, and the way back "
            "is lost. Return the tensor."
        ),
    ),
)


class Failure(NamedTuple):
    """An exception in a student's code: its class, its message, and what the problem set may
    import.
    """

    kind: str
    text: str
    packages: Sequence[str]


Answer = tuple[Status, str]


class Rule(NamedTuple):
    """One kind of failure.

    Parameters
    ----------
    kinds : names of exception classes; empty for all
    pattern : what the message must hold
    answer : (failure, match) -> status and sentence; None where a later rule is to answer
    """

    kinds: tuple[str, ...]
    pattern: str
    answer: Callable[[Failure, re.Match[str]], Answer | None]


def _saying(status: Status, sentence: str) -> Callable[[Failure, re.Match[str]], Answer]:
    """Answer with a sentence, in which {kind} and {text} may stand."""
    return lambda failure, match: (status, sentence.format(kind=failure.kind, text=failure.text))


def _deprecated(failure: Failure, match: re.Match[str]) -> Answer:
    return Status.ENVIRONMENT, "PyTorch no longer has {}. Write {} instead. ".format(
        *match.groups()
    ) + OUTSIDE


def _torch_error(failure: Failure, match: re.Match[str]) -> Answer | None:
    if failure.kind in NOT_OF_TORCH:
        return None
    # What follows the first sentence is advice, and not always good advice.
    first = re.split(r"\.\s|: \[| \(or|\n", failure.text.strip())[0].rstrip(".")
    for pattern, status, sentence in TORCH_ERRORS:
        if re.search(pattern, failure.text):
            return status, f"{failure.kind}: {first}. {sentence}"
    return None


def _removed_import(failure: Failure, match: re.Match[str]) -> Answer | None:
    return _no_such_numpy_name(match[1]) if match[1] in REMOVED_NUMPY_NAMES else None


def _import(failure: Failure, match: re.Match[str]) -> Answer:
    return Status.ENVIRONMENT, (
        f"An import failed: {failure.text}. This problem set runs with "
        f"{' and '.join(failure.packages)} and Python's standard library only. {OUTSIDE}"
    )


def _dict_attribute(failure: Failure, match: re.Match[str]) -> Answer | None:
    return _python_2(match[1]) if match[1] in PYTHON_2_NAMES else None


def _torch_attribute(failure: Failure, match: re.Match[str]) -> Answer:
    module, name = match.groups()
    if name in REMOVED_TORCH_NAMES:
        return (
            Status.ENVIRONMENT,
            (
                f"PyTorch no longer has {module}.{name}. Write {REMOVED_TORCH_NAMES[name]} "
                f"instead. {OUTSIDE}"
            ),
        )
    if name in OTHER_TORCH_NAMES:
        return (
            Status.ERROR,
            f"PyTorch has no {module}.{name}. Write {OTHER_TORCH_NAMES[name]} instead.",
        )
    return Status.ERROR, f"PyTorch has no {module}.{name}. Look it up in PyTorch's documentation."


def _tensor_attribute(failure: Failure, match: re.Match[str]) -> Answer:
    other = OTHER_TENSOR_NAMES.get(match[1])
    return Status.ERROR, f"{failure.kind}: {failure.text}." + (
        f" Write {other} instead." if other else ""
    )


def _array_attribute(failure: Failure, match: re.Match[str]) -> Answer | None:
    if match[1] not in REMOVED_ARRAY_NAMES:
        return None
    return Status.ENVIRONMENT, (
        f"NumPy's arrays no longer have .{match[1]}. Write {REMOVED_ARRAY_NAMES[match[1]]} "
        f"instead. {OUTSIDE}"
    )


def _numpy_attribute(failure: Failure, match: re.Match[str]) -> Answer:
    return _no_such_numpy_name(match[1])


def _unknown_name(failure: Failure, match: re.Match[str]) -> Answer:
    name = match[1]
    if name in PYTHON_2_NAMES:
        return _python_2(name)
    if name in USUAL_IMPORTS or name in sys.stdlib_module_names:
        missing_import = USUAL_IMPORTS.get(name, f"import {name}")
        return Status.ENVIRONMENT, (
            f"NameError: {name} is not defined. Is “{missing_import}” missing, or below this cell? "
            f"If {name} is a name of your own: is the cell that defines it above this one and "
            "still there?"
        )
    of_numpy = f"Did you mean np.{name}? If not: is" if name in dir(np) else "Is"
    return Status.ERROR, (
        f"NameError: {name} is not defined. {of_numpy} it spelled as in the function's arguments, "
        "and is the cell that defines it above this one and still there?"
    )


def _python_2(name: str) -> Answer:
    return Status.ENVIRONMENT, (
        f"{name} is a name of Python 2; it is run with Python 3. Write {PYTHON_2_NAMES[name]} "
        f"instead. {OUTSIDE}"
    )


def _no_such_numpy_name(name: str) -> Answer:
    instead = REMOVED_NUMPY_NAMES.get(name)
    if instead:
        return (
            Status.ENVIRONMENT,
            f"NumPy no longer has np.{name}. Write {instead} instead. {OUTSIDE}",
        )
    similar = " or ".join(f"np.{found}" for found in difflib.get_close_matches(name, dir(np), n=2))
    advice = f" Did you mean {similar}?" if similar else " Look it up in the NumPy documentation."
    return Status.ERROR, f"NumPy has no np.{name}.{advice}"


# The first rule that fits and answers counts.
RULES = (
    Rule(
        ("NotImplementedError",),
        'is missing the required "forward" function',
        _saying(
            Status.ERROR,
            (
                "{kind}: {text}. A module is called through its method forward: is it there, and "
                "spelled so?"
            ),
        ),
    ),
    Rule(
        ("NotImplementedError",),
        " not implemented for '",
        _saying(
            Status.ERROR, "{kind}: {text}. PyTorch has no such operation for numbers of this type."
        ),
    ),
    Rule(
        ("NotImplementedError",),
        "",
        _saying(
            Status.UNFINISHED, "The function still raises NotImplementedError: write its body."
        ),
    ),
    Rule(
        ("SyntaxError",),
        r"\A(Missing parentheses in call to|multiple exception types must be)",
        _saying(
            Status.ENVIRONMENT,
            "{kind}: {text} This is a spelling of Python 2; it is run with Python 3. " + OUTSIDE,
        ),
    ),
    Rule((), r"`(torch\.[\w.]+)` is deprecated in favor of `(torch\.[\w.]+)`", _deprecated),
    Rule((), "", _torch_error),
    Rule(
        ("TypeError", "IndexError"),
        FLOAT_FOR_INTEGER,
        _saying(
            Status.ENVIRONMENT,
            "{kind}: {text}. In Python 3, / always gives a float, unlike in Python 2: "
            "write // where a size or an index is computed. " + OUTSIDE,
        ),
    ),
    Rule((), r"\Acannot import name '(\w+)' from 'numpy'", _removed_import),
    Rule(("ModuleNotFoundError", "ImportError"), "", _import),
    Rule(("AttributeError",), r"\A'dict' object has no attribute '(\w+)'", _dict_attribute),
    Rule(
        ("AttributeError",), r"\Amodule '(torch[\w.]*)' has no attribute '(\w+)'", _torch_attribute
    ),
    Rule(
        ("AttributeError",),
        r"\A'(?:Tensor|Parameter)' object has no attribute '(\w+)'",
        _tensor_attribute,
    ),
    Rule(
        ("AttributeError",), r"\A'numpy\.ndarray' object has no attribute '(\w+)'", _array_attribute
    ),
    Rule(
        ("TypeError",),
        r"np\.sum\(generator\)",
        _saying(
            Status.ENVIRONMENT,
            "NumPy's sum no longer takes a generator. Write sum(...), Python's own, instead. "
            + OUTSIDE,
        ),
    ),
    Rule(
        ("ValueError",),
        "inhomogeneous shape",
        _saying(
            Status.ERROR,
            "{kind}: setting an array element with a sequence. An array is made of parts that "
            "have not all the same shape: print the shape of each part.",
        ),
    ),
    Rule(
        ("AttributeError",), r"\A(?:module 'numpy' has no attribute '|`np\.)(\w+)", _numpy_attribute
    ),
    Rule(
        ("MemoryError",),
        "",
        _saying(Status.CRASHED, "The code asked for more memory than the task allows."),
    ),
    Rule(
        ("RecursionError",),
        "",
        _saying(
            Status.ERROR,
            (
                "RecursionError: the function calls itself without an end, or more than about a "
                "thousand calls deep."
            ),
        ),
    ),
    Rule(("NameError",), r"name '([^']*)", _unknown_name),
)


def classify(kind: str, text: str, packages: Sequence[str] = ("numpy",)) -> Answer:
    """Status and a sentence for the student.

    Parameters
    ----------
    kind : name of the exception class, ``"NameError"``
    text : its message
    packages : what the problem set may import beside the standard library

    Examples
    --------
    >>> classify("ModuleNotFoundError", "No module named 'torch'")[0].value
    'environment'
    >>> classify("ValueError", "operands could not be broadcast together")[0].value
    'error'
    """
    failure = Failure(kind, text, packages)
    for rule in RULES:
        match = re.search(rule.pattern, text) if not rule.kinds or kind in rule.kinds else None
        if match and (answer := rule.answer(failure, match)):
            return answer
    return Status.ERROR, f"{kind}: {text}" if text else kind
