"""`wgan train`: train or continue a run, or say what a run would cost."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wgan.api import plan
from wgan.cli import data as inspection
from wgan.cli.evaluate import closest_pairs
from wgan.cli.lookup import named_run
from wgan.cli.output import complain, say
from wgan.cli.processes import shared
from wgan.cli.synonyms import OTHERS
from wgan.config import FIELDS, Config
from wgan.data import is_own, open_source
from wgan.distributed.group import Group
from wgan.errors import WganError
from wgan.evaluation.tracking import TRACKS, loss_tracks_quality
from wgan.recipes import RECIPES
from wgan.runs.folder import Run, open_run
from wgan.visual.images import save_png

if TYPE_CHECKING:
    from wgan.training.loop import Outcome

AMID = 0.1  # fraction of samples, near to the training samples though no copies, that is worth a word


def train(found: argparse.Namespace) -> int:
    """`wgan train`: train or continue, then say where the images are and what to type next."""
    return shared(found, train_with)


def train_with(found: argparse.Namespace, group: Group) -> int:
    """Train as one of the processes of `group`."""
    from wgan.training.budget import checked_minutes

    origin = group.on_all(lambda: origin_of(found))
    given = group.on_all(lambda: options_given(found))
    minutes = group.on_all(lambda: checked_minutes(found.minutes, given))
    config, folder, chosen = group.on_all(
        lambda: plan(found.name, given, found.run, found.config, origin), patient=True
    )
    if group.is_main and found.name in RECIPES and Path(found.name).exists() and Path(found.name) != folder:
        complain(f"{found.name} means the recipe; what is in this folder is ./{found.name}")
    if group.is_main:
        print(chosen, flush=True)
    if found.dry_run:
        return group.on_main(lambda: dry_run(config, found.processes or group.world, minutes))
    from wgan.training.loop import train as loop
    from wgan.training.observer import mirroring

    if group.is_main and (times := os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) != "0":
        print(f"a process was lost: all were started again ({times} of at most {found.restarts} times)", flush=True)
    with mirroring(None, found.log_to, folder, config) as seeing:
        outcome = loop(config, folder, group=group, on_step=seeing, minutes=minutes, from_run=origin)
    if group.is_main:
        tell_end(outcome, config, folder, f" --processes {found.processes}" if found.processes else "")
    return outcome.code


def tell_end(outcome: Outcome, config: Config, folder: Path, processes: str) -> None:
    """Print how the training ended, and what to type next."""
    again = f"wgan train --run {shlex.quote(str(folder))}{processes}"
    if outcome.code:
        print(f"stopped at step {outcome.run.step}, saved in {folder}; the same command resumes it, or {again}")
        return
    say(
        f"finished step {outcome.run.step} of {outcome.run.config.steps}: images in {folder}/samples, {folder}/progress.gif, "
        f"{folder}/losses.png"
    )
    if (tracks := loss_tracks_quality(outcome.run.log())) is not None:
        say(TRACKS.format(tracks))
    for line in copying(config, folder):
        say(line)
    facts = outcome.run.facts
    made = "rows.csv" if facts.units or facts.table else "samples.png"  # what a user of a table wants to see
    print(f"next: wgan sample {shlex.quote(str(folder))} -n 100 --out {made}")
    more = (
        f"--patience {2 * config.patience}"
        if outcome.settled and config.patience
        else f"--steps {2 * outcome.run.step}"
    )
    print(f"or train longer: {again} {more}")


def origin_of(found: argparse.Namespace) -> Run | None:
    """Return the run that --from names."""
    return None if found.from_run is None else open_run(named_run(found.from_run))


def options_given(found: argparse.Namespace) -> dict[str, Any]:
    """Return the options of Config among the flags that were given, by name; WganError for what means another flag."""
    prefix = "option_"
    given = {k[len(prefix) :]: v for k, v in vars(found).items() if k.startswith(prefix) and v is not None}
    for name, sentence in OTHERS.items():
        if name in given and given[name] not in FIELDS[name].choices:
            raise WganError(sentence)
    return given


def copying(config: Config, folder: Path) -> Iterator[str]:
    """Yield what the evaluation says of copies of the training samples, for few samples of the user's own."""
    from wgan.evaluation.evaluate import evaluate as measure

    if not is_own(config.data):
        return
    if len(open_source(config.data, config.split, options=config)) >= inspection.FEW:
        return
    report = measure(folder, n=1000, metrics=["memorisation"], checkpoint="last")
    copies, measured = report.metric("copies"), report.results[0].measured
    found = measured.memorised
    yield (
        f"copies: {100 * found.copies:.1f} % of {copies.n_fake} samples look like a copy of a training sample, "
        f"{100 * found.real_copies:.1f} % of {copies.n_real} held-out ones; median distance to the nearest "
        f"{found.fake_median:.3g}, of held-out ones {found.real_median:.3g}"
    )
    if (amid := found.near - found.copies) > AMID:
        yield (
            f"copies: another {100 * amid:.1f} % are near to several training samples at once: not copies, but blurred, or "
            "less varied than the data"
        )
    if measured.is_image:
        save_png(closest_pairs(measured), folder / "neighbours.png")
        yield f"copies: the closest, each next to its training image, in {folder}/neighbours.png"


def dry_run(config: Config, processes: int, minutes: float | None = None) -> int:
    """Print the resolved config, parameter counts, memory and a measured time estimate; write nothing."""
    from wgan.training.budget import budget, planned
    from wgan.training.estimate import estimate
    from wgan.training.state import require_divides

    require_divides(config, Group(world=processes))
    if processes > 1:
        print(
            f"{'processes':20} {processes}, {config.batch // processes} samples of a batch each; the time is of one alone"
        )
    if (time := budget(minutes)) is not None:
        source = open_source(config.data, config.split, options=config)
        config, said = planned(config, None, source, time, Group())
        print(said)
    for line in estimate(config):
        print(line)
    return 0
