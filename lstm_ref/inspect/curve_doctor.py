"""The loss-curve doctor: curves whose cause is known; commit to a cause and to the next
measurement, and then see what the curve decides and what it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from traitlets import Dict, List, TraitError, validate

from lstm_ref.errors import ArgumentError, NotFiniteError, ShapeError
from lstm_ref.inspect.curve_cases import CAUSES, MEASURES, OFFERED, READINGS, SETTLED
from lstm_ref.inspect.widget import Widget, module, style

FEWEST_POINTS, MOST_POINTS = 12, 400  # points of a curve
OWN = "own"  # key of the reader's own run


class CurveDoctor(Widget):
    """Loss curves to be diagnosed: the stored runs of the course, and one of your own.

    The reader commits to a cause and to the measurement to make next. Then the widget tells the
    numbers in the curve that decide, which of the causes offered the curve leaves open, and what
    the measurement that settles it gave. Of your own run it tells which causes fit the curve, and
    which measurement would settle the one that you chose.

    Parameters
    ----------
    stored : what `benchmarks/curves.py` has written; None: only your own run
    train : (n,) training loss at each look, for a run of your own
    valid : (n,) validation loss at the same moments
    constant : loss of the best constant answer on the training targets, by which both are divided:
        their variance for squared errors, the entropy of the class shares for cross-entropy
    answers : run -> {"cause": key, "next": key}, what the reader has committed to

    Raises
    ------
    ArgumentError : neither stored runs nor a run of your own, or a run without its constant
    ShapeError : curves that do not fit each other, or have fewer than 12 or more than 400 points
    NotFiniteError : a loss that is not a finite number above zero
    TraitError : an answer that was not offered

    Examples
    --------
    >>> train = np.linspace(1.0, 0.1, 20)
    >>> doctor = CurveDoctor(train=train, valid=np.full(20, 0.9), constant=1.0)
    >>> round(doctor.readings()["own"]["gap"], 1)
    7.3
    """

    name = "curve_doctor"
    fallback = (
        "The loss-curve doctor shows loss curves to be diagnosed. It needs JavaScript. The numbers "
        "that it reads from a curve come from CurveDoctor(train=, valid=, constant=).readings()."
    )
    _esm = module(name)
    _css = style(name)

    runs = List(Dict()).tag(sync=True)
    causes = Dict().tag(sync=True)
    measures = Dict().tag(sync=True)
    names = Dict().tag(sync=True)  # of the readings
    answers = Dict().tag(sync=True)

    def __init__(
        self,
        stored: Mapping[str, Any] | None = None,
        *,
        train: ArrayLike | None = None,
        valid: ArrayLike | None = None,
        constant: float | None = None,
        answers: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        runs = [] if stored is None else [_stored_run(key, stored) for key in OFFERED]
        if train is not None or valid is not None:
            runs.append(_own_run(train, valid, constant))
        if not runs:
            raise ArgumentError(
                "CurveDoctor: needs stored runs, or train, valid and constant of a run of your own"
            )
        super().__init__(
            runs=runs,
            causes={
                key: {**one._asdict(), "signs": list(one.signs)} for key, one in CAUSES.items()
            },
            measures={key: one._asdict() for key, one in MEASURES.items()},
            names=READINGS,
            answers=dict(answers or {}),
        )

    @validate("answers")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _offered(self, proposal: dict[str, Any]) -> dict[str, dict[str, str]]:
        answers: dict[str, dict[str, str]] = proposal["value"]
        runs = {run["key"]: run for run in self.runs}
        for key, answer in answers.items():
            if key not in runs:
                raise TraitError(f"CurveDoctor: there is no run {key}; there are {', '.join(runs)}")
            for part, offered in (("cause", "causes"), ("next", "nexts")):
                if answer.get(part) not in runs[key][offered]:
                    raise TraitError(
                        f"CurveDoctor: {part} of {key} must be one of "
                        f"{', '.join(runs[key][offered])}; got {answer.get(part)}"
                    )
        return answers

    def readings(self) -> dict[str, dict[str, float]]:
        """For each run, the numbers that its curves decide by."""
        return {run["key"]: readings(run["train"], run["valid"]) for run in self.runs}

    def open_causes(self) -> dict[str, list[str]]:
        """For each run, the causes offered that its curves do not exclude."""
        read = self.readings()
        return {
            run["key"]: [cause for cause in run["causes"] if fits(cause, read[run["key"]])]
            for run in self.runs
        }


def readings(train: Sequence[float], valid: Sequence[float]) -> dict[str, float]:
    """The numbers that the doctor reads from two curves, in parts of a constant answer's loss.

    Parameters
    ----------
    train, valid : (n,) losses at the same n moments

    Returns
    -------
    dict : end, gap, early, rise, late and jump, as `READINGS` describes them
    """
    a, v = np.asarray(train, float), np.asarray(valid, float)
    n, tenth = len(a), max(1, len(a) // 10)
    end, valid_end = a[-tenth:].mean(), v[-tenth:].mean()
    first = slice(tenth, n // 4)  # from a tenth to a quarter of the run
    before = n - n // 4
    return {
        "end": float(end),
        "gap": float(valid_end / end),
        "early": float(v[first].mean() / a[first].mean()),
        "rise": float(valid_end / v.min()),
        "late": float(end / a[before - tenth : before].mean()),
        "jump": float(np.abs(np.diff(v[n // 2 :], 2)).mean()),
    }


def fits(cause: str, read: Mapping[str, float]) -> bool:
    """Whether a curve with these readings shows all that a cause would show."""
    return all(
        read[name] >= limit if relation == "at least" else read[name] <= limit
        for name, relation, limit in CAUSES[cause].signs
    )


def _stored_run(key: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    if key not in stored.get("cases", {}):
        raise ArgumentError(
            f"CurveDoctor: the stored runs have no {key}; give what benchmarks/curves.py has "
            "written, or run it again"
        )
    case = stored["cases"][key]
    seeds = [readings(*pair) for pair in zip(case["train"], case["valid"], strict=True)]
    values = {
        name: [one["mean"], *one["least, most"], one["seeds"]]
        for name, one in case["measured"].items()
    }
    settled = SETTLED[key].format(**{name: _shown(value[0]) for name, value in values.items()})
    return {
        "key": key,
        "facts": case["facts"],
        "train": _short(case["train"][0]),
        "valid": _short(case["valid"][0]),
        "after": _short(case["after"]),
        "longer": stored["longer"] if CAUSES[key].settles == "wait" else 1,
        "causes": list(OFFERED[key]),
        "nexts": sorted(values, key=list(MEASURES).index),
        "values": values,
        "seeds": {
            name: [min(s[name] for s in seeds), max(s[name] for s in seeds)] for name in READINGS
        },
        "settled": settled,
    }


def _own_run(train: Any, valid: Any, constant: float | None) -> dict[str, Any]:
    if train is None or valid is None or constant is None or not constant > 0:
        raise ArgumentError(
            "CurveDoctor: a run of your own needs train, valid and constant, the loss of the best "
            "constant answer, above 0; for squared errors, constant = ((y - y.mean(0))**2).mean()"
        )
    a, v = _losses("train", train), _losses("valid", valid)
    if len(a) != len(v) or not FEWEST_POINTS <= len(a) <= MOST_POINTS:
        raise ShapeError(
            "CurveDoctor: train and valid must have the same number of points, "
            f"{FEWEST_POINTS} to {MOST_POINTS}, "
            f"got {len(a)} and {len(v)}; note both at the same moments"
        )
    return {
        "key": OWN,
        "facts": {},
        "train": [float(one) for one in a / constant],
        "valid": [float(one) for one in v / constant],
        "after": [],
        "longer": 1,
        "causes": list(CAUSES),
        "nexts": list(MEASURES),
        "values": {},
        "seeds": {},
        "settled": "",
    }


def _losses(name: str, values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    if array.ndim != 1:
        raise ShapeError(f"CurveDoctor: {name} must be (n,), got {array.shape}")
    if not np.all(np.isfinite(array)) or np.any(array <= 0):
        raise NotFiniteError(
            f"CurveDoctor: {name} must hold finite losses above 0; cut the curve where it diverges"
        )
    return array


def _short(curve: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in curve]


def _shown(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2f}"
