"""A progress bar where somebody looks."""

from __future__ import annotations

from typing import Any

from lstm_ref.errors import MissingPackageError


class ProgressBar:
    """tqdm's bar on a terminal; nothing in a file, in a page that is built, or where tqdm is not
    installed.

    Parameters
    ----------
    total : number of steps, None where it is not known
    done : steps taken before
    show : True for a bar in any case (in a notebook, too), False for none, None for one on a
        terminal

    Raises
    ------
    MissingPackageError : show is True, and there is no tqdm
    """

    def __init__(self, total: int | None, done: int, show: bool | None) -> None:
        self._bar: Any = None
        if show is False:
            return
        try:
            if show:
                from tqdm.auto import (
                    tqdm,
                )  # also draws in a notebook; its import alone would tell a page that it is one
            else:
                from tqdm import tqdm
        except ImportError as error:
            if show:
                raise MissingPackageError(
                    "train: progress=True needs tqdm, which is not installed; run: pip install "
                    "'inside-the-lstm[data]'"
                ) from error
            return
        self._bar = tqdm(total=total, initial=done, unit="step", disable=False if show else None)

    def step(self, loss: float) -> None:
        """One step more."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
