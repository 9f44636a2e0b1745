"""How much a step of training costs, in floating-point operations, and how many steps a budget of them gives."""

from __future__ import annotations

from wgan.config import Config
from wgan.data import Source
from wgan.errors import WganError
from wgan.host import thread_count
from wgan.training.flops import Flops
from wgan.training.players import make_players
from wgan.training.state import engine_for
from wgan.training.step import critic_phase, generator_phase

LEAST = 80  # steps of a run; a quarter of fewer says nothing
# options that change nothing in the work of a step, as it is counted here
NO_WORK = ("lr", "critic_lr", "optimizer", "beta1", "beta2", "clip")


def flop_of_step(config: Config, source: Source) -> int:
    """Return the operations of one step, its n_critic critic updates and the generator's, as torch counts them.

    Matrix products and convolutions, forward and backward, a product of m × k and k × n as 2 m k n; what has as many
    operations as numbers (activations, optimizers, spectral norm's power iteration) is left out, as is evaluation. The same
    on every machine: nothing is timed, and wgan's own kernels do the same products.
    """
    plain = config.replace(fast=False)
    engine = engine_for(plain, source)
    with thread_count(engine.threads):
        players = make_players(plain, engine, source)
        with Flops() as counter:
            critic_phase(players, source, 0)
            generator_phase(players, source, 0)
    return int(counter.total)


def steps_within(flop: float, each: int) -> int:
    """Return how many steps a budget gives, a multiple of 4; WganError for a budget of fewer than LEAST."""
    steps = int(flop / each) // 4 * 4
    if steps < LEAST:
        raise WganError(
            f"a budget of {flop:.3g} FLOP gives {steps} steps of {each:.3g}: ask for at least {LEAST * each:.3g}"
        )
    return steps
