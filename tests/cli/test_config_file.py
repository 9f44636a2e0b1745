"""--config FILE: options from JSON, TOML, YAML or another run; flags win, and what is not an option is said in one sentence."""

import json
import sys
from dataclasses import asdict

import pytest
from conftest import TINY

import wgan
from wgan.api import plan
from wgan.config.file import MOST
from wgan.config.synonyms import meant_option
from wgan.errors import WganError
from wgan.recipes import configure

TEXTS = {
    "small.json": '{"recipe": "small-mlp-gp", "steps": 7, "n-critic": 2, "critic_lr": 0, "flip": true, "seed": 3}',
    "small.toml": 'recipe = "small-mlp-gp"\nsteps = 7  # short\nn-critic = 2\ncritic_lr = 0\nflip = true\nseed = 3\n',
    "small.yaml": "recipe: small-mlp-gp\nsteps: 7  # short\nn-critic: 2\ncritic_lr: 0\nflip: yes\nseed: 3\n",
}
WANTED = configure("small-mlp-gp", {"steps": 7, "n_critic": 2, "critic_lr": None, "flip": True, "seed": 3})


@pytest.fixture
def files(here):
    """The same options in two files."""
    for name, text in TEXTS.items():
        (here / name).write_text(text)
    return here


@pytest.mark.parametrize("name", TEXTS)
def test_options_of_a_file_are_taken_and_flags_win(files, command, name, cheap):
    planned = plan(None, {}, None, name)
    assert planned.config == WANTED and str(planned.folder) == "runs/small-mlp-gp"
    words = ["--steps", 2, "--batch", 8, "--threads", 1, "--generator-layers", "4", "--critic-layers", "4", "--no-flip"]
    found = command("train", "--config", name, *words, "--run", "run")
    assert found.code == 0, found
    config = wgan.open_run("run").config
    assert (config.steps, config.n_critic, config.flip, config.seed) == (2, 2, False, 3)


def test_python_takes_a_file_and_a_config(files, cheap):
    layers = {"generator_layers": "4", "critic_layers": "4", "steps": 2, "batch": 8, "threads": 1}
    run = wgan.train(config="small.toml", run="one", **layers)
    assert run.config == WANTED.replace(**layers)
    assert wgan.train(config=WANTED.replace(**layers), run="two").config == run.config


def test_a_run_is_repeated_with_another_seed(here, command, cheap):
    small = ["gulrajani-ring", "--generator-layers", "4", "--critic-layers", "4", *TINY, "--n-critic", 2]
    assert command("train", *small).code == 0
    for file in ("runs/gulrajani-ring", "runs/gulrajani-ring/config.json"):
        planned = plan(None, {"seed": "5"}, "again", file)
        assert planned.config == wgan.open_run("runs/gulrajani-ring").config.replace(seed=5)
    assert str(plan(None, {}, None, file).folder) == "runs/gulrajani-ring"  # by its recipe: the same run
    found = command("train", "--config", file, "--seed", 5, "--run", "again")
    assert found.code == 0 and wgan.open_run("again").config.seed == 5
    assert "seed: 0 -> 5" in command("train", "--config", file, "--seed", 5).sentence()


def test_data_after_train_win_over_those_of_the_file(photos, files):
    (files / "more.toml").write_text('data = "mnist"\nsize = 16\nsteps = 9\n')
    config = plan("photos", {}, None, "more.toml").config
    assert config.data == str(photos) and config.recipe == "images" and (config.size, config.steps) == (16, 9)


