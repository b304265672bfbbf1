"""PyTorch: what the gradient or the optimizer does not reach."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import frozen_share, raises, unmoved, unregistered
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_GRAPH = (
    SickProgram(
        id="opt_encoder_no_grad",
        plain="torch_translator",
        family="graph",
        title="The encoder runs under no_grad.",
        changes=(
            Change(
                "memory, _ = self.encoder(self.source_words(source))",
                "with torch.no_grad():\n    memory, _ = self.encoder(self.source_words(source))",
            ),
        ),
        finding=("no-gradient",),
        symptom="The decoder learns, slowly; the encoder keeps its first weights.",
        cause="The encoder was pretrained once.",
        fix="Leave no_grad out where something is to learn.",
        hints=("Which parameters have no gradient after backward?", "Where does the graph end?"),
        measured=unmoved(5),
        limit=0.1,
        chapter="translation",
    ),
    SickProgram(
        id="cell_tensor_for_parameter",
        plain="torch_own",
        family="graph",
        title="A weight is a tensor and no parameter.",
        changes=(
            Change(
                "self.Wh = nn.Parameter(torch.randn(H, 4 * H) / H**0.5)",
                "self.Wh = torch.randn(H, 4 * H).div(H**0.5).requires_grad_()",
            ),
        ),
        finding=("not-registered",),
        symptom="The recurrent weights never change, are not saved and not moved to the GPU.",
        cause="Only nn.Parameter makes a tensor part of its module.",
        fix="Wrap it in nn.Parameter.",
        hints=("Count the parameters that the model knows.", "Which attributes hold tensors?"),
        measured=unregistered,
        limit=0.5,
        chapter="layer",
    ),
    SickProgram(
        id="opt_loss_remade",
        plain="torch_loop",
        family="graph",
        title="The loss is made anew from its number: it hangs on nothing.",
        changes=(
            Change(
                "loss = mse(net(x), y)",
                "loss = torch.tensor(mse(net(x), y).item(), requires_grad=True)",
            ),
        ),
        finding=(
            "loss-detached",
            "no-update",
        ),
        symptom="backward runs, and nothing changes.",
        cause="requires_grad=True made the error go away.",
        fix="Use the loss as it comes.",
        hints=(
            "Which parameters have a gradient after backward?",
            "What does the loss know of the model?",
        ),
        measured=unmoved(5),
        limit=0.9,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_before_change",
        plain="torch_loop",
        family="graph",
        title="The head is replaced after the optimizer was built.",
        changes=(
            Change(
                "optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)",
                (
                    "optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)\n"
                    "net.read = nn.Linear(H, 1)"
                ),
            ),
        ),
        finding=("not-in-optimizer",),
        symptom="The new head never changes.",
        cause="The optimizer holds the parameters that there were.",
        fix="Build the optimizer last.",
        hints=(
            "Which parameters does the optimizer hold?",
            "In which order are model and optimizer made?",
        ),
        measured=unmoved(5),
        limit=0.1,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_frozen",
        plain="torch_loop",
        family="graph",
        title="The recurrent layer is frozen with its first random weights.",
        changes=(
            Change(
                "net = Regressor(D, H)",
                "net = Regressor(D, H)\nnet.recurrent.requires_grad_(False)",
            ),
        ),
        finding=("frozen-by-accident",),
        symptom="The recurrent weights never change.",
        cause="Lines for fine-tuning are used without a trained model.",
        fix="Freeze only what has been trained before.",
        hints=(
            "Count the parameters that ask for a gradient.",
            "Were the frozen ones ever trained?",
        ),
        measured=frozen_share,
        limit=0.3,
        chapter="training-step",
    ),
    SickProgram(
        id="state_not_detached",
        plain="torch_stream",
        family="state",
        title="The carried state keeps the graph of all stretches before.",
        changes=(Change("state = tuple(part.detach() for part in state)", ""),),
        finding=("state-not-detached",),
        symptom="The second step raises: the graph has been freed.",
        cause="The state is carried as it came, with its graph.",
        fix="Detach h and c between stretches.",
        hints=(
            "What does the error say about the second backward?",
            "How far back does the graph of the second loss reach?",
        ),
        measured=raises,
        limit=0.5,
        chapter="long-text",
        source="https://learn.biosrag.com/ai/rnn-training-4.html",
    ),
)
