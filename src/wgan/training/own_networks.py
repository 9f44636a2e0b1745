"""A look at a caller's own generator and critic before the first step: one small pass each, and a sentence for what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from wgan.config import Config
from wgan.config.objectives import ObjectiveFacts
from wgan.data import Source
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.host import seeding
from wgan.models.own import OwnCritic, OwnGenerator

ROWS = 4  # of a look; times `pack` for a critic
LIMIT = 1.0 + 1e-3  # of an image's values


class Watching(TorchDispatchMode):
    """Notes whether one tensor takes part in any operation: a network that ignores its labels never touches them."""

    def __init__(self, wanted: Tensor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wanted, self.touched = wanted, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        flat = [
            a for arg in (*args, *(kwargs or {}).values()) for a in (arg if isinstance(arg, (list, tuple)) else (arg,))
        ]
        self.touched = self.touched or (self.wanted is not None and any(a is self.wanted for a in flat))
        return func(*args, **(kwargs or {}))


def own_generator(module: nn.Module, config: Config, engine: Engine, source: Source) -> tuple[Config, OwnGenerator]:
    """Return a copy of the caller's generator for the run, and the config with what was seen of it."""
    own = adopted("generator", module, engine)
    labels, mixed = look_at_generator(own, config, engine, source)
    norm = "batch" if mixed else "none"
    return config.replace(generator_norm=norm), OwnGenerator(
        own, config.latent, *(told_of(source) if labels else (0, 0))
    )


def told_of(source: Source) -> tuple[int, int]:
    """Return how many classes, and how many numbers of conditions, tell of each sample."""
    return source.classes, 0 if source.conditions is None else source.conditions.width


def own_critic(
    module: nn.Module, config: Config, engine: Engine, source: Source, facts: ObjectiveFacts
) -> tuple[Config, OwnCritic]:
    """Return a copy of the caller's critic for the run, and the config with what was seen of it."""
    own = adopted("critic", module, engine)
    mixed = look_at_critic(own, config, engine, source)
    if mixed and facts.penalised and config.penalty > 0:
        raise WganError(
            "critic's score of a sample depends on its whole batch (batch norm?), and the gradient penalty is defined for each "
            "sample: leave that layer out, or take an objective without a penalty"
        )
    return config.replace(critic_norm="batch" if mixed else "none"), OwnCritic(own)


NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def all_but_norms(critic: nn.Module) -> list[torch.Tensor]:
    """Return the weights of a caller's critic but those of normalisations, whose gain starts at 1."""
    layers = [m for m in critic.modules() if not isinstance(m, NORMS)]
    return [w for m in layers for w in m.parameters(recurse=False) if w.requires_grad]


def adopted(kind: str, module: nn.Module, engine: Engine) -> nn.Module:
    """Return a copy of the caller's module on the run's device; WganError for one that cannot be trained or saved."""
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        raise WganError(
            f"{kind} has lazy layers, whose weights are not made yet: call it once on a batch, then give it"
        )
    if not any(p.requires_grad for p in module.parameters()):
        what = "only frozen parameters" if any(True for _ in module.parameters()) else "no parameters"
        raise WganError(f"{kind} has {what}: there is nothing to train")
    try:
        own = copy.deepcopy(module).to(engine.device, engine.dtype)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise WganError(f"{kind} cannot be copied, and the run trains a copy of it: {first_line(error)}") from error
    require_state(kind, own)
    return own


def require_state(kind: str, module: nn.Module) -> None:
    """Raise WganError unless a checkpoint can hold the module: finite tensors, each under one name."""
    seen: dict[int, str] = {}
    for name, t in module.state_dict().items():
        if not isinstance(t, Tensor):
            raise WganError(
                f"{kind} keeps {name}, which is not a tensor, in its state: a checkpoint holds tensors only"
            )
        if t.is_floating_point() and not torch.isfinite(t).all():
            raise WganError(f"{kind} holds NaN or infinity in {name}: a run cannot begin there")
        if t.numel() and t.data_ptr() in seen:
            raise WganError(
                f"{kind} has one tensor under two names, {seen[t.data_ptr()]} and {name}: give each its own"
            )
        seen[t.data_ptr()] = name


def apart(generator: nn.Module, critic: nn.Module) -> None:
    """Raise WganError for modules that share a weight: each player moves its own."""
    theirs = {id(p): name for name, p in critic.named_parameters()}
    for name, p in generator.named_parameters():
        if id(p) in theirs:
            raise WganError(f"generator and critic share a weight, {name} and {theirs[id(p)]}: each needs its own")


