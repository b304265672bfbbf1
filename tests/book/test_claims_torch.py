"""What the pages *pytorch*, *training-step*, *gpu*, *fast*, *slow* and *smaller* say about
PyTorch, run against the installed version.

What needs a GPU is read in the installed source or in its constants; such tests say so in their
names.
"""

import inspect
import io
import platform
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.function import once_differentiable
from torch.nn.functional import ctc_loss
from torch.nn.utils import prune, rnn
from torch.utils import benchmark

X = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))


def refusal(call):
    """What PyTorch says to a call, as one line."""
    with pytest.raises(Exception) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
    return " ".join(str(caught.value).split())


class Square(torch.autograd.Function):
    """y = u squared, with what is saved taken for a constant in the second derivative."""

    @staticmethod
    def forward(ctx, u):
        twice = 2 * u.detach()
        ctx.save_for_backward(twice)
        return u * u

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0]


class Guarded(Square):
    backward = staticmethod(once_differentiable(Square.backward))


def test_gradcheck_says_nothing_of_the_second_derivative():
    u = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    assert gradcheck(Square.apply, u) and not gradgradcheck(Square.apply, u, raise_exception=False)


def test_once_differentiable_makes_an_error_of_a_wrong_second_derivative():
    u = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    assert gradcheck(Guarded.apply, u)
    (du,) = torch.autograd.grad(Guarded.apply(u).square().sum(), u, create_graph=True)
    assert "once_differentiable" in refusal(lambda: du.square().sum().backward())
    (alone,) = torch.autograd.grad(Guarded.apply(u).sum(), u, create_graph=True)
    assert "does not require grad" in refusal(lambda: alone.square().sum().backward())


def test_tf32_is_on_inside_cudnn_and_off_elsewhere_read_in_the_constants():
    assert (
        torch.backends.cudnn.allow_tf32 is True
        and torch.backends.cudnn.rnn.fp32_precision == "tf32"
    )
    assert torch.backends.cuda.matmul.allow_tf32 is False


def test_a_new_cudnn_refuses_a_v100_read_in_the_source():
    source = inspect.getsource(torch.backends.cudnn)
    assert ">= 91100" in source and "< (7, 5)" in source


def test_cudnn_by_pythons_own_word_has_no_bfloat16_read_in_the_constants():
    assert torch.backends.cudnn.CUDNN_TENSOR_DTYPES == {torch.half, torch.float, torch.double}


def test_no_recurrent_layer_is_in_the_lists_of_use_deterministic_algorithms():
    listed = torch.use_deterministic_algorithms.__doc__
    assert "bincount" in listed and not any(name in listed for name in ("LSTM", "GRU", "RNN"))


def test_the_documentation_of_a_lstm_points_to_the_notes_on_determinism():
    assert "cudnn_rnn_determinism" in nn.LSTM.__doc__ and "cudnn_persistent_rnn" in nn.LSTM.__doc__


def test_compile_breaks_the_graph_at_a_lstm():
    torch._dynamo.reset()
    assert torch._dynamo.config.allow_rnn is False
    model = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 4, batch_first=True))
    assert torch.equal(torch.compile(model, backend="eager")(X)[0], model(X)[0])
    torch._dynamo.reset()  # else it remembers the break, and says nothing
    whole = torch.compile(model, backend="eager", fullgraph=True)
    assert "RNN, GRU, or LSTM" in refusal(lambda: whole(X))


def test_compile_gives_up_after_a_number_of_graphs():
    torch._dynamo.reset()
    assert (
        torch._dynamo.config.recompile_limit == 8
        and torch._dynamo.config.fail_on_recompile_limit_hit is False
    )


def test_a_state_moved_to_the_device_of_x_still_has_its_own_dtype():
    lstm = nn.LSTM(2, 4, batch_first=True)
    zeros = torch.zeros(1, 3, 4).to(X.device)
    assert "same dtype" in refusal(lambda: lstm.double()(X.double(), (zeros, zeros)))
    assert "unbatched" in refusal(lambda: lstm.float()(X[0], (zeros, zeros)))


def test_batch_first_left_out_of_packing_raises_nothing():
    packed = rnn.pack_padded_sequence(
        torch.randn(4, 6, 3), torch.tensor([6, 2, 4, 1]), enforce_sorted=False
    )
    assert packed.batch_sizes.tolist() == [4, 3, 2, 2, 1, 1]


