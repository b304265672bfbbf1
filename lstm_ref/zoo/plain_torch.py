"""The functions of the problem set lstm-torch, in the style of a notebook: one line an idea, no
checks on arguments.

Every torch bug of the zoo is this file with one line changed, or a few. It is read as text until
one of its functions is called: only then is PyTorch imported. The functions that a notebook gives
to its students (`lstm_layer` and those that call another one) stand here, too, because what a
mistake does is seen through them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def lstm_layer(weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any) -> Any:
    layer = nn.LSTM(weight_ih.shape[1], weight_hh.shape[1], batch_first=True, dtype=weight_ih.dtype)
    layer.load_state_dict(
        {
            "weight_ih_l0": weight_ih,
            "weight_hh_l0": weight_hh,
            "bias_ih_l0": bias_ih,
            "bias_hh_l0": bias_hh,
        }
    )
    return layer


def lstm_cell(x: Any, state: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    h_prev, c_prev = state
    a = x @ Wx + h_prev @ Wh + b
    a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    i, f, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.sigmoid(a_o)
    g = torch.tanh(a_g)
    c = f * c_prev + i * g
    h = o * torch.tanh(c)
    return (h, c), (i, f, g, o)


def cell_gradients(
    x: Any, h_prev: Any, c_prev: Any, Wx: Any, Wh: Any, b: Any, dh: Any, dc: Any
) -> Any:
    inputs = [tensor.requires_grad_() for tensor in (x, h_prev, c_prev, Wx, Wh, b)]
    (h, c), _ = lstm_cell(x, (h_prev, c_prev), Wx, Wh, b)
    return torch.autograd.grad((h, c), inputs, (dh, dc), materialize_grads=True)


def to_torch(Wx: Any, Wh: Any, b: Any) -> Any:
    weight_ih = Wx.T
    weight_hh = Wh.T
    bias_ih = b
    bias_hh = torch.zeros_like(b)
    return weight_ih, weight_hh, bias_ih, bias_hh


def last_hidden(output: Any, lengths: Any) -> Any:
    examples = torch.arange(len(lengths))
    last = lengths - 1
    return output[examples, last]


def sequence_loss(logits: Any, targets: Any, mask: Any) -> Any:
    log_p = torch.log_softmax(logits, dim=2)
    losses = -log_p.gather(2, targets[:, :, None])[:, :, 0]
    total = (losses * mask).sum()
    return total / mask.sum()


def loss_and_gradient(logits: Any, targets: Any, mask: Any) -> Any:
    logits.requires_grad_()
    mean = sequence_loss(logits, targets, mask)
    mean.backward()
    return mean, logits.grad


def train_step(model: Any, optimizer: Any, x: Any, y: Any, max_norm: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


class Classifier(nn.Module):  # type: ignore[misc]
    """Logits (N, C) from the last hidden state of an LSTM."""

    def __init__(self, lstm: Any, weight: Any, bias: Any) -> None:
        super().__init__()
        self.lstm, self.weight, self.bias = lstm, nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Any) -> Any:
        """All sequences of a batch have the same length here."""
        output, _ = self.lstm(x)
        return output[:, -1] @ self.weight + self.bias


def train(weights: Any, batches: Any, max_norm: Any, lr: Any) -> Any:
    *lstm, weight, bias = weights
    model = Classifier(lstm_layer(*lstm), weight, bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    losses = [train_step(model, optimizer, x, y, max_norm) for x, y in batches]
    return losses, list(model.parameters())


def run_chunks(layer: Any, x: Any, target: Any, state: Any, k: Any) -> Any:
    losses = []
    for start in range(0, x.shape[1], k):
        output, state = layer(x[:, start : start + k], state)
        loss = ((output - target[:, start : start + k]) ** 2).sum()
        loss.backward()
        losses.append(loss.item())
        h, c = state
        state = (h.detach(), c.detach())
    return losses, state


def chunk_gradients(weights: Any, x: Any, target: Any, h0: Any, c0: Any, k: Any) -> Any:
    layer = lstm_layer(*weights)
    losses, (hT, cT) = run_chunks(layer, x, target, (h0[None], c0[None]), k)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in layer.parameters()]
    return losses, (hT[0], cT[0]), gradients
