"""Train on a folder of your own images, and save what the generator draws.

Usage: python examples/own_images.py [FOLDER]
Without a folder it draws some of its own: 400 discs and squares, each kind in a sub-folder, which makes it a class.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

import wgan


def draw_shapes(folder: Path, count: int = 400) -> Path:
    """Write `count` images of 32 x 32 pixels: light discs and squares on dark ground, of random size, place and colour."""
    rng = random.Random(0)
    for i in range(count):
        kind = ("discs", "squares")[i % 2]
        picture = Image.new("RGB", (32, 32), (20, 20, 30))
        x, y, r = rng.uniform(10, 22), rng.uniform(10, 22), rng.uniform(4, 9)
        colour = tuple(rng.randint(120, 255) for _ in range(3))
        shape = ImageDraw.Draw(picture).ellipse if kind == "discs" else ImageDraw.Draw(picture).rectangle
        shape((x - r, y - r, x + r, y + r), fill=colour)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        picture.save(folder / kind / f"{i}.png")
    return folder


folder = Path(sys.argv[1]) if len(sys.argv) > 1 else draw_shapes(Path("shapes"))
run = wgan.train(data=folder, run="runs/own-images", steps=2000)  # the same line again continues the run
model = wgan.load(run)
label = model.class_names[0] if model.class_names else None
samples = model.sample(64, label=label)
Path("own-images.png").write_bytes(samples._repr_png_() or b"")
print(f"64 samples of {label or 'all images'}: own-images.png; the curves: {run.path}/losses.png")
