"""How a run starts: one plan for all processes, the data, the players, the run folder, and the point to resume at."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from wgan.config import Config
from wgan.data import Source, open_source
from wgan.distributed.group import Group
from wgan.host import thread_count
from wgan.runs.facts import from_json
from wgan.runs.folder import Run, check_folder, lock, start_or_continue, versions
from wgan.training.adaptive import require_held_out
from wgan.training.budget import Budget, planned
from wgan.training.given import NONE_GIVEN, Given, recorded, require_same_parts, settled
from wgan.training.monitor import Monitor
from wgan.training.origin import begun_from, require_origin, said_of, save_origin
from wgan.training.players import Players, make_players
from wgan.training.rehearsal import rehearse
from wgan.training.state import (
    Restored,
    decay_kept,
    decay_of,
    facts,
    other_processor_note,
    require_divides,
    restore,
    resume_engine,
)


def prepared(
    config: Config,
    path: Path,
    group: Group,
    stack: ExitStack,
    given: Given = NONE_GIVEN,
    time: Budget | None = None,
    from_run: Run | None = None,
) -> tuple[Players, Source, Run, Restored]:
    """Return the players, the data, the run in the folder `path`, new or to be continued, and where it continues.

    Until `stack` ends the run has its threads and rank 0 holds its lock. What cannot be built is a WganError that leaves
    no trace in the folder.
    """
    require_one_plan(config, group, given)
    group.on_main(lambda: check_folder(path))
    group.on_main(lambda: require_same_parts(path, given))
    group.on_main(lambda: require_origin(path, from_run))
    config = settled(config, given)
    source = opened(config, group)
    config, plan = planned(config, path, source, time, group, given) if time else (config, "")
    begun_with, config = config, config.replace(decay_steps=group.on_main(lambda: decay_of(config, path)))
    engine = resume_engine(config, path, source, group)
    elsewhere = group.on_main(lambda: other_processor_note(path))
    stack.enter_context(thread_count(engine.threads))
    # before the folder: what cannot be built leaves no trace
    players = group.on_all(lambda: make_players(config, engine, source, given))
    group.on_all(lambda: rehearse(players, source))
    config = players.config
    group.on_all(lambda: require_held_out(Monitor(config, source)))
    origin = group.on_main(lambda: begun_from(players, source, path, from_run))
    run = begin(path, players, source, stack, origin)
    group.on_main(lambda: save_origin(players, source, run, origin))
    restored = group.on_all(lambda: restore(players, run))
    decay = decay_kept(config) if config.decay_steps != begun_with.decay_steps else ""
    where = (said_of(origin, players),) if origin else restored.notes
    return players, source, run, replace(restored, notes=(*where, *filter(None, (decay, plan, elsewhere))))


def require_one_plan(config: Config, group: Group, given: Given) -> None:
    """Raise WganError on every process unless all have the same options, parts and versions, and can share a batch."""
    here = versions()
    same = recorded(given) | json.loads(config.to_json()) | {name: here[name] for name in ("wgan", "torch", "numpy")}
    group.require_same(same, "start every process with the same options and the same versions")
    group.on_all(lambda: require_divides(config, group))


def opened(config: Config, group: Group) -> Source:
    """Return the data; rank 0 prepares them first, so that the others find that done where the cache is shared."""
    found: list[Source] = []

    def read() -> None:
        if not found:
            found.append(open_source(config.data, config.split, options=config))

    group.on_main(read, patient=True)
    group.on_all(read, patient=True)
    group.require_same(
        {"samples": len(found[0]), "content": found[0].fingerprint},
        f"give every machine the same {config.data}",
    )
    return found[0]


def begin(path: Path, p: Players, source: Source, stack: ExitStack, origin: dict[str, Any]) -> Run:
    """Return the run in the folder `path`, new or to be continued; rank 0 holds its lock until `stack` ends."""

    def start() -> dict[str, Any]:
        stack.callback(lock(path).release)
        return start_or_continue(path, p.config, replace(facts(p, source), origin=origin)).facts.to_json()

    return Run(path, p.config, from_json(p.engine.group.on_main(start)))