def look_at_generator(module: nn.Module, config: Config, engine: Engine, source: Source) -> tuple[bool, bool]:
    """Return whether G looks at its labels, and whether a sample depends on the others of its batch.

    Raises WganError when it cannot be called as G(z, y), or makes what is not a sample of the data's shape and range.
    """
    probe = copy.deepcopy(module)
    z = torch.randn(ROWS, config.latent, generator=torch.Generator().manual_seed(0)).to(engine.device, engine.dtype)
    y = some_labels(source, ROWS, engine)
    watching = Watching(y)
    for training in (False, True):
        probe.train(training)
        given = z.clone().requires_grad_(training)
        with watching, attempt("generator", f"z {size(z)}", y):
            x = probe(given, y)
        require_samples(x, source, size(z))
    require_reach("generator", probe, x)
    if engine.group.world > 1:
        require_shareable("generator", probe, lambda: probe(given, y), given)
    return watching.touched, mixes(x, given)


def require_samples(x: Any, source: Source, given: str) -> None:
    """Raise WganError unless x is a tensor [ROWS, *shape] of finite numbers, of images in [-1, 1]."""
    wanted = [ROWS, *source.shape]
    if not isinstance(x, Tensor):
        raise WganError(f"generator returned a {type(x).__name__}: it must return samples {wanted}, one tensor")
    if list(x.shape) != wanted:
        raise WganError(
            f"generator made {size(x)} of z {given}, and the data are {wanted}: give it an output of that shape"
        )
    require_finite("generator made", x)
    low, high = (float(v) for v in x.detach().aminmax())
    if source.is_image and source.depth is None and max(-low, high) > LIMIT:
        raise WganError(
            f"generator made values from {low:.3g} to {high:.3g}, and images are in [-1, 1]: end it with nn.Tanh()"
        )


def look_at_critic(module: nn.Module, config: Config, engine: Engine, source: Source) -> bool:
    """Return whether a score depends on the other samples of its batch.

    Raises WganError when it cannot be called as D(x, y), or returns other than scores [B] and class logits [B, K] or None.
    """
    probe = copy.deepcopy(module)
    x, y = some_samples(source, ROWS * config.pack, engine)
    x = x.reshape(ROWS, -1, *x.shape[2:]) if config.pack > 1 else x
    y = None if config.pack > 1 else y
    for rows, training in ((1, False), (ROWS, False), (ROWS, True)):
        probe.train(training)
        seen, labels = x[:rows].clone().requires_grad_(training), None if y is None else y[:rows]
        before = seen.detach().clone()
        with attempt("critic", f"x {size(seen)}", labels):
            judged = probe(seen, labels)
        score, logits = require_judgement(judged, rows)
        require_logits(logits, rows, config, source)
        if not torch.equal(before, seen.detach()):
            raise WganError("critic changes its input in place: let it work on a copy")
    if ends_in_sigmoid(score):
        raise WganError("critic ends in a sigmoid: a score is any number, for every objective; leave the sigmoid out")
    require_reach("critic", probe, score)
    if engine.group.world > 1:
        require_shareable("critic", probe, lambda: probe(seen, labels)[0], seen)
    return mixes(score, seen)


def require_shareable(kind: str, probe: nn.Module, out: Callable[[], Tensor], given: Tensor) -> None:
    """Raise WganError for a network of which many processes, with a part of the batch each, are not one.

    Dropout draws the whole batch's mask in each, and batch norm sums over all: see distributed/sync_layers.py. What else draws
    or looks at the batch sees the part that is there. probe: a copy in training mode, which is changed. out() is of `given`.
    """
    for layer in probe.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif (
            isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
            and layer.track_running_stats
            and layer.momentum
        ):
            layer.eval()
    seen = []
    for seed in (0, 1):
        with seeding(seed), torch.enable_grad():
            seen.append(out())
    if not torch.equal(*seen):
        raise WganError(
            f"{kind} draws random numbers other than by nn.Dropout, and many processes would not draw what one does: train it "
            "in one process"
        )
    if mixes(seen[0], given):
        raise WganError(
            f"{kind} looks at its whole batch other than by BatchNorm1d, 2d or 3d with running statistics, and each of many "
            "processes has only a part of it: train it in one process"
        )


