"""Grade notebooks whose authors may be careless or hostile: the judge sits outside the sandbox, the student's code inside.

Nothing is imported here: the worker inside the sandbox imports this package too, and sees only two of its modules.
"""
