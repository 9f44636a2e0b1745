"""What several files of this folder share."""

import numpy as np
import pytest
from helpers.child_processes import make_cheap

import wgan
from wgan.cli import main as cli


@pytest.fixture(scope="package", params=[(), ("--labels", "shop")], ids=["plain", "by-class"])
def shop(request, tmp_path_factory):
    """A run of one step on a table with columns of every kind."""
    draw, folder = np.random.default_rng(0), tmp_path_factory.mktemp("shop")
    lines = ["amount,price,weight,colour,when,shop,same,rare"]
    for i in range(400):
        price = "" if i % 9 == 0 else f"{draw.normal(5, 2):.2f}"
        day, clock = f"2024-{1 + i % 12:02}-{1 + i % 28:02}", f"{i % 24:02}:{i % 60:02}"
        weight = repr(float(draw.lognormal(0, 12)))
        colour = ["red", "blue, dark", 'a "b"'][draw.integers(3)]
        lines.append(
            f'{draw.integers(50)},{price},{weight},"{colour.replace(chr(34), chr(34) * 2)}",{day} {clock},'
            f"{'NSW'[i % 3]},7,v{min(i, 70 + i % 30)}"
        )
    (folder / "shop.csv").write_text("\n".join(lines) + "\n")
    words = ["--data", folder / "shop.csv", "--steps", 1, "--batch", 16, "--threads", 1, "--run", folder / "run"]
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        assert cli.main(["train", *map(str, words), *request.param]) == 0
    return wgan.load(folder / "run")
