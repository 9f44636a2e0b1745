"""The options of a run in groups: each part of the library reads its own, and Config inherits them all.

`None` stands where an option is off, or follows another one; 0 is taken for it, as commands and old files say it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from wgan.config.conditions import check_conditions
from wgan.config.objectives import FACTS, facts_about
from wgan.config.option import OneOf, OptionGroup, Range, Sides, option, options_of
from wgan.errors import WganError

Family = Literal["conv", "resnet", "conv1d", "resnet1d", "conv3d", "mlp"]
Fraction = Annotated[float, Range(0, 1)]
Weight = Annotated[float, Range(0, 1e6)]
Count = Annotated[int, Range(1, 65536)]
CountOrNone = Annotated[int | None, Range(1, 65536)]
Every = Annotated[int | None, Range(1)]
G = TypeVar("G", bound=OptionGroup)


def part(group: type[G], options: Any) -> G:
    """Return the options of one group out of a larger one, such as a Config."""
    return group(**{name: getattr(options, name) for name in options_of(group)})


@dataclass(frozen=True)
class DataOptions(OptionGroup):
    """What to train on, and in which order."""

    title: ClassVar[str] = "data"
    recipe: str = option("mnist", "name of the recipe the options started from")
    data: str = option(
        "mnist",
        "what to train on: mnist, mnist:0-4, stacked-mnist, fashion, ring, grid, swissroll, ar2, gaussian, ..., or a PATH",
    )
    split: Literal["train", "test", "all"] = option("train", "part of the data")
    sampling: Literal["epoch", "iid", "sequential"] = option(
        "epoch",
        "order of real samples: epoch = shuffled, each once a pass; iid = drawn with replacement; sequential = as stored",
    )
    flip: bool = option(False, "mirror each real image with probability 1/2", later=True)
    augment: Fraction = option(
        0.0,
        "probability that an image, real or fake, is augmented before the critic sees it: colour, translation, cutout "
        "(for few images, Zhao 2020)",
        later=True,
    )
    augment_target: Annotated[float | None, Range(0, 1)] = option(
        None,
        "adapt that probability to hold the critic's overfitting at this value, for example 0.3 (Karras 2020); 0 = it is fixed",
        none="0",
        later=True,
    )


@dataclass(frozen=True)
class ReadingOptions(OptionGroup):
    """How your own data are read; bundled data take none of these. A size no network can make raises WganError."""

    title: ClassVar[str] = "your own data"
    size: Annotated[int | str | None, Sides(8, 256)] = option(
        None,
        "resize images to N x N pixels, or HEIGHTxWIDTH, multiples of 4; 0 = keep their size if all have the same",
        none="0",
        later=True,
    )
    crop: Literal["center", "fit", "none"] = option(
        "center",
        "how images get their shape: center = cut out the middle; fit = all of it, edges repeated; none = scale, keep the shape",
        later=True,
    )
    depth: Literal["byte", "float"] = option(
        "byte",
        "values of images: byte = 0 to 255, as a screen shows them; float = kept, with their units and range, also 16 bits",
        later=True,
    )
    channels: Annotated[int | None, Range(1, 3)] = option(
        None, "1 = grey, 3 = colour; 0 = as the images are", none="0", later=True
    )
    labels: str = option("auto", "classes: auto, none, or the column of a table that holds them", later=True)
    conditions: str = option(
        "",
        "numbers and categories that come with each sample, NAME,NAME:category,...: asked for with --given, instead of classes",
        later=True,
    )
    columns: str = option(
        "",
        "what columns of a table are: NAME=KIND,... with number, number:comma, category, date, date:FORMAT, identifier or skip",
        later=True,
    )
    missing: str = option("", "marks of missing cells in a table besides empty ones, for example ?,NA", later=True)
    keep: str = option(
        "",
        "rules that hold in every row of a table: TOTAL=A+B or A<=B with names of columns, separated by commas",
        later=True,
    )
    together: str = option(
        "",
        "columns of a table whose combinations are only those of the training rows: A,B; several groups as A,B;C,D",
        later=True,
    )

    kind: Literal["auto", "signal", "volume", "image"] = option(
        "auto",
        "what an array holds: auto = images, volumes or vectors, by its shape; signal = [N, T] or [N, C, T]; volume = "
        "[N, D, H, W] or [N, C, D, H, W]; image = no volume, whatever its shape",
        later=True,
    )
    window: Annotated[int | None, Range(8, 65536)] = option(
        None, "cut long signals into windows of N steps; 0 = take them whole", none="0", later=True
    )
    step: Annotated[int | None, Range(1, 65536)] = option(
        None, "steps from one window to the next; 0 = as many as a window has", none="0", later=True
    )
    group: str = option(
        "", "column of a table with a row for each step that says which series it belongs to", later=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(side % 4 for side in self.sides or ()):
            raise WganError(f"size must be a multiple of 4 from 8 to 256 (or 0 = as the images are), not {self.size}")
        if isinstance(self.size, str) and self.crop == "none":
            raise WganError(
                f"size {self.size} with crop none, which keeps the shape: give one number, or crop center or fit"
            )
        check_conditions(self.conditions, self.labels)
        if self.channels == 2:
            raise WganError("channels must be 1 (grey), 3 (colour) or 0 (as the images are), not 2")
        if self.window is None and (self.step or self.group):
            name, more = ("step", " (the length of a run is steps)") if self.step else ("group", "")
            raise WganError(f"{name} says how long series are cut into windows: give window too, or leave it out{more}")

    @property
    def of_images(self) -> bool:
        """Whether an option is given that says how images are read."""
        return bool(self.size or self.channels) or self.crop != "center" or self.depth != "byte"

    @property
    def sides(self) -> tuple[int, int] | None:
        """The height and width that `size` asks for."""
        if self.size is None:
            return None
        height, _, width = str(self.size).partition("x")
        return int(height), int(width or height)

    @property
    def signals(self) -> bool:
        """Whether arrays and tables are to be read as signals."""
        return self.kind == "signal" or self.window is not None

    def key(self) -> dict[str, int | str]:
        """Return the options as the name of a prepared copy holds them: 0 for None."""
        whole = {"size": self.size or 0, "crop": self.crop, "channels": self.channels or 0, "labels": self.labels}
        others = [f for f in fields(self) if f.name not in whole]  # added since: left out where they say nothing
        return whole | {f.name: value for f in others if (value := getattr(self, f.name)) != f.default}

    def of_tables(self) -> dict[str, str]:
        """Return the options for tables that are given."""
        return {name: text for name in ("columns", "missing", "keep", "together") if (text := getattr(self, name))}


@dataclass(frozen=True)
class NetworkOptions(OptionGroup):
    """The networks of both players."""

    title: ClassVar[str] = "networks"
    latent: Count = option(128, "dimension of the latent z ~ N(0, 1)")
    generator: Family = option("conv", "generator family", own=True)
    generator_layers: str = option("/ 256 128k3 64k4x2 / k4x2", "generator layers, see docs/reference/networks.md")
    generator_norm: Literal["none", "batch", "layer", "instance"] = option("batch", "generator normalisation")
    generator_activation: str = option("relu", "relu, lrelu:SLOPE or relu-cap:MAX, in the generator")
    generator_init: str = option(
        "pytorch",
        "the generator's initial weights: pytorch, normal:STD or glorot (uniform); two words = convolutions, then dense layers",
    )
    upsample: Literal["transpose", "nearest"] = option(
        "transpose",
        "how a generator layer xN enlarges: transpose = strided transposed convolution; nearest = repeat pixels, then convolve",
    )
    output: Literal["auto", "tanh", "linear"] = option(
        "auto",
        "last activation; auto = tanh for images, linear for vectors, signals, volumes and images of depth float",
    )
    conditioning: Literal["none", "product", "concat", "norm"] = option(
        "norm",
        "how the generator sees the label: product = embedding times z; concat = appended to z; norm = gain and bias by class",
        labels=True,
    )
    critic: Family = option("conv", "critic family", own=True)
    critic_layers: str = option("32k4x2 64k4x2 128k3x2 /", "critic layers, see docs/reference/networks.md")
    critic_norm: Literal["none", "batch", "layer", "instance", "spectral"] = option(
        "none", "critic normalisation (spectral: of the reshaped kernel, Miyato 2018)"
    )
    critic_activation: str = option("lrelu:0.2", "relu, lrelu:SLOPE or relu-cap:MAX, in the critic")
    critic_init: str = option("pytorch", "the critic's initial weights, written like generator_init")
    critic_conditioning: Literal["none", "projection"] = option(
        "projection",
        "how the critic's score depends on the label: none, projection (Miyato & Koyama 2018)",
        labels=True,
    )
    dropout: Annotated[float, Range(0, 0.95)] = option(0.0, "fraction of critic features dropped after each layer")
    norm_momentum: Fraction = option(0.1, "batch norm momentum in PyTorch's sense (Keras's m is 1 - m)")
    norm_eps: Annotated[float, Range(1e-12, 1)] = option(1e-5, "epsilon of every normalisation")
    pack: Annotated[int, Range(1, 64)] = option(1, "samples the critic judges together (PacGAN, Lin 2018)")


@dataclass(frozen=True)
class ObjectiveOptions(OptionGroup):
    """What both players minimise."""

    title: ClassVar[str] = "objective"
    objective: Annotated[str, OneOf(tuple(FACTS))] = option(
        "wgan-gp", "losses of both players, see docs/reference/objectives.md", own=True
    )
    penalty_weight: Annotated[float | None, Range(0, 1e6)] = option(
        None,
        "lambda, the weight of the gradient penalty; auto = as the objective's paper sets it; 0 = no penalty",
        none="auto",
    )
    clip: Annotated[float, Range(1e-8, 1e3)] = option(0.01, "weights are clipped to [-c, c], where the objective clips")
    class_critic: Weight = option(
        1.0, "weight of the auxiliary classifier's cross-entropy in the critic's loss; 0 = off", labels=True
    )
    class_generator: Weight = option(
        0.2, "weight of the auxiliary classifier's cross-entropy in the generator's loss; 0 = off", labels=True
    )
    class_on: Literal["real", "fake", "real+fake"] = option("real", "images the auxiliary classifier learns from")

    @property
    def penalty(self) -> float:
        """The weight of the gradient penalty: `penalty_weight`, or the objective's own."""
        return facts_about(self.objective).penalty_weight if self.penalty_weight is None else self.penalty_weight


