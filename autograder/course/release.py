"""Student notebooks from the instructors' sources: ``solutions/<set>/<set>.md`` ->
``exercises/<set>/<set>.ipynb``.

nbgrader's own generate step takes the solutions out. The same source gives the same file, byte for
byte, on every machine.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml  # type: ignore[import-untyped]
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment, NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.errors import ProblemSetError
from autograder.files import write_atomic
from autograder.judge.data_files import data_files

BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
# What students get in the place of a solution, such as a function with a fault to be mended.
BEGIN_GIVEN, END_GIVEN = "### BEGIN GIVEN", "### END GIVEN"
GIVEN_BLOCK = re.compile(
    rf"^[ \t]*{BEGIN_GIVEN}[ \t]*\n(.*?)^[ \t]*{END_GIVEN}[ \t]*(?:\n|\Z)", re.M | re.S
)
STUB = re.compile(r"^[ \t]*# YOUR CODE HERE\n[ \t]*raise NotImplementedError\(\)[ \t]*$", re.M)
RUBRIC = re.compile(r"^[^\n]*BEGIN MARK SCHEME[^\n]*\n(.*?)^[^\n]*END MARK SCHEME", re.M | re.S)
# tag of a code cell that is left out as long as the course has no public address
INSTALL_TAG = "install"
ADDRESS = "REPOSITORY_URL"  # stands for that address in such a cell
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
MARKS = {"grade": False, "solution": False, "task": False, "schema_version": 3}


def sources(root: Path) -> list[Path]:
    """Notebook source of every problem set of a course."""
    return sorted(
        path for path in (root / "solutions").glob("*/*.md") if path.stem == path.parent.name
    )


def write_releases(root: Path) -> list[Path]:
    """Write the student notebook of every problem set with its data files, and for nbgrader's own
    commands the source as a notebook.

    Returns
    -------
    the student notebooks, under ``exercises/``

    Raises
    ------
    ProblemSetError : there is no problem set, or some cannot be released; says which cells and
        why. All others are written
    StoreError : the disk is full, or cannot be written
    """
    written, faults = [], []
    for source in _some_sources(root):
        try:
            written.append(_write_release(root, source))
        except ProblemSetError as error:
            faults.append(error)  # one faulty set stops no other
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ProblemSetError("\n".join(map(str, faults)))
    return written


def _write_release(root: Path, source: Path) -> Path:
    """Write one problem set's notebook, source and data files."""
    name = source.stem
    target = root / "exercises" / name / f"{name}.ipynb"
    text, files = release_text(source), data_files(source.parent)
    for path, content in (
        (target, text),
        (root / "build" / "source" / name / f"{name}.ipynb", _as_text(source_notebook(source))),
    ):
        write_atomic(path, content)
    for file, data in files.items():
        write_atomic(target.parent / file, data)
    return target


def stale(root: Path) -> list[str]:
    """What is to be said of each student notebook that is not what its source gives; empty when all
    are fresh.
    """
    report = []
    sets = _some_sources(root)
    for source in sets:
        name = source.stem
        target = root / "exercises" / name / f"{name}.ipynb"
        shown = target.relative_to(root)
        if not target.is_file():
            report.append(f"{shown} does not exist.")
        elif (old := target.read_text(encoding="utf-8")) != (new := release_text(source)):
            report.append(
                f"{shown} is not what {source.relative_to(root)} gives:\n{_diff(old, new)}"
            )
        for file, data in data_files(source.parent).items():
            copy = target.parent / file
            if not copy.is_file() or copy.read_bytes() != data:
                report.append(f"{copy.relative_to(root)} is not {source.parent.name}'s {file}.")
    for folder in sorted((root / "exercises").glob("*/*.ipynb")):
        if folder.stem not in {source.stem for source in sets}:
            report.append(f"{folder.relative_to(root)} has no source under solutions/; remove it.")
    return report


