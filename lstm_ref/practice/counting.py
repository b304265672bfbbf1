"""How many hints a student was shown for each part: a small file beside the notebook, and a line at
the end of what `check` says, which stays in the notebook and is handed in with it.

    count_hints("lstm-bptt")

Counted are, for each part, the highest level of help that was shown before it first passed, and
whether it passed: level 0 says what is wrong, each hint adds one, and so does the mistake's name.
No code, no answer and no time is kept, nothing is sent anywhere, and no score depends on it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MOST_BYTES = 20_000  # of the file; thirteen parts take five hundred
MOST_PARTS = 100
MOST_LEVEL = 9  # one digit; no check has more than a handful of hints


@dataclass
class Counts:
    """What was shown of each part, and the file in which it survives the kernel.

    Parameters
    ----------
    path : of the file
    parts : name of a check -> highest level of help before it passed, and whether it passed
    """

    path: Path
    parts: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path) -> Counts:
        """The counts of an earlier session; none where there is no file that can be read."""
        try:
            with path.open("rb") as file:
                data = json.loads(file.read(MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return cls(path)
        parts: dict[str, tuple[int, bool]] = {}
        for name, entry in list(data.items())[:MOST_PARTS] if isinstance(data, dict) else ():
            if isinstance(entry, dict) and type(level := entry.get("level")) is int:
                parts[name] = min(max(level, 0), MOST_LEVEL), entry.get("passed") is True
        return cls(path, parts)

    def add(self, name: str, level: int, *, passed: bool) -> str:
        """Take into account what a check has just said, and give the line that tells it.

        Parameters
        ----------
        name : of the check
        level : of the help that was shown
        passed : whether it passed; what comes after that is not counted
        """
        before, done = self.parts.get(name, (0, False))
        if not done:
            self.parts[name] = min(max(before, level), MOST_LEVEL), passed
            self._write()
        level, done = self.parts[name]
        return f"Counted: {name} is at hint level {level}, {'passed' if done else 'not passed'}."

    def _write(self) -> None:
        """Where the folder cannot be written, the counts last as long as the kernel."""
        data = {name: {"level": n, "passed": done} for name, (n, done) in self.parts.items()}
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            beside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            beside.replace(self.path)


_now: list[Counts] = []  # the counts of this kernel; at most one


def count_hints(name: str) -> None:
    """Count from now on, in ``hints-NAME.json`` in the current folder; say so.

    Where nbgrader runs the notebook and no student, nothing is counted.

    Parameters
    ----------
    name : of the problem set, ``"lstm-bptt"``
    """
    if os.environ.get("NBGRADER_EXECUTION"):
        return
    path = Path(f"hints-{name}.json")
    _now[:] = [Counts.from_file(path)]
    print(f"Hints are counted from now on, in {path} and in the last line of what check says.")


def stop() -> None:
    """Count no longer."""
    _now.clear()


def counted(name: str, level: int, *, passed: bool) -> str:
    """The line that tells what is counted of a check; empty where nothing is. See `Counts.add`."""
    return _now[0].add(name, level, passed=passed) if _now else ""
