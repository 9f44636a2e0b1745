"""What `wgan train --dry-run` says: the resolved config, sizes, and a time estimate measured on a few real steps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import asdict

from wgan.config import FIELDS, Config
from wgan.data import Source, open_source
from wgan.host import thread_count
from wgan.models import parameter_count
from wgan.progress import clock_text
from wgan.runs.checkpoint import flatten
from wgan.training.loop import numbers
from wgan.training.players import Players, make_players
from wgan.training.schedule import updates_before
from wgan.training.state import engine_for, state
from wgan.training.step import critic_phase, generator_phase

PROBE = 3  # timed steps, after one that warms up


def estimate(config: Config) -> Iterator[str]:
    """Yield the lines of a dry run; everything is built and a few steps are taken in memory, nothing is written.

    Data that cannot be read and networks that cannot be built raise WganError before the first line.
    """
    source = open_source(config.data, config.split, options=config)
    engine = engine_for(config, source)
    with thread_count(engine.threads):
        players = make_players(config, engine, source)
        for name, value in asdict(config).items():
            yield f"{name:20} {FIELDS[name].word(value)}"
        yield ""
        yield f"{'computes on':20} {engine.device.type}, {engine.precision}, {engine.threads} thread{'s' * (engine.threads != 1)}"
        yield f"{'real samples':20} {len(source)} of shape {tuple(source.shape)}, {source.classes or 'no'} classes"
        yield f"{'generator':20} {parameter_count(players.generator):,} parameters"
        yield f"{'critic':20} {parameter_count(players.critic):,} parameters"
        seconds = measure(players, source)
        state_bytes = sum(t.numel() * t.element_size() for t in flatten(state(players)).values())
    yield f"{'weights + optimizers':20} {state_bytes:,} bytes (and as much for each of up to 3 checkpoints on disk)"
    yield f"{'peak memory':20} {peak_memory():,} bytes, of this process so far"
    yield f"{'estimated time':20} {clock_text(seconds)} for {config.steps} steps (measured on {PROBE} steps; no evaluation)"


def measure(players: Players, source: Source) -> float:
    """Return the seconds that the whole run would take, from a few steps at the constant critic schedule."""
    config = players.config
    probe = dataclasses.replace(players, config=config.replace(critic_schedule="constant", n_critic=1))
    critic = min(_timed(lambda s=s: numbers(critic_phase(probe, source, s))) for s in range(PROBE + 1))
    generator = min(_timed(lambda s=s: numbers(generator_phase(probe, source, s))) for s in range(PROBE + 1))
    updates = updates_before(config.critic_schedule, config.steps, config.n_critic)
    return updates * critic + config.steps * generator


def _timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun


def peak_memory() -> int:
    """Return the peak resident bytes of this process; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    import sys

    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
