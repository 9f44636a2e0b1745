"""Mirrors of log.jsonl in an experiment tracker: mlflow, trackio or wandb, none of which is needed. The log stays the record."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wgan.config import Config
from wgan.errors import WganError, unknown
from wgan.runs.folder import open_run

PROJECT = "wgan"
PARAMS = 90  # that mlflow takes in one message
Send = Callable[[int, Mapping[str, float]], None]
Tracker = tuple[Send, Callable[[], None]]  # sends one line; ends


def to_mlflow(module: Any, name: str, options: Mapping[str, Any]) -> Tracker:
    """Begin a run of MLflow, in the store that its own settings name (by default a local one)."""
    module.set_experiment(PROJECT)
    module.start_run(run_name=name)
    items = list(options.items())
    for first in range(0, len(items), PARAMS):
        module.log_params(dict(items[first : first + PARAMS]))
    return (lambda step, numbers: module.log_metrics(dict(numbers), step=step)), module.end_run


def to_wandb(module: Any, name: str, options: Mapping[str, Any]) -> Tracker:
    """Begin a run of Weights & Biases, or of trackio, which has the same functions."""
    module.init(project=PROJECT, name=name, config=dict(options))
    return (lambda step, numbers: module.log(dict(numbers), step=step)), module.finish


TRACKERS: dict[str, Callable[[Any, str, Mapping[str, Any]], Tracker]] = {
    "mlflow": to_mlflow,
    "trackio": to_wandb,
    "wandb": to_wandb,
}


def require_tracker(to: str) -> None:
    """Raise WganError for a tracker that is not known, or not installed."""
    if to not in TRACKERS:
        raise unknown("tracker", to, TRACKERS)
    if to not in sys.modules and importlib.util.find_spec(to) is None:
        raise WganError(f"the package {to} is not installed: pip install 'wgan[{to}]'")


class Mirror:
    """Sends lines of a log to a tracker; the first opens it. A tracker that fails is left alone, and the run continues."""

    def __init__(self, to: str, name: str, config: Config) -> None:
        require_tracker(to)
        self.to, self.name, self.config = to, name, config
        self.tracker: Tracker | None = None
        self.failed = False

    def send(self, step: int, numbers: Mapping[str, float]) -> None:
        """Send one line."""
        if self.tracker is None:
            self.tracker = TRACKERS[self.to](importlib.import_module(self.to), self.name, asdict(self.config))
        self.tracker[0](step, numbers)

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Send one line of a run that trains."""
        if self.failed:
            return
        try:
            self.send(step, numbers)
        except Exception as error:  # of a program that is not ours, of any kind
            self.failed = True
            print(
                f"{self.to} failed ({type(error).__name__}: {error}): the run continues without it; afterwards "
                f"`wgan log RUN --to {self.to}` sends the whole log",
                file=sys.stderr,
            )

    def close(self) -> None:
        """End the tracker's run."""
        if self.tracker is not None and not self.failed:
            self.tracker[1]()


def send_log(run: str | Path, to: str) -> int:
    """Send the whole log of a run; return how many lines of numbers it had. WganError for no run, or no such tracker."""
    opened = open_run(run)
    mirror = Mirror(to, opened.path.name, opened.config)
    lines = [{k: v for k, v in line.items() if isinstance(v, (int, float))} for line in opened.log()]
    lines = [line for line in lines if len(line) > 1]
    try:
        for line in lines:
            mirror.send(int(line["step"]), {k: float(v) for k, v in line.items() if k != "step"})
        mirror.close()
    except Exception as error:  # of a program that is not ours, of any kind
        raise WganError(f"{to} failed: {type(error).__name__}: {error}") from error
    return len(lines)
