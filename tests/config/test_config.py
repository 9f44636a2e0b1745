"""Config: every rule it checks itself by, and that what is written is what is read."""

import dataclasses
import json
import math

import pytest

from wgan.config import FIELDS, FORMAT, Config, check_value, differences, from_dict, from_json
from wgan.config.objectives import FACTS
from wgan.config.option import OptionGroup, options_of
from wgan.config.rules import cautions
from wgan.errors import MANY, WganError, nearest
from wgan.recipes import RECIPES, configure

INTEGERS = [n for n, f in FIELDS.items() if f.kind is int]
NUMBERS = [n for n, f in FIELDS.items() if f.kind is float]
SWITCHES = [n for n, f in FIELDS.items() if f.kind is bool]
CHOICES = [n for n, f in FIELDS.items() if f.choices]
OPTIONAL = [n for n, f in FIELDS.items() if f.none]
FREE = {n for n, f in FIELDS.items() if f.free}
NO_CLASSIFIER = {"critic_conditioning": "none", "class_critic": 0, "class_generator": 0}
# here no other field excludes another
NEUTRAL = Config(objective="gan", critic_update="separate", window=64, **NO_CLASSIFIER)


def refusal(call, *arguments, **options):
    with pytest.raises(WganError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_each_field_states_its_group_its_help_and_sane_limits():
    assert min(map(len, (INTEGERS, NUMBERS, CHOICES, OPTIONAL))) > 5 and len(SWITCHES) == 3
    for name, f in FIELDS.items():
        assert len(f.help) > 5 and f.low <= f.high, name
        assert f.default is None or type(f.default) is f.kind, name
        assert not f.choices or f.default in f.choices, name
        assert (f.default is None) <= bool(f.none), name


def test_every_group_is_a_part_of_config_with_a_title_of_its_own():
    groups = [g for g in Config.__mro__[1:] if issubclass(g, OptionGroup) and g is not OptionGroup]
    assert len({g.title for g in groups}) == len(groups) == 8
    assert [n for g in reversed(groups) for n in options_of(g)] == list(FIELDS)
    assert all(f.group == g.title for g in groups for f in options_of(g).values())
    assert [n for n in FIELDS if FIELDS[n].group == groups[0].title][:1] == [
        "critic_update"
    ]  # the legacy ones are last


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


def test_an_unknown_recipe_is_refused_with_the_nearest_and_all():
    said = refusal(configure, "mlp-clp")
    assert "unknown recipe 'mlp-clp': did you mean mlp-clip" in said
    assert all(name in said for name in RECIPES)


def test_the_nearest_names_come_first_without_a_long_list():
    few = ["apple", "cherry", "fig"]
    assert nearest("aple", few) == "did you mean apple? (known: apple, cherry, fig)"
    assert nearest("zzz", few) == "choose from apple, cherry, fig"
    assert nearest("wgan_gp", ["gan", "wgan-gp", "wgan-lp"]) == "did you mean wgan-gp? (known: gan, wgan-gp, wgan-lp)"
    assert nearest("fap", ["fan", "fig", "far", "flap"]).startswith("did you mean flap, far or fan? ")
    many = [f"option-{i:02d}" for i in range(MANY + 1)]
    assert nearest("option-3", many).count("option") == 3


@pytest.mark.parametrize("name", INTEGERS)
def test_whole_numbers_take_whole_numbers_only(name):
    f = FIELDS[name]
    some = min(f.low + 4, f.high)
    assert check_value(name, str(some)) == check_value(name, float(some)) == some
    assert type(check_value(name, float(some))) is int
    for wrong in ("x", "", "1.5", 1.5, True, [1], {}, float("nan"), float("inf")):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be"), wrong
    limits = "between" if math.isfinite(f.high) else "at least"
    assert f"{name} must be {limits} {f.low:g}" in refusal(check_value, name, -1)
    assert check_value(name, f.low) == f.low
    if math.isfinite(f.high):
        assert check_value(name, f.high) == f.high
        assert f"{name} must be between" in refusal(check_value, name, f.high + 1)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_take_finite_numbers_in_their_range_only(name):
    f = FIELDS[name]
    assert check_value(name, str(f.high)) == check_value(name, f.high) == f.high
    assert f.none == "0" or check_value(name, f.low) == f.low
    for wrong in ("x", "", True, [1], float("nan"), "nan", float("inf"), "-inf", f.low - 1, 1e300):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be"), wrong
    assert type(check_value(name, int(f.high) if f.high >= 1 else f.high)) is float


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in OPTIONAL])
def test_none_is_for_options_that_can_be_off(name):
    assert f"{name} " in refusal(check_value, name, None)


@pytest.mark.parametrize("name", OPTIONAL)
def test_off_is_none_and_the_word_of_a_command(name):
    f = FIELDS[name]
    assert check_value(name, None) is None and check_value(name, f.none) is None and f.word(None) == f.none
    if f.none == "0":
        assert check_value(name, 0) is None and check_value(name, 0.0) is None and check_value(name, "0") is None
    else:
        assert check_value(name, 0) == 0 and f.none == "auto"  # 0 is a value of its own
    assert f"{f.none} = " in f.help


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_a_bool_and_takes_0_and_1(name):
    for value in (True, 1, 1.0, "1", "true", "True"):
        assert check_value(name, value) is True
    for value in (False, 0, 0.0, "0", "false"):
        assert check_value(name, value) is False
    for wrong in (2, -1, 0.5, "", "2", "on", None, [1], float("nan")):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be 1 or 0 (on or off), not "), wrong
    assert (FIELDS[name].word(True), FIELDS[name].word(False)) == ("1", "0")


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_one_of_its_choices(name):
    choices = FIELDS[name].choices
    assert [check_value(name, c) for c in choices] == list(choices)
    said = refusal(check_value, name, choices[-1] + "x")
    assert said.startswith(f"{name} '{choices[-1]}x' is not known: did you mean") and choices[-1] in said
    for wrong in ("", 3, 1.5, None, True, choices[0].upper()):
        assert name in refusal(check_value, name, wrong)


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in CHOICES and FIELDS[n].kind is str])
def test_a_text_is_a_text(name):
    for wrong in (3, 1.5, None, True, ["a"]):
        assert refusal(check_value, name, wrong).startswith(f"{name} must be a text")


