"""nbgrader's folders, its gradebook and the notebooks of a course."""
