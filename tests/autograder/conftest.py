"""Fixtures of the autograder's tests."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.sandbox import run_id
from tests.support.hostile import COURSE, World, ipv6_listener


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    users: set[int] = set()
    new_user = run_id.own_uid

    def noted() -> int:
        users.add(number := new_user())
        return number

    monkeypatch.setattr(run_id, "own_uid", noted)
    secret = secrets.token_hex()
    monkeypatch.setenv("AUTOGRADER_TEST_SECRET", secret)
    home = os.path.expanduser("~")
    abstract = f"autograder-{secret}"
    with (
        tempfile.TemporaryDirectory(
            prefix=".autograder-", dir=home if os.access(home, os.W_OK) else None
        ) as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as unix,
        ipv6_listener() as tcp6,
    ):
        udp.bind(("127.0.0.1", 0))
        named.bind(f"{folder}/socket")
        named.listen()
        unix.bind("\0" + abstract)
        unix.listen()
        for listener in filter(None, (tcp, tcp6, udp, named, unix)):
            listener.setblocking(False)
        for name, text in COURSE.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text)
        yield World(tcp, tcp6, udp, named, unix, abstract, Path(folder), users, secret)
