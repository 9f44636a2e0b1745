"""The command line is a contract: what there is, and what wgan train writes and prints."""

import re
import shlex
from dataclasses import asdict

import pytest
from conftest import TINY
from helpers.child_processes import CADENCE, RING
from helpers.run_folders import files
from PIL import Image

import wgan
from wgan.cli import benchmark as timing
from wgan.cli import main as cli
from wgan.config import FIELDS
from wgan.recipes import RECIPES, configure
from wgan.runs.folder import open_run
from wgan.training import loop

SMALL = ["gulrajani-ring", "--generator-layers", "16", "--critic-layers", "16", *TINY]


# --- what there is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command_and_examples_that_parse(command, words):
    found = command(*words)
    assert found.code == 0 and found.err == ""
    for name in ("train", "sample", "interpolate", "recipes"):
        assert re.search(rf"^    {name} ", found.out, re.M) or f"    {name}\n" in found.out
    examples = re.findall(r"^  wgan (.*?)(?:  .*)?$", found.out, re.M)
    assert len(examples) >= 3
    for example in examples:
        cli.parse(shlex.split(example))


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_the_version_is_the_packages(command, word):
    assert command(word) == (0, f"wgan {wgan.__version__}\n", "")


def test_wgan_help_shows_what_help_of_a_command_shows(command):
    assert command("help") == command("--help")
    for name in cli.commands_of(cli.parser()):
        assert command("help", name) == command(name, "--help")
    assert "unknown command 'trian': did you mean train" in command("help", "trian").sentence()


@pytest.fixture
def wide(monkeypatch):
    """Let a terminal be so wide that no line of a help is wrapped."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", cli.commands_of(cli.parser()))
def test_a_help_is_no_wider_than_the_terminal(command, monkeypatch, name, columns):
    """Words stay whole, and so does the line of usage."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for line in command(name, "--help").out.splitlines():
        assert len(line) <= columns or line.startswith("usage: ") or len(line.split()) < 3, line


def test_the_help_of_train_shows_the_options_that_people_use(command, wide):
    out = command("train", "--help").out
    shown = [line.split()[0].rstrip(",") for line in out.splitlines() if line.startswith("  --")]
    assert len(shown) == 17 and {"--config", "--data", "--steps", "--lr", "--run", "--dry-run"} < set(shown)
    hidden = len(re.findall("^  --", command("train", "--help-all").out, re.M)) - len(shown)
    assert out.endswith(f"\n{hidden} more options, in groups: wgan train --help-all\n") and hidden > 50
    for example in re.findall(r"^  wgan (.*?)(?:  .*)?$", out, re.M):
        assert cli.parse(shlex.split(example)).function == "train"


def test_train_help_has_every_option_once_with_its_default(command, wide):
    found = command("train", "--help-all")
    assert found.code == 0
    for name, f in FIELDS.items():
        flag = f"--{name.replace('_', '-')}"
        if name != "recipe":
            assert len(re.findall(rf"^  {flag} ", found.out, re.M)) == 1, flag
            word = f.word(f.default)
            line = re.search(rf"^  {flag} .*?(?=\n  --|\n\n|\Z)", found.out, re.M | re.S)[0]
            assert line.rstrip().endswith(f"(default: {word})") if word else "(default" not in line, flag
    assert not re.search(r"--\w+_", found.out)


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if n != "recipe" and f.kind is not bool])
def test_every_option_is_a_flag_in_each_usual_spelling(name):
    """With dashes or underscores, with or without an equals sign."""
    dashes, underscores = "--" + name.replace("_", "-"), "--" + name
    lines = [[dashes, "a_b"], [underscores, "a_b"], [f"{dashes}=a_b"], [f"{underscores}=a_b"]]
    assert all(getattr(cli.parse(["train", *words]), f"option_{name}") == "a_b" for words in lines)


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.kind is bool])
def test_a_switch_takes_1_and_0_or_nothing_or_no(name):
    def given(*words):
        found = cli.parse(["train", *words])
        return found.name, getattr(found, f"option_{name}")

    assert given(f"--{name}", "1") == given(f"--{name}=1") == given(f"--{name}") == (None, "1")
    assert given(f"--{name}", "0") == given(f"--{name}=0") == given(f"--no-{name}") == (None, "0")
    assert given(f"--{name}", "ring") == given("ring", f"--{name}") == ("ring", "1")  # a word after it is the recipe
    assert given(f"--{name}", "true") == (None, "true") and given(f"--no-{name}", "ring") == ("ring", "0")
    assert given(f"--{name}", "--lr", "1") == (None, "1")


