"""What hostile cells try, and that it gains nothing: under bubblewrap, by doing it.

Each file in ``tests/corpora/hostile`` is a cell that runs after honest ones. Its head says what it
tries, which points must remain, and where it matters what the student must be told (says), what
must be printed (prints) and what the instructor must be told (notes). Each is tried in a fresh box
and in a worker forked from a fork server; one that waits for the judge's clock, only in the latter.
One with a problem set (set) is handed in as the last cell of its solution. It says what it would be
worth without the trick (twin), and is tried in a forked worker only, which has imported PyTorch
already. The files end in .cell, so that nothing imports them by accident.
"""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from autograder.judge import judge, problem_set
from autograder.judge.judge import grade
from autograder.sandbox import bubblewrap
from tests.support.hostile import (
    FOLDER,
    FORMS,
    LIMITS,
    NAMES,
    ROOT,
    Watched,
    World,
    forms,
    handed_in,
    head,
)


@pytest.fixture
def watched(form: str) -> Iterator[Watched]:
    boxes = Watched(replace(bubblewrap.bubblewrap(), warm=form == "warm"))
    yield boxes
    boxes.close()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        pytest.param(
            form, name, id=f"{form}-{name}{'-in_a_problem_set' if head(name, 'set') else ''}"
        )
        for name in NAMES
        for form in forms(name)
    ],
)
def test_a_hostile_cell_earns_what_its_honest_part_is_worth_and_harms_nothing(
    form: str, name: str, world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "SPARE_TIME", float(head(name, "spare", "60")))
    chosen, cells = handed_in(name, world.facts())
    watched.later = int(head(name, "later", "0"))
    before = world.as_it_is()
    record = grade(
        cells,
        chosen,
        seed=world.secret,
        isolation=watched,  # type: ignore[arg-type]
        limits=LIMITS[head(name, "set")],
        load_limit=float(head(name, "load_limit", "120")),
    )
    assert record.score == float(head(name, "earns")), record.to_json()
    assert head(name, "says") in " ".join(check.message for check in record.checks), (
        record.to_json()
    )
    assert "BREACH" not in record.output, record.output
    assert head(name, "prints") in record.output, record.output
    assert head(name, "notes") in " ".join(record.notes), record.notes
    assert record.isolation == "bubblewrap"
    assert world.reached() == []
    assert world.as_it_is() == before
    assert world.left_behind() == []
    assert bool(world.users) == (os.geteuid() == 0)
    assert watched.namespaces and watched.survivors() == []
    assert watched.forked == (len(watched.namespaces) if form == "warm" else 0)
    text = record.to_json()
    assert not any(
        "\n" in said for said in (*record.notes, *(check.message for check in record.checks))
    )
    assert "\x1b" not in text and "\\u001b" not in text and len(text) < 100_000
    assert len(text.encode()) > 0  # half characters would fail here


def test_the_judge_keeps_little_of_what_it_is_told(world: World) -> None:
    _, cells = handed_in("fills_the_judges_memory", world.facts())
    tracemalloc.start()
    try:
        grade(
            cells,
            problem_set.load(FOLDER),
            seed="",
            isolation=replace(bubblewrap.bubblewrap(), warm=True),
        )
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "seconds"), [("lstm-bptt", 340), ("lstm-torch", 320)])
def test_the_book_says_how_long_one_submission_may_take(name: str, seconds: int) -> None:
    chosen = problem_set.load(name, ROOT, validate=False)
    assert judge.time_limit(chosen, chosen.limits.load_seconds) == seconds
    assert f"{seconds} seconds for `{name}`" in (
        text := (ROOT / "book" / "teach" / "grading.md").read_text()
    ) or (f"{seconds} for `{name}`" in text)


def test_every_hostile_cell_says_what_it_tries() -> None:
    assert len(NAMES) >= 60
    for name in NAMES:
        assert len(head(name, "tries")) > 20 or name == "honest", name
        assert 0 <= float(head(name, "earns")) <= (20 if head(name, "set") else 8), name
        if head(name, "set"):
            # What gains all the same is written down for the instructor.
            assert float(head(name, "earns")) <= float(head(name, "twin")) or head(name, "notes"), (
                name
            )


@pytest.mark.filterwarnings("ignore:Setuptools is replacing distutils")
def test_what_hostile_cells_import_in_vain_can_be_imported_here(world: World) -> None:
    facts: dict[str, Any] = {}
    exec(world.facts(), facts)
    assert {"lstm_ref", "verdict.check"} < set(facts["MISSING_MODULES"])
    assert [name for name in facts["MISSING_MODULES"] if find_spec(name) is None] == []
    assert Path(facts["CHECKS"]).is_file()


def test_the_listeners_hear_who_reaches_them(world: World) -> None:
    assert world.reached() == []
    with (
        socket.create_connection(world.tcp.getsockname()),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
    ):
        datagram.sendto(b"question", world.udp.getsockname())
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.connect(world.named.getsockname())
            second.connect("\0" + world.abstract)
            assert len(world.reached()) == 4


@pytest.mark.parametrize("form", FORMS)
def test_the_watch_sees_a_process_that_lives(watched: Watched) -> None:
    box = watched.start(("numpy",), LIMITS[""])
    assert watched.survivors()
    box.close()
    assert not watched.survivors()
