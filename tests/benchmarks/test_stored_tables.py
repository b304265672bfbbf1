"""Tables that pages show from a file: each says what it belongs to, and one cheap row of it comes
out again.
"""

import platform
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.modules import load_module
from benchmarks import doctor as bench
from benchmarks.pages import experiment, over_seeds
from lstm_ref.inspect.curve_doctor import fits, readings
from lstm_ref.zoo.programs import find
from tests.support.results import stored

ROOT = Path(__file__).parents[2]
TABLES = [
    "measure",
    "errors",
    "prepare",
    "overfitting",
    "cures",
    "inside",
    "long_text",
    "search",
    "slow",
]
TABLES += ["clinic", "folklore", "curves", "pruning"]
TABLES += ["speech"]
TABLES += ["training", "smaller", "choices", "shift", "diary"]
TABLES += ["translation", "summaries"]
TABLES += ["sentiment"]
TABLES += ["forecasting", "hybrids"]
TABLES += ["attention", "origins"]
TABLES += ["plays"]


def script(name):
    return load_module(name, ROOT / "benchmarks" / f"{name}.py")


def inside(summary, value, slack=0.5):
    """Whether a new seed lies where 95 % of them should, and half of that width beyond: other
    processors round otherwise.
    """
    low, high = summary["interval of a new seed"]
    width = max(high - low, 0.02)
    return low - slack * width <= value <= high + slack * width


def test_what_a_writer_of_plays_wrote_is_counted_as_the_table_says():
    plays, table = script("plays"), stored("plays")
    assert [stage["step"] for stage in table["stages"]] == list(plays.SHOWN)
    assert all(len(stage["sample"]) == plays.LENGTH for stage in table["stages"])
    for stage in table["stages"]:  # the sample is the beginning of what was counted
        assert len(plays.speakers_of(stage["sample"])) <= stage["speakers"]
    text = "ANN:\nwe seldom speak\n\nBOB OX:\nquick quxx\nNo: no\n"
    assert plays.speakers_of(text) == ["ANN", "BOB OX"]
    found = plays.counted(text, {"seldom", "quick"}, {"ANN"})
    assert found["words that stand in the training text"] == 2 / 4
    assert found["speakers"] == 2 and found["speakers that stand in the training text"] == 0.5
    assert found["letters in a line"] == len(text) / 7


def test_a_writer_goes_on_from_what_it_has_read_and_carries_its_state():
    plays = script("plays")
    torch.manual_seed(0)
    vocabulary = plays.Vocabulary("ab\n" * 9, min_count=1)
    model, before = plays.Writer(len(vocabulary)), vocabulary.encode("ab\n" * 3).astype(np.int64)
    written = plays.write(model, vocabulary, before, 12)
    assert len(written) == 12 and set(written) <= set("ab\n")  # never the unknown letter
    assert written == plays.write(model, vocabulary, before, 12)
    halves = [before[:4], before[4:]]
    scores, state = model(torch.from_numpy(halves[0][None]))
    late, _ = model(torch.from_numpy(halves[1][None]), state)
    whole, _ = model(torch.from_numpy(before[None]))
    assert torch.allclose(torch.cat([scores, late], dim=1), whole, atol=1e-5)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_script_versions_machine_and_date(name):
    report = stored(name)
    assert (ROOT / report["script"]).is_file() and report["what"]
    assert set(report["machine"]) >= {"date", "processor", "cores", "python", "numpy"}


def test_a_new_seed_of_the_detector_lies_in_its_interval():
    measure, table = script("measure"), stored("measure")
    assert {name: arm["accuracy"]["seeds"] for name, arm in table["arms"].items()} == {
        name: seeds for name, (_, _, seeds) in measure.ARMS.items()
    }
    share, steps, _ = measure.ARMS["half with an event"]
    found = measure.arm(share, steps, seed=500)
    for key in ("accuracy", "recall", "F1", "ROC AUC", "accuracy, mended", "log loss, mended"):
        assert inside(table["arms"]["half with an event"][key], found[key]), key