def release_text(source: Path) -> str:
    """Student notebook, as the text of its file, through nbgrader's generate step in a course that
    lasts as long as this call.

    Raises
    ------
    ProblemSetError : nbgrader refuses, or a part of a solution would be handed out
    """
    name = source.stem
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder).resolve()
        (course / "source" / name).mkdir(parents=True)
        notebook = source_notebook(source)
        (course / "source" / name / f"{name}.ipynb").write_text(
            _as_text(notebook), encoding="utf-8"
        )
        log = logging.Logger("generate")
        said = _Said()
        log.addHandler(said)
        # What `nbgrader generate_assignment --no-db` does: the course's gradebook learns of the
        # release when it is graded.
        config = Config(CourseDirectory={"root": str(course)}, SaveCells={"enabled": False})
        config.GenerateAssignment.no_database = True
        # A rubric may stand in an answer, too, and not only in a task.
        config.ClearMarkScheme.enforce_metadata = False
        coursedir = CourseDirectory(config=config, log=log, assignment_id=name)
        try:
            GenerateAssignment(coursedir=coursedir, config=config, log=log).start()
        except NbGraderException as error:
            raise ProblemSetError(
                f"{source}: nbgrader cannot release it: {said.reason or error}"
            ) from None
        text = (course / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    released, given = nbformat.reads(text, as_version=4), starters(source)
    _check_leaks(source, notebook, released, given)
    return _with_starters(released, given) if given else text


def source_notebook(source: Path) -> NotebookNode:
    """Source of a problem set as a notebook with its solutions, and without anything of the machine
    it was made on.

    What nbgrader wants to know of each cell and is the same everywhere is filled in. Cells get ids
    that follow from their content: a cell that is released again has the same one, whatever was put
    above it meanwhile.

    Raises
    ------
    ProblemSetError : grade_ids that are missing, stand twice, or cannot be cell ids
    """
    cells = [
        cell
        for cell in (_install(cell, source) for cell in _source_cells(source))
        if cell is not None
    ]
    seen: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        marks = cell.metadata.get("nbgrader")
        cell.source = GIVEN_BLOCK.sub("", cell.source).rstrip("\n") if marks else cell.source
        cell.id = _id_of(cell, seen)
        if marks is not None:
            cell.metadata.nbgrader = _complete_metadata(source, number, marks)
            cell.id = marks["grade_id"]
        if cell.id in seen:
            raise ProblemSetError(
                f"{source}: two cells are called {cell.id!r}; a grade_id must be unique"
            )
        seen.add(cell.id)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def _id_of(cell: NotebookNode, taken: set[str]) -> str:
    """Id of a cell that has no name, from its kind and text; a number tells equal cells apart."""
    kind = "code" if cell.cell_type == "code" else "text"
    digest = hashlib.sha256(f"{kind} {cell.source}".encode()).hexdigest()[:8]
    found = f"{kind}-{digest}"
    number = 2
    while found in taken:
        found = f"{kind}-{digest}-{number}"
        number += 1
    return found


def solution_cells(source: Path) -> dict[str, str]:
    """Source of each solution cell by grade_id, solution included, without the lines that mark
    it, and without a rubric.
    """
    return {
        cell.metadata.nbgrader["grade_id"]: "\n".join(
            line
            for line in RUBRIC.sub("", cell.source).rstrip("\n").split("\n")
            if BEGIN not in line and END not in line
        )
        for cell in source_notebook(source).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


def rubrics(source: Path) -> dict[str, str]:
    """Grade_id -> the text between nbgrader's marks for a mark scheme, which no student gets.

    Raises
    ------
    ProblemSetError : the source cannot be read
    """
    found = {}
    for cell in source_notebook(source).cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name is not None and (texts := RUBRIC.findall(cell.source)):
            found[name] = "\n".join(text.strip() for text in texts)
    return found


def starters(source: Path) -> dict[str, str]:
    """Grade_id -> the lines that students get in the place of a solution: what stands in the cell
    between ``### BEGIN GIVEN`` and ``### END GIVEN``.

    Raises
    ------
    ProblemSetError : the source cannot be read, or such a mark is out of place
    """
    found = {}
    for number, cell in enumerate(_source_cells(source), start=1):
        marks = cell.metadata.get("nbgrader", {})
        texts = GIVEN_BLOCK.findall(cell.source)
        rest = GIVEN_BLOCK.sub("", cell.source)
        if BEGIN_GIVEN in rest or END_GIVEN in rest or len(texts) > 1:
            raise ProblemSetError(
                f"{source}: {_named(number, cell)}: {BEGIN_GIVEN} and {END_GIVEN} must stand in "
                "lines of their own, once, in this order"
            )
        if texts and not (marks.get("solution") and rest.count(BEGIN) == 1):
            raise ProblemSetError(
                f"{source}: {_named(number, cell)}: {BEGIN_GIVEN} must stand in a solution cell, "
                f"beside one region between ### {BEGIN} and ### {END}, in whose place it is given"
            )
        if texts:
            found[str(marks["grade_id"])] = texts[0].rstrip("\n")
    return found


class _Said(logging.Handler):
    """Keeps the last line of the last error that nbgrader logged, which is where the reason
    stands.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        lines = record.getMessage().strip().splitlines()
        if len(lines) > 1 and lines[0].startswith("Traceback"):
            self.reason = lines[-1]


def _some_sources(root: Path) -> list[Path]:
    found = sources(root)
    if not found:
        raise ProblemSetError(
            f"{root / 'solutions'} has no problem set (a folder with a .md file of the same name); "
            "run from the course's root"
        )
    return found


def _source_cells(source: Path) -> list[NotebookNode]:
    """The cells of a source as they stand there."""
    try:
        notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="md:myst")
    except Exception as error:
        raise ProblemSetError(f"{source} cannot be read as a MyST notebook: {error}") from error
    return list(notebook.cells)


def _with_starters(released: NotebookNode, given: dict[str, str]) -> str:
    """Text of the student notebook with what is given in the place of each stub."""
    for cell in released.cells:
        if (lines := given.get(cell.get("id", ""))) is not None:
            cell.source = STUB.sub(lambda _: lines, cell.source, count=1)
    return _as_text(released)


def _as_text(notebook: NotebookNode) -> str:
    return str(nbformat.writes(notebook)) + "\n"


def _install(cell: NotebookNode, source: Path) -> NotebookNode | None:
    """Put the course's address into an install cell; None where there is no address to put in."""
    if INSTALL_TAG not in cell.metadata.get("tags", []):
        return cell
    settings = source.parent.parent.parent / "_config.yml"
    course = yaml.safe_load(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    address = (course.get("repository") or {}).get("url")
    if not address:
        return None
    cell.source = cell.source.replace(ADDRESS, address.rstrip("/"))
    return cell


def _complete_metadata(source: Path, number: int, marks: dict[str, Any]) -> dict[str, Any]:
    grade_id = marks.get("grade_id")
    if not isinstance(grade_id, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", grade_id):
        raise ProblemSetError(
            f"{source}: cell {number} needs a grade_id of letters, digits, - and _, at most 64 of "
            f"them; got {grade_id!r}"
        )
    complete = MARKS | marks
    return {"locked": not complete["solution"]} | complete


def _regions(cell: NotebookNode) -> Iterator[str]:
    """Lines of a solution cell that students must not get."""
    lines = cell.source.split("\n")
    if not any(BEGIN in line for line in lines):
        yield from lines
        return
    inside = False
    for line in lines:
        if BEGIN in line or END in line:
            inside = BEGIN in line
        elif inside:
            yield line


def _check_leaks(
    source: Path, notebook: NotebookNode, release: NotebookNode, given: dict[str, str]
) -> None:
    """Refuse a marker out of place, and a release with a line of a solution or a solved function
    outside its solution cell. A line that is given to be mended is no secret.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        found = re.findall(f"{BEGIN}|{END}", cell.source)
        if found != [BEGIN, END] * (len(found) // 2):
            raise ProblemSetError(
                f"{source}: {_named(number, cell)}: a solution marker is out of place"
            )
    solutions = [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    # Short lines (`h = h0`, `return dx`) stand everywhere and give nothing away.
    secret = {
        line.strip() for cell in solutions for line in _regions(cell) if len(line.strip()) >= 20
    }
    secret = {line for line in secret if "=" in line and not line.startswith("#")}
    secret -= {line.strip() for lines in given.values() for line in lines.split("\n")}
    functions = {
        name for cell in solutions for name in re.findall(r"^def (\w+)", cell.source, re.MULTILINE)
    }
    for number, cell in enumerate(release.cells, start=1):
        where = f"{source}: {_named(number, cell)}"
        for line in cell.source.split("\n"):
            if line.strip() in secret:
                raise ProblemSetError(
                    f"{where}: a line of a solution would be handed out: {line.strip()!r}"
                )
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("solution"):
            for name in re.findall(r"^def (\w+)", cell.source, re.MULTILINE):
                if name in functions:
                    raise ProblemSetError(
                        f"{where}: it defines {name}, which students are to write; mark it as a "
                        "solution cell"
                    )


def _named(number: int, cell: NotebookNode) -> str:
    """A cell as its author knows it: by its name, else by its number."""
    return f"cell {cell.metadata.get('nbgrader', {}).get('grade_id', number)}"


def _diff(old: str, new: str, most: int = 12) -> str:
    """Cells that differ and the first lines that do."""
    before, after = _by_id(old), _by_id(new)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not names:
        return "  the data about the notebook or its cells differ, or cells were moved"
    lines = []
    for name in names:
        kind = "changed" if name in before and name in after else "new" if name in after else "gone"
        lines.append(f"  cell {name}: {kind}")
        changes = difflib.unified_diff(before.get(name, []), after.get(name, []), lineterm="", n=0)
        lines.extend(f"    {line}" for line in changes if not line.startswith(("---", "+++", "@@")))
    rest = [f"  ... and {len(lines) - most} lines more"] if len(lines) > most else []
    return "\n".join(lines[:most] + rest)


def _by_id(text: str) -> dict[str, list[str]]:
    try:
        return {
            str(cell.get("id", k)): "".join(cell["source"]).split("\n")
            for k, cell in enumerate(json.loads(text)["cells"])
        }
    except (ValueError, KeyError, TypeError):
        return {}
