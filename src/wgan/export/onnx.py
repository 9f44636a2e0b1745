"""`wgan export --to onnx`: one ONNX file of PyTorch's plain layers, checked by onnxruntime before it is written."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wgan.data.depth import PixelUnits
from wgan.data.signals import SignalUnits
from wgan.data.units import Units
from wgan.errors import WganError
from wgan.export.card import column_names
from wgan.files import replace_file
from wgan.host import thread_count
from wgan.models import AnyGenerator, build_critic, build_generator
from wgan.models.own import OwnGenerator
from wgan.rng import seeded
from wgan.runs import checkpoint as saved
from wgan.runs.checkpoint import part
from wgan.sampling.latents import latents
from wgan.sampling.model import Model

CHECKED = 1000  # latents that the file is checked with
BATCHES = (1, 2, 7, 64)  # sizes of a batch that it is checked with
BOUND = 1e-4  # on the difference from PyTorch: of a sample in [-1, 1], or of a number divided by its size above 1
OPSET = 18  # the oldest with every operator that is needed


@dataclass(frozen=True)
class Written:
    """An ONNX file: the largest difference from PyTorch over CHECKED latents, and its inputs and outputs."""

    difference: float
    inputs: list[str]
    outputs: list[str]


class Images(nn.Module):
    """z [B, Z], label int64 [B] -> images uint8 [B, C, H, W] as a picture shows them, and floats in [-1, 1]."""

    def __init__(self, network: nn.Module, rgb: bool) -> None:
        super().__init__()
        self.network, self.rgb = network, rgb

    def forward(self, z: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return round((x + 1) * 127.5), in double precision as wgan.visual.images.to_uint8, and x."""
        x = self.network(z, label).float().clamp(-1, 1)
        images = torch.round((x.double() + 1) * 127.5).to(torch.uint8)
        return images.expand(-1, 3, -1, -1) if self.rgb and images.shape[1] == 1 else images, x


