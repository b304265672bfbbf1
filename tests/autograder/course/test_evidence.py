import base64
import re
import shutil
from functools import cache
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from autograder.cli import commands
from autograder.course import evidence, release
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.course.evidence import Budget, read_evidence, text_to_show
from autograder.course.feedback import write_feedback
from autograder.course.rebuild import parse_notebook, rebuild, scored_by_hand
from autograder.errors import ProblemSetError
from autograder.judge import problem_set
from tests.support.tiny_course import (
    RIGHT,
    SOURCE,
    filled_in,
    hand_in,
    make_tiny_course,
    tiny_release,
)

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"pixels of a plot" * 20).decode()
BY_HAND = """
```{code-cell}
---
nbgrader: {grade_id: plot, grade: true, solution: true, points: 4}
---
### BEGIN SOLUTION
print("a plot of the errors")
### END SOLUTION
```

+++ {"nbgrader": {"grade_id": "words", "grade": true, "solution": true, "points": 3}}

What do the errors have in common?

+++ {"nbgrader": {"grade_id": "look", "task": true, "points": 2}}

Look at ten of them.

### BEGIN MARK SCHEME
2: names what they share
1: lists them
### END MARK SCHEME
"""


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """The small course with three parts that a person scores."""
    root = make_tiny_course(tmp_path_factory.mktemp("by_hand"))
    (root / "solutions" / "tiny" / "tiny.md").write_text(SOURCE + BY_HAND)
    release.write_releases(root)
    return root


def show(cell, **more):
    return read_evidence({**cell, **more}, Budget())


def image_output(data):
    return [nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})]


def handed_in(root):
    """What a student hands in who draws, pastes and writes below."""
    notebook = filled_in(root, {**RIGHT, "words": "See ![it](attachment:my%20plot.png)."})
    cells = {cell.id: cell for cell in notebook.cells}
    cells["words"].attachments = {"my plot.png": {"image/png": PNG}}
    cells["plot"].source = "plt.plot(errors)"
    cells["plot"].outputs = [
        new_output("stream", text="drawn\x1b[2J\n"),
        *image_output({"image/png": PNG, "text/html": "<script>alert(1)</script>"}),
    ]
    cells["scale"].outputs = image_output({"image/png": PNG})  # nobody scores it by hand
    helper = new_code_cell("helper = 1", outputs=[new_output("stream", text="a table\n")])
    notebook.cells += [helper, new_markdown_cell("Most are **long** <script>alert(1)</script>")]
    return notebook


def test_who_scores_sees_what_was_drawn_pasted_printed_and_written(by_hand):
    assert scored_by_hand(tiny_release(by_hand)) == {"plot": 4, "words": 3, "look": 2}
    submitted = parse_notebook(nbformat.writes(handed_in(by_hand)).encode(), "tiny.ipynb")
    rebuilt = rebuild(tiny_release(by_hand), submitted)
    nbformat.validate(rebuilt.notebook)
    cells = {cell.id: cell for cell in rebuilt.notebook.cells}
    told, printed, drawn = cells["plot"].outputs
    assert (
        told.text == evidence.AS_HANDED_IN and printed.text == "drawn\N{REPLACEMENT CHARACTER}[2J\n"
    )
    assert drawn.data == {"image/png": PNG, "text/plain": "an image"}
    assert cells["words"].source == "See ![it](attachment:image-1)."
    assert cells["words"].attachments == {"image-1": {"image/png": PNG}}
    helper, text = rebuilt.notebook.cells[-2:]
    assert helper.outputs[1].text == "a table\n"
    assert text.source == "Most are **long** < script>alert(1)< /script>"
    assert PNG not in nbformat.writes(cells["scale"])
    assert rebuilt.notes == [] and "<script" not in nbformat.writes(rebuilt.notebook)


def test_where_nobody_scores_by_hand_nothing_of_it_is_shown(made_tiny_course):
    notebook = filled_in(made_tiny_course, RIGHT)
    notebook.cells.append(new_code_cell("helper = 1", outputs=image_output({"image/png": PNG})))
    rebuilt = rebuild(tiny_release(made_tiny_course), notebook)
    assert rebuilt.notebook.cells[-1].outputs == [] and PNG not in nbformat.writes(rebuilt.notebook)


