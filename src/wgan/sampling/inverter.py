"""From samples back to latents: a run's generator, critic and encoder together, and what they say of a sample."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wgan.data.depth import PixelUnits
from wgan.data.signals import SignalUnits
from wgan.data.tabular.known import require_known
from wgan.data.tabular.table import Table
from wgan.data.units import Units
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.host import thread_count
from wgan.metrics.anomaly import latent_distance, reconstruction_errors
from wgan.metrics.usual import Usual, learn_usual, usual_of
from wgan.models import AnyGenerator, Critic, build_critic
from wgan.models.encoder import Encoder, build_encoder
from wgan.rng import seeded
from wgan.runs import checkpoint
from wgan.runs.folder import Run
from wgan.sampling.generate import BLOCK
from wgan.sampling.stored import condition_width, fill

FOLDER = "encoder"  # within the run folder
FORMAT = 1
USUAL = "usual"  # the part of a finished encoder's checkpoint that scores measure by
LIKELY = 3  # classes that are tried for a sample, the likeliest by the encoder's classifier: each costs a pass of the generator


@dataclass(frozen=True)
class EncoderFacts:
    """What RUN/encoder/config.json holds: the options of its training, and which generator it belongs to."""

    steps: int
    batch: int
    lr: float
    feature_weight: float  # κ of the loss
    seed: int
    generator_step: int
    raw: bool

    def to_json(self) -> dict[str, Any]:
        """Return the object of the file."""
        return {"format": FORMAT, **self.__dict__}


def encoder_folder(run: Run) -> Path:
    """Return where the encoder of a run lies."""
    return run.path / FOLDER


def read_facts(run: Run) -> EncoderFacts | None:
    """Return what is known of a run's encoder, None where it has none; WganError for a damaged or newer file."""
    path = encoder_folder(run) / "config.json"
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise WganError(f"cannot read {path}: {error}") from None
    try:
        if values.pop("format") > FORMAT:
            raise WganError(f"{path} comes from a newer wgan: install that one")
        return EncoderFacts(**values)
    except (AttributeError, KeyError, TypeError):
        raise WganError(f"{path} is damaged: it is not what wgan encode wrote") from None


@dataclass(frozen=True, eq=False)
class Scores:
    """What is found of N samples; each field float32 [N], larger = stranger, but for the critic's."""

    residual: Tensor  # ‖x − G(E(x))‖² / n
    feature_residual: Tensor  # ‖f(x) − f(G(E(x)))‖² / n_f
    residual_mahalanobis: Tensor  # of x − G(E(x)) from those of training samples: squared, divided by n
    feature_mahalanobis: Tensor  # of f(x) from those of training samples: squared, divided by n_f
    local_distance: Tensor  # of f(x) from the nearest training samples, over how far apart these are from theirs
    latent_distance: Tensor  # of E(x) from N(0, 1), in standard deviations
    critic: Tensor  # D(x): larger = more like the training data
    score: Tensor  # the anomaly score, of both Mahalanobis distances and the local one: see Usual.judge
    labels: Tensor | None  # int64 [N], the class whose reconstruction is the nearest; None = unconditional


class Rebuilt(NamedTuple):
    """What the networks make of B samples x: E(x) [B, Z], f(x) [B, W], the class y [B] taken, G(E(x), y) and its errors [B]."""

    z: Tensor
    seen: Tensor
    y: Tensor | None
    made: Tensor
    residual: Tensor
    feature_residual: Tensor


