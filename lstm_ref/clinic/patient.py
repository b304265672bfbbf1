"""One sick program to be examined in a notebook."""

from __future__ import annotations

import random
from functools import partial

from lstm_ref.clinic.bench import Bench
from lstm_ref.clinic.cases import DIAGNOSES
from lstm_ref.clinic.measurements import MEASUREMENTS, find
from lstm_ref.errors import ArgumentError
from lstm_ref.zoo import programs
from lstm_ref.zoo.programs import SickProgram


class Patient:
    """A sick program whose fault is not told before a decision.

    Parameters
    ----------
    program : id of a sick program of the zoo; None draws one of PyTorch
    seed : of its weights and data, and of the draw

    Attributes
    ----------
    ordered : ids of the measurements that were made, in their order
    cost : their passes together

    Raises
    ------
    ArgumentError : a program, measurement or diagnosis that does not exist
    """

    def __init__(self, program: str | None = None, seed: int = 0) -> None:
        known = {one.id: one for one in programs.programs()}
        if program is not None and program not in known:
            raise ArgumentError(
                f"Patient: no sick program {program!r}; lstm_ref.zoo.programs.programs() lists them"
            )
        drawn = [one.id for one in programs.programs("torch")]
        self._program: SickProgram = known[program or random.Random(seed).choice(drawn)]
        self._bench = Bench(partial(self._program.make, True, seed))
        self.ordered: list[str] = []
        self.cost = 0

    def menu(self) -> None:
        """Print what can be ordered, and what it costs."""
        for each in MEASUREMENTS:
            print(f"{each.id:10} {each.passes(*self._bench.sizes):4}  {each.title}")

    def order(self, measurement: str) -> None:
        """Make a measurement and print its numbers."""
        each = find(measurement)
        cost = each.passes(*self._bench.sizes)
        if measurement not in self.ordered:
            self.ordered.append(measurement)
            self.cost += cost
        print(f"{each.title} (cost {cost})")
        rows = each.take(self._bench)
        if isinstance(rows, str):
            print(f"  no number: {rows}")
            return
        width = max(map(len, rows))
        for name, value in rows.items():
            print(f"  {name:{width}}  {value:.3g}")
        print(f"  {'in a right program':{width}}  {each.normal}")

    def decide(self, diagnosis: str) -> None:
        """Print whether a diagnosis is right, the cause, and the mend.

        Parameters
        ----------
        diagnosis : one of `DIAGNOSES`, or any finding of `lstm_ref.doctor.CATALOGUE`
        """
        from lstm_ref.doctor import CATALOGUE

        if diagnosis not in DIAGNOSES and diagnosis not in CATALOGUE:
            raise ArgumentError(
                f"Patient.decide: no diagnosis {diagnosis!r}; there are {', '.join(DIAGNOSES)}"
            )
        verdict = "Right" if diagnosis in self._program.finding else "Another one"
        print(f"{verdict}, for {self.cost} passes. {self._program.title} {self._program.fix}")
