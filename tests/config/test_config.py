"""Config: every rule it checks itself by, and that what is written is what is read."""

import dataclasses
import json
import math

import pytest

from wgan.config import FIELDS, FORMAT, FREE_FIELDS, Config, check_value, differences, from_dict, from_json
from wgan.config.rules import cautions
from wgan.errors import MANY, WganError, nearest
from wgan.recipes import RECIPES, configure

INTEGERS = [n for n, f in FIELDS.items() if type(f.default) is int]
NUMBERS = [n for n, f in FIELDS.items() if type(f.default) is float]
CHOICES = [n for n, f in FIELDS.items() if f.metadata["choices"]]
NEUTRAL = Config(
    objective="gan", critic_conditioning="none", critic_update="separate"
)  # here no other field excludes another


def refusal(call, *arguments, **options):
    with pytest.raises(WganError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_each_field_states_its_group_its_help_and_sane_limits():
    assert len(INTEGERS) > 5 and len(NUMBERS) > 5 and len(CHOICES) > 5
    for name, f in FIELDS.items():
        meta = f.metadata
        assert meta["group"] in ("data", "model", "objective", "optim", "run", "legacy"), name
        assert len(meta["help"]) > 5, name
        assert meta["low"] <= meta["high"]
        assert type(f.default) in (int, float, str), name
        assert not meta["choices"] or f.default in meta["choices"], name


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_valid_config_that_knows_its_name(name):
    assert configure(name).recipe == name
    assert configure(name, {"steps": 7}).steps == 7


def test_a_config_cannot_be_changed_only_copied():
    config = Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0
    other = config.replace(lr=1e-3)
    assert other.lr == 1e-3 and config == Config() and other == Config(lr=1e-3)


def test_an_unknown_name_is_refused_with_the_nearest():
    said = refusal(Config().replace, n_critc=3)
    assert said.startswith("unknown option 'n_critc': did you mean n_critic")
    assert len(said) < 150  # of more than fifty fields only the nearest are named


def test_an_unknown_recipe_is_refused_with_the_nearest_and_the_list():
    said = refusal(configure, "mlp-clp")
    assert "unknown recipe 'mlp-clp': did you mean mlp-clip" in said
    assert all(name in said for name in RECIPES)


def test_the_nearest_names_come_first_and_a_long_list_is_left_out():
    few = ["apple", "cherry", "fig"]
    assert nearest("aple", few) == "did you mean apple? (known: apple, cherry, fig)"
    assert nearest("zzz", few) == "known: apple, cherry, fig"
    many = [f"option-{i:02d}" for i in range(MANY + 1)]
    assert nearest("option-3", many).count("option") == 3


@pytest.mark.parametrize("name", INTEGERS)
def test_whole_numbers_take_whole_numbers_only(name):
    f = FIELDS[name]
    low, high = f.metadata["low"], f.metadata["high"]
    assert check_value(name, str(f.default)) == check_value(name, float(f.default)) == f.default
    assert type(check_value(name, float(f.default))) is int
    for wrong in ("x", "", "1.5", 1.5, True, None, [1], {}, float("nan"), float("inf")):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be"), wrong
    assert f"{name} must be between" in refusal(check_value, name, low - 1)
    assert check_value(name, low) == low
    if math.isfinite(high):
        assert check_value(name, high) == high
        assert f"{name} must be between" in refusal(check_value, name, high + 1)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_take_finite_numbers_in_their_range_only(name):
    f = FIELDS[name]
    assert check_value(name, str(f.default)) == f.default
    assert check_value(name, f.metadata["low"]) == f.metadata["low"]
    for wrong in ("x", "", True, None, [1], float("nan"), "nan", float("inf"), "-inf", f.metadata["low"] - 1, 1e300):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be"), wrong
    assert type(check_value(name, int(f.metadata["high"]) if f.metadata["high"] >= 1 else 0)) is float


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_one_of_its_choices(name):
    choices = FIELDS[name].metadata["choices"]
    assert [check_value(name, c) for c in choices] == list(choices)
    said = refusal(check_value, name, choices[-1] + "x")
    assert said.startswith(f"{name} '{choices[-1]}x' is not known: did you mean") and choices[-1] in said
    for wrong in ("", 3, 1.5, None, True, choices[0].upper()):
        assert name in refusal(check_value, name, wrong)


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in CHOICES and n not in INTEGERS and n not in NUMBERS])
def test_a_text_is_a_text(name):
    for wrong in (3, 1.5, None, True, ["a"]):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be a text")


@pytest.mark.parametrize("objective", ["wgan-gp", "wgan-lp", "dragan", "wgan-div", "r3gan"])
def test_batch_norm_with_a_gradient_penalty_is_refused_with_the_reason_and_the_way_out(objective):
    said = refusal(Config, objective=objective, critic_norm="batch")
    assert objective in said and "Gulrajani 2017" in said and "layer" in said
    assert Config(objective=objective, critic_norm="batch", penalty_weight=0).critic_norm == "batch"
    assert Config(objective=objective, critic_norm="layer").critic_norm == "layer"