MISTAKES = {
    "a.json": ('{"lr": "fast"}', "lr must be a number, not 'fast'"),
    "b.json": ('{"lr": [1]}', "lr must be a number, not [1]"),
    "c.json": ('{"lr": null}', "lr must be a number, not None"),
    "d.json": ('{"n_critc": 1}', "unknown option in d.json 'n_critc': did you mean n_critic"),
    "e.json": (
        '{"learning_rate": 1}',
        "e.json 'learning_rate': lr is the generator's learning rate, critic_lr the critic's",
    ),
    "f.json": ("{", "f.json is not valid JSON: "),
    "g.json": ("[1]", "g.json holds no options"),
    "h.json": ("[" * 100_000, "h.json is not valid JSON: nested too deep"),
    "i.json": (b"\xff\xfe", "i.json is not UTF-8 text"),
    "j.json": ('{"n-critic": 1, "n_critic": 2}', "j.json has n_critic twice"),
    "k.json": ('{"format": 1}', "k.json lacks "),
    "l.json": ('{"format": 99}', "l.json has format 99, this wgan reads up to 1"),
    "m.toml": ("lr = ", "m.toml is not valid TOML: "),
    "n.toml": ("[optimisation]\nlr = 1\n", "'optimisation' is a table: write its options outside of it"),
    "o.toml": ("lr = 2026-01-01", "lr must be a number, not "),
    "p.toml": ("a = " + "[" * 100_000, "p.toml is not valid TOML: nested too deep"),
    "q.yaml": ("lr: [", "q.yaml is not valid YAML: line 1: "),
    "r.txt": ("lr = 1", "r.txt: options are read from a .json, .toml or .yaml file"),
    "s.json": (" " * (MOST + 1), "s.json is too large"),
    "t.toml": ('recipe = "mnits"', "unknown recipe 'mnits': did you mean mnist"),
    "u.toml": ("run = 'x'", "'run' is not an option of a run: give it on the command line"),
    "w.yaml": ("- lr", "w.yaml holds no options"),
    "x.yml": ("seed: 1\nlr: [1]\n", "x.yml is not valid YAML: line 2: an option has one value"),
    "y.yaml": ("lr: 1\nlr: 2\n", "y.yaml is not valid YAML: 'lr' stands in it twice"),
    "z.json": ('{"lr": 1, "lr": 2}', "z.json is not valid JSON: 'lr' stands in it twice"),
    "tag.yaml": (
        "lr: !!python/name:os.system ''",
        "tag.yaml is not valid YAML: line 1: could not determine a constructor",
    ),
    "bomb.yaml": ("a: &a [1, 1]\nb: &b [*a, *a]\n", "bomb.yaml is not valid YAML: line 1: an option has one value"),
    "deep.yaml": ("a: " + "[" * 100_000, "deep.yaml is not valid YAML: nested too deep"),
    "empty.yaml": ("", "empty.yaml holds no options"),
    "number.yaml": ("1: 2", "unknown option in number.yaml '1'"),
    "nul.yaml": ("lr: \0", "nul.yaml is not valid YAML: it has a character that YAML does not allow"),
    "date.yaml": ("lr: 2026-13-45", "date.yaml is not valid YAML: month must be in 1..12"),
    "two.yaml": ("lr: 1\n---\nlr: 2\n", "two.yaml is not valid YAML: line 2: but found another document"),
    "v.toml": ("outdir = 'x'", "unknown option in v.toml 'outdir': the folder of the run is --run DIR"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_holds_anything_else_is_one_sentence(here, command, name):
    text, said = MISTAKES[name]
    (here / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in command("train", "--config", name).sentence()
    assert [p.name for p in here.iterdir()] == [name]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--config nowhere.toml",
            "no file nowhere.toml: --config takes a .json, .toml or .yaml file, or the folder of a run",
        ),
        ("--config .", "no file config.json"),
        ("small.toml", "small.toml is not data: a file of options is given with --config small.toml"),
        ("mnist --config small.toml", "small.toml is for recipe small-mlp-gp, and recipe mnist is given too"),
        ("mnist --config whole/config.json", "give a recipe or a config, not both"),
    ],
)
def test_a_file_that_is_not_meant_is_one_sentence(files, command, line, said):
    (files / "whole").mkdir()
    (files / "whole" / "config.json").write_text(WANTED.to_json())
    assert said in command("train", *line.split()).sentence()


def test_yaml_without_its_package_says_how_to_get_it(here, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (here / "small.yaml").write_text("steps: 7\n")
    said = "small.yaml: reading YAML needs PyYAML: pip install 'wgan[yaml]', or write JSON or TOML"
    assert said in command("train", "--config", "small.yaml").sentence()


def test_a_rate_of_yaml_needs_no_point(here):
    """YAML 1.1 reads 1e-4 as a word: it is the number that JSON and TOML read."""
    (here / "rate.yaml").write_text("lr: 1e-4\n")
    assert plan(None, {}, None, "rate.yaml").config.lr == 1e-4


def test_a_config_json_is_read_whole(here):
    (here / "config.json").write_text(WANTED.to_json())
    assert plan(None, {}, "run", "config.json").config == WANTED
    assert json.loads(WANTED.to_json()) == {"format": 1, **asdict(WANTED)}


def test_an_option_of_another_program_is_answered_in_python_too():
    with pytest.raises(WganError, match=r"^unknown option 'latent_dim': the dimension of the latent is latent$"):
        wgan.train(latent_dim=3)
    names = ("lr", "critic_lr", "steps", "checkpoint_every", "latent")
    assert meant_option("ckpt_every", names) == "the steps between checkpoints are checkpoint_every"
    assert meant_option("stepz", names).startswith("did you mean steps?")
