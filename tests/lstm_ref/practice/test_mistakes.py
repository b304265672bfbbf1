import numpy as np
import pytest

from lstm_ref.practice import measure, plain_measure
from lstm_ref.practice.mistakes import Mistake, Plain
from lstm_ref.zoo.registry import Change
from verdict import Status


def test_a_mistake_is_the_solution_with_its_lines_changed_and_runs_on_its_own():
    source = measure.SET.source("edit_distance", "substitution_costs_two")
    assert "above[j] + 2 * (word != other)" in source and ": Any" not in source
    namespace = {}
    exec(source, namespace)
    assert namespace["edit_distance"](["x"], ["y"]) == 2
    assert plain_measure.edit_distance(["x"], ["y"]) == 1  # the solution stays as it is


def test_a_mistake_shows_in_the_functions_that_call_it_and_in_no_other():
    call = measure.SET.call
    assert call("substitution_costs_two", "word_error_rate", ["a b"], ["a c"]) == 1.0
    assert (
        call("substitution_costs_two", "perplexity", np.zeros((1, 2)), np.ones((1, 2), bool)) == 1.0
    )


def test_a_convention_bears_its_name_so_that_it_is_charged_once():
    (seen,) = [
        m
        for m in measure.SET.known("edit_distance", "word_error_rate")
        if m.id == "substitution_costs_two"
    ]
    assert (seen.status, seen.convention) == (Status.CONVENTION, "substitution_costs_two")
    assert all(not m.convention for m in measure.SET.known("perplexity"))


def test_a_line_that_is_not_there_and_an_unknown_id_are_told():
    wrong = Plain(
        plain_measure,
        [Mistake("a", "confusion", "A.", (Change("no such line", "x"),), ("One.", "Two."))],
    )
    with pytest.raises(ValueError, match="must stand exactly once"):
        wrong.source("confusion", "a")
    with pytest.raises(KeyError, match="no mistake 'b'; there are a"):
        wrong.find("b")