@pytest.mark.parametrize("objective", ["gan", "wgan-clip", "hinge"])
def test_batch_norm_without_a_penalty_is_allowed(objective):
    assert Config(objective=objective, critic_norm="batch").objective == objective


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objective": "wgan-clip", "critic_norm": "spectral"}, "spectral"),
        ({"critic_update": "separate"}, "critic_update separate"),
        ({"critic_update": "separate", "objective": "r3gan"}, "critic_update separate"),
        ({"pack": 3, "critic_conditioning": "none"}, "pack 3 must divide batch 64"),
        ({"pack": 2, "critic_conditioning": "none", "generator_batch": 7}, "generator_batch 7"),
        ({"pack": 2}, "unconditional critic"),
        ({"pack": 2, "critic_conditioning": "none", "class_critic": 1.0}, "unconditional critic"),
        ({"pack": 2, "critic_conditioning": "none", "class_generator": 1.0}, "unconditional critic"),
        ({"generator_latents": "last", "generator_batch": 32}, "generator_batch 0"),
    ],
)
def test_options_that_exclude_each_other_are_refused(changes, words):
    assert words in refusal(Config, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "hinge", "critic_norm": "spectral"},
        {"critic_update": "separate", "objective": "wgan-clip"},
        {"critic_update": "separate", "objective": "gan"},
        {"pack": 2, "critic_conditioning": "none"},
        {"generator_latents": "last", "generator_batch": 64},
        {"generator_latents": "last", "generator_batch": 0},
    ],
)
def test_their_allowed_neighbours_are_not(changes):
    config = Config(**changes)
    assert all(getattr(config, k) == v for k, v in changes.items())


@pytest.mark.parametrize("name", RECIPES)
def test_json_and_back_is_the_same_config(name):
    config = configure(name, {"lr": 0.1 + 0.2, "seed": 2**63 - 1})
    assert from_json(config.to_json(), "config.json") == config


def test_the_json_holds_every_field_and_the_format():
    values = json.loads(Config().to_json())
    assert values.pop("format") == FORMAT
    assert set(values) == set(FIELDS)


def written(**changes):
    values = {**json.loads(Config().to_json()), **changes}
    return {k: v for k, v in values.items() if v is not ...}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": FORMAT + 1}, f"here has format {FORMAT + 1}, this wgan reads up to {FORMAT}: install a newer wgan"),
        ({"format": ...}, "here has no format number"),
        ({"format": "1"}, "here has no format number"),
        ({"format": True}, "here has no format number"),
        ({"format": None}, "here has no format number"),
        ({"n_critc": 3}, "unknown option in here 'n_critc': did you mean n_critic"),
        ({"lr": ...}, "here lacks lr"),
        ({"lr": ..., "seed": ...}, "here lacks lr, seed"),
        ({"lr": "fast"}, "lr must be a number, not 'fast'"),
        ({"lr": None}, "lr must be a number"),
        ({"steps": {}}, "steps must be a whole number"),
        ({"objective": "wgan-pg"}, "objective 'wgan-pg' is not known: did you mean"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(changes, words):
    assert words in refusal(from_dict, written(**changes), "here")


def test_a_file_of_this_format_is_read():
    assert from_dict(written(), "here") == Config()


def test_a_newer_format_is_said_before_its_unknown_options():
    assert "install a newer wgan" in refusal(from_dict, written(format=FORMAT + 1, new_option=1), "here")


@pytest.mark.parametrize("text", ["", "{", "nul", Config().to_json()[:-9], "[" * 100_000])
def test_text_that_is_not_json_is_refused(text):
    assert refusal(from_json, text, "here") == "here is not valid JSON"


@pytest.mark.parametrize("text", ["[]", "3", "null", '"x"'])
def test_json_that_is_no_object_is_refused(text):
    assert "here is not a config" in refusal(from_json, text, "here")


def others(name, old):
    """Return values of the field's type that differ from `old`."""
    if isinstance(old, str):
        return [c for c in FIELDS[name].metadata["choices"] if c != old] or [old + "x"]
    return [old + 1, old - 1, old / 2, old + 0.25, old + 0.01] if isinstance(old, float) else [old + 1, 8, 32, 1, 3, 0]


def allowed(name, value):
    try:
        return NEUTRAL.replace(**{name: value}) != NEUTRAL
    except WganError:
        return False


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in FREE_FIELDS])
def test_a_difference_in_any_field_but_the_length_is_named_with_both_values(name):
    old = getattr(NEUTRAL, name)
    new = next(v for v in others(name, old) if allowed(name, v))
    assert differences(NEUTRAL, NEUTRAL.replace(**{name: new})) == [f"{name}: {old} -> {new}"]


def test_the_length_is_no_difference():
    assert FREE_FIELDS == ("steps", "keep_every", "on_nan", "nan_retries")
    assert differences(Config(), Config(steps=9)) == [] == differences(Config(), Config())


def test_several_differences_are_all_named():
    found = differences(Config(), Config(lr=1.0, seed=5, steps=9))
    assert found == [f"lr: {Config().lr} -> 1.0", "seed: 0 -> 5"]


def test_dropout_in_a_penalised_critic_is_cautioned_and_elsewhere_not():
    assert "dropout 0.3" in cautions(Config(objective="wgan-gp", dropout=0.3))[0]
    assert cautions(Config(objective="wgan-gp", dropout=0.0)) == []
    assert cautions(Config(objective="wgan-clip", dropout=0.3)) == []
