"""Known wrong versions of the functions of the problem set vanishing."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_A, _H = "a = x[:, t] @ Wx + h @ Wh + b", "h = np.tanh(a)"
_COLLECT, _STACK = "hs.append(h)", "return np.stack(hs, axis=1)"
_ONE_STEP = "With T = 1: is your h equal to tanh(x[:, 0] @ Wx + h0 @ Wh + b)?"

FORWARD = (
    Mistake(
        "no_bias",
        "rnn_forward",
        "The bias b is missing.",
        (Change(_A, "a = x[:, t] @ Wx + h @ Wh"),),
        (
            "Of the arguments of your function, which one is never used?",
            "Set x, h0 and Wh to zero: what must h be?",
        ),
    ),
    Mistake(
        "state_not_carried",
        "rnn_forward",
        "Every step starts from h0: the state of the step before is not carried on.",
        (Change(_A, "a = x[:, t] @ Wx + h0 @ Wh + b"),),
        (
            "With T = 1 your h is right. What does the second step start from?",
            "Which name holds the state of the step before?",
        ),
    ),
    Mistake(
        "zero_start",
        "rnn_forward",
        "The first step starts from zeros and not from h0.",
        (Change("h = h0", "h = np.zeros_like(h0)"),),
        ("Change h0: does your h change?", "What does the first step of the loop start from?"),
    ),
    Mistake(
        "Wh_transposed",
        "rnn_forward",
        "Wh is used transposed.",
        (Change(_A, "a = x[:, t] @ Wx + h @ Wh.T + b"),),
        (
            "Work out one step for H = 2 by hand.",
            "In a = x Wx + h Wh + b, the states are rows. What does that say of Wh?",
        ),
    ),
    Mistake(
        "no_tanh",
        "rnn_forward",
        "The tanh is missing: this network is linear.",
        (Change(_H, "h = a"),),
        ("Between which two numbers must every entry of h lie?", _ONE_STEP),
    ),
    Mistake(
        "sigmoid_for_tanh",
        "rnn_forward",
        "The state goes through a sigmoid in place of the tanh.",
        (Change(_H, "h = sigmoid(a)"),),
        ("Can an entry of your h be negative?", _ONE_STEP),
    ),
    Mistake(
        "relu_for_tanh",
        "rnn_forward",
        "The state goes through a ReLU in place of the tanh.",
        (Change(_H, "h = np.maximum(a, 0)"),),
        ("Can an entry of your h be negative, and can it be larger than 1?", _ONE_STEP),
    ),
    Mistake(
        "preactivation_carried",
        "rnn_forward",
        "The pre-activation a is carried on to the next step, and not tanh(a).",
        (Change(_H, "h = a"), Change(_COLLECT, "hs.append(np.tanh(a))")),
        (
            "With T = 1 your h is right, with T = 2 it is not.",
            "What goes into the second step: a, or what you collect?",
        ),
    ),
    Mistake(
        "input_only",
        "rnn_forward",
        "The old state has no effect: the term with Wh is missing.",
        (Change(_A, "a = x[:, t] @ Wx + b"),),
        (
            "Change h0: does your h change?",
            "Of the arguments of your function, which one is never used?",
        ),
    ),
    Mistake(
        "state_before",
        "rnn_forward",
        "The state before each step is collected, and not the one after it.",
        (Change(_COLLECT, ""), Change(_H, "hs.append(h)\nh = np.tanh(a)")),
        ("Is your h[:, 0] equal to h0?", "At which line of the loop is the state collected?"),
    ),
    Mistake(
        "walks_from_the_end",
        "rnn_forward",
        "The steps are taken from the last to the first.",
        (Change("for t in range(x.shape[1]):", "for t in reversed(range(x.shape[1])):"),),
        (
            "Which input does your first step read?",
            "Only the way back goes from the last step to the first.",
        ),
    ),
    Mistake(
        "time_first",
        "rnn_forward",
        "The time axis of h comes first; this task asks for (N, T, H).",
        (Change(_STACK, "return np.stack(hs, axis=0)"),),
        (
            "Compare the shape of your h with the one asked for.",
            "Along which axis are the states put together?",
        ),
        convention=True,
    ),
)

_PREV, _DH = "h_prev = h[:, t - 1] if t > 0 else h0", "dh_t = dh[:, t] + dh_next"
_DA, _NEXT = "da = dh_t * (1 - h[:, t] ** 2)", "dh_next = da @ Wh.T"
_DWX, _DWH, _DB = (
    "dWx = dWx + x[:, t].T @ da",
    "dWh = dWh + h_prev.T @ da",
    "db = db + da.sum(axis=0)",
)
_RETURN = "return dx, dh_next, dWx, dWh, db"
_BY_HAND = "Compare with a difference quotient of the loss sum(dh * h), for one entry of Wh."

BACKWARD = (
    Mistake(
        "no_carry",
        "rnn_backward",
        "What a step sends back along h is not added to the gradient of the step before it.",
        (Change(_DH, "dh_t = dh[:, t]"),),
        (
            "With T = 1 all is right. What does the step before the last get?",
            "The total gradient of a state has two shares. Which are they?",
        ),
    ),
    Mistake(
        "only_last_dh",
        "rnn_backward",
        "Only the last step's dh is used; that of the other steps is lost.",
        (
            Change("dh_next = np.zeros_like(h0)", "dh_next = dh[:, -1]"),
            Change(_DH, "dh_t = dh_next"),
        ),
        (
            "Change dh[:, 0]: does your dWx change?",
            "Here the loss looks at every step, so every step brings a gradient.",
        ),
    ),
    Mistake(
        "dWh_uses_new_h",
        "rnn_backward",
        "dWh is made with the state after the step, where the one before it belongs.",
        (Change(_DWH, "dWh = dWh + h[:, t].T @ da"),),
        (
            "All but dWh is right. By which state was Wh multiplied in step t?",
            "Look at the line of dWh for t = 0: where is h0?",
        ),
    ),
    Mistake(
        "h0_taken_for_zero",
        "rnn_backward",
        "In the first step, zeros are taken for the old state in dWh, and not h0.",
        (Change(_PREV, "h_prev = h[:, t - 1] if t > 0 else np.zeros_like(h0)"),),
        ("With h0 = 0 all is right.", "Which old state did the first step start from?"),
    ),
    Mistake(
        "wraps_around",
        "rnn_backward",
        (
            "In the first step, h[:, t - 1] is h[:, -1]: the last state is taken for the one "
            "before the first."
        ),
        (Change(_PREV, "h_prev = h[:, t - 1]"),),
        (
            "All but dWh is right. Print the index of the old state for t = 0.",
            "What does index -1 give in NumPy?",
        ),
    ),
    Mistake(
        "no_slope",
        "rnn_backward",
        "The derivative of the tanh is missing.",
        (Change(_DA, "da = dh_t"),),
        ("Between h and a stands a tanh. What does it do to a gradient?", _BY_HAND),
    ),
    Mistake(
        "slope_of_tanh_of_h",
        "rnn_backward",
        "The slope is taken at tanh(h): the tanh is applied a second time.",
        (Change(_DA, "da = dh_t * (1 - np.tanh(h[:, t]) ** 2)"),),
        (
            "h is the output of the tanh already.",
            "Write the derivative of the tanh with its output.",
        ),
    ),
    Mistake(
        "slope_unsquared",
        "rnn_backward",
        "The slope of the tanh is taken as 1 - h, without the square.",
        (Change(_DA, "da = dh_t * (1 - h[:, t])"),),
        (
            "Can your slope be larger than 1? That of the tanh cannot.",
            "Look up the derivative of the tanh once more.",
        ),
    ),
    Mistake(
        "sigmoid_slope",
        "rnn_backward",
        "The slope is h (1 - h), that of a sigmoid; this network has a tanh.",
        (Change(_DA, "da = dh_t * h[:, t] * (1 - h[:, t])"),),
        ("Can your slope be negative? That of the tanh cannot.", "Whose derivative is h (1 - h)?"),
    ),
    Mistake(
        "Wh_not_transposed",
        "rnn_backward",
        "On the way back along h, Wh is not transposed.",
        (Change(_NEXT, "dh_next = da @ Wh"),),
        (
            "The shapes fit with Wh as well, because it is square.",
            "A product A B with gradient G gives A the gradient G B.T.",
        ),
    ),
    Mistake(
        "slope_before_carry",
        "rnn_backward",
        "The slope of the tanh acts on dh alone; what comes from the next step goes past it.",
        (Change(_DA, "da = dh[:, t] * (1 - h[:, t] ** 2) + dh_next"),),
        ("With T = 1 all is right.", "Both shares of a state's gradient go through the same tanh."),
    ),
    Mistake(
        "weights_overwritten",
        "rnn_backward",
        (
            "The gradients of the weights are those of one step: they are overwritten, and not "
            "added up."
        ),
        (
            Change(_DWX, "dWx = x[:, t].T @ da"),
            Change(_DWH, "dWh = h_prev.T @ da"),
            Change(_DB, "db = da.sum(axis=0)"),
        ),
        (
            "With T = 1 all is right.",
            "Every step uses the same weights. What does that mean for their gradient?",
        ),
    ),
    Mistake(
        "weights_mean_over_time",
        "rnn_backward",
        "The gradients of the weights are a mean over time; the sum is asked for.",
        (Change(_RETURN, "T = x.shape[1]\nreturn dx, dh_next, dWx / T, dWh / T, db / T"),),
        (
            "By which factor are your dWx and dWh off?",
            "If there is a mean in the loss, it stands in dh already.",
        ),
    ),
    Mistake(
        "weights_mean_over_batch",
        "rnn_backward",
        "The gradients of the weights are a mean over the examples; the sum is asked for.",
        (Change(_RETURN, "N = len(x)\nreturn dx, dh_next, dWx / N, dWh / N, db / N"),),
        (
            "By which factor are your dWx and dWh off?",
            "If there is a mean in the loss, it stands in dh already.",
        ),
    ),
    Mistake(
        "db_mean",
        "rnn_backward",
        "db is a mean over the examples; the sum is asked for.",
        (Change(_DB, "db = db + da.mean(axis=0)"),),
        (
            "All but db is right. By which factor is it off?",
            "b is added to each example. What does its gradient do with them?",
        ),
    ),
    Mistake(
        "dh0_without_step",
        "rnn_backward",
        "dh0 is the gradient of the first step's new state; it does not go through that step.",
        (Change(_RETURN, "return dx, dh_t, dWx, dWh, db"),),
        ("All but dh0 is right.", "Between h0 and h[:, 0] lies one more step. Is it in your dh0?"),
    ),
    Mistake(
        "walks_forward",
        "rnn_backward",
        "The way back is taken from the first step to the last.",
        (Change("for t in reversed(range(x.shape[1])):", "for t in range(x.shape[1]):"),),
        ("With T = 1 all is right.", "Whose gradient must be known before that of step t?"),
    ),
)

_START, _SLOPE = "norms = [np.linalg.norm(d, axis=1).mean()]", "slope = 1 - h[:, t] ** 2"
_BACK, _NORM, _ARRAY = (
    "d = (d * slope) @ Wh.T",
    "norms.append(np.linalg.norm(d, axis=1).mean())",
    "return np.array(norms)",
)


def _norms(what: str) -> tuple[Change, ...]:
    return Change(_START, f"norms = [{what}]"), Change(_NORM, f"norms.append({what})")


LAGS = (
    Mistake(
        "lag_no_slope",
        "gradient_by_lag",
        "The slopes of the tanh are missing: only the matrix acts.",
        (Change(_BACK, "d = d @ Wh.T"),),
        (
            "Change h: does your result change?",
            "One step back goes through the tanh first, and then through Wh.",
        ),
    ),
    Mistake(
        "lag_Wh_not_transposed",
        "gradient_by_lag",
        "On the way back, Wh is not transposed.",
        (Change(_BACK, "d = (d * slope) @ Wh"),),
        (
            "Compare one step with your rnn_backward.",
            "The shapes fit with Wh as well, because it is square.",
        ),
    ),
    Mistake(
        "lag_slope_late",
        "gradient_by_lag",
        (
            "The product with Wh is taken first and the slope of the same step after it; they "
            "belong the other way round."
        ),
        (Change(_BACK, "d = (d @ Wh.T) * slope"),),
        (
            "In h = tanh(x Wx + h_prev Wh + b), what comes last on the way forward?",
            "It comes first on the way back.",
        ),
    ),
    Mistake(
        "lag_from_the_start",
        "gradient_by_lag",
        "The slopes are taken from the first step on; lag 1 goes back through the last one.",
        (Change("for t in reversed(range(h.shape[1])):", "for t in range(h.shape[1]):"),),
        (
            "Through which step does the gradient go first on its way back from the end?",
            "With T = 1 your result is right.",
        ),
    ),
    Mistake(
        "lag_by_time",
        "gradient_by_lag",
        (
            "The entries stand in the order of time; this task asks for the order of the lag, with "
            "lag 0 first."
        ),
        (Change(_ARRAY, "return np.array(norms)[::-1]"),),
        (
            "Which entry of yours is the norm of dhT itself?",
            "Entry k is k steps back from the end.",
        ),
        convention=True,
    ),
    Mistake(
        "lag_zero_missing",
        "gradient_by_lag",
        "Lag 0 is missing: the first entry is one step back already.",
        (Change(_START, "norms = []"),),
        (
            "How many entries do you return? There are T + 1.",
            "With no step back, the gradient is dhT itself.",
        ),
    ),
    Mistake(
        "lag_h0_missing",
        "gradient_by_lag",
        "The last entry is missing, the gradient of h0.",
        (Change(_ARRAY, "return np.array(norms[:-1])"),),
        (
            "How many entries do you return? There are T + 1.",
            "The way goes on through the first step, to h0.",
        ),
    ),
    Mistake(
        "lag_norm_of_batch",
        "gradient_by_lag",
        (
            "The norm is taken over all examples together; the mean of the examples' norms is "
            "asked for."
        ),
        _norms("np.linalg.norm(d)"),
        (
            "With one example your result is right.",
            "Take the norm of each row of d, and then the mean.",
        ),
    ),
    Mistake(
        "lag_norm_of_mean",
        "gradient_by_lag",
        "The mean over the examples is taken before the norm; opposite gradients cancel.",
        _norms("np.linalg.norm(d.mean(axis=0))"),
        (
            "With one example your result is right.",
            "Two gradients that point against each other: what is your result?",
        ),
    ),
    Mistake(
        "lag_sum",
        "gradient_by_lag",
        "The norms of the examples are added up; their mean is asked for.",
        _norms("np.linalg.norm(d, axis=1).sum()"),
        ("With one example your result is right.", "By which factor is it off with three?"),
    ),
    Mistake(
        "lag_squared",
        "gradient_by_lag",
        "The squares of the norms are averaged: a square root is missing.",
        _norms("(d**2).sum(axis=1).mean()"),
        ("Double dhT: does your result double?", "A norm is the square root of a sum of squares."),
    ),
    Mistake(
        "lag_rms",
        "gradient_by_lag",
        (
            "The root of the mean square over all numbers is taken; the mean of the examples' "
            "norms is asked for."
        ),
        _norms("np.sqrt((d**2).mean())"),
        (
            "Take one example with dhT = (3, 4): what must stand at lag 0?",
            "A norm adds the squares up; it takes no mean of them.",
        ),
    ),
    Mistake(
        "lag_absolute",
        "gradient_by_lag",
        "Absolute values are taken in place of the Euclidean norm.",
        _norms("np.abs(d).sum(axis=1).mean()"),
        (
            "Take one example with dhT = (3, 4): what must stand at lag 0?",
            "The norm asked for is the Euclidean one.",
        ),
    ),
    Mistake(
        "lag_relative",
        "gradient_by_lag",
        "The norms are divided by that of lag 0; this task asks for the norms themselves.",
        (Change(_ARRAY, "return np.array(norms) / norms[0]"),),
        ("Is your first entry always 1?", "At lag 0 the norm of dhT is asked for."),
        convention=True,
    ),
)

_EIGEN, _LARGEST, _SCALED = (
    "eigenvalues = np.linalg.eigvals(W)",
    "largest = np.abs(eigenvalues).max()",
    "return W * (radius / largest)",
)
_ROTATION = "Try it on [[0, -2], [2, 0]], whose eigenvalues are 2i and -2i."

RADIUS = (
    Mistake(
        "spectral_norm",
        "scale_to_radius",
        "The largest singular value is scaled to the radius, and not the largest eigenvalue.",
        (Change(_LARGEST, "largest = np.linalg.norm(W, 2)"),),
        (
            "Try it on [[1, 10], [0, 1]]: what is its spectral radius?",
            "The spectral norm is never smaller than the spectral radius.",
        ),
    ),
    Mistake(
        "frobenius_norm",
        "scale_to_radius",
        "The Frobenius norm is scaled to the radius, and not the largest eigenvalue.",
        (Change(_LARGEST, "largest = np.linalg.norm(W)"),),
        (
            "Try it on the identity: what must come out for radius 1?",
            "Which norm does np.linalg.norm give for a matrix?",
        ),
    ),
    Mistake(
        "largest_entry",
        "scale_to_radius",
        "The largest entry is scaled to the radius, and not the largest eigenvalue.",
        (Change(_LARGEST, "largest = np.abs(W).max()"),),
        (
            "Try it on [[1, 1], [1, 1]]: what is its spectral radius?",
            "The radius is about eigenvalues, not about entries.",
        ),
    ),
    Mistake(
        "real_part",
        "scale_to_radius",
        "The largest real part of an eigenvalue is taken, and not its absolute value.",
        (Change(_LARGEST, "largest = eigenvalues.real.max()"),),
        ("Eigenvalues may be complex or negative.", _ROTATION),
    ),
    Mistake(
        "real_part_absolute",
        "scale_to_radius",
        "The imaginary part of the eigenvalues is dropped before the absolute value is taken.",
        (Change(_LARGEST, "largest = np.abs(eigenvalues.real).max()"),),
        ("Eigenvalues may be complex.", _ROTATION),
    ),
    Mistake(
        "mean_eigenvalue",
        "scale_to_radius",
        "The mean of the eigenvalues' absolute values is taken, and not the largest.",
        (Change(_LARGEST, "largest = np.abs(eigenvalues).mean()"),),
        (
            "Try it on a diagonal matrix with 1 and 3.",
            "One eigenvalue decides what happens over many steps. Which?",
        ),
    ),
    Mistake(
        "symmetric_solver",
        "scale_to_radius",
        "The eigenvalues are computed as if W were symmetric: half of it is not looked at.",
        (Change(_EIGEN, "eigenvalues = np.linalg.eigvalsh(W)"),),
        ("Which matrices is eigvalsh made for?", "Change W[0, 1] only: does your result notice?"),
    ),
    Mistake(
        "radius_forgotten",
        "scale_to_radius",
        "The result has the spectral radius 1, whatever radius is asked for.",
        (Change(_SCALED, "return W / largest"),),
        (
            "Which argument is never used?",
            "What is the spectral radius of your result for radius 0.5?",
        ),
    ),
    Mistake(
        "not_divided",
        "scale_to_radius",
        "W is multiplied by the radius, and its own spectral radius is not divided out.",
        (Change(_SCALED, "return W * radius"),),
        ("What is the spectral radius of 2 times a matrix?", "First bring the radius to 1."),
    ),
    Mistake(
        "radius_in_the_divisor",
        "scale_to_radius",
        "The factor is upside down.",
        (Change(_SCALED, "return W * (largest / radius)"),),
        (
            "Is your result larger or smaller than W, and which should it be?",
            "What is the spectral radius of W times a number?",
        ),
    ),
)

_TALL, _QR, _SIGN = (
    "tall = A if A.shape[0] >= A.shape[1] else A.T",
    "Q, R = np.linalg.qr(tall)",
    "Q = Q * np.sign(np.diag(R))",
)
_Q = "return Q if A.shape[0] >= A.shape[1] else Q.T"

ORTHOGONAL = (
    Mistake(
        "signs_left",
        "orthogonal",
        "The signs of Q are left as the library gives them.",
        (Change(_SIGN, ""),),
        (
            "Is every entry on the diagonal of R = Q.T @ A above 0?",
            "Which columns of Q must be turned round?",
        ),
    ),
    Mistake(
        "qr_as_it_is",
        "orthogonal",
        (
            "Q is returned as the library gives it: its signs are not fixed, and a wide matrix is "
            "not transposed first."
        ),
        (Change(_TALL, "tall = A"), Change(_SIGN, ""), Change(_Q, "return Q")),
        (
            "Is every entry on the diagonal of R = Q.T @ A above 0?",
            "For a wide A, what must Q @ Q.T be, and which shape has Q?",
        ),
    ),
    Mistake(
        "signs_on_rows",
        "orthogonal",
        "The signs are given to the rows of Q; they belong to its columns.",
        (Change(_SIGN, "Q = Q * np.sign(np.diag(R))[:, None]"),),
        (
            "Compute Q R with your Q: is it A, up to signs of columns?",
            "Which axis of Q does an entry of the diagonal of R belong to?",
        ),
    ),
    Mistake(
        "polar_factor",
        "orthogonal",
        (
            "This is the orthogonal matrix nearest to A, U V.T of its singular value "
            "decomposition; this task asks for Q of QR."
        ),
        (
            Change(_QR, "U, s, V = np.linalg.svd(tall, full_matrices=False)"),
            Change(_SIGN, "Q = U @ V"),
        ),
        (
            "Your matrix is orthogonal, and as good a start.",
            "Here the one is asked for whose Q.T @ A is upper triangular.",
        ),
        convention=True,
    ),
    Mistake(
        "unit_columns",
        "orthogonal",
        "The columns have length 1, and do not stand at right angles.",
        (
            Change(_QR, "R = np.eye(tall.shape[1])"),
            Change(_SIGN, "Q = tall / np.linalg.norm(tall, axis=0)"),
        ),
        (
            "Print Q.T @ Q: what stands off its diagonal?",
            "From each column, what the columns before it hold must be taken away.",
        ),
    ),
    Mistake(
        "whole_norm",
        "orthogonal",
        "A is divided by its norm: its columns neither have length 1 nor stand at right angles.",
        (
            Change(_QR, "R = np.eye(tall.shape[1])"),
            Change(_SIGN, "Q = tall / np.linalg.norm(tall)"),
        ),
        ("Print Q.T @ Q: is it the identity?", "No single factor makes a matrix orthogonal."),
    ),
    Mistake(
        "not_normalised",
        "orthogonal",
        "The columns stand at right angles, and their lengths are not 1.",
        (Change(_SIGN, "Q = Q * np.diag(R)"),),
        (
            "Print Q.T @ Q: what stands on its diagonal?",
            "Only the sign is wanted of the diagonal of R.",
        ),
    ),
    Mistake(
        "R_for_Q",
        "orthogonal",
        "R is returned where Q is asked for.",
        (Change(_SIGN, "Q = R * np.sign(np.diag(R))[:, None]"),),
        (
            "Is your result orthogonal? Print it times its transpose.",
            "Which of the two factors of QR is orthogonal?",
        ),
    ),
    Mistake(
        "wide_not_transposed",
        "orthogonal",
        "A wide matrix is not transposed first: only a square part of it comes back.",
        (Change(_TALL, "tall = A"), Change(_Q, "return Q")),
        (
            "With more rows than columns your result is right.",
            "For a wide A, what must Q @ Q.T be, and which shape has Q?",
        ),
    ),
    Mistake(
        "wide_left_transposed",
        "orthogonal",
        "For a wide matrix, the result is not turned back: it has the shape of A.T.",
        (Change(_Q, "return Q"),),
        (
            "With more rows than columns your result is right.",
            "Compare the shapes of A and of your result.",
        ),
    ),
)

_SQUARES, _TOTAL = (
    "squares = [(g**2).sum() for g in grads.values()]",
    "norm = np.sqrt(sum(squares))",
)
_SCALE, _CLIPPED = (
    "scale = max_norm / norm if norm > max_norm else 1.0",
    "clipped = {name: g * scale for name, g in grads.items()}",
)
_PAIR = "return clipped, norm"
_DIRECTION = "Is the direction kept? Divide your clipped gradients by the old ones, entry by entry."

CLIP = (
    Mistake(
        "clip_per_array",
        "clip_by_norm",
        "Each array is clipped on its own; all of them together have one norm and one factor.",
        (
            Change(
                _CLIPPED,
                (
                    "clipped = {name: g * min(1.0, max_norm / max(np.linalg.norm(g), 1e-300)) for "
                    "name, g in grads.items()}"
                ),
            ),
        ),
        (_DIRECTION, "How many factors are there? There should be one."),
    ),
    Mistake(
        "clip_by_value",
        "clip_by_norm",
        "Each entry is cut off at max_norm; the length of the whole gradient is what is limited.",
        (
            Change(
                _CLIPPED,
                "clipped = {name: np.clip(g, -max_norm, max_norm) for name, g in grads.items()}",
            ),
        ),
        (_DIRECTION, "What is the norm of your clipped gradients, all together?"),
    ),
    Mistake(
        "always_scaled",
        "clip_by_norm",
        "A gradient that is short enough is made longer: the factor is above 1.",
        (Change(_SCALE, "scale = max_norm / norm if norm > 0 else 1.0"),),
        (
            "What must happen to a gradient that is shorter than max_norm?",
            "Clipping makes shorter only.",
        ),
    ),
    Mistake(
        "never_scaled",
        "clip_by_norm",
        "Only the norm is computed: the gradients come back as they were.",
        (Change(_CLIPPED, "clipped = {name: g * 1.0 for name, g in grads.items()}"),),
        ("What is the norm of what you return?", "Is the factor used?"),
    ),
    Mistake(
        "norm_not_rooted",
        "clip_by_norm",
        "The square root is missing: the sum of squares is taken for the norm.",
        (Change(_TOTAL, "norm = sum(squares)"),),
        (
            "Take one array with the entries 3 and 4: what is the norm?",
            "How does the norm change when all entries are doubled?",
        ),
    ),
    Mistake(
        "sum_of_norms",
        "clip_by_norm",
        "The norms of the arrays are added up; their squares must be.",
        (Change(_TOTAL, "norm = sum(np.sqrt(squares))"),),
        (
            "Take the arrays (3,) and (4,): what is the norm of both together?",
            "Put all entries into one long vector.",
        ),
    ),
    Mistake(
        "largest_norm",
        "clip_by_norm",
        "The largest of the arrays' norms is taken for that of all together.",
        (Change(_TOTAL, "norm = np.sqrt(max(squares))"),),
        (
            "Take the arrays (3,) and (4,): what is the norm of both together?",
            "Put all entries into one long vector.",
        ),
    ),
    Mistake(
        "rms_for_norm",
        "clip_by_norm",
        "The root of the mean square is taken; the norm adds the squares up.",
        (Change(_TOTAL, "norm = np.sqrt(sum(squares) / sum(g.size for g in grads.values()))"),),
        (
            "Take one array with the entries 3 and 4: what is the norm?",
            "Is there a mean in your norm?",
        ),
    ),
    Mistake(
        "sum_of_absolute_values",
        "clip_by_norm",
        "Absolute values are added up; the Euclidean norm is asked for.",
        (Change(_TOTAL, "norm = sum(np.abs(g).sum() for g in grads.values())"),),
        (
            "Take one array with the entries 3 and 4: what is the norm?",
            "Which norm do you compute?",
        ),
    ),
    Mistake(
        "largest_entry_clipped",
        "clip_by_norm",
        "The largest entry is taken for the norm.",
        (Change(_TOTAL, "norm = max(np.abs(g).max() for g in grads.values())"),),
        (
            "Take one array with the entries 3 and 4: what is the norm?",
            "All entries have a share in the norm.",
        ),
    ),
    Mistake(
        "bias_left_out",
        "clip_by_norm",
        "The bias is left out of the norm.",
        (Change(_SQUARES, "squares = [(g**2).sum() for g in grads.values() if g.ndim > 1]"),),
        (
            "Change the gradient of b only: does your norm change?",
            "All arrays have a share in the norm, whatever their shape.",
        ),
    ),
    Mistake(
        "norm_after",
        "clip_by_norm",
        "The norm that comes back is the one after clipping; the one before is asked for.",
        (Change(_PAIR, "return clipped, norm * scale"),),
        (
            "Can your norm be larger than max_norm?",
            "The number to watch in training is the norm before it was clipped.",
        ),
    ),
)

_TIMES, _LOG, _I = "times = 1 + u * (longest - 2)", "f = np.log(times)", "i = -f"
_IH, _HH = "bias_ih = np.concatenate([i, f, g, o])", "bias_hh = np.zeros_like(bias_ih)"
_SIGMOID = "sigmoid(log m) = m / (1 + m): for which bias does a unit forget in about m steps?"

CHRONO = (
    Mistake(
        "bias_twice",
        "chrono_biases",
        "Both biases hold the whole start. The layer adds them: every gate gets it twice.",
        (Change(_HH, "bias_hh = bias_ih.copy()"),),
        ("PyTorch adds its two biases. What is their sum?", "One of the two may be zero."),
    ),
    Mistake(
        "input_gate_open",
        "chrono_biases",
        "The input gate is left at 0: what is kept long is added up too fast.",
        (Change(_I, "i = np.zeros_like(f)"),),
        (
            "Which block of b is never set?",
            "The input gate gets the negative of the forget gate's bias.",
        ),
    ),
    Mistake(
        "input_gate_sign",
        "chrono_biases",
        "The input gate gets the forget gate's bias with the same sign.",
        (Change(_I, "i = f"),),
        (
            "What is i + f at the start in your layer? It should be 1.",
            "A unit that forgets slowly must write slowly.",
        ),
    ),
    Mistake(
        "forget_gate_only_one",
        "chrono_biases",
        "The forget gate gets 1 everywhere: that is the usual start and not the chrono one.",
        (Change(_LOG, "f = np.ones_like(times)"),),
        ("Does your result depend on u?", _SIGMOID),
    ),
    Mistake(
        "no_log",
        "chrono_biases",
        "The logarithm is missing: the times themselves are the biases.",
        (Change(_LOG, "f = times"),),
        ("What is sigmoid(30)? For how many steps does such a unit remember?", _SIGMOID),
    ),
    Mistake(
        "log_of_base_ten",
        "chrono_biases",
        "The logarithm has base 10; the natural one belongs to the sigmoid.",
        (Change(_LOG, "f = np.log10(times)"),),
        ("By which factor is your forget gate's bias off?", _SIGMOID),
    ),
    Mistake(
        "gates_exchanged",
        "chrono_biases",
        (
            "Forget gate and input gate have each other's bias: either their signs are exchanged, "
            "or their blocks."
        ),
        (Change(_LOG, "f = -np.log(times)"),),
        ("Is your forget gate open at the start? Its block is the second one.", _SIGMOID),
    ),
    Mistake(
        "times_from_zero",
        "chrono_biases",
        "The times start at 0: the logarithm of a number below 1 is negative.",
        (Change(_TIMES, "times = u * (longest - 1)"),),
        ("Which time belongs to u = 0?", "The times go evenly from 1 to longest - 1."),
    ),
    Mistake(
        "times_to_longest",
        "chrono_biases",
        "The times go up to longest; this task asks for times up to longest - 1.",
        (Change(_TIMES, "times = 1 + u * (longest - 1)"),),
        ("Which time belongs to u = 1?", "The times go evenly from 1 to longest - 1."),
        convention=True,
    ),
    Mistake(
        "times_too_long",
        "chrono_biases",
        "The times go from 1 to longest + 1: the 1 is added, and not taken off the range.",
        (Change(_TIMES, "times = 1 + u * longest"),),
        ("Which time belongs to u = 1?", "The times go evenly from 1 to longest - 1."),
    ),
    Mistake(
        "spread_in_the_log",
        "chrono_biases",
        "The biases are spread evenly; the times should be, and their logarithms are the biases.",
        (Change(_LOG, "f = u * np.log(longest - 1)"),),
        ("Which time belongs to u = 1/2?", "First the times, then the logarithm."),
    ),
    Mistake(
        "forget_block_third",
        "chrono_biases",
        "The forget gate's bias stands in the third block; PyTorch has i, f, g, o.",
        (Change(_IH, "bias_ih = np.concatenate([i, g, f, o])"),),
        (
            "Which block does PyTorch put second?",
            "In which block of H entries does your forget gate's bias stand?",
        ),
        convention=True,
    ),
)

_AX, _MX = (
    "a_r, a_z, a_n = np.split(x @ Wx + b, 3, axis=1)",
    "m_r, m_z, m_n = np.split(h_prev @ Wh, 3, axis=1)",
)
_R, _Z, _N, _GRU = (
    "r = sigmoid(a_r + m_r)",
    "z = sigmoid(a_z + m_z)",
    "n = np.tanh(a_n + r * (m_n + bh))",
    "h = (1 - z) * n + z * h_prev",
)
_SCALAR = "Work it out for one example with D = H = 1."

GRU = (
    Mistake(
        "reset_before",
        "gru_step",
        (
            "The reset gate acts on h_prev before the product with Wh, as in the paper; here it "
            "acts after it, as in PyTorch."
        ),
        (Change(_N, "n = np.tanh(a_n + bh + (r * h_prev) @ Wh[:, 2 * h_prev.shape[1] :])"),),
        (
            "With H = 1 and bh = 0 your result is right.",
            "Is r multiplied with a state, or with a product of the state?",
        ),
        convention=True,
    ),
    Mistake(
        "z_exchanged",
        "gru_step",
        (
            "z and 1 - z are exchanged; some papers write it so. Here z says how much of the old "
            "state is kept."
        ),
        (Change(_GRU, "h = z * n + (1 - z) * h_prev"),),
        ("What must h be where z is 1?", "Compare the last equation with your line."),
        convention=True,
    ),
    Mistake(
        "blocks_zrn",
        "gru_step",
        (
            "The blocks are taken in the order z, r, n, that of Keras; here they stand in the "
            "order r, z, n, that of PyTorch."
        ),
        (
            Change(_AX, "a_z, a_r, a_n = np.split(x @ Wx + b, 3, axis=1)"),
            Change(_MX, "m_z, m_r, m_n = np.split(h_prev @ Wh, 3, axis=1)"),
        ),
        (
            "Which columns of Wx do you give to which gate?",
            "Your equations are right, up to the names of the gates.",
        ),
        convention=True,
    ),
    Mistake(
        "bh_outside",
        "gru_step",
        "bh is added outside of the reset gate: it must be shut off together with the old state.",
        (Change(_N, "n = np.tanh(a_n + bh + r * m_n)"),),
        (
            "Where r is 0, may bh have an effect?",
            "Which of the two biases stands inside of the brackets?",
        ),
    ),
    Mistake(
        "bh_missing",
        "gru_step",
        "bh, the second bias of the candidate, is missing.",
        (Change(_N, "n = np.tanh(a_n + r * m_n)"),),
        ("Which argument is never used?", "The candidate has two biases."),
    ),
    Mistake(
        "reset_on_all",
        "gru_step",
        "The reset gate acts on the input's share of the candidate, too.",
        (Change(_N, "n = np.tanh(r * (a_n + m_n + bh))"),),
        (
            "Where r is 0, does your candidate still see the input?",
            "The reset gate hides the old state only.",
        ),
    ),
    Mistake(
        "no_reset",
        "gru_step",
        "The reset gate has no effect on the candidate.",
        (Change(_N, "n = np.tanh(a_n + m_n + bh)"),),
        ("Change b in the block of r: does your h change?", "r belongs into the equation of n."),
    ),
    Mistake(
        "update_for_reset",
        "gru_step",
        "The candidate is made with z in the place of r.",
        (Change(_N, "n = np.tanh(a_n + z * (m_n + bh))"),),
        (
            "Change b in the block of r: does your h change?",
            "Which gate belongs into the equation of n?",
        ),
    ),
    Mistake(
        "reset_for_update",
        "gru_step",
        "The new state is mixed with r in the place of z.",
        (Change(_GRU, "h = (1 - r) * n + r * h_prev"),),
        (
            "Change b in the block of z: does your h change?",
            "Which gate belongs into the last equation?",
        ),
    ),
    Mistake(
        "candidate_added",
        "gru_step",
        "The candidate is added whole: its factor 1 - z is missing.",
        (Change(_GRU, "h = n + z * h_prev"),),
        (
            "Can your h leave the range of its two parts?",
            "The new state is a weighted mean. Do the weights add up to 1?",
        ),
    ),
    Mistake(
        "old_state_whole",
        "gru_step",
        "The old state is kept whole: its factor z is missing.",
        (Change(_GRU, "h = (1 - z) * n + h_prev"),),
        (
            "Can your h leave the range of its two parts?",
            "The new state is a weighted mean. Do the weights add up to 1?",
        ),
    ),
    Mistake(
        "candidate_sigmoid",
        "gru_step",
        "The candidate goes through a sigmoid; it needs a tanh.",
        (Change(_N, "n = sigmoid(a_n + r * (m_n + bh))"),),
        ("Can your candidate be negative?", "Gates lie between 0 and 1. Is n a gate?"),
    ),
    Mistake(
        "candidate_linear",
        "gru_step",
        "The tanh of the candidate is missing.",
        (Change(_N, "n = a_n + r * (m_n + bh)"),),
        ("Between which numbers must your candidate lie?", _SCALAR),
    ),
    Mistake(
        "tanh_of_state",
        "gru_step",
        "The new state goes through one more tanh, as in an LSTM.",
        (Change(_GRU, "h = np.tanh((1 - z) * n + z * h_prev)"),),
        ("Where z is 1, is the old state kept as it is?", "h is a plain weighted mean here."),
    ),
    Mistake(
        "gru_no_bias",
        "gru_step",
        "The bias b is missing.",
        (Change(_AX, "a_r, a_z, a_n = np.split(x @ Wx, 3, axis=1)"),),
        ("Which argument is never used?", "Set x and h_prev to zero: what must r be?"),
    ),
    Mistake(
        "gates_without_state",
        "gru_step",
        "The gates are made from the input alone: they do not see the old state.",
        (Change(_R, "r = sigmoid(a_r)"), Change(_Z, "z = sigmoid(a_z)")),
        ("Change h_prev: do r and z change?", "Each gate has a share of x and one of h_prev."),
    ),
    Mistake(
        "gates_without_sigmoid",
        "gru_step",
        "The gates are not squashed: the sigmoid is missing.",
        (Change(_R, "r = a_r + m_r"), Change(_Z, "z = a_z + m_z")),
        ("Between which numbers must r and z lie?", _SCALAR),
    ),
)

MISTAKES = (*FORWARD, *BACKWARD, *LAGS, *RADIUS, *ORTHOGONAL, *CLIP, *CHRONO, *GRU)
