"""DataFrames and Series enter the box, come back, are compared, and named where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autograder.author.lint import lint
from autograder.course import release
from autograder.errors import ProblemSetError, ProtocolError
from autograder.guest.protocol import MAX_TABLES, PREFIX_SIZE, Decoder, Encoder, quoted, sizes
from autograder.judge import judge, problem_set
from autograder.judge.result import Result
from autograder.sandbox import choose
from lstm_ref.practice import case_of, examine_all
from tests.support.tiny_course import SOURCE
from verdict.table_parts import MAX_COLUMNS, TableError, checked, table_of
from verdict.tables import table_difference

DAYS = """
import numpy as np
import pandas as pd
from verdict import Case, Check, Misconception
PACKAGES = ("numpy", "pandas")
def by_day(frame, factor):
    mean = frame.groupby("day", as_index=False)["price"].mean()
    mean["scaled"] = factor * mean["price"]
    return mean, frame["name"].str.upper()
def not_scaled(frame, factor):
    mean, names = by_day(frame, factor)
    return mean.assign(scaled=mean["price"]), names
def cases(rng):
    days = pd.to_datetime(rng.choice(["2024-01-01", "2024-02-01", "2025-03-01"], 12))
    names = pd.Series(rng.choice(["ann", "bob"], 12), name="name").where(rng.random(12) < 0.8)
    frame = pd.DataFrame({"day": days, "price": rng.normal(size=12), "name": names})
    frame["kind"] = pd.Categorical(rng.choice(["u", "v"], 12))
    return [Case("", (frame, 3.0)), Case("one day", (frame[frame["day"] == days[0]], 2.0))]
CHECKS = [Check("by_day", "By day.", "by_day", 2, cases, by_day, ("mean", "names"),
    tables=("mean", "names"),
    misconceptions=(Misconception("not_scaled", "The factor is missing.", not_scaled),))]
"""
RIGHT = """
import pandas as pd
def by_day(frame, factor):
    assert frame["kind"].dtype == "category" and frame["day"].dt.year.min() >= 2024
    mean = frame.groupby("day")["price"].mean().reset_index()
    frame.loc[:, "price"] = 0.0
    mean["scaled"] = mean["price"].mul(factor).astype("float64")
    return mean, NAMES
"""
NAMES = 'frame["name"].map(lambda name: name.upper(), na_action="ignore")'
UPPER = RIGHT.replace("    frame.loc", f"    names = {NAMES}\n    frame.loc").replace(
    "NAMES", "names"
)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> problem_set.ProblemSet:
    folder = tmp_path_factory.mktemp("course") / "solutions" / "days"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(DAYS)
    return problem_set.load(folder)


def graded(cell: str, days: problem_set.ProblemSet) -> Result:
    return judge.grade([cell], days, seed="seed", isolation=choose.choose())


WRONG = {
    UPPER: (2.0, "Right."),
    UPPER.replace(".mul(factor)", ""): (1.0, "The factor is missing. mean is wrong: column 'sca"),
    UPPER.replace('["scaled"] = ', '["scale"] = '): (1.0, "not asked for: 'scale'"),
    UPPER.replace(".reset_index()", ""): (0.0, "AttributeError|TypeError|KeyError|Series"),
    UPPER.replace("return mean,", "return mean.iloc[::-1],"): (1.0, "rows are in another order"),
    UPPER.replace("return mean,", "return mean.to_numpy(),"): (1.0, "a DataFrame was asked for"),
    UPPER.replace("return mean,", "return mean['price'],"): (1.0, "it is a Series, and a DataFr"),
    UPPER.replace("names = frame", "names = frame.fillna('?')"): (1.0, "has a value, and none was"),
    UPPER.replace("return mean,", "return None,"): (1.0, "mean is None"),
}


@pytest.mark.parametrize("cell", WRONG, ids=range(len(WRONG)))
def test_a_table_is_compared_and_its_column_named(cell: str, days: problem_set.ProblemSet) -> None:
    score, said = WRONG[cell]
    record = graded(cell, days)
    found = record.checks[0]
    assert record.score == score and any(word in found.message for word in said.split("|")), found
    assert (found.misconception == "not_scaled") == ("factor is missing" in said)
    names: dict[str, Any] = {}
    exec(cell, names)
    practised = examine_all(names, days.checks, 5)["by_day"]
    assert 2 * practised.credit == score, practised


# Each cell's function returns what no honest one does; all of it is bounded.
HOSTILE = {
    "an object": "mean.assign(price=[object() for _ in mean.index])",
    "itself": "mean.assign(price=[mean for _ in mean.index])",
    "a class that raises": "mean.assign(price=[Raises() for _ in mean.index])",
    "a million columns": "pd.DataFrame(np.zeros((1, 1_000_000)))",
    "many rows": "pd.DataFrame(np.zeros((3_000_000, 1)))",
    "a long word": "pd.DataFrame({'day': ['a' * 3_000_000] * 9})",
    "lies about its shape": "Lies(mean)",
    "deep lists": "mean.assign(price=[[[[[[[1]]]]]] for _ in mean.index])",
    "intervals": "pd.cut(mean['price'], 2).to_frame()",
    "complex": "mean.assign(price=1j)",
    "many tables": "[mean] * 100",
    "names that are objects": "mean.rename(columns={'price': object()})",
    "not a table at all": "Pretends()",
    "a table of tables": "pd.Series([mean, mean])",
}
CLASSES = """
import numpy as np
class Raises:
    def __getattr__(self, name): raise ZeroDivisionError
    def __eq__(self, other): raise ZeroDivisionError
    __hash__ = None
