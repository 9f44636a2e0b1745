"""What the processes of a group do in tests: each function runs in every process and returns JSON."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from helpers.problems import (
    KERAS,
    boxes,
    images,
    images_config,
    points,
    points_config,
    scans,
    signals_config,
    told_points,
    volumes_config,
    waves,
)
from wgan.cli import main as cli
from wgan.config import Config
from wgan.data import Source
from wgan.data.own import cache
from wgan.distributed import rendezvous
from wgan.distributed.signals import Stop
from wgan.engine import make_engine
from wgan.errors import LostContact, SaidElsewhere, WganError
from wgan.losses import OBJECTIVES, Objective, linear_fake, linear_generator, linear_real, one_sided
from wgan.runs import checkpoint
from wgan.training import loop, monitor, recorder, start, state
from wgan.training import step as phases
from wgan.training.given import Given

EIGHT = {"batch": 8, "precision": "fp64", "lr": 5e-5, "n_critic": 1}

# every way in which the samples of a batch meet: what each system adds, its name says
SYSTEMS: dict[str, tuple[Config, Source]] = {
    **{name: (points_config(objective=name, ema=0.9, **EIGHT), points()) for name in OBJECTIVES},
    "batch norm in the generator, classes, average": (
        images_config(class_critic=1.0, class_generator=0.5, ema=0.9, beta1=0.5, **EIGHT),
        images(),
    ),
    "batch norm in both, momentum": (
        images_config(objective="gan", critic_norm="batch", critic_conditioning="none", ema=0.9, **EIGHT),
        images(),
    ),
    "conditions in batch norms, projected": (
        points_config(conditioning="norm", critic_conditioning="projection", generator_norm="batch", ema=0.9, **EIGHT),
        told_points(),
    ),
    "rectangles of floats, conditions, batch norm": (
        images_config(conditioning="norm", output="linear", ema=0.9, beta1=0.5, **EIGHT),
        scans(),
    ),
    "signals, batch norm, dropout, classes": (
        signals_config(class_critic=1.0, class_generator=0.5, dropout=0.3, ema=0.9, **EIGHT),
        waves(),
    ),
    "volumes, batch norm, dropout, classes": (
        volumes_config(class_critic=1.0, class_generator=0.5, dropout=0.3, ema=0.9, **EIGHT),
        boxes(),
    ),
    "running statistics, halves": (
        images_config(
            objective="wgan-clip", critic_norm="batch", critic_update="separate", critic_statistics="running", **EIGHT
        ),
        images(),
    ),
    "dropout, augmented, mirrored": (
        images_config(dropout=0.4, augment=0.5, flip=1, generator_norm="layer", **EIGHT),
        images(),
    ),
    "dropout in halves, classes on one": (
        images_config(
            dropout=0.3,
            objective="wgan-clip",
            critic_update="separate",
            **KERAS,
            class_critic=1.0,
            class_on="real",
            generator_norm="instance",
            **EIGHT,
        ),
        images(),
    ),
    "dropout under a penalty on both": (
        images_config(objective="r3gan", dropout=0.4, norm_momentum=0.2, **EIGHT),
        images(),
    ),
    "noise around images, iid": (images_config(objective="dragan", sampling="iid", **EIGHT), images()),
    "spectral norm, packs, another generator batch": (
        images_config(
            objective="hinge", critic_norm="spectral", pack=2, generator_batch=12, critic_conditioning="none", **EIGHT
        ),
        images(),
    ),
    "last latents, shared batches": (
        points_config(generator_latents="last", real_batches="shared", **{**EIGHT, "n_critic": 3}),
        points(),
    ),
}


def steps(config: Config, source: Source, group, count: int):
    """Take steps without a run folder; return the players and the statistics of the last."""
    p = start.make_players(config, make_engine("cpu", config.precision, 1, group=group), source)
    for step in range(count):
        stats = phases.take_step(p, source, step, Stop(), True)
    return p, loop.numbers(stats)


def all_systems(folder: str, count: int):
    """Take `count` steps of every system; rank 0 writes the states and returns the statistics."""
    found = {}
    with rendezvous.formed() as group:
        for number, (name, (config, source)) in enumerate(SYSTEMS.items()):
            p, found[name] = steps(config, source, group, count)
            tensors = checkpoint.flatten(state.state(p))
            group.require_alike(tensors, count)
            if group.is_main:
                save_file(tensors, f"{folder}/{number}.safetensors")
    return found


# parts of a caller's own, and the options that go with them
OWN = {
    "networks": {},
    "objective": {"objective": Objective(linear_real, linear_fake, linear_generator, one_sided)},
    "optimizer": {"optimizer": lambda weights: torch.optim.SGD(weights, lr=1e-3, momentum=0.9)},
    "norm": {},
    "dropout": {},
}


def own_network(sizes, *between):
    """Return an MLP of float64 with the same weights in every process."""
    torch.manual_seed(0)
    layers = [nn.Linear(sizes[0], sizes[1]), *between, nn.LeakyReLU(0.2), nn.Linear(sizes[1], sizes[2])]
    return nn.Sequential(*layers).double()


class OwnPoints(nn.Module):
    """G(z, y) -> points of the plane."""

    def __init__(self, latent, *between):
        super().__init__()
        self.body = own_network((latent, 8, 2), *between)

    def forward(self, z, y):
        return self.body(z)


class Noisy(nn.Module):
    """Adds noise of its own."""

    def forward(self, x):
        return x + torch.randn_like(x)


class Spread(nn.Module):
    """Takes the mean of the batch away."""

    def forward(self, x):
        return x - x.mean(0)


class OwnJudge(nn.Module):
    """D(x, y) -> score and no class logits."""

    def __init__(self):
        super().__init__()
        self.body = own_network((2, 8, 1))

    def forward(self, x, y):
        return self.body(x).squeeze(1), None


def own_steps(name, group, count):
    """Take steps with parts of a caller's own; return the players and the statistics of the last."""
    between = {"norm": [nn.BatchNorm1d(8)], "dropout": [nn.Dropout(0.3)]}.get(name, [])
    config = points_config(**EIGHT)
    parts = Given(**{"generator": OwnPoints(config.latent, *between), "critic": OwnJudge(), **OWN[name]})
    p = start.make_players(config, make_engine("cpu", "fp64", 1, group=group), points(), parts)
    for step in range(count):
        stats = phases.take_step(p, points(), step, Stop(), True)
    return p, loop.numbers(stats)