@dataclass(frozen=True)
class OptimizerOptions(OptionGroup):
    """How the loss is followed down: batches, learning rates, the averaged generator, the length of the run."""

    title: ClassVar[str] = "optimisation"
    steps: Annotated[int, Range(1, 100_000_000)] = option(5000, "generator updates in the whole run", free=True)
    batch: Count = option(64, "real samples in one critic update (and as many fakes)")
    generator_batch: CountOrNone = option(None, "latents in one generator update; 0 = batch", none="0")
    n_critic: Annotated[int, Range(1, 1000)] = option(1, "critic updates for each generator update")
    optimizer: Literal["rmsprop", "adam"] = option("adam", "optimizer of both players", own=True)
    lr: Annotated[float, Range(0, 10)] = option(1e-3, "learning rate of the generator")
    critic_lr: Annotated[float | None, Range(0, 10)] = option(2e-3, "learning rate of the critic; 0 = lr", none="0")
    lr_decay: Literal["none", "linear", "cosine"] = option(
        "linear", "learning rates over the run: constant (none), or falling to 0 at the last step"
    )
    decay_steps: Every = option(
        None,
        "steps over which the learning rates fall; 0 = the whole run (a run that is made longer keeps its decay)",
        none="0",
        later=True,
        free=True,
    )
    beta1: Annotated[float, Range(0, 0.9999)] = option(0.0, "Adam's decay of the mean gradient")
    beta2: Annotated[float, Range(0, 0.999999)] = option(0.99, "Adam's decay of the mean squared gradient")
    ema: Annotated[float | None, Range(0, 0.999999)] = option(
        0.999,
        "decay per step of the averaged generator, which makes the samples; at most (1 + step) / (10 + step), so that 0.999 is "
        "reached at step 8990; 0 = off",
        none="0",
    )


