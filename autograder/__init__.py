"""Grade notebooks whose authors may be careless or hostile: the judge sits outside the sandbox, the
student's code inside.

    guest      all that a student's code can read: the worker, its protocol, the fork server
    sandbox    holds that code apart
    judge      one submission's cells in, one result out
    course     nbgrader's folders, its gradebook and notebooks
    batch      a whole class
    lms        in from, and out to, Moodle, Canvas and Gradescope
    author     for who writes a problem set
    cli        the command

Each folder imports from those above it only.
"""
