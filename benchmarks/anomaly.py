"""Anomaly scores of a run with an encoder against simple ways: a digit left out, blots of known place, rows of a rare class.

Usage: python benchmarks/anomaly.py digits [--digits 0,1,2] [--seed 0] [--steps 200] [--encoder-steps 150]
           ten runs, one digit left out of each: AUC of that digit among the test images, beside an autoencoder of equal cost;
           with --simple the ways without networks instead, which no seed changes
       python benchmarks/anomaly.py fashion [--classes 0,1,2] ...     the same of Fashion-MNIST, classes by their number
       python benchmarks/anomaly.py blots RUN              pixel AUC of the difference to the reconstruction
       python benchmarks/anomaly.py table FILE.csv --column NAME --rare LEVEL [--missing "?"]
           rows of one level left out of the training, the column itself unseen
       python benchmarks/anomaly.py cost RUN               CPU seconds of 10,000 scores and of inversions; one thread
`--tiny` makes each of them a matter of seconds: it shows that the script works, and nothing else. RUN: digits, with an encoder.
Results: benchmarks/results/anomaly.json, or --out; an entry is written when it is done, and other entries are kept. What was
trained into --folder is not trained again. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import struct
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from anomaly_ways import BASE, ROWS, Rows, components, floats, kept_autoencoder, neighbours, pca
from numpy.typing import NDArray

import wgan
from wgan.data import open_source
from wgan.data.bundled.fashion import CLASSES
from wgan.data.source import report_indices
from wgan.encoding.invert import invert
from wgan.encoding.train import EncoderOptions, train_encoder
from wgan.evaluation.samples import encoded, read_codes
from wgan.files import write_atomically
from wgan.metrics.anomaly import auc
from wgan.metrics.neighbours import nearest
from wgan.metrics.random_features import random_features
from wgan.rng import order

RESULTS = Path(__file__).parent / "results/anomaly.json"
SMALL: dict[str, Any] = {  # half the channels of the default recipe, without labels
    **{"generator_layers": "/ 128 64k3 32k4x2 / k4x2", "critic_layers": "16k4x2 32k4x2 64k3x2 /", "ema": 0.99},
    **{"conditioning": "none", "critic_conditioning": "none"},
}
QUICK: dict[str, Any] = {
    **{"threads": 1, "precision": "fp32", "evaluate_every": 0, "sample_every": 0, "checkpoint_every": 0},
}
OURS = (
    *("score", "residual_mahalanobis", "feature_mahalanobis", "local_distance"),
    *("residual", "feature_residual", "latent_distance"),
)
SPECS = {"digits": "mnist", "fashion": "fashion"}  # of which a class is left out
SIDES, INK = (4, 8), (0.5, 1.5)  # of blots, from .. to: pixels, and how much lighter or darker
FEATURES = "neighbours, random features"


# --- a class left out -------------------------------------------------------------------------------------------------


def images(spec: str, split: str, most: int | None = None) -> tuple[torch.Tensor, Rows]:
    """Return images as bytes and their digits, by name; in a fixed random order where not all are taken."""
    source = open_source(spec, split)
    index = torch.arange(len(source)) if most is None else order(0, "anomaly", len(source), 0, min(most, len(source)))
    x, y = source.batch(index)
    assert y is not None
    return x, np.array(source.class_names)[y.numpy()]


def trained(folder: Path, name: str, data: str, encoder_steps: int, **options: Any) -> tuple[wgan.Run, float]:
    """Return a run with an encoder, and the CPU seconds that both took; what is there is not made again."""
    cost = folder / f"{name}.json"
    if not cost.exists():
        start = time.process_time()
        wgan.train(data=data, run=folder / name, **QUICK, **options)
        train_encoder(folder / name, EncoderOptions(steps=encoder_steps), threads=1, tty=False)
        write_atomically(cost, json.dumps(time.process_time() - start).encode())
    return wgan.open_run(folder / name), float(json.loads(cost.read_text()))


def without(left_out: str, asked: argparse.Namespace) -> tuple[str, torch.Tensor, torch.Tensor, NDArray[np.bool_]]:
    """Return the data without one class, its training images, test images of all classes, and which are of that one."""
    few = 300 if asked.tiny else None
    test, labels = images(SPECS[asked.what], "test", few or asked.judged)
    if asked.what == "digits":
        spec, strange = "mnist:" + ",".join(k for k in "0123456789" if k != left_out), labels == left_out
    else:
        spec, strange = fashion_without(int(left_out), asked.folder), labels == CLASSES[int(left_out)]
    return spec, images(spec, "train", few)[0], test, strange


def fashion_without(left_out: int, folder: Path) -> str:
    """Write Fashion-MNIST without one class as four IDX files, where it is not there; return their folder."""
    place = folder / f"fashion-without-{left_out}"
    place.mkdir(exist_ok=True)
    for split, stem in (("train", "train"), ("test", "t10k")):
        source = open_source("fashion", split)
        x, y = source.batch(torch.arange(len(source)))
        assert y is not None
        x, y = x[y != left_out][:, 0], y[y != left_out].byte()
        for kind, numbers in (("images-idx3", x), ("labels-idx1", y)):
            head = struct.pack(f">BBBB{numbers.dim()}I", 0, 0, 8, numbers.dim(), *numbers.shape)
            write_atomically(place / f"{stem}-{kind}-ubyte", head + numbers.numpy().tobytes())
    return str(place)


def simple_ways(left_out: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the AUC of every way without networks for one class that was left out."""
    _, x, test, strange = without(left_out, asked)
    found = {way: judged(scored, strange) for way, scored in simple(x, test, asked.ways).items()}
    return {"auc": found, **sizes(x, strange)}


