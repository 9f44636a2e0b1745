"""Models that nobody trained: any network with the numbers that a trained one would have, in a run without a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wgan.data.conditions import fit
from wgan.engine import make_engine
from wgan.models import build_generator
from wgan.models.layers import Linked
from wgan.recipes import configure
from wgan.runs.facts import RunFacts
from wgan.runs.folder import Run
from wgan.sampling.model import Model


def given_numbers(n=200):
    """Return conditions of any kind: fractions, whole numbers, and a category one of whose levels was not learned."""
    draw = np.random.default_rng(0)
    kind = np.array(["muon", "pion, charged", "lost"])[[*np.arange(n - 1) % 2, 2]]
    raw = {"energy": draw.uniform(10, 90, n), "count": draw.integers(0, 12, n), "kind": kind}
    return fit(raw, np.arange(n) < n - 1, "here")[0]


def untrained(shape, classes=0, recipe="mnist", units=None, conditions=None, **options):
    """Return a Model of a recipe with `options`; its norms have statistics and gains that are not those at the start."""
    config = configure(recipe, {"latent": 16, **options})
    names = tuple(map(str, range(classes)))
    told = {} if conditions is None else {"conditions": json.loads(json.dumps(conditions.to_json()))}
    facts = RunFacts(shape, classes, names, "fp32", 1, units=units, **told)
    torch.manual_seed(0)
    network = build_generator(config, shape, classes, conditions=0 if conditions is None else conditions.width)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 2)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
        if isinstance(module, Linked):
            nn.init.normal_(module.weight, 0, 0.3)
            nn.init.normal_(module.start, 1, 0.3)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 1, 0.3)
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
            nn.init.normal_(module.bias, 0, 0.2)
    network.requires_grad_(False).eval()
    return Model(Run(Path("nowhere"), config, facts), 0, network, make_engine("cpu", "fp32", 1), [])


# one of each kind of generator: name -> (shape, classes, options)
KINDS = {
    "mlp": ((1, 12, 12), 0, {"generator": "mlp", "generator_layers": "32 48"}),
    "mlp-colour": ((3, 8, 12), 4, {"generator": "mlp", "generator_layers": "32n0 24a0"}),
    "transposed": ((1, 16, 16), 10, {"generator_layers": "/ 24 16k3 12k4x2 / k4x2"}),
    "transposed-odd": ((3, 12, 20), 0, {"generator_layers": "20 / 16 12k5x2 / k3x2"}),
    "growth-3": ((1, 12, 12), 0, {"generator_layers": "/ 8 6k5x3 / k3"}),
    "nearest": ((1, 16, 16), 3, {"generator_layers": "/ 12 10k5x2 8k3x2 / k3", "upsample": "nearest"}),
    "nearest-out": ((2, 16, 16), 3, {"generator_layers": "/ 12 10k4 / k5x2", "upsample": "nearest"}),
    "resnet": ((1, 16, 16), 0, {"generator": "resnet", "generator_layers": "/ 12 16x2 8x2 / k3"}),
    "resnet-class": ((3, 16, 16), 5, {"generator": "resnet", "generator_layers": "/ 12 12x2 8 / k3x2"}),
    "layer": ((1, 8, 8), 3, {"generator_layers": "6 / 8 6k4x2 / k3", "generator_norm": "layer"}),
    "layer-plain": ((1, 8, 8), 0, {"generator_layers": "6 / 8 6k4x2 / k3", "generator_norm": "layer"}),
    "instance": ((1, 8, 8), 3, {"generator_layers": "/ 8 6k4x2 / k3", "generator_norm": "instance"}),
    "product": ((1, 8, 8), 3, {"generator_layers": "/ 8 6k4x2 / k3", "conditioning": "product"}),
    "concat": ((1, 8, 8), 3, {"generator_layers": "/ 8 6k4x2 / k3", "conditioning": "concat"}),
    "capped": ((1, 8, 8), 0, {"generator_layers": "/ 8 6k4x2 / k3", "generator_activation": "relu-cap:0.8"}),
    "leaky": ((1, 8, 8), 0, {"generator_layers": "/ 8 6k4x2 / k3", "generator_activation": "lrelu:0.1"}),
    "bare": ((1, 8, 8), 0, {"generator_layers": "/ 8 6k4x2 / k3", "generator_norm": "none", "output": "linear"}),
    "vectors": ((5,), 0, {"recipe": "vectors", "generator_layers": "32 32"}),
    "vectors-class": ((3,), 4, {"recipe": "vectors", "generator_layers": "32", "generator_norm": "batch"}),
}

# generators that are told conditions: name -> (shape, options)
TOLD = {
    "transposed": ((1, 16, 16), {"generator_layers": "/ 24 16k3 12k4x2 / k4x2"}),
    "resnet": ((3, 16, 16), {"generator": "resnet", "generator_layers": "/ 12 12x2 8 / k3x2"}),
    "layer": ((1, 8, 8), {"generator_layers": "6 / 8 6k4x2 / k3", "generator_norm": "layer"}),
    "concat": ((1, 8, 8), {"generator_layers": "/ 8 6k4x2 / k3", "conditioning": "concat"}),
    "vectors": (
        (3,),
        {"recipe": "vectors", "generator_layers": "32", "generator_norm": "batch", "conditioning": "norm"},
    ),
    "vectors-concat": ((5,), {"recipe": "vectors", "generator_layers": "32 32", "conditioning": "concat"}),
}
