"""What `wgan compare` looks at inside the critics: the gradient they leave the generator, and what clipping does to them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan.config import Config
from wgan.config.objectives import FACTS
from wgan.data import Source, open_source
from wgan.data.source import selection_indices
from wgan.distributed.signals import check
from wgan.host import thread_count
from wgan.losses import clip_weights, generator_term, safe_norms
from wgan.rng import stream
from wgan.runs import checkpoint
from wgan.runs.folder import Run
from wgan.sampling.generate import generate
from wgan.training.monitor import frozen_copy
from wgan.training.players import Players, make_players
from wgan.training.state import engine_for, restore, resume_engine
from wgan.training.updates import critic_update, judge, make_fakes
from wgan.training.watch import gradient_norm

UPDATES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)  # of the critic, after which the gradient is measured
BINS = 40  # of the weights
POINTS = 512  # at which gradient norms are taken, of each kind
DECADES = (-6.0, 3.0)  # log10 of the gradient norms in the histogram; what lies beyond counts in the outermost bin
NORM_BINS = 45  # five to a decade
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def vanishing(
    config: Config, updates: tuple[int, ...] = UPDATES, generator: Mapping[str, Tensor] | None = None
) -> dict[str, list[tuple[int, float]]]:
    """Return loss -> (critic updates, norm of the generator's gradient) while only the critic learns.

    The generator stays as it was initialised (Arjovsky & Bottou 2017, figure 2), or as the tensors of `generator` say. The
    plain GAN is measured with its minimax loss too, log(1 - sigmoid(D)), whose gradient is the one that
    vanishes. A critic that is clipped is so from the start.
    """
    source = open_source(config.data, config.split)
    engine = engine_for(config, source)
    found: dict[str, list[tuple[int, float]]] = {}
    with thread_count(engine.threads):
        p = make_players(config, engine, source)
        if generator is not None:
            p.generator.load_state_dict(dict(generator))
        if p.clipped:  # as every later gradient is: one of weights that training never uses would be the largest by far
            clip_weights(p.clipped, config.clip)
        for k in range(max(updates) + 1):
            check()
            if k in updates:
                for name, norm in generator_gradients(p, source, k).items():
                    found.setdefault(name, []).append((k, norm))
            if k < max(updates):
                real, z = batch(p, source, k)
                draws = engine.draws(config.seed, k, "probe points", len(real))
                critic_update(p, real, make_fakes(p, z, None), None, draws)
    return found


def batch(p: Players, source: Source, k: int) -> tuple[Tensor, Tensor]:
    """Return reals [B, *shape] and latents [B, Z] of update k."""
    c = p.config
    index = torch.randint(len(source), (c.batch,), generator=stream(c.seed, k, "probe index"))
    return p.engine.to_float(source.batch(index)[0]), p.engine.draws(c.seed, k, "probe latent", c.batch).normal(
        c.latent
    )


def generator_gradients(p: Players, source: Source, k: int) -> dict[str, float]:
    """Return the norm of the generator's gradient in its weights for its loss (and the minimax one of the plain GAN)."""
    real, z = batch(p, source, k + 1_000_000)  # other samples than the critic has just learned from
    norms = {}
    p.critic.requires_grad_(False)
    names = [p.config.objective]
    if FACTS[p.config.objective].minimax:
        names.append(f"{p.config.objective}, minimax")
    for name in names:
        scores = judge(p, p.generator(z, None), None)[0]
        real_scores = judge(p, real, None)[0] if p.objective.pairs else None
        loss = generator_term(p.objective, scores, real_scores)
        if name != p.config.objective:
            loss = -torch.nn.functional.softplus(scores).mean()
        p.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms[name] = gradient_norm(p.generator)
    p.generator_optimizer.zero_grad(set_to_none=True)
    return norms


def critic_weights(run: Run) -> dict[str, Any]:
    """Return the histogram of the last critic's weights: edges [BINS + 1], fraction in each bin [BINS], largest, typical size."""
    found, _ = checkpoint.load_newest(run.checkpoints)
    if found is None:
        return {}
    weights = [t.double().flatten() for t in checkpoint.part(found.tensors, "critic").values() if t.is_floating_point()]
    values = torch.cat(weights).numpy()  # fsum below: numpy's sum depends on where in memory they happen to lie
    edge = float(np.quantile(np.abs(values), 0.999)) or 1.0
    counts, edges = np.histogram(values, BINS, (-edge * 1.02, edge * 1.02))
    fractions = counts / len(values)
    return {
        "edges": edges.tolist(),
        "shares": fractions.tolist(),
        "largest": float(np.abs(values).max()),
        "rms": math.sqrt(math.fsum(values**2) / len(values)),
    }


def critic_gradient_norms(run: Run) -> dict[str, Any]:
    """Return how ||grad_x D(x)|| of the last critic is distributed at held-out reals, at fakes and between them.

    quantiles: place -> the gradient norms at QUANTILES; edges [NORM_BINS + 1] in log10 and the fraction [NORM_BINS] of all
    three places together; near_one: the fraction of them from 0.5 to 2, where the gradient penalty wants them.
    """
    config = run.config
    source, held_out = (open_source(config.data, split) for split in (config.split, "test"))
    engine = resume_engine(config, run.path, source)
    with thread_count(engine.threads):
        p = make_players(config, engine, source)
        restore(p, run)
        places = {name: gradient_norms_at(p, x) for name, x in places_of(p, held_out).items()}
    every = np.concatenate(list(places.values()))
    decades = np.log10(np.maximum(every, 1e-30)).clip(*DECADES)
    counts, edges = np.histogram(decades, NORM_BINS, DECADES)
    return {
        "quantiles": {name: np.quantile(v, QUANTILES).tolist() for name, v in places.items()},
        "edges": edges.tolist(),
        "shares": (counts / len(every)).tolist(),
        "near_one": float(((every >= 0.5) & (every <= 2)).mean()),
    }


def places_of(p: Players, held_out: Source) -> dict[str, Tensor]:
    """Return up to POINTS held-out reals, as many fakes, and points uniformly between them, each [N, *shape]."""
    real = p.engine.to_float(held_out.batch(selection_indices(len(held_out))[:POINTS])[0])
    z = p.engine.draws(p.config.seed, 0, "probe slopes", len(real)).normal(p.config.latent)
    fake = p.engine.to_float(generate(p.best_generator, z.cpu(), None, p.engine))
    shape = (1,) * (real.dim() - 1)
    eps = p.engine.draws(p.config.seed, 0, "probe slopes between", len(real)).uniform(*shape)
    return {"real": real, "fake": fake, "between": eps * real + (1 - eps) * fake}


def gradient_norms_at(p: Players, x: Tensor) -> np.ndarray:
    """Return ||grad_x D(x)|| [N] of the critic in the state in which it trains."""
    judged = dataclasses.replace(p, critic=frozen_copy(p.critic))
    points = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(judged, points, None)[0].sum(), points)
    norms: np.ndarray = safe_norms(gradient).double().cpu().numpy()
    return norms
