"""All of this course that a student's code can read: with `verdict.tensors` and
`verdict.table_parts`, nothing else of it enters the sandbox.

Everything here needs the standard library and NumPy only, and imports nothing of this package but
what stands here.
"""
