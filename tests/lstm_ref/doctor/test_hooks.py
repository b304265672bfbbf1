"""The doctor in loops that exist: it examines once, and the loop goes on as if it had not."""

import sys
import types

import pytest
import torch
from torch import nn

from lstm_ref import doctor
from lstm_ref.errors import MissingPackageError


class Tagger(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.rnn, self.out, self.last = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 4), last

    def forward(self, x, scale):
        return self.last(self.out(self.rnn(x * scale)[0][:, -1]))


def trained(last, wrap):
    """Weights after three steps of a loop, and the loss that it called."""
    torch.manual_seed(0)
    model = Tagger(last)
    optimizer = torch.optim.Adam(model.parameters())
    criterion = wrap(model, nn.CrossEntropyLoss(), optimizer)
    for _ in range(3):
        x, y = torch.randn(8, 6, 3), torch.arange(8) % 4
        optimizer.zero_grad()
        criterion(model(x, torch.ones(8, 1, 1)), y).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()], criterion, (model, optimizer)


@pytest.mark.parametrize("last", [nn.Identity(), nn.Softmax(-1)], ids=["well", "sick"])
def test_the_loop_goes_on_bit_by_bit_as_without(last):
    shown = []
    without, _, _ = trained(last, lambda model, loss, optimizer: loss)
    weights, criterion, (model, optimizer) = trained(
        last, lambda *given: doctor.FirstStep(*given, show=shown.append)
    )
    assert all(torch.equal(a, b) for a, b in zip(weights, without, strict=True))
    assert (
        shown == [criterion.report]
        and not model._forward_pre_hooks
        and not optimizer._optimizer_step_pre_hooks
    )
    assert criterion.report.ids == (("loss-wants-logits",) if isinstance(last, nn.Softmax) else ())


def test_without_lightning_it_says_what_to_install(monkeypatch):
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match="pip install lightning"):
        doctor.lightning_callback()


def test_a_lightning_module_is_examined_once_with_its_first_batch(monkeypatch):
    fake = types.ModuleType("lightning.pytorch")
    fake.Callback = type("Callback", (), {})
    monkeypatch.setitem(sys.modules, "lightning.pytorch", fake)
    monkeypatch.setitem(sys.modules, "lightning", types.ModuleType("lightning"))

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.GRU(3, 8), nn.Linear(8, 4)  # time first, and the batch is not

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

        def training_step(self, batch, batch_idx):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    callback, shown = doctor.lightning_callback(show=lambda report: shown.append(report)), []
    for k in range(2):
        callback.on_train_batch_start(
            None, Module(), (torch.randn(7, 5, 3), torch.arange(7) % 4), k
        )
    assert len(shown) == 1 and shown[0].ids[0] == "examples-mixed" and callback.report is shown[0]
