"""The data of a check: what to call, with what, what should come back, and which mistakes are
known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from numpy.random import Generator

from verdict.tensors import FRAMEWORKS

# A nested tuple of names that mirrors what the function returns: ("h", ("hT", "cT"), None). None is
# not compared.
Pattern: TypeAlias = "str | None | tuple[Pattern, ...]"
Call: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Renewable:
    """A call of the student's function that can be made to forget: in the judge, not in a notebook.

    Parameters
    ----------
    call : the student's function, or a proxy for it
    renew : after it, nothing is left in the student's code of the calls before
    """

    call: Call
    renew: Callable[[], None]

    def __call__(self, *args: Any) -> Any:
        """What the function gives."""
        return self.call(*args)


class Status(StrEnum):
    """What became of a check. The words are shown to students and stored in records."""

    PASSED = "passed"
    WRONG = "wrong"  # runs, and the numbers are not those of the mathematics
    CONVENTION = "convention"  # right mathematics in another layout or gate order
    UNFINISHED = "unfinished"  # missing, or raises NotImplementedError
    ERROR = "error"  # the student's code raised
    # a missing import, a name that NumPy removed: not a mistake in the mathematics
    ENVIRONMENT = "environment"
    TIMEOUT = "timeout"
    CRASHED = "crashed"  # the process died, or ran out of memory
    FORBIDDEN = "forbidden"  # uses a name that the task rules out
    SKIPPED = "skipped"  # a check that this one needs did not pass
    # a value of the form that is asked for; only the judge says whether it is right
    NOTED = "noted"


class StudentError(Exception):
    """A call of the student's function that gave no value; ``status`` says of which kind, the text
    is for the student. ``kinds`` are the names of the exception's class and of those it is made
    from, where the student's code raised one.
    """

    def __init__(self, status: Status, message: str, kinds: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.kinds = kinds


@dataclass(frozen=True)
class Case:
    """One call: positional arguments, and a few words that say what is special about them.

    Where a case that is ``needed`` gets no answer, none of the others counts: it is made so that
    only what the task asks for ends in time. With ``raises``, the name of an exception such as
    ``"ValueError"``, the call must raise that kind, or one made from it; it counts only where
    another case is right.
    """

    label: str
    args: tuple[Any, ...]
    needed: bool = False
    raises: str = ""


@dataclass(frozen=True)
class Misconception:
    """A known wrong version of the function, to be recognised by its numbers.

    ``function`` takes the arguments of the student's function and returns what that mistake would
    return. For a check with its own ``examine`` it is a student's function with that mistake, and
    only tests call it. ``hints`` lead to the mistake by degrees; none of them is the corrected
    line. For a mistake in another convention than the task asks for, ``alone`` is the same mistake
    in the right one: what is right there earns half of its share. ``convention`` names that
    convention; what bears the same name in several checks is charged in one of them.
    """

    id: str
    title: str
    function: Call
    hints: tuple[str, ...] = ()
    status: Status = Status.WRONG
    alone: Call | None = None
    convention: str = ""


@dataclass(frozen=True)
class Answer:
    """One call of the student's function, as a property sees it.

    Parameters
    ----------
    args : of the case
    out : name of a result -> array
    calls : position of an argument that is a function -> what the student's code asked of it
    again : calls the student's function once more, with these arguments, and gives results by name
    expected : gives what the check's ``expected`` returns for the arguments, by name
    """

    args: tuple[Any, ...]
    out: Mapping[str, Any]
    calls: Mapping[int, Calls]
    again: Callable[..., Mapping[str, Any]]
    expected: Callable[[], Mapping[str, Any]]


@dataclass
class Calls:
    """What was asked of a function that the student's function was given.

    Parameters
    ----------
    count : how often
    gave : bytes of what it gave, all calls together: 8 of a number, those of an array and of a text
    kept : (arguments, result) of each call, as long as they take not too much memory
    cut : whether some were not kept
    """

    count: int = 0
    gave: int = 0
    kept: list[tuple[tuple[Any, ...], Any]] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class Property:
    """What must hold of every right answer, where there are many.

    Parameters
    ----------
    id : of the mistake where it does not hold; stored in records
    title : one sentence that says so
    test : says of an answer what is wrong, in words for the student; empty where the property holds
    hints : shown by degrees
    false_alarm : largest probability that it does not hold of one answer of a right function which
        draws random numbers
    """

    id: str
    title: str
    test: Callable[[Answer], str]
    hints: tuple[str, ...] = ()
    false_alarm: float = 0.0


@dataclass(frozen=True)
class Mend:
    """How much of given code may change, where a fault in it is to be mended.

    Parameters
    ----------
    most : lines that may differ from what was given; `verdict.changes` says how they are counted
    given : name of the function with the fault, which stands in a cell that students cannot change;
        empty where it is the starter code of the mended function itself (``### BEGIN GIVEN``)
    function : name of the mended function, where the check calls another one, which calls it
    uses : names of other functions that are given, which the mend may call
    credit : share of the points that a mend is still worth which changes more

    Raises
    ------
    ValueError : most below 1, or credit that is no share below 1
    """

    most: int
    given: str = ""
    function: str = ""
    uses: tuple[str, ...] = ()
    credit: float = 0.0

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"Mend: most must be at least 1 line, got {self.most}")
        if not 0 <= self.credit < 1:
            raise ValueError(f"Mend: credit must be from 0 to below 1, got {self.credit}")


@dataclass(frozen=True)
class Check:
    """One question to the student's code.

    Parameters
    ----------
    name : unique in the problem set; also the grade_id of the notebook cell that carries the points
    title : one sentence that says what the check asks, shown to the student
    function : the name of the student's function
    value : in place of a function, a name to which the student gives a value: the answer to a
        question. ``expected`` and known mistakes are functions without arguments then
        (``lambda: 0.35``). A check in a notebook says only whether the value has the right form
    choices : of a value, the words or numbers out of which it, or each entry of it, must be; how
        words are written, large or small, does not matter
    cases : rng -> the calls to make; the same rng state gives the same calls
    expected : the reference, called with the arguments of a case
    outputs : pattern of names that mirrors the return value
    axes : output name -> its axes by letter, as in "N T H"; lets a message say where the numbers
        are wrong
    made_from : output name -> outputs that it is made from; it earns its share only where these are
        right, too. A result that a library returns as well earns nothing without the steps on the
        way, which it does not return
    exact : outputs that are no arrays but words, lists of any lengths, or dicts, and are compared
        as they are
    tables : outputs that are a DataFrame or a Series of pandas: columns, index, words, times and
        categories are compared as they are, numbers up to the tolerance. With ``examine``, any name
        here says that tables come as such, and not as arrays of their numbers
    blocks : axis -> names of the equal blocks it is made of, as in {"4H": ("i", "f", "g", "o")}
    points : what the check is worth
    needs : names of checks without which this one says nothing; when one of them fails, this one is
        skipped
    misconceptions : known mistakes; no two may return the same numbers on these cases
    further : gives groups of more known mistakes. They are looked for where none of
        ``misconceptions`` explains the answer, and each group where none of the groups before it
        does. Two of a group may return the same numbers; then none is named
    told_with : word -> sentence that is added where the student's line that raised an error holds
        that word
    forbids : names that the student's code may not use (``"torch"``, ``"np.gradient"``). They are
        looked for in the text of the code, so this is a reminder and no wall: code can make a name
        up while it runs
    hints : shown by degrees when the mistake is not recognised
    tolerance : largest error, relative to the largest expected number of the output (float64)
    time_limit : seconds for all calls of this check together
    at_most_cpu : CPU seconds that the student's own code may use in all calls of this check
        together; waiting for a processor, and what runs outside of the function, do not count.
        Of a process that the code starts and never waits for, they are known only where a box has
        a cgroup of its own. None: there is no such limit
    examine : for a check that is no comparison: (call, rng) -> Verdict, in place of cases and
        expected
    arrays : what the function gets for each array: "numpy" itself, or a tensor of "torch" or
        "tensorflow". What it returns may hold either; cases, expected and misconceptions know
        arrays only
    properties : what must hold of every answer, in place of a comparison with ``expected``. Points
        are given only where all of them hold in every case. ``expected`` is one right version then,
        and known mistakes are wrong versions, of each of which one property at least does not hold:
        both are tried when the set is loaded
    one_form : output name -> array, to the same in the one form that is compared, where several are
        right: two numbers of which only the sum counts
    mend : how many lines of given code may change, where a fault in it is to be mended
    """

    name: str
    title: str
    function: str = ""
    points: float = 0.0
    cases: Callable[[Generator], Sequence[Case]] | None = None
    expected: Call | None = None
    outputs: Pattern = None
    axes: Mapping[str, str] = field(default_factory=dict)
    exact: tuple[str, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    misconceptions: tuple[Misconception, ...] = ()
    further: Callable[[], Sequence[Sequence[Misconception]]] | None = None
    told_with: Mapping[str, str] = field(default_factory=dict)
    forbids: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    tolerance: float = 1e-6
    time_limit: float = 20.0
    examine: Callable[[Call, Generator], Verdict] | None = None
    arrays: str = "numpy"
    one_form: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    properties: tuple[Property, ...] = ()
    value: str = ""
    choices: tuple[Any, ...] = ()
    tables: tuple[str, ...] = ()
    at_most_cpu: float | None = None
    mend: Mend | None = None

    def __post_init__(self) -> None:
        if bool(self.function) is bool(self.value):
            raise ValueError(
                f"check {self.name!r}: give either function, the name of the student's function, "
                f"or value, a name that the student gives a value; got function={self.function!r} "
                f"and value={self.value!r}"
            )
        if both := sorted({*self.exact} & {*self.tables}):
            raise ValueError(
                f"check {self.name!r}: {both[0]} stands under exact and under tables; a DataFrame "
                "belongs under tables only"
            )
        if self.value and self.at_most_cpu is not None:
            raise ValueError(f"check {self.name!r}: at_most_cpu belongs to a function, not a value")
        if self.choices and not self.value:
            raise ValueError(f"check {self.name!r}: choices belong to a value, not to a function")
        if self.value:
            self._ask_once()
        if self.arrays not in FRAMEWORKS:
            raise ValueError(
                f"check {self.name!r}: arrays must be one of {', '.join(FRAMEWORKS)}, got "
                f"{self.arrays!r}"
            )

    def _ask_once(self) -> None:
        """A value is asked for once, under its own name, and a choice is compared as it is."""
        outputs = self.outputs if self.outputs is not None else self.value
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "cases", lambda rng: [Case("", ())])
        if self.choices:
            object.__setattr__(self, "exact", (outputs,))

    @property
    def asked(self) -> str:
        """Name in the student's notebook that is asked for: of a function, or of a value."""
        return self.function or self.value

    @property
    def compares_all(self) -> bool:
        """Whether all that the function returns is compared, and nothing of it is for a later
        call.
        """
        return self.outputs is not None and not _has_gap(self.outputs)

    def with_more(self, hidden: Callable[[Generator], Sequence[Case]]) -> Check:
        """Return the same check with further cases after its own: what a judge asks beyond the
        check that students have.

        Parameters
        ----------
        hidden : rng -> the further calls to make
        """
        shown = self.cases
        assert shown is not None, f"check {self.name} has no cases"
        return replace(self, cases=lambda rng: [*shown(rng), *hidden(rng)])

    def known_mistakes(self) -> Iterator[Sequence[Misconception]]:
        """Groups of known mistakes in the order in which they are tried; `further` is asked only by
        who comes to its groups.
        """
        yield self.misconceptions
        if self.further is not None:
            yield from self.further()


def _has_gap(pattern: Pattern) -> bool:
    return pattern is None or (isinstance(pattern, tuple) and any(map(_has_gap, pattern)))


@dataclass(frozen=True)
class Verdict:
    """What came of one check.

    ``credit`` is the share of the points, from 0 to 1. ``message`` and ``hints`` are for the
    student: no expected value stands in them. ``misconception`` is the id of the named mistake,
    None when it was not recognised, and ``named`` the sentence with which the message then begins.
    ``wrong`` are the outputs that are. ``warnings`` cost nothing. ``convention`` is one in which
    the answer is given instead of the one that is asked for, and ``uncharged`` the credit where it
    was charged elsewhere.
    """

    status: Status
    message: str
    credit: float = 0.0
    misconception: str | None = None
    hints: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    named: str = ""
    wrong: tuple[str, ...] = ()
    convention: str = ""
    uncharged: float = 0.0
