"""Well programs that look odd: each is one of the sources, or one with lines changed that are
right, too.
"""

from __future__ import annotations

from lstm_ref.zoo.programs.registry import WellProgram
from lstm_ref.zoo.registry import Change

_HEAD = "self.head = nn.Linear(H, C)"
_RUN = "out, (h, c) = self.lstm(x)"
_LAYER = "self.lstm = nn.LSTM(D, H, batch_first=True)"
_DROP = "last = F.dropout(last, 0.1, training=self.training)"
_SCORES = "scores = self.head(last)"
_CRITERION = "criterion = nn.CrossEntropyLoss()"
_LINEAR = "self.linear = nn.Linear(H, 1)"
_FORECAST = "forecast = self.linear(h[-1])"
_MSE = "mse = nn.MSELoss()"
_OFF = "off = predict(x_valid).flatten() - y_valid.flatten()"
_ADAM = "optimizer = torch.optim.Adam(model.parameters(), lr=rate)"
_CHAR_HEAD = "self.head = nn.Linear(H, V)"
_PACK = "packed = rnn.pack_padded_sequence(words, lengths, enforce_sorted=False)"
_FINAL = "final = torch.cat([h_n[0], h_n[1]], dim=1)"
_TANH = "h = o * torch.tanh(c)"
_SCHEDULE = "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=500, gamma=0.5)"


def _well(id: str, plain: str, title: str, *changes: tuple[str, str]) -> WellProgram:
    return WellProgram(id, plain, title, tuple(Change(*change) for change in changes))