def test_the_best_of_many_is_drawn_as_the_table_says():
    measure = script("measure")
    rng = np.random.default_rng(0)
    # equal candidates, independent mistakes: the case with a formula
    right = rng.random((16, 5000)) < 0.8
    one, many = (measure.best_of(right, tried, 200, draws=1500) for tried in (1, 16))
    assert abs(one["too good"]) < 0.005
    # 1.766: mean largest of 16
    assert many["too good"] == pytest.approx(1.766 * np.sqrt(0.8 * 0.2 / 200), abs=0.006)


def test_the_sick_classifier_is_sick_in_its_slice_again():
    errors, table = script("errors"), stored("errors")
    found = errors.error_rates(0, 9, seed=0)
    arm = table["arms"]["none of the fourth shape"]
    assert inside(arm["although last"], found["although last"]) and inside(
        arm["others"], found["others"]
    )


def test_lags_give_nothing_to_the_lstm_again():
    prepare, table = script("prepare"), stored("prepare")
    for name in ("this month's value", "and lags"):
        assert inside(
            table["features"][name]["skill"],
            prepare.features(prepare.PAGE.FEATURES[name], 500)["skill"],
        )


def test_a_new_split_overfits_as_the_table_says_and_one_temperature_mends_the_loss():
    overfitting, table = script("overfitting"), stored("overfitting")
    assert set(overfitting.ARMS) <= set(table["arms"]) and set(overfitting.FEW) <= set(
        overfitting.ARMS
    )
    found = overfitting.runs(50, ["plain"], lambda: overfitting.PAGE.split(50), passes=10)
    for name in ("plain", "one temperature", "naive Bayes"):
        for key in ("loss", "accuracy", "accuracy on training"):
            assert inside(table["arms"][name][key], found[name][key]), (name, key)
    assert found["plain"]["accuracy"] == found["one temperature"]["accuracy"]
    assert found["plain"]["loss"] > found["one temperature"]["loss"]


@pytest.fixture
def denormal_numbers():
    """The page sets denormal numbers to zero for its whole process; other tests (Hypothesis) need
    them.
    """
    yield
    torch.set_flush_denormal(False)
    assert np.float32(1e-40) * np.float32(1) > 0


def test_a_forget_bias_that_fits_the_lag_recalls_again_and_a_clipped_start_does_not(
    denormal_numbers,
):
    cures, table = script("cures"), stored("cures")
    assert set(table["after 200 updates"]) == set(cures.ARMS) == set(table["after 400 updates"])
    for name, lag in (("LSTM, forget bias 4", 50), ("GRU, update bias 4", 10)):
        assert cures.curve(name, lag, seed=50, steps=cures.SHORT)[-1] > 0.95, (name, lag)
        assert table["after 200 updates"][name][str(lag)]["least, most"][0] > 0.95, (name, lag)
    # Chance is a quarter; within that, seeds differ by more than three of them tell.
    assert cures.curve("LSTM, clipped", 50, seed=50, steps=cures.SHORT)[-1] < 0.5
    assert table["after 200 updates"]["LSTM, clipped"]["50"]["least, most"][1] < 0.5


def test_clipping_keeps_new_networks_from_exploding_again(denormal_numbers):
    cures, table = script("cures"), stored("cures")["exploding"]
    assert list(table) == list(cures.PAGE.EXPLODING)
    plain, clipped = (
        [cures.PAGE.exploding(seed, **cures.PAGE.EXPLODING[name]) for seed in range(50, 54)]
        for name in ("relu, radius 2", "clipped at 1")
    )
    assert not any(run["diverged"] for run in clipped)
    right = [[run["recalled"] for run in runs] for runs in (plain, clipped)]
    assert sum(right[1]) > sum(right[0]) + 1


