"""Rows by CTGAN or TVAE of the package `ctgan`, in an environment of its own: benchmarks/tables.py calls this.

Usage: python benchmarks/table_rivals.py TASK.json
The task names an .npz with training rows (codes [N, C], NaN = missing) and says which columns hold levels; the rows made go to
another .npz. Numbers with missing cells are filled by their mean and get a column that says where, because the package
knows none. Imports nothing of wgan.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch


def frame_of(rows: Any, levels: list[bool]) -> tuple[pd.DataFrame, list[str]]:
    """Return rows as a frame, and the names of its columns that hold levels."""
    columns: dict[str, Any] = {}
    discrete = []
    for i, categorical in enumerate(levels):
        x = rows[:, i]
        if categorical:
            columns[f"c{i}"] = [str(v) for v in x]
            discrete.append(f"c{i}")
            continue
        missing = np.isnan(x)
        filled = np.where(missing, np.nanmean(x), x)
        columns[f"c{i}"] = filled.astype(np.int64) if not missing.any() and (x == x.round()).all() else filled
        if missing.any():
            columns[f"missing{i}"] = missing.astype(str)
            discrete.append(f"missing{i}")
    return pd.DataFrame(columns), discrete


def rows_of(frame: pd.DataFrame, levels: list[bool]) -> Any:
    """Return the frame as rows again."""
    found = []
    for i in range(len(levels)):
        x = frame[f"c{i}"].astype(float).to_numpy().copy()
        if f"missing{i}" in frame:
            x[(frame[f"missing{i}"] == "True").to_numpy()] = np.nan
        found.append(x)
    return np.stack(found, 1)


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    import ctgan

    torch.set_num_threads(1)
    torch.manual_seed(task["seed"])
    np.random.seed(task["seed"])
    frame, discrete = frame_of(np.load(task["train"])["rows"], task["levels"])
    kind = {"ctgan": ctgan.CTGAN, "tvae": ctgan.TVAE}[task["kind"]]
    model = kind(epochs=task["epochs"]) if task["epochs"] else kind()
    model.set_random_state(task["seed"])
    start = time.process_time()
    model.fit(frame, discrete)
    fitted = time.process_time()
    made = model.sample(task["n"])
    sampled = time.process_time()
    np.savez_compressed(task["out"], rows=rows_of(made, task["levels"]))
    epochs = task["epochs"] or 300  # of both classes
    cost = {
        "fit_cpu_seconds": round(fitted - start, 1),
        "sample_cpu_seconds": round(sampled - fitted, 2),
        "rows_seen": epochs * max(len(frame) // 500, 1) * 500,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "version": ctgan.__version__,
        "torch": torch.__version__,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
