"""The command ``autograder``."""

from autograder.cli.commands import main

__all__ = ["main"]