def test_a_new_seed_at_a_good_and_at_a_bad_rate_ends_where_the_table_says():
    training, table = script("training"), stored("training")
    assert set(table["grid"]) == {str(N) for N in training.SIZES}
    for N, lr in ((64, 1.0), (64, 0.01)):
        found, row = training.final(lr, N, seed=50), table["grid"][str(N)][str(lr)]
        assert inside(row["loss"], found["loss"], slack=1) and inside(
            row["skill"], found["skill"], slack=1
        )


def test_new_runs_of_two_curves_keep_the_signs_of_their_cause():
    curves, table = script("curves"), stored("curves")
    assert set(table["cases"]) == set(curves.CASES) == set(curves.OFFERED)
    for name in ("rate-small", "order"):
        found = curves.curves(name, 50)
        assert fits(name, readings(found.train, found.valid)), name
    row = table["cases"]["pairs"]["measured"]["pairs"]
    assert inside(row, curves.measured("pairs", "pairs", 50))
    assert inside(
        table["cases"]["noise"]["measured"]["simple"], curves.measured("simple", "noise", 50)
    )


def test_fewer_units_and_zeros_have_the_bytes_of_the_table():
    pruning, table = script("pruning"), stored("pruning")["arms"]
    torch.manual_seed(0)
    model = pruning.PAGE.SentenceClassifier(len(pruning.PAGE.vocabulary))
    for arm, place, made in (
        ("smallest weights", 6, lambda: pruning.PAGE.pruned(model, pruning.SHARES[6])),
        ("whole units", 4, lambda: pruning.PAGE.fewer_units(model, pruning.UNITS[4])),
    ):
        thin = pruning.permanent(made())
        for key, value in (("bytes", pruning.PAGE.size(thin)), ("zipped", pruning.zipped(thin))):
            assert np.isclose(value, np.mean(table[arm][key], axis=0)[place], rtol=0.05), (arm, key)


def test_a_new_network_counts_as_the_table_says():
    inside_page, table = script("inside"), stored("inside")
    for trained, name in ((True, "trained"), (False, "untrained")):
        found = inside_page.counting(50, trained)
        for key in (
            "best unit, correlation",
            "probe",
            "probe, labels shuffled",
            *(["loss"] if trained else []),
        ):
            assert inside(table["brackets"][name][key], found[key], slack=1), (name, key)


def test_a_new_model_keeps_what_its_gates_seem_to_forget():
    script_, table = script("inside"), stored("inside")["gates"]
    found, known = script_.acting(50, trained=True), table["trained"]
    assert set(found) == set(known) == set(table["untrained"])
    assert found["adjective in front exchanged: answer changes"] > 0.8
    assert found["last adjective exchanged: answer changes"] < 0.2
    assert found["probe at the comma"] > 0.9 and found["probe at the last word"] > 0.9
    key = "gradient in front, of that at the end (median)"
    assert found[key] < 0.5 and inside(known[key], found[key], slack=2)
    fresh = script_.acting(50, trained=False)
    assert max(fresh[name] for name in fresh if name.startswith("probe")) < 0.7


def test_random_weights_know_of_quotations_what_the_table_says():
    script_, table = script("inside"), stored("inside")
    found, known = script_.quoting(50, trained=False), table["quotations"]
    assert {name: len(part) for name, part in known.items()} == dict.fromkeys(known, len(found))
    compared = [
        f"{name}: {what}"
        for name in list(script_.PAGE.pieces(script_.PAGE.reference.test)[1])
        for what in ("best unit", "probe")
    ]
    # The text is Python's own reference, another one in each version.
    slack = 1 if platform.python_version() == table["machine"]["python"] else 4
    for key in compared:
        assert inside(known["untrained"][key], found[key], slack=slack), key
    assert abs(found["inside: cost of that unit"]) < 0.01


def test_a_network_whose_state_is_carried_has_no_step_again():
    long_text, table = script("long_text"), stored("long_text")
    found = long_text.of_a_way("right", seed=500)
    # The text is Python's own reference, another one in each version: then a loss is another, too,
    # and only the step between two strips is comparable.
    same_text = platform.python_version() == table["machine"]["python"]
    compared = ("mean", "first", "late", "step") if same_text else ("step",)
    assert all(inside(table["ways"]["right"][key], found[key]) for key in compared)