def own_refused(name: str):
    """Make the players of a network that many processes cannot share; return what is said."""
    between = {
        "noise": Noisy(),
        "mean": Spread(),
        "maps": nn.AlphaDropout(0.3),
        "untracked": nn.BatchNorm1d(8, track_running_stats=False),
    }
    config = points_config(**EIGHT)
    parts = Given(generator=OwnPoints(config.latent, between[name]))
    with rendezvous.formed() as group:
        try:
            start.make_players(config, make_engine("cpu", "fp64", 1, group=group), points(), parts)
        except WganError as error:
            return str(error)


def all_own(folder: str, count: int):
    """Take `count` steps with each own part; rank 0 writes the states and returns the statistics."""
    found = {}
    with rendezvous.formed() as group:
        for name in OWN:
            p, found[name] = own_steps(name, group, count)
            if group.is_main:
                save_file(checkpoint.flatten(state.state(p)), f"{folder}/{name}.safetensors")
    return found


def in_precision(folder: str, count: int, precision: str):
    """Take `count` steps of every system in another precision; rank 0 writes the states."""
    with rendezvous.formed() as group:
        for number, (config, source) in enumerate(SYSTEMS.values()):
            p, _ = steps(config.replace(precision=precision, critic_statistics="batch"), source, group, count)
            if group.is_main:
                save_file(checkpoint.flatten(state.state(p)), f"{folder}/{number}.safetensors")


def on_own_data(spec: str, folder: str, caches: list):
    """Train on a user's own data; return the exit code, how often they were prepared here, and how many rows each read took."""
    rank, prepared, read = int(os.environ["RANK"]), [], set()
    os.environ["WGAN_CACHE"] = caches[rank % len(caches)]
    finish, batch, take = cache.Writer.finish, Source.batch, loop.take_step

    def counted(self, *arguments):
        prepared.append(1)
        return finish(self, *arguments)

    def rows(self, indices):
        read.add(len(indices))
        return batch(self, indices)

    def step(*arguments):
        Source.batch = rows
        stats = take(*arguments)
        Source.batch = batch
        return stats

    cache.Writer.finish, loop.take_step = counted, step
    loop.finish_pictures = lambda *_, **__: None
    config = images_config(**{**EIGHT, "data": spec, "n_critic": 2, "evaluate_every": 0, "sample_every": 0})
    return [loop.train(config, Path(folder), tty=False).code, len(prepared), sorted(read)]