class Values(nn.Module):
    """z [B, Z], label int64 [B] -> signals [B, C, T] or images [B, C, H, W] as float64 in the units of the data, and floats."""

    def __init__(self, network: nn.Module, units: SignalUnits | PixelUnits | None) -> None:
        super().__init__()
        mean, scale = ([0.0], [1.0]) if units is None else (units.mean, units.scale)
        kind = np.dtype("float64" if units is None else units.dtype)
        limits = np.iinfo(kind) if kind.kind in "iu" else None
        self.network, self.whole = network, limits is not None
        ends = [-np.inf, np.inf] if limits is None else [float(limits.min), float(limits.max)]
        for name, values in {"mean": mean, "scale": scale, "ends": ends}.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64)[:, None])

    def forward(self, z: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what `restore` of the units makes of x, and x."""
        n = dict(self.named_buffers(recurse=False))
        x = self.network(z, label).float()
        values = x.double() * n["scale"] + n["mean"]
        return torch.clamp(torch.round(values), n["ends"][0], n["ends"][1]) if self.whole else values, x


class Rows(nn.Module):
    """z [B, Z], label int64 [B] -> rows float64 [B, C] in the units of the data, and standardised floats [B, D]."""

    def __init__(self, network: nn.Module, units: Units | None) -> None:
        super().__init__()
        self.network, self.restore = network, nn.Identity() if units is None else Restore(units)

    def forward(self, z: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what wgan.data.units.Units.restore makes of x, and x."""
        x = self.network(z, label).float()
        rows: Tensor = self.restore(x.double())
        return rows, x


class Scores(nn.Module):
    """x [B, *shape], label int64 [B] for a projection critic -> score [B], and class logits [B, K] where it has them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return the score, and the class logits."""
        score, logits = self.network(x, label)
        return score if logits is None else (score, logits)


class Restore(nn.Module):
    """Standardised samples x [B, D] -> rows [B, C] in the user's units: Units.restore in operations that ONNX has.

    Its numbers are tensors: the exporter would round plain ones to 32 bits.
    """

    def __init__(self, units: Units) -> None:
        super().__init__()
        self.has_range = bool(units.low)
        ones = [0.0] * len(units.mean)
        numbers = {name: getattr(units, name) or ones for name in ("mean", "scale", "low", "high", "step")}
        kinds = [np.dtype(kind) for kind in units.kinds]
        limits = [np.iinfo(kind) if kind.kind in "iu" else None for kind in kinds]
        numbers |= {
            "least": [-np.inf if limit is None else float(limit.min) for limit in limits],
            "most": [np.inf if limit is None else float(limit.max) for limit in limits],
            "factor": [10.0**d if 0 <= d < 16 else 1.0 for d in units.decimals],
        }
        for name, values in numbers.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        rounded = [kind.kind in "iu" or 0 <= d < 16 for kind, d in zip(kinds, units.decimals, strict=True)]
        self.register_buffer("rounded", torch.tensor(rounded))
        place = {column: at for at, column in enumerate(units.kept)}
        self.register_buffer("place", torch.tensor([place.get(i, 0) for i in range(len(kinds))]))

    def forward(self, x: Tensor) -> Tensor:
        """x float64 [B, D] -> rows float64 [B, C]; a constant column has scale 0."""
        n = dict(self.named_buffers())
        rows = n["mean"] + x[:, n["place"]] * n["scale"]
        if self.has_range:
            stepped = n["low"] + torch.round((rows - n["low"]) / torch.where(n["step"] > 0, n["step"], 1)) * n["step"]
            rows = torch.where(n["step"] > 0, stepped, rows)
            rows = torch.minimum(torch.maximum(rows, n["low"]), n["high"])
        rows = torch.where(n["rounded"], torch.round(rows * n["factor"]) / n["factor"], rows)
        return torch.minimum(torch.maximum(rows, n["least"]), n["most"])


@dataclass(frozen=True)
class Plan:
    """What is exported: a module, tensors of CHECKED rows to run it with by the names of its inputs, and its outputs' names."""

    module: nn.Module
    given: dict[str, Tensor]
    outputs: list[str]


def export_onnx(model: Model, out: Path, rgb: bool = False, critic: bool = False) -> Written:
    """Write the generator of `model`, or its critic, to the ONNX file `out`.

    rgb: grey images in three equal channels. Raises WganError without the packages of wgan[onnx], for a layer that ONNX
    lacks, and where onnxruntime differs from PyTorch by more than BOUND; nothing is then written.
    """
    require_packages()
    plan = critic_plan(model) if critic else generator_plan(model, rgb)
    plan.module.requires_grad_(False).eval()
    with thread_count(model.engine.threads), quiet():
        data = converted(plan, described(model))
        difference = checked(data, plan)
    if not difference <= BOUND:
        raise WganError(
            f"the ONNX file differs from PyTorch by {difference:.2g}, more than {BOUND:g}: it is not written"
        )
    replace_file(out, lambda file: file.write(data))
    return Written(difference, list(plan.given), plan.outputs)


def require_packages() -> None:
    """Raise WganError unless the packages of the extra are there."""
    try:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            importlib.import_module(name)
    except ImportError:
        raise WganError("--to onnx needs onnx, onnxscript and onnxruntime: pip install 'wgan[onnx]'") from None


def generator_plan(model: Model, rgb: bool) -> Plan:
    """Return the generator with what turns its numbers into images, or into rows in the units of the data."""
    shape, network = model.run.facts.shape, plain_generator(model)
    images, signals = len(shape) == 3, len(shape) == 2
    if model.table is not None:
        raise WganError("ONNX cannot hold the columns of this table: export to hub, or use wgan serve")
    if rgb and (not images or shape[0] not in (1, 3)):
        raise WganError("--rgb is for grey images, which it gives three equal channels: leave it out")
    module: nn.Module = Images(network, rgb) if images else Rows(network, model.units)
    if signals or model.depth is not None:
        module = Values(network, model.signal or model.depth)
    given = {"z": latents(0, CHECKED, model.network.latent), **labels_of(model, bool(model.network.classes))}
    return Plan(module, given, [{1: "rows", 2: "signals", 3: "images"}[len(shape)], "samples"])


def plain_generator(model: Model) -> nn.Module:
    """Return the generator in PyTorch's own layers and 32 bits: the faster ways on a CPU are not ONNX's."""
    network: AnyGenerator = model.network
    if isinstance(network, OwnGenerator):
        return network.module
    facts = model.run.facts
    with seeded(0, 0, "load"):
        plain = build_generator(model.run.config.replace(fast=False), facts.shape, facts.classes)
    plain.load_state_dict(network.state_dict())
    return plain.float()


def critic_plan(model: Model) -> Plan:
    """Return the critic of the model's checkpoint; its samples are the generator's output `samples`."""
    run, facts = model.run, model.run.facts
    if run.exported is not None or isinstance(model.network, OwnGenerator):
        raise WganError(f"{run.path} holds no critic that can be built: --critic needs a run folder")
    config = run.config.replace(fast=False)
    found = saved.load(run.checkpoints, model.step)
    with seeded(0, 0, "load"):
        critic = build_critic(config, facts.shape, facts.classes)
    critic.load_state_dict(part(found.tensors, "critic"))
    critic.float().eval()
    for module in list(critic.modules()):
        if parametrize.is_parametrized(module):  # spectral norm: the kernel as it is used
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    z, y = latents(0, CHECKED, model.network.latent), model.labels(CHECKED, None)
    packed = model.decode(z, y).as_subclass(Tensor).repeat(1, config.pack, *(1,) * (len(facts.shape) - 1))
    outputs = ["score", "class_logits"] if critic.head is not None else ["score"]
    return Plan(Scores(critic), {"x": packed, **labels_of(model, critic.projection is not None)}, outputs)


def labels_of(model: Model, conditional: bool) -> dict[str, Tensor]:
    """Return the input `label` of a network that looks at it: all classes in turn."""
    return {"label": torch.arange(CHECKED) % max(1, model.run.facts.classes)} if conditional else {}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's own remarks away: what matters is checked afterwards."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def converted(plan: Plan, about: dict[str, str]) -> bytes:
    """Return the ONNX file of a module, traced with a batch of 2, its first dimension free; WganError naming what ONNX lacks."""
    names = list(plan.given)
    try:
        program = torch.onnx.export(
            plan.module,
            tuple(x[:2] for x in plan.given.values()),
            dynamo=True,
            dynamic_shapes=tuple({0: "batch"} for _ in names),
            input_names=names,
            output_names=plan.outputs,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise WganError(f"ONNX cannot hold this network: {reason(error)}") from None
    assert program is not None
    proto: Any = program.model_proto
    for key, value in about.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def reason(error: BaseException) -> str:
    """Return the first line of what the innermost of a chain of errors says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def described(model: Model) -> dict[str, str]:
    """Return what the file says of itself: where its numbers come from and what they mean."""
    facts = model.run.facts
    return {
        "wgan": json.dumps({"step": model.step, "shape": list(facts.shape), "versions": facts.versions}),
        "class_names": json.dumps(list(facts.class_names)),
        "columns": json.dumps(column_names(model)),
    }


def checked(data: bytes, plan: Plan) -> float:
    """Return the largest difference between onnxruntime and PyTorch over CHECKED rows in batches of each size of BATCHES.

    Of numbers beyond 1 it is divided by their size. Images count as one level in 255 where they differ by at most that.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    largest, start, turn = 0.0, 0, 0
    while start < CHECKED:
        rows = slice(start, start + BATCHES[turn % len(BATCHES)])
        some = {name: x[rows] for name, x in plan.given.items()}
        made = session.run(None, {name: x.numpy() for name, x in some.items()})
        wanted = plan.module(*some.values())
        pairs = zip(made, wanted if isinstance(wanted, tuple) else (wanted,), strict=True)
        largest = max(largest, *(apart(a, b.numpy()) for a, b in pairs))
        start, turn = rows.stop, turn + 1
    return largest


def apart(made: Any, wanted: Any) -> float:
    """Return the largest difference of two arrays; infinite for another shape or type, or for bytes more than one apart."""
    if made.shape != wanted.shape or made.dtype != wanted.dtype:
        return float("inf")
    if made.dtype == np.uint8:
        return 0.0 if int(np.abs(made.astype(int) - wanted.astype(int)).max()) <= 1 else float("inf")
    return float((np.abs(made - wanted) / np.maximum(1, np.abs(wanted))).max())