def test_two_settings_of_the_search_end_as_the_table_says():
    page, table = experiment("search"), np.array(stored("search")["loss"])
    cells = [(0, 0), (3, 7)]  # learns nothing with any seed; learns with each
    rates, biases = (
        np.array([axis[cell[k]] for cell in cells])
        for k, axis in enumerate((page.RATES, page.BIASES))
    )
    bad, good = page.losses_at_rungs(rates, biases, seed=500)[:, 2]
    assert (
        abs(bad - table[:, 0, 0, 2].mean()) < 0.1 and table[:, 3, 7, 2].max() < 0.1 and good < 0.3
    )


def test_optuna_finds_on_the_stored_losses_what_the_table_says():
    pytest.importorskip("optuna")  # the page does without it, and so may an older environment
    page, table = experiment("search"), stored("search")
    loss = np.array(table["loss"])
    assert set(table["optuna"]["winners"]) == set(page.SAMPLERS)

    def found(places, seeds):
        return [
            loss[(seed % 3, *divmod(place, 8), 2)]
            for seed, place in zip(seeds, places, strict=True)
        ]

    for name in list(page.SAMPLERS)[:2]:
        places = table["optuna"]["winners"][name]["9"]
        known = over_seeds(found(places, range(100)))
        again = page.winners(name, 9, loss, range(500, 560))
        low, high = known["interval of the mean"]
        # The mean of sixty others scatters, too
        width = max(high - low, 0.02)
        assert low - width < np.mean(found(again, range(500, 560))) < high + width, name


def test_a_small_network_needs_no_large_one_again_and_int8_is_as_small():
    page, table = script("smaller").PAGE, stored("smaller")
    assert (
        table["accuracy"]["from the start"]["least, most"][0] > 0.95
        and page.accuracy(page.small_one(50)) > 0.9
    )
    layer = page.Wrapped(64).eval()
    ratio = page.size(layer) / page.size(page.dynamic_int8(layer))
    assert np.isclose(ratio, table["int8"]["64, 1"]["times as small"]["mean"], rtol=0.05)


def test_an_exported_file_has_the_bytes_of_the_table_and_the_answers_of_its_model():
    page, table = script("smaller").PAGE, stored("smaller")["onnx"]
    torch.manual_seed(5)
    model = page.SentenceClassifier(len(page.vocabulary)).eval()
    found = page.exported(model, [page.ids[k] for k in page.test[:10]])
    for name in ("float32", "int8"):
        assert np.isclose(found[f"{name}, bytes"], table[f"{name}, bytes"]["mean"], rtol=0.02)
        assert found[f"{name}, largest difference"] < 1e-4
        assert table[f"{name}, same answer as the model"]["least, most"][0] > 0.98


def test_a_new_split_of_two_choices_gains_what_the_table_says():
    choices, table = script("choices"), stored("choices")["table"]
    assert set(table) == {*choices.PAGE.ARMS, *choices.PAGE.PAIRS, "counting words"}
    for name, changed in (("default", {}), ("rate 0.0005", {"lr": 5e-4})):
        assert inside(table[name]["accuracy"], choices.PAGE.accuracy_of(changed, 50)), name
    assert inside(table["counting words"]["accuracy"], choices.PAGE.accuracy_of_counting(50))


def test_a_new_run_breaks_where_the_table_says():
    page, table = script("shift").PAGE, stored("shift")
    found = page.by_length("sum", 50)
    assert found["sum, T=96"] < 0.5 and table["lengths"]["sum"]["sum, T=96"]["least, most"][1] < 0.5
    levels = page.by_years(True, 50)
    assert (
        levels["1995 to 2001"] < 0
        and table["years"]["levels"]["1995 to 2001"]["least, most"][1] < 0
    )


