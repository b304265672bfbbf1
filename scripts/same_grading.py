"""Is a class graded as before? Compare two courses that `autograder demo` has made, one by the code
before a change.

    autograder demo build/before      # with the code before
    autograder demo build/after       # with the code after
    python scripts/same_grading.py build/before build/after

Compared are the records, the scores and comments in the gradebook, and what stands in the graded
notebooks. Masked is what differs from run to run (times, ids, seeds, hashes, versions) and what a
change of the code may rename: modules, line numbers and memory addresses in a traceback. Exit code
1 where something else differs; it is printed, and at the end how many values of each kind differ.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Fields of a record that differ from run to run.
DIFFERENT = ("seconds", "seed", "content_hash", "versions")
MASKS = (
    (r"\b0x[0-9a-f]+\b", "ADDRESS"),
    (r"\b[0-9a-f]{12,}(-[0-9a-f]+)*\b", "ID"),
    (r"\b(autograder|verdict|lstm_ref)(\.\w+)+", "MODULE"),
    (r"(?:/[\w.+-]+)+/", "FOLDER/"),
    (r"^ *\d+\.\d{3}  ", "TIME  "),
    (r"\bline \d+, in\b", "LINE"),
    (r"\b\d+(\.\d+)? (seconds|s|ms)\b", "TIME"),
)
ROWS = """
    SELECT student.id, cell.name, grade.auto_score, grade.needs_manual_grade
    FROM grade JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN student ON student.id = submitted_assignment.student_id
    JOIN base_cell AS cell ON cell.id = grade.cell_id ORDER BY 1, 2
"""


def masked(value: Any) -> Any:
    """A value of JSON with all texts masked."""
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        for pattern, instead in MASKS:
            value = re.sub(pattern, instead, value, flags=re.MULTILINE)
    return value


def graded(course: Path) -> Iterator[tuple[str, Any]]:
    """All that is compared: its name, and the masked value.

    Raises
    ------
    SystemExit : no course was graded there
    """
    records = sorted(course.glob("records/*/*.json"))
    if not records:
        raise SystemExit(f"{course} holds no records: make them with `autograder demo {course}`")
    for path in records:
        for field, value in json.loads(path.read_text(encoding="utf-8")).items():
            place = f"{path.relative_to(course)}: {field}"
            if field == "checks":
                for check in value:
                    for part, answer in check.items():
                        yield f"{place}, {check['name']}, {part}", masked(answer)
            else:
                yield place, "" if field in DIFFERENT else masked(value)
    with sqlite3.connect(course / "gradebook.db") as database:
        for student, cell, *score in database.execute(ROWS):
            yield f"gradebook.db: {student}, {cell}, score", score
    for path in sorted(course.glob("autograded/*/*/*.ipynb")):
        for k, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            yield (
                f"{path.relative_to(course)}: cell {k}, text",
                masked([cell["source"], cell.get("outputs")]),
            )


def differences(before: Path, after: Path) -> dict[str, str]:
    """What differs between two graded courses: the name of the value -> its two forms."""
    one, other = dict(graded(before)), dict(graded(after))
    missing = object()
    return {
        name: f"  - {one.get(name, 'nothing')}\n  + {other.get(name, 'nothing')}"
        for name in sorted({*one, *other})
        if one.get(name, missing) != other.get(name, missing)
    }


def kind(name: str) -> str:
    """What a value is: a score, a status, a message, the text of a cell ..."""
    return re.split(r"[,:] ", name)[-1]


def main(arguments: list[str]) -> int:
    """Compare two folders; 0 where they are graded alike, 1 where not, 2 for wrong use."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    before, after = map(Path, arguments)
    found = differences(before, after)
    for name, forms in found.items():
        print(name, forms, sep="\n")
    compared = Counter(kind(name) for name in dict(graded(after)))
    differing = Counter(map(kind, found))
    print(f"{compared.total()} values compared, {len(found)} differ.")
    for name in sorted(compared | differing):
        print(f"  {name}: {differing[name]} of {compared[name]}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
