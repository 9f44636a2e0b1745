"""Test the plan of `wgan compare`: which runs it trains, and their configs."""

from __future__ import annotations

import pytest
from helpers.comparisons import FOUR, request

from wgan.compare import plan
from wgan.compare import run as compare
from wgan.data import open_source

SOURCES = {name: open_source(name) for name in ("mnist", "grid")}


@pytest.mark.parametrize("is_image", [False, True])
@pytest.mark.parametrize("name", plan.SETTINGS)
def test_cells_differ_only_in_the_objectives_own_settings(name, is_image):
    """And each is a valid config."""
    data = "mnist" if is_image else "grid"
    steps = {name: 100, "gan": 100}
    asked = request(objectives=tuple(dict.fromkeys([name, "gan"])), data=data)
    configs = {
        (c.objective, c.architecture, c.rate, c.seed, c.data): c.config(is_image)
        for c in plan.trials(asked, is_image, steps, SOURCES[data].mode_tests)
    }
    for (objective, *rest), config in configs.items():
        other = configs[("gan", *rest)]
        assert config.objective == objective and config.steps == 100
        for field in (
            "generator",
            "generator_layers",
            "generator_norm",
            "critic",
            "critic_layers",
            "latent",
            "batch",
            "seed",
            "data",
            "threads",
            "evaluate_every",
            "precision",
        ):
            assert getattr(config, field) == getattr(other, field), field


def test_the_three_architectures_of_images():
    """An MLP, and convolutions with and without batch norm."""
    found = {c.architecture: c.config(True) for c in plan.trials(request(data="mnist"), True, dict.fromkeys(FOUR, 100))}
    kinds = {name: (c.generator, c.critic, c.generator_norm, c.critic_norm) for name, c in found.items()}
    assert kinds == {
        "mlp": ("mlp", "mlp", "none", "none"),
        "conv-batch-norm": ("conv", "conv", "batch", "none"),
        "conv-plain": ("conv", "conv", "none", "none"),
    }


@pytest.mark.parametrize(("data", "weight"), [("grid", 1.0), ("mnist", 10.0)])
def test_a_run_has_its_own_seed_data_and_steps(data, weight):
    """At a constant learning rate."""
    steps = {"gan": 150, "wgan-clip": 40, "wgan-gp": 30, "wgan-lp": 20}
    for c in plan.trials(request(data=data), data == "mnist", steps):
        config = c.config(data == "mnist")
        assert (config.seed, config.data, config.steps) == (c.seed, c.data, steps[c.objective])
        assert (config.lr_decay, config.penalty_weight, config.precision) == ("none", weight, "fp32")
        # nothing beside the objective: an auxiliary classifier's loss would be measured with it
        assert (config.conditioning, config.critic_conditioning, config.ema, config.critic_lr) == (
            "none",
            "none",
            None,
            None,
        )
        assert config.class_critic == config.class_generator == 0


def test_the_plan_has_each_run_once_and_all_that_are_needed():
    found = plan.trials(request(), False, dict.fromkeys(FOUR, 100), SOURCES["grid"].mode_tests)
    assert len({c.name for c in found}) == len(found)
    # 2 seeds and 4 objectives of: grid at three rates, ring, two more architectures
    assert len(found) == 2 * 4 * (3 + 1 + 2)
    first = next(
        c for c in found if c.objective == "gan" and c.data == "grid" and c.rate == 1 and c.architecture == "mlp"
    )
    assert set(first.parts) == {"quality", "collapse", "rates", "architectures"}
    assert {c.seed for c in found} == {0, 1} and {c.rate for c in found} == {0.3, 1.0, 3.0}


@pytest.mark.parametrize(
    ("part", "count"), [("quality", 4), ("collapse", 8), ("rates", 12), ("architectures", 12), ("gradients", 0)]
)
def test_a_part_brings_its_own_runs_alone(part, count):
    found = plan.trials(request(seeds=1, parts=(part,)), False, dict.fromkeys(FOUR, 100), ("ring", "grid"))
    assert len(found) == count and all(c.parts == (part,) for c in found)
    gradients = compare.gradient_trials(request(parts=(part,)), False, dict.fromkeys(FOUR, 100))
    assert [(c.objective, c.seed) for c in gradients] == [(o, s) for s in (0, 1) for o in FOUR if part == "gradients"]


def test_collapse_is_counted_on_the_data_that_the_source_names():
    found = plan.trials(request(parts=("collapse",)), False, dict.fromkeys(FOUR, 100), ("ring:gulrajani",))
    assert {c.data for c in found} == {"ring:gulrajani"}
    assert not plan.trials(request(data="faces/", parts=("collapse",)), True, dict.fromkeys(FOUR, 100), ())


def test_a_cells_learning_rate_is_its_objectives_times_a_factor():
    found = {
        (c.objective, c.rate): c.config(True)
        for c in plan.trials(request(data="mnist"), True, dict.fromkeys(FOUR, 100))
    }
    assert found["wgan-clip", 3.0].lr == pytest.approx(1.5e-4) and found["gan", 1.0].lr == 2e-4
    assert found["gan", 0.3].lr == pytest.approx(6e-5) and found["wgan-gp", 1.0].lr == 1e-4
    assert found["wgan-clip", 1.0].optimizer == "rmsprop" and found["wgan-gp", 1.0].n_critic == 5
    assert f"{found['gan', 3.0].lr} {found['wgan-gp', 3.0].lr}" == "0.0006 0.0003"  # as a command repeats it
    points = {(c.objective, c.rate): c.config(False) for c in plan.trials(request(), False, dict.fromkeys(FOUR, 100))}
    for key, config in points.items():
        assert config.lr == pytest.approx(plan.POINT_RATE * found[key].lr) and config.critic_lr is None


def test_a_run_is_evaluated_ten_times_and_never_averaged():
    (config,) = {
        c.config(False).replace(seed=0, objective="gan", n_critic=1, lr=1, optimizer="adam", beta1=0, beta2=0)
        for c in plan.trials(request(parts=("quality",)), False, dict.fromkeys(FOUR, 100))
    }
    assert (config.evaluate_every, config.log_every, config.ema, config.threads) == (10, 1, None, 1)
