"""nbgrader's exchange by several users of one machine: real numbers and real modes of files, by
nbgrader's own commands.

The users have names in a list of users that only these commands see, so that nothing of the machine
is changed.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError

from autograder.course.course import Course
from autograder.nbgrader_exchange import CollectWithoutLinks
from tests.support.tiny_course import ADDS, RIGHT, ROOT, filled_in

USERS = {"teacher": 61001, "ann": 61002, "bob": 61003}
COMMANDS = """\
import shutil, sys, traceback
from nbgrader.apps import NbGraderApp
for line in sys.argv[1:]:
    if line.startswith("copy "):
        shutil.copyfile(*line.split()[1:])
        continue
    NbGraderApp.clear_instance()
    try:
        NbGraderApp.launch_instance(line.split())
    except SystemExit as end:
        print(line, "ended with", end.code)
    except Exception:
        traceback.print_exc()
        print(line, "ended with a traceback")
"""
PRELUDE = "c = get_config()\nc.CourseDirectory.course_id = 'inside-the-lstm'\n"
SOLUTION = ("product_of_both", "sum_of_everything", "rng.normal", "np.multiply")


@pytest.fixture
def place():
    """A folder that every user reaches, with a list of users in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as several users")
    if shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap, which shows the commands another list of users")
    # pytest's own is closed to others
    with tempfile.TemporaryDirectory(prefix="exchange") as folder:
        place = Path(folder)
        place.chmod(0o755)
        users = "".join(
            f"{name}:x:{number}:{number}::{place / name}:/bin/sh\n"
            for name, number in USERS.items()
        )
        (place / "passwd").write_text(Path("/etc/passwd").read_text() + users)
        (place / "commands.py").write_text(COMMANDS)
        (place / "exchange").mkdir()
        (place / "exchange").chmod(0o777)
        for name in ("ann", "bob"):
            (place / name).mkdir(mode=0o700)
            (place / name / "nbgrader_config.py").write_text(
                f"{PRELUDE}c.Exchange.root = {str(place / 'exchange')!r}\n"
            )
            own(place / name, name)
        yield place


def own(folder, name):
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USERS[name], USERS[name])


