"""Which options of a Config exclude each other, with the reason and the way out, and which are seldom meant together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgan.config.objectives import ObjectiveFacts, facts_about
from wgan.errors import WganError

if TYPE_CHECKING:
    from wgan.config import Config

CONVOLUTIONAL = ("conv", "resnet")  # families of networks


def cautions(c: Config) -> list[str]:
    """Return a sentence for each choice that is allowed and seldom meant."""
    found = []
    if facts_about(c.objective).needs_spectral and c.critic_norm != "spectral":
        found.append(
            f"objective {c.objective} with critic_norm {c.critic_norm}: its constraint is --critic-norm spectral"
        )
    if facts_about(c.objective).penalised and c.penalty > 0 and c.dropout > 0:
        found += [
            f"dropout {c.dropout:g} in a critic with a gradient penalty: the penalty bounds another network at each update"
        ]
    if c.microbatch and "batch" in (c.generator_norm, c.critic_norm):
        found.append(
            f"batch norm with microbatch {c.microbatch}: its statistics are of {c.microbatch} samples, not of the whole batch, "
            "and the run is not the one without microbatch (with layer or instance norm it is)"
        )
    return found


def check_combinations(c: Config, facts: ObjectiveFacts | None = None) -> None:
    """Raise WganError for two options that exclude each other, with the reason and the way out.

    facts: of the objective; None = those of its name.
    """
    facts = facts or facts_about(c.objective)
    if facts.penalised and c.critic_norm == "batch" and c.penalty > 0:
        raise WganError(
            f"critic_norm batch with objective {c.objective}: the gradient penalty is defined for each sample, and batch "
            "norm makes each score depend on the whole batch (Gulrajani 2017, section 4); use critic_norm layer or none"
        )
    if facts.clips and c.critic_norm == "spectral":
        raise WganError(
            f"critic_norm spectral with objective {c.objective}: spectral normalisation rescales every kernel, so that clipping "
            "would bound nothing; use objective hinge, or another critic_norm"
        )
    if c.critic_update == "separate" and (facts.penalised or facts.pairs):
        raise WganError(
            f"critic_update separate takes one step on reals and one on fakes, and {c.objective} needs both at once: use joint"
        )
    if c.batch % c.pack or (c.generator_batch and c.generator_batch % c.pack):
        raise WganError(f"pack {c.pack} must divide {batches(c)}")
    check_microbatch(c, facts)
    if c.patience and (c.evaluate_every is None or c.evaluate_every >= c.steps):
        raise WganError(
            f"patience {c.patience} counts evaluations, and evaluate_every {c.evaluate_every or 0} makes only one in "
            f"{c.steps} steps, at the end: give a smaller evaluate_every, or leave patience out"
        )
    if c.pack > 1 and (c.critic_conditioning != "none" or c.class_critic or c.class_generator):
        raise WganError("pack above 1 needs an unconditional critic: set critic_conditioning none and class weights 0")
    if c.augment_target and c.split != "train":
        raise WganError(f"augment_target needs held-out images, and split {c.split} trains on them: use split train")
    if c.clip_when != "step" and c.critic_update != "separate":
        raise WganError(f"clip_when {c.clip_when} is about pairs of steps: add critic_update separate, or leave it out")
    if facts.pairs and c.generator_batch not in (None, c.batch):
        raise WganError(
            f"objective {c.objective} compares pairs of real and fake: leave generator_batch out (the critic's batch)"
        )
    if c.generator_latents == "last" and c.generator_batch not in (None, c.batch):
        raise WganError("generator_latents last needs generator_batch 0 (the critic's batch)")


def batches(c: Config) -> str:
    """Return the batches of a step with their sizes, in words."""
    return f"batch {c.batch}" + (f" and generator_batch {c.generator_batch}" if c.generator_batch else "")


def check_microbatch(c: Config, facts: ObjectiveFacts) -> None:
    """Raise WganError for a microbatch that cannot be one."""
    rows = [c.batch, c.generator_batch or c.batch]
    if c.microbatch and any(n % c.microbatch for n in rows):
        raise WganError(f"microbatch {c.microbatch} must divide {batches(c)}")
    if c.microbatch and c.microbatch % c.pack:
        raise WganError(f"pack {c.pack} must divide microbatch {c.microbatch}")
    if c.microbatch and facts.whole_batch and c.penalty:
        raise WganError(
            f"microbatch with objective {c.objective}: where its penalty looks depends on the whole batch; "
            "leave microbatch out, or start more processes"
        )
