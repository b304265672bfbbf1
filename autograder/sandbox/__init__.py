"""Holds a student's code apart from the machine; knows no notebook, no grade and no student."""
