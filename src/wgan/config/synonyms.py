"""What other programs call an option of ours, with a sentence that says how it is called here. No torch here."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from wgan.errors import nearest


class Meaning(NamedTuple):
    """Other spellings of a flag, separated by blanks, and what to write instead."""

    spellings: str
    sentence: str
    needs: str = ""  # flags without which a command does not mean this


# The first row that has the spelling, and whose flags the command has, answers; dashes and capitals do not matter.
FLAGS = (
    Meaning(
        "learning-rate learning-rates rate rates",
        "--lr is the generator's learning rate, --critic-lr the critic's",
        "--critic-lr",
    ),
    Meaning("learning-rate learning-rates rate rates", "--lr is the encoder's learning rate", "--lr"),
    Meaning(
        "lr-g g-lr lr-gen gen-lr lr-generator generator-lr generator-learning-rate",
        "the generator's learning rate is --lr",
        "--lr",
    ),
    Meaning(
        "lr-d d-lr lr-dis dis-lr lr-disc disc-lr lr-critic lr-discriminator discriminator-lr critic-learning-rate "
        "discriminator-learning-rate",
        "the critic's learning rate is --critic-lr",
        "--critic-lr",
    ),
    Meaning(
        "iterations iters iteration iter niter niters num-iters num-iterations max-iter max-iters max-steps num-steps n-steps "
        "total-steps train-steps training-steps generator-steps g-steps steps-per-epoch kimg total-kimg nimg",
        "the length of a run is --steps, its generator updates",
        "--lr",
    ),
    Meaning(
        "resume continue restore restart load resume-from from-checkpoint checkpoint ckpt resume-from-checkpoint "
        "load-checkpoint checkpoint-path resume-path continue-train auto-resume",
        "a run resumes by itself: give the same command again, or wgan train --run DIR",
        "--run",
    ),
    Meaning(
        "out o outdir output-dir output-path output-folder out-path save save-dir save-path result-dir results-dir results "
        "log-dir work-dir dir folder experiment exp-name experiment-name run-name name checkpoint-dir ckpt-dir model-dir "
        "sample-dir",
        "the folder of the run is --run DIR",
        "--run",
    ),
    Meaning(
        "force overwrite fresh from-scratch scratch no-resume",
        "a run is never overwritten: give another folder with --run, or delete the old one",
        "--run",
    ),
    Meaning(
        "processes-per-node nproc nproc-per-node num-processes n-processes world-size nodes nnodes ddp distributed multi-gpu "
        "data-parallel gpus num-gpus n-gpu n-gpus local-rank rank strategy",
        "--processes N shares the work among N processes of this machine; torchrun starts one for each GPU, see "
        "docs/reference/scaling.md",
        "--processes",
    ),
    Meaning(
        "gpu cuda use-cuda use-gpu no-cuda no-gpu cpu mps gpu-id gpu-ids device-id "
        "device-ids devices device-map accelerator",
        "--device says where to compute: auto, cpu, cuda, mps or gpu",
        "--device",
    ),
    Meaning(
        "batch-size b bs batches minibatch minibatch-size train-batch-size per-device-batch-size",
        "the batch size is --batch",
        "--batch",
    ),
    Meaning(
        "accumulate grad-accum accumulation-steps gradient-accumulation gradient-accumulation-steps accumulate-grad-batches "
        "micro-batch-size batch-split",
        "--microbatch N computes a batch in parts of N samples, for less memory",
        "--microbatch",
    ),
    Meaning(
        "wandb use-wandb wandb-project project project-name mlflow trackio neptune logger report-to track",
        "--log-to NAME mirrors the log in mlflow, trackio or wandb; log.jsonl and TensorBoard's events are written anyway",
        "--log-to",
    ),
    Meaning(
        "tensorboard use-tensorboard tb summary",
        "nothing to turn on: a run writes log.jsonl and TensorBoard's events, which tensorboard --logdir runs shows",
        "--log-every",
    ),
    Meaning(
        "fp16 half float16 amp use-amp mixed-precision bf16 bfloat16 fp32 float32 fp64 double float64 dtype autocast tf32",
        "--precision is auto, fp32, bf16 or fp64; auto takes bf16 where it is faster, and fp16 is not supported",
        "--precision",
    ),
    Meaning(
        "workers num-workers n-workers dataloader-workers data-workers cpus cores num-cores n-jobs num-threads n-threads "
        "thread",
        "--threads N sets the CPU threads; data need no workers, they are mapped into memory",
        "--threads",
    ),
    Meaning(
        "conf cfg c configuration config-file config-path config-name params yaml json",
        "--config FILE reads options from JSON, TOML or YAML, such as a run's config.json",
        "--config",
    ),
    Meaning(
        "image-size img-size imsize resolution res resize image-resolution crop-size input-size height width",
        "--size N resizes your own images to N x N pixels",
        "--size",
    ),
    Meaning(
        "lambda lambda-gp gp-lambda gp-weight gp gp-coef gradient-penalty gradient-penalty-weight penalty lambda-term "
        "r1-gamma gamma",
        "the weight of the gradient penalty is --penalty-weight",
        "--penalty-weight",
    ),
    Meaning(
        "clip-value weight-clip weight-clipping weight-cliping-limit weight-clip-value clip-weights clip-limit clip-param "
        "clamp clamp-lower clamp-upper clamp-value",
        "--clip C keeps the critic's weights within [-C, C], with --objective wgan-clip",
        "--clip",
    ),
    Meaning(
        "clip-grad grad-clip gradient-clip gradient-clipping clip-grad-norm gradient-clip-val max-grad-norm",
        "gradients are not clipped; --penalty-weight limits the critic's gradient, --clip its weights",
        "--clip",
    ),
    Meaning(
        "n-critics ncritic n-dis n-disc n-discriminator critic-iters critic-iterations critic-steps critic-updates num-critic "
        "n-critic-steps discriminator-steps discriminator-iters discriminator-updates disc-steps disc-iters d-steps d-iters "
        "dis-iters num-d-steps",
        "the critic updates for each step are --n-critic",
        "--n-critic",
    ),
    Meaning(
        "z-dim z z-size nz dim-z latent-dim latent-size latent-dims latent-dimension latents noise-dim noise-size n-noise "
        "noise",
        "the dimension of the latent is --latent",
        "--latent",
    ),
    Meaning(
        "save-every save-interval save-freq save-frequency save-steps save-model-every snap snapshot ckpt-every ckpt-interval "
        "checkpoint-interval checkpoint-freq checkpoint-steps checkpoint-frequency",
        "the steps between checkpoints are --checkpoint-every",
        "--checkpoint-every",
    ),
    Meaning(
        "log-interval log-freq log-frequency log-steps log-step logging-steps logging-interval print-every print-freq "
        "print-interval report-every",
        "the steps between lines of the log are --log-every",
        "--log-every",
    ),
    Meaning(
        "sample-interval sample-freq sample-steps image-interval image-every vis-every plot-every images-every "
        "save-images-every",
        "the steps between sample grids are --sample-every",
        "--sample-every",
    ),
    Meaning(
        "eval-every eval-interval eval-freq eval-steps evaluate-interval evaluation-interval val-every val-interval "
        "validate-every fid-every",
        "the steps between evaluations are --evaluate-every",
        "--evaluate-every",
    ),
    Meaning(
        "model arch architecture network networks net backbone gan model-type model-name netg gen g generator-type",
        "--generator and --critic choose the networks (conv, resnet or mlp); a whole system is a recipe, see wgan recipes",
        "--generator",
    ),
    Meaning(
        "discriminator disc dis netd d-arch discriminator-type critic-type",
        "the discriminator is called critic here: --critic",
        "--critic",
    ),
    Meaning(
        "hidden hidden-dim hidden-size hidden-layers layers n-layers num-layers depth dim channels-g channels-d ngf ndf ch "
        "base-channels features-g features-d n-filters filters",
        "layers are written as text, --generator-layers and --critic-layers, see docs/reference/networks.md",
        "--generator-layers",
    ),
    Meaning(
        "dataset datasets data-dir dataroot data-path data-folder dataset-path dataset-dir dataset-name train-dir train-data "
        "train-path training-data input input-dir image-dir image-folder images root path file csv real reals reference ref "
        "against",
        "the data are given with --data",
        "--data",
    ),
    Meaning("random-seed manual-seed random-state rng rng-seed seed-all seeds", "the seed is --seed", "--seed"),
    Meaning(
        "spectral-norm sn use-sn spectral use-spectral-norm batch-norm bn use-bn no-bn layer-norm instance-norm "
        "norm norm-layer normalization",
        "--generator-norm and --critic-norm choose the normalisation of each network, --critic-norm spectral among them",
        "--critic-norm",
    ),
    Meaning(
        "dropout-rate drop-rate dropout-prob p-dropout",
        "--dropout is the fraction of the critic's features dropped",
        "--dropout",
    ),
    Meaning(
        "val-split val-size validation-split val-fraction test-size test-split val-ratio holdout held-out",
        "--split says which part is trained on; some of your own data are held out anyway, or what is named val or test",
        "--split",
    ),
    Meaning(
        "shuffle no-shuffle sampler replacement",
        "--sampling is the order of the samples: epoch is shuffled",
        "--sampling",
    ),
    Meaning(
        "cache cache-dir cache-path tmp-dir no-cache",
        "prepared data lie in ~/.cache/wgan; the environment variable WGAN_CACHE names another folder",
        "--data",
    ),
    Meaning(
        "channels-last memory-format", "nothing to turn on: images are channels-last where that is faster", "--fast"
    ),
    Meaning("profile profiler", "wgan benchmark says what a step costs", "--lr"),
    Meaning("yes y assume-yes no-input interactive", "nothing to turn on: wgan asks no questions", "--lr"),
    Meaning(
        "verbose v verbosity quiet q silent debug log-level progress no-progress progress-bar no-progress-bar",
        "nothing to turn on or off: a terminal shows one live line, a file or a pipe plain lines",
    ),
    Meaning(
        "loss losses loss-type loss-fn gan-type gan-mode gan-loss adversarial-loss adv-loss criterion wgan wgan-gp hinge "
        "algorithm",
        "the losses are chosen by --objective",
        "--objective",
    ),
    Meaning("optim opt optimiser optimizer-type optimizer-name solver", "the optimizer is --optimizer", "--optimizer"),
    Meaning("betas b1 b2 beta adam-beta1 adam-beta2 momentum", "Adam's decays are --beta1 and --beta2", "--beta1"),
    Meaning("weight-decay wd l2 decay-weight", "there is no weight decay: leave it out", "--lr"),
    Meaning(
        "ema-decay ema-beta ema-rate use-ema polyak average no-ema",
        "--ema sets the decay of the averaged generator; 0 turns it off",
        "--ema",
    ),
    Meaning(
        "scheduler schedule lr-scheduler lr-schedule lr-policy decay decay-rate lr-gamma decay-epoch warmup warmup-steps "
        "cosine",
        "--lr-decay is none, linear or cosine, over --decay-steps",
        "--lr-decay",
    ),
    Meaning(
        "augmentation augmentations aug ada diffaug diffaugment data-augmentation",
        "--augment P augments images with probability P; --augment-target adapts it",
        "--augment",
    ),
    Meaning("hflip mirror mirrors x-flip horizontal-flip random-flip flips", "--flip mirrors images", "--flip"),
    Meaning(
        "image-channels img-channels input-channels n-channels num-channels nc colors grayscale greyscale gray grey rgb color",
        "--channels is 1 for grey images and 3 for colour",
        "--channels",
    ),
    Meaning(
        "conditional cond class-cond n-classes num-classes n-class class-conditional label-column target unconditional uncond",
        "classes come from the data: --labels COLUMN of a table, sub-folders of images; --labels none ignores them",
        "--labels",
    ),
    Meaning(
        "deterministic reproducible cudnn-benchmark cudnn-deterministic",
        "nothing to turn on: the same seed gives the same run",
        "--seed --lr",
    ),
    Meaning(
        "early-stopping early-stop early-stopping-patience",
        "--patience K ends a run after K evaluations that found nothing better",
        "--patience",
    ),
    Meaning(
        "max-time time time-limit duration max-minutes hours budget",
        "--minutes M trains as many steps as fit into M minutes",
        "--minutes",
    ),
    Meaning(
        "pretrained weights init init-from initialize-from finetune transfer warm-start start-from",
        "--from RUN starts a new run from another run's weights",
        "--from",
    ),
    Meaning(
        "save-best best keep-best",
        "nothing to turn on: the best checkpoint is kept, and wgan sample --checkpoint best takes it",
        "--checkpoint-every",
    ),
    Meaning("torch-compile jit", "--compile compiles the generator", "--compile"),
    Meaning(
        "test eval evaluate evaluation sample samples generate inference infer metrics fid report interpolate train training",
        "that is a command, not a flag: see wgan --help",
        "--lr",
    ),
    Meaning(
        "num number count n n-samples num-samples samples n-images num-images images n-fake", "-n says how many", "-n"
    ),
    Meaning(
        "outdir output o output-dir output-path output-file out-file save save-path save-dir destination file filename folder "
        "dir",
        "the file to write is --out",
        "--out",
    ),
    Meaning(
        "class classes cls c y digit digits category condition target",
        "--label K asks for one class, --labels A,B for several",
        "--label --labels",
    ),
    Meaning("class cls c y digit category labels condition target", "--label K holds one class", "--label"),
    Meaning(
        "ckpt step epoch iteration weights snapshot which model best last checkpoint-path load",
        "--checkpoint is last, best or a step",
        "--checkpoint",
    ),
    Meaning(
        "run run-dir model-dir path name experiment input network",
        "the run comes right after the command, without a flag: its folder, or its name under runs/",
        "--checkpoint",
    ),
    Meaning("trunc psi truncation-psi temperature", "--truncation T cuts latents to [-T, T]", "--truncation"),
    Meaning("overwrite replace yes exist-ok", "--force replaces what is there", "--force"),
    Meaning(
        "ema no-ema use-ema average averaged no-average",
        "samples come from the averaged generator, with --raw from the raw one",
        "--raw",
    ),
    Meaning("metric measure measures fid kid score scores", "--metrics A,B chooses the metrics", "--metrics"),
    Meaning("n-frames num-frames length", "--frames are the pictures between two of the --stops", "--frames"),
    Meaning("n-stops steps points n-points num-points latents", "--stops are the latents to walk through", "--stops"),
    Meaning(
        "epochs epoch iterations iters max-steps num-steps time minutes",
        "the budget of each run is --steps, --budget or --critic-forwards",
        "--budget",
    ),
    Meaning("verify check validate strictly", "--strict refuses data with any unreadable file", "--strict"),
    Meaning(
        "n-repeats repeat iterations iters runs", "--steps are the timed steps of each recipe", "--no-fast --steps"
    ),
)


def plain_word(word: str) -> str:
    """Return a spelling without dashes and capitals: `--learningRate` and `learning-rate` are one."""
    return word.replace("-", "").replace("_", "").lower()


def meaning(word: str, table: Collection[Meaning], flags: Collection[str] = ()) -> str:
    """Return the sentence for what another program calls `word`, among those for a command with these `flags`; '' for none."""
    for row in table:
        if plain_word(word) in map(plain_word, row.spellings.split()) and set(row.needs.split()) <= set(flags):
            return row.sentence
    return ""


def as_options(sentence: str, names: Collection[str]) -> str:
    """Return a sentence about flags for those who write options, in Python or in a file: critic_lr for --critic-lr."""

    def name(match: re.Match[str]) -> str:
        option = match[1].replace("-", "_")
        return option if option in names else match[0]

    return re.sub(r"--([a-z][a-z0-9-]*)", name, sentence)


def meant_option(word: str, names: Collection[str]) -> str:
    """Return what to write instead of an unknown option: by its meaning, or the nearest spelling."""
    flags = ["--run", "--processes", *(f"--{name}".replace("_", "-") for name in names)]
    sentence = meaning(word, FLAGS, flags)
    return as_options(sentence, names) or nearest(word, names)


def explained(flag: str, flags: Collection[str]) -> str:
    """Return what to write instead of an unknown flag: by its meaning, as said of the critic, or the nearest spelling."""
    critic = flag.replace("discriminator", "critic").replace("disc-", "critic-")
    if critic != flag and critic in flags:
        return f"the discriminator is called critic here: {critic}"
    return meaning(flag, FLAGS, flags) or nearest(flag, [f for f in flags if f.startswith("--")])
