"""How a test talks with a worker in a box, as the judge does; and what of this repository a box
holds and lacks.
"""

from __future__ import annotations

import pkgutil
import time
from pathlib import Path
from typing import Any

import autograder
import lstm_ref
import verdict
from autograder.guest.protocol import PREFIX_SIZE, Decoder, Encoder, sizes
from autograder.sandbox.box import Box
from autograder.sandbox.mounts import CODE, PACKAGE, SHARED


def ask(box: Box, *message: object) -> tuple[Any, ...]:
    """Send a message to a worker and return its reply."""
    deadline = time.monotonic() + 120
    box.send(Encoder().encode(message), deadline)
    header, payload = sizes(box.read(PREFIX_SIZE, deadline))
    answer = Decoder().decode(box.read(header, deadline), box.read(payload, deadline))
    assert isinstance(answer, tuple)
    return answer


def shipped_files() -> list[Path]:
    """Files of this repository that a box holds, at their paths in it."""
    guest = sorted((PACKAGE / "guest").glob("*.py"))
    return [CODE / path.relative_to(PACKAGE.parent) for path in (*guest, *SHARED)]


def shipped_modules() -> set[str]:
    """Modules of this repository that a box holds."""
    files = (path.relative_to(CODE).with_suffix("").parts for path in shipped_files())
    return {".".join(parts).removesuffix(".__init__") for parts in files} | {
        "autograder",
        "verdict",
    }


def missing_modules() -> list[str]:
    """Modules of this repository that no box may hold: all but those."""
    roots = (autograder, verdict, lstm_ref)
    found = [
        m.name for root in roots for m in pkgutil.walk_packages(root.__path__, f"{root.__name__}.")
    ]
    return sorted({*found, "lstm_ref"} - shipped_modules())
