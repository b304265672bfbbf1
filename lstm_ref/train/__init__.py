"""One training loop for three engines: a model in NumPy, in PyTorch or in Keras.

You say what a step is: the loss of the model on one batch. `train` does the rest, in the same way
for all three.

    engine = NumpyEngine(params, step)  # or TorchEngine(model, step), KerasEngine(...)
    history = train(engine, batches, steps=500, lr=0.01, clip=1.0, validation=validation_batches,
    patience=3)

Read `lstm_ref.train.loop` first: the loop itself. The engines say how each library computes and
changes; the other modules do what every long run needs: a history, the best weights, checkpoints,
random numbers that go on where they stopped.
"""

from typing import TYPE_CHECKING, Any

from lstm_ref.errors import CheckpointError, DivergedError
from lstm_ref.learn.beam import Hypothesis, beam_search
from lstm_ref.train.engine import Engine
from lstm_ref.train.history import History
from lstm_ref.train.loop import mean_loss, train
from lstm_ref.train.numpy_engine import NumpyEngine
from lstm_ref.train.randomness import set_seed

if TYPE_CHECKING:
    from lstm_ref.train.keras_engine import KerasEngine
    from lstm_ref.train.sentences import SentenceClassifier, class_scores, fit_sentences
    from lstm_ref.train.summariser import Pointer, SummaryWords, copy_loss, fit_summaries, summarise
    from lstm_ref.train.torch_engine import TorchEngine
    from lstm_ref.train.translator import (
        Translator,
        fit_translator,
        teacher_forced,
        translate,
        translate_beam,
    )

__all__ = [
    "CheckpointError",
    "DivergedError",
    "Engine",
    "History",
    "Hypothesis",
    "KerasEngine",
    "NumpyEngine",
    "Pointer",
    "SentenceClassifier",
    "SummaryWords",
    "TorchEngine",
    "Translator",
    "beam_search",
    "class_scores",
    "copy_loss",
    "fit_sentences",
    "fit_summaries",
    "fit_translator",
    "mean_loss",
    "set_seed",
    "summarise",
    "teacher_forced",
    "train",
    "translate",
    "translate_beam",
]


def __getattr__(name: str) -> Any:
    """Import PyTorch or Keras where its engine is asked for, and not before."""
    if name == "TorchEngine":
        from lstm_ref.train.torch_engine import TorchEngine

        return TorchEngine
    if name == "KerasEngine":
        from lstm_ref.train.keras_engine import KerasEngine

        return KerasEngine
    if name in ("SentenceClassifier", "class_scores", "fit_sentences"):
        from lstm_ref.train import sentences

        return getattr(sentences, name)
    if name in ("Translator", "fit_translator", "teacher_forced", "translate", "translate_beam"):
        from lstm_ref.train import translator

        return getattr(translator, name)
    if name in ("Pointer", "SummaryWords", "copy_loss", "fit_summaries", "summarise"):
        from lstm_ref.train import summariser

        return getattr(summariser, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