def test_two_sequences_of_pad_sequence_are_padded_with_zeros_at_the_end():
    padded = rnn.pad_sequence([torch.ones(3, 2), torch.ones(1, 2)], batch_first=True)
    assert padded.shape == (2, 3, 2) and padded[1, 1:].abs().sum() == 0


def test_a_module_keeps_its_parameters_where_it_moves():
    lstm = nn.LSTM(2, 4)
    before = list(lstm.parameters())
    lstm.to(torch.float64)
    assert all(a is b for a, b in zip(before, lstm.parameters(), strict=True))


def test_a_whole_model_is_not_loaded_unless_one_insists():
    file = io.BytesIO()
    torch.save(nn.Linear(1, 1), file)
    file.seek(0)
    assert "weights_only" in refusal(lambda: torch.load(file))


def test_an_apple_gpu_has_a_lstm_of_its_own_read_in_the_constants():
    assert hasattr(torch.ops.aten, "_lstm_mps")
    source = Path(torch.__file__).parent / "testing" / "_internal" / "common_modules.py"
    assert "MPS doesn't support float64" in source.read_text(encoding="utf-8")
    assert (torch.accelerator.current_accelerator() is None) == (
        not torch.accelerator.is_available()
    )


def test_sequences_of_different_lengths_cannot_be_stacked_by_the_default_collate():
    loader = torch.utils.data.DataLoader([torch.ones(3, 2), torch.ones(1, 2)], batch_size=2)
    assert "equal size" in refusal(lambda: next(iter(loader)))


def mixed_lstm():
    """A plain layer on the CPU under autocast."""
    with torch.autocast("cpu", torch.bfloat16):
        return nn.LSTM(2, 4, batch_first=True)(X)[0]


def test_a_mixed_lstm_on_a_cpu_runs_or_says_that_onednn_lacks_it():
    try:
        assert mixed_lstm().dtype in (torch.bfloat16, torch.float32)
    except RuntimeError as error:
        assert "could not create a primitive" in str(error)


