"""What `wgan compare` trains: for each objective the same networks, data, batch and seeds, as a list of ordinary runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from wgan.config import FIELDS, Config
from wgan.config.objectives import FACTS
from wgan.errors import WganError, unknown
from wgan.recipes import DEFAULT, configure

SMALLEST = 20  # steps of a run; fewer say nothing
RATES = (0.3, 1.0, 3.0)  # factors of both learning rates
POINT_RATE = 10.0  # all rates on points, against the papers', which are set for images and for 100,000 steps
# what is asked, and a flag chooses: quality at equal budget, mode collapse, three rates, three architectures, and the
# generator's gradient below an ever better critic
PARTS = ("quality", "collapse", "rates", "architectures", "gradients")

# objective -> optimizer, rates and critic updates as the paper that proposed it sets them
SETTINGS: dict[str, dict[str, Any]] = {
    "gan": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "n_critic": 1},  # Radford 2016
    "wgan-clip": {"optimizer": "rmsprop", "lr": 5e-5, "n_critic": 5, "clip": 0.01},  # Arjovsky 2017
    "wgan-gp": {"optimizer": "adam", "lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "n_critic": 5},  # Gulrajani 2017
    "wgan-lp": {"optimizer": "adam", "lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "n_critic": 5},  # Petzka 2018
    "dragan": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "n_critic": 1},  # Kodali 2017
    "wgan-div": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.0, "beta2": 0.999, "n_critic": 4, "penalty_weight": 2.0},
    "wgan-sn": {"optimizer": "adam", "lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "n_critic": 5, "critic_norm": "spectral"},
    "gan-gp": {"optimizer": "adam", "lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "n_critic": 1},  # Fedus 2018
    "gan-sn": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "n_critic": 1, "critic_norm": "spectral"},
    "hinge": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.0, "beta2": 0.9, "n_critic": 5, "critic_norm": "spectral"},
    "lsgan": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "n_critic": 1},  # Mao 2017
    "r3gan": {"optimizer": "adam", "lr": 2e-4, "beta1": 0.0, "beta2": 0.99, "n_critic": 1},
}
# the objective alone: no label is used, not by an auxiliary classifier either, whose loss would be measured with it
_PLAIN = {
    "conditioning": "none",
    "critic_conditioning": "none",
    "class_critic": 0.0,
    "class_generator": 0.0,
    "ema": None,
    "lr_decay": "none",
    "critic_lr": None,
}
_POINTS = {
    **_PLAIN,
    "generator": "mlp",
    "critic": "mlp",
    "generator_norm": "none",
    "critic_activation": "relu",
    "latent": 2,
    "batch": 128,
    "penalty_weight": 1.0,
}
_IMAGES = {**_PLAIN, "latent": 64, "batch": 64}
_CONV = {**_IMAGES, "generator_layers": "/ 64 32k4x2 / k4x2", "critic_layers": "16k4x2 32k4x2 /"}
# architectures of points and of images, the first of each is the one compared at length
ARCHITECTURES: dict[str, dict[str, dict[str, Any]]] = {
    "points": {
        "mlp": {**_POINTS, "generator_layers": "128 128 128", "critic_layers": "128 128 128"},
        "shallow": {**_POINTS, "generator_layers": "256", "critic_layers": "256"},
        "batch-norm": {
            **_POINTS,
            "generator_layers": "128 128 128",
            "critic_layers": "128 128 128",
            "generator_norm": "batch",
        },
    },
    "images": {  # the first: the networks of "WGAN in PyTorch", whose comparison in words this one measures
        "mlp": {
            **_IMAGES,
            "generator": "mlp",
            "critic": "mlp",
            "generator_norm": "none",
            "generator_layers": "128 256",
            "critic_layers": "256 128",
        },
        # in the generator alone: a penalised critic may hold no batch norm (Gulrajani 2017), so none here does
        "conv-batch-norm": {**_CONV, "generator_norm": "batch"},
        "conv-plain": {**_CONV, "generator_norm": "none"},
    },
}


@dataclass(frozen=True)
class Request:
    """What was asked for; the same request continues a comparison."""

    objectives: tuple[str, ...]
    data: str
    seeds: int
    kind: str  # steps, seconds or forwards: what is equal among the objectives
    amount: float
    parts: tuple[str, ...] = PARTS
    threads: int = 1  # of each run: a metric must not depend on how many cores are there

    def check(self) -> None:
        """Raise WganError for what cannot be compared."""
        for name in self.objectives:
            if "/" in name or "\\" in name:
                raise WganError(
                    f"'{name}' is not an objective: wgan compare trains its own runs; wgan report shows several that are there"
                )
            if name not in SETTINGS:
                raise unknown("objective", name, SETTINGS)
        if len(set(self.objectives)) < len(self.objectives):
            raise WganError("an objective is named twice: name each once")
        for name in self.parts:
            if name not in PARTS:
                raise unknown("part", name, PARTS)
        if len(set(self.parts)) < len(self.parts):
            raise WganError("a part is named twice: name each once")
        if not 1 <= self.seeds <= 100:
            raise WganError(f"--seeds must be between 1 and 100, not {self.seeds}")
        if not self.amount > 0:
            raise WganError("the budget must be more than 0")

    def as_dict(self) -> dict[str, Any]:
        """Return the request as JSON holds it."""
        return {**asdict(self), "objectives": list(self.objectives), "parts": sorted(self.parts)}

    def replace(self, **changes: Any) -> Request:
        """Return a copy with `changes`."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Trial:
    """One run of the comparison and the questions that it helps to answer."""

    parts: tuple[str, ...]
    objective: str
    data: str
    architecture: str
    rate: float
    seed: int
    steps: int
    threads: int

    @property
    def name(self) -> str:
        """The name of its run folder."""
        words = (self.data, self.architecture, self.objective, f"x{self.rate:g}", f"s{self.seed}")
        return re.sub(r"[^\w.-]+", "-", "_".join(words))

    def config(self, is_image: bool) -> Config:
        """Return the config of the run: the architecture, then the objective's own settings, then the rate's factor."""
        changes = {**ARCHITECTURES[family(is_image)][self.architecture], **SETTINGS[self.objective]}
        if is_image and "penalty_weight" not in SETTINGS[self.objective]:
            changes["penalty_weight"] = 10.0
        changes["lr"] = float(f"{self.rate * (1.0 if is_image else POINT_RATE) * changes['lr']:.6g}")
        often = {"log_every": 100, "evaluate_every": 10, "sample_every": 10, "checkpoint_every": 2}
        cadence = {name: max(1, self.steps // times) for name, times in often.items()}
        run = {
            "data": self.data,
            "objective": self.objective,
            "seed": self.seed,
            "steps": self.steps,
            "threads": self.threads,
        }
        known = {k: v for k, v in {**changes, **cadence, **run}.items() if k in FIELDS}
        return configure(DEFAULT, {**known, "precision": "fp32"})


def family(is_image: bool) -> str:
    """Return the key of ARCHITECTURES for the data."""
    return "images" if is_image else "points"


def trials(request: Request, is_image: bool, steps: Mapping[str, int], mode_tests: Sequence[str] = ()) -> list[Trial]:
    """Return the runs to train, the ones that answer most first; a run that serves two questions is there once.

    mode_tests: the data beside those of the request on which collapse is counted, see `Source`.
    """
    known = list(ARCHITECTURES[family(is_image)])
    seeds = range(request.seeds)
    wanted: dict[tuple[str, str, str, float, int], list[str]] = {}

    def want(part: str, data: str, architectures: Sequence[str], rates: Sequence[float]) -> None:
        if part not in request.parts:
            return
        for seed in seeds:
            for objective in request.objectives:
                for architecture in architectures:
                    for rate in rates:
                        wanted.setdefault((objective, data, architecture, rate, seed), []).append(part)

    want("quality", request.data, known[:1], [1.0])
    for data in mode_tests:
        want("collapse", data, known[:1], [1.0])
    want("rates", request.data, known[:1], RATES)
    want("architectures", request.data, known, [1.0])
    return [
        Trial(tuple(parts), objective, data, architecture, rate, seed, steps[objective], request.threads)
        for (objective, data, architecture, rate, seed), parts in wanted.items()
    ]


def forwards(objective: str) -> int:
    """Return the critic's passes over a batch in one step: real and fake and the penalty's points, then the generator's."""
    return int(SETTINGS[objective]["n_critic"]) * (2 + FACTS[objective].penalised) + 1


def check_steps(steps: Mapping[str, int]) -> None:
    """Raise WganError for a budget in which nothing could be learned or measured."""
    poor = [name for name, count in steps.items() if count < SMALLEST]
    if poor:
        raise WganError(
            f"the budget gives {poor[0]} only {steps[poor[0]]} steps: ask for enough for at least {SMALLEST}, "
            "without which no run is evaluated often enough to say anything"
        )
