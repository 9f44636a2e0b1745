"""`wgan benchmark`: the flops it counts are those of the networks; the command at its smallest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wgan.cli import benchmark
from wgan.cli import main as cli
from wgan.cli.benchmark import Flops, Row
from wgan.models.fast.linear import linear


def test_flops_are_counted_forward_backward_and_in_a_penalty() -> None:
    # a [4, 3] b [3, 5]: 2 * 4 * 3 * 5 flops; each derivative of a product is a product of the same size
    a, b = torch.ones(4, 3, requires_grad=True), torch.ones(3, 5, requires_grad=True)
    with Flops() as counted:
        loss = (a @ b).sum()
        assert counted.total == 120
        loss.backward()
    assert counted.total == 3 * 120
    w, bias = nn.Parameter(torch.ones(5, 3)), torch.zeros(5)
    with Flops() as counted:
        linear(torch.ones(4, 3), w, bias)
    assert counted.total == 120
    with Flops() as counted:
        torch.zeros(4, 5).addmm_(torch.ones(4, 3), torch.ones(3, 5))
    assert counted.total == 120
    with Flops() as counted:  # 2 * pixels * kernel * channels; then the input's gradient alone, within a forward pass
        y = F.conv2d(torch.ones(2, 3, 8, 8, requires_grad=True), torch.ones(5, 3, 3, 3))
        assert counted.total == 2 * (2 * 6 * 6) * (3 * 3) * 3 * 5
        assert y.requires_grad
    x = torch.ones(4, 3, requires_grad=True)
    layer = nn.Linear(3, 5)
    with Flops() as counted:
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
    assert counted.total >= 4 * 120


def test_the_fraction_is_of_the_peak() -> None:
    row = Row("mnist", "fp32", 1, 3, seconds=0.5, flops=10, peak=100.0)
    assert row.fraction == pytest.approx(0.2)


def test_the_flops_of_a_step_do_not_depend_on_the_kernels() -> None:
    """A step of a recipe is measured, and its flops are the same whichever way it is computed."""
    tiny = {"batch": 8, "threads": 1, "precision": "fp32", "critic_layers": "16", "generator_layers": "16"}
    peaks = benchmark.Peaks()  # measured once
    rows = [benchmark.benchmark("small-mlp-clip", 2, {**tiny, "fast": fast}, peaks) for fast in (1, 0)]
    assert rows[0].flops == rows[1].flops > 0 and rows[0].seconds > 0  # no gradient is computed for nothing
    assert (rows[0].precision, rows[0].threads, rows[0].steps) == ("fp32", 1, 2)
    # critic: 16 rows through 784 x 16 and 16 x 1; generator: 8 rows through 100 x 16 and 16 x 784, by hand at n_critic 1
    one = benchmark.benchmark("small-mlp-clip", 1, {**tiny, "n_critic": 1}, peaks)
    critic, generator = 2 * 16 * (784 * 16 + 16), 2 * 8 * (100 * 16 + 16 * 784)
    update = 2 * critic + 2 * 16 * 16  # values, weight gradients; the gradient of the 16 hidden units
    half = critic // 2
    players = update + generator + (2 * half) + (2 * generator + generator - 2 * 8 * 100 * 16)  # the latents need none
    assert one.flops == players
    # the penalty by hand: 8 points through 784 x 16 and back, what takes their place there, the weight gradient;
    # through 16 x 1 values, what goes back, weight gradient
    by_hand, plain = (
        benchmark.benchmark("small-mlp-gp", 1, {**tiny, "n_critic": 1, "fast": fast}, peaks) for fast in (1, 0)
    )
    assert by_hand.flops - one.flops == 4 * 2 * 8 * 784 * 16 + 3 * 2 * 8 * 16
    assert plain.flops > by_hand.flops  # the score and its derivatives besides


def test_the_command_prints_a_table_and_writes_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    words = [
        "benchmark",
        "gulrajani-ring",
        "small-mlp-clip",
        "--steps",
        "1",
        "--batch",
        "4",
        "--threads",
        "1",
        "--out",
        str(out),
    ]
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert "gulrajani-ring" in shown and "GFLOP/s" in shown and "%" in shown
    rows = json.loads(out.read_text())["rows"]
    assert [row["recipe"] for row in rows] == ["gulrajani-ring", "small-mlp-clip"]
    assert all(0 < row["fraction"] < 1.5 and row["seconds"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnsit"], "unknown recipe 'mnsit'"),
        (["mnist", "--steps", "0"], "--steps must be at least 1"),
        (["mnist", "--precision", "fp8"], "precision 'fp8' is not known"),
        (["mnist", "--batch", "0"], "batch must be between 1"),
        (["mnist", "--out", "nowhere/speed.json"], "the folder nowhere does not exist"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_timed(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "benchmark", lambda *_: pytest.fail("timed"))
    assert cli.main(["benchmark", *words]) == 2
    assert said in capsys.readouterr().err
