"""Old names of modules: an import of one says the new name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder

MOVED = {
    "torch_twin": "lstm_ref.torch",
    "keras_twin": "lstm_ref.keras",
    "ladder": "lstm_ref.speed",
    "ctc": "lstm_ref.losses",
    "schedules": "lstm_ref.optim",
    "weights": "lstm_ref.convert",
    "cells": "lstm_ref.layers",
    **dict.fromkeys(("attention", "deep", "dropout", "masked", "truncated"), "lstm_ref"),
}


class _MovedFinder(MetaPathFinder):
    """Finds nothing; being the last on `sys.meta_path`, it is asked for what is not there."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        package, _, name = fullname.partition(".")
        if package == "lstm_ref" and name in MOVED:
            # No ModuleNotFoundError: of that, ``from lstm_ref import torch_twin`` would make a text
            # of its own.
            raise ImportError(
                (
                    f"{fullname} has had another name since version 0.2; import its functions from "
                    f"{MOVED[name]}"
                ),
                name=fullname,
            )


def name_moved_modules() -> None:
    """Have each import of an old name fail with the new one."""
    sys.meta_path.append(_MovedFinder())
