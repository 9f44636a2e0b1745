"""The flags of every command, declared without torch."""

from __future__ import annotations

from typing import Any

from wgan.cli.encode_arguments import add_encode, add_invert, add_score
from wgan.cli.parser import (
    RUN,
    add_json,
    add_option,
    add_processes,
    add_reading,
    add_run,
    add_threads,
    add_weights,
    number,
    whole,
)
from wgan.config import FIELDS

# the options that people use: what `wgan train --help` shows
USUAL = (
    *("--run", "--config", "--dry-run", "--data", "--flip", "--augment", "--size", "--labels", "--objective"),
    *("--steps", "--minutes", "--batch", "--n-critic", "--lr", "--seed", "--device", "--help", "--help-all"),
)
TRAIN = """\
Train a recipe or your own data, or resume a run. The defaults are those of the
recipe mnist; other recipes change some of them, which --dry-run shows."""
TRAIN_EXAMPLES = """\
examples:
  wgan train                           the default recipe; again: resume it
  wgan train mnist --steps 20000       train the same run longer
  wgan train photos/ --size 64         your own images; sub-folders are classes
  wgan train wine.csv --labels kind    a table; its column `kind` holds classes
"""
WHAT = "a recipe (see `wgan recipes`), your own data, or a run folder to resume (default: mnist, or what fits --data)"


def add_train(commands: Any) -> None:
    """Declare `wgan train`, with every Config field as a flag."""
    p = commands.add_parser(
        "train",
        help="train a recipe or your own data, or resume a run",
        usage="wgan train [RECIPE|PATH] [--OPTION VALUE ...]",
        description=TRAIN,
        epilog=TRAIN_EXAMPLES,
        usual=USUAL,
    )
    p.add_argument("name", nargs="?", metavar="RECIPE|PATH", help=WHAT)
    # torchrun takes a bare --run for an abbreviation of one of its own flags, wherever it stands
    p.add_argument(
        "--run", "--run-dir", metavar="DIR", help="folder of the run (default: runs/NAME); after torchrun: --run-dir"
    )
    p.add_argument(
        "--config",
        metavar="FILE",
        help="options from a JSON, TOML or YAML file, or from another run; flags win over them",
    )
    p.add_argument("--log-to", metavar="NAME", help="also send each line of the log to mlflow, trackio or wandb")
    p.add_argument(
        "--from", dest="from_run", metavar="RUN", help="a run whose weights a new run starts from, as far as they fit"
    )
    p.add_argument("--dry-run", action="store_true", help="show config, sizes and a time estimate; write nothing")
    p.add_argument(
        "--minutes", metavar="M", help="as many steps as fit into M minutes on this machine; a step is measured first"
    )
    add_processes(p)
    groups: dict[str, Any] = {}
    for name, f in FIELDS.items():
        if name == "recipe":
            continue
        group = groups[f.group] = groups.get(f.group) or p.add_argument_group(f.group)
        add_option(group, f, f"option_{name}")
    p.set_defaults(function="train")


def add_data(commands: Any) -> None:
    """Declare `wgan data`."""
    p = commands.add_parser("data", help="show what would be trained on, before anything runs")
    p.add_argument("spec", metavar="SPEC", help="a name such as mnist, or the path of your own data")
    add_reading(p)
    p.add_argument("--out", metavar="FILE.png", help="draw a grid of some of the samples")
    p.add_argument(
        "--strict", action="store_true", help="reject data with any unreadable file (training skips up to 1 %%)"
    )
    p.add_argument(
        "--no-measure", dest="measure", action="store_false", help="do not run a few steps to estimate the time"
    )
    add_json(p)
    p.set_defaults(function="data")


def add_sample(commands: Any) -> None:
    """Declare `wgan sample`."""
    p = commands.add_parser("sample", help="make samples with a trained run")
    add_run(p)
    p.add_argument("-n", type=whole, default=64, metavar="N", help="number of samples (default: 64)")
    p.add_argument("--label", metavar="K", help="make samples of one class")
    p.add_argument(
        "--labels",
        metavar="0,1,2",
        help="make samples of several classes in turn (default: all; rows of a table as often as in the data)",
    )
    p.add_argument(
        "--where", metavar="A=X,B=Y", help="values, or ranges such as AGE>=40, that every row of a table must have"
    )
    p.add_argument(
        "--given",
        metavar="A=X,B=Y",
        help="conditions of all samples, such as energy=50; a range, angle=-30..30, goes along the columns of the grid",
    )
    p.add_argument(
        "--beyond-range",
        action="store_true",
        help="also make rows of a table outside the range and step of the training rows",
    )
    p.add_argument("--seed", type=whole, default=0, metavar="N", help="seed of the latents (default: 0)")
    p.add_argument(
        "--truncation", type=number, default=0.0, metavar="T", help="limit latents to [-T, T]; 0 = off (default: 0)"
    )
    add_weights(p)
    p.add_argument(
        "--out",
        default="samples.png",
        metavar="FILE",
        help="samples.png, samples.npz or folder/ (default: samples.png)",
    )
    p.add_argument("--force", action="store_true", help="replace what is there")
    add_threads(p)
    add_processes(p)
    p.set_defaults(function="sample")


