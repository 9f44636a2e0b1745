"""The flags of the commands that go from samples to latents, declared without torch."""

from __future__ import annotations

from typing import Any

from wgan.cli.parser import add_json, add_reading, add_run, add_threads, number, whole


def add_encode(commands: Any) -> None:
    """Declare `wgan encode`."""
    p = commands.add_parser("encode", help="train an encoder for a run: what score and invert need")
    add_run(p)
    p.add_argument("--steps", type=whole, metavar="N", help="updates of the encoder (default: 3000)")
    p.add_argument("--batch", type=whole, metavar="N", help="samples for each update (default: 64)")
    p.add_argument("--lr", type=number, metavar="X", help="learning rate, which falls to 0 (default: 0.001)")
    p.add_argument(
        "--feature-weight", type=number, metavar="X", help="weight of the critic's features in the loss (default: 1)"
    )
    p.add_argument("--seed", type=whole, metavar="N", help="seed of initial weights and batches (default: 0)")
    p.add_argument("--checkpoint", metavar="WHICH", help="of the generator: last, best or a step (default: last)")
    p.add_argument("--raw", action="store_true", help="use the raw generator, not the averaged one")
    p.add_argument("--fresh", action="store_true", help="remove the encoder that is there, and start over")
    add_threads(p)
    p.set_defaults(function="encode")


def add_score(commands: Any) -> None:
    """Declare `wgan score`."""
    p = commands.add_parser("score", help="say how unusual each sample of some data is for a run")
    p.add_argument("path", metavar="RUN", help="a run with an encoder (see wgan encode)")
    p.add_argument("data", metavar="DATA", help="what to score: a name such as mnist, or the path of your own data")
    p.add_argument("--out", default="scores.csv", metavar="FILE.csv", help="default: scores.csv")
    p.add_argument(
        "--false-alarms",
        type=number,
        default=0.01,
        metavar="X",
        help="fraction of normal samples that may lie above the threshold (default: 0.01)",
    )
    p.add_argument(
        "--normal",
        metavar="A,B",
        help="labels in DATA that are normal (default: the classes of the run, if there are others)",
    )
    p.add_argument(
        "--split", metavar="NAME", help="train, test or all (default: test of bundled data, all of your own)"
    )
    p.add_argument("--maps", metavar="FILE.png", help="draw the highest, their reconstructions and the differences")
    p.add_argument("--top", type=whole, default=16, metavar="N", help="how many are drawn (default: 16)")
    p.add_argument("--force", action="store_true", help="replace what is there")
    add_reading(p)
    add_threads(p)
    add_json(p)
    p.set_defaults(function="score")


def add_invert(commands: Any) -> None:
    """Declare `wgan invert`."""
    p = commands.add_parser("invert", help="find the latents of your own images, and walk between them")
    p.add_argument("path", metavar="RUN", help="a run with an encoder (see wgan encode)")
    p.add_argument("images", nargs="+", metavar="IMAGE", help="image files")
    p.add_argument(
        "--out",
        default="inverted.png",
        metavar="FILE",
        help=".png: each image next to its result; .gif: a walk between them (default: inverted.png)",
    )
    p.add_argument("--label", metavar="K", help="their class (default: the nearest of each)")
    p.add_argument("--steps", type=whole, default=100, metavar="N", help="steps that refine a latent (default: 100)")
    p.add_argument("--force", action="store_true", help="replace what is there")
    add_threads(p)
    p.set_defaults(function="invert")
