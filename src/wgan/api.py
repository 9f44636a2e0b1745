"""The library's front door: train() by recipe name, with any option as a keyword."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wgan.recipes import configure
from wgan.run import Run


def train(recipe: str = "mnist", *, run: str | Path | None = None, **overrides: Any) -> Run:
    """Train `recipe` with `overrides` (any field of Config) into the folder `run` (default runs/<recipe>); return its Run.

    Calling it again with the same options continues the run exactly where it stopped. Raises WganError for an unknown
    recipe or option, a value out of range, or a folder that holds something else. Ctrl-C saves, then raises
    KeyboardInterrupt as usual, so that a script that trains several runs stops too; SIGTERM likewise SystemExit.
    """
    from wgan.loop import train as loop

    config = configure(recipe, overrides)
    outcome = loop(config, Path(run) if run is not None else Path("runs") / recipe)
    if outcome.code:
        raise KeyboardInterrupt if outcome.code == 130 else SystemExit(outcome.code)
    return outcome.run
