"""Optional packages, asked for where they are used."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lstm_ref.errors import MissingPackageError


def need(operation: str, module: str) -> Any:
    """Module of an optional package.

    Parameters
    ----------
    operation : name of the function that needs it, put first in the message
    module : "pooch", "statsmodels.datasets"

    Raises
    ------
    MissingPackageError : it is not installed; the message says how to install it

    Examples
    --------
    >>> need("load", "numpy").__name__
    'numpy'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingPackageError(
            f"{operation}: needs {missing.name}, which is not installed; run: pip install "
            "'inside-the-lstm[data]'"
        ) from missing


def package_version(*packages: str) -> str:
    """Versions of the packages that the data lie in; one that is not there is told, for `about`
    needs none of them.
    """
    told = []
    for package in packages:
        try:
            told.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            told.append(f"{package}: not installed")
    return ", ".join(told)