def quick():
    """Leave out the plots of the end and measure on few samples, in this process."""
    for module in (start, monitor):
        module.open_source = lambda spec, split="train", seed=0, options=None: {"tiny": images, "line": points}[spec]()
    loop.finish_pictures = lambda *_, **__: None
    monitor.SAMPLES = 20


def train(folder: str, options: dict, patience: float = 30.0, fault: str = ""):
    """Train a small conditional system, each process into a folder of its own name; return its exit code."""
    quick()
    rank = int(os.environ["RANK"])
    FAULTS.get(fault, lambda: None)()
    path = Path(folder) if rank == 0 else Path(f"{folder}-{rank}")
    config = images_config(**{**EIGHT, "n_critic": 2, "ema": 0.9, "checkpoint_every": 2, **options})
    try:
        return loop.train(config, path, tty=False, patience=patience).code
    except SaidElsewhere:
        return 2
    except LostContact as error:
        print(f"wgan: {error}" if error.speaks else "silent")
        return 3
    except WganError as error:
        print(f"wgan: {error}")
        return 2


def at(rank: int, step: int, do):
    """Let process `rank` call do() in the middle of `step`, between the critic's update and the generator's."""
    phase = phases.generator_phase

    def interrupted(p, source, now):
        if now == step and p.engine.group.rank == rank:
            do()
        return phase(p, source, now)

    phases.generator_phase = interrupted


def bad_loss(step: int):
    """Make one process's part of the generator's loss NaN at `step`."""
    update = phases.generator_update

    def bad(p, z, y, real, now):
        z = z * float("nan") if now == step and p.engine.group.rank == 1 and not p.engine.stream else z
        return update(p, z, y, real, now)

    phases.generator_update = bad


def other_versions():
    if os.environ["RANK"] == "1":
        known = start.versions
        start.versions = lambda: {**known(), "torch": "1.0"}


def other_batch():
    if os.environ["RANK"] == "1":
        config = start.require_one_plan
        start.require_one_plan = lambda c, *rest: config(c.replace(batch=16), *rest)


def no_data():
    if os.environ["RANK"] == "1":

        def lacking(*_, **__):
            raise WganError("no file or folder /data/faces")

        start.open_source = lacking


def full_disk():
    def refuse(*_, **__):
        raise WganError("cannot write: no space left")

    recorder.save = refuse


def drifting():
    save = recorder.state

    def drifted(p):
        if p.engine.group.rank == 1:
            next(p.critic.parameters()).data.add_(1e-9)
        return save(p)

    recorder.state = drifted


def kill(number: int):
    return lambda: os.kill(os.getpid(), number)


FAULTS = {
    "killed": lambda: at(1, 3, kill(signal.SIGKILL)),
    "leader killed": lambda: at(0, 3, kill(signal.SIGKILL)),
    "stopped": lambda: at(1, 3, kill(signal.SIGSTOP)),
    "one hears SIGTERM": lambda: at(1, 2, kill(signal.SIGTERM)),
    "leader hears SIGINT": lambda: at(0, 2, kill(signal.SIGINT)),
    "not a number": lambda: bad_loss(3),
    "other versions": other_versions,
    "other options": other_batch,
    "no data": no_data,
    "full disk": full_disk,
    "drift": drifting,
    "another order": lambda: loaded_otherwise(),
}


def words(*line: str):
    """Run one command line as it is."""
    return cli.main(list(line))


def loaded_otherwise():
    """Let one process's state come in another order, as that of a loaded optimizer does; it is the same state."""
    state_of = recorder.state

    def reversed_state(p):
        return dict(reversed(state_of(p).items())) if p.engine.group.rank == 1 else state_of(p)

    recorder.state = reversed_state
