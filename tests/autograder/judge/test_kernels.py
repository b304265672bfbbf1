"""Right work earns every point on every processor: run again by `book_kernels.py --gate` with the
settings of another one.
"""

from __future__ import annotations

import os

import pytest

from autograder.sandbox import bubblewrap, choose, mounts
from scripts.book_kernels import SETTINGS, draw
from tests.autograder.judge.test_fair import NUMPY, STEP, TORCH, Hands

pytestmark = pytest.mark.kernels

VARIABLES = sorted(
    {name for setting in SETTINGS for name in setting.variables()} - set(mounts.ENVIRONMENT)
)
COMMIT = os.environ.get("KERNELS_DRAW", "")
# Some of each set, others with each commit; test_fair.py has all of them, on this processor as it
# is.
SOME = [(hands, name) for hands in (NUMPY, TORCH) for name in draw(COMMIT, hands.names, share=24)]


@pytest.fixture
def box_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box clears the environment: hand in the settings of this process. Nothing but this test
    does so.
    """
    for name in VARIABLES:
        if name in os.environ:
            monkeypatch.setitem(mounts.ENVIRONMENT, name, os.environ[name])


@pytest.mark.usefixtures("box_has_them")
@pytest.mark.parametrize(
    ("hands", "name"),
    SOME,
    ids=lambda value: value if isinstance(value, str) else value.problem_set,
)
def test_right_work_earns_every_point_on_other_processors(hands: Hands, name: str) -> None:
    record = hands.graded(name)
    told = {name: os.environ.get(name) for name in VARIABLES}
    assert [check.name for check in record.checks if check.status != "passed"] == [], (
        told,
        record.to_json(),
    )
    assert record.score == record.max_score >= 18, (told, record.to_json())


def test_settings_reach_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    told = STEP.replace(
        "    H =", "    import os\n    print(os.environ['OPENBLAS_CORETYPE'])\n    H ="
    )
    monkeypatch.setitem(mounts.ENVIRONMENT, "OPENBLAS_CORETYPE", "Nehalem")
    # A fresh box: the fork server of an earlier test has the environment that it was started with.
    monkeypatch.setattr(choose, "choose", bubblewrap.bubblewrap)
    monkeypatch.setattr(Hands, "cells_of", lambda self, name: [("lstm_step_code", told)])
    assert "Nehalem" in NUMPY.graded("none").output
