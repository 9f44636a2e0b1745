"""The options of wgan.train as keywords that an editor knows. Written by tools/keywords.py from Config: do not edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    import torch
    from torch import nn

    from wgan.losses import Objective

    Optimizing = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


class Options(TypedDict, total=False):
    """Every option of a Config but recipe and data; what is left out is the recipe's."""

    split: Literal["train", "test", "all"]
    """part of the data (default: train)"""
    sampling: Literal["epoch", "iid", "sequential"]
    """order of real samples: epoch = shuffled, each once a pass; iid = drawn with replacement; sequential = as stored
    (default: epoch)"""
    flip: bool
    """mirror each real image with probability 1/2 (default: 0)"""
    augment: float
    """probability that an image, real or fake, is augmented before the critic sees it: colour, translation, cutout (for
    few images, Zhao 2020) (default: 0.0; 0 to 1)"""
    augment_target: float | None
    """adapt that probability to hold the critic's overfitting at this value, for example 0.3 (Karras 2020); 0 = it is
    fixed (default: 0; 0 to 1)"""
    size: int | str | None
    """resize images to N x N pixels, or HEIGHTxWIDTH, multiples of 4; 0 = keep their size if all have the same
    (default: 0; 8 to 256)"""
    crop: Literal["center", "fit", "none"]
    """how images get their shape: center = cut out the middle; fit = all of it, edges repeated; none = scale, keep the
    shape (default: center)"""
    depth: Literal["byte", "float"]
    """values of images: byte = 0 to 255, as a screen shows them; float = kept, with their units and range, also 16 bits
    (default: byte)"""
    channels: int | None
    """1 = grey, 3 = colour; 0 = as the images are (default: 0; 1 to 3)"""
    labels: str
    """classes: auto, none, or the column of a table that holds them (default: auto)"""
    conditions: str
    """numbers and categories that come with each sample, NAME,NAME:category,...: asked for with --given, instead of
    classes (default: )"""
    columns: str
    """what columns of a table are: NAME=KIND,... with number, number:comma, category, date, date:FORMAT, identifier or
    skip (default: )"""
    missing: str
    """marks of missing cells in a table besides empty ones, for example ?,NA (default: )"""
    keep: str
    """rules that hold in every row of a table: TOTAL=A+B or A<=B with names of columns, separated by commas (default:
    )"""
    together: str
    """columns of a table whose combinations are only those of the training rows: A,B; several groups as A,B;C,D
    (default: )"""
    kind: Literal["auto", "signal", "volume", "image"]
    """what an array holds: auto = images, volumes or vectors, by its shape; signal = [N, T] or [N, C, T]; volume = [N,
    D, H, W] or [N, C, D, H, W]; image = no volume, whatever its shape (default: auto)"""
    window: int | None
    """cut long signals into windows of N steps; 0 = take them whole (default: 0; 8 to 65536)"""
    step: int | None
    """steps from one window to the next; 0 = as many as a window has (default: 0; 1 to 65536)"""
    group: str
    """column of a table with a row for each step that says which series it belongs to (default: )"""
    latent: int
    """dimension of the latent z ~ N(0, 1) (default: 128; 1 to 65536)"""
    generator: Literal["conv", "resnet", "conv1d", "resnet1d", "conv3d", "mlp"] | nn.Module | None
    """generator family (default: conv)"""
    generator_layers: str
    """generator layers, see docs/reference/networks.md (default: / 256 128k3 64k4x2 / k4x2)"""
    generator_norm: Literal["none", "batch", "layer", "instance"]
    """generator normalisation (default: batch)"""
    generator_activation: str
    """relu, lrelu:SLOPE or relu-cap:MAX, in the generator (default: relu)"""
    generator_init: str
    """the generator's initial weights: pytorch, normal:STD or glorot (uniform); two words = convolutions, then dense
    layers (default: pytorch)"""
    upsample: Literal["transpose", "nearest"]
    """how a generator layer xN enlarges: transpose = strided transposed convolution; nearest = repeat pixels, then
    convolve (default: transpose)"""
    output: Literal["auto", "tanh", "linear"]
    """last activation; auto = tanh for images, linear for vectors, signals, volumes and images of depth float (default:
    auto)"""
    conditioning: Literal["none", "product", "concat", "norm"]
    """how the generator sees the label: product = embedding times z; concat = appended to z; norm = gain and bias by
    class (default: norm)"""
    critic: Literal["conv", "resnet", "conv1d", "resnet1d", "conv3d", "mlp"] | nn.Module | None
    """critic family (default: conv)"""
    critic_layers: str
    """critic layers, see docs/reference/networks.md (default: 32k4x2 64k4x2 128k3x2 /)"""
    critic_norm: Literal["none", "batch", "layer", "instance", "spectral"]
    """critic normalisation (spectral: of the reshaped kernel, Miyato 2018) (default: none)"""
    critic_activation: str
    """relu, lrelu:SLOPE or relu-cap:MAX, in the critic (default: lrelu:0.2)"""
    critic_init: str
    """the critic's initial weights, written like generator_init (default: pytorch)"""
    critic_conditioning: Literal["none", "projection"]
    """how the critic's score depends on the label: none, projection (Miyato & Koyama 2018) (default: projection)"""
    dropout: float
    """fraction of critic features dropped after each layer (default: 0.0; 0 to 0.95)"""
    norm_momentum: float
    """batch norm momentum in PyTorch's sense (Keras's m is 1 - m) (default: 0.1; 0 to 1)"""
    norm_eps: float
    """epsilon of every normalisation (default: 1e-05; 1e-12 to 1)"""
    pack: int
    """samples the critic judges together (PacGAN, Lin 2018) (default: 1; 1 to 64)"""
    objective: (
        Literal[
            "gan",
            "wgan-clip",
            "wgan-gp",
            "wgan-lp",
            "dragan",
            "wgan-div",
            "wgan-sn",
            "gan-gp",
            "gan-sn",
            "hinge",
            "lsgan",
            "r3gan",
        ]
        | Objective
        | None
    )
    """losses of both players, see docs/reference/objectives.md (default: wgan-gp)"""
    penalty_weight: float | Literal["auto"] | None
    """lambda, the weight of the gradient penalty; auto = as the objective's paper sets it; 0 = no penalty (default:
    auto; 0 to 1e+06)"""
    clip: float
    """weights are clipped to [-c, c], where the objective clips (default: 0.01; 1e-08 to 1000)"""
    class_critic: float
    """weight of the auxiliary classifier's cross-entropy in the critic's loss; 0 = off (default: 1.0; 0 to 1e+06)"""
    class_generator: float
    """weight of the auxiliary classifier's cross-entropy in the generator's loss; 0 = off (default: 0.2; 0 to 1e+06)"""
    class_on: Literal["real", "fake", "real+fake"]
    """images the auxiliary classifier learns from (default: real)"""
    steps: int
    """generator updates in the whole run (default: 5000; 1 to 1e+08)"""
    batch: int
    """real samples in one critic update (and as many fakes) (default: 64; 1 to 65536)"""
    generator_batch: int | None
    """latents in one generator update; 0 = batch (default: 0; 1 to 65536)"""
    n_critic: int
    """critic updates for each generator update (default: 1; 1 to 1000)"""
    optimizer: Literal["rmsprop", "adam"] | Optimizing | tuple[Optimizing, Optimizing] | None
    """optimizer of both players (default: adam)"""
    lr: float
    """learning rate of the generator (default: 0.001; 0 to 10)"""
    critic_lr: float | None
    """learning rate of the critic; 0 = lr (default: 0.002; 0 to 10)"""
    lr_decay: Literal["none", "linear", "cosine"]
    """learning rates over the run: constant (none), or falling to 0 at the last step (default: linear)"""
    decay_steps: int | None
    """steps over which the learning rates fall; 0 = the whole run (a run that is made longer keeps its decay) (default:
    0; 1 or more)"""
    beta1: float
    """Adam's decay of the mean gradient (default: 0.0; 0 to 0.9999)"""
    beta2: float
    """Adam's decay of the mean squared gradient (default: 0.99; 0 to 0.999999)"""
    ema: float | None
    """decay per step of the averaged generator, which makes the samples; at most (1 + step) / (10 + step), so that
    0.999 is reached at step 8990; 0 = off (default: 0.999; 0 to 0.999999)"""
    seed: int
    """seed of everything random (default: 0; 0 to 9.22337e+18)"""
    device: Literal["auto", "cpu", "cuda", "mps", "gpu"]
    """where to compute; auto = cuda, mps or cpu; gpu = cuda or mps (default: auto)"""
    precision: Literal["auto", "fp32", "bf16", "fp64"]
    """auto = bf16 for convolutions of images of bytes where the hardware has it, else fp32; fp64 for exact checks
    (default: auto)"""
    threads: int | None
    """CPU threads; 0 = every core (default: 0; 1 to 1024)"""
    microbatch: int | None
    """compute a batch in parts of N samples, for less memory; 0 = at once (default: 0; 1 to 65536)"""
    fast: bool
    """wgan's own kernels where they are faster (docs/lab/speed.md), equal up to rounding; 0 = PyTorch's (default: 1)"""
    compile: bool
    """compile the generator with torch.compile; on a CPU, add --no-fast (default: 0)"""
    on_nan: Literal["stop", "rollback"]
    """when a number is not finite: stop, or return to the last checkpoint with new noise and half the learning rates
    (default: stop)"""
    nan_retries: int
    """how often one run may roll back (default: 3; 0 to 100)"""
    log_every: int | None
    """steps between lines of log.jsonl; 0 = only at the end (default: 10; 1 or more)"""
    sample_every: int | None
    """steps between sample grids; 0 = only at the end (default: 200; 1 or more)"""
    evaluate_every: int | None
    """steps between evaluations; 0 = only at the end (default: 500; 1 or more)"""
    patience: int | None
    """end the run after N evaluations in a row without a new best; 0 = never (default: 0; 1 or more)"""
    checkpoint_every: int | None
    """steps between checkpoints; 0 = only at the end (default: 500; 1 or more)"""
    keep_every: int | None
    """steps between checkpoints that are never deleted; 0 = only the last three and the best are kept (default: 0; 1 or
    more)"""
    critic_update: Literal["joint", "separate"]
    """one optimizer step on real and fake together (joint), or one on each (separate), as Keras programs do (default:
    joint)"""
    critic_schedule: Literal["constant", "warm-100"]
    """n_critic always, or 100 instead when step % 1000 < 25 or step % 500 == 0 (warm-100), as Arjovsky's code does
    (default: constant)"""
    critic_statistics: Literal["batch", "running"]
    """statistics of the critic's batch norm in the generator's update: the fakes' own (Keras to 2.3), or the running
    ones (tf.keras 2 and Keras 3 with a frozen critic) (default: batch)"""
    critic_fakes: Literal["batch", "running"]
    """statistics of the generator's batch norm where it makes the critic's fakes: the batch's own, or the running ones
    (Keras's predict) (default: batch)"""
    generator_moves: Literal["none", "norms", "critic"]
    """what the generator's update also moves in the critic, in the generator's favour: nothing, the gains and biases of
    its normalisations, or all of it (default: none)"""
    class_clip: float | None
    """clip class probabilities to [c, 1 - c] in the cross-entropy (Keras: 1e-7), so that samples beyond it have no
    gradient; 0 = off (default: 0; 0 to 0.1)"""
    clip_scope: Literal["all", "conv", "all+norm"]
    """which weights are clipped: all but normalisation's, convolutions' only, or normalisation's gains too (default:
    all)"""
    clip_when: Literal["step", "after-pair", "before-pair"]
    """when weights are clipped: after each optimizer step of the critic, or after or before each pair of separate ones
    (default: step)"""
    rmsprop_rho: float
    """RMSProp's decay of the mean squared gradient (PyTorch 0.99, Keras 0.9) (default: 0.99; 0 to 0.999999)"""
    rmsprop_eps: float
    """RMSProp's epsilon (PyTorch, and Keras to 2.1.2: 1e-8; later Keras: 1e-7) (default: 1e-08; 1e-16 to 1)"""
    rmsprop_eps_place: Literal["beside", "under"]
    """divide by sqrt(v) + epsilon (beside: PyTorch, Keras to 2.10) or by sqrt(v + epsilon) (under: Keras from 2.11)
    (default: beside)"""
    real_batches: Literal["fresh", "shared"]
    """real samples of the critic updates of one step: a fresh batch each, or one shared by all (default: fresh)"""
    generator_latents: Literal["fresh", "last"]
    """latents of the generator update: fresh ones, or the last critic update's (default: fresh)"""
