"""Make the notebook that is graded: the release, with the student's own code put into it and
nothing else of theirs.

Whatever a student did to test cells, tags and metadata has no effect, because none of it is taken
over. What differs is noted.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.course.evidence import (
    Budget,
    Shown,
    outputs_to_show,
    read_evidence,
    text_to_show,
)
from autograder.course.file_kinds import half_merged, kind_of
from autograder.errors import ProblemSetError, SubmissionError
from autograder.judge.problem_set import ProblemSet

MAX_FILE = 32 * 2**20  # bytes; a notebook full of plots has 10 MB
MAX_BRACKETS = (
    # of dicts and lists in the file, each of which takes Python far more than a byte; usual are 5
    # thousand
    400_000
)
# Of values in the file, counted by their commas, which also stand in texts: one takes Python up to
# 150 bytes. A long notebook has 200 thousand, most of them in its plots.
MAX_COMMAS = 2_000_000
MAX_CODE = 2**20  # characters in all cells together; a long notebook has 100 thousand
MAX_CELLS = 5000
MAX_TEXT_CELLS = 200  # that a student added, where a person scores
LOCAL = "local"  # tag of a cell that is for the student's eyes and is not run when graded


@dataclass(frozen=True)
class Rebuilt:
    """What is graded.

    Parameters
    ----------
    notebook : the release with the student's code in it; every test cell says that it was not
        judged yet, and gives 0 points
    cells : sources to execute, in order
    notes : what was found in the submission and not taken over
    """

    notebook: NotebookNode
    cells: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _Cell:
    """The few things that are read of a submitted cell; what is shown of it is bounded."""

    kind: str
    source: str
    grade_id: str | None
    id: str | None
    tags: frozenset[str]
    marks: Mapping[str, Any]
    shown: Shown


@dataclass
class _Pairing:
    """Which submitted cell stands for which release cell, both by position, and the notes on it."""

    winners: dict[int, int] = field(default_factory=dict)
    targets: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_notebook(path: Path) -> NotebookNode:
    """Read a submitted notebook; nothing in it is trusted.

    Raises
    ------
    SubmissionError : as `read_submitted`; no JSON, no notebook, or of a version that cannot be read
    """
    return parse_notebook(read_submitted(path), path.name)


def read_submitted(path: Path) -> bytes:
    """Bytes of a file that a student has handed in, and that is to be a notebook.

    Raises
    ------
    SubmissionError : missing, a link, no regular file, or too large
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise SubmissionError(
                f"{path.name} is a symbolic link, and links are not followed; hand in the file "
                "itself"
            ) from None
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SubmissionError(f"{path.name} is no regular file; hand in the notebook file itself")
    with open(descriptor, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise SubmissionError(
            f"{path.name} has more than {MAX_FILE >> 20} MB; clear the outputs of the notebook, "
            "save it and hand it in again"
        )
    return content


def refuse_linked_folders(path: Path) -> None:
    """Refuse a submission whose folder, or whose student's folder, is a link: to another student's,
    or to a solution.

    Raises
    ------
    SubmissionError
    """
    for folder in (path.parent, path.parent.parent):
        if folder.is_symlink():
            raise SubmissionError(
                f"the folder {folder.name} is a symbolic link, and links are not followed"
            )


def parse_notebook(content: bytes, name: str) -> NotebookNode:
    """Notebook of the current version from the bytes of a file, reduced to what `rebuild` reads.

    Raises
    ------
    SubmissionError : see `read_notebook`
    """
    if not content.strip():
        raise SubmissionError(f"{name} is empty; save the notebook and hand it in again")
    if kind := kind_of(content):
        raise SubmissionError(f"{name} is no notebook but {kind}")
    _refuse_bomb(content, name)
    try:
        data = json.loads(content)  # also what Windows saved as UTF-16
    except (ValueError, RecursionError) as error:
        merge = half_merged(content)
        why = f" but {merge}" if merge else f": it cannot be read as JSON ({_short_error(error)})"
        raise SubmissionError(f"{name} is no notebook{why}") from None
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise SubmissionError(f"{name} is no notebook: it has no nbformat number")
    version = data["nbformat"]
    if version not in (3, 4):
        shown = f"{version}"[:20]  # it may have thousands of digits
        raise SubmissionError(
            f"{name} has notebook format {shown}; 3 and 4 can be read. Open it in JupyterLab, "
            "save it and hand it in again"
        )
    try:
        if version == 3:
            data = {"cells": _cells_of_format_3(data)}
        cells = [_as_node(cell) for cell in _walk_cells(data)]
    except SubmissionError:
        raise
    except Exception as error:  # whatever stands in the file
        raise SubmissionError(f"{name} is no valid notebook: {_short_error(error)}") from None
    if not cells:
        raise SubmissionError(f"{name} has no cells")
    return NotebookNode(nbformat=4, nbformat_minor=5, metadata=NotebookNode(), cells=cells)


def _refuse_bomb(content: bytes, name: str) -> None:
    """Refuse a file of which Python would make far more memory than the file has bytes.

    Raises
    ------
    SubmissionError
    """
    counts = (
        ("lists and dicts", content.count(b"{") + content.count(b"["), MAX_BRACKETS),
        ("values", content.count(b","), MAX_COMMAS),
    )
    for what, count, most in counts:
        if count > most:
            raise SubmissionError(
                f"{name} holds more than {most:,} {what}; clear the outputs of the notebook, save "
                "it and hand it in again"
            )


def _cells_of_format_3(data: Mapping[str, Any]) -> list[Any]:
    """Cells of an old notebook in the form of a new one: only what is read here, before anything is
    copied.
    """
    sheets = data.get("worksheets")
    found = [
        cell
        for sheet in (sheets if isinstance(sheets, list) else [])
        for cell in sheet.get("cells", [])
    ]
    return [
        _of_format_3(cell) if isinstance(cell, dict) else cell for cell in found[: MAX_CELLS + 1]
    ]


def _of_format_3(cell: Mapping[str, Any]) -> dict[str, Any]:
    kind = cell.get("cell_type")
    source = cell.get("input" if kind == "code" else "source")
    if kind == "heading":
        text = "".join(source) if isinstance(source, list) else source
        kind, source = "markdown", f"# {text}"
    return {"cell_type": kind, "source": source, "metadata": cell.get("metadata")}


def rebuild(release: NotebookNode, submission: Mapping[str, Any]) -> Rebuilt:
    """Put a student's code into the release.

    Solution cells are found by grade_id, and by cell id where the grade_id was lost. Code cells
    that the student added are kept in their place, and so is the student's version of a release
    cell that may be edited. Of several cells with one grade_id the last is the solution, as in
    nbgrader; the others are run before it.

    Parameters
    ----------
    release : the notebook that students got
    submission : the notebook that came back, from `read_notebook`

    Raises
    ------
    SubmissionError : it has too many cells or too much code, or is a notebook of another assignment
    """
    submitted = list(_walk_cells(submission))
    match = _match(release, submitted)
    _check_belongs(release, submitted, match)
    notes = [*match.notes, *_pairing_notes(release, submitted, match)]
    ids = {cell.get("id") for cell in release.cells}
    by_hand = bool(scored_by_hand(release))
    added = _added(release, submitted, match, by_hand)
    notebook = NotebookNode(
        nbformat=4,
        nbformat_minor=5,
        metadata=deepcopy(release.metadata),
        cells=_own_cells(added.get(-1, []), ids, by_hand),
    )
    for index, cell in enumerate(release.cells):
        cell = deepcopy(cell)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if _is_solution(cell) and index in match.winners:
            _fill_in(cell, submitted[match.winners[index]])
        elif _is_test(cell):
            mark_unjudged(cell)
        notebook.cells.append(cell)
        notebook.cells.extend(_own_cells(added.get(index, []), ids, by_hand))
    notebook.metadata["autograder"] = {"notes": notes}
    return Rebuilt(notebook, cells_to_run(notebook), notes)


def scored_by_hand(notebook: NotebookNode) -> dict[str, float]:
    """Grade_id -> points of the cells that a person scores: answers that carry points, and
    tasks.
    """
    return {
        marks["grade_id"]: float(marks.get("points", 0))
        for marks in map(_marks, notebook.cells)
        if (marks.get("grade") and marks.get("solution")) or marks.get("task")
    }


def _fill_in(cell: NotebookNode, mine: _Cell) -> None:
    """Put a student's answer into a cell of the release."""
    if cell.cell_type == "code":
        cell.source = mine.source
        if _marks(cell).get("grade"):
            cell.outputs = outputs_to_show(mine.shown)
    elif mine.source != cell.source:
        cell.source, attached = text_to_show(mine.source, mine.shown)
        if attached:
            cell.attachments = attached


def read_release(problem_set: ProblemSet) -> NotebookNode:
    """Notebook that students got.

    Raises
    ------
    ProblemSetError : it was not made yet, or its test cells are not the checks of the problem set
    """
    path = problem_set.release
    if not path.is_file():
        raise ProblemSetError(f"{path} does not exist; run `autograder exercises` first")
    release = nbformat.read(path, as_version=4)
    tests = {
        cell.metadata.nbgrader["grade_id"]: cell.metadata.nbgrader["points"]
        for cell in test_cells(release)
    }
    checks = {check.name: check.points for check in problem_set.checks}
    for name in {**tests, **checks}:
        if tests.get(name) != checks.get(name):
            cell = f"{tests[name]:g} points" if name in tests else "no such cell"
            check = f"{checks[name]:g} points" if name in checks else "no such check"
            raise ProblemSetError(
                f"{path.name} and {problem_set.folder.name}/checks.py disagree about {name!r}: "
                f"{cell} in the notebook, {check} in checks.py"
            )
    return release


def shared_ids(submission: NotebookNode, release: Path) -> int:
    """How many cells of a release a notebook has, by their ids: a quick guess at where it belongs.

    0 where the release cannot be read.
    """
    try:
        cells = json.loads(release.read_text(encoding="utf-8"))["cells"]
        known = {cell["id"] for cell in cells}
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return sum(cell.get("id") in known for cell in submission.cells)


def test_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells that carry the points of a check."""
    return [cell for cell in notebook.cells if _is_test(cell)]


# Where two threads parse at once, Python 3.11 now and then raises a SystemError for nothing (issue
# 106905 of python/cpython).
_ONE_PARSER = threading.Lock()


def cells_to_run(notebook: NotebookNode) -> list[str]:
    """Sources of a rebuilt notebook that are executed: code cells that neither test nor are tagged
    ``local``.

    At the end those that were given come again, where they only define: what calls the student's
    function must be what was handed out, and not what a later cell has put in its place.
    """
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and not _is_test(cell)
        and LOCAL not in cell.metadata.get("tags", [])
    ]
    given = [
        cell.source
        for cell in cells[:-1]
        if _marks(cell).get("locked") and _only_defines(cell.source)
    ]
    return [cell.source for cell in cells] + given


@lru_cache(maxsize=256)  # they are the same for each student
def _only_defines(source: str) -> bool:
    """Whether code does no more than define functions and classes, so that nothing is lost or done
    twice when it runs again.
    """
    try:
        with _ONE_PARSER:
            statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    return all(
        isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for statement in statements
    )


def notes_of(notebook: NotebookNode) -> list[str]:
    """Notes that `rebuild` left in a notebook."""
    return list(notebook.metadata["autograder"]["notes"])


def mark_unjudged(cell: NotebookNode) -> None:
    """Give a test cell 0 points. nbgrader gives full points to a test cell without output, so that
    none may be left without.
    """
    cell.outputs = outputs_of("Not judged.\n", 0.0)


def outputs_of(text: str, score: float) -> list[NotebookNode]:
    """Outputs of a test cell: what is said of it, and the score in the form from which nbgrader
    reads one.
    """
    # Not by nbformat's new_output, which holds each against the whole schema: that takes longer
    # than to write the notebook.
    return [
        NotebookNode(output_type="stream", name="stdout", text=text),
        NotebookNode(
            output_type="execute_result",
            data=NotebookNode({"text/plain": repr(float(score))}),
            metadata=NotebookNode(),
            execution_count=None,
        ),
    ]


def _walk_cells(notebook: Mapping[str, Any]) -> Iterator[_Cell]:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise SubmissionError("the notebook has no list of cells")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"the notebook has {len(cells)} cells; at most {MAX_CELLS} are read")
    characters, budget = 0, Budget()
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        read = _read_cell(cell, budget)
        characters += len(read.source) if read.kind == "code" else 0
        if characters > MAX_CODE:
            raise SubmissionError(
                f"the notebook has more than {MAX_CODE} characters of code; did data get into a "
                "cell? Load it from a file"
            )
        yield read


def _read_cell(cell: Mapping[str, Any], budget: Budget) -> _Cell:
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    tags = metadata.get("tags")
    marks = metadata.get("nbgrader")
    marks = marks if isinstance(marks, dict) else {}
    return _Cell(
        kind=_as_utf8(cell.get("cell_type")) or "raw",
        source=_as_utf8(source) or "",
        grade_id=_as_utf8(marks.get("grade_id")),
        id=_as_utf8(cell.get("id")),
        tags=frozenset(tag for tag in tags if isinstance(tag, str))
        if isinstance(tags, list)
        else frozenset(),
        marks={
            key: marks[key]
            for key in ("points", "grade", "solution", "locked", "task")
            if key in marks
        },
        shown=read_evidence(cell, budget),
    )


def _as_utf8(value: Any) -> str | None:
    """Return a string that can be written as UTF-8, which JSON does not promise, or None for all
    else.
    """
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else None


def _as_node(cell: _Cell) -> NotebookNode:
    marks: dict[str, Any] = {"grade_id": cell.grade_id} if cell.grade_id is not None else {}
    marks |= {
        key: value
        for key, value in cell.marks.items()
        if isinstance(value, bool | int | float | str)
    }
    metadata: dict[str, Any] = {"nbgrader": marks} if marks else {}
    if cell.tags:
        metadata["tags"] = sorted(cell.tags)
    node: dict[str, Any] = {
        "cell_type": cell.kind,
        "source": cell.source,
        "metadata": metadata,
        "attachments": {**(cell.shown.images or {})},
        "outputs": [dict(output) for output in cell.shown.outputs],
    }
    if cell.id is not None:
        node["id"] = cell.id
    if cell.shown.lacks:
        node["attachments"]["left out"] = {}
    return nbformat.from_dict(node)


def _short_error(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__


def _marks(cell: NotebookNode) -> Mapping[str, Any]:
    return dict(cell.metadata.get("nbgrader", {}))


def _is_solution(cell: NotebookNode) -> bool:
    return bool(_marks(cell).get("solution"))


def _is_test(cell: NotebookNode) -> bool:
    return bool(_marks(cell).get("grade")) and not _is_solution(cell) and cell.cell_type == "code"


def _is_open(cell: NotebookNode) -> bool:
    """Whether a student may edit this release cell, though it is no solution cell."""
    local = LOCAL in cell.metadata.get("tags", [])
    return (
        cell.cell_type == "code"
        and not local
        and not _is_test(cell)
        and not _marks(cell).get("locked")
    )


def _match(release: NotebookNode, submitted: list[_Cell]) -> _Pairing:
    """Find the release cell of each submitted cell: by grade_id, else by the same text, else by
    cell id.
    """
    by_grade_id = {
        _marks(cell)["grade_id"]: k
        for k, cell in enumerate(release.cells)
        if _marks(cell).get("grade_id")
    }
    match = _Pairing()
    for k, cell in enumerate(submitted):
        if cell.grade_id in by_grade_id:
            match.targets[k] = by_grade_id[cell.grade_id]
    taken = set(match.targets.values())
    by_text = {
        (cell.cell_type, cell.source.strip()): k
        for k, cell in enumerate(release.cells)
        if k not in taken and not _is_solution(cell)
    }
    for k, cell in enumerate(submitted):
        if k not in match.targets and (cell.kind, cell.source.strip()) in by_text:
            match.targets[k] = by_text[cell.kind, cell.source.strip()]
    taken = set(match.targets.values())
    by_id = {
        cell.id: k for k, cell in enumerate(release.cells) if cell.get("id") and k not in taken
    }
    for k, cell in enumerate(submitted):
        # Text of a student's that bears the id of a cell of code is run as her own, and the other
        # way round nothing is lost.
        found = (
            by_id.get(cell.id)
            if cell.id and cell.grade_id is None and k not in match.targets
            else None
        )
        if found is not None and (
            _marks(release.cells[found]).get("grade_id") or _is_kind(release.cells[found], cell)
        ):
            match.targets[k] = found
    for k, index in match.targets.items():
        match.winners[index] = max(k, match.winners.get(index, k))
    return match


def _is_kind(cell: NotebookNode, submitted: _Cell) -> bool:
    """Whether both are code or both are not."""
    return bool((cell.cell_type == "code") == (submitted.kind == "code"))


def _check_belongs(release: NotebookNode, submitted: list[_Cell], match: _Pairing) -> None:
    """Refuse a notebook that has nothing to do with this release."""
    solutions = [k for k, cell in enumerate(release.cells) if _is_solution(cell)]
    if any(k in match.winners for k in solutions):
        return
    names = set().union(
        *(set(re.findall(r"^def (\w+)", release.cells[k].source, re.MULTILINE)) for k in solutions)
    )
    if any(
        re.search(rf"^def ({'|'.join(names)})\b", cell.source, re.MULTILINE)
        for cell in submitted
        if names
    ):
        return
    found = sorted({cell.grade_id for cell in submitted if cell.grade_id})
    raise SubmissionError(
        "the notebook has none of this assignment's solution cells"
        + (f" (it has {', '.join(found[:3])}{' ...' if len(found) > 3 else ''})" if found else "")
        + "; is it the notebook of another assignment?"
    )


def _pairing_notes(release: NotebookNode, submitted: list[_Cell], match: _Pairing) -> list[str]:
    notes = []
    for index, cell in enumerate(release.cells):
        name = _marks(cell).get("grade_id") or f"number {index + 1}"
        copies = [k for k, target in match.targets.items() if target == index]
        winner = submitted[match.winners[index]] if index in match.winners else None
        if not _marks(cell).get("grade_id"):
            notes += _notes_on_local(cell, name, winner)
        elif winner is None:
            notes.append(
                f"Cell {name} was missing; the cell that was handed out stands in its place."
            )
        else:
            notes += _notes_on_copies(cell, name, [submitted[k] for k in copies])
            notes += _notes_on_form(cell, name, winner)
    return notes + _notes_on_all(release, submitted, match)


def _notes_on_local(cell: NotebookNode, name: str, mine: _Cell | None) -> list[str]:
    """On a cell that the judge leaves out."""
    is_local = cell.cell_type == "code" and LOCAL in cell.metadata.get("tags", [])
    if mine is None or not is_local or mine.source.strip() == cell.source.strip():
        return []
    return [
        f"Cell {name} is tagged '{LOCAL}' and was not run; code that others need goes into a cell "
        "of its own."
    ]


def _notes_on_copies(cell: NotebookNode, name: str, copies: list[_Cell]) -> list[str]:
    """On a cell that is there more than once, or was changed where it may not be."""
    notes = []
    if len(copies) > 1:
        kept = (
            "the last one counts" if _is_solution(cell) else "the cell that was handed out is used"
        )
        notes.append(f"Cell {name} is there {len(copies)} times; {kept}.")
    changed = any(copy.source.strip() != cell.source.strip() for copy in copies)
    if changed and not _is_solution(cell):
        notes.append(f"Cell {name} was changed; the cell that was handed out is used.")
    return notes


def _notes_on_form(cell: NotebookNode, name: str, mine: _Cell) -> list[str]:
    """On a cell whose name, kind, tags or data were changed."""
    notes = []
    if mine.grade_id is None:
        notes.append(f"Cell {name} had lost its name; it was found by its cell id.")
    if mine.kind != cell.cell_type:
        notes.append(
            f"Cell {name} was turned into a {mine.kind} cell; it is read as {cell.cell_type}."
        )
    if mine.tags != frozenset(cell.metadata.get("tags", [])):
        notes.append(f"Tags of cell {name} were changed; they are not read.")
    if mine.grade_id is not None and any(
        mine.marks[key] != value for key, value in _marks(cell).items() if key in mine.marks
    ):
        notes.append(f"nbgrader's data on cell {name} was changed; it is not read.")
    return notes


def _notes_on_all(release: NotebookNode, submitted: list[_Cell], match: _Pairing) -> list[str]:
    """On the order of the cells, and on those that were added."""
    notes = []
    order = [
        match.targets[k] for k in sorted(match.targets) if match.winners[match.targets[k]] == k
    ]
    if order != sorted(order):
        notes.append("Cells were moved; those that were handed out are back in their order.")
    if any(cell.shown.lacks for cell in submitted):
        notes.append("Attachments were left out: only images are shown, PNG, JPEG and GIF.")
    texts = sum(
        cell.kind != "code" and bool(cell.source.strip())
        for k, cell in enumerate(submitted)
        if k not in match.targets
    )
    by_hand = bool(scored_by_hand(release))
    if by_hand and texts > MAX_TEXT_CELLS:
        notes.append(f"Of {texts} text cells that were added, {MAX_TEXT_CELLS} are shown here.")
    if texts and not by_hand:
        notes.append(
            "Text cells that were added are not shown here; they are in the notebook that was "
            "handed in."
        )
    if any(cell.grade_id and k not in match.targets for k, cell in enumerate(submitted)):
        notes.append(
            "Cells with a name that this assignment does not know were run as cells of the "
            "student's own."
        )
    return notes


def _added(
    release: NotebookNode, submitted: list[_Cell], match: _Pairing, texts: bool
) -> dict[int, list[_Cell]]:
    """Code cells of the student's own, and text cells where ``texts`` says so, by the position of
    the release cell after which they stand; -1 is the top.
    """
    added: dict[int, list[_Cell]] = {}
    anchor, left = -1, MAX_TEXT_CELLS if texts else 0
    for k, cell in enumerate(submitted):
        target = match.targets.get(k)
        place = anchor
        if target is not None and match.winners[target] == k:
            anchor = place = target
            original = release.cells[target]
            if (
                _is_solution(original)
                or not _is_open(original)
                or original.source.strip() == cell.source.strip()
            ):
                continue
        elif target is not None:
            if not _is_solution(release.cells[target]):
                continue
            place = min(place, target - 1)  # it must run before the one that counts
        # A solution cell that is missing was perhaps written anew in a cell of its own: the empty
        # one that stands in for it must not come after that cell and undo it.
        while target is None and place + 1 < len(release.cells) and place + 1 not in match.winners:
            place += 1
        is_text = target is None and cell.kind != "code" and bool(cell.source.strip())
        left -= is_text
        if (cell.kind == "code" and cell.source.strip()) or (is_text and left >= 0):
            added.setdefault(place, []).append(cell)
    return added


def _own_cells(cells: list[_Cell], ids: set[Any], by_hand: bool) -> list[NotebookNode]:
    """Cells that a student added; where a person scores, with what they show."""
    nodes = []
    for cell in cells:
        number = 1
        while f"added-{number}" in ids:
            number += 1
        ids.add(f"added-{number}")
        if cell.kind != "code":
            text, attached = text_to_show(cell.source, cell.shown)
            nodes.append(new_markdown_cell(text, id=f"added-{number}"))
            if attached:
                nodes[-1].attachments = attached
            continue
        metadata = {"tags": [LOCAL]} if LOCAL in cell.tags else {}
        nodes.append(new_code_cell(cell.source, id=f"added-{number}", metadata=metadata))
        nodes[-1].outputs = outputs_to_show(cell.shown) if by_hand else []
    return nodes
