"""`wgan export --to onnx`: one ONNX file of PyTorch's plain layers, checked by onnxruntime before it is written."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wgan.data.depth import PixelUnits
from wgan.data.signals import SignalUnits
from wgan.data.tabular.table import Table
from wgan.errors import WganError
from wgan.export.card import column_names
from wgan.export.onnx_rows import Array, Rows, TableRows, compared, described_columns, rows_apart
from wgan.export.onnx_told import Told, spread
from wgan.export.onnx_told import described as described_conditions
from wgan.files import replace_file
from wgan.host import thread_count
from wgan.models import AnyGenerator, build_critic, build_generator
from wgan.models.networks import Generator
from wgan.models.own import OwnGenerator
from wgan.rng import seeded
from wgan.runs import checkpoint as saved
from wgan.runs.checkpoint import part
from wgan.sampling.latents import latents
from wgan.sampling.model import Model
from wgan.sampling.stored import columns_of, condition_width

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


class Scores(nn.Module):
    """x [B, *shape], label int64 [B] for a projection critic -> score [B], and class logits [B, K] where it has them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return the score, and the class logits."""
        score, logits = self.network(x, label)
        return score if logits is None else (score, logits)


def apart(made: Any, wanted: Any) -> float:
    """Return the largest difference of two arrays; infinite for another shape or type, or for bytes more than one apart."""
    if made.shape != wanted.shape or made.dtype != wanted.dtype:
        return float("inf")
    if made.dtype == np.uint8:
        return 0.0 if int(np.abs(made.astype(int) - wanted.astype(int)).max()) <= 1 else float("inf")
    return float((np.abs(made - wanted) / np.maximum(1, np.abs(wanted))).max())


def farthest(made: list[Array], wanted: list[Array]) -> float:
    """Return the largest difference of two lists of arrays."""
    return max(apart(a, b) for a, b in zip(made, wanted, strict=True))


@dataclass(frozen=True)
class Plan:
    """What is exported: a module, tensors of CHECKED rows to run it with by the names of its inputs, and its outputs' names."""

    module: nn.Module
    given: dict[str, Tensor]
    outputs: list[str]
    compare: Callable[[list[Array], list[Array]], float] = farthest


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
    if model.conditions is not None and model.table is None:
        network = Told(network, model.conditions)
    if rgb and (not images or shape[0] not in (1, 3)):
        raise WganError("--rgb is for grey images, which it gives three equal channels: leave it out")
    if model.table is not None:
        return table_plan(model, network, model.table)
    module: nn.Module = Images(network, rgb) if images else Rows(network, model.units)
    if signals or model.depth is not None:
        module = Values(network, model.signal or model.depth)
    given = {"z": latents(0, CHECKED, model.network.latent), **told_of(model, bool(model.network.classes))}
    compare = partial(rows_apart, restore=module.restore) if isinstance(module, Rows) else farthest
    return Plan(module, given, [{1: "rows", 2: "signals", 3: "images", 4: "volumes"}[len(shape)], "samples"], compare)


def table_plan(model: Model, network: nn.Module, table: Table) -> Plan:
    """Return the generator of a table with columns of any kind, its rows as codes; WganError where columns tell each other."""
    if table.rules or table.groups:
        raise WganError("ONNX cannot hold a table with --keep or --together: export to hub, or use wgan serve")
    if not isinstance(network, Generator):
        raise WganError("ONNX holds a generator given in Python for images, signals and numbers only: export to hub")
    given = {"z": latents(0, CHECKED, model.network.latent), **told_of(model, bool(network.classes))}
    if network.asks:
        counts = torch.tensor([table.columns[i].coding.slots + 1 for i in table.asked])
        given["asked"] = torch.arange(CHECKED)[:, None] % counts
    return Plan(TableRows(network, table, model.conditions), given, ["rows", "samples"], partial(compared, table=table))


def plain_generator(model: Model) -> nn.Module:
    """Return the generator in PyTorch's own layers and 32 bits: the faster ways on a CPU are not ONNX's."""
    network: AnyGenerator = model.network
    if isinstance(network, OwnGenerator):
        return network.module
    facts = model.run.facts
    with seeded(0, 0, "load"):
        config, width = model.run.config.replace(fast=False), condition_width(model.run)
        plain = build_generator(config, facts.shape, facts.classes, columns_of(model.run), conditions=width)
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
        critic = build_critic(config, facts.shape, facts.classes, conditions=condition_width(run))
    critic.load_state_dict(part(found.tensors, "critic"))
    critic.float().eval()
    for module in list(critic.modules()):
        if parametrize.is_parametrized(module):  # spectral norm: the kernel as it is used
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    z, y = latents(0, CHECKED, model.network.latent), model.usual(CHECKED, 0)
    packed = model.decode(z, y).as_subclass(Tensor).repeat(1, config.pack, *(1,) * (len(facts.shape) - 1))
    outputs = ["score", "class_logits"] if critic.head is not None else ["score"]
    network = critic if model.conditions is None else Told(critic, model.conditions)
    return Plan(Scores(network), {"x": packed, **told_of(model, critic.projection is not None)}, outputs)


def told_of(model: Model, conditional: bool) -> dict[str, Tensor]:
    """Return the input `label` of a network that looks at it, all classes in turn, or `condition` of one with conditions."""
    if model.conditions is not None:
        return {"condition": spread(model.conditions, CHECKED)}
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
    facts, table = model.run.facts, model.table
    columns = described_columns(table, model.network.asks) if table else json.dumps(column_names(model))
    return {
        "wgan": json.dumps({"step": model.step, "shape": list(facts.shape), "versions": facts.versions}),
        "class_names": json.dumps(list(facts.class_names)),
        "columns": columns,
        "conditions": described_conditions(model.conditions),
    }


def checked(data: bytes, plan: Plan) -> float:
    """Return the largest difference between onnxruntime and PyTorch over CHECKED rows in batches of each size of BATCHES.

    Of numbers beyond 1 it is divided by their size. Images count as one level in 255 where they differ by at most that.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    made, wanted, start, turn = [], [], 0, 0
    while start < CHECKED:
        rows = slice(start, start + BATCHES[turn % len(BATCHES)])
        some = {name: x[rows] for name, x in plan.given.items()}
        made.append(session.run(None, {name: x.numpy() for name, x in some.items()}))
        found = plan.module(*some.values())
        wanted.append([x.numpy() for x in (found if isinstance(found, tuple) else (found,))])
        start, turn = rows.stop, turn + 1
    return plan.compare(joined(made), joined(wanted))


def joined(batches: list[list[Array]]) -> list[Array]:
    """Return each output of all batches as one array."""
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