def test_help_lists_published_options_last(command, wide):
    """And the defaults it shows are those of the recipe mnist."""
    out = command("train", "--help-all").out
    titles = re.findall(r"^([a-z].*):$", out.partition("\nexamples:")[0], re.M)
    assert titles[2:4] == ["data", "your own data"] and titles[-1].startswith("to reproduce published programs")
    last = out.partition("\nexamples:")[0].partition(f"\n{titles[-1]}:")[2]
    assert "--critic-update" in last and "--rmsprop-eps-place" in last and "--lr " not in last
    shown = dict(re.findall(r"^  --(\S+) [^(]*?\(default: (.*)\)$", out, re.M))
    assert shown["lr"] == str(configure("mnist").lr)


def test_the_recipes_table_has_a_row_for_each_with_its_source(command):
    found = command("recipes")
    assert found.code == 0 and found.err == ""
    head, *rows = found.out.splitlines()
    columns = ("recipe", "source", "trains", "minutes on 2 cores, bf16", "on one, AVX2", "expected")
    assert [head.index(t) for t in columns] == sorted(head.index(t) for t in columns)
    assert {row.split()[0] for row in rows if row[0] != " "} == set(RECIPES)
    assert "\x1b" not in found.out


# --- train ------------------------------------------------------------------------------------------------------------


def test_train_writes_where_it_is_told_and_says_what_is_next(here, command):
    found = command("train", *RING, *CADENCE, "--steps", 9, "--run", "deep/er/run")
    assert found.code == 0 and found.err == "" and "\x1b" not in found.out
    run = here / "deep" / "er" / "run"
    assert {p.name for p in run.iterdir()} == {
        ".lock",
        "config.json",
        "run.json",
        "log.jsonl",
        "times.jsonl",
        "samples",
        "checkpoints",
        "events",
        "losses.png",
        "progress.gif",
    }
    assert [p.name for p in sorted((run / "samples").iterdir())] == [f"step-{i:08d}.png" for i in (0, 8, 9)]
    with Image.open(run / "progress.gif") as film, Image.open(run / "losses.png") as plot:
        assert film.n_frames == 3 and min(plot.size) > 200
    lines = found.out.splitlines()
    assert re.match(r"step \d+/9  .* steps/s .* left  W .*  G .*", lines[1])
    assert "finished step 9 of 9" in found.out and "progress.gif" in found.out and "losses.png" in found.out
    assert "wgan sample deep/er/run" in found.out


def test_tensorboard_reads_the_scalars_and_the_sheets_of_a_run(ring_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(ring_run / "events"))
    events.Reload()
    assert "critic/wasserstein" in events.Tags()["scalars"] and events.Tags()["images"] == ["samples"]
    assert [e.step for e in events.Images("samples")] == [0, 2]


def test_the_default_run_folder_is_named_after_the_recipe(here, command, cheap):
    assert command("train", *SMALL).code == 0
    assert open_run(here / "runs" / "gulrajani-ring").step == 2


def test_without_a_recipe_the_default_one_is_trained(here, command, monkeypatch):
    seen = []

    def seen_only(config, path, **options):
        seen.append((config, str(path)))
        pytest.skip("seen")

    monkeypatch.setattr(loop, "train", seen_only)
    with pytest.raises(pytest.skip.Exception):
        command("train")
    assert seen == [(configure("mnist"), "runs/mnist")]


def test_flags_reach_the_config_that_is_written(here, command, cheap):
    words = ["--n_critic", "1", "--lr=0.001", "--seed", "7", "--sampling", "iid", "--checkpoint-every", "0"]
    assert command("train", *SMALL, *words).code == 0
    config = open_run(here / "runs" / "gulrajani-ring").config
    assert (config.n_critic, config.lr, config.seed, config.sampling, config.checkpoint_every) == (
        1,
        1e-3,
        7,
        "iid",
        None,
    )
    untouched = configure("gulrajani-ring")
    given = {"n_critic", "lr", "seed", "sampling", "checkpoint_every", "steps", "batch", "threads"}
    given |= {"generator_layers", "critic_layers"}
    assert {k: v for k, v in asdict(config).items() if k not in given} == {
        k: v for k, v in asdict(untouched).items() if k not in given
    }