@dataclass(frozen=True, eq=False)
class Inverter:
    """A generator with its critic and the encoder that was trained for both, in evaluation mode."""

    generator: AnyGenerator
    critic: Critic
    encoder: Encoder
    engine: Engine
    pack: int
    feature_weight: float
    usual: Usual | None = None  # None until the encoder is trained: such a one scores nothing

    def features(self, x: Tensor) -> Tensor:
        """Return the critic's features f(x) [B, W] of samples [B, *shape]; a packed critic sees each sample beside itself."""
        with self.engine.autocast():
            seen: Tensor = self.critic.trunk(x if self.pack == 1 else torch.cat([x] * self.pack, 1))
        return seen.float() if seen.dtype == torch.bfloat16 else seen

    def errors(
        self, x: Tensor, z: Tensor, y: Tensor | None, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return G(z, y), and the residual and feature residual [B] of x beside it; seen: f(x), where it is known."""
        with self.engine.autocast():
            made = self.generator(z, y)
        seen = self.features(x) if seen is None else seen
        return (made, *reconstruction_errors(x, made, seen, self.features(made)))

    def rebuilt(self, x: Tensor, y: Tensor | None) -> Rebuilt:
        """Return what becomes of samples x of classes y; without y a conditional generator takes the nearest of the LIKELY."""
        z, logits = self.encoded(x)
        seen = self.features(x)
        choices = [y]
        if y is None and logits is not None:
            choices = [*logits.topk(min(LIKELY, logits.shape[1])).indices.unbind(1)]
        tried = [Rebuilt(z, seen, some, *self.errors(x, z, some, seen)) for some in choices]
        if len(tried) == 1:
            return tried[0]
        nearest = torch.stack([self.total(r.residual, r.feature_residual) for r in tried]).argmin(0)  # [B]
        row = torch.arange(len(x), device=x.device)
        return Rebuilt(*(torch.stack(part)[nearest, row] for part in zip(*tried, strict=True)))

    def total(self, residual: Tensor, feature_residual: Tensor) -> Tensor:
        """Return residual + κ feature residual [B]."""
        return residual + self.feature_weight * feature_residual

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return latents z [N, Z] of samples x [N, *shape] in the generator's range."""
        return self.each(lambda block, _: self.encoded(block)[0], x, None)

    def encoded(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return E(x) [B, Z] and the class logits [B, K], or None, of one block."""
        with self.engine.autocast():
            found: tuple[Tensor, Tensor | None] = self.encoder(x)
        return found

    @torch.no_grad()
    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return G(E(x), y) [N, *shape]; without labels y [N] a conditional generator takes the nearest class."""
        return self.each(lambda block, labels: self.rebuilt(block, labels).made, x, y)

    @torch.no_grad()
    def residuals(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the residual and the feature residual of samples x [N, *shape], beside each other [N, 2]."""

        def found(block: Tensor, labels: Tensor | None) -> Tensor:
            r = self.rebuilt(block, labels)
            return torch.stack([r.residual, r.feature_residual], 1)

        return self.each(found, x, y)

    @torch.no_grad()
    def scores(self, x: Tensor, y: Tensor | None = None) -> Scores:
        """Return the scores of samples x [N, *shape]; y int64 [N]: their classes, None = the nearest of each.

        Usual.judge has the formula of the score. That of Schlegl (2019, equation 5), residual + κ feature residual, adds up
        squares as if every pixel were as hard to meet: a sample with little in it has little to miss, however strange it is.
        """
        assert self.usual is not None
        usual, chosen = self.usual, list[Tensor]()

        def found(block: Tensor, labels: Tensor | None) -> Tensor:
            r = self.rebuilt(block, labels)
            critic = self.critic.judged(r.seen, r.y if self.critic.projection is not None else None)[0]
            if r.y is not None:
                chosen.append(r.y.cpu())
            errors = [r.residual, r.feature_residual, latent_distance(r.z), critic]
            judged = usual.judge((block - r.made).flatten(1), r.seen.flatten(1))
            return torch.cat([torch.stack(errors, 1), judged.to(r.residual.dtype)], 1)

        residual, feature, latent, critic, *judged = self.each(found, x, y).unbind(1)
        labels = torch.cat(chosen)[: len(x)] if chosen else None
        m_r, m_f, local, score = judged
        return Scores(residual, feature, m_r, m_f, local, latent, critic, score, labels)

    @torch.no_grad()
    def learn_usual(self, x: Tensor) -> Usual:
        """Return what scores measure by, of training samples x [N, *shape]; the nearest class of each, as in scores()."""

        def found(block: Tensor, labels: Tensor | None) -> Tensor:
            r = self.rebuilt(block, labels)
            return torch.cat([(block - r.made).flatten(1), r.seen.flatten(1)], 1)

        n = x[0].numel()
        both = self.each(found, x, None)
        return learn_usual(both[:, :n], both[:, n:])

    def each(self, work: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, y: Tensor | None) -> Tensor:
        """Return what `work` makes of every block, as fp32 on the CPU, without the rows that filled the last one."""
        return torch.cat([work(block, labels)[:rows].float().cpu() for rows, block, labels in self.blocks(x, y)])

    def blocks(self, x: Tensor, y: Tensor | None = None) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Yield rows, samples and labels of blocks of BLOCK, the last one filled up: no score depends on its company."""
        for start in range(0, len(x), BLOCK):
            some = x[start : start + BLOCK]
            index = torch.arange(BLOCK).clamp(max=len(some) - 1)
            block = self.engine.to_float(some[index])
            yield len(some), block, None if y is None else y[start : start + BLOCK][index].to(self.engine.device)


def make_inverter(
    run: Run,
    generator: AnyGenerator,
    engine: Engine,
    step: int,
    encoder: Encoder,
    feature_weight: float,
    usual: Usual | None = None,
) -> Inverter:
    """Return the three networks, frozen, the critic with its weights of `step`; WganError where wgan did not make it."""
    critic = frozen(load_critic(run, step), engine)
    assert isinstance(critic, Critic)
    return Inverter(generator, critic, encoder, engine, run.config.pack, feature_weight, usual)


def require_own_critic(run: Run) -> None:
    """Raise WganError for a run whose critic was not given."""
    if run.exported is not None:
        raise WganError(f"{run.path} is an exported model, without its critic: use the run folder that it came from")
    if "critic" in run.facts.parts:
        raise WganError(f"{run.path} has a critic given in Python: an encoder needs one of wgan's own networks")


def load_critic(run: Run, step: int) -> Critic:
    """Return the critic of a run at `step`."""
    require_own_critic(run)
    with seeded(0, 0, "load critic"):
        facts, width = run.facts, condition_width(run)
        critic = build_critic(run.config, facts.shape, facts.classes, facts.ways, width)
    fill(critic, checkpoint.part(checkpoint.load(run.checkpoints, step).tensors, "critic"), run)
    return critic


def frozen(network: nn.Module, engine: Engine) -> nn.Module:
    """Return the network on the engine's device, in evaluation mode, without gradients of its weights."""
    return network.to(engine.device, engine.dtype).requires_grad_(False).eval()


def new_encoder(run: Run, generator: AnyGenerator, engine: Engine, seed: int) -> Encoder:
    """Return an encoder of a run's generator with the initial weights of `seed`."""
    with seeded(seed, 0, "encoder weights"):
        encoder = build_encoder(run.config, run.facts.shape, generator.latent, generator.classes, engine.ways)
    return encoder.to(engine.device, engine.dtype)


def inverter_of(run: Run, generator: AnyGenerator, engine: Engine, step: int, raw: bool) -> Inverter:
    """Return a loaded generator with the critic of the same step and the run's finished encoder.

    Raises WganError where there is none, where it is not finished, or where it belongs to another generator of the run.
    """
    require_own_critic(run)
    facts = required_facts(run)
    if (facts.generator_step, facts.raw) != (step, raw):
        which = f"step {facts.generator_step}{', raw' if facts.raw else ''}"
        raise WganError(
            f"the encoder of {run.path} belongs to the generator of {which}: load that one, or make a new encoder with "
            f"wgan encode {run.path} --fresh"
        )
    found, _ = checkpoint.load_newest(encoder_folder(run) / "checkpoints")
    if found is None or found.step < facts.steps:
        done = 0 if found is None else found.step
        raise WganError(
            f"the encoder of {run.path} is at step {done} of {facts.steps}: finish it with wgan encode {run.path}"
        )
    if not (known := checkpoint.part(found.tensors, USUAL)):
        raise WganError(f"the encoder of {run.path} comes from an older wgan: complete it with wgan encode {run.path}")
    with thread_count(engine.threads):
        encoder = new_encoder(run, generator, engine, facts.seed)
        fill(encoder, checkpoint.part(found.tensors, "encoder"), run)
        frozen(encoder, engine)
        usual = usual_of(known, engine.device)
        return make_inverter(run, generator, engine, facts.generator_step, encoder, facts.feature_weight, usual)


def required_facts(run: Run) -> EncoderFacts:
    """Return what is known of a run's encoder; WganError where it has none."""
    facts = read_facts(run)
    if facts is None:
        raise WganError(f"{run.path} has no encoder: train one with wgan encode {run.path}")
    return facts


def seen_by_networks(
    x: Tensor, run: Run, units: Units | SignalUnits | PixelUnits | None, table: Table | None
) -> Tensor:
    """Return samples [N, *shape] in the user's units, or images as bytes, in the range of the networks.

    Rows of a table are codes [N, C]; NaN is a missing cell. Raises WganError for another shape than the run's, for numbers that
    are not finite, pixels outside [-1, 1], and cells of a table that no training row can tell of.
    """
    shape = run.facts.shape if table is None else (len(table.columns),)
    if x.dtype == torch.uint8 and len(shape) == 3 and x.dim() == (3 if shape[0] == 1 else 4):
        x = x[:, None] if shape[0] == 1 else x.permute(0, 3, 1, 2)  # as to_images() gives them
    if isinstance(units, Units):
        shape = (len(units.mean),)
    if tuple(x.shape[1:]) != shape or not len(x):
        raise WganError(f"{run.path} makes samples [N, {', '.join(map(str, shape))}], and these are {list(x.shape)}")
    if x.is_floating_point() and not (torch.isfinite(x) | (torch.isnan(x) & (table is not None))).all():
        raise WganError("the samples hold NaN or infinite values" if table is None else "the rows hold infinite values")
    if table is not None:
        rows = x.double().numpy()
        require_known(table, rows, "the samples")
        return torch.from_numpy(table.encode(rows, np.arange(len(rows)))).float()
    if units is None and len(shape) == 3 and x.dtype != torch.uint8 and (most := float(x.abs().max())) > 1:
        raise WganError(f"pixels must be bytes (uint8) or lie in [-1, 1], and one of these is {most:g} from 0")
    return x if units is None else torch.from_numpy(units.standardise(x.double().numpy()))
