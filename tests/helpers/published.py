"""The records of S0, S2 and S3 as they really ran (tests/fixtures/published/), with their weights in PyTorch's layouts.

A record is what benchmarks/published/as_run_*.py wrote in Keras; README.md there says what each array is.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from helpers.problems import EXACT
from wgan.config import Config
from wgan.data import Source
from wgan.engine import Engine
from wgan.recipes import configure
from wgan.training.players import Players, make_players

State = dict[str, Tensor]

FOLDER = Path(__file__).parents[1] / "fixtures" / "published"
RECIPE = {"S0": "conv-clip-five", "S2": "ac-clip", "S3": "deep-conv-clip"}
LAYERS = {  # of each network, in the order of our modules
    "S0": {"critic": "conv1 norm1 conv2 norm2 score", "generator": "dense grow1 norm1 grow2 norm2 last"},
    "S2": {
        "critic": "conv1 conv2 conv3 conv4 score class",
        "generator": "embedding dense1 dense2 grow1 grow2 last",
    },
    "S3": {
        "critic": "conv1 conv2 norm2 conv3 norm3 conv4 norm4 score",
        "generator": "dense grow1 norm1 grow2 norm2 last",
    },
}
NARROW = {  # the networks' lines with the widths of the records
    "S0": {"generator_layers": "/ 4n0 4k4x2 4k4x2 / k7", "critic_layers": "4k4x2 4k4x2 /"},
    "S2": {"generator_layers": "16 / 2 4k5x2 2k5x2 / k2", "critic_layers": "2k3p2 2k3 4k3p2 8k3 /"},
    "S3": {"generator_layers": "/ 16n0a0 4k3x2 2k3 / k3x2", "critic_layers": "2k3x2n0 4k3x2 8k3x2 16k3 /"},
}
LAST_SIDE = {"S0": 3, "S2": 3, "S3": 2}  # of the narrow critic's last feature map
DENSE = {"kernel": "weight", "bias": "bias"}  # what Keras calls our arrays
KEYS: dict[type[nn.Module], dict[str, str]] = {
    nn.Embedding: {"embeddings": "weight"},
    nn.BatchNorm2d: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}


class Record:
    """One record: its facts, and its arrays."""

    def __init__(self, name: str) -> None:
        with safe_open(FOLDER / f"{name}.safetensors", "np") as file:
            self.facts: dict[str, Any] = json.loads(file.metadata()["facts"])
            self.arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a dict
        self.system: str = self.facts["system"]

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def players(self, engine: Engine = EXACT, **options: Any) -> Players:
        """Return the recipe's players, as narrow as the record's and in its initial state."""
        p = make_players(self.config(precision=engine.precision, **options), engine, self.source())
        for player, network in (("critic", p.critic), ("generator", p.generator)):
            network.load_state_dict(self.state(f"start/{player}/", player, network), strict=False)
        return p

    def config(self, **options: Any) -> Config:
        """Return the recipe with the record's sizes; everything else is the recipe's own."""
        sizes = {"batch": self.facts["batch"], "generator_batch": self.facts["fakes"], "latent": self.facts["latent"]}
        # TensorFlow's LeakyReLU has its slope in float32, whatever it computes in
        slope = f"lrelu:{float(np.float32(0.3 if self.system == 'S2' else 0.2))!r}"
        slopes = {"critic_activation": slope} | ({"generator_activation": slope} if self.system != "S3" else {})
        here = {"threads": 1, "device": "cpu"}
        return configure(RECIPE[self.system], {**NARROW[self.system], **sizes, **slopes, **here, **options})

    def source(self, side: int | None = None) -> Source:
        """Return the images that the real batches are taken from, or as many of another side that are all alike."""
        x, y = self["data/images"].permute(0, 3, 1, 2), self["data/labels"]
        x = x if side is None else x[:, :, :1, :1].expand(-1, -1, side, side)
        labelled = (y, 10) if self.system == "S2" else (None, 0)
        return Source("record", "train", (1, *x.shape[2:]), len(x), lambda i: x[i], *labelled)

    def state(self, prefix: str, player: str, network: nn.Module, step: int | None = None) -> State:
        """Return the arrays below `prefix` (of one step, where they are stacked) as entries of the network's state."""
        found: State = {}
        for layer, name, array, ours in self.names(player, network):
            key = f"{prefix}{layer}/{array}"
            if key in self.arrays:
                value = self.arrays[key] if step is None else self.arrays[key][step]
                found[f"{name}.{ours}"] = torch.from_numpy(self.laid_out(value, player, layer)).double()
        return found

    def names(self, player: str, network: nn.Module) -> list[tuple[str, str, str, str]]:
        """Return (Keras's layer, our module, Keras's array, our tensor) of every array that a network may have."""
        ours = [(name, m) for name, m in network.named_modules() if any(True for _ in m.parameters(recurse=False))]
        pairs = zip(LAYERS[self.system][player].split(), ours, strict=True)
        return [(layer, name, a, b) for layer, (name, m) in pairs for a, b in KEYS.get(type(m), DENSE).items()]

    def laid_out(self, value: np.ndarray, player: str, layer: str) -> np.ndarray:
        """Return an array of Keras in PyTorch's layout.

        Convolutions [k, k, in, out] and transposed ones [k, k, out, in] -> [out, in, k, k] and [in, out, k, k]; a transposed
        one of stride 1 is here the convolution that it equals, with its kernel turned; dense layers [in, out] -> [out, in],
        where a critic's `in` is (h, w, c) there and (c, h, w) here.
        """
        if value.ndim == 1 or layer == "embedding":
            return value
        if (self.system, player, layer) == ("S3", "generator", "grow2"):
            return np.ascontiguousarray(value.transpose(2, 3, 0, 1)[:, :, ::-1, ::-1])
        if value.ndim == 2 and player == "critic":
            maps = value.reshape(LAST_SIDE[self.system], LAST_SIDE[self.system], -1, value.shape[1])
            return np.ascontiguousarray(maps.transpose(3, 2, 0, 1)).reshape(value.shape[1], -1)
        return np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T)

    def mask(self, block: int, call: int) -> Tensor:
        """Return the mask [B, C, H, W] of dropout `block` (from 1) in training call `call` of D and D(G) together."""
        side, width = {1: (6, 2), 2: (6, 2), 3: (3, 4), 4: (3, 8)}[block]
        shape = (self.facts["batch"], side, side, width)
        bits = np.unpackbits(self.arrays[f"draw/mask{block}"][call], count=math.prod(shape))
        return torch.from_numpy(bits.reshape(shape)).permute(0, 3, 1, 2).double()


def full_width(record: Record) -> tuple[State, State]:
    """Return what the recipe begins with in its full width, and (deviation, largest) of the program's, by Keras's names."""
    p = make_players(configure(RECIPE[record.system], {"device": "cpu"}), EXACT, record.source(28))
    have: State = {}
    for player, network in (("critic", p.critic), ("generator", p.generator)):
        ours = network.state_dict()
        names = [n for n in record.names(player, network) if f"{n[1]}.{n[3]}" in ours]
        have |= {f"{player}/{layer}/{array}": ours[f"{module}.{name}"] for layer, module, array, name in names}
    return have, {key.partition("/")[2]: record[key] for key in record.arrays if key.startswith("initial/")}