def add_interpolate(commands: Any) -> None:
    """Declare `wgan interpolate`."""
    p = commands.add_parser("interpolate", help="walk between latents, as a GIF or a PNG")
    add_run(p)
    p.add_argument("--out", default="walk.gif", metavar="FILE", help="walk.gif or walk.png (default: walk.gif)")
    p.add_argument("--stops", type=whole, default=8, metavar="N", help="latents to walk through (default: 8)")
    p.add_argument("--frames", type=whole, default=12, metavar="N", help="frames between two latents (default: 12)")
    p.add_argument("--rows", type=whole, default=6, metavar="N", help="walks side by side (default: 6)")
    p.add_argument("--label", metavar="K", help="stay in one class (default: walk across all)")
    p.add_argument("--seed", type=whole, default=0, metavar="N", help="seed of the latents (default: 0)")
    add_weights(p)
    p.add_argument("--force", action="store_true", help="replace what is there")
    add_threads(p)
    p.set_defaults(function="interpolate")


def add_evaluate(commands: Any) -> None:
    """Declare `wgan evaluate`."""
    p = commands.add_parser("evaluate", help="measure a run, or samples that any program made")
    p.add_argument(
        "target",
        nargs="?",
        metavar="RUN|SAMPLES",
        help=f"{RUN}; or samples: an .npz, .npy, .csv, .tsv or .parquet, or a folder or archive of images",
    )
    p.add_argument("--data", metavar="SPEC", help="data to compare with (default: the run's own)")
    add_reading(p, "for a file: ")
    p.add_argument("-n", type=whole, default=10_000, metavar="N", help="number of generated samples (default: 10000)")
    p.add_argument(
        "--metrics", metavar="A,B", help="measure only these, such as fid-lenet,prdc (default: all that apply)"
    )
    p.add_argument(
        "--target",
        dest="target_column",
        metavar="COLUMN",
        help="of a table: the column that models trained on the rows are to tell (default: the class, or the last category)",
    )
    p.add_argument("--checkpoint", metavar="WHICH", help="last, best or a step (default: last, and best if another)")
    p.add_argument(
        "--inception-weights",
        metavar="FILE.safetensors",
        help="add the metric fid-inception, see docs/reference/evaluation.md",
    )
    p.add_argument("--raw", action="store_true", help="use the raw generator, not the averaged one")
    p.add_argument(
        "--out", metavar="FILE.json", help="default: metrics.json in the run, NAME.metrics.json next to samples"
    )
    add_threads(p)
    add_processes(p)
    add_json(p)
    p.set_defaults(function="evaluate")


def add_export(commands: Any) -> None:
    """Declare `wgan export`."""
    p = commands.add_parser("export", help="take the generator elsewhere: a folder, one HTML page, ONNX")
    add_run(p)
    p.add_argument(
        "--to",
        required=True,
        metavar="WHAT",
        help="hub: a folder with a model card; page: one HTML file that makes samples; onnx: one ONNX file",
    )
    p.add_argument("--out", metavar="PATH", help="default: RUN-model, RUN.html, RUN.onnx")
    add_weights(p)
    p.add_argument("--rgb", action="store_true", help="onnx: grey images in three equal channels")
    p.add_argument("--critic", action="store_true", help="onnx: the critic's scores instead of the generator")
    p.add_argument("--licence", metavar="TEXT", help="hub: licence of the training data, such as cc-by-4.0")
    p.add_argument("--push", metavar="USER/NAME", help="hub: also upload it")
    p.add_argument("--force", action="store_true", help="replace what is there")
    add_threads(p)
    p.set_defaults(function="export")


def add_serve(commands: Any) -> None:
    """Declare `wgan serve`."""
    p = commands.add_parser("serve", help="answer requests for samples over HTTP, and show the generator's page")
    add_run(p)
    p.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1, this machine only)"
    )
    p.add_argument(
        "--port", type=whole, default=8000, metavar="N", help="port to listen on; 0 = any that is free (default: 8000)"
    )
    p.add_argument("--name", metavar="A,B", help="host names to answer to, such as models.example.org")
    add_weights(p)
    add_threads(p)
    p.set_defaults(function="serve")


def add_report(commands: Any) -> None:
    """Declare `wgan report`."""
    p = commands.add_parser("report", help="show runs as one HTML page that needs nothing else")
    p.add_argument("paths", nargs="*", metavar="RUN", help=f"{RUN}; several are shown side by side")
    p.add_argument(
        "--out", metavar="FILE.html", help="default: report.html in the run; in the current folder for several"
    )
    p.set_defaults(function="report")


