"""A table drawn by a known law: what a short training makes of it is held to the law, not to other rows."""

from __future__ import annotations

import numpy as np
import pytest

import wgan

CENTRES = {"low": -4.0, "middle": 0.0, "high": 5.0}
LEVELS = 1000


def zipf():
    """The law of the levels."""
    weights = 1 / np.arange(1, LEVELS + 1)
    return weights / weights.sum()


def drawn(path, n=6000, seed=0):
    """Write rows of a mixture with its category, a function of a column, Zipf's levels, and cells missing by another column."""
    g = np.random.default_rng(seed)
    kinds = g.choice([*CENTRES], n, p=[0.5, 0.4, 0.1])
    x = np.array([CENTRES[k] for k in kinds]) + g.normal(size=n) / 2
    a = g.normal(size=n)
    word = g.choice(LEVELS, n, p=zipf())
    size = g.lognormal(3, 1, n)
    known = ["" if s > 40 else f"{v:.3f}" for s, v in zip(size, g.normal(size=n), strict=True)]
    columns = zip(kinds, x, a, word, size, known, strict=True)
    lines = [f"{k},{i:.3f},{j:.3f},{3 - 2 * j:.3f},w{w},{s:.2f},{m}" for k, i, j, w, s, m in columns]
    path.write_text("\n".join(["kind,x,a,b,word,size,known", *lines]) + "\n")


@pytest.fixture
def rows(here, cache):
    """3,000 rows of a run of 400 steps, by column."""
    drawn(here / "law.csv")
    run = wgan.train("table", data="law.csv", run="run", steps=400, seed=0, threads=1)
    samples = wgan.load(run.path).sample(3000)
    return {name: np.array(column, object) for name, column in samples.source.values(samples.numpy()).items()}


@pytest.mark.slow  # 20 s of a core
def test_a_short_training_comes_near_a_known_law(rows):
    kinds, x, a, b, size = rows["kind"], *(rows[name].astype(float) for name in ("x", "a", "b", "size"))
    for kind, fraction in zip(CENTRES, (0.5, 0.4, 0.1), strict=True):
        assert abs((kinds == kind).mean() - fraction) < 0.04, kind
    assert abs(x[kinds == "low"].mean() + 4) < 0.6 and abs(x[kinds == "middle"].mean()) < 0.6
    assert x[kinds == "high"].mean() > 2.5
    assert np.corrcoef(a, b)[0, 1] < -0.98 and np.std(b - 3 + 2 * a) < 0.45
    for i, fraction in enumerate(zipf()[:3]):
        assert abs(np.mean(rows["word"] == f"w{i}") - fraction) < 0.03, i
    assert len(set(rows["word"])) > 300
    missing = np.array([value is None for value in rows["known"]])
    assert missing[size > 60].mean() > 0.9 and missing[size < 25].mean() < 0.05
    assert abs(missing.mean() - 0.245) < 0.05  # a normal law above ln 40 - 3