class Lies(pd.DataFrame):
    shape = property(lambda self: (10**9, 10**9))
    columns = property(lambda self: ["x"] * 7)
    __len__ = lambda self: 3
class Pretends:
    columns, index, shape, dtypes = ["day"], [0], (1, 1), {}
"""


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_table_costs_its_own_points_only(how: str, days: problem_set.ProblemSet) -> None:
    cell = UPPER.replace("def by_day", f"{CLASSES}def by_day")
    record = graded(cell.replace("return mean,", f"return {HOSTILE[how]},"), days)
    found = record.checks[0]
    assert record.score <= 1 and found.status in ("wrong", "error"), found
    assert "failed itself" not in str(record.notes) and len(found.message) < 3000


def test_the_word_of_the_subclass_about_itself_is_not_taken() -> None:
    class Lies(pd.DataFrame):
        @property
        def shape(self) -> tuple[int, int]:
            return 10**9, 1

    assert checked(Lies({"a": [1.0]})).shape == (1, 1)
    assert type(checked(Lies({"a": [1.0]}))) is pd.DataFrame


def through(value: Any) -> Any:
    data = Encoder().encode(value)
    header, _ = sizes(data[:PREFIX_SIZE])
    return Decoder().decode(data[PREFIX_SIZE:][:header], data[PREFIX_SIZE:][header:])


TIMES = pd.to_datetime(["2024-01-01 10:00", None, "1999-12-31 00:00"])
TABLES = [
    pd.DataFrame(),
    pd.DataFrame(index=[3, 4]),
    pd.DataFrame({"i": [1, 2], "f": [0.5, np.nan], "b": [True, False], "s": ["ä", None]}),
    pd.DataFrame(
        {"t": TIMES, "p": TIMES.tz_localize("Europe/Paris"), "u": TIMES.tz_localize("UTC")}
    ),
    pd.DataFrame(
        {"h": TIMES.tz_localize("+05:30"), "d": TIMES - TIMES[0], "n": TIMES.as_unit("s")}
    ),
    pd.DataFrame({"c": pd.Categorical(["b", None, "a"], ["b", "a"], ordered=True)}),
    pd.DataFrame({"i": pd.array([1, None], dtype="Int8"), "b": pd.array([True, None], "boolean")}),
    pd.DataFrame({"f": pd.array([0.5, None], "Float32"), "s": pd.array(["x", None], "string")}),
    pd.DataFrame(
        {"o": [[1, 2], "word", None, 0.5, True], "w": pd.Series(list("abcde"), dtype=object)}
    ),
    pd.DataFrame({1: [1], "a": [2]}, index=pd.Index(["row"], name="which")),
    pd.DataFrame({"k": list("aab"), "m": list("xyx"), "v": 1.5}).groupby(["k", "m"]).sum(),
    pd.DataFrame({"k": list("aab"), "v": [1, 2, 3]}).pivot_table(
        index="k", values="v", aggfunc=["sum", "mean"]
    ),
    pd.Series([1.5, 2.5], index=TIMES[:2].tz_localize("UTC"), name="series"),
    pd.DataFrame([[1, 2]], columns=["twice", "twice"]),
]


@pytest.mark.parametrize("table", TABLES, ids=range(len(TABLES)))
def test_a_table_arrives_as_it_was_sent(table: Any) -> None:
    came = through({"inside": (table, 1)})["inside"][0]
    assert type(came) is type(table)
    test = pd.testing.assert_frame_equal if table.ndim == 2 else pd.testing.assert_series_equal
    test(came, table)
    assert table_difference(came, checked(table), 0.0) == ""


FORGED: list[Any] = [
    None,
    ("frame",),
    ("series", ("n", np.zeros(2)), ([None], [("n", np.zeros(3))]), None),
    ("series", ("n", np.zeros((2, 2))), ([None], [("n", np.zeros(2))]), None),
    ("series", ("n", [1, 2]), ([None], [("n", np.zeros(2))]), None),
    ("series", ("w", "str", np.array([5]), ["a"]), ([None], [("n", np.zeros(1))]), None),
    ("series", ("w", "str", np.array([-2]), ["a"]), ([None], [("n", np.zeros(1))]), None),
    ("series", ("w", "str", np.array([0]), [3]), ([None], [("n", np.zeros(1))]), None),
    ("series", ("w", "int", np.array([0]), ["a"]), ([None], [("n", np.zeros(1))]), None),
    (
        "series",
        ("w", "str", np.zeros(10**5, int), ["a" * 99]),
        ([None], [("n", np.zeros(10**5))]),
        None,
    ),
    (
        "series",
        ("c", True, np.array([9]), ("n", np.zeros(1))),
        ([None], [("n", np.zeros(1))]),
        None,
    ),
    ("series", ("c", True, np.array([0]), ("c", True, np.array([0]), ())), ([None], []), None),
    ("series", ("t", "M", "Y", None, np.array([0])), ([None], [("n", np.zeros(1))]), None),
    (
        "series",
        ("t", "M", "s", "dateutil//etc/passwd", np.array([0])),
        ([None], [("n", np.zeros(1))]),
        None,
    ),
    ("series", ("t", "M", "s", "/etc/passwd", np.array([0])), ([None], [("n", np.zeros(1))]), None),
    (
        "series",
        ("t", "M", "s", "../../etc/passwd", np.array([0])),
        ([None], [("n", np.zeros(1))]),
        None,
    ),
    ("series", ("o", [object()]), ([None], [("n", np.zeros(1))]), None),
    ("series", ("o", [[[[[[1]]]]]]), ([None], [("n", np.zeros(1))]), None),
    ("series", ("n", np.zeros(1)), ([], []), None),
    ("series", ("n", np.zeros(1)), ([object()], [("n", np.zeros(1))]), None),
    ("series", ("m", np.zeros(1), np.zeros(1)), ([None], [("n", np.zeros(1))]), None),
    ("frame", ([None], [("n", np.zeros(2))]), [("n", np.zeros(1))], ([None], [("n", np.zeros(1))])),
    ("frame", ([None], [("n", np.zeros(10**6))]), [("n", np.zeros(1))] * 10**6, ([None], [])),
]


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_parts_that_are_no_table_are_refused(forged: Any) -> None:
    with pytest.raises(TableError):
        table_of(forged)


def test_a_message_holds_few_tables_of_few_columns() -> None:
    series = pd.Series([1.0])
    assert len(through([series] * MAX_TABLES)) == MAX_TABLES
    with pytest.raises(ProtocolError, match="more than 16 tables"):
        Encoder().encode([series] * (MAX_TABLES + 1))
    empty = '["p",null]'
    header = f'["l",null,[{",".join([empty] * 20)}]]'
    with pytest.raises(ProtocolError):
        Decoder().decode(header.encode(), b"")
    one = f'["p",{quoted("frame")}]'
    with pytest.raises(ProtocolError):
        Decoder().decode(one.encode(), b"")
    with pytest.raises(ProtocolError, match="1,001 columns is too large"):
        Encoder().encode(pd.DataFrame(np.zeros((1, MAX_COLUMNS + 1))))


BASE = pd.DataFrame({"day": TIMES, "n": [1.0, 2.0, 3.0], "w": ["a", "b", None]})
DIFFERENT: list[tuple[Any, str]] = [
    (BASE, ""),
    (BASE.astype({"n": "int32"}), ""),
    (BASE.assign(n=pd.array([1, 2, 3], dtype="Int64")), ""),
    (BASE.assign(w=np.array(["a", "b", None], dtype=object)), ""),
    (BASE.assign(n=BASE["n"] + 1e-9), ""),
    (BASE.assign(n=[1.0, 2.5, 9.0]), "column 'n' differs in 2 of 3 rows, first in row 1"),
    (BASE.assign(w=["a", "x", None]), "column 'w' differs in 1 of 3 rows, first in row 1"),
    (BASE.assign(n=[1.0, None, 3.0]), "column 'n' has no value, first in row 1"),
    (BASE.assign(w=["a", "b", "c"]), "column 'w' has a value, and none was expected there, first"),
    (BASE.assign(n=["1", "2", "3"]), "column 'n' holds words, and numbers were expected"),
    (BASE.assign(w=pd.Categorical(BASE["w"])), "column 'w' holds categories, and words were exp"),
    (BASE.assign(day=TIMES.tz_localize("UTC")), "column 'day' has a time zone, and none was"),
    (BASE.assign(day=TIMES + pd.Timedelta(days=1)), "column 'day' differs in 2 of 3 rows"),
    (BASE[["n", "day", "w"]], "its columns are in another order"),
    (BASE.drop(columns="n"), "it lacks 1 column"),
    (BASE.assign(x=1, y=2), "it has 2 columns not asked for: 'x', 'y'"),
    (BASE.iloc[:2], "it has 2 rows, and 3 were expected"),
    (BASE.iloc[::-1], "its rows are in another order"),
    (BASE.set_index(pd.Index([0, 1, 7])), "its index differs in 1 of 3 rows, first in row 2"),
    (BASE["n"], "it is a Series, and a DataFrame was expected"),
    (BASE.assign(n=9.0, w="z", day=TIMES[0]), "; "),
]


@pytest.mark.parametrize(("got", "said"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_a_difference_names_column_and_row(got: Any, said: str) -> None:
    found = table_difference(checked(got), checked(BASE), 1e-6)
    assert said in found and bool(found) == bool(said), found


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('("numpy", "pandas")', '("numpy",)'), "students' code has no pandas: write PACKAGES"),
        (('tables=("mean", "names")', 'tables=("mean",)'), "DataFrames where it stands in tables"),
        (('tables=("mean"', 'exact=("names",), tables=("mean"'), "under exact and under tables"),
        (('pd.Categorical(rng.choice(["u", "v"], 12))', "1j"), "column 'kind' has the dtype compl"),
    ],
)
def test_what_does_not_fit_is_refused_when_the_set_is_loaded(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    folder = tmp_path / "solutions" / "days"
    folder.mkdir(parents=True)
    assert DAYS.count(change[0]) == 1
    (folder / "checks.py").write_text(DAYS.replace(*change))
    with pytest.raises(ProblemSetError, match=complaint):
        problem_set.load(folder)


def test_practice_shows_the_tables(days: problem_set.ProblemSet) -> None:
    names: dict[str, Any] = {}
    exec(UPPER.replace(".mul(factor)", ""), names)
    found = case_of(days.checks, "by_day", 5, names)
    assert found is not None and "scaled" in str(found) and "was expected:\n" in str(found)


def test_lint_reads_a_set_with_tables(tiny_course: Path) -> None:
    folder = tiny_course / "solutions" / "days"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(DAYS)
    head, rest = SOURCE.split("```{code-cell}\n---\nnbgrader: {grade_id: scale_code", 1)
    cell = "---\nnbgrader: {grade_id: by_day_code, solution: true}\n---\nimport pandas as pd\n"
    body = UPPER.split("def by_day(frame, factor):\n")[1]
    (folder / "days.md").write_text(
        f"{head}```{{code-cell}}\n{cell}def by_day(frame, factor):\n    ### BEGIN SOLUTION\n"
        f"{body}    ### END SOLUTION\n```\n\n```{{code-cell}}\n---\nnbgrader: {{grade_id: by_day, "
        "grade: true, points: 2}\n---\n# 2 points: by_day\n```\n"
    )
    assert rest
    release.write_releases(tiny_course)
    assert lint(tiny_course, "days", choose.choose(False)) == []