@pytest.mark.parametrize("objective", ["wgan-gp", "wgan-lp", "dragan", "wgan-div", "r3gan"])
def test_batch_norm_with_a_penalty_is_refused_with_a_way_out(objective):
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
        ({"objective": "r3gan", "generator_batch": 7}, "leave generator_batch out"),
        ({"pack": 3, **NO_CLASSIFIER}, "pack 3 must divide batch 64"),
        ({"pack": 2, **NO_CLASSIFIER, "generator_batch": 7}, "generator_batch 7"),
        ({"pack": 2, **NO_CLASSIFIER, "critic_conditioning": "projection"}, "unconditional critic"),
        ({"pack": 2, **NO_CLASSIFIER, "class_critic": 1.0}, "unconditional critic"),
        ({"pack": 2, **NO_CLASSIFIER, "class_generator": 1.0}, "unconditional critic"),
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
        {"pack": 2, **NO_CLASSIFIER},
        {"generator_latents": "last", "generator_batch": 64},
        {"generator_latents": "last", "generator_batch": None},
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
        return [c for c in FIELDS[name].choices if c != old] or [old + "x"]
    if isinstance(old, bool):
        return [not old]
    return [old + 1, old - 1, old / 2, old + 0.25, old + 0.01] if isinstance(old, float) else [8, 32, 1, 3, 0.01, 9]


def allowed(name, value):
    try:
        return NEUTRAL.replace(**{name: value}) != NEUTRAL
    except WganError:
        return False


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in FREE])
def test_a_difference_in_any_field_is_named_with_both_values(name):
    """In any field but the length of the run, which may change."""

    def said(value):
        return "10.0" if value is None and name == "penalty_weight" else FIELDS[name].word(value)

    old = getattr(NEUTRAL, name)
    new = check_value(name, next(v for v in others(name, old) if allowed(name, v)))
    assert differences(NEUTRAL, NEUTRAL.replace(**{name: new})) == [f"{name}: {said(old)} -> {said(new)}"]


def test_the_length_is_no_difference():
    duties = {"log_every", "sample_every", "evaluate_every", "checkpoint_every", "keep_every"}
    assert {"steps", "patience", "decay_steps", "on_nan", "nan_retries", *duties} == FREE
    assert differences(Config(), Config(steps=9)) == [] == differences(Config(), Config())


def test_several_differences_are_all_named():
    found = differences(Config(), Config(lr=1.0, seed=5, steps=9))
    assert found == [f"lr: {Config().lr} -> 1.0", "seed: 0 -> 5"]


def test_dropout_is_cautioned_in_a_penalised_critic_only():
    assert "dropout 0.3" in cautions(Config(objective="wgan-gp", dropout=0.3))[0]
    assert cautions(Config(objective="wgan-gp", dropout=0.0)) == []
    assert cautions(Config(objective="wgan-clip", dropout=0.3)) == []


@pytest.mark.parametrize("objective", ["gan-sn", "wgan-sn"])
def test_an_objective_without_its_constraint_is_cautioned(objective):
    assert "--critic-norm spectral" in cautions(Config(objective=objective, critic_norm="layer"))[0]
    assert cautions(Config(objective=objective, critic_norm="spectral")) == []
    assert cautions(Config(objective="gan")) == []


# --- the penalty's weight and the files of before --------------------------------------------------------------------


def test_the_penalty_weight_is_the_objectives_until_given():
    weights = {name: Config(objective=name).penalty for name in FACTS}
    assert weights == {name: facts.penalty_weight for name, facts in FACTS.items()}
    assert len({weights["wgan-gp"], weights["wgan-div"], weights["r3gan"]}) == 3
    assert Config(objective="r3gan", penalty_weight=10).penalty == 10 and Config(penalty_weight=0).penalty == 0


def test_a_weight_given_or_left_to_the_objective_is_the_same_run():
    assert differences(Config(penalty_weight=10), Config()) == [] == differences(Config(), Config(penalty_weight=10))
    assert differences(Config(penalty_weight=10), Config(penalty_weight=9)) == ["penalty_weight: 10.0 -> 9.0"]
    old, new = Config(objective="r3gan", penalty_weight=10), Config(objective="r3gan")
    assert differences(old, new) == ["penalty_weight: 10.0 -> 1.0"]


def test_an_old_file_says_0_for_off_and_0_and_1_for_switches():
    off = {name: 0 for name in OPTIONAL if FIELDS[name].none == "0"}
    old = from_dict(written(**off, flip=1, fast=0, compile=0, penalty_weight=10.0), "here")
    assert all(getattr(old, name) is None for name in off)
    assert (old.flip, old.fast, old.compile, old.penalty_weight) == (True, False, False, 10.0)
    assert old == Config(**dict.fromkeys(off), flip=True, fast=False, penalty_weight=10.0)
