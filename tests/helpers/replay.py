"""A recipe's players led through the draws of a published program's record, by the updates that `wgan train` takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.problems import EXACT
from helpers.published import Record, State
from wgan.engine import Engine
from wgan.training.updates import critic_update, generator_update, make_fakes


class Given(nn.Module):
    """Dropout by the masks of a record, one for each call."""

    def __init__(self, masks: Iterator[Tensor], rate: float) -> None:
        super().__init__()
        self.masks, self.rate = masks, rate

    def forward(self, x: Tensor) -> Tensor:
        return x * next(self.masks).to(x.dtype) / (1 - self.rate)


class Replay:
    """The players, and in `seen` what they were at each moment of the first step, in `losses` every call's loss."""

    def __init__(self, record: Record, engine: Engine = EXACT, **options: Any) -> None:
        self.record, self.facts = record, record.facts
        if record.system == "S2":
            options = {"generator_moves": "none" if self.facts["frozen"] else "critic", **options}
        self.p = record.players(engine, lr=self.facts["lr"], **options)
        self.seen: dict[str, State] = {}
        self.losses: dict[str, list[float]] = {}
        self.sides: list[str] = []
        self.give_masks()
        self.p.critic_optimizer.register_step_pre_hook(lambda *_: self.see("begin"))
        self.p.critic_optimizer.register_step_post_hook(lambda *_: self.see(self.sides.pop(0)))

    def give_masks(self) -> None:
        """Put the record's masks where S2's critic drops out."""
        chain = self.p.critic.trunk.layers
        calls = range(self.facts["steps"] * (2 * self.facts["rounds"] + 1))
        for block, place in enumerate([i for i, m in enumerate(chain) if isinstance(m, nn.Dropout)], 1):
            masks = iter([self.record.mask(block, call) for call in calls])
            chain[place] = Given(masks, self.facts["dropout"])

    def see(self, moment: str) -> None:
        """Keep the state of the first time of a moment; S0 clips within its optimizer, ours clips right after it."""
        if moment not in self.seen:
            bound = {id(w): self.p.config.clip for w in self.p.clipped} if self.record.system == "S0" else {}
            self.seen[moment] = self.now(bound)

    def now(self, bound: dict[int, float] | None = None) -> State:
        """Return a copy of all weights, statistics and running squares."""
        found: State = {}
        for player, network in self.networks():
            for name, w in network.state_dict(keep_vars=True).items():
                limit = (bound or {}).get(id(w), torch.inf)
                found[f"{player}/{name}"] = w.detach().double().clamp(-limit, limit)
        return (
            found
            | self.squares("critic", self.p.critic_optimizer)
            | self.squares("generator", self.p.generator_optimizer)
        )

    def networks(self) -> list[tuple[str, nn.Module]]:
        return [("critic", self.p.critic), ("generator", self.p.generator)]

    def squares(self, who: str, optimizer: torch.optim.Optimizer) -> State:
        """Return the running squares of one player's optimizer by the weights that it moves."""
        found: State = {}
        for player, network in self.networks():
            for name, weight in network.named_parameters():
                slot = optimizer.state.get(weight, {})
                if "square_avg_eps" in slot:
                    found[f"{who}'s squares/{player}/{name}"] = slot["square_avg_eps"] - self.p.config.rmsprop_eps
                elif "square_avg" in slot:
                    found[f"{who}'s squares/{player}/{name}"] = slot["square_avg"].clone()
        return found

    def on_record(self, prefix: str, step: int | None = None) -> State:
        """Return what the record has below `prefix` by the same names; see `left_out` for what is not compared."""
        found: State = {}
        who = "generator" if "generator" in prefix else "critic"
        for player, network in self.networks():
            state = self.record.state(f"{prefix}{player}/", player, network, step)
            squares = self.record.state(f"{prefix}squares/{player}/", player, network)
            found |= {f"{player}/{name}": value for name, value in state.items()}
            found |= {f"{who}'s squares/{player}/{name}": value for name, value in squares.items()}
        return {name: value for name, value in found.items() if not self.left_out(name)}

    def left_out(self, name: str) -> bool:
        """Return whether a tensor is one of S3's critic's running statistics: there clipped, here not, and nobody reads them."""
        return self.record.system == "S3" and name.startswith("critic/") and "running" in name

    def idle(self, name: str) -> bool:
        """Return whether a tensor is a bias that batch norm takes away again, or the mean that it shifts."""
        player, _, key = name.partition("/")
        if player not in ("critic", "generator") or self.record.system == "S2":
            return False
        convolution = key.endswith("inner.bias") and not key.startswith(
            ("trunk.layers.0.", "body.layers.8.", "body.layers.9.")
        )
        first = self.record.system == "S0" and key == "trunk.layers.0.inner.bias"
        return convolution or first or key.endswith("running_mean")

    def step(self, it: int) -> None:
        """Take generator step `it` (from 0), after its critic updates."""
        r, rounds = self.record, self.facts["rounds"]
        z, y = torch.empty(0), None
        for k in range(it * rounds, (it + 1) * rounds):
            chosen = r["draw/critic_images"][it if r.system == "S3" else k]
            y = r["data/labels"][chosen] if r.system == "S2" else None
            z = self.cast(r["draw/critic_latents"][k])
            self.update_critic(self.cast(r["data/images"][chosen].permute(0, 3, 1, 2)), z, y)
        self.see("rounds")
        z = z if r.system == "S3" else self.cast(r["draw/generator_latents"][it])
        y = r["draw/generator_classes"][it] if r.system == "S2" else None
        before = moving(self.p.generator)
        self.add(generator_update(self.p, z, y, None, it), generator="generator/loss")
        if r.system == "S3":
            as_keras_222(before, it, len(z) * 36)  # both feature maps with a batch norm are 6 x 6
        self.see("generator")

    def update_critic(self, real: Tensor, z: Tensor, y: Tensor | None) -> None:
        self.sides = ["real", "fake"]
        stats = critic_update(self.p, real, make_fakes(self.p, z, y), y, self.p.engine.draws(0, 0, "none", len(z)))
        self.see("pair")
        self.add(stats, real="critic/loss_real", fake="critic/loss_fake")

    def cast(self, x: Tensor) -> Tensor:
        return x.to(self.p.engine.dtype)

    def add(self, stats: dict[str, Tensor | float], **names: str) -> None:
        for name, key in names.items():
            self.losses.setdefault(name, []).append(float(stats[key]))


def moving(network: nn.Module) -> list[tuple[nn.BatchNorm2d, Tensor, Tensor]]:
    """Return each batch norm with copies of its running statistics."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    return [(m, m.running_mean.clone(), m.running_var.clone()) for m in norms]  # type: ignore[union-attr]


def as_keras_222(before: list[tuple[nn.BatchNorm2d, Tensor, Tensor]], it: int, n: int) -> None:
    """Make running statistics what Keras 2.2.2 makes of the same batch of n numbers: two differences, named on S3's page.

    Its averages are zero-debiased, so that their first update forgets the initial 0 and 1, of which ours keep 0.8 a step; and
    its variance is n / (n - 1.001) times the unbiased one. After some 20 steps nothing is left of the first.
    """
    for norm, mean, variance in before:
        m, a = norm.momentum, float(np.float32(norm.momentum))  # TensorFlow has 1 - 0.8 in float32
        batch = [(new - (1 - m) * old) / m for new, old in ((norm.running_mean, mean), (norm.running_var, variance))]
        faster = a / (1 - (1 - a) ** (it + 1))
        norm.running_mean.copy_((1 - faster) * mean + faster * batch[0])
        norm.running_var.copy_((1 - faster) * variance + faster * batch[1] * n / (n - 1.001))