def require_judgement(judged: Any, rows: int) -> tuple[Tensor, Tensor | None]:
    """Return scores [rows] and class logits or None; WganError for anything else."""
    if not isinstance(judged, tuple) or len(judged) != 2:
        what = f"{size(judged)}, one tensor" if isinstance(judged, Tensor) else f"a {type(judged).__name__}"
        raise WganError(f"critic returned {what}: it must return two things, (score [B], class_logits [B, K] or None)")
    score, logits = judged
    if not isinstance(score, Tensor) or list(score.shape) != [rows]:
        what = size(score) if isinstance(score, Tensor) else f"a {type(score).__name__}"
        raise WganError(
            f"critic's scores of a batch of {rows} are {what}: they must be [{rows}], for example score.flatten()"
        )
    if not isinstance(logits, (Tensor, type(None))):
        raise WganError(f"critic's class logits are a {type(logits).__name__}: they must be a tensor [B, K], or None")
    require_finite("critic scored", score)
    return score, logits


def require_logits(logits: Tensor | None, rows: int, config: Config, source: Source) -> None:
    """Raise WganError where the auxiliary classifier is on and the critic has none, or one of another number of classes."""
    if not source.classes or not (config.class_critic or config.class_generator):
        return
    wanted = [rows, source.classes]
    if logits is None:
        raise WganError(
            f"critic returns no class logits, and class_critic {config.class_critic:g} and class_generator "
            f"{config.class_generator:g} need them, [B, {source.classes}]: return them, or set both to 0"
        )
    if list(logits.shape) != wanted:
        raise WganError(
            f"critic's class logits are {size(logits)}, and the data have {source.classes} classes: {wanted}"
        )
    require_finite("critic's class logits hold", logits)


def require_finite(what: str, x: Tensor) -> None:
    """Raise WganError for numbers that are not floating, or not finite."""
    if not x.is_floating_point():
        raise WganError(f"{what} {x.dtype} numbers: they must be floating, with a gradient")
    if not torch.isfinite(x).all():
        raise WganError(f"{what} NaN or infinity on the first batch: look at its initial weights")


@contextmanager
def attempt(kind: str, given: str, y: Tensor | None) -> Iterator[None]:
    """Within the block an exception of the caller's module becomes WganError, saying what it was called with."""
    try:
        with seeding(0), torch.enable_grad():
            yield
    except WganError:
        raise
    except Exception as error:  # of code that is not ours, of any kind
        labels = "y None" if y is None else f"y {size(y)}"
        raise WganError(
            f"{kind} failed when called with {given} and {labels}: {type(error).__name__}: {first_line(error)}"
        ) from error


def some_samples(source: Source, rows: int, engine: Engine) -> tuple[Tensor, Tensor | None]:
    """Return the first samples [rows, *shape] as the critic sees them, with labels that go through all classes."""
    x, _ = source.batch(torch.arange(rows) % len(source))
    return engine.to_float(x), some_labels(source, rows, engine)


def some_labels(source: Source, rows: int, engine: Engine) -> Tensor | None:
    """Return labels int64 [rows], the last class among them, or condition vectors [rows, W]; None for data without either."""
    if source.told is not None:
        return source.told[torch.arange(rows) % len(source)].to(engine.device)
    if source.labels is None or not source.classes:
        return None
    return ((source.classes - 1 - torch.arange(rows)) % source.classes).to(engine.device)


def require_reach(kind: str, module: nn.Module, out: Tensor) -> None:
    """Raise WganError when no weight of the module has a gradient of what it returned."""
    weights = [w for w in module.parameters() if w.requires_grad]
    found = torch.autograd.grad(out.sum(), weights, allow_unused=True, retain_graph=True) if out.requires_grad else ()
    if all(gradient is None for gradient in found):
        raise WganError(f"no gradient reaches the {kind}'s weights: look for detach, no_grad, .data or .item() in it")


def mixes(out: Tensor, given: Tensor) -> bool:
    """Return whether the first row of `out` [B, ...] depends on other rows of `given` [B, ...]: batch norm, and its like."""
    if not out.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(out[0].sum(), given, allow_unused=True)
    return gradient is not None and bool(gradient[1:].any())


VIEWS = ("View", "Squeeze", "Reshape", "Alias", "Unsqueeze", "Select", "Flatten", "Clone")  # what may follow a sigmoid


def ends_in_sigmoid(score: Tensor) -> bool:
    """Return whether scores come out of a sigmoid, but for a change of shape."""
    node = score.grad_fn
    while node is not None and node.name().startswith(VIEWS) and node.next_functions:
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("Sigmoid")


def size(x: Any) -> str:
    """Return the shape of a tensor as a message says it."""
    return str(list(x.shape))


def first_line(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return (str(error).strip().splitlines() or ["it says nothing"])[0]