def test_the_same_command_resumes_and_another_config_is_refused(here, command, cheap):
    words = ["train", *SMALL, "--run", "run"]
    assert command(*words).code == 0
    log = (here / "run" / "log.jsonl").read_bytes()
    longer = command(*words, "--steps", "4")
    assert longer.code == 0 and "continuing: run at step 2" in longer.out and "finished step 4 of 4" in longer.out
    assert (here / "run" / "log.jsonl").read_bytes().startswith(log)
    before = {p: (here / "run" / p).read_bytes() for p in files(here / "run")}
    said = command(*words, "--steps", "4", "--lr", "0.5", "--n-critic", "3").sentence()
    assert "lr: 0.0001 -> 0.5" in said and "n_critic: 5 -> 3" in said and "--run" in said
    assert {p: (here / "run" / p).read_bytes() for p in files(here / "run")} == before


def test_the_command_suggested_for_training_longer_does_so(here, command, cheap):
    found = command("train", *SMALL, "--run", "my run", "--critic-layers", "16 8")
    (line,) = (line for line in found.out.splitlines() if "train longer" in line)
    words = shlex.split(line.partition("wgan ")[2])
    assert words[0] == "train"
    longer = command(*words)
    assert longer.code == 0 and "continuing: my run at step 2" in longer.out and "finished step 4 of 4" in longer.out
    (line,) = (line for line in found.out.splitlines() if line.startswith("next: "))
    assert command(*shlex.split(line.partition("wgan ")[2])).code == 0


def test_a_dry_run_prints_what_would_run_and_writes_nothing(here, command):
    """It prints the config, the sizes of the networks and the time."""
    found = command("train", *SMALL, "--dry-run", "--run", "run")
    assert found.code == 0 and found.err == "" and files(here) == [] and not (here / "run").exists()
    config = configure(
        "gulrajani-ring", {"generator_layers": "16", "critic_layers": "16", "steps": 2, "batch": 8, "threads": 1}
    )
    for name, value in asdict(config).items():
        assert re.search(rf"^{name} +{re.escape(FIELDS[name].word(value))}$", found.out, re.M), name
    generator, critic = 2 * 16 + 16 + 16 * 2 + 2, 2 * 16 + 16 + 16 + 1  # 2 -> 16 -> 2 and 2 -> 16 -> 1, with biases
    assert re.search(rf"^generator +{generator} parameters$", found.out, re.M)
    assert re.search(rf"^critic +{critic} parameters$", found.out, re.M)
    # fp32 weights, Adam's two moments of each, and its step counter for each of 4 + 4 tensors
    assert re.search(rf"^weights \+ optimizers +{4 * 3 * (generator + critic) + 4 * 8:,} bytes", found.out, re.M)
    assert re.search(r"^peak memory +[\d,]{9,} bytes", found.out, re.M)
    assert re.search(r"^estimated time +\d+:\d\d for 2 steps", found.out, re.M)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train mnist --dry-run --data nowhere", "unknown data 'nowhere'"),
        ("train mnist --dry-run --data BAD.zip", "BAD.zip is of no kind"),
        ("train mnist --dry-run --data ring", "generator conv needs images"),
        ("train mnist --dry-run --generator-layers 3k3", "generator_layers '3k3'"),
        ("train fashion --dry-run", "Fashion-MNIST is not on this machine"),
        ("benchmark small-mlp-clip fashion", "Fashion-MNIST is not on this machine"),
    ],
)
def test_a_mistake_about_data_comes_before_anything_long(here, command, monkeypatch, line, words):
    """What is known by then is one line, which recipe is taken; nothing is timed."""
    monkeypatch.setenv("WGAN_DATA", str(here))
    monkeypatch.setattr(timing, "benchmark", lambda *_: pytest.fail("timed"))
    (here / "BAD.zip").write_text("x")
    found = command(*line.split())
    assert words in found.sentence() and found.out.count("\n") <= 1


def test_a_dry_run_refuses_what_training_would(command):
    assert "did you mean" in command("train", "--dry-run", "--data", "mnits").sentence()
