"""A LightningModule is examined by its methods."""

import torch
from torch import nn
from torch.nn import functional as F

from lstm_ref import doctor


class Module(nn.Module):
    """As one writes it for Lightning, without Lightning."""

    def __init__(self, twice=False):
        super().__init__()
        self.rnn, self.out, self.twice = nn.LSTM(3, 16, batch_first=True), nn.Linear(16, 4), twice

    def forward(self, x):
        o = self.out(self.rnn(x)[0][:, -1])
        return o.softmax(1) if self.twice else o

    def training_step(self, batch, number):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters())
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 10),
        }


def batch():
    torch.manual_seed(0)
    return torch.randn(8, 6, 3), torch.arange(8) % 4


def test_a_well_module_is_left_alone():
    module = Module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    names = sorted(vars(module))
    assert not doctor.examine(module, batch())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert sorted(vars(module)) == names


def test_a_softmax_before_the_loss_is_named():
    assert doctor.examine(Module(twice=True), batch()).ids[0] == "loss-wants-logits"