def test_a_network_of_two_voices_understands_no_strangers_again():
    page, table = script("shift").PAGE, stored("shift")["speakers"]
    assert {kind: [int(n) for n in rows] for kind, rows in table.items()} == {
        kind: list(voices) for kind, voices in page.VOICES.items()
    }
    found = page.by_voice("synthetic", 2, seed=50)
    row = table["synthetic"]["2"]
    for key in ("LSTM, known voices", "LSTM, strangers", "LSTM, lost on strangers"):
        assert inside(row[key], found[key], slack=1), key


def test_the_program_of_the_diary_is_as_bad_as_it_was_found_and_as_good_as_it_was_mended():
    page, table = script("diary").PAGE, stored("diary")
    assert list(table["states"]) == list(page.STATES) and list(table["dead ends"]) == list(
        page.ENDS
    )
    for name in ("as found", "best weights"):
        program = page.STATES[name]
        found = page.skills(program, page.forecast_of(program, seed=50))
        row = table["states"][name]
        assert inside(row["validation"], found["validation"], slack=1), name
    assert page.skill(page.by_ridge(), page.TEST) == pytest.approx(
        table["rivals"]["ridge"]["test"], abs=1e-3
    )
    named = {
        "as found": {"examples-mixed"},
        "batch first": {"targets-broadcast", "targets-misaligned"},  # two proofs of one fault
        "targets flat": {"train-valid-overlap"},
    }
    for name in named:
        report = page.report_of(page.STATES[name], seed=7)
        assert report.ids[0] in named[name] and report.findings[0].certainty != "remark", name


def test_a_loop_starts_the_operations_of_the_table_again():
    slow, table = script("slow"), stored("slow")
    assert list(slow.TABLES) == [name for name in table if name in slow.TABLES]
    found = sum(row["calls"] for row in slow.profiled(slow.PAGE.OwnLoop, steps=2).values())
    # Counts, not seconds: other versions of PyTorch may join some operations
    assert found == pytest.approx(table["profiler"]["a cell in a loop"]["calls of all"], rel=0.3)


def test_two_processes_have_the_gradient_of_one_again():
    (found,) = script("slow").two_processes(1)
    assert found["largest difference of the gradients"] < 1e-6


def test_new_strangers_are_understood_as_the_table_says():
    speech, table = script("speech"), stored("speech")
    assert {name: len(table["by draw"][name]) for name in speech.PARTS} == {
        name: draws for name, (_, draws) in speech.PARTS.items()
    }
    found = speech.run("log-mel", *speech.voices(50), seed=50)
    for key in ("known voices", "strangers"):
        assert inside(table["synthetic digits"]["log-mel"][key], found[key]), key


def test_a_bag_of_words_misses_every_second_pair_again():
    sentiment, table = script("sentiment"), stored("sentiment")
    assert set(table["grammar"]) == set(sentiment.KINDS)
    found = sentiment.of_grammar("mean of words", seed=500)
    for key in ("test", "pairs", "exchange, must change", "adjective unknown: sure"):
        assert inside(table["grammar"]["mean of words"][key], found[key]), key


def test_a_series_is_forecast_as_the_table_says_and_ridge_to_the_digit():
    forecasting, table = script("forecasting"), stored("forecasting")
    assert list(table["series"]) == list(forecasting.PAGE.TASKS)
    row = table["series"]["sunspots, years"]
    errors = forecasting.squared_errors("sunspots, years", seed=500)
    assert row["test windows"] == len(errors["LSTM"])
    assert (
        abs(forecasting.skill_of(errors["ridge"], errors["persistence"]) - row["ridge"]["skill"])
        < 1e-3
    )
    assert inside(row["LSTM by seed"], forecasting.skill_of(errors["LSTM"], errors["persistence"]))


def test_models_track_and_do_not_track_as_the_table_says():
    hybrids, table = script("hybrids"), stored("hybrids")
    assert {task: tuple(rows) for task, rows in table["equal updates"].items()} == hybrids.MODELS
    for name in ("LSTM", "minLSTM, 2 layers"):
        found, row = (
            hybrids.measured(name, "parity", seed=500),
            table["equal updates"]["parity"][name],
        )
        assert all(inside(row[key], found[key]) for key in ("right", "right, longer")), name


