# nbgrader's settings for this course. Run nbgrader, and formgrader, in the folder of this file.
#
# What is graded is the released notebook with the student's code in it, and the judge asks from
# outside a sandbox: nothing is executed here. A list that is changed so that this no longer holds
# is refused when grading starts.

import os
import sysconfig

c = get_config()

# nbgrader asks the program alembic, which lies beside this Python, whenever it makes a gradebook;
# without it formgrader, started as `.venv/bin/jupyter lab`, would only say "Loading, please
# wait...".
scripts, path = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
if scripts not in path.split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([scripts, path])

c.CourseDirectory.course_id = "inside-the-lstm"
c.CourseDirectory.source_directory = "build/source"  # made from solutions/ by `make exercises`
c.CourseDirectory.release_directory = "exercises"

c.Autograde.exporter_class = "autograder.nbgrader_plugin.JudgedNotebook"
c.Autograde.sanitize_preprocessors = [
    "autograder.nbgrader_plugin.RebuildFromRelease",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "autograder.nbgrader_plugin.Judge",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.nbgrader_plugin.SaveFindings",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# `nbgrader collect`: whoever hands in may not have the files of whoever collects copied by a link.
c.ExchangeFactory.collect = "autograder.nbgrader_exchange.CollectWithoutLinks"
