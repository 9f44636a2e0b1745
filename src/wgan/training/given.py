"""Parts of a run that Python gives as objects instead of names: which they are, what they replace, what a run records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from wgan.config import Config
from wgan.config.objectives import OWN, ObjectiveFacts, facts_about
from wgan.config.rules import check_combinations
from wgan.errors import WganError
from wgan.losses import Objective, objective
from wgan.models.own import difference, part_facts
from wgan.runs.folder import has_run, open_run
from wgan.training.own_optimizer import Optimizing

KINDS = ("generator", "critic", "objective", "optimizer")

REPLACED = {  # by a part of the caller's: options that describe what wgan would have built
    "generator": "generator_layers generator_norm generator_activation generator_init upsample output conditioning",
    "critic": "critic_layers critic_norm critic_activation critic_init critic_conditioning dropout",
    "objective": "",
    "optimizer": "lr critic_lr beta1 beta2 rmsprop_rho rmsprop_eps rmsprop_eps_place",
}
WAYS = {
    "generator": "a torch module G(z [B, Z], y [B] or None) -> x [B, *shape]",
    "critic": "a torch module D(x [B, *shape], y [B] or None) -> (score [B], class_logits [B, K] or None)",
    "objective": "a wgan.Objective",
    "optimizer": "a function of a list of weights that returns a torch optimizer, or a pair of them (generator, critic)",
}


@dataclass(frozen=True)
class Given:
    """What Python gave; None = the config says it by name."""

    generator: nn.Module | None = None
    critic: nn.Module | None = None
    objective: Objective | None = None
    optimizer: Optimizing | tuple[Optimizing, Optimizing] | None = None

    @property
    def parts(self) -> dict[str, Any]:
        """What was given, by kind."""
        parts = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: part for kind, part in parts.items() if part is not None}

    @property
    def optimizers(self) -> tuple[Optimizing, Optimizing] | None:
        """What makes the optimizers of generator and critic."""
        if self.optimizer is None or isinstance(self.optimizer, tuple):
            return self.optimizer
        return self.optimizer, self.optimizer


NONE_GIVEN = Given()


def divided(options: Mapping[str, Any]) -> tuple[Given, dict[str, Any]]:
    """Return the objects among `options`, and the options that are names and numbers.

    Raises WganError for an object of another kind, and for an option that an object beside it replaces.
    """
    parts = {k: v for k, v in options.items() if k in KINDS and not isinstance(v, str) and v is not None}
    rest = {k: v for k, v in options.items() if k not in parts and not (k in KINDS and v is None)}
    for kind, part in parts.items():
        require_kind(kind, part)
        idle = [name for name in REPLACED[kind].split() if name in rest]
        if idle:
            raise WganError(f"{idle[0]} describes wgan's own {kind}, and you give one of yours: leave it out")
    if "generator" in parts and parts["generator"] is parts.get("critic"):
        raise WganError("generator and critic are the same module: give two")
    return Given(**parts), rest


def require_kind(kind: str, part: Any) -> None:
    """Raise WganError unless `part` is an object of its kind."""
    wrong = f"{kind} must be {WAYS[kind]}, or a name"
    if kind in ("generator", "critic") and not isinstance(part, nn.Module):
        hint = f": give an instance, {part.__name__}(...)" if isinstance(part, type) else ""
        raise WganError(f"{wrong}, not {shown(part)}{hint}")
    if kind == "objective" and not isinstance(part, Objective):
        raise WganError(f"{wrong}, not {shown(part)}")
    if kind == "optimizer":
        makers = part if isinstance(part, tuple) else (part,)
        if len(makers) not in (1, 2) or not all(callable(maker) for maker in makers):
            hint = ": for example lambda weights: torch.optim.SGD(weights, lr=0.01)"
            raise WganError(f"{wrong}, not {shown(part)}{hint}")


def shown(part: Any) -> str:
    """Return what a message calls an object that is of the wrong kind."""
    if isinstance(part, type):
        return f"the class {part.__name__}"
    return an(type(part).__name__)


def settled(config: Config, given: Given) -> Config:
    """Return the config with the names of what was given: own; and its options for wgan's own networks out of the way."""
    changes: dict[str, Any] = dict.fromkeys(given.parts, OWN)
    if given.generator is not None:
        changes |= {"generator_layers": OWN, "conditioning": "none"}
    if given.critic is not None:
        changes |= {"critic_layers": OWN, "critic_norm": "none", "critic_conditioning": "none", "dropout": 0.0}
    for kind in KINDS:
        if getattr(config, kind) == OWN and kind not in given.parts:
            raise WganError(f"{kind} own stands for what only Python can give: wgan.train({kind}=...), {WAYS[kind]}")
    return config.replace(**changes)


def rules_of(config: Config, given: Given) -> tuple[Objective, ObjectiveFacts]:
    """Return the losses and their facts; WganError where an objective of the caller's excludes another option."""
    if given.objective is None:
        return objective(config.objective), facts_about(config.objective)
    rules = given.objective
    facts = facts_about(OWN)._replace(
        penalised=rules.penalty is not None,
        clips=rules.clips,
        pairs=rules.pairs,
        whole_batch=rules.points not in ("interpolates", "real and fake"),
    )
    check_combinations(config, facts)
    return rules, facts


def recorded(given: Given, labels: bool = False) -> dict[str, Any]:
    """Return what run.json says of each part: its name, a hash of its source, and of networks the shapes of the weights.

    labels: whether the generator looks at its labels.
    """
    found = {kind: part_facts(part) for kind, part in given.parts.items() if kind in ("generator", "critic")}
    if "generator" in found:
        found["generator"]["labels"] = labels
    if given.objective is not None:
        o = given.objective
        points = o.points if isinstance(o.points, str) else part_facts(o.points)
        terms = [o.real, o.fake, o.generator, o.penalty]
        found["objective"] = joined(terms, "wgan.losses.Objective", points, o.clips)
    if given.optimizers is not None:
        found["optimizer"] = joined(given.optimizers, "")
    return found


def joined(functions: Iterable[Any], name: str, *more: Any) -> dict[str, Any]:
    """Return one description of several functions."""
    each = [part_facts(f) for f in functions if f is not None]
    hashes = [e["source"] for e in each] + [str(m) for m in more]
    names = [*dict.fromkeys(e["name"] for e in each)]
    return {"name": ", ".join(names) or name, "source": " ".join(hashes)}


def require_same_parts(path: Path, given: Given) -> None:
    """Raise WganError unless the run in `path`, if there is one, was begun with the same parts of the caller's."""
    if not has_run(path):
        return
    known, here = open_run(path).facts.parts, recorded(given)
    for kind, was in known.items():
        if kind not in here:
            raise WganError(
                f"{path} was begun with {an(kind)} given in Python, {was['name']}: give the same one again, "
                f"wgan.train(run='{path}', {kind}=...)"
            )
        if wrong := difference(was, here[kind]):
            raise WganError(
                f"{path} was begun with another {kind} ({wrong}): give the same one, or another run folder for a new run"
            )
    if new := [kind for kind in here if kind not in known]:
        raise WganError(f"{path} was begun without {an(new[0])} of yours: leave it out, or give another run folder")


def an(name: str) -> str:
    """Return 'an objective', 'a critic', 'an Adam'."""
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
