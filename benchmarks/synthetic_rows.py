"""Do synthetic rows teach a classifier what real ones do? Train on each, test on real rows that neither run saw.

Usage: python benchmarks/synthetic_rows.py RUN [-n 1000] [--draws 5]
RUN: a finished run on a table with --labels. Rows are standardised by the real training rows; the classifier is scikit-learn's
logistic regression. Prints accuracy on the held-out rows for training on the real rows, on n synthetic ones (mean and
deviation over draws), and for the class that is most frequent.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

import wgan
from wgan.data import open_source


def rows(source):  # type: ignore[no-untyped-def]
    """Return all samples of a split and their labels, standardised as they were trained on."""
    x, y = source.batch(torch.arange(len(source)))
    return x.numpy(), y.numpy()


def accuracy(x, y, test) -> float:  # type: ignore[no-untyped-def]
    """Return the share of test rows that a classifier fitted to x, y names rightly."""
    return float(LogisticRegression(max_iter=5000).fit(x, y).score(*test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=5)
    found = parser.parse_args()
    run = wgan.open_run(found.run)
    train, test = (rows(open_source(run.config.data, split, options=run.config)) for split in ("train", "test"))
    model = wgan.load(found.run)
    names = {name: i for i, name in enumerate(model.class_names)}
    asked = [model.class_names[i] for i in np.resize(train[1], found.n)]  # as frequent as in the real rows
    scores = []
    for draw in range(found.draws):
        made = model.sample(found.n, asked, seed=1000 + draw)
        x = made.numpy() if model.units is None else model.units.standardise(made.numpy())
        scores.append(accuracy(x, np.array([names[a] for a in asked]), test))
    print(
        json.dumps(
            {
                "run": str(found.run),
                "step": model.step,
                "test_rows": len(test[1]),
                "train_rows": len(train[1]),
                "synthetic_rows": found.n,
                "trained_on_real": round(accuracy(*train, test), 4),
                "trained_on_synthetic": round(float(np.mean(scores)), 4),
                "deviation": round(float(np.std(scores)), 4),
                "most_frequent_class": round(float(np.bincount(test[1]).max() / len(test[1])), 4),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
