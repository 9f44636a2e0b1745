"""What must be known of an objective without torch: rules, reports, comparisons and alarms read it here, by no name."""

from __future__ import annotations

from typing import Literal, NamedTuple


class ObjectiveFacts(NamedTuple):
    """One row of FACTS; the losses themselves are the row of the same name of `losses.OBJECTIVES`."""

    estimates: Literal["Wasserstein", "Jensen-Shannon"] | None  # the distance that an optimal critic's loss gives
    source: str
    penalised: bool = False
    penalty_weight: float = 10.0  # lambda as the source sets it
    unit_norm: bool = False  # the penalty holds the gradient's norm near 1: far from it, something is wrong
    clips: bool = False
    pairs: bool = False  # relativistic: both losses take D(real) - D(fake)
    minimax: bool = False  # has a second generator loss, log(1 - sigmoid(D)), which vanishes (Arjovsky & Bottou 2017)
    whole_batch: bool = False  # where its penalty looks depends on the whole batch
    needs_spectral: bool = False  # critic_norm spectral is the constraint in its name: without it there is none


OWN = "own"  # what a config says of a part that Python gave as an object
OWN_FACTS = ObjectiveFacts(
    None, "given in Python"
)  # what is known of an objective from its name; its losses say the rest

FACTS: dict[str, ObjectiveFacts] = {
    "gan": ObjectiveFacts("Jensen-Shannon", "Goodfellow 2014", minimax=True),
    "wgan-clip": ObjectiveFacts("Wasserstein", "Arjovsky 2017", clips=True),
    "wgan-gp": ObjectiveFacts("Wasserstein", "Gulrajani 2017", penalised=True, unit_norm=True),
    "wgan-lp": ObjectiveFacts("Wasserstein", "Petzka 2018", penalised=True, unit_norm=True),
    "dragan": ObjectiveFacts("Jensen-Shannon", "Kodali 2017", penalised=True, whole_batch=True),
    "wgan-div": ObjectiveFacts("Wasserstein", "Wu 2018", penalised=True, penalty_weight=2.0),
    "wgan-sn": ObjectiveFacts("Wasserstein", "Miyato 2018, section 2", needs_spectral=True),
    "gan-gp": ObjectiveFacts("Jensen-Shannon", "Fedus 2018", penalised=True, minimax=True),
    "gan-sn": ObjectiveFacts("Jensen-Shannon", "Miyato 2018, equation 2", minimax=True, needs_spectral=True),
    "hinge": ObjectiveFacts(None, "Miyato 2018 (with critic_norm spectral)"),
    "lsgan": ObjectiveFacts(None, "Mao 2017"),
    "r3gan": ObjectiveFacts(None, "Huang 2024", penalised=True, penalty_weight=1.0, pairs=True),
}


def facts_about(objective: str) -> ObjectiveFacts:
    """Return the facts of an objective by name, or what is true of any that Python gave."""
    return OWN_FACTS if objective == OWN else FACTS[objective]
