"""One training loop for three engines: a model in NumPy, in PyTorch or in Keras.

You say what a step is: the loss of the model on one batch. `train` does the rest, in the same way for all three.

    engine = NumpyEngine(params, step)            # or TorchEngine(model, step), KerasEngine(model, step)
    history = train(engine, batches, steps=500, lr=0.01, clip=1.0, validation=validation_batches, patience=3)

Read `lstm_ref.train.loop` first: the loop itself. The engines say how each library computes and changes; the other modules
do what every long run needs: a history, the best weights, checkpoints, random numbers that go on where they stopped.
"""

from typing import TYPE_CHECKING, Any

from lstm_ref.errors import CheckpointError, DivergedError
from lstm_ref.train.engine import Engine
from lstm_ref.train.history import History
from lstm_ref.train.loop import mean_loss, train
from lstm_ref.train.numpy_engine import NumpyEngine
from lstm_ref.train.randomness import set_seed

if TYPE_CHECKING:
    from lstm_ref.train.keras_engine import KerasEngine
    from lstm_ref.train.torch_engine import TorchEngine

__all__ = [
    "CheckpointError",
    "DivergedError",
    "Engine",
    "History",
    "KerasEngine",
    "NumpyEngine",
    "TorchEngine",
    "mean_loss",
    "set_seed",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import PyTorch or Keras where its engine is asked for, and not before."""
    if name == "TorchEngine":
        from lstm_ref.train.torch_engine import TorchEngine

        return TorchEngine
    if name == "KerasEngine":
        from lstm_ref.train.keras_engine import KerasEngine

        return KerasEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
