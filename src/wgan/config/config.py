"""Config: every option of a run in one frozen record that checks itself; flags, config.json and docs come from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from wgan.config.objectives import FACTS
from wgan.config.option import fitted, option
from wgan.config.rules import check_combinations
from wgan.errors import WganError, nearest

FORMAT = 1  # of config.json; raised when a field changes its meaning


@dataclass(frozen=True)
class Config:
    """All options of one run; the defaults are nearly the `mnist` recipe.

    Raises WganError for a value outside its range, naming the field and what would be right.
    """

    recipe: str = option("mnist", "data", "name of the recipe the options started from")
    data: str = option(
        "mnist",
        "data",
        "what to train on: mnist, mnist:0-4, stacked-mnist, fashion, ring, grid, swissroll, or a PATH of your own",
    )
    split: str = option("train", "data", "part of the data", choices=("train", "test", "all"))
    size: int = option(
        0,
        "data",
        "side of your own images in pixels, a multiple of 4; 0 = as they are where all are alike",
        low=0,
        high=256,
    )
    crop: str = option(
        "center",
        "data",
        "how your own images get that size: the centre, all of it with repeated edges, or scaled as they are",
        choices=("center", "fit", "none"),
    )
    channels: int = option(0, "data", "1 = grey, 3 = colour; 0 = as your own images are", low=0, high=3)
    labels: str = option(
        "auto", "data", "classes of your own data: auto, none, or the column of a table that holds them"
    )
    flip: int = option(0, "data", "1 = mirror half of the real images, drawn anew each time", low=0, high=1)
    augment: float = option(
        0.0,
        "data",
        "share of real and fake images whose colour or place is changed, or a part cut out, before the critic sees them "
        "(for small data, Zhao 2020)",
        low=0,
        high=1,
    )
    augment_target: float = option(
        0.0,
        "data",
        "overfitting of the critic at which the share of augmented images is held, 0.3 for example; 0 = the share is fixed "
        "(Karras 2020)",
        low=0,
        high=1,
    )
    sampling: str = option(
        "epoch",
        "data",
        "order of real images: epoch = shuffled without replacement, iid = with replacement, sequential = as stored",
        choices=("epoch", "iid", "sequential"),
    )
    batch: int = option(64, "data", "real images in one critic update (and as many fakes)", low=1, high=65536)
    generator_batch: int = option(0, "data", "latents in one generator update; 0 = batch", low=0, high=65536)

    microbatch: int = option(0, "data", "samples in one pass, gradients added up; 0 = all", low=0, high=65536)

    latent: int = option(128, "model", "dimension of the latent z ~ N(0, 1)", low=1, high=65536)
    generator: str = option("conv", "model", "generator family", choices=("conv", "resnet", "mlp"))
    generator_layers: str = option("/ 256 128k3 64k4x2 / k4x2", "model", "generator layers, see docs/networks.md")
    generator_norm: str = option(
        "batch", "model", "generator normalisation", choices=("none", "batch", "layer", "instance")
    )
    generator_activation: str = option("relu", "model", "relu, lrelu:SLOPE or relu-cap:MAX, in the generator")
    generator_init: str = option(
        "pytorch",
        "model",
        "the generator's initial kernels: pytorch, normal:STD or glorot (uniform); two of them = convolutions, then dense layers",
    )
    upsample: str = option(
        "transpose",
        "model",
        "how a generator layer xN grows: transpose = strided transposed convolution, nearest = repeat, then convolve",
        choices=("transpose", "nearest"),
    )
    output: str = option(
        "auto",
        "model",
        "last activation; auto = tanh for images, linear for vectors",
        choices=("auto", "tanh", "linear"),
    )
    conditioning: str = option(
        "norm",
        "model",
        "how the generator sees the label: none, product (embedding times z), concat (embedding beside z), "
        "norm (a gain and bias for each class)",
        choices=("none", "product", "concat", "norm"),
    )
    critic: str = option("conv", "model", "critic family", choices=("conv", "resnet", "mlp"))
    critic_layers: str = option("32k4x2 64k4x2 128k3x2 /", "model", "critic layers, see docs/networks.md")
    critic_norm: str = option(
        "none",
        "model",
        "critic normalisation (spectral: of the reshaped kernel, Miyato 2018)",
        choices=("none", "batch", "layer", "instance", "spectral"),
    )
    critic_statistics: str = option(
        "batch",
        "legacy",
        "what the critic's batch norm divides by in the generator's update: the fakes' own statistics (as Keras to 2.3 does), or "
        "the running ones (as tf.keras 2 and Keras 3 do with a frozen critic)",
        choices=("batch", "running"),
    )
    critic_fakes: str = option(
        "batch",
        "legacy",
        "what the generator's batch norm divides by where it makes the critic's fakes: that batch's own statistics, or the "
        "running ones (as Keras's predict does)",
        choices=("batch", "running"),
    )
    generator_moves: str = option(
        "none",
        "legacy",
        "what of the critic the generator's update moves too, towards what pleases the generator: nothing, the gains and biases "
        "of its normalisations, or all of it",
        choices=("none", "norms", "critic"),
    )
    class_clip: float = option(
        0.0,
        "legacy",
        "bound c of the class probabilities, clipped to [c, 1 - c] in the cross-entropy (Keras: 1e-7): samples beyond it have no "
        "gradient; 0 = off",
        low=0,
        high=0.1,
    )
    clip_when: str = option(
        "step",
        "legacy",
        "when weights are clipped: after each of the critic's optimizer steps, after each pair of separate ones, or before it",
        choices=("step", "after-pair", "before-pair"),
    )
    critic_activation: str = option("lrelu:0.2", "model", "relu, lrelu:SLOPE or relu-cap:MAX, in the critic")
    critic_init: str = option("pytorch", "model", "the critic's initial kernels, in the same words")
    critic_conditioning: str = option(
        "projection",
        "model",
        "how the critic's score sees the label: none, projection (Miyato & Koyama 2018)",
        choices=("none", "projection"),
    )
    dropout: float = option(0.0, "model", "share of critic features dropped after each layer", low=0, high=0.95)
    norm_momentum: float = option(
        0.1, "model", "batch norm momentum in PyTorch's sense (Keras m is 1 - m)", low=0, high=1
    )
    norm_eps: float = option(1e-5, "model", "epsilon of every normalisation", low=1e-12, high=1)
    pack: int = option(1, "model", "samples the critic judges together (PacGAN, Lin 2018); 1 = one", low=1, high=64)

    objective: str = option(
        "wgan-gp",
        "objective",
        "losses of both players",
        choices=tuple(FACTS),
    )
    penalty_weight: float = option(10.0, "objective", "lambda, the weight of the gradient penalty", low=0, high=1e6)
    clip: float = option(0.01, "objective", "bound c of weight clipping to [-c, c]", low=1e-8, high=1e3)
    clip_scope: str = option(
        "all",
        "objective",
        "what is clipped: all weights but normalisation's, conv kernels only, or normalisation's gains too (system S3)",
        choices=("all", "conv", "all+norm"),
    )
    class_critic: float = option(
        0.0,
        "objective",
        "weight of the auxiliary classifier's cross-entropy in the critic's loss; 0 = off",
        low=0,
        high=1e6,
    )
    class_generator: float = option(
        0.0,
        "objective",
        "weight of the auxiliary classifier's cross-entropy in the generator's loss; 0 = off",
        low=0,
        high=1e6,
    )
    class_on: str = option(
        "real+fake",
        "objective",
        "images the critic's classifier learns from",
        choices=("real", "fake", "real+fake"),
    )

    optimizer: str = option(
        "adam",
        "optim",
        "optimizer of both players",
        choices=("rmsprop", "adam"),
    )
    rmsprop_rho: float = option(
        0.99, "legacy", "RMSProp's decay of the mean squared gradient (PyTorch 0.99, Keras 0.9)", low=0, high=0.999999
    )
    rmsprop_eps: float = option(
        1e-8, "legacy", "RMSProp's epsilon (PyTorch and Keras to 2.1.2 1e-8, later 1e-7)", low=1e-16, high=1
    )
    rmsprop_eps_place: str = option(
        "beside",
        "legacy",
        "beside = divide by sqrt(v) + epsilon (PyTorch, Keras to 2.10); under = by sqrt(v + epsilon) (Keras from 2.11)",
        choices=("beside", "under"),
    )
    lr: float = option(5e-4, "optim", "learning rate of the generator", low=0, high=10)
    critic_lr: float = option(0.0, "optim", "learning rate of the critic; 0 = lr", low=0, high=10)
    beta1: float = option(0.0, "optim", "Adam's decay of the mean gradient", low=0, high=0.9999)
    beta2: float = option(0.99, "optim", "Adam's decay of the mean squared gradient", low=0, high=0.999999)
    lr_decay: str = option(
        "none",
        "optim",
        "learning rate over the run: constant, or falling to 0 at the last step",
        choices=("none", "linear", "cosine"),
    )
    ema: float = option(0.999, "optim", "decay of the averaged generator for each step; 0 = off", low=0, high=0.999999)
    n_critic: int = option(1, "optim", "critic updates for each generator update", low=1, high=1000)
    critic_schedule: str = option(
        "constant",
        "optim",
        "constant = n_critic always; warm-100 = 100 when step %% 1000 < 25 or step %% 500 == 0".replace("%%", "%"),
        choices=("constant", "warm-100"),
    )
    real_batches: str = option(
        "fresh",
        "optim",
        "real images of the critic updates of one step: a fresh batch each, or one shared by all",
        choices=("fresh", "shared"),
    )
    generator_latents: str = option(
        "fresh",
        "optim",
        "latents of the generator update: fresh, or the last critic update's",
        choices=("fresh", "last"),
    )
    critic_update: str = option(
        "joint",
        "optim",
        "joint = one optimizer step on real and fake, separate = one on each",
        choices=("joint", "separate"),
    )

    steps: int = option(5000, "run", "generator updates in the whole run", low=1, high=100_000_000)
    seed: int = option(0, "run", "seed of everything random", low=0, high=2**63 - 1)
    device: str = option(
        "auto", "run", "where to compute; auto = cuda, mps or cpu", choices=("auto", "cpu", "cuda", "mps")
    )
    precision: str = option(
        "auto",
        "run",
        "auto = bf16 for convolutions where the CPU or GPU has it, else fp32; fp64 for exact checks",
        choices=("auto", "fp32", "bf16", "fp64"),
    )
    threads: int = option(0, "run", "CPU threads; 0 = every core", low=0, high=1024)
    fast: int = option(
        1, "run", "0 = the plain ways of computing (docs/speed.md): slower, equal up to rounding", low=0, high=1
    )
    compile: int = option(0, "run", "1 = the generator by torch.compile; on a CPU with fast 0", low=0, high=1)
    log_every: int = option(10, "run", "steps between lines of log.jsonl; 0 = only at the end", low=0)
    sample_every: int = option(200, "run", "steps between sample sheets; 0 = only at the end", low=0)
    evaluate_every: int = option(500, "run", "steps between evaluations; 0 = only at the end", low=0)
    checkpoint_every: int = option(500, "run", "steps between checkpoints; 0 = only at the end", low=0)
    keep_every: int = option(
        0, "run", "steps between checkpoints that are kept for good; 0 = only the last three and the best", low=0
    )
    on_nan: str = option(
        "stop",
        "run",
        "when a number is not finite: stop, or rollback = to the last checkpoint, with new noise and half the rates",
        choices=("stop", "rollback"),
    )
    nan_retries: int = option(3, "run", "how often on_nan rollback may go back in one run", low=0, high=100)

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, check_value(f.name, getattr(self, f.name)))
        check_combinations(self)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with `changes`; an unknown name raises WganError with the nearest known one."""
        check_names(changes)
        return replace(self, **changes)

    def to_json(self) -> str:
        """Return the config as JSON text with its format number."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"


FIELDS = {f.name: f for f in fields(Config)}
# younger than format 1: missing means the default, which is what was done before
LATER = (
    "size", "crop", "channels", "labels", "flip", "augment", "augment_target", "keep_every", "on_nan", "nan_retries",
    "critic_statistics", "fast", "microbatch", "compile", "critic_fakes", "generator_moves", "class_clip", "clip_when",
    "rmsprop_rho", "rmsprop_eps", "rmsprop_eps_place",
)  # fmt: skip
FREE_FIELDS = ("steps", "keep_every", "on_nan", "nan_retries")  # what may differ when a run is continued


def check_names(values: Mapping[str, Any], where: str = "option") -> None:
    """Raise WganError for a key that is no field of Config."""
    for name in values:
        if name not in FIELDS:
            raise WganError(f"unknown {where} '{name}': {nearest(name, FIELDS)}")


def check_value(name: str, value: Any) -> Any:
    """Return `value` as the type of field `name`, or raise WganError saying what it must be."""
    return fitted(FIELDS[name], value)


def from_dict(values: Mapping[str, Any], where: str) -> Config:
    """Build a Config from a mapping read from file `where`; one clear WganError for anything that does not fit."""
    known = dict(values)
    number = known.pop("format", None)
    if not isinstance(number, int) or isinstance(number, bool):
        raise WganError(f"{where} has no format number: not a config of wgan")
    if number > FORMAT:
        raise WganError(f"{where} has format {number}, this wgan reads up to {FORMAT}: install a newer wgan")
    known = renewed(known)
    check_names(known, where=f"option in {where}")
    missing = [name for name in FIELDS if name not in known and name not in LATER]
    if missing:
        raise WganError(f"{where} lacks {', '.join(missing)}")
    return Config(**known)


_KERAS = {"optimizer": "rmsprop", "rmsprop_rho": 0.9, "rmsprop_eps": 1e-7}
_OPTIMIZERS = {  # what the optimizers of 0.1 were called
    "rmsprop-keras": {**_KERAS, "rmsprop_eps_place": "under"},
    "rmsprop-keras2": {**_KERAS, "rmsprop_eps_place": "beside"},
}


def renewed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a config.json in today's words: 0.1 named optimizers by year and initial weights by a number."""
    new = {**values, **_OPTIMIZERS.get(str(values.get("optimizer")), {})}
    for name in ("generator_init", "critic_init"):
        if isinstance(new.get(name), (int, float)):
            new[name] = f"normal:{new[name]:g}" if new[name] else "pytorch"
    return new


def from_json(text: str, where: str) -> Config:
    """Parse config.json text; WganError for anything that is not a whole config."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise WganError(f"{where} is not valid JSON") from None
    if not isinstance(values, dict):
        raise WganError(f"{where} is not a config: expected a JSON object")
    return from_dict(values, where)


def differences(old: Config, new: Config) -> list[str]:
    """Return 'name: old -> new' for every field in which two configs differ, but those that may."""
    alone = "batch" not in (old.generator_norm, old.critic_norm)  # no sample depends on which others are in its pass
    free = (*FREE_FIELDS, *(["microbatch"] if alone else []))
    return [
        f"{name}: {getattr(old, name)} -> {getattr(new, name)}"
        for name in FIELDS
        if name not in free and getattr(old, name) != getattr(new, name)
    ]
