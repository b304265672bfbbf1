import csv
import io
import os
import shutil
import stat
import struct
import unicodedata
import zipfile

import nbformat
import pytest
from click.testing import CliRunner

from autograder.cli import commands
from autograder.course.course import Course
from autograder.errors import CollectError, StoreError
from autograder.lms import archive as handed_in
from autograder.lms.collect import collect, read_names
from tests.support.tiny_course import ADDS, RIGHT, filled_in, tiny_release

EMPTY = {"scale_code": "pass", "total_code": "pass"}
DECOMPOSED = unicodedata.normalize("NFD", "Zoé Müller")
# Moodle's number of the participant -> name; and the same people at Canvas.
PEOPLE = {
    "7": 'O"Hara, Ann',
    "12": "李小龙",
    "31": "محمد علي",
    "44": DECOMPOSED,
    "52": "Late Comer",
}
WORK = {
    "7": (RIGHT, 3.0),
    "12": (ADDS, 1.0),
    "31": (RIGHT, 3.0),
    "44": (ADDS, 1.0),
    "52": (EMPTY, 0.0),
}


def text(root, sources):
    return nbformat.v4.writes_json(filled_in(root, sources))


def make_zip(path, files, date=(2026, 3, 1, 11, 0, 0)):
    """A zip of name -> text, bytes, or (ZipInfo settings, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            info = zipfile.ZipInfo(name, date)
            info.compress_type = zipfile.ZIP_DEFLATED
            settings, content = content if isinstance(content, tuple) else ({}, content)
            for key, value in settings.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


def submitted(root):
    """Path under submitted/ -> text, of all files there."""
    folder = root / "submitted"
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def gather(root, *zips, **options):
    return collect(Course.load(root), "tiny", tiny_release(root), zips, **options)


def reasons(collection):
    return {path: reason for path, reason in collection.left_out}


def moodle_zip(root, flat=False):
    between = "_" if flat else "_/"
    files = {
        f"{name}_{number}_assignsubmission_file{between}my work.ipynb": text(root, WORK[number][0])
        for number, name in PEOPLE.items()
    }
    return make_zip(root / "moodle.zip", files)


def canvas_zip(root):
    files = {
        f"name{number}_{'LATE_' if number == '52' else ''}{number}_9{number}_tiny-1.ipynb": text(
            root, WORK[number][0]
        )
        for number in PEOPLE
    }
    return make_zip(root / "canvas.zip", files)


def call(*arguments):
    return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)


def table(rows):
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def test_round_trip_through_moodle_and_canvas(tiny_course, empty_gradebook, monkeypatch):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    monkeypatch.chdir(tiny_course)
    monkeypatch.setenv("COLUMNS", "200")
    moodle_zip(tiny_course)
    rows = [(f"Participant {number}", name, "", "3.00") for number, name in PEOPLE.items()]
    (tiny_course / "moodle.csv").write_text(
        table([("Identifier", "Full name", "Grade", "Maximum Grade"), *rows])
    )
    assert call("collect", "tiny", "moodle.zip").exit_code == 0
    assert call("run", "tiny").exit_code == 0
    exported = call("export", "moodle", "tiny", "--worksheet", "moodle.csv", "--out", "filled.csv")
    assert exported.exit_code == 0 and "rows without a score" not in exported.stdout
    filled = list(csv.reader(io.StringIO((tiny_course / "filled.csv").read_text())))
    assert [row[:3] for row in filled[1:]] == [
        [row[0], row[1], f"{score:g}"] for row, (_, score) in zip(rows, WORK.values(), strict=True)
    ]
    # The same class at Canvas, where the notebooks have not changed: nothing is graded anew.
    canvas_zip(tiny_course)
    rows = [(name, number, "", "") for number, name in PEOPLE.items()]
    (tiny_course / "canvas.csv").write_text(
        table([("Student", "ID", "Section", "tiny (5)"), *rows])
    )
    again = call("collect", "tiny", "canvas.zip")
    assert (
        again.exit_code == 0
        and "5 unchanged" in again.stdout
        and "late, says Canvas: 52" in again.stdout
    )
    assert (
        call(
            "export", "canvas", "tiny", "--worksheet", "canvas.csv", "--out", "filled.csv"
        ).exit_code
        == 0
    )
    filled = list(csv.reader(io.StringIO((tiny_course / "filled.csv").read_text())))
    assert [row[3] for row in filled[1:]] == [f"{score:g}" for _, score in WORK.values()]


def test_moodle_in_one_folder_gives_the_same_as_in_many(tiny_course):
    gather(tiny_course, moodle_zip(tiny_course, flat=True))
    assert submitted(tiny_course) == {
        f"{n}/tiny/tiny.ipynb": text(tiny_course, w) for n, (w, _) in WORK.items()
    }


def test_zips_of_folders_and_of_files_bear_the_students_own_names(tiny_course):
    mine, yours = text(tiny_course, RIGHT), text(tiny_course, ADDS)
    for k, files in enumerate(
        (
            {
                "ann/tiny.ipynb": mine,
                "bo li/tiny/work.ipynb": yours,
                "__MACOSX/ann/._tiny.ipynb": "x",
            },
            {"hw/ann.ipynb": mine, "hw/bo li.ipynb": yours},
            {"ann.ipynb": mine, "bo li.ipynb": yours, ".ipynb_checkpoints/x.ipynb": "x"},
            {"hw\\ann\\a.ipynb": mine, "hw\\bo li\\b.ipynb": yours},
        )
    ):
        shutil.rmtree(tiny_course / "submitted", ignore_errors=True)
        found = gather(tiny_course, make_zip(tiny_course / f"{k}.zip", files))
        assert submitted(tiny_course) == {
            "ann/tiny/tiny.ipynb": mine,
            "bo li/tiny/tiny.ipynb": yours,
        }
        assert (found.left_out, found.passed_over) == ([], [])
    assert reasons(
        gather(tiny_course, make_zip(tiny_course / "one.zip", {"tiny.ipynb": mine}))
    ) == {"one.zip: tiny.ipynb": "its name says no student; put it into a folder that does"}


def test_newest_attempt_counts_and_a_choice_that_is_not_clear_is_left_to_people(tiny_course):
    old, new, other = text(tiny_course, EMPTY), text(tiny_course, RIGHT), text(tiny_course, ADDS)
    files = {
        "ann_1_30_tiny-2.ipynb": new,  # the later file of Canvas's, whatever the names say
        "ann_1_20_tiny-9.ipynb": old,
        "bob_2_40_work.ipynb": old,
        "bob_2_41_plot.ipynb": "no notebook",
        "bob_2_41_report.pdf": "pdf",
        "cay_3_50_first.ipynb": new,
        "cay_3_51_second.ipynb": other,
        "dan_4_60_notes.txt": "I did it on paper",
    }
    found = gather(tiny_course, make_zip(tiny_course / "canvas.zip", files))
    assert submitted(tiny_course) == {"1/tiny/tiny.ipynb": new, "2/tiny/tiny.ipynb": old}
    assert dict(found.passed_over) == {
        "ann_1_20_tiny-9.ipynb": "ann_1_30_tiny-2.ipynb counts",
        "bob_2_41_plot.ipynb": "bob_2_40_work.ipynb counts",
        "bob_2_41_report.pdf": "it is no notebook",
    }
    assert (
        "2 notebooks were handed in (cay_3_50_first.ipynb, cay_3_51_second.ipynb)"
        in reasons(found)["3"]
    )
    assert reasons(found)["4"] == "no notebook was handed in; there is dan_4_60_notes.txt"
    # In Moodle's folder of one student only the names tell.
    folder = "Ann_1_assignsubmission_file"
    files = {
        f"{folder}/tiny (1).ipynb": old,
        f"{folder}/tiny (10).ipynb": new,
        f"{folder}/tiny.ipynb": old,
    }
    shutil.rmtree(tiny_course / "submitted")
    gather(tiny_course, make_zip(tiny_course / "moodle.zip", files))
    assert submitted(tiny_course) == {"1/tiny/tiny.ipynb": new}


def test_a_student_cannot_hand_in_for_another_by_the_name_of_a_file(tiny_course):
    mine, theirs = text(tiny_course, EMPTY), text(tiny_course, RIGHT)
    files = {
        "Eve_9_assignsubmission_file_/x_1_assignsubmission_file_/tiny.ipynb": mine,
        "Ann_1_assignsubmission_file_tiny.ipynb": theirs,
        "Mal_8_assignsubmission_file_y_1_assignsubmission_file_tiny.ipynb": mine,
    }
    gather(tiny_course, make_zip(tiny_course / "moodle.zip", files))
    assert submitted(tiny_course) == {
        f"{n}/tiny/tiny.ipynb": t for n, t in (("9", mine), ("1", theirs), ("8", mine))
    }
    # At Canvas she may call herself "eve_1"; "1_tiny.ipynb" is a name that an honest student gives.
    shutil.rmtree(tiny_course / "submitted")
    files = {
        "eve_1_9_77_tiny.ipynb": mine,
        "ann_1_20_tiny.ipynb": theirs,
        "bob_2_30_1_tiny.ipynb": theirs,
    }
    found = gather(tiny_course, make_zip(tiny_course / "canvas.zip", files))
    assert submitted(tiny_course) == {"1/tiny/tiny.ipynb": theirs, "2/tiny/tiny.ipynb": theirs}
    assert list(reasons(found).values()) == [
        "its name can be read in two ways, and the student 1 has another name"
    ]


def test_zip_in_a_zip_is_looked_into_once(tiny_course):
    mine = text(tiny_course, RIGHT)
    inner = make_zip(
        tiny_course / "inner.zip", {"work/tiny.ipynb": mine, "work/data.csv": "1"}
    ).read_bytes()
    deep = make_zip(tiny_course / "deep.zip", {"inner.zip": inner}).read_bytes()
    files = {
        "A_1_assignsubmission_file_/w.zip": inner,
        "B_2_assignsubmission_file_/w.zip": deep,
        "C_3_assignsubmission_file_/w.zip": "no zip",
    }
    found = gather(tiny_course, make_zip(tiny_course / "all.zip", files))
    assert submitted(tiny_course) == {"1/tiny/tiny.ipynb": mine}
    assert (
        reasons(found)["B_2_assignsubmission_file_/w.zip/inner.zip"]
        == "it is a zip in a zip in a zip"
    )
    assert "is no zip, or is damaged" in reasons(found)["C_3_assignsubmission_file_/w.zip"]


def test_hostile_entries_are_listed_and_never_written(tiny_course):
    mine = text(tiny_course, RIGHT)
    link = {"external_attr": (stat.S_IFLNK | 0o777) << 16}
    device = {"external_attr": (stat.S_IFCHR | 0o666) << 16}
    files = [
        ("../../evil.ipynb", mine),
        ("/etc/evil.ipynb", mine),
        ("C:/evil.ipynb", mine),
        ("link/tiny.ipynb", (link, "/etc/passwd")),
        ("device/tiny.ipynb", (device, "")),
        ("bomb/tiny.ipynb", b" " * (handed_in.MAX_FILE + 1)),
        (".hidden/tiny.ipynb", mine),
        ("turned\u202e/tiny.ipynb", mine),
        ("ann/tiny.ipynb", mine),
        ("twice/tiny.ipynb", mine),
        ("twice/tiny.ipynb", text(tiny_course, ADDS)),
    ]
    before = sorted(tiny_course.parent.rglob("*evil*"))
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make_zip(tiny_course / "all.zip", files)
    found = gather(tiny_course, path)
    assert submitted(tiny_course) == {"ann/tiny/tiny.ipynb": mine}
    assert sorted(tiny_course.parent.rglob("*evil*")) == before and not os.path.exists(
        "/etc/evil.ipynb"
    )
    said = reasons(found)
    for name, reason in {
        "all.zip: ../../evil.ipynb": "its path leads out of the zip",
        "all.zip: /etc/evil.ipynb": "its path leads out of the zip",
        "all.zip: C:/evil.ipynb": "its path leads out of the zip",
        "all.zip: link/tiny.ipynb": "it is a link or a device",
        "all.zip: device/tiny.ipynb": "it is a link or a device",
        "bomb/tiny.ipynb": "it has 32 MB; at most 32 MB are read",
        "all.zip: .hidden/tiny.ipynb": "'.hidden' cannot be the name of a folder; give another "
        "with --names",
        "all.zip: turned\ufffd/tiny.ipynb": "its name holds characters that cannot be written",
    }.items():
        assert said.pop(name) == reason
    assert list(said) == ["twice"] and "it cannot be told which one counts" in said["twice"]


def test_zip_that_unpacks_to_far_more_than_its_size_is_stopped(tiny_course, monkeypatch):
    monkeypatch.setattr(handed_in, "FREE_GROWTH", 3 << 20)
    files = {f"s{k}/tiny.ipynb": b" " * (1 << 20) for k in range(9)}
    found = gather(tiny_course, make_zip(tiny_course / "bomb.zip", files))
    assert len(found.kept) == 3
    assert set(reasons(found).values()) == {"the zip unpacks to more than 200 times its size"}


def test_encrypted_and_damaged_entries_cost_nobody_else(tiny_course):
    mine = text(tiny_course, RIGHT)
    path = make_zip(
        tiny_course / "all.zip",
        {"ann/tiny.ipynb": mine, "bob/tiny.ipynb": mine, "cay/tiny.ipynb": mine},
    )
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        bob, cay = archive.getinfo("bob/tiny.ipynb"), archive.getinfo("cay/tiny.ipynb")
    content[bob.header_offset + 30 + len("bob/tiny.ipynb") + 40] ^= 0xFF
    entry = content.rindex(b"cay/tiny.ipynb") - 46  # of the directory at the end
    struct.pack_into("<H", content, entry + 8, 1)
    struct.pack_into("<H", content, cay.header_offset + 6, 1)
    path.write_bytes(content)
    found = gather(tiny_course, path)
    assert [kept.student for kept in found.kept] == ["ann"]
    assert reasons(found)["all.zip: cay/tiny.ipynb"] == "it is encrypted"
    assert reasons(found)["bob/tiny.ipynb"].startswith("it is damaged")
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        CollectError, match="all.zip is no zip, or is damaged .* Nothing was collected"
    ):
        gather(tiny_course, path)


def test_names_in_utf8_are_read_whether_the_zip_says_so_or_not(tiny_course):
    path = make_zip(
        tiny_course / "all.zip", {"李小龙/tiny.ipynb": "a", f"{DECOMPOSED}/tiny.ipynb": "b"}
    )
    content = bytearray(path.read_bytes())
    # take the mark of UTF-8 away
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            struct.pack_into("<H", content, at + offset, 0)
    path.write_bytes(content)
    # as a Mac may have written it before
    (tiny_course / "submitted" / DECOMPOSED / "tiny").mkdir(parents=True)
    assert [kept.student for kept in gather(tiny_course, path).kept] == ["Zoé Müller", "李小龙"]
    assert submitted(tiny_course) == {
        "李小龙/tiny/tiny.ipynb": "a",
        f"{DECOMPOSED}/tiny/tiny.ipynb": "b",
    }
    # A name in code page 437, which holds no UTF-8, is what it always was.
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xx/tiny.ipynb", "c")
    path.write_bytes(path.read_bytes().replace(b"xx/tiny", b"\x81\x84/tiny"))
    assert [kept.student for kept in gather(tiny_course, path).kept] == ["üä"]


def test_earlier_submission_is_kept_beside_the_new_one(tiny_course):
    first, second, third = (text(tiny_course, work) for work in (EMPTY, ADDS, RIGHT))
    folder = "ann/tiny"
    one, two, three = (
        make_zip(tiny_course / f"{k}.zip", {"ann/tiny.ipynb": work})
        for k, work in enumerate((first, second, third))
    )
    assert gather(tiny_course, one, times=True).kept[0].how == "new"
    assert submitted(tiny_course)[f"{folder}/timestamp.txt"].startswith("2026-03-01 ")
    before = submitted(tiny_course)
    assert (
        gather(tiny_course, two, dry_run=True).kept[0].how == "replaced"
        and submitted(tiny_course) == before
    )
    assert gather(tiny_course, two).kept[0].how == "replaced"
    # The time of the first submission is not that of the second.
    assert submitted(tiny_course) == {
        f"{folder}/tiny.ipynb": second,
        f"{folder}/.earlier/1-tiny.ipynb": first,
        f"{folder}/.earlier/1-timestamp.txt": before[f"{folder}/timestamp.txt"],
    }
    found = gather(tiny_course, one, three)
    assert found.passed_over == [("ann/tiny.ipynb", "2.zip has one of ann too")]
    assert submitted(tiny_course)[f"{folder}/.earlier/2-tiny.ipynb"] == second
    assert (
        gather(tiny_course, three).kept[0].how == "unchanged" and len(submitted(tiny_course)) == 4
    )
    assert Course.load(tiny_course).students("tiny") == ["ann"]


def test_write_that_fails_leaves_the_earlier_submission(tiny_course, monkeypatch):
    first, second = text(tiny_course, ADDS), text(tiny_course, RIGHT)
    gather(tiny_course, make_zip(tiny_course / "1.zip", {"ann/tiny.ipynb": first}))

    replace = os.replace

    def full(source, target):
        if target.name == "tiny.ipynb":  # the last step, when the earlier one is put aside
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(
        StoreError, match="ann/tiny/tiny.ipynb cannot be written: No space left"
    ) as refusal:
        gather(tiny_course, make_zip(tiny_course / "2.zip", {"ann/tiny.ipynb": second}))
    assert refusal.value.__notes__ == ["0 of 1 students have their notebook there by now."]
    assert submitted(tiny_course)["ann/tiny/tiny.ipynb"] == first
    assert not list(tiny_course.rglob("*.part"))


def test_folders_can_bear_the_names_of_a_table_or_of_a_worksheet(tiny_course, monkeypatch):
    monkeypatch.chdir(tiny_course)
    monkeypatch.setenv("COLUMNS", "200")
    moodle_zip(tiny_course)
    rows = [
        (f"Participant {n}", name, f"s{n}@example.org") for n, name in PEOPLE.items() if n != "52"
    ]
    (tiny_course / "moodle.csv").write_text(
        table([("Identifier", "Full name", "Email address"), *rows])
    )
    refused = call("collect", "tiny", "moodle.zip", "--names", "moodle.csv")
    assert refused.exit_code == 2 and "--student-column" in refused.stderr
    by_mail = ("--names", "moodle.csv", "--student-column", "Email address")
    result = call("collect", "tiny", "moodle.zip", *by_mail, "--dry-run")
    assert (
        "submitted/s7@example.org/tiny" in result.stdout
        and not (tiny_course / "submitted").exists()
    )
    result = call("collect", "tiny", "moodle.zip", *by_mail)
    assert result.exit_code == 1 and "the table of names does not name '52'" in result.stdout
    assert Course.load(tiny_course).students("tiny") == [
        f"s{n}@example.org" for n in ("12", "31", "44", "7")
    ]
    for wrong, said in (
        ("who,folder\na,x\nb,x\n", "has 2 rows for the folder 'x'"),
        ("who,folder\na,x\nA,y\n", "calls 'A' both 'x' and 'y'"),
        ("", "is empty"),
    ):
        with pytest.raises(CollectError, match=said):
            read_names(wrong)


LEVELS = {
    "two folders above": "HW1/Submissions/{}/tiny.ipynb",
    "three folders above": "Course/HW1/Submissions/{}/tiny.ipynb",
    "a folder above, files by name": "HW1/{}.ipynb",
    "a folder within": "HW1/{}/tiny/tiny.ipynb",
    "none above": "{}/tiny.ipynb",
}


@pytest.mark.parametrize("beside", [{}, {"HW1/names.csv": "a,b"}, {"readme.txt": "read me"}])
@pytest.mark.parametrize("path", LEVELS.values(), ids=LEVELS)
def test_folders_above_the_students_are_no_student(tiny_course, path, beside):
    files = {path.format(name): text(tiny_course, RIGHT) for name in ("ann", "bob", "cay")}
    found = gather(tiny_course, make_zip(tiny_course / "class.zip", {**files, **beside}))
    assert [kept.student for kept in found.kept] == ["ann", "bob", "cay"]


def test_a_class_is_never_taken_for_one_student(tiny_course):
    """Where the levels leave it open, nothing is merged in silence."""
    files = {f"HW1/{name}/tiny.ipynb": text(tiny_course, RIGHT) for name in ("ann", "bob", "cay")}
    files["late.ipynb"] = text(tiny_course, ADDS)
    found = gather(tiny_course, make_zip(tiny_course / "class.zip", files))
    assert [kept.student for kept in found.kept] == ["late"]
    assert (
        "3 folders below it hold a tiny.ipynb each: are they 3 students?"
        in reasons(found)["class.zip: HW1"]
    )


def test_attempts_and_hidden_copies_of_one_student_are_no_class(tiny_course):
    files = {
        "ann/tiny.ipynb": text(tiny_course, RIGHT),
        "ann/.ipynb_checkpoints/tiny.ipynb": text(tiny_course, ADDS),
        "ann/other/notes.ipynb": text(tiny_course, EMPTY),
        "bob/tiny.ipynb": text(tiny_course, RIGHT),
    }
    found = gather(tiny_course, make_zip(tiny_course / "class.zip", files))
    assert "bob" in [kept.student for kept in found.kept] and "are they" not in " ".join(
        reasons(found).values()
    )


AT = "attempt_2026-03-0{}-10-11-12"


def test_blackboard_gives_user_names_and_the_last_attempt_counts(tiny_course):
    right, wrong = text(tiny_course, RIGHT), text(tiny_course, ADDS)
    files = {
        f"Home_work_ann_{AT.format(1)}_tiny.ipynb": wrong,
        f"Home_work_ann_{AT.format(1)}.txt": "Name: Ann",
        f"Home_work_ann_{AT.format(3)}_mine.ipynb": right,
        f"Home_work_ann_{AT.format(3)}.txt": "Name: Ann",
        # the file's name, which the student chose, is read as no user
        f"Home_work_bob_{AT.format(2)}_x_ann_{AT.format(9)}_tiny.ipynb": wrong,
        f"Home_work_jo_cay_{AT.format(2)}.txt": "Name: Cay",
    }
    found = gather(tiny_course, make_zip(tiny_course / "b.zip", files))
    assert {kept.student: kept.path for kept in found.kept} == {
        "ann": f"Home_work_ann_{AT.format(3)}_mine.ipynb",
        "bob": f"Home_work_bob_{AT.format(2)}_x_ann_{AT.format(9)}_tiny.ipynb",
    }
    assert [(who, reason[:26]) for who, reason in found.left_out] == [
        ("jo_cay", "no notebook was handed in;")
    ]


@pytest.mark.parametrize(("later", "taken"), [("Mar 12, 2026 1011 AM", 1), ("12. März", 0)])
def test_brightspace_gives_numbers_and_the_last_attempt_counts(tiny_course, later, taken):
    right, wrong = text(tiny_course, RIGHT), text(tiny_course, ADDS)
    files = {
        "index.html": "<html></html>",
        "201-55 - Ann - Lee Doe - Mar 2, 2026 1159 PM/tiny.ipynb": wrong,
        f"201-55 - Ann - Lee Doe - {later}/tiny.ipynb": right,
        "202-55 - Bob Roe - Mar 2, 2026 1159 PM/tiny.ipynb": right,
    }
    found = gather(tiny_course, make_zip(tiny_course / "d.zip", files))
    assert [kept.student for kept in found.kept] == ["201", "202"][1 - taken :]
    assert len(found.left_out) == 1 - taken


@pytest.mark.parametrize(
    "file",
    ["Ann Doe - tiny.ipynb", "Ann Doe - Tiny (1).ipynb", "tiny_Ann Doe.ipynb", "Ann Doe.ipynb"],
)
def test_the_sets_name_in_a_files_name_is_not_the_students(tiny_course, file):
    files = {f"Class/{file}": text(tiny_course, RIGHT), "Class/Bob.ipynb": text(tiny_course, ADDS)}
    found = gather(tiny_course, make_zip(tiny_course / "c.zip", files))
    assert [kept.student for kept in found.kept] == ["Ann Doe", "Bob"]
