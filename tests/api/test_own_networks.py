"""Runs with one's own generator, critic, objective and optimizer: recorded, resumed bit for bit, refused when they are others."""

import copy
import json

import pytest
import torch
from helpers.run_folders import files, without_events
from torch import nn
from torch.nn import functional as F

import wgan
from wgan.errors import WganError
from wgan.losses import Objective, linear_fake, linear_generator, linear_real, one_sided
from wgan.runs import checkpoint

RING = {
    "recipe": "gulrajani-ring",
    "batch": 8,
    "n_critic": 2,
    "threads": 1,
    "log_every": 1,
    "checkpoint_every": 2,
    "latent": 4,
}
DIGITS = {"recipe": "mnist", "batch": 4, "threads": 1, "latent": 6, "log_every": 1, "checkpoint_every": 2}
pytestmark = pytest.mark.usefixtures("here", "cheap")


class Points(nn.Module):
    """z [B, 4] -> points [B, 2], with noise of its own and dropout: what it draws must come back on resume."""

    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2))

    def forward(self, z, y):
        return self.body(z + 0.1 * torch.randn_like(z))


class Judge(nn.Module):
    """x [B, 2] -> score [B]; its first layer is frozen."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 8), nn.Linear(8, 1)
        self.first.requires_grad_(False)

    def forward(self, x, y):
        return self.last(F.leaky_relu(self.first(x), 0.2)).squeeze(1), None


class Drawn(nn.Module):
    """z [B, 6], y [B] -> digits [B, 1, 28, 28] by class, with batch norm."""

    def __init__(self):
        super().__init__()
        self.classes, self.fc, self.norm = nn.Embedding(10, 6), nn.Linear(6, 16), nn.BatchNorm1d(16)
        self.out = nn.Linear(16, 784)

    def forward(self, z, y):
        return torch.tanh(self.out(F.relu(self.norm(self.fc(z * self.classes(y)))))).unflatten(1, (1, 28, 28))


class Reader(nn.Module):
    """x [B, 1, 28, 28] -> score [B], class logits [B, 10]."""

    def __init__(self):
        super().__init__()
        self.body, self.score, self.head = nn.Linear(784, 12), nn.Linear(12, 1), nn.Linear(12, 10)

    def forward(self, x, y):
        h = F.elu(self.body(x.flatten(1)))
        return self.score(h).flatten(), self.head(h)


class Walk(torch.optim.Optimizer):
    """Plain descent that keeps a Python counter, None and a number of its group: what an optimizer may remember."""

    def __init__(self, weights, lr):
        super().__init__(weights, {"lr": lr, "calls": 0, "scale": 1.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["calls"], group["scale"] = group["calls"] + 1, group["scale"] * 0.99
            for w in group["params"]:
                if w.grad is not None:
                    slot = self.state[w]
                    slot["n"], slot["nothing"] = slot.get("n", 0) + 1, None
                    w -= group["lr"] * group["scale"] / slot["n"] * w.grad


def made(kind, seed=0, *sizes):
    """A network of one's own with weights of a seed."""
    torch.manual_seed(seed)
    return kind(*sizes)


def walk(weights):
    return Walk(weights, lr=0.02)


MINE = Objective(linear_real, linear_fake, linear_generator, one_sided)


def parts(**other):
    """All four parts of one's own, made anew."""
    given = {"generator": made(Points), "critic": made(Judge), "objective": MINE, "optimizer": walk}
    return {**given, **other}


def kept(run):
    """What a run leaves that does not depend on the clock."""
    return {n: data for n, data in without_events(run.path).items() if n not in ("times.jsonl", ".lock")}


def test_own_parts_resume_bit_for_bit_from_fresh_copies():
    whole = wgan.train(run="whole", steps=5, **RING, **parts())
    seen = []

    def stop(step, numbers):
        seen.append(step)
        return wgan.STOP if step in (1, 3) else None

    for _ in range(3):
        cut = wgan.train(run="cut", steps=5, on_step=stop, **RING, **parts())
    assert seen == [1, 2, 3, 4, 5] and kept(cut) == kept(whole)


def test_digits_by_class_resume_and_can_be_loaded():
    given = {
        "generator": made(Drawn),
        "critic": made(Reader),
        "optimizer": lambda w: torch.optim.SGD(w, 0.05, momentum=0.5),
    }
    options = {**DIGITS, "ema": 0.9, "objective": "hinge"}
    whole = wgan.train(run="whole", steps=4, **options, **given)
    wgan.train(run="cut", steps=4, on_step=lambda step, numbers: wgan.STOP if step == 2 else None, **options, **given)
    cut = wgan.train(run="cut", steps=4, **options, **given)
    assert kept(cut) == kept(whole)
    model = wgan.load("whole", generator=made(Drawn, 7))
    assert (
        torch.equal(model.sample(9, label=3, seed=1)[:4], model.sample(4, label=3, seed=1))
        and model.class_names[3] == "3"
    )
    ours = {k: t for k, t in checkpoint.load(whole.checkpoints, 4).tensors.items() if k.startswith("average/")}
    assert ours.keys() == {f"average/{name}" for name in made(Drawn).state_dict()}
    assert torch.equal(model.network.module.out.weight, ours["average/out.weight"])
    with pytest.raises(
        WganError,
        match=r"trained with a generator given in Python, .*Drawn: give it again",
    ):
        wgan.load("whole")
    with pytest.raises(WganError, match=r"another generator \(it was .*Drawn, and this is .*Points\)"):
        wgan.load("whole", generator=made(Points))