def networks(left_out: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the AUC of the scores of a run for one class that was left out, of an autoencoder, and what each took."""
    data, x, test, strange = without(left_out, asked)
    steps, encoder_steps = (2, 2) if asked.tiny else (asked.steps, asked.encoder_steps)
    name = f"{'' if asked.what == 'digits' else 'fashion-'}without-{left_out}-{asked.seed}"
    run, seconds = trained(
        asked.folder, name, data, encoder_steps, recipe="mnist", steps=steps, seed=asked.seed, **SMALL
    )
    start = time.process_time()
    found = own_ways(wgan.load(run, threads=1).score(test), strange)
    took = {"wgan": seconds, "scoring": time.process_time() - start}
    count = 0
    if not asked.no_autoencoder:
        errors, count = kept_autoencoder(run, x, test, seconds, asked.seed)
        found["autoencoder"] = judged(errors, strange)
    about = {"auc": found, "cpu_seconds": took, "autoencoder_steps": count, "steps": [steps, encoder_steps]}
    return {**about, **sizes(x, strange)}


def sizes(x: torch.Tensor, strange: NDArray[np.bool_]) -> dict[str, int]:
    """Return how many images there are of each kind."""
    return {"training": len(x), "normal": int((~strange).sum()), "anomalous": int(strange.sum())}


def simple(x: torch.Tensor, test: torch.Tensor, ways: str = "") -> dict[str, Rows]:
    """Return the scores of the ways without networks, all or some: on pixels, and of neighbours in the random features also."""
    wanted = ways.split(",") if ways else [*ROWS, FEATURES]
    x = x[order(0, "baselines", len(x), 0, len(x))]
    train, judge = (part.flatten(1).numpy().astype(np.float32) / 255 for part in (x, test))
    found = {name: way(train, judge) for name, way in ROWS.items() if name in wanted}
    if FEATURES in wanted:
        found[FEATURES] = neighbours(random_features(x[:BASE]), random_features(test))
    return found


def own_ways(scores: Any, strange: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Return the AUC of the score, of its parts, and of the sum that f-AnoGAN takes."""
    ways = {name: getattr(scores, name) for name in OURS} | {"f-AnoGAN": scores.residual + scores.feature_residual}
    return {name: judged(values.double().numpy(), strange) for name, values in ways.items()}


def judged(scores: Rows, strange: Rows) -> dict[str, float]:
    """Return the AUC of scores with its 95 % interval (DeLong 1988)."""
    scores = scores.astype(np.float64)
    return {k: round(v, 4) for k, v in asdict(auc(scores[~strange], scores[strange])).items()}


def each_image(maps: Rows, mask: Rows) -> dict[str, float]:
    """Return the mean over images of the AUC of each one's pixels, maps and mask [N, D], with its 95 % interval.

    Pixels of one image are not independent; images are.
    """
    values = [
        auc(m[~k].astype(np.float64), m[k].astype(np.float64)).value for m, k in zip(maps, mask, strict=True) if k.any()
    ]
    mean, half = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"value": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


# --- blots, a table, costs --------------------------------------------------------------------------------------------


def blotted(x: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, Rows]:
    """Return images with a square each that is lighter or darker, and where they were changed, bool [N, H, W]."""
    random, out = np.random.default_rng(seed), x.clone()
    for image in out[:, 0]:
        side = int(random.integers(*SIDES, endpoint=True))
        top, left = random.integers(0, [n - side for n in image.shape], endpoint=True)
        ink = random.uniform(*INK) * random.choice([-1, 1])
        image[top : top + side, left : left + side] += ink
    out.clamp_(-1, 1)
    return out, (out != x)[:, 0].numpy()


def blots(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the pixel AUC of maps of differences, on test images with one blot each."""
    model = wgan.load(asked.path, threads=1)
    n, base = (20, 300) if asked.tiny else (500, BASE)
    clean = floats(images("mnist", "test", n)[0])
    x, mask = blotted(clean)
    train = floats(images("mnist", "train", base)[0]).flatten(1).numpy()
    rows = x.flatten(1).numpy()
    mean, basis = components(train)
    plane = mean + (rows - mean) @ basis.T @ basis
    made = {
        "wgan": model.reconstruct(x).flatten(1).numpy(),
        "PCA": plane,
        "nearest image": train[nearest(rows, train)[1][:, 0]],
        "mean image": np.broadcast_to(mean, rows.shape),
    }
    found = {name: each_image(np.abs(rows - other), mask.reshape(len(rows), -1)) for name, other in made.items()}
    both = torch.cat([clean, x])
    kind = np.repeat([False, True], n)
    whole = {"wgan": model.score(both).score.double().numpy(), "PCA": pca(train, both.flatten(1).numpy())}
    whole["neighbours"] = neighbours(train, both.flatten(1).numpy())
    return {
        **{"images": n, "changed_pixels": int(mask.sum()), "pixel_auc": found},
        "image_auc": {name: judged(scores, kind) for name, scores in whole.items()},
    }


def without_rare(file: Path, folder: Path, column: str, rare: str) -> tuple[Path, Path]:
    """Write two tables without a column: the rows of all other levels, and those of the rare one."""
    with file.open(newline="", encoding="utf-8") as text:
        names, *rows = [row for row in csv.reader(text) if row]
    at = [name.strip() for name in names].index(column)
    paths = folder / "usual.csv", folder / "rare.csv"
    for path, wanted in zip(paths, (False, True), strict=True):
        kept = [names, *(row for row in rows if (row[at].strip() == rare) == wanted)]
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([*row[:at], *row[at + 1 :]] for row in kept)
    return paths


def table(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the AUC of every way for the rows of a level that was left out, among held-out rows."""
    usual, rare = without_rare(asked.path, asked.folder, asked.column, asked.rare)
    steps = (2, 2) if asked.tiny else (asked.steps, asked.encoder_steps)
    name = f"table-{asked.seed}"
    run, seconds = trained(
        asked.folder, name, str(usual), steps[1], steps=steps[0], seed=asked.seed, missing=asked.missing
    )
    train, held = (open_source(str(usual), part, options=run.config) for part in ("train", "test"))
    assert held.table is not None
    strange = encoded(held.table, read_codes(rare, held, held.table)[0])
    ordinary = held.batch(report_indices(len(held)))[0]
    learned = train.batch(order(0, "baselines", len(train), 0, len(train)))[0].numpy()
    x, kind = torch.cat([ordinary, strange]), np.repeat([False, True], [len(ordinary), len(strange)])
    found = own_ways(wgan.load(run, threads=1).inverter.scores(x), kind)
    found |= {name: judged(way(learned, x.numpy()), kind) for name, way in ROWS.items()}
    about = {"column": asked.column, "rare": asked.rare, "training": len(learned), "normal": len(ordinary)}
    return {**about, "anomalous": len(strange), "auc": found, "cpu_seconds": seconds, "steps": steps}


def cost(asked: argparse.Namespace) -> dict[str, Any]:
    """Return CPU seconds of scores, and of inversions with the PSNR of each, on one thread."""
    model = wgan.load(asked.path, threads=1)
    x, _ = images("mnist", "test", 100 if asked.tiny else 10_000)
    start = time.process_time()
    model.score(x)
    scoring, seconds, psnr = time.process_time() - start, [], []
    for image in floats(x[: 2 if asked.tiny else 20]):
        start = time.process_time()
        psnr += invert(asked.path, image[None], steps=5 if asked.tiny else 100, threads=1).psnr
        seconds.append(time.process_time() - start)
    return {
        **{"scores": len(x), "scoring_cpu_seconds": round(scoring, 2)},
        "inversion_cpu_seconds": [round(s, 2) for s in seconds],
        "psnr": [round(p, 1) for p in psnr],
    }


def about(asked: argparse.Namespace) -> dict[str, Any]:
    """Return date, machine, versions and command."""
    own = {"python": platform.python_version(), "torch": torch.__version__, "scikit-learn": sklearn.__version__}
    words = [str(getattr(asked, "path", None) or "").rsplit("/", 1)[-1]]
    named = {
        "digits": ("digits", "seed", "ways"),
        "fashion": ("digits", "seed", "ways"),
        "table": ("column", "rare", "missing", "seed"),
    }
    learning = () if asked.simple or asked.what not in named else ("steps", "encoder_steps")
    words += [
        f"--{'classes' if (asked.what, k) == ('fashion', 'digits') else k.replace('_', '-')} {asked.__dict__[k]}"
        for k in (*named.get(asked.what, ()), *learning)
        if asked.__dict__[k] not in ("", None)
    ]
    words += [f"--{k.replace('_', '-')}" for k in ("simple", "no_autoencoder", "tiny") if asked.__dict__[k]]
    return {
        **{"date": date.today().isoformat(), "machine": asked.machine or platform.machine(), "versions": own},
        "command": " ".join(["python benchmarks/anomaly.py", asked.what, *filter(None, words)]),
    }


def keep(asked: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    """Put an entry into the file of results."""
    entries = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    entries[name] = {**about(asked), **found}
    write_atomically(asked.out, (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())


def options(words: list[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("digits", "fashion", "blots", "table", "cost"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument(
        "--digits", "--classes", default="0,1,2,3,4,5,6,7,8,9", help="which are left out, one at a time"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--encoder-steps", type=int, default=150)
    parser.add_argument("--judged", type=int, default=4000, help="test images")
    parser.add_argument("--column")
    parser.add_argument("--rare")
    parser.add_argument("--missing", default="")
    parser.add_argument("--machine", default="", help="what the results call this machine")
    parser.add_argument("--folder", type=Path, default=Path("anomaly"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--simple", action="store_true", help="digits: the ways without networks alone")
    parser.add_argument("--ways", default="", help="--simple: these ones alone, by their names in ROWS")
    parser.add_argument("--no-autoencoder", action="store_true", help="digits: leave out the dearest of the other ways")
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args(words)
    if asked.what not in SPECS and asked.path is None:
        parser.error(f"{asked.what} needs a {'file' if asked.what == 'table' else 'run'}")
    if asked.what == "table" and None in (asked.column, asked.rare):
        parser.error("table needs --column and --rare")
    return asked


def main(words: list[str] | None = None) -> None:
    """Measure what is asked for, and keep it."""
    asked = options(words)
    asked.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if asked.what in SPECS:
        kind = {"digits": "digit", "fashion": "fashion"}[asked.what]
        for left_out in asked.digits.split(","):
            if asked.simple:
                keep(asked, f"{kind} {left_out} {asked.ways or 'simple'}", simple_ways(left_out, asked))
            else:
                keep(asked, f"{kind} {left_out} seed {asked.seed}", networks(left_out, asked))
        return
    keep(asked, asked.what, {"blots": blots, "table": table, "cost": cost}[asked.what](asked))


if __name__ == "__main__":
    main()
