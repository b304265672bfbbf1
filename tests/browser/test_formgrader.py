"""Formgrader, nbgrader's own pages for instructors, with a real server and a real browser."""

import json
import os
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from autograder.batch import grading
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from tests.support.tiny_course import ADDS, RIGHT, hand_in

SCRIPT = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'> $$</code>$$"
RAISES = RIGHT | {
    "scale_code": f"def scale(x, a):\n    raise ValueError({SCRIPT!r} + ' and so on' * 30)"
}


@pytest.fixture
def formgrader(tiny_course, tmp_path):
    """Address of formgrader over the small course, and the token that opens it."""
    hand_in(tiny_course, "bob", ADDS)
    hand_in(tiny_course, "eve", RAISES)
    runtime = tmp_path / "runtime"
    folders = {
        "HOME": tmp_path / "home",
        "JUPYTER_RUNTIME_DIR": runtime,
        "JUPYTER_DATA_DIR": tmp_path / "data",
    }
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        [
            *(
                Path(sysconfig.get_path("scripts")) / "jupyter",
                "server",
                "--allow-root",
                "--no-browser",
            ),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
        ],
        cwd=tiny_course,
        env=os.environ | {name: str(folder) for name, folder in folders.items()},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        while not (found := list(runtime.glob("jpserver-*.json"))) and server.poll() is None:
            time.sleep(0.1)
        assert found, Path(log.name).read_text()
        at = json.loads(found[0].read_text())
        yield f"{at['url']}formgrader", at["token"]
    finally:
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture
def page(browser, formgrader):
    """A page that may use formgrader and asks nobody outside this machine."""
    _, token = formgrader
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        reduced_motion="reduce",
        extra_http_headers={"Authorization": f"token {token}"},
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    inside = ("http://127.0.0.1:", "http://localhost:", "file:")
    page.route(
        "**/*",
        lambda route: route.continue_() if route.request.url.startswith(inside) else route.abort(),
    )
    yield page
    context.close()


def press(page, address, student, button, said):
    """Press one of the buttons in the row of a student, and read what formgrader says of it."""
    page.goto(f"{address}/manage_submissions/tiny")
    page.locator("tr", has=page.locator(f"td.student-id[data-order='{student}']")).locator(
        f"td.{button} a"
    ).click()
    dialogue = page.locator(".modal-body")
    dialogue.filter(has_text=said).wait_for()


def stored(course):
    with open_gradebook(Course.load(course).directory) as gradebook:
        grade = gradebook.find_grade("scale", "tiny", "tiny", "bob")
        comment = gradebook.find_comment("scale_code", "tiny", "tiny", "bob")
        score = gradebook.find_submission("tiny", "bob").score
        return (
            score,
            grade.auto_score,
            grade.manual_score,
            comment.auto_comment.strip(),
            comment.manual_comment,
        )


def test_an_instructor_grades_comments_and_grades_again_in_formgrader(
    tiny_course, formgrader, page
):
    address, _ = formgrader
    press(page, address, "bob", "autograde", "Successfully autograded 'tiny' for student 'bob'")
    press(page, address, "eve", "autograde", "Successfully autograded 'tiny' for student 'eve'")

    # The finding stands under the test cell, and is proposed as a comment; nothing expected is
    # told.
    def open_submission(student):
        with open_gradebook(Course.load(tiny_course).directory) as gradebook:
            number = gradebook.find_submission_notebook("tiny", "tiny", student).id
        page.goto(f"{address}/submissions/{number}")
        page.wait_for_function(
            "document.querySelector('#scale_code-comment')?.placeholder && "
            "document.querySelector('#scale').placeholder"
        )
        return page.locator("#notebook, body").first.inner_text()

    said = open_submission("eve")
    assert "ValueError: <script>window.ran = 1</script>" in said
    assert page.evaluate("window.ran") is None
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    said = open_submission("bob")
    assert (
        "0 of 2 points (wrong): scale multiplies." in said
        and "Hint: Which sign stands there?" in said
    )
    assert "np.multiply" not in page.content() and "rng.normal" not in page.content()
    comment, score = page.locator("#scale_code-comment"), page.locator("#scale")
    assert "It adds a instead of multiplying." in comment.get_attribute("placeholder")

    # A score and a comment by hand stay, whichever way it is graded again.
    with page.expect_response(
        lambda response: "/api/grade/" in response.url and response.request.method == "PUT"
    ):
        score.fill("1.5")
        score.blur()
    with page.expect_response(
        lambda response: "/api/comment/" in response.url and response.request.method == "PUT"
    ):
        comment.fill("Well begun: look at the *sign*.")
        comment.blur()
    by_hand = stored(tiny_course)
    assert by_hand[:3] == (2.5, 0.0, 1.5) and by_hand[4] == "Well begun: look at the *sign*."
    assert "It adds a instead of multiplying." in by_hand[3]
    press(page, address, "bob", "autograde", "Successfully autograded 'tiny' for student 'bob'")
    assert stored(tiny_course) == by_hand
    grading.run(
        grading.Grading.prepare(Course.load(tiny_course), "tiny"), ["bob", "eve"], force=True
    )
    assert stored(tiny_course) == by_hand
    open_submission("bob")
    page.wait_for_function("document.querySelector('#scale').value === '1.5'")
    assert page.locator("#scale_code-comment").input_value() == "Well begun: look at the *sign*."

    for student in ("bob", "eve"):
        press(page, address, student, "generate-feedback", "Successfully generated feedback")
    page.set_viewport_size({"width": 390, "height": 844})
    feedback = tiny_course / "feedback"
    page.goto((feedback / "bob" / "tiny" / "tiny.html").as_uri())
    assert "tiny (Score: 2.5 / 3.0)" in page.inner_text("body")
    assert page.locator("em", has_text="sign").is_visible()
    page.goto((feedback / "eve" / "tiny" / "tiny.html").as_uri())
    quoted = page.locator("pre code", has_text="window.ran").first
    assert SCRIPT.split("$")[0].strip() in " ".join(quoted.inner_text().split())
    assert page.evaluate("window.ran") is None
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