@dataclass(frozen=True)
class RuntimeOptions(OptionGroup):
    """Where and how a run computes."""

    title: ClassVar[str] = "computing"
    seed: Annotated[int, Range(0, 2**63 - 1)] = option(0, "seed of everything random")
    device: Literal["auto", "cpu", "cuda", "mps", "gpu"] = option(
        "auto", "where to compute; auto = cuda, mps or cpu; gpu = cuda or mps"
    )
    precision: Literal["auto", "fp32", "bf16", "fp64"] = option(
        "auto",
        "auto = bf16 for convolutions of images of bytes where the hardware has it, else fp32; fp64 for exact checks",
    )
    threads: Annotated[int | None, Range(1, 1024)] = option(None, "CPU threads; 0 = every core", none="0")
    microbatch: CountOrNone = option(
        None, "compute a batch in parts of N samples, for less memory; 0 = at once", none="0", later=True
    )
    fast: bool = option(
        True,
        "wgan's own kernels where they are faster (docs/lab/speed.md), equal up to rounding; 0 = PyTorch's",
        later=True,
    )
    compile: bool = option(False, "compile the generator with torch.compile; on a CPU, add --no-fast", later=True)
    on_nan: Literal["stop", "rollback"] = option(
        "stop",
        "when a number is not finite: stop, or return to the last checkpoint with new noise and half the learning rates",
        later=True,
        free=True,
    )
    nan_retries: Annotated[int, Range(0, 100)] = option(3, "how often one run may roll back", later=True, free=True)