@pytest.mark.parametrize(
    "bundle",
    [
        {"image/svg+xml": "<svg onload='alert(1)'/>"},
        {"text/html": "<b>"},
        {"image/png": "<script>"},
        {"image/png": PNG + "'><script>"},
        {"image/png": base64.b64encode(b"GIF89a or so").decode()},
        {"image/png": "iVBORw0KGgo" + "A" * evidence.MAX_IMAGE},
        {"image/png": 7},
        {"image/png": [7, None]},
        ["image/png"],
        None,
    ],
)
def test_what_is_no_image_or_too_large_is_left_out(bundle):
    shown = show({}, attachments={"a": bundle}, outputs=image_output(bundle or {}))
    assert not shown.images and shown.lacks
    assert not any("data" in output for output in shown.outputs)


def test_all_images_together_are_bounded():
    large = "iVBORw0KGgo" + "A" * (evidence.MAX_IMAGE - 11)
    shown = show({}, attachments={str(k): {"image/png": large} for k in range(9)})
    assert len(shown.images) == 2 and shown.lacks
    long = show({}, outputs=[{"output_type": "stream", "text": ["x" * 9] * 9999}] * 99)
    assert len(long.outputs) == evidence.MAX_PARTS
    assert len(long.outputs[0]["text"]) < evidence.MAX_SHOWN_TEXT + 60
    assert "characters more are left out" in long.outputs[0]["text"]
    budget = Budget()
    cell = {"outputs": [{"output_type": "stream", "text": "x" * 9_000}] * 40}
    cells = [read_evidence(cell, budget) for _ in range(40)]
    shown = [len(output["text"]) for cell in cells for output in cell.outputs]
    assert len(shown) <= evidence.MAX_OUTPUTS
    assert sum(shown) <= evidence.MAX_TEXTS + 60 * evidence.MAX_OUTPUTS


def test_text_cells_that_were_added_are_bounded_and_the_rest_is_told(by_hand):
    notebook = filled_in(by_hand, RIGHT)
    notebook.cells += [new_markdown_cell(f"text {k}") for k in range(250)]
    rebuilt = rebuild(tiny_release(by_hand), notebook)
    added = [cell for cell in rebuilt.notebook.cells if cell.id.startswith("added-")]
    assert [cell.source for cell in added] == [f"text {k}" for k in range(200)]
    assert rebuilt.notes == ["Of 250 text cells that were added, 200 are shown here."]


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JavaScript\\:alert(1))",
        "[a](java&#115;cript&colon;alert(1))",
        "[a](java&Tab;script:alert(1))",
        "[a][b]\n\n[b]: javascript:alert(1)",
        "[a](data:text/html,alert)",
        "<a href='javascript:alert(1)'>a</a>",
        "<svg/onload=alert(1)>",
        "$$\\href{javascript:alert(1)}{a}$$",
        "<!-- --><iframe>",
    ],
)
def test_no_text_becomes_a_program_on_the_page_of_who_scores(text):
    source, attached = text_to_show(text, show({}))
    page = _as_formgrader(source, attached)
    assert not re.search(r"<(script|iframe|svg|img|a )[^>]*(script|data|onload)", page, re.I)
    assert "<iframe" not in page and "<svg" not in page


def test_code_and_formulas_of_an_answer_read_as_they_were_written():
    source, _ = text_to_show("For $a<b$ use `x<y` and x < y.\n\n- [docs](https://a.org)", show({}))
    page = _as_formgrader(source, {})
    assert "$a&lt; b$" in page and "x&lt; y</code>" in page and 'href="https://a.org"' in page


@pytest.mark.parametrize(
    "value", [None, 7, "text", [], {}, [None], [{}], {"a": None}, [{"data": 7}]]
)
def test_whatever_stands_where_outputs_and_attachments_should_is_no_error(value):
    assert show({}, attachments=value, outputs=value).outputs == ()


