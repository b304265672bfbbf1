"""Known wrong versions of the functions of the problem set prepare."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_LOWER, _FIND = "text = text.lower()", 'return re.findall(r"[\\w\']+|[^\\w\\s]", text)'
_TRY = "Try it on: It's 5 o'clock, is it?"

TOKENIZE = (
    Mistake(
        "not_lowered",
        "tokenize",
        "Capital letters are kept; this task asks for small letters.",
        (Change(_LOWER, ""),),
        ("Are The and the one word, or two?", _TRY),
        convention=True,
    ),
    Mistake(
        "split_at_spaces",
        "tokenize",
        "The text is cut at white space only: punctuation stays on its word.",
        (Change(_FIND, "return text.split()"),),
        (_TRY, "Is it? a word that a vocabulary should hold beside it?"),
    ),
    Mistake(
        "punctuation_dropped",
        "tokenize",
        "Punctuation is dropped; here each mark is a token of its own.",
        (Change(_FIND, 'return re.findall(r"[\\w\']+", text)'),),
        (_TRY, "Count your tokens: is the question mark among them?"),
    ),
    Mistake(
        "punctuation_in_runs",
        "tokenize",
        "Marks that stand together are one token; each is one of its own.",
        (Change(_FIND, 'return re.findall(r"[\\w\']+|[^\\w\\s]+", text)'),),
        ("Try it on: no... no!!", "How many tokens are three dots?"),
    ),
    Mistake(
        "apostrophe_cut",
        "tokenize",
        "A word is cut at its apostrophe.",
        (Change(_FIND, 'return re.findall(r"\\w+|[^\\w\\s]", text)'),),
        (_TRY, "An apostrophe belongs to the word around it."),
    ),
    Mistake(
        "letters_only",
        "tokenize",
        (
            "Only the letters a to z count as letters: other letters, and digits, are cut off "
            "their words."
        ),
        (Change(_FIND, 'return re.findall(r"[a-z\']+|[^\\w\\s]", text)'),),
        ("Try it on: Zoë has 12 cafés.", "Which characters are letters? More than 26."),
    ),
    Mistake(
        "ascii_only",
        "tokenize",
        "Only ASCII letters and digits count as parts of a word.",
        (Change(_FIND, 'return re.findall(r"[a-z0-9\']+|[^\\w\\s]", text)'),),
        ("Try it on: Zoë has 12 cafés.", "Which characters are letters? More than 26."),
    ),
    Mistake(
        "characters",
        "tokenize",
        "The text is cut into its characters.",
        (Change(_FIND, "return list(text)"),),
        (_TRY, "A text is a sequence of characters by itself; words are asked for."),
    ),
    Mistake(
        "each_word_once",
        "tokenize",
        "Each word comes once: the tokens of a text keep their order and their repetitions.",
        (Change(_FIND, 'return list(dict.fromkeys(re.findall(r"[\\w\']+|[^\\w\\s]", text)))'),),
        ("Try it on: a rose is a rose", "This is the text in pieces, and no vocabulary yet."),
    ),
    Mistake(
        "spaces_kept",
        "tokenize",
        "White space is kept as tokens.",
        (Change(_FIND, 'return re.findall(r"[\\w\']+|[^\\w]", text)'),),
        (_TRY, "Between two words there is no token."),
    ),
)

_COUNTS = "counts = Counter(word for sentence in sentences for word in sentence)"
_KEPT = "kept = [word for word in counts if counts[word] >= min_count]"
_SORTED = "kept = sorted(kept, key=lambda word: (-counts[word], word))"
_START = 'vocabulary = {"<pad>": 0, "<unk>": 1}'
_TINY = (
    "Take the sentences [b, a, b] and [c], with min_count 1: the ids are <pad> 0, <unk> 1, b 2, a "
    "3, c 4."
)

VOCABULARY = (
    Mistake(
        "padding_id_is_a_word",
        "build_vocabulary",
        "The first word has the id 0, which is that of the padding: the two cannot be told apart.",
        (
            Change(_START, "vocabulary = {}"),
            Change("return vocabulary", 'return {**vocabulary, "<pad>": 0, "<unk>": 1}'),
        ),
        (_TINY, "Which words share an id in yours?"),
    ),
    Mistake(
        "no_special_ids",
        "build_vocabulary",
        "The ids for padding and for unknown words are missing.",
        (Change(_START, "vocabulary = {}"),),
        (_TINY, "With which number will you fill a short sentence up?"),
    ),
    Mistake(
        "unknown_first",
        "build_vocabulary",
        "Unknown words have the id 0 and the padding 1; here it is the other way round.",
        (Change(_START, 'vocabulary = {"<unk>": 0, "<pad>": 1}'),),
        (_TINY, "Arrays start as zeros: which of the two should 0 be?"),
        convention=True,
    ),
    Mistake(
        "specials_at_the_end",
        "build_vocabulary",
        "The ids of padding and of unknown words come last; here they are 0 and 1.",
        (
            Change(_START, "vocabulary = {}"),
            Change(
                "return vocabulary",
                'return vocabulary | {"<pad>": len(vocabulary), "<unk>": len(vocabulary) + 1}',
            ),
        ),
        (_TINY, "With another vocabulary, would the padding keep its id?"),
        convention=True,
    ),
    Mistake(
        "more_than_min_count",
        "build_vocabulary",
        "A word that occurs exactly min_count times is left out.",
        (Change(_KEPT, "kept = [word for word in counts if counts[word] > min_count]"),),
        (
            "With min_count 1, which words are left out? None should be.",
            "At least min_count times.",
        ),
    ),
    Mistake(
        "min_count_ignored",
        "build_vocabulary",
        "All words are kept, however rare they are.",
        (Change(_KEPT, "kept = list(counts)"),),
        ("Which argument is never used?", "At least min_count times."),
    ),
    Mistake(
        "rare_kept",
        "build_vocabulary",
        "The rare words are kept, and the frequent ones left out.",
        (Change(_KEPT, "kept = [word for word in counts if counts[word] <= min_count]"),),
        ("With a large min_count, is your vocabulary small?", "At least min_count times."),
    ),
    Mistake(
        "sentences_counted",
        "build_vocabulary",
        "A word that occurs twice in a sentence is counted once: these are counts of sentences.",
        (
            Change(
                _COUNTS,
                "counts = Counter(word for sentence in sentences for word in set(sentence))",
            ),
        ),
        ("How often does b occur in [b, a, b]?", "Count words, not sentences."),
    ),
    Mistake(
        "by_alphabet",
        "build_vocabulary",
        "The words stand by the alphabet; here the most frequent come first.",
        (Change(_SORTED, "kept = sorted(kept)"),),
        (_TINY, "The alphabet decides only between words that are equally frequent."),
        convention=True,
    ),
    Mistake(
        "by_first_occurrence",
        "build_vocabulary",
        (
            "The words stand in the order in which they first occur; here the most frequent come "
            "first."
        ),
        (Change(_SORTED, ""),),
        (_TINY, "Sort by the count first."),
        convention=True,
    ),
    Mistake(
        "ties_by_first_occurrence",
        "build_vocabulary",
        (
            "Words that are equally frequent stand in the order in which they first occur; here "
            "the alphabet decides."
        ),
        (Change(_SORTED, "kept = sorted(kept, key=lambda word: -counts[word])"),),
        ("Look at two words with the same count.", "Counter.most_common leaves them as they came."),
        convention=True,
    ),
    Mistake(
        "ties_backwards",
        "build_vocabulary",
        "Words that are equally frequent stand from z to a: the whole order was turned round.",
        (
            Change(
                _SORTED, "kept = sorted(kept, key=lambda word: (counts[word], word), reverse=True)"
            ),
        ),
        ("Look at two words with the same count.", "Only the counts go from large to small."),
        convention=True,
    ),
    Mistake(
        "rarest_first",
        "build_vocabulary",
        "The rarest words come first.",
        (Change(_SORTED, "kept = sorted(kept, key=lambda word: (counts[word], word))"),),
        (_TINY, "The most frequent word has the smallest id."),
    ),
)

_NUMBERS, _CUT = "numbers = [vocabulary.get(word, 1) for word in sentence]", "numbers = numbers[:T]"
_IDS, _MASK = "ids[n, : len(numbers)] = numbers", "mask[n, : len(numbers)] = True"
_ROW = (
    "Take the sentence [b, x] with T = 3, where b has the id 2 and x is unknown: ids [2, 1, 0], "
    "mask [True, True, False]."
)

ENCODE = (
    Mistake(
        "unknown_dropped",
        "encode_pad",
        "Unknown words are left out: what follows moves up.",
        (
            Change(
                _NUMBERS, "numbers = [vocabulary[word] for word in sentence if word in vocabulary]"
            ),
        ),
        (_ROW, "A word that is not known is a word all the same."),
    ),
    Mistake(
        "unknown_is_padding",
        "encode_pad",
        "Unknown words get the id of the padding.",
        (Change(_NUMBERS, "numbers = [vocabulary.get(word, 0) for word in sentence]"),),
        (_ROW, "Which id is that of <unk>?"),
    ),
    Mistake(
        "padded_on_the_left",
        "encode_pad",
        "The padding stands before the sentence; here it stands after it.",
        (
            Change(_IDS, "ids[n, T - len(numbers) :] = numbers"),
            Change(_MASK, "mask[n, T - len(numbers) :] = True"),
        ),
        (_ROW, "At which end do you fill up?"),
        convention=True,
    ),
    Mistake(
        "end_kept",
        "encode_pad",
        "Of a long sentence the last T words are kept; here the first T are.",
        (Change(_CUT, "numbers = numbers[-T:]"),),
        ("With short sentences your result is right.", "Which end of a long sentence is cut off?"),
        convention=True,
    ),
    Mistake(
        "mask_of_ones",
        "encode_pad",
        "The mask is True everywhere: the padding counts as words.",
        (Change(_MASK, "mask[n] = True"),),
        (_ROW, "What is the mask for?"),
    ),
    Mistake(
        "mask_inverted",
        "encode_pad",
        "The mask is True at the padding; here it is True at the words.",
        (Change(_MASK, "mask[n, len(numbers) :] = True"),),
        (_ROW, "Where must the mask be True?"),
        convention=True,
    ),
    Mistake(
        "mask_of_known_words",
        "encode_pad",
        "The mask leaves out unknown words.",
        (Change(_MASK, "mask[n] = ids[n] > 1"),),
        (_ROW, "A word that is not known is a word all the same."),
    ),
    Mistake(
        "padded_with_unknown",
        "encode_pad",
        "The padding is filled with the id of unknown words.",
        (
            Change(
                "ids = np.zeros((len(sentences), T), dtype=int)",
                "ids = np.ones((len(sentences), T), dtype=int)",
            ),
        ),
        (_ROW, "Which id is that of <pad>?"),
    ),
    Mistake(
        "padded_with_minus_one",
        "encode_pad",
        "The padding is filled with -1; here it has the id 0.",
        (
            Change(
                "ids = np.zeros((len(sentences), T), dtype=int)",
                "ids = np.full((len(sentences), T), -1)",
            ),
        ),
        (_ROW, "Which row of an embedding is -1?"),
        convention=True,
    ),
    Mistake(
        "mask_one_short",
        "encode_pad",
        "The mask ends one word too early: the last word of each sentence is not counted.",
        (Change(_MASK, "mask[n, : max(len(numbers) - 1, 0)] = True"),),
        (_ROW, "How many entries of a row are True?"),
    ),
    Mistake(
        "sentence_backwards",
        "encode_pad",
        "The words of a sentence stand in reverse order.",
        (Change(_IDS, "ids[n, : len(numbers)] = numbers[::-1]"),),
        (_ROW, "Which word is read first?"),
    ),
)

_VOCABULARY = "vocabulary = build_vocabulary(train, min_count)"
_TEST_IDS = "test_ids = [[vocabulary.get(word, 1) for word in sentence] for sentence in test]"
_WHO_KNOWS = (
    "A word that occurs in test only: which id has it? While you train, you do not know that it "
    "exists."
)

SETS = (
    Mistake(
        "vocabulary_from_all",
        "encode_sets",
        "The vocabulary is made from training and test data together: the test has leaked into it.",
        (Change(_VOCABULARY, "vocabulary = build_vocabulary(train + test, min_count)"),),
        (_WHO_KNOWS, "What goes into build_vocabulary?"),
    ),
    Mistake(
        "vocabulary_of_its_own",
        "encode_sets",
        "The test set has a vocabulary of its own: the same id means two words.",
        (Change(_TEST_IDS, f"vocabulary = build_vocabulary(test, min_count)\n{_TEST_IDS}"),),
        (
            "Look at a word that occurs in both sets: has it one id, or two?",
            "How many vocabularies does a model have?",
        ),
    ),
    Mistake(
        "vocabulary_from_test",
        "encode_sets",
        "The vocabulary is made from the test data.",
        (Change(_VOCABULARY, "vocabulary = build_vocabulary(test, min_count)"),),
        (_WHO_KNOWS, "What goes into build_vocabulary?"),
    ),
    Mistake(
        "test_words_kept",
        "encode_sets",
        "min_count is not used: rare words of the training data have ids.",
        (Change(_VOCABULARY, "vocabulary = build_vocabulary(train, 1)"),),
        ("Which argument is never used?", "How often must a word occur to have an id?"),
    ),
    Mistake(
        "test_tokenized_otherwise",
        "encode_sets",
        (
            "The test texts are cut at spaces, the training texts by tokenize: what is done to one "
            "must be done to the other."
        ),
        (
            Change(
                "test = [tokenize(text) for text in test]", "test = [text.split() for text in test]"
            ),
        ),
        ("Look at the last word of a test text.", "Is the same done to both sets?"),
    ),
    Mistake(
        "unknown_left_out",
        "encode_sets",
        "Unknown words of the test set are left out; they have the id 1.",
        (
            Change(
                _TEST_IDS,
                (
                    "test_ids = [[vocabulary[word] for word in sentence if word in vocabulary] for "
                    "sentence in test]"
                ),
            ),
        ),
        (
            "Are your test sentences as long as they were?",
            "A word that is not known is a word all the same.",
        ),
    ),
)

_MEAN, _SD, _ONE = (
    "mean = train.mean(axis=0)",
    "sd = train.std(axis=0)",
    "sd = np.where(sd > 0, sd, 1)",
)
_RETURN = "return (train - mean) / sd, (test - mean) / sd"
_AFTER = "Print mean and standard deviation of each column of your scaled training set: 0 and 1?"

SCALE = (
    Mistake(
        "scaler_on_all",
        "scale",
        (
            "Mean and standard deviation are those of training and test data together: the test "
            "has leaked into them."
        ),
        (
            Change(_MEAN, "mean = np.concatenate([train, test]).mean(axis=0)"),
            Change(_SD, "sd = np.concatenate([train, test]).std(axis=0)"),
        ),
        ("Change test: does your scaled training set change?", "What do you know while you train?"),
    ),
    Mistake(
        "test_by_itself",
        "scale",
        (
            "The test set is scaled by its own mean and standard deviation: the same value means "
            "two things."
        ),
        (
            Change(
                _RETURN,
                (
                    "own = test.std(axis=0)\nreturn (train - mean) / sd, (test - "
                    "test.mean(axis=0)) / np.where(own > 0, own, 1)"
                ),
            ),
        ),
        (
            "A value that occurs in both sets: is it the same after scaling?",
            "A single test row would become zeros.",
        ),
    ),
    Mistake(
        "test_not_scaled",
        "scale",
        "The test set is not scaled.",
        (Change(_RETURN, "return (train - mean) / sd, test"),),
        (
            "A value that occurs in both sets: is it the same after scaling?",
            "What is done to one must be done to the other.",
        ),
    ),
    Mistake(
        "sample_sd",
        "scale",
        "The standard deviation divides by n - 1; this task asks for the one that divides by n.",
        (Change(_SD, "sd = train.std(axis=0, ddof=1)"),),
        (_AFTER, "pandas and NumPy do not agree here by default."),
        convention=True,
    ),
    Mistake(
        "variance_for_sd",
        "scale",
        "The values are divided by the variance; its square root is missing.",
        (Change(_SD, "sd = train.var(axis=0)"),),
        (_AFTER, "Which unit has your divisor?"),
    ),
    Mistake(
        "one_scale_for_all",
        "scale",
        "One mean and one standard deviation are taken for all columns together.",
        (
            Change(_MEAN, "mean = train.mean()"),
            Change(_SD, "sd = train.std() * np.ones(train.shape[1])"),
        ),
        (_AFTER, "Degrees and pascals have nothing in common. How many means are there?"),
    ),
    Mistake(
        "min_max",
        "scale",
        (
            "The values are moved into the range from 0 to 1; here mean and standard deviation are "
            "asked for."
        ),
        (
            Change(_MEAN, "mean = train.min(axis=0)"),
            Change(_SD, "sd = train.max(axis=0) - train.min(axis=0)"),
        ),
        (_AFTER, "Which two numbers of a column do you use?"),
        convention=True,
    ),
    Mistake(
        "mean_not_taken_away",
        "scale",
        "The mean is not taken away.",
        (Change(_RETURN, "return train / sd, test / sd"),),
        (_AFTER, "First move, then stretch."),
    ),
    Mistake(
        "sd_not_divided",
        "scale",
        "The values are not divided by the standard deviation.",
        (Change(_RETURN, "return train - mean, test - mean"),),
        (_AFTER, "First move, then stretch."),
    ),
    Mistake(
        "small_number_added",
        "scale",
        (
            "A hundredth is added to the standard deviation, against a division by zero: all other "
            "columns notice it."
        ),
        (Change(_ONE, "sd = sd + 0.01"),),
        (_AFTER, "Only a column that is constant needs help."),
    ),
)

_M, _X, _Y = (
    "M = len(series) - T - horizon + 1",
    "x = [series[k : k + T] for k in range(M)]",
    "y = [series[k + T - 1 + horizon] for k in range(M)]",
)
_NUMBERED = (
    "Take series = [0, 1, 2, ... 9], T = 3 and horizon = 2: the first window is [0, 1, 2] and its "
    "target 4."
)

WINDOWS = (
    Mistake(
        "target_in_window",
        "windows",
        (
            "The target is one step too early: with horizon 1 it is the last value of the window "
            "itself."
        ),
        (Change(_Y, "y = [series[k + T - 2 + horizon] for k in range(M)]"),),
        (_NUMBERED, "May a model read what it has to tell?"),
    ),
    Mistake(
        "target_too_late",
        "windows",
        (
            "The target is one step too late: with horizon 1 a value is left out between window "
            "and target."
        ),
        (
            Change(_M, "M = len(series) - T - horizon"),
            Change(_Y, "y = [series[k + T + horizon] for k in range(M)]"),
        ),
        (_NUMBERED, "With horizon 1 the target is the value right after the window."),
    ),
    Mistake(
        "horizon_ignored",
        "windows",
        "The target is always the value right after the window.",
        (Change(_Y, "y = [series[k + T] for k in range(M)]"),),
        (_NUMBERED, "Which argument is never used?"),
    ),
    Mistake(
        "horizon_from_the_start",
        "windows",
        "The horizon is counted from the start of the window, and not from its end.",
        (Change(_Y, "y = [series[k + horizon] for k in range(M)]"),),
        (_NUMBERED, "May a model read what it has to tell?"),
    ),
    Mistake(
        "last_window_missing",
        "windows",
        "The last window is missing.",
        (Change(_M, "M = len(series) - T - horizon"),),
        (_NUMBERED, "Is the last value of the series a target?"),
    ),
    Mistake(
        "windows_apart",
        "windows",
        "The windows stand side by side; here each begins one step after the one before.",
        (
            Change(_X, "x = [series[k : k + T] for k in range(0, M, T)]"),
            Change(_Y, "y = [series[k + T - 1 + horizon] for k in range(0, M, T)]"),
        ),
        (_NUMBERED, "What is the second window?"),
        convention=True,
    ),
    Mistake(
        "window_one_longer",
        "windows",
        "The windows are one value too long.",
        (Change(_X, "x = [series[k : k + T + 1] for k in range(M)]"),),
        (_NUMBERED, "How many values has your window?"),
    ),
    Mistake(
        "window_backwards",
        "windows",
        "The values of a window stand from the newest to the oldest.",
        (Change(_X, "x = [series[k : k + T][::-1] for k in range(M)]"),),
        (_NUMBERED, "Which value is read first?"),
    ),
    Mistake(
        "change_for_target",
        "windows",
        "The target is the change since the end of the window; the value is asked for.",
        (Change(_Y, "y = [series[k + T - 1 + horizon] - series[k + T - 1] for k in range(M)]"),),
        (_NUMBERED, "Is your target a value of the series?"),
        convention=True,
    ),
    Mistake(
        "mean_for_target",
        "windows",
        (
            "The target is the mean of all values up to the horizon; the one at the horizon is "
            "asked for."
        ),
        (Change(_Y, "y = [series[k + T : k + T + horizon].mean() for k in range(M)]"),),
        (_NUMBERED, "With horizon 1 your result is right."),
    ),
)

_FIRST, _TRAIN, _TEST = (
    "first_test = n - n_test",
    "train = list(range(first_test - gap))",
    "test = list(range(first_test, n))",
)
_TEN = "Take n = 10, n_test = 3 and gap = 2: train is 0 to 4, and test is 7, 8, 9."

SPLIT = (
    Mistake(
        "no_gap",
        "split_by_time",
        "There is no gap: the last training windows reach into the test.",
        (Change(_TRAIN, "train = list(range(first_test))"),),
        (_TEN, "Which argument is never used?"),
    ),
    Mistake(
        "gap_from_test",
        "split_by_time",
        (
            "The gap is cut off the test set; here the last training steps are given up, and the "
            "test keeps its size."
        ),
        (
            Change(_TRAIN, "train = list(range(first_test))"),
            Change(_TEST, "test = list(range(first_test + gap, n))"),
        ),
        (_TEN, "How many entries must test have?"),
        convention=True,
    ),
    Mistake(
        "gap_one_short",
        "split_by_time",
        "The gap is one step too short.",
        (Change(_TRAIN, "train = list(range(first_test - max(gap - 1, 0)))"),),
        (_TEN, "How many steps lie between the last one of train and the first one of test?"),
    ),
    Mistake(
        "gap_one_long",
        "split_by_time",
        "The gap is one step too long.",
        (Change(_TRAIN, "train = list(range(first_test - gap - 1))"),),
        (_TEN, "How many steps lie between the last one of train and the first one of test?"),
    ),
    Mistake(
        "gap_twice",
        "split_by_time",
        "The gap is cut off both sets.",
        (Change(_TEST, "test = list(range(first_test + gap, n))"),),
        (_TEN, "How many entries must test have?"),
    ),
    Mistake(
        "test_first",
        "split_by_time",
        "The test is the oldest part: the model learns from the future of its test.",
        (
            Change(_TRAIN, "train = list(range(n_test + gap, n))"),
            Change(_TEST, "test = list(range(n_test))"),
        ),
        (_TEN, "Which of the two comes first in time?"),
    ),
    Mistake(
        "every_other_step",
        "split_by_time",
        "The test steps are spread over the series: each has its neighbours in the training set.",
        (
            Change(_TEST, "test = [k * n // n_test for k in range(n_test)]"),
            Change(
                _TRAIN,
                (
                    "train = [k for k in range(n) if k not in [j * n // n_test for j in "
                    "range(n_test)]]"
                ),
            ),
        ),
        (_TEN, "Is every step of train older than every step of test?"),
    ),
    Mistake(
        "sets_exchanged",
        "split_by_time",
        "The two sets are returned in the other order.",
        (Change("return train, test", "return test, train"),),
        (_TEN, "Which of the two is returned first?"),
    ),
)

_SEEN, _SPEAKERS = (
    "seen = {text for _, text in train}",
    "speakers = {speaker for speaker, _ in train}",
)
_REPEATED = "repeated = [k for k, (_, text) in enumerate(test) if text in seen]"
_KNOWN = "known = [k for k, (speaker, _) in enumerate(test) if speaker in speakers]"
_CLEAN = "clean = [k for k in range(len(test)) if k not in repeated and k not in known]"
_TWO = (
    'Take train = [("ann", "yes")] and test = [("bob", "yes"), ("ann", "no"), ("bob", "no")]: 0 is '
    "repeated, 1 known, 2 clean."
)

LEAKS = (
    Mistake(
        "positions_in_train",
        "leak_report",
        "The positions are those in the training set; here those in the test set are asked for.",
        (
            Change(_SEEN, "seen = {text for _, text in test}"),
            Change(_SPEAKERS, "speakers = {speaker for speaker, _ in test}"),
            Change(
                _REPEATED, "repeated = [k for k, (_, text) in enumerate(train) if text in seen]"
            ),
            Change(
                _KNOWN, "known = [k for k, (speaker, _) in enumerate(train) if speaker in speakers]"
            ),
        ),
        (_TWO, "Which set must be mended?"),
    ),
    Mistake(
        "only_same_place",
        "leak_report",
        "A text is found only where it stands at the same place in both sets.",
        (
            Change(
                _REPEATED,
                "repeated = [k for k, (a, b) in enumerate(zip(train, test)) if a[1] == b[1]]",
            ),
        ),
        (_TWO, "A test text may stand anywhere in the training set."),
    ),
    Mistake(
        "pairs_compared",
        "leak_report",
        "A text counts as repeated only if the same speaker said it.",
        (Change(_REPEATED, "repeated = [k for k, pair in enumerate(test) if pair in set(train)]"),),
        (_TWO, "A text is the same, whoever says it."),
    ),
    Mistake(
        "repeated_within_test",
        "leak_report",
        "What occurs twice within the test set counts as repeated.",
        (
            Change(
                _REPEATED,
                "texts = [text for _, text in test]\n"
                "repeated = [k for k, text in enumerate(texts) if text in seen or text in "
                "texts[:k]]",
            ),
        ),
        (
            "Does your result depend on train only through what stands in it?",
            "A leak is from the training set into the test.",
        ),
    ),
    Mistake(
        "clean_or",
        "leak_report",
        "Clean is what is free of one of the two leaks; it must be free of both.",
        (
            Change(
                _CLEAN,
                "clean = [k for k in range(len(test)) if k not in repeated or k not in known]",
            ),
        ),
        (_TWO, "May a clean row have a known speaker?"),
    ),
    Mistake(
        "clean_of_texts",
        "leak_report",
        "Clean is what has a new text; its speaker must be new, too.",
        (Change(_CLEAN, "clean = [k for k in range(len(test)) if k not in repeated]"),),
        (_TWO, "May a clean row have a known speaker?"),
    ),
    Mistake(
        "clean_of_speakers",
        "leak_report",
        "Clean is what has a new speaker; its text must be new, too.",
        (Change(_CLEAN, "clean = [k for k in range(len(test)) if k not in known]"),),
        (_TWO, "May a clean row have a text that was seen?"),
    ),
    Mistake(
        "counts_for_positions",
        "leak_report",
        "The rows are counted; their positions are asked for.",
        (
            Change(
                'return {"repeated": repeated, "known": known, "clean": clean}',
                'return {"repeated": len(repeated), "known": len(known), "clean": len(clean)}',
            ),
        ),
        (_TWO, "How would you take the rows out, if you only knew how many?"),
    ),
    Mistake(
        "known_are_new",
        "leak_report",
        "The positions of new speakers are reported as known.",
        (
            Change(
                _KNOWN,
                "known = [k for k, (speaker, _) in enumerate(test) if speaker not in speakers]",
            ),
        ),
        (_TWO, "A speaker is known who is heard in the training set."),
    ),
)

MISTAKES = (*TOKENIZE, *VOCABULARY, *ENCODE, *SETS, *SCALE, *WINDOWS, *SPLIT, *LEAKS)