@dataclass(frozen=True)
class OutputOptions(OptionGroup):
    """What a run writes, and how often."""

    title: ClassVar[str] = "output"
    log_every: Every = option(10, "steps between lines of log.jsonl; 0 = only at the end", none="0", free=True)
    sample_every: Every = option(200, "steps between sample grids; 0 = only at the end", none="0", free=True)
    evaluate_every: Every = option(500, "steps between evaluations; 0 = only at the end", none="0", free=True)
    patience: Every = option(
        None,
        "end the run after N evaluations in a row without a new best; 0 = never",
        none="0",
        later=True,
        free=True,
    )
    checkpoint_every: Every = option(500, "steps between checkpoints; 0 = only at the end", none="0", free=True)
    keep_every: Every = option(
        None,
        "steps between checkpoints that are never deleted; 0 = only the last three and the best are kept",
        none="0",
        later=True,
        free=True,
    )


@dataclass(frozen=True)
class LegacyOptions(OptionGroup):
    """What only published programs need."""

    title: ClassVar[str] = "to reproduce published programs; leave alone otherwise"
    critic_update: Literal["joint", "separate"] = option(
        "joint", "one optimizer step on real and fake together (joint), or one on each (separate), as Keras programs do"
    )
    critic_schedule: Literal["constant", "warm-100"] = option(
        "constant",
        "n_critic always, or 100 instead when step % 1000 < 25 or step % 500 == 0 (warm-100), as Arjovsky's code does",
    )
    critic_statistics: Literal["batch", "running"] = option(
        "batch",
        "statistics of the critic's batch norm in the generator's update: the fakes' own (Keras to 2.3), or the running ones "
        "(tf.keras 2 and Keras 3 with a frozen critic)",
        later=True,
    )
    critic_fakes: Literal["batch", "running"] = option(
        "batch",
        "statistics of the generator's batch norm where it makes the critic's fakes: the batch's own, or the running ones "
        "(Keras's predict)",
        later=True,
    )
    generator_moves: Literal["none", "norms", "critic"] = option(
        "none",
        "what the generator's update also moves in the critic, in the generator's favour: nothing, the gains and biases of its "
        "normalisations, or all of it",
        later=True,
    )
    class_clip: Annotated[float | None, Range(0, 0.1)] = option(
        None,
        "clip class probabilities to [c, 1 - c] in the cross-entropy (Keras: 1e-7), so that samples beyond it have no gradient; "
        "0 = off",
        none="0",
        later=True,
    )
    clip_scope: Literal["all", "conv", "all+norm"] = option(
        "all", "which weights are clipped: all but normalisation's, convolutions' only, or normalisation's gains too"
    )
    clip_when: Literal["step", "after-pair", "before-pair"] = option(
        "step",
        "when weights are clipped: after each optimizer step of the critic, or after or before each pair of separate ones",
        later=True,
    )
    rmsprop_rho: Annotated[float, Range(0, 0.999999)] = option(
        0.99, "RMSProp's decay of the mean squared gradient (PyTorch 0.99, Keras 0.9)", later=True
    )
    rmsprop_eps: Annotated[float, Range(1e-16, 1)] = option(
        1e-8, "RMSProp's epsilon (PyTorch, and Keras to 2.1.2: 1e-8; later Keras: 1e-7)", later=True
    )
    rmsprop_eps_place: Literal["beside", "under"] = option(
        "beside",
        "divide by sqrt(v) + epsilon (beside: PyTorch, Keras to 2.10) or by sqrt(v + epsilon) (under: Keras from 2.11)",
        later=True,
    )
    real_batches: Literal["fresh", "shared"] = option(
        "fresh", "real samples of the critic updates of one step: a fresh batch each, or one shared by all"
    )
    generator_latents: Literal["fresh", "last"] = option(
        "fresh", "latents of the generator update: fresh ones, or the last critic update's"
    )
