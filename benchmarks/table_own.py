"""Rows by wgan's recipe `table`, in a process of its own so that its time and memory are known: benchmarks/tables.py calls this.

Usage: python benchmarks/table_own.py TASK.json
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import wgan


def main() -> None:
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    length = {"steps": task["epochs"]} if task["epochs"] else {}
    start = time.process_time()
    run = wgan.train(
        "table", data=task["csv"], missing=task["missing"], run=task["run"], seed=task["seed"], threads=1, **length
    )
    fitted = time.process_time()
    model = wgan.load(run.path)
    loaded = time.process_time()
    rows = model.sample(task["n"], seed=task["seed"])
    sampled = time.process_time()
    np.savez_compressed(task["out"], rows=rows.numpy())
    cost = {
        "fit_cpu_seconds": round(fitted - start, 1),
        "sample_cpu_seconds": round(sampled - loaded, 2),
        "rows_seen": run.config.steps * run.config.batch * run.config.n_critic,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "version": wgan.__version__,
        "torch": torch.__version__,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