def test_a_run_begins_with_the_weights_of_the_given_module():
    """The module itself is left as it was."""
    mine = parts(generator=made(Points, 3), critic=made(Judge, 4))
    before = {side: copy.deepcopy(mine[side].state_dict()) for side in ("generator", "critic")}
    run = wgan.train(run="begun", steps=1, lr_decay="none", **RING, **{**mine, "optimizer": lambda w: Walk(w, lr=0.0)})
    after = checkpoint.load(run.checkpoints, 1).tensors
    for side, state in before.items():
        for name, t in state.items():
            assert torch.equal(after[f"{side}/{name}"], t) and torch.equal(mine[side].state_dict()[name], t)
    moved = wgan.train(run="moved", steps=1, **RING, **mine)
    after = checkpoint.load(moved.checkpoints, 1).tensors
    assert torch.equal(after["critic/first.weight"], before["critic"]["first.weight"]), "a frozen weight moved"
    assert not torch.equal(after["critic/last.weight"], before["critic"]["last.weight"])
    assert mine["critic"].training and not mine["critic"].first.weight.requires_grad


def test_the_run_folder_says_what_the_parts_are():
    run = wgan.train(run="told", steps=1, **RING, **parts())
    told = json.loads((run.path / "run.json").read_text())["parts"]
    assert told["generator"]["name"].endswith("test_own_networks.Points") and len(told["generator"]["source"]) == 64
    assert told["generator"]["parameters"]["body.0.weight"] == [8, 4] and told["generator"]["labels"] is False
    assert told["critic"]["parameters"] == {
        "first.weight": [8, 2],
        "first.bias": [8],
        "last.weight": [1, 8],
        "last.bias": [1],
    }
    assert "one_sided" in told["objective"]["name"] and "walk" in told["optimizer"]["name"]
    config = wgan.open_run("told").config
    assert {config.generator, config.critic, config.objective, config.optimizer, config.generator_layers} == {"own"}
    assert (config.lr, config.critic_lr, config.generator_norm) == (0.02, 0.02, "none")


class Wider(Points):
    """Another class with the same weights."""


def other_walk(weights):
    return Walk(weights, lr=0.02)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generator": None}, "begun with a generator given in Python, .*Points: give the same one again"),
        ({"objective": None}, "begun with an objective given in Python"),
        ({"generator": made(Wider)}, r"another generator \(it was .*Points, and this is .*Wider\)"),
        ({"generator": made(Points, 0, 9)}, r"another generator \(body.0.weight was \[8, 4\], and is \[9, 4\]\)"),
        ({"optimizer": other_walk}, "another optimizer"),
        ({"objective": Objective(linear_real, linear_fake, linear_generator)}, "another objective"),
    ],
)
def test_a_run_refuses_other_parts_and_stays_as_it_is(change, words):
    run = wgan.train(run="mine", steps=1, **RING, **parts())
    before = kept(run)
    with pytest.raises(WganError, match=words):
        wgan.train(run="mine", steps=2, **RING, **parts(**change))
    assert kept(run) == before


def test_a_changed_source_is_another_part(monkeypatch):
    wgan.train(run="mine", steps=1, **RING, **parts())
    monkeypatch.setattr(Points, "forward", lambda self, z, y: self.body(z))
    with pytest.raises(WganError, match=r"another generator \(its source changed\)"):
        wgan.train(run="mine", steps=2, **RING, **parts())


def test_a_run_without_own_parts_takes_none_later(command):
    wgan.train(run="ours", steps=1, **RING, generator_layers="8", critic_layers="8")
    with pytest.raises(WganError, match="begun without a critic of yours"):
        wgan.train(run="ours", steps=2, critic=made(Judge))
    with pytest.raises(WganError, match="wgan's own generator: leave generator out"):
        wgan.load("ours", generator=made(Points))


def test_the_command_line_says_that_only_python_has_the_parts(command):
    wgan.train(run="mine", steps=1, **RING, **parts())
    assert (
        "give the same one again, wgan.train(run='mine', generator=...)" in command("train", "--run", "mine").sentence()
    )
    assert "wgan.load('mine', generator=...)" in command("sample", "mine").sentence()
    assert "only Python can give" in command("train", "gulrajani-ring", "--generator", "own", "--run", "new").sentence()
    assert "new/config.json" not in files(wgan.open_run("mine").path.parent)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"generator": Points},
            r"generator must be a torch module .* not the class Points: give an instance, Points\(...\)",
        ),
        ({"critic": 3}, "critic must be a torch module .* not an int"),
        ({"objective": lambda s: s}, "objective must be a wgan.Objective, or a name, not a function"),
        (
            {"optimizer": torch.optim.SGD(Points().parameters(), lr=1)},
            "optimizer must be a function of a list of weights",
        ),
        ({"generator": Points(), "generator_layers": "8"}, "generator_layers describes wgan's own generator"),
        ({"optimizer": walk, "lr": 0.1}, "lr describes wgan's own optimizer"),
        ({"generator": "con"}, "did you mean conv"),
    ],
)
def test_what_is_no_part_is_refused_before_anything(here, options, words):
    with pytest.raises(WganError, match=words):
        wgan.train(run="none", steps=1, **RING, **options)
    assert files(here) == []


def test_one_module_cannot_play_both_sides():
    both = made(Judge)
    with pytest.raises(WganError, match="the same module"):
        wgan.train(run="none", steps=1, **RING, generator=both, critic=both)
    shared = made(Points)
    critic = made(Judge)
    critic.last = shared.body[0]
    with pytest.raises(WganError, match=r"share a weight, body.0.weight and last.weight"):
        wgan.train(run="none", steps=1, **RING, generator=shared, critic=critic)
