"""How a test talks with a worker in a box: as the judge does."""

from __future__ import annotations

import time
from typing import Any

from autograder.box import Box
from autograder.protocol import PREFIX_SIZE, Decoder, Encoder, sizes


def ask(box: Box, *message: object) -> tuple[Any, ...]:
    """Send a message to a worker and return its reply."""
    deadline = time.monotonic() + 120
    box.send(Encoder().encode(message), deadline)
    header, payload = sizes(box.read(PREFIX_SIZE, deadline))
    answer = Decoder().decode(box.read(header, deadline), box.read(payload, deadline))
    assert isinstance(answer, tuple)
    return answer
