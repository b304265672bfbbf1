"""Sick programs as cases: a reader orders measurements, each with its cost, reads the numbers and
decides.

The programs are entries of `lstm_ref.zoo.programs`; the measurements are those of
`lstm_ref.doctor`, one at a time and without its judgement.

>>> patient = Patient("state_never_updated")
>>> patient.order("steps")  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
Move the inputs of one step (cost 11)
  steps moved                          7
  steps with an effect on the outputs  1
...
>>> patient.decide("short-reach")  # doctest: +NORMALIZE_WHITESPACE
Right, for 11 passes. Every step starts from the first state again. Keep the state that the cell
returns.
"""

from __future__ import annotations

from lstm_ref.clinic.cases import CASES, DIAGNOSES, ClinicCase
from lstm_ref.clinic.measurements import MEASUREMENTS, Measurement
from lstm_ref.clinic.patient import Patient

__all__ = ["CASES", "DIAGNOSES", "MEASUREMENTS", "ClinicCase", "Measurement", "Patient"]