def as_user(place, name, *command):
    """Run a command as one of the users, in the user's folder; returns what it said."""
    # Python may lie in root's home, which is closed to others; nothing else that lies there is
    # shown.
    home = Path.home().resolve()
    needed = {Path(path).resolve() for path in (sys.base_prefix, sys.prefix, ROOT)}
    shown = {home / path.relative_to(home).parts[0] for path in needed if path.is_relative_to(home)}
    binds = [part for path in sorted(shown) for part in ("--ro-bind", path, path)]
    box = [
        "bwrap",
        "--dev-bind",
        "/",
        "/",
        "--tmpfs",
        home,
        *binds,
        "--ro-bind",
        place / "passwd",
        "/etc/passwd",
    ]
    to = ["setpriv", f"--reuid={USERS[name]}", f"--regid={USERS[name]}", "--clear-groups"]
    process = subprocess.run(
        [*box, "--chdir", place / name, *to, *command],
        env={
            **{
                "PATH": f"{sysconfig.get_path('scripts')}:/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "OMP_NUM_THREADS": "1",
            },
            **{"HOME": str(place / name), "PYTHONPATH": str(ROOT)},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.stdout


def nbgrader_as(place, name, *lines):
    return as_user(place, name, sys.executable, place / "commands.py", *lines)


def test_from_release_to_feedback_as_three_users(place, tiny_course):
    course = place / "teacher"
    shutil.copytree(tiny_course, course)
    settings = course / "nbgrader_config.py"
    settings.write_text(settings.read_text() + f"\nc.Exchange.root = {str(place / 'exchange')!r}\n")
    own(course, "teacher")
    course.chmod(0o700)
    exchange = place / "exchange" / "inside-the-lstm"

    said = nbgrader_as(place, "teacher", "release_assignment tiny")
    assert "Released as: inside-the-lstm tiny" in said, said
    released = "".join(path.read_text() for path in exchange.rglob("*") if path.is_file())
    assert "def scale" in released and not any(secret in released for secret in SOLUTION)

    for name, sources in (("ann", RIGHT), ("bob", ADDS)):
        work = place / f"{name}.ipynb"
        work.write_text(nbformat.v4.writes_json(filled_in(tiny_course, sources)))
        said = nbgrader_as(
            place, name, "fetch_assignment tiny", f"copy {work} tiny/tiny.ipynb", "submit tiny"
        )
        assert "Fetched as" in said and "Submitted as" in said, said
        work.unlink()

    # bob looks around, then leaves what nobody should leave.
    secrets = [
        course / "solutions" / "tiny" / "checks.py",
        place / "ann" / "tiny" / "tiny.ipynb",
        exchange / "inbound",
    ]
    for secret in secrets:
        assert "Permission denied" in as_user(place, "bob", "ls", "-l", secret)
    (theirs,) = exchange.glob("inbound/ann+*")
    later = "2999-01-01 00:00:00.000000 UTC"
    as_user(
        place,
        "bob",
        "cp",
        "-r",
        place / "bob" / "tiny",
        exchange / "inbound" / f"ann+tiny+{later}+forged",
    )
    as_user(place, "bob", "mkdir", exchange / "inbound" / f"bob+tiny+{later}+unreadable")
    as_user(
        place, "bob", "touch", exchange / "inbound" / f"bob+tiny+{later}+unreadable" / "tiny.ipynb"
    )
    as_user(
        place,
        "bob",
        "chmod",
        "600",
        exchange / "inbound" / f"bob+tiny+{later}+unreadable" / "tiny.ipynb",
    )

    said = nbgrader_as(place, "teacher", "collect tiny")
    assert "it is in the name of ann, and bob put it there" in said
    assert "unreadable: it cannot be read: Permission denied" in said
    assert "2 left out" in said and "ended with 1" in said and "Traceback" not in said
    assert (course / "submitted" / "ann" / "tiny" / "tiny.ipynb").read_text() == (
        theirs / "tiny.ipynb"
    ).read_text()

    said = as_user(place, "teacher", sys.executable, "-m", "autograder", "run", "tiny")
    assert "2 judged" in said, said
    said = nbgrader_as(place, "teacher", "generate_feedback tiny", "release_feedback tiny")
    assert said.count("Feedback released to") == 2, said

    assert "Fetched feedback" in nbgrader_as(place, "bob", "fetch_feedback tiny")
    (page,) = (place / "bob" / "tiny" / "feedback").glob("*/tiny.html")
    assert "It adds a instead of multiplying." in page.read_text()
    assert not any(secret in page.read_text() for secret in SOLUTION)
    assert "Permission denied" in as_user(place, "bob", "ls", exchange / "feedback")


@pytest.fixture
def inbound(tmp_path, empty_gradebook):
    """The exchange's folder of what was handed in, beside a gradebook."""
    shutil.copy(empty_gradebook, tmp_path / "gradebook.db")
    folder = tmp_path / "exchange" / "one" / "inbound"
    folder.mkdir(parents=True)
    (tmp_path / "exchange").chmod(0o777)
    return folder


def collect(inbound, **settings):
    """Collect in this process, without asking who the owner is; returns the folder of what was
    collected.
    """
    root = inbound.parents[2]
    directory = CourseDirectory(root=str(root), course_id="one", assignment_id="tiny", **settings)
    collector = CollectWithoutLinks(coursedir=directory, update=True, check_owner=False)
    collector.root = str(inbound.parents[1])
    collector.start()
    return root / "submitted"


def test_formgraders_button_collects_in_the_same_way(tiny_course, inbound, tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = put(inbound, "bob", work="mine")
    (folder / "tiny.ipynb").symlink_to(tmp_path / "secret")
    config = Course.load(tiny_course).config
    config.Exchange.root = str(inbound.parents[1])
    config.ExchangeCollect.check_owner = False
    config.CourseDirectory.course_id = "one"
    app = NbGrader(config=config)
    done = NbGraderAPI(CourseDirectory(parent=app), parent=app).collect("tiny")
    assert done["success"], done
    assert {path.name for path in (tiny_course / "submitted" / "bob" / "tiny").iterdir()} == {
        "work",
        "timestamp.txt",
    }


def put(inbound, name, time="2026-03-01 11:00:00.000000 UTC", **files):
    folder = inbound / f"{name}+tiny+{time}+x"
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    return folder


def test_a_link_is_not_followed_whatever_it_points_to(inbound, tmp_path):
    solution = tmp_path / "solution.ipynb"
    solution.write_text("secret")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    folder = put(inbound, "bob", work="mine")
    (folder / "tiny.ipynb").symlink_to(solution)
    (folder / "folder").symlink_to(tmp_path / "private")
    (folder / "gone").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe")
    submitted = collect(inbound)
    assert sorted(path.name for path in (submitted / "bob" / "tiny").rglob("*")) == [
        "timestamp.txt",
        "work",
    ]


def test_a_link_that_comes_between_looking_and_copying_is_not_followed(
    inbound, tmp_path, monkeypatch
):
    (tmp_path / "solution.ipynb").write_text("secret")
    folder = put(inbound, "bob", work="mine")
    looked = os.open

    def swapped(name, flags, *more, **options):
        if name == "work" and flags & os.O_NOFOLLOW:
            (folder / "work").unlink(missing_ok=True)
            (folder / "work").symlink_to(tmp_path / "solution.ipynb")
        return looked(name, flags, *more, **options)

    monkeypatch.setattr(os, "open", swapped)
    submitted = collect(inbound)
    assert [path.name for path in (submitted / "bob" / "tiny").rglob("*")] == ["timestamp.txt"]


def test_one_bad_submission_stops_nobody_and_an_earlier_one_stands(inbound, caplog):
    put(inbound, "ann", work="first")
    put(inbound, "bob", time="no time")
    put(inbound, "cay", work="mine")
    put(inbound, "dan", work="large" * 40_000)
    (inbound / "eve+tiny+2026-03-01 11:00:00 UTC+x").touch()
    put(inbound, "zoe", **{"work": "last", "timestamp.txt": "2026-01-01 00:00:00 UTC"})
    with pytest.raises(ExchangeError, match="3 left out"):
        collect(inbound, max_dir_size=100)
    submitted = inbound.parents[2] / "submitted"
    assert sorted(path.name for path in submitted.glob("*")) == ["ann", "cay", "zoe"]
    # The time is that of the folder's name, whatever the file says; then a later submission takes
    # the place of the first.
    assert (
        submitted / "zoe" / "tiny" / "timestamp.txt"
    ).read_text() == "2026-03-01 11:00:00.000000 UTC"
    put(inbound, "ann", time="2026-03-02 11:00:00.000000 UTC", work="second")
    (submitted / "cay" / "tiny" / "timestamp.txt").write_text("garbage")
    with pytest.raises(ExchangeError, match="4 left out"):
        collect(inbound, max_dir_size=100)
    assert (submitted / "ann" / "tiny" / "work").read_text() == "second"
    assert "later than it states" in caplog.text
    assert "tiny: timestamp.txt holds no time such as" in caplog.text