@pytest.mark.parametrize(
    "text",
    [
        "![a](attachment:gone.png)",
        "![a][b]\n\n[b]: attachment:gone.png",
        "![a](<attachment:gone.png>)",
        "![a](attachment\\:gone.png)",
        "![a](attach&#109;ent:gone.png)",
        "![a](attachment&colon;gone.png)",
        "<img src='attachment:gone.png'>",
        "![a](attachment:)",
        "![a](attachment:image-1) ![a](attachment:there%2Epng)",
        "`![a](attachment:gone.png)` ![a](attachment:there.png)",
    ],
)
def test_no_reference_to_an_image_that_is_not_there_stops_formgraders_page(text):
    shown = show({}, attachments={"there.png": {"image/png": PNG}})
    source, attached = text_to_show(text, shown)
    page = _as_formgrader(source, attached)  # raises where an image is missing
    assert 'src="attachment' not in page and "<img src='" not in source
    assert (PNG in page) == ("there" in text or "image-1" in text)


def _as_formgrader(source, attached):
    """The page of one cell, by the exporter that formgrader and the feedback use."""
    cell = new_markdown_cell(source)
    cell.attachments = attached
    body, _ = _exporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    return body


@cache
def _exporter():
    return HTMLExporter(template_name="basic")


@pytest.fixture
def week(by_hand, tmp_path, empty_gradebook, monkeypatch):
    """The commands of an instructor, in a copy of that course with two hand-ins."""
    root = Path(shutil.copytree(by_hand, tmp_path / "course"))
    shutil.copy(empty_gradebook, root / "gradebook.db")
    path = hand_in(root, "ann", RIGHT)
    path.write_text(nbformat.writes(handed_in(root)))
    hand_in(root, "bob", RIGHT | {"words": "They are long.", "plot": "2"})
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        result = CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_run_report_and_feedback_know_what_is_scored_by_hand(week):
    course = Course.load()
    assert "MARK SCHEME" not in tiny_release(course.root).cells[-1].source
    said = week("run", "tiny")
    assert "3 of 3" in said
    assert "by hand, beside the points above: plot (4), words (3), look (2); 9 points." in said
    assert "Awaited: 6 scores." in said
    with open_gradebook(course.directory) as gradebook:
        for student, points in (("ann", 3), ("bob", 1)):
            grade = gradebook.find_grade("words", "tiny", "tiny", student)
            grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
    week("report", "tiny")
    page = Path("reports/tiny.html").read_text()
    words = page[page.index('<th scope="row">words</th>') :].split("</tr>")[0]
    assert re.findall(r'"n">([^<]*)<', words) == ["3", "2", "2", "0"]
    assert "2: names what they share\n1: lists them" in page
    assert "Awaited: 4 scores." in week("run", "tiny")

    write_feedback(course, "tiny")  # nbgrader's own, which failed for a pasted picture
    ann = Path("feedback/ann/tiny/tiny.html").read_text()
    assert ann.count(PNG) == 2 and evidence.AS_HANDED_IN in ann
    assert "alert(1)" in ann and "<script>alert(1)" not in ann


def test_a_set_may_be_scored_by_hand_as_a_whole(week):
    root = Path.cwd()
    source = root / "solutions" / "tiny" / "tiny.md"
    (root / "solutions" / "tiny" / "checks.py").write_text("CHECKS = []\nPACKAGES = ('numpy',)\n")
    source.write_text(
        re.sub(
            r"```{code-cell}\n---\nnbgrader: {grade_id: (scale|total),.*?```\n",
            "",
            source.read_text(),
            flags=re.S,
        )
    )
    release.write_releases(root)
    said = week("run", "tiny")
    assert "2 judged" in said and "Awaited: 6 scores." in said and "mean" not in said
    week("report", "tiny")
    assert "Scored by hand" in Path("reports/tiny.html").read_text()
    source.write_text(source.read_text().split("```{code-cell}\n---\nnbgrader: {grade_id: plot")[0])
    release.write_releases(root)
    with pytest.raises(ProblemSetError, match="no cell that is scored by hand"):
        problem_set.load("tiny", root)