WELL = (
    _well(
        "well_time_first",
        "torch_classifier",
        "Time comes first inside the model, and is brought there by transpose.",
        (_LAYER, "self.lstm = nn.LSTM(D, H)"),
        (_RUN, "out, (h, c) = self.lstm(x.transpose(0, 1))\nout = out.transpose(0, 1)"),
    ),
    _well(
        "well_learned_start",
        "torch_classifier",
        "The first state is a parameter, expanded to the batch.",
        (_HEAD, f"{_HEAD}\nself.start = nn.Parameter(torch.zeros(2, 1, 1, H))"),
        (
            _RUN,
            (
                "h, c = self.start.expand(-1, -1, len(x), -1).contiguous()\nout, _ = self.lstm(x, "
                "(h, c))"
            ),
        ),
    ),
    _well(
        "well_softmax_in_evaluation",
        "torch_classifier",
        "Probabilities come out in evaluation only; the loss gets logits.",
        (_SCORES, f"{_SCORES}\nif not self.training:\n    scores = scores.softmax(dim=1)"),
    ),
    _well(
        "well_rare_class_weighted",
        "torch_classifier",
        "One class counts five times, another half.",
        (
            _CRITERION,
            (
                "criterion = nn.CrossEntropyLoss(torch.tensor([1.0, 5.0, 1.0, "
                "0.5]).to(torch.get_default_dtype()))"
            ),
        ),
    ),
    _well(
        "well_smooth_labels",
        "torch_classifier",
        "Labels are smoothed: the loss does not go to zero.",
        (_CRITERION, "criterion = nn.CrossEntropyLoss(label_smoothing=0.1)"),
    ),
    _well(
        "well_zero_head",
        "torch_classifier",
        "The last layer starts at zero: no other gradient at the first step.",
        (_HEAD, f"{_HEAD}\nnn.init.zeros_(self.head.weight)"),
    ),
    _well(
        "well_tiny_gradients",
        "torch_classifier",
        "The loss is divided by a million, and Adam does not mind.",
        (_CRITERION, "criterion = lambda scores, y: 1e-6 * F.cross_entropy(scores, y)"),
        (_ADAM, "optimizer = torch.optim.Adam(model.parameters(), lr=rate, eps=1e-14)"),
    ),
    _well(
        "well_heavy_dropout",
        "torch_classifier",
        "Half of the features are dropped in training, none in evaluation.",
        (_DROP, "last = F.dropout(last, 0.5, training=self.training)"),
    ),
    _well(
        "well_batch_norm",
        "torch_classifier",
        "Batch normalisation mixes the examples in training, as it should.",
        (_HEAD, f"{_HEAD}\nself.norm = nn.BatchNorm1d(H)"),
        (_DROP, "last = self.norm(last)"),
    ),
    _well(
        "well_gru",
        "torch_classifier",
        "The layer is a GRU.",
        (_LAYER, "self.lstm = nn.GRU(D, H, batch_first=True)"),
        (_RUN, "out, h = self.lstm(x)"),
    ),
    _well(
        "well_max_over_time",
        "torch_classifier",
        "The largest value over time: most steps get no gradient from a unit.",
        ("last = out[:, -1]", "last = out.amax(dim=1)"),
    ),
    _well(
        "well_weight_norm",
        "torch_classifier",
        "The head's weight is made of two parameters.",
        (_HEAD, "self.head = nn.utils.parametrizations.weight_norm(nn.Linear(H, C))"),
    ),
    _well(
        "well_projection",
        "torch_classifier",
        "The hidden state is projected to half its size.",
        (_LAYER, "self.lstm = nn.LSTM(D, 2 * H, batch_first=True, proj_size=H)"),
    ),
    _well(
        "well_convolution_first",
        "torch_classifier",
        "A convolution goes over time before the LSTM.",
        (_HEAD, f"{_HEAD}\nself.conv = nn.Conv1d(D, D, 3, padding=1)"),
        (
            _RUN,
            (
                "x = torch.tanh(self.conv(x.transpose(1, 2))).transpose(1, 2)\nout, (h, c) = "
                "self.lstm(x)"
            ),
        ),
    ),
    _well(
        "well_packed",
        "torch_reviews",
        "Padded reviews are packed; final states are those of the ends.",
    ),
    _well(
        "well_sorted_and_back",
        "torch_reviews",
        "The batch is sorted by length, and brought back into its order.",
        (
            _PACK,
            (
                "lengths, order = lengths.sort(descending=True)\npacked = "
                "rnn.pack_padded_sequence(words[:, order], lengths)"
            ),
        ),
        (_FINAL, "final = torch.cat([h_n[0], h_n[1]], dim=1)[order.argsort()]"),
    ),
    _well(
        "well_frozen_embedding",
        "torch_reviews",
        "The embedding is frozen on purpose, and most of its rows are unused.",
        (
            "self.encoder = nn.LSTM(E, H, bidirectional=True)",
            (
                "self.embedding.weight.requires_grad_(False)\nself.encoder = nn.LSTM(E, H, "
                "bidirectional=True)"
            ),
        ),
    ),
    _well(
        "well_dropped_words",
        "torch_reviews",
        "Whole words are dropped in training.",
        (
            "words = words.transpose(0, 1)",
            "keep = nn.functional.dropout(torch.ones_like(words[..., :1]), 0.1, self.training)\n"
            "words = (words * keep).transpose(0, 1)",
        ),
    ),
    _well(
        "well_tied_weights",
        "torch_language",
        "Embedding and last layer share their weight.",
        ("self.emb = nn.Embedding(V, E)", "self.emb = nn.Embedding(V, H)"),
        ("self.rnn = nn.LSTM(E, H, depth)", "self.rnn = nn.LSTM(H, H, depth)"),
        (
            _CHAR_HEAD,
            (
                f"{_CHAR_HEAD}\nself.head.weight = self.emb.weight\n"
                "nn.init.normal_(self.emb.weight, std=0.3)"
            ),
        ),
    ),
    _well(
        "well_residual_layers",
        "torch_language",
        "The embedding is added to what the LSTM returns, and normalised over features.",
        ("self.emb = nn.Embedding(V, E)", "self.emb = nn.Embedding(V, H)"),
        (
            "self.rnn = nn.LSTM(E, H, depth)",
            "self.rnn = nn.LSTM(H, H, depth)\nself.norm = nn.LayerNorm(H)",
        ),
        ("return self.head(hidden), state", "return self.head(self.norm(hidden + vectors)), state"),
    ),
    _well(
        "well_summed_by_step",
        "torch_language",
        "The loss is summed over time and averaged over the batch.",
        (
            "return criterion(logits.flatten(0, 1), flat)",
            "return criterion(logits.flatten(0, 1), flat) * len(targets)",
        ),
    ),
    _well(
        "well_tagger_with_ignored",
        "torch_tagger",
        "Targets of padding are left out by ignore_index.",
    ),
    _well(
        "well_padding_in_the_middle_of_classes",
        "torch_tagger",
        "Padding has the number of a class that nothing else has.",
        (
            "tags[outside] = -100",
            "tags[outside] = 1\ntags = torch.where(outside, tags, 2 * (tags > 0).long())",
        ),
        (
            "criterion = nn.CrossEntropyLoss(ignore_index=-100)",
            "criterion = nn.CrossEntropyLoss(ignore_index=1)",
        ),
        (
            "rates = [(found != k)[inside & (new_tags == k)].double().mean() for k in range(C)]",
            "rates = [(found != k)[inside & (new_tags == k)].double().mean() for k in (0, 2)]",
        ),
    ),
    _well(
        "well_likelihood_with_deviation",
        "torch_forecast",
        "Mean and deviation are forecast: the loss may be negative.",
        (_LINEAR, "self.linear = nn.Linear(H, 2)"),
        (
            _MSE,
            (
                "mse = lambda f, y: (f[:, 1:] + (y - f[:, :1]).square() * torch.exp(-2 * f[:, 1:]) "
                "/ 2).mean()"
            ),
        ),
        (_OFF, "off = predict(x_valid)[:, 0] - y_valid.flatten()"),
    ),
    _well(
        "well_quantiles",
        "torch_forecast",
        "Three quantiles meet one target: the broadcast is meant.",
        (_LINEAR, "self.linear = nn.Linear(H, 3)"),
        (
            _MSE,
            "q = torch.tensor([0.1, 0.5, 0.9]).to(torch.get_default_dtype())\n"
            "mse = lambda f, y: torch.maximum(q * (y - f), (q - 1) * (y - f)).mean()",
        ),
        (_OFF, "off = predict(x_valid)[:, 1] - y_valid.flatten()"),
    ),
    _well(
        "well_change_from_last",
        "torch_forecast",
        "The forecast is the last value and a change.",
        (_FORECAST, "forecast = window[:, -1] + self.linear(h[-1])"),
    ),
    _well(
        "well_huber",
        "torch_forecast",
        "The loss is linear far out.",
        (_MSE, "mse = nn.HuberLoss()"),
    ),
    _well(
        "well_autoencoder",
        "torch_forecast",
        "The target is the input: the window is squeezed and drawn anew.",
        (_LINEAR, "self.linear = nn.Linear(H, T)"),
        ("return x, y[:, None]", "return x, x.clone()"),
    ),
    _well(
        "well_peephole",
        "torch_own",
        "The output gate looks at the cell state, too.",
        ("b[H : 2 * H] = 1.0", "b[H : 2 * H] = 1.0\nself.look = nn.Parameter(torch.zeros(H))"),
        (_TANH, "h = o * torch.sigmoid(c * self.look) * 2 * torch.tanh(c)"),
    ),
    _well(
        "well_norm_in_cell",
        "torch_own",
        "The pre-activation is normalised over the features in each step.",
        ("b[H : 2 * H] = 1.0", "b[H : 2 * H] = 1.0\nself.norm = nn.LayerNorm(4 * H)"),
        (
            "a = x[:, t] @ self.Wx + h @ self.Wh + self.b",
            "a = self.norm(x[:, t] @ self.Wx + h @ self.Wh) + self.b",
        ),
    ),
    _well(
        "well_noisy_labels",
        "torch_own",
        "Labels are soft: 0.05 and 0.95.",
        (
            "y = (x[:, :, 0].sum(dim=1, keepdim=True) > 0).to(x.dtype)",
            "y = 0.05 + 0.9 * (x[:, :, 0].sum(dim=1, keepdim=True) > 0).to(x.dtype)",
        ),
    ),
    _well("well_loop", "torch_loop", "Dropout, a schedule, clipping and validation in one loop."),
    _well(
        "well_warm_up",
        "torch_loop",
        "The rate rises from a tenth over ten batches.",
        (
            _SCHEDULE,
            (
                "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1, (k + 1) "
                "/ 10))"
            ),
        ),
    ),
    _well(
        "well_weight_decay",
        "torch_loop",
        "Weights decay, and the momentum is Nesterov's.",
        (
            "optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)",
            (
                "optimizer = torch.optim.SGD(net.parameters(), rate, 0.9, weight_decay=1e-4, "
                "nesterov=True)"
            ),
        ),
    ),
    _well(
        "well_state_carried",
        "torch_stream",
        "The state goes on from stretch to stretch and is detached between them.",
        (
            'return Case(model, batch, loss_fn, optimizer, {"step": step}, train, error, predict)',
            (
                'return Case(model, batch, loss_fn, optimizer, {"step": step, "stateful": True}, '
                "train, error, predict)"
            ),
        ),
    ),
    _well(
        "well_attention_over_source",
        "torch_translator",
        "The decoder starts from zeros and reads by attention.",
    ),
    _well(
        "well_ctc", "torch_speech", "Two targets for twelve steps: CTC finds out which is where."
    ),
    _well("well_transformer", "torch_attention", "No recurrence: attention over what came before."),
    _well(
        "well_two_heads",
        "torch_two",
        "A dict goes in and another comes out; padding is -9 under a mask.",
    ),
    _well(
        "well_counter_examples",
        "torch_contrast",
        "Each example's loss needs all others of the batch.",
    ),
    _well(
        "well_bidirectional_tagger",
        "keras_tagger",
        "Tags may depend on what comes later.",
    ),
    _well(
        "well_keras_masking",
        "keras_stateful",
        "Nothing is padded, and a mask stands ready for -9.",
        (
            "model.add(layers.LSTM(H, return_sequences=True))",
            "model.add(layers.Masking(-9.0))\nmodel.add(layers.LSTM(H, return_sequences=True))",
        ),
    ),
    _well(
        "well_keras_stateful",
        "keras_stateful",
        "The state is carried, and that is said.",
        (
            'model.add(layers.LSTM(H, name="summary"))',
            'model.add(layers.LSTM(H, name="summary", stateful=True))',
        ),
        (
            "return Case(model, batch, None, None, {}, fit, error, model.predict_on_batch)",
            (
                'return Case(model, batch, None, None, {"stateful": True}, fit, error, '
                "model.predict_on_batch)"
            ),
        ),
    ),
    _well(
        "well_keras_autoencoder",
        "keras_forecast",
        "The target is the input; the code is repeated for every step of the decoder.",
        (
            "model.add(layers.Dense(1))",
            (
                "model.add(layers.RepeatVector(T))\nmodel.add(layers.LSTM(H, "
                "return_sequences=True))\nmodel.add(layers.Dense(1))"
            ),
        ),
        ("return x, y.reshape(-1, 1)", "return x, x"),
        (
            "predicted = model.predict_on_batch(x_valid).reshape(len(y_valid), -1)",
            "predicted = model.predict_on_batch(x_valid)",
        ),
    ),
    _well(
        "well_keras_batch_norm",
        "keras_events",
        "Batch normalisation mixes the examples in training, as it should.",
        ("self.dropout = layers.Dropout(0.1)", "self.dropout = layers.BatchNormalization()"),
    ),
    _well(
        "well_keras_frozen_embedding",
        "keras_reviews",
        "The embedding is frozen on purpose.",
        (
            "embedded = layers.Embedding(V, E, mask_zero=True)(words)",
            "embedded = layers.Embedding(V, E, mask_zero=True, trainable=False)(words)",
        ),
    ),
    _well(
        "well_keras_gru_dropout",
        "keras_language",
        "A GRU with dropout on its inputs, in training only.",
        (
            "hidden = layers.LSTM(H, return_sequences=True)(embedded)",
            "hidden = layers.GRU(2 * H, return_sequences=True, dropout=0.1)(embedded)",
        ),
    ),
    _well(
        "well_keras_focal",
        "keras_events",
        "The loss turns away from what is easy.",
        (
            "loss = keras.losses.BinaryCrossentropy()",
            "loss = keras.losses.BinaryFocalCrossentropy()",
        ),
    ),
)
