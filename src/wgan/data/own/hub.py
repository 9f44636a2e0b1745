"""Data sets of the Hugging Face hub, by name or from a local folder, through the `datasets` library where installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wgan.config import ReadingOptions
from wgan.data.own.arrays import Arrays
from wgan.data.own.cache import Prepared, key_of, load, locked
from wgan.data.own.convert import prepare_arrays
from wgan.errors import WganError

IMAGE_COLUMNS = ("image", "img", "images", "pixel_values")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class")


def open_hub(spec: str, name: str, options: ReadingOptions) -> Prepared:
    """Prepare hf:NAME (its train split, and test where there is one); WganError without the library or a connection."""
    try:
        import datasets
    except ImportError:
        raise WganError(f"{spec} needs the datasets library: install it with pip install 'wgan[hf]'") from None
    parts = load_parts(datasets, spec, name)
    prints = [str(part._fingerprint) for part in parts]
    key = key_of("hub", spec, prints, options.key())
    with locked(key) as folder:
        return load(key) or prepare_arrays(as_arrays(parts, spec, options), options, folder, spec)


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Within the block the loggers of a library say nothing."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def load_parts(datasets: Any, spec: str, name: str) -> list[Any]:
    """Return the training part and, where there is one, the test part."""
    if not name:
        raise WganError("hf: needs a name, for example hf:fashion_mnist, or a local folder, hf:./folder")
    try:
        local = Path(name).expanduser()
        saved = (local / "dataset_dict.json").is_file() or (local / "state.json").is_file()
        with quiet(
            "huggingface_hub"
        ):  # a line for each of five tries without a network; the sentence below says it once
            found = datasets.load_from_disk(str(local)) if saved else datasets.load_dataset(name)
    except Exception as error:  # the library raises whatever its many parts raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WganError(f"{spec} cannot be loaded: no such data set, or no connection ({first[:200]})") from None
    if not hasattr(found, "keys"):
        return [found]
    if "train" not in found:
        raise WganError(f"{spec} has no split called train: it has {', '.join(found.keys())}")
    return [found["train"], *([found["test"]] if "test" in found else [])]


def as_arrays(parts: list[Any], spec: str, options: ReadingOptions) -> Arrays:
    """Return the images (made one size) or numbers of all parts, with labels where there are some."""
    features = parts[0].features
    image = next((c for c in IMAGE_COLUMNS if c in features), None)
    if image is None:
        raise WganError(f"{spec} has no column of images ({', '.join(IMAGE_COLUMNS)}): it has {', '.join(features)}")
    label = next((c for c in LABEL_COLUMNS if c in features), None) if options.labels != "none" else None
    modes = {parts[0][i][image].mode for i in range(min(50, len(parts[0])))}
    wanted = options.channels or (1 if modes <= {"1", "L"} else 3)
    pictures = [np.asarray(row[image].convert("L" if wanted == 1 else "RGB")) for part in parts for row in part]
    sizes = {p.shape for p in pictures}
    if len(sizes) > 1:
        pictures = [_square(p, options.size or (64 if min(min(s[:2]) for s in sizes) >= 64 else 32)) for p in pictures]
    labels = None
    if label is not None:
        names = getattr(features[label], "names", None)
        numbers = [row for part in parts for row in part[label]]
        labels = np.array([names[n] for n in numbers] if names else numbers)
    held_out = None
    if len(parts) == 2:
        held_out = np.arange(len(pictures)) >= len(parts[0])
    return Arrays(np.stack(pictures), labels, held_out)


def _square(pixels: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.fromarray(pixels), (size, size), Image.Resampling.LANCZOS))