def test_equal_time_is_counted_from_the_seconds_of_equal_updates():
    hybrids, table = script("hybrids"), stored("hybrids")
    for task, rows in table["equal updates"].items():
        timed = table["equal time"][task]
        assert {name: row["updates"] for name, row in timed.items()} == hybrids.updates_for(rows)
        assert min(row["updates"] for row in timed.values()) == hybrids.UPDATES
        # What was counted is about as long, on whatever machine it ran
        seconds = [row["seconds"]["mean"] for row in timed.values()]
        assert max(seconds) < 2.5 * min(seconds), task


def test_a_new_draw_of_dates_is_learned_sooner_with_attention():
    translation, table = script("translation"), stored("translation")["dates"]
    task = translation.dates_task(seed=50)
    assert not {"".join(y) for _, y in task.test} & {"".join(y) for _, y in task.train}
    steps, exact = translation.DATE_STEPS[0], {}
    for arm in ("none", "dot"):
        model = translation.PAGE.learn(task, arm, 50, steps=steps, H=translation.DATE_H)
        found = translation.PAGE.written_by(model, task)
        exact[arm] = translation.PAGE.of_texts(found, task)["exact"]
    assert exact["dot"] > exact["none"] + 0.2
    rows = [table[f"{arm}, {steps} updates"]["exact"]["mean"] for arm in ("none", "dot")]
    assert rows[1] > rows[0] + 0.5


def test_intervals_over_seeds_are_those_of_statsmodels():
    from statsmodels.stats.weightstats import DescrStatsW

    values = [0.2, 0.5, 0.4, 0.9]
    found = over_seeds(values)
    assert np.allclose(found["interval of the mean"], DescrStatsW(values).tconfint_mean())
    low, high = found["interval of a new seed"]
    assert np.isclose(
        high - low, 2 * 3.18245 * np.std(values, ddof=1) * np.sqrt(1 + 1 / 4), rtol=1e-4
    )
    # It holds a new normal number in 95 % of the cases.
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(2000, 5))
    held = [
        low <= x <= high
        for *seen, x in drawn
        for low, high in [over_seeds(seen)["interval of a new seed"]]
    ]
    assert 0.93 < np.mean(held) < 0.97


def test_a_page_without_an_experiment_is_refused():
    with pytest.raises(ValueError, match="has no cell that is tagged experiment"):
        experiment("what-if")


def test_what_the_usual_first_tests_say_of_one_program_comes_out_again():
    folklore, table = script("folklore"), stored("folklore")
    make = partial(find("out_softmax_twice").make, True, folklore.SEEDS[0])
    assert table["sick"]["out_softmax_twice"] == {
        "one batch": 3,
        "loss at start": 0,
        "gradient ratios": 0,
    }
    assert bench.try_folklore(make, folklore.SEEDS[0]) == {
        "one batch": True,
        "loss at start": False,
        "gradient ratios": False,
    }


def test_a_new_seed_translates_with_attention_as_the_table_says():
    translation, table = script("translation"), stored("translation")
    assert {"none", "dot"} <= set(table["arms"]) <= set(translation.ARMS)
    task = translation.PAGE.numbers_task()
    found = translation.run("dot", 50, task)["numbers"]
    assert all(
        inside(table["arms"]["dot"][key], found[key], slack=1)
        for key in ("exact", "BLEU", "forced words")
    )


def test_a_new_pointer_copies_new_nouns_as_the_table_says():
    summaries, table = script("summaries"), stored("summaries")
    task = summaries.PAGE.reviews_task()
    found = summaries.of_both(*summaries.PAGE.learn_pointer(task, 50, summaries.PAGE.EARLY), task)
    row = table["reviews"]["pointer, 250 updates"]
    assert all(
        inside(row[key], found[key], slack=1) for key in ("known nouns, noun", "new nouns, noun")
    )