def test_a_mixed_lstm_runs_on_any_cpu_without_onednn(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert torch.isfinite(mixed_lstm()).all()


def test_a_scaler_starts_at_65536_and_works_on_a_cpu():
    assert torch.amp.GradScaler("cpu").get_scale() == 65_536


def test_clipping_divides_by_a_little_more_than_the_norm():
    w = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    w.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    nn.utils.clip_grad_norm_([w], 1.0)
    assert w.grad.norm().item() == pytest.approx(5 / (5 + 1e-6), abs=1e-12)
    assert 1 - w.grad.norm().item() > 1e-7


def test_two_biases_move_their_sum_twice_as_far_under_adam():
    def moved(both):
        lstm = nn.LSTM(2, 3, dtype=torch.float64)
        lstm.bias_hh_l0.requires_grad_(both)
        before = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach()
        optimiser = torch.optim.Adam([w for w in lstm.parameters() if w.requires_grad], eps=0.0)
        lstm(X.double())[0].sum().backward()
        optimiser.step()
        return (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach() - before

    one, two = moved(False).abs().median().item(), moved(True).abs().median().item()
    assert two == pytest.approx(2 * one, rel=1e-6)


def test_a_bare_lstm_comes_back_from_dynamic_quantisation_as_it_was():
    bare, layer = nn.LSTM(2, 4), nn.Sequential(nn.LSTM(2, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will move to another package
        same = torch.ao.quantization.quantize_dynamic(bare, {nn.LSTM})
        other = torch.ao.quantization.quantize_dynamic(layer, {nn.LSTM})
    assert type(same) is nn.LSTM and type(other[0]) is not nn.LSTM


def test_pruning_keeps_the_old_weights_beside_the_mask():
    layer = nn.Linear(8, 8)
    before = layer.weight.detach().clone()
    prune.l1_unstructured(layer, "weight", amount=0.8)
    held = layer.state_dict()
    assert torch.equal(held["weight_orig"], before) and held["weight_mask"].sum() == 13


def test_the_loss_of_ctc_checks_neither_probabilities_nor_a_blank_among_the_labels():
    scores = torch.randn(6, 1, 4, generator=torch.Generator().manual_seed(0))
    labels, lengths = torch.tensor([[0, 2]]), ([6], [2])  # 0 is the blank
    assert ctc_loss(scores, labels, *lengths).isfinite()
    assert ctc_loss(scores.log_softmax(2), labels, *lengths).isfinite()


def test_the_newer_export_to_onnx_asks_for_a_package_and_the_older_is_deprecated():
    pytest.importorskip("onnx")
    file, layer = io.BytesIO(), nn.Linear(2, 3)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.onnx.export(layer, (X,), file, dynamo=False)
    said = [str(one.message) for one in told if issubclass(one.category, DeprecationWarning)]
    assert file.getvalue() and any("TorchScript" in one for one in said)
    if find_spec("onnxscript") is None:
        assert "onnxscript" in refusal(lambda: torch.onnx.export(layer, (X,), io.BytesIO()))


def test_copies_that_wait_can_be_found_read_in_the_source():
    assert '"warn"' in inspect.getsource(torch.cuda.set_sync_debug_mode)


def test_records_of_kernels_are_a_mode_of_compile_read_in_the_constants():
    assert torch._inductor.list_mode_options("reduce-overhead") == {"triton.cudagraphs": True}


def test_a_state_dict_has_both_biases_drawn_around_zero():
    torch.manual_seed(0)
    held = nn.LSTM(2, 400).state_dict()
    assert list(held) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    # uniform within 1 / sqrt(H) = 0.05: the mean of 1600 has a standard error of 0.0007
    for name in ("bias_ih_l0", "bias_hh_l0"):
        assert held[name].abs().max() <= 0.05 and abs(held[name].mean().item()) < 0.005


def test_lengths_must_lie_on_the_cpu_asked_of_the_device_without_numbers():
    lengths = torch.tensor([5, 2, 4])
    said = refusal(lambda: rnn.pack_padded_sequence(X, lengths.to("meta"), True))
    assert "should be a 1D CPU int64 tensor, but got 1D meta" in said
    assert "sorted in decreasing order" in refusal(
        lambda: rnn.pack_padded_sequence(X, lengths, True)
    )
    assert "greater than 0" in refusal(
        lambda: rnn.pack_padded_sequence(X, torch.tensor([5, 2, 0]), True)
    )


def test_products_on_x86_are_those_of_mkl_and_not_of_openblas():
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("another library elsewhere")
    assert torch.backends.mkl.is_available() and "BLAS_INFO=mkl" in torch.__config__.show()


def test_pytorch_itself_tests_determinism_with_a_workspace_of_8_read_in_the_source():
    source = Path(torch.__file__).parent / "testing" / "_internal" / "common_utils.py"
    assert "os.environ[self.cublas_var_name] = ':4096:8'" in source.read_text(encoding="utf-8")


def test_the_timer_of_pytorch_waits_and_warms_up_read_in_the_source():
    module = inspect.getmodule(benchmark.Timer)
    assert "synchronize()" in inspect.getsource(module)
    assert "# Warmup" in inspect.getsource(benchmark.Timer.timeit)


def test_a_loss_of_classes_leaves_out_the_number_minus_100():
    scores, targets = torch.randn(4, 3), torch.tensor([0, -100, 2, -100])
    counted = nn.functional.cross_entropy(scores[::2], targets[::2])
    assert torch.isclose(nn.functional.cross_entropy(scores, targets), counted)


def test_the_profiler_sorts_by_time_and_counts():
    with torch.profiler.profile() as seen:
        nn.LSTM(2, 4, batch_first=True)(X)
    table = seen.key_averages().table(sort_by="self_cpu_time_total")
    assert "# of Calls" in table and "aten::lstm" in table


def test_the_documentation_of_the_sync_mode_says_that_it_misses_some_read_in_the_source():
    assert "not all synchronizing operations" in torch.cuda.set_sync_debug_mode.__doc__


def test_a_target_of_another_shape_is_broadcast_with_a_warning():
    with pytest.warns(UserWarning, match="target size"):
        loss = nn.functional.mse_loss(torch.zeros(4), torch.arange(4.0)[:, None])
    assert loss.item() == pytest.approx(14 / 4)  # (4, 4) differences


def test_the_layer_has_no_switch_for_a_gate_or_for_peepholes():
    told = inspect.getdoc(nn.LSTM) + str(inspect.signature(nn.RNNBase.__init__))
    assert not any(word in told.lower() for word in ("peephole", "coupled", "forget_gate"))
    assert list(inspect.signature(nn.RNNBase.__init__).parameters)[1:] == [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size", "device", "dtype",
    ]  # fmt: skip
