"""What S0, S2 and S3 share where they are repeated as they ran: sizes, given draws, records of each step, the command.

`as_run_s0.py`, `as_run_s2.py` and `as_run_s3.py` are the published programs under the rules that Keras had at their dates,
in tf_keras: see README.md beside this file. Each can

    --record FILE     run a narrow copy in float64 for 20 steps, and keep every draw and what came of it as safetensors
    --train STEPS     run the program in its full width in float32: its losses as JSON lines, a picture from time to time
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import tf_keras as keras
from safetensors.numpy import save_file

Arrays = dict[str, np.ndarray]
Losses = dict[str, list[float]]
Mark = Callable[[str], None]  # called with the name of each moment of a step: real, fake, clip, rounds, generator
STEPS, STORED, BOUND = 20, 48, 0.01


@dataclass(frozen=True)
class Size:
    """How large a copy of a program is: as published, or narrow."""

    latent: int
    batch: int  # of one half of a critic update
    fakes: int  # of the generator's step
    rounds: int = 5
    side: int = 28
    critic: int = 1  # published widths are divided by this, down to 2
    generator: int = 1

    @property
    def narrow(self) -> bool:
        """Whether this is a copy for a record."""
        return self.side < 28

    def critics(self, *widths: int) -> list[int]:
        """Return the critic's published widths in this copy."""
        return [max(width // self.critic, 2) for width in widths]

    def generators(self, *widths: int) -> list[int]:
        """Return the generator's published widths in this copy."""
        return [max(width // self.generator, 2) for width in widths]


class Draws:
    """The random numbers of a program, all from numpy; in a narrow copy each is kept, in the order drawn."""

    def __init__(self, seed: int, size: Size, images: np.ndarray, labels: np.ndarray) -> None:
        self.random, self.size, self.kept = np.random.default_rng(seed), size, defaultdict(list)
        used = slice(STORED if size.narrow else None)
        self.labels, x = labels[used], pooled(images[used]) if size.narrow else images
        self.data = ((x.astype(keras.backend.floatx()) - 127.5) / 127.5)[..., None]
        if (
            size.narrow
        ):  # noise, because under clipped kernels exact greys tie in max pooling, and rounding would choose
            self.data = 0.9 * self.data + 0.1 * self.random.uniform(-1, 1, self.data.shape)

    def keep(self, name: str, value: np.ndarray) -> np.ndarray:
        """Remember a draw of a narrow copy, and return it."""
        if self.size.narrow:
            self.kept[name].append(value)
        return value

    def indices(self, replace: bool) -> np.ndarray:
        """Return which images are the next real batch."""
        return self.keep("critic_images", self.random.choice(len(self.data), self.size.batch, replace=replace))

    def latents(self, name: str, rows: int) -> np.ndarray:
        """Return z ~ N(0, 1) [rows, latent]."""
        return self.keep(name, self.random.normal(0.0, 1.0, (rows, self.size.latent)).astype(keras.backend.floatx()))

    def classes(self, name: str, rows: int) -> np.ndarray:
        """Return uniform labels [rows]."""
        return self.keep(name, self.random.integers(0, 10, rows))

    def arrays(self) -> Arrays:
        """Return what was kept, and the images it refers to."""
        stacked = {f"draw/{name}": np.stack(values) for name, values in self.kept.items()}
        return stacked | {"data/images": self.data, "data/labels": self.labels}


class Program:
    """A published program: two networks, compiled as it compiled them, and one turn of its loop."""

    size: Size
    draws: Draws
    critic: keras.Model
    generator: keras.Model

    def step(self, it: int, mark: Mark) -> Losses:
        """Take generator step `it` (from 0) with its critic updates before it; return each call's losses by name."""
        raise NotImplementedError

    def squares(self, moment: str) -> Iterable[tuple[tf.Variable, tf.Variable]]:
        """Return the weights that the training function behind a moment moves, with their accumulators."""
        raise NotImplementedError

    def fakes(self, z: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return images for a picture, of the classes where the program has any."""
        return self.generator.predict(z, verbose=0)


def pooled(images: np.ndarray) -> np.ndarray:
    """[N, 28, 28] -> [N, 12, 12]: means of 2 x 2 pixels of the middle; halved twice, a side is odd as 28's is."""
    middle = images[:, 2:26, 2:26].reshape(len(images), 12, 2, 12, 2)
    return middle.mean((2, 4))


def signs(real: bool, rows: int) -> np.ndarray:
    """Return the targets of the Wasserstein loss [rows, 1]."""
    return np.full((rows, 1), -1.0 if real else 1.0, keras.backend.floatx())


def clip_layers(model: keras.Model) -> None:
    """Clip every array of every layer, moving statistics included, as S2 and S3 do."""
    for layer in model.layers:
        layer.set_weights([np.clip(w, -BOUND, BOUND) for w in layer.get_weights()])


def names(program: Program) -> dict[int, str]:
    """Return the name of every variable of both networks by its identity: player/layer/array."""
    found = {}
    for player, model in (("critic", program.critic), ("generator", program.generator)):
        for layer in model.layers:
            for w in layer.weights:
                found[id(w)] = f"{player}/{layer.name}/{w.name.split('/')[-1].partition(':')[0]}"
    return found


def weights(program: Program) -> Arrays:
    """Return the value of every variable of both networks by its name, in Keras's own layout."""
    found = {}
    for model in (program.critic, program.generator):
        for layer in model.layers:
            found |= {names(program)[id(w)]: keras.backend.get_value(w) for w in layer.weights}
    return found


def initial(program: Program) -> Arrays:
    """Return standard deviation and largest size of each array that a program in its full width begins with."""
    return {f"initial/{name}": np.array([value.std(), abs(value).max()]) for name, value in weights(program).items()}


def record(program: Program, path: Path, facts: dict[str, str | int | float], more: Arrays) -> None:
    """Take the steps of a narrow copy; write its start, its draws, the first step's moments, and each step's end."""
    out = {f"start/{name}": value for name, value in weights(program).items()} | more
    ends: dict[str, list[np.ndarray]] = defaultdict(list)
    losses: Losses = defaultdict(list)
    seen: set[str] = set()

    def mark(moment: str) -> None:
        if moment not in seen:
            seen.add(moment)
            known, both = names(program), moment == "generator"
            after = {name: value for name, value in weights(program).items() if both or name.startswith("critic")}
            out.update({f"first/{moment}/{name}": value for name, value in after.items()})
            pairs = program.squares(moment)
            out.update({f"first/{moment}/squares/{known[id(w)]}": keras.backend.get_value(a) for w, a in pairs})

    for it in range(STEPS):
        for name, values in program.step(it, mark).items():
            losses[name] += values
        for name, value in weights(program).items():
            ends[name].append(value)
    out |= {f"end/{name}": np.stack(values).astype(np.float32) for name, values in ends.items()}
    out |= {f"last/{name}": values[-1] for name, values in ends.items()}
    out |= {f"loss/{name}": np.array(values) for name, values in losses.items()}
    out |= program.draws.arrays()
    size = {name: getattr(program.size, name) for name in program.size.__dataclass_fields__}
    text = {"facts": json.dumps(facts | size | {"steps": STEPS, "tf_keras": keras.__version__}, sort_keys=True)}
    save_file({name: np.ascontiguousarray(value) for name, value in sorted(out.items())}, path, text)
    print(f"{path}: {path.stat().st_size:,} bytes, {len(out)} arrays")


def train(program: Program, steps: int, folder: Path, every: int) -> None:
    """Run the program; a line of losses for each step, the means of its critic updates, and a picture every so often."""
    folder.mkdir(parents=True, exist_ok=True)
    z, classes = np.random.default_rng(1).normal(size=(100, program.size.latent)), np.arange(100) // 10
    with (folder / "losses.jsonl").open("w", buffering=1) as log:
        for it in range(steps):
            losses = {name: float(np.mean(values)) for name, values in program.step(it, lambda _: None).items()}
            log.write(json.dumps({"step": it + 1} | losses) + "\n")
            if (it + 1) % every == 0 or it + 1 == steps:
                fakes = program.fakes(z.astype(np.float32), classes)
                write_png(folder / f"step-{it + 1:06d}.png", sheet(fakes))


def sheet(x: np.ndarray) -> np.ndarray:
    """[100, H, W, 1] in [-1, 1] -> uint8 [10 H, 10 W], row after row."""
    grey = np.clip(x[..., 0] * 127.5 + 127.5, 0, 255).round().astype(np.uint8)
    h, w = grey.shape[1:]
    return grey.reshape(10, 10, h, w).transpose(0, 2, 1, 3).reshape(10 * h, 10 * w)


def write_png(path: Path, grey: np.ndarray) -> None:
    """Write uint8 [H, W] as a PNG, with nothing but zlib."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    h, w = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    head = struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def command(about: str) -> argparse.ArgumentParser:
    """Return what the three programs take."""
    parser = argparse.ArgumentParser(description=about)
    todo = parser.add_mutually_exclusive_group(required=True)
    todo.add_argument("--record", type=Path, help="write the record of a narrow copy to this file")
    todo.add_argument("--train", type=int, metavar="STEPS", help="run the program, in its full width unless --divide")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("published-run"), help="where --train writes")
    parser.add_argument("--every", type=int, default=100, help="steps from picture to picture")
    parser.add_argument(
        "--batch", type=int, default=0, help="images in a batch of --train, if not the published number"
    )
    parser.add_argument("--divide", type=int, default=1, help="divide the published widths of --train by this")
    return parser
