"""PyTorch: the training loop: order, rate, clipping, mode."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import (
    graphs_alive,
    left_in_evaluation,
    norm_at_step,
    old_gradient_kept,
    trained,
    unmoved,
)
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_LOOP = (
    SickProgram(
        id="opt_graph_grows",
        plain="torch_language",
        family="loop",
        title="The list of losses keeps every graph.",
        changes=(Change("losses.append(loss.item())", "losses.append(loss)"),),
        finding=("graph-grows",),
        symptom="Memory grows by the batch until there is none.",
        cause="A loss is taken for a number; it is a tensor with its whole graph.",
        fix="Keep loss.item().",
        hints=("Count the tensors that live after twenty steps.", "What does the list hold?"),
        measured=graphs_alive,
        limit=10,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_no_zero_grad",
        plain="torch_loop",
        family="loop",
        title="Gradients add up from step to step.",
        changes=(Change("optimizer.zero_grad()", ""),),
        finding=("gradients-add-up",),
        symptom="The loss swings and does not settle.",
        cause="backward adds to what is there.",
        fix="Call zero_grad once a step, before backward.",
        hints=(
            "The same batch twice at the same weights: is the gradient the same?",
            "Who clears the gradients?",
        ),
        measured=old_gradient_kept,
        limit=0.9,
        chapter="training-step",
        source="https://github.com/wenet-e2e/wekws/issues/72",
    ),
    SickProgram(
        id="opt_zero_before_step",
        plain="torch_loop",
        family="loop",
        title="Gradients are cleared between backward and the step.",
        changes=(Change("loss.backward()", "loss.backward()\noptimizer.zero_grad()"),),
        finding=("no-update",),
        symptom="Nothing changes.",
        cause="zero_grad was put where it looked tidy.",
        fix="Clear before backward.",
        hints=(
            "Which weights are the same after ten steps?",
            "What does the optimizer find when it steps?",
        ),
        measured=unmoved(5),
        limit=0.9,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_clip_after_step",
        plain="torch_loop",
        family="loop",
        title="The gradient is clipped after the step that it was to tame.",
        changes=(
            Change("nn.utils.clip_grad_norm_(net.parameters(), 0.5)", ""),
            Change(
                "optimizer.step()",
                "optimizer.step()\nnn.utils.clip_grad_norm_(net.parameters(), 0.5)",
            ),
        ),
        finding=("clip-after-step",),
        symptom="Training explodes as it did without clipping.",
        cause="Clipping was added at the end of the step.",
        fix="Clip between backward and step.",
        hints=(
            "How large is the gradient at the moment of the step?",
            "In which order do backward, clipping and step stand?",
        ),
        measured=norm_at_step,
        limit=0.51,
        chapter="training-step",
        source="https://github.com/emited/VariationalRecurrentNeuralNetwork/issues/3",
    ),
    SickProgram(
        id="opt_schedule_per_batch",
        plain="torch_loop",
        family="loop",
        title="A schedule meant for epochs is stepped with each batch.",
        changes=(
            Change(
                "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=500, gamma=0.5)",
                "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)",
            ),
        ),
        finding=("rate-decays-at-once",),
        symptom="The loss falls for a few batches and is flat from then on.",
        cause="The schedule counts calls, not epochs.",
        fix="Step it once an epoch, or give its lengths in batches.",
        hints=("Print the learning rate after twenty batches.", "What does the schedule count?"),
        measured=trained(80),
        limit=0.2,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_schedule_zero",
        plain="torch_loop",
        family="loop",
        title="The warm-up divides whole numbers: the rate is zero for a thousand batches.",
        changes=(
            Change(
                "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=500, gamma=0.5)",
                (
                    "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1, k "
                    "// 1000))"
                ),
            ),
        ),
        finding=("rate-is-zero",),
        symptom="Nothing changes.",
        cause="// drops the fraction that was meant.",
        fix="Divide with /, and begin above zero.",
        hints=(
            "Print the learning rate of the first batches.",
            "What does the schedule return for batch 1?",
        ),
        measured=unmoved(5),
        limit=0.9,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_rate_huge",
        plain="torch_loop",
        family="loop",
        title="The learning rate is far too large.",
        changes=(
            Change(
                "optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)",
                "optimizer = torch.optim.SGD(net.parameters(), lr=400 * rate, momentum=0.9)",
            ),
        ),
        finding=(
            "update-too-large",
            "diverges",
        ),
        symptom="The loss jumps above its start.",
        cause="The rate was meant for another loss or batch.",
        fix="Start lower by factors of ten.",
        hints=(
            "By which share does a step change the weights?",
            "What does the loss do in the first steps?",
        ),
        measured=trained(80),
        limit=0.5,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_rate_tiny",
        plain="torch_loop",
        family="loop",
        title="The learning rate is far too small.",
        changes=(
            Change(
                "optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)",
                "optimizer = torch.optim.SGD(net.parameters(), lr=1e-6 * rate, momentum=0.9)",
            ),
        ),
        finding=("update-too-small",),
        symptom="The loss is flat.",
        cause="A rate for fine-tuning was copied.",
        fix="Start higher by factors of ten.",
        hints=(
            "By which share does a step change the weights?",
            "After how many steps would a weight have doubled?",
        ),
        measured=trained(80),
        limit=0.5,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_clip_tiny",
        plain="torch_loop",
        family="loop",
        title="The limit of clipping lies far below every gradient.",
        changes=(
            Change(
                "nn.utils.clip_grad_norm_(net.parameters(), 0.5)",
                "nn.utils.clip_grad_norm_(net.parameters(), 1e-6)",
            ),
        ),
        finding=("update-too-small", "clip-too-low"),
        symptom="The loss is flat.",
        cause="The limit is taken for a tolerance.",
        fix="Set it near the upper end of the norms that are seen.",
        hints=(
            "Which share of the steps is clipped?",
            "By which share does a step change the weights?",
        ),
        measured=trained(80),
        limit=0.5,
        chapter="training-step",
    ),
    SickProgram(
        id="mode_never_back",
        plain="torch_loop",
        family="mode",
        title="Validation leaves the model in evaluation mode.",
        changes=(Change("net.train(True)", ""),),
        finding=(
            "mode-never-returns",
            "left-in-evaluation-mode",
        ),
        symptom="It over-fits from the first validation on: dropout is gone.",
        cause="eval() is said, and train() is not.",
        fix="Say train() at the start of each step or epoch.",
        hints=(
            "In which mode is the model after some batches?",
            "Who calls train() after validation?",
        ),
        measured=left_in_evaluation,
        limit=0.5,
        chapter="training-step",
        source="https://github.com/joeynmt/joeynmt/issues/184",
    ),
)
