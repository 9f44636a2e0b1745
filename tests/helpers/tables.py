"""Tables of every kind of column, as files."""

from __future__ import annotations

import numpy as np

TEXTS = ["plain", " blank before", "blank after ", 'quo"te', "com,ma", "semi;colon", "ä ö", "=1+1", "NA", "None"]


def mixed(path, n=400, seed=0):
    """A table of every kind of column."""
    g = np.random.default_rng(seed)
    days = np.datetime64("2020-02-27") + g.integers(0, 900, n)
    columns = {
        "age": g.integers(18, 90, n).astype(str),
        "price": [f"{v:.2f}" for v in g.lognormal(3, 1, n)],
        "gain": [repr(float(v)) for v in np.where(g.random(n) < 0.8, 0, g.integers(1, 900, n) / 8)],
        "kind": g.choice(TEXTS, n),
        "zip": [f"{v:05d}" for v in g.integers(400, 420, n)],
        "smoker": g.choice(["True", "False"], n),
        "day": [d.item().strftime("%d.%m.%Y") for d in days],
        "note": g.choice(["", "seen"], n),
        "always": ["x"] * n,
    }
    for name in ("age", "price", "day"):
        columns[name] = np.where(g.random(n) < 0.1, "", columns[name])
    quoted = {name: ['"' + str(v).replace('"', '""') + '"' for v in column] for name, column in columns.items()}
    lines = [",".join(columns), *(",".join(row) for row in zip(*quoted.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: [str(v) for v in column] for name, column in columns.items()}