def add_log(commands: Any) -> None:
    """Declare `wgan log`."""
    p = commands.add_parser("log", help="send the log of a run to mlflow, trackio or wandb")
    add_run(p)
    p.add_argument("--to", required=True, metavar="NAME", help="mlflow, trackio or wandb, which must be installed")
    p.set_defaults(function="log")


def add_compare(commands: Any) -> None:
    """Declare `wgan compare`."""
    p = commands.add_parser("compare", help="compare objectives at an equal budget")
    p.add_argument("objectives", nargs="*", metavar="OBJECTIVE", help="default: gan wgan-clip wgan-gp wgan-lp")
    p.add_argument("--data", default="grid", metavar="SPEC", help="mnist, grid, stacked-mnist, ... (default: grid)")
    p.add_argument("--seeds", type=whole, metavar="N", help="runs of each kind (default: 3; with --quick 1)")
    p.add_argument(
        "--steps",
        type=whole,
        metavar="N",
        help="budget: generator updates of each run (default: 4000; with --quick 500)",
    )
    p.add_argument("--budget", metavar="10m", help="budget: CPU time of each run, as 90s, 10m or 1.5h")
    p.add_argument("--critic-forwards", type=whole, metavar="N", help="budget: batches through the critic in each run")
    p.add_argument("--quick", action="store_true", help="fewer steps, one seed, one architecture")
    p.add_argument(
        "--parts", metavar="A,B", help="run only these of quality, collapse, rates, architectures, gradients"
    )
    p.add_argument(
        "--design",
        metavar="FILE",
        help="run a comparison that a TOML file decides beforehand: referee, short, small or your own",
    )
    p.add_argument("--out", metavar="DIR", help="default: comparison")
    p.set_defaults(function="compare")


def add_benchmark(commands: Any) -> None:
    """Declare `wgan benchmark`."""
    p = commands.add_parser("benchmark", help="measure what a training step costs on this machine")
    p.add_argument("names", nargs="*", metavar="RECIPE", help="default: one of each kind")
    p.add_argument("--steps", type=whole, default=20, metavar="N", help="timed steps of each recipe (default: 20)")
    p.add_argument("--batch", type=whole, metavar="N", help="another batch size than the recipe's")
    p.add_argument("--threads", type=whole, default=0, metavar="N", help="CPU threads; 0 = every core (default: 0)")
    p.add_argument("--precision", default="auto", metavar="NAME", help="auto, fp32, bf16 or fp64 (default: auto)")
    p.add_argument("--no-fast", dest="fast", action="store_false", help="use PyTorch's own kernels")
    p.add_argument("--out", metavar="FILE.json", help="also write the table as JSON")
    add_json(p)
    p.set_defaults(function="benchmark")


def add_recipes(commands: Any) -> None:
    """Declare `wgan recipes`."""
    p = commands.add_parser("recipes", help="list the recipes: where each comes from, what to expect")
    add_json(p)
    p.set_defaults(function="recipes")


def add_runs(commands: Any) -> None:
    """Declare `wgan runs`."""
    p = commands.add_parser("runs", help="list the runs, the one that changed last first")
    p.add_argument("folder", nargs="?", default="runs", metavar="FOLDER", help="where they are (default: runs)")
    add_json(p)
    p.set_defaults(function="runs")


def add_env(commands: Any) -> None:
    """Declare `wgan env`."""
    p = commands.add_parser("env", help="show versions, processor, devices and cache: for bug reports")
    add_json(p)
    p.set_defaults(function="env")


def add_completion(commands: Any) -> None:
    """Declare `wgan completion`."""
    p = commands.add_parser(
        "completion",
        help="print the script by which bash or zsh completes wgan",
        epilog="""\
examples:
  eval "$(wgan completion bash)"                   in ~/.bashrc
  wgan completion zsh > "${fpath[1]}/_wgan"        once
""",
    )
    p.add_argument("shell", metavar="SHELL", help="bash or zsh")
    p.set_defaults(function="completion")


def add_help(commands: Any) -> None:
    """Declare `wgan help`."""
    p = commands.add_parser("help", help="show what a command does, and its flags")
    p.add_argument("name", nargs="?", metavar="COMMAND", help="one of the commands (default: all of them)")
    p.set_defaults(function="help")


def add_version(commands: Any) -> None:
    """Declare `wgan version`."""
    commands.add_parser("version", help="show the version").set_defaults(function="version")


ADDED = (
    add_train,
    add_data,
    add_sample,
    add_interpolate,
    add_evaluate,
    add_encode,
    add_score,
    add_invert,
    add_export,
    add_serve,
    add_report,
    add_log,
    add_compare,
    add_benchmark,
    add_recipes,
    add_runs,
    add_env,
    add_completion,
    add_help,
    add_version,
)  # in the order of `wgan --help`
