"""A class of simulated students for this quiz, and the points that each must get."""

from __future__ import annotations

from pathlib import Path

from autograder.author.quiz import quiz_class
from autograder.modules import load_module

STUDENTS = quiz_class(
    load_module("_quiz_four_checks", Path(__file__).with_name("checks.py")).CHECKS
)
