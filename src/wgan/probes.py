"""What `wgan compare` looks at inside the critics: the gradient they leave the generator, and what clipping does to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan import checkpoint
from wgan.config import Config
from wgan.data import Source, open_source
from wgan.engine import generator, make_engine, thread_count
from wgan.run import Run
from wgan.updates import Players, critic_update, gradient_norm, judge, make_fakes, make_players

UPDATES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)  # of the critic, after which the gradient is measured
BINS = 40


def vanishing(config: Config, updates: tuple[int, ...] = UPDATES) -> dict[str, list[tuple[int, float]]]:
    """Return loss -> (critic updates, norm of the generator's gradient) while only the critic learns.

    The generator stays as it was initialised (Arjovsky & Bottou 2017, figure 2). The plain GAN is measured with its
    minimax loss too, log(1 - sigmoid(D)), whose gradient is the one that vanishes.
    """
    source = open_source(config.data, config.split)
    engine = make_engine(config.device, config.precision, config.threads, "conv" in (config.generator, config.critic))
    found: dict[str, list[tuple[int, float]]] = {}
    with thread_count(engine.threads):
        p = make_players(config, engine, source)
        for k in range(max(updates) + 1):
            if k in updates:
                for name, norm in generator_gradients(p, source, k).items():
                    found.setdefault(name, []).append((k, norm))
            real, z = batch(p, source, k)
            critic_update(
                p, real, make_fakes(p, z, None), None, engine.draws(config.seed, k, "probe points", len(real))
            )
    return found


def batch(p: Players, source: Source, k: int) -> tuple[Tensor, Tensor]:
    """Return reals [B, *shape] and latents [B, Z] of update k."""
    c = p.config
    index = torch.randint(len(source), (c.batch,), generator=generator(c.seed, k, "probe index"))
    return p.engine.to_float(source.batch(index)[0]), p.engine.draws(c.seed, k, "probe latent", c.batch).normal(
        c.latent
    )


def generator_gradients(p: Players, source: Source, k: int) -> dict[str, float]:
    """Return the norm of the generator's gradient in its weights for its loss (and the minimax one of the plain GAN)."""
    real, z = batch(p, source, k + 1_000_000)  # other samples than the critic has just learned from
    norms = {}
    p.critic.requires_grad_(False)
    for name in [p.config.objective, *(["gan, minimax"] if p.config.objective == "gan" else [])]:
        scores = judge(p, p.generator(z, None), None)[0]
        real_scores = judge(p, real, None)[0] if p.objective.relativistic else None
        minimax = name != p.config.objective
        loss = -torch.nn.functional.softplus(scores).mean() if minimax else p.objective.generator(scores, real_scores)
        p.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norms[name] = gradient_norm(p.generator)
    p.generator_optimizer.zero_grad(set_to_none=True)
    return norms


def critic_weights(run: Run) -> dict[str, Any]:
    """Return the histogram of the last critic's weights: edges [BINS + 1], share in each bin [BINS], largest, typical size."""
    found, _ = checkpoint.load_newest(run.checkpoints)
    if found is None:
        return {}
    weights = [t.double().flatten() for t in checkpoint.part(found.tensors, "critic").values() if t.is_floating_point()]
    values = torch.cat(weights).numpy()  # fsum below: numpy's sum depends on where in memory they happen to lie
    edge = float(np.quantile(np.abs(values), 0.999)) or 1.0
    counts, edges = np.histogram(values, BINS, (-edge * 1.02, edge * 1.02))
    shares = counts / len(values)
    return {"edges": edges.tolist(), "shares": shares.tolist(), "largest": float(np.abs(values).max()),
            "rms": math.sqrt(math.fsum(values**2) / len(values))}  # fmt: skip
