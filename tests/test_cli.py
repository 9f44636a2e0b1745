"""The command line is a contract: what each command writes and prints, and one sentence for every mistake."""

import errno
import os
import re
import shlex
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from children import CADENCE, RING
from conftest import CONDITIONAL, TINY, Result
from PIL import Image

import wgan
from wgan import cli
from wgan.config import FIELDS
from wgan.errors import WganError
from wgan.recipes import RECIPES, configure
from wgan.run import open_run

SMALL = ["gulrajani-ring", "--generator-layers", "16", "--critic-layers", "16", *TINY]


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def test_the_version_is_the_packages(command):
    assert command("--version").out == f"wgan {wgan.__version__}\n"


def test_train_help_has_every_option_once_with_its_default(command):
    found = command("train", "--help")
    assert found.code == 0
    for name, f in FIELDS.items():
        flag = f"--{name.replace('_', '-')}"
        if name != "recipe":
            assert len(re.findall(rf"^  {flag} ", found.out, re.M)) == 1, flag
            assert f"(default: {f.default})" in found.out
    assert not re.search(r"--\w+_", found.out)


@pytest.mark.parametrize("name", [n for n in FIELDS if n != "recipe"])
def test_every_option_is_a_flag_with_dashes_or_underscores_and_with_or_without_equals(name):
    dashes, underscores = "--" + name.replace("_", "-"), "--" + name
    lines = [[dashes, "a_b"], [underscores, "a_b"], [f"{dashes}=a_b"], [f"{underscores}=a_b"]]
    assert all(getattr(cli.parse(["train", *words]), f"option_{name}") == "a_b" for words in lines)


def test_the_recipes_table_has_a_row_for_each_with_its_source(command):
    found = command("recipes")
    assert found.code == 0 and found.err == ""
    head, *rows = found.out.splitlines()
    assert [head.index(t) for t in ("recipe", "source", "trains", "minutes on 2 cores", "expected")] == sorted(
        head.index(t) for t in ("recipe", "source", "trains", "minutes on 2 cores", "expected")
    )
    assert {row.split()[0] for row in rows if row[0] != " "} == set(RECIPES)
    assert "\x1b" not in found.out


# --- train ------------------------------------------------------------------------------------------------------------


def test_train_writes_its_run_folder_where_it_is_told_and_says_what_to_do_next(here, command):
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
    assert re.match(r"step \d+/9  .* steps/s .* left  W .*  G .*", lines[0])
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

    monkeypatch.setattr("wgan.loop.train", seen_only)
    with pytest.raises(pytest.skip.Exception):
        command("train")
    assert seen == [(configure("mnist"), "runs/mnist")]


def test_flags_reach_the_config_that_is_written(here, command, cheap):
    words = ["--n_critic", "1", "--lr=0.001", "--seed", "7", "--sampling", "iid", "--checkpoint-every", "0"]
    assert command("train", *SMALL, *words).code == 0
    config = open_run(here / "runs" / "gulrajani-ring").config
    assert (config.n_critic, config.lr, config.seed, config.sampling, config.checkpoint_every) == (1, 1e-3, 7, "iid", 0)
    untouched = configure("gulrajani-ring")
    given = {"n_critic", "lr", "seed", "sampling", "checkpoint_every", "steps", "batch", "threads"}
    given |= {"generator_layers", "critic_layers"}
    assert {k: v for k, v in asdict(config).items() if k not in given} == {
        k: v for k, v in asdict(untouched).items() if k not in given
    }


def test_the_same_command_again_continues_and_another_config_is_refused(here, command, cheap):
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


def test_the_command_that_is_suggested_for_training_longer_does_so(here, command, cheap):
    found = command("train", *SMALL, "--run", "my run", "--critic-layers", "16 8")
    (line,) = (line for line in found.out.splitlines() if "train longer" in line)
    words = shlex.split(line.partition("wgan ")[2])
    assert words[0] == "train"
    longer = command(*words)
    assert longer.code == 0 and "continuing: my run at step 2" in longer.out and "finished step 4 of 4" in longer.out
    (line,) = (line for line in found.out.splitlines() if line.startswith("next: "))
    assert command(*shlex.split(line.partition("wgan ")[2])).code == 0


def test_a_dry_run_prints_config_sizes_and_time_and_writes_nothing(here, command):
    found = command("train", *SMALL, "--dry-run", "--run", "run")
    assert found.code == 0 and found.err == "" and files(here) == [] and not (here / "run").exists()
    config = configure(
        "gulrajani-ring", {"generator_layers": "16", "critic_layers": "16", "steps": 2, "batch": 8, "threads": 1}
    )
    for name, value in asdict(config).items():
        assert re.search(rf"^{name} +{re.escape(str(value))}$", found.out, re.M), name
    generator, critic = 2 * 16 + 16 + 16 * 2 + 2, 2 * 16 + 16 + 16 + 1  # 2 -> 16 -> 2 and 2 -> 16 -> 1, with biases
    assert re.search(rf"^generator +{generator} parameters$", found.out, re.M)
    assert re.search(rf"^critic +{critic} parameters$", found.out, re.M)
    # fp32 weights, Adam's two moments of each, and its step counter for each of 4 + 4 tensors
    assert re.search(rf"^weights \+ optimizers +{4 * 3 * (generator + critic) + 4 * 8:,} bytes", found.out, re.M)
    assert re.search(r"^peak memory +[\d,]{9,} bytes", found.out, re.M)
    assert re.search(r"^estimated time +\d+:\d\d for 2 steps", found.out, re.M)


def test_a_dry_run_refuses_what_training_would(command):
    assert "did you mean" in command("train", "--dry-run", "--data", "mnits").sentence()


# --- sample -----------------------------------------------------------------------------------------------------------


def npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_a_sheet_is_a_grey_picture_of_all_samples(here, command, digits_run):
    found = command("sample", digits_run)
    assert found == Result(0, "64 samples in sheet.png\n", "")
    with Image.open("sheet.png") as default:
        assert default.mode == "L" and default.format == "PNG"
        size = default.size
    assert command("sample", digits_run, "-n", 1000, "--out", "more.png").code == 0
    with Image.open("more.png") as more:  # 40 columns of 25, each at least 28 pixels high and wide
        assert 25 * 28 < more.height < more.width and more.width > 40 * 28
        assert max(size) < 1000
    assert files(here) == ["more.png", "sheet.png"]


def test_an_npz_holds_bytes_and_for_a_conditional_model_labels(here, command, conditional_run, digits_run):
    assert command("sample", conditional_run, "-n", 23, "--out", "a.npz").out == "23 samples in a.npz\n"
    arrays = npz("a.npz")
    assert arrays["images"].shape == (23, 28, 28) and arrays["images"].dtype == np.uint8
    assert arrays["labels"].dtype == np.int64 and arrays["labels"].tolist() == [i % 10 for i in range(23)]
    command("sample", digits_run, "-n", 3, "--out", "b.npz")
    assert list(npz("b.npz")) == ["images"]


def test_an_npz_of_points_holds_float32_samples(here, command, ring_run):
    assert command("sample", ring_run, "-n", 5, "--out", "a.npz").code == 0
    arrays = npz("a.npz")
    assert list(arrays) == ["samples"] and arrays["samples"].shape == (5, 2) and arrays["samples"].dtype == np.float32
    assert command("sample", ring_run, "--out", "a.png").code == 0


def test_labels_are_the_names_that_the_data_gave_them(here, command, tmp_path, cheap):
    words = [w if w != "mnist" else "mnist" for w in CONDITIONAL]
    assert command("train", *words, *TINY, "--data", "mnist:3,7", "--run", "run").code == 0
    command("sample", "run", "-n", 4, "--out", "a.npz")
    assert npz("a.npz")["labels"].tolist() == [3, 7, 3, 7]
    command("sample", "run", "-n", 4, "--label", 7, "--out", "b.npz")
    assert npz("b.npz")["labels"].tolist() == [7, 7, 7, 7]
    assert "unknown label '0'" in command("sample", "run", "--label", 0, "--out", "c.npz").sentence()


def test_one_label_holds_and_several_take_turns(here, command, conditional_run):
    command("sample", conditional_run, "-n", 5, "--label", 7, "--out", "a.npz")
    assert npz("a.npz")["labels"].tolist() == [7] * 5
    command("sample", conditional_run, "-n", 5, "--labels", "4,2,0", "--out", "b.npz")
    assert npz("b.npz")["labels"].tolist() == [4, 2, 0, 4, 2]


def test_the_ith_sample_is_the_same_whatever_n_and_the_seed_decides(here, command, conditional_run):
    command("sample", conditional_run, "-n", 130, "--seed", 4, "--out", "a.npz")
    command("sample", conditional_run, "-n", 7, "--seed", 4, "--out", "b.npz")
    command("sample", conditional_run, "-n", 7, "--seed", 5, "--out", "c.npz")
    many, few, other = (npz(name)["images"] for name in ("a.npz", "b.npz", "c.npz"))
    assert np.array_equal(many[:7], few) and not np.array_equal(few, other)


def test_raw_is_another_generator_and_truncation_draws_closer_to_the_middle(here, command, conditional_run):
    for name, words in {"a": [], "raw": ["--raw"], "cut": ["--truncation", "1e-6"]}.items():
        assert command("sample", conditional_run, "-n", 20, "--label", 1, "--out", f"{name}.npz", *words).code == 0
    plain, raw, cut = (npz(f"{name}.npz")["images"] for name in ("a", "raw", "cut"))
    assert not np.array_equal(plain, raw)
    assert len(np.unique(plain, axis=0)) == 20 and len(np.unique(cut, axis=0)) == 1


def test_a_folder_holds_a_picture_for_each_sample_below_one_for_each_class(here, command, conditional_run, digits_run):
    assert command("sample", conditional_run, "-n", 4, "--labels", "7,3", "--out", "byclass/").code == 0
    assert files(here / "byclass") == ["3/000001.png", "3/000003.png", "7/000000.png", "7/000002.png"]
    command("sample", conditional_run, "-n", 4, "--labels", "7,3", "--out", "a.npz")
    for i, (image, label) in enumerate(zip(*npz("a.npz").values(), strict=True)):
        with Image.open(f"byclass/{label}/{i:06d}.png") as picture:
            assert picture.mode == "L" and np.array_equal(np.asarray(picture), image)
    assert command("sample", digits_run, "-n", 2, "--out", "flat").code == 0
    assert files(here / "flat") == ["000000.png", "000001.png"]


@pytest.mark.parametrize("name", ["a.png", "a.npz", "a.gif", "folder"])
def test_nothing_that_exists_is_replaced_without_force(here, command, digits_run, name):
    verb = (
        ["interpolate", digits_run, "--stops", 2, "--frames", 2] if name == "a.gif" else ["sample", digits_run, "-n", 2]
    )
    (here / "folder").mkdir()
    path = here / name if name != "folder" else here / "folder" / "000000.png"
    path.write_bytes(b"mine")
    said = command(*verb, "--out", name).sentence()
    assert f"{name} exists" in said and "--force" in said and path.read_bytes() == b"mine"
    assert command(*verb, "--out", name, "--force").code == 0
    assert path.read_bytes() != b"mine"


def test_an_empty_folder_may_be_filled(here, command, digits_run):
    (here / "out").mkdir()
    assert command("sample", digits_run, "-n", 1, "--out", "out").code == 0


def test_a_write_that_fails_leaves_what_was_there(here, command, digits_run, monkeypatch):
    (here / "a.png").write_bytes(b"mine")
    (here / "a.npz").write_bytes(b"mine")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("a.png", "a.npz"):
        assert "o space left on device" in command("sample", digits_run, "--out", name, "--force").sentence()
        assert (here / name).read_bytes() == b"mine"
    assert files(here) == ["a.npz", "a.png"]


def test_a_damaged_newest_checkpoint_is_said_beside_the_result(here, command, ring_run, copy):
    run = copy(ring_run)
    (run / "checkpoints" / "step-00000002.safetensors").write_bytes(b"")
    found = command("sample", run, "--out", "a.npz")
    assert found.code == 0 and found.err.count("\n") == 1
    assert "step-00000002.safetensors is damaged" in found.err and "the one before" in found.err


# --- interpolate ------------------------------------------------------------------------------------------------------


def test_a_walk_is_a_film_that_loops_or_a_still_with_a_row_for_each_walk(here, command, conditional_run):
    words = ["interpolate", conditional_run, "--stops", 3, "--frames", 4, "--rows", 2]
    assert command(*words, "--out", "walk.gif").out == "a walk through 3 latents in walk.gif\n"
    with Image.open("walk.gif") as film:
        assert film.n_frames == 12 and film.info["loop"] == 0
    assert command(*words, "--out", "walk.png").code == 0
    with Image.open("walk.png") as still:
        assert still.format == "PNG" and still.width > 2 * still.height  # 2 rows of 6


def test_a_walk_goes_by_default_to_walk_gif_and_follows_its_seed_and_label(here, command, conditional_run):
    words = ["interpolate", conditional_run, "--stops", 2, "--frames", 2, "--rows", 1]
    assert command(*words).code == 0 and files(here) == ["walk.gif"]
    for name, more in {"b": [], "c": ["--seed", 1], "d": ["--label", 3], "e": ["--raw"]}.items():
        assert command(*words, "--out", f"{name}.gif", *more).code == 0
    walks = [(here / f"{name}.gif").read_bytes() for name in ("walk", "b", "c", "d", "e")]
    assert walks[0] == walks[1] and len(set(walks)) == 4


# --- Python -----------------------------------------------------------------------------------------------------------


def test_the_library_does_the_same_in_ten_lines(here, cheap, capsys):
    options = {"generator": "mlp", "generator_layers": "16", "critic": "mlp", "critic_layers": "16", "latent": 8}
    run = wgan.train("mnist", steps=2, batch=8, threads=1, **options)
    assert isinstance(run, wgan.Run) and run.step == 2 and str(run.path) == "runs/mnist"
    assert "critic/wasserstein" in run.log()[-1]
    model = wgan.load("runs/mnist")
    sevens = model.sample(5, label=7, seed=3)
    assert sevens.shape == (5, 1, 28, 28) and float(sevens.abs().max()) <= 1
    images = sevens.to_images()
    assert images.shape == (5, 28, 28) and images.dtype == np.uint8
    assert torch.equal(model.sample(20, label=7, seed=3)[:5], sevens)
    assert torch.equal(wgan.load(run).sample(5, label=7, seed=3), sevens)
    assert wgan.train("mnist", run="runs/mnist", steps=3, batch=8, threads=1, **options).step == 3


@pytest.mark.parametrize(
    ("options", "words"), [({"n_critc": 3}, "n_critic"), ({"lr": "x"}, "lr must be"), ({"recipe": "mnits"}, "mnist")]
)
def test_the_library_raises_the_same_sentences(here, options, words):
    with pytest.raises(WganError, match=words):
        wgan.train(**options)
    assert files(here) == []


def test_ctrl_c_stops_a_script_after_saving(here, cheap, monkeypatch):
    import signal

    from wgan import loop

    check = loop.require_finite
    monkeypatch.setattr(loop, "require_finite", lambda s, step: (signal.raise_signal(signal.SIGINT), check(s, step)))
    before = signal.getsignal(signal.SIGINT)  # a shell's background jobs ignore it
    with pytest.raises(KeyboardInterrupt):
        wgan.train("gulrajani-ring", steps=9, batch=8, threads=1, generator_layers="16", critic_layers="16")
    assert open_run("runs/gulrajani-ring").step == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_the_public_names_are_there_and_no_others():
    assert {"train", "load", "Config", "Run", "RECIPES", "WganError"} <= set(dir(wgan))
    assert all(getattr(wgan, name) is not None for name in wgan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trane'"):
        wgan.trane  # noqa: B018


# --- mistakes ---------------------------------------------------------------------------------------------------------

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
TRAIN_MISTAKES = [
    ("mnits", "unknown recipe 'mnits': did you mean mnist"),
    ("''", "unknown recipe ''"),
    ("mnist extra", "does not take 'extra'"),
    ("--n-critc 3", "unknown flag '--n-critc': did you mean --n-critic"),
    ("--n-critc=3", "unknown flag '--n-critc': did you mean --n-critic"),
    ("-x", "unknown flag '-x'"),
    ("--recipe mnist", "unknown flag '--recipe'"),
    ("--lr", "--lr: expected one argument"),
    ("--lr fast", "lr must be a number, not 'fast'"),
    ("--lr -1", "lr must be between 0 and 10"),
    ("--lr nan", "lr must be between 0 and 10"),
    ("--lr 1e99", "lr must be between 0 and 10"),
    ("--steps 0", "steps must be between 1"),
    ("--steps 1.5", "steps must be a whole number, not '1.5'"),
    ("--batch 0", "batch must be between 1"),
    ("--seed -1", "seed must be between 0"),
    ("--seed 99999999999999999999", "seed must be between 0"),
    ("--objective wgan-pg", "objective 'wgan-pg' is not known: did you mean"),
    ("--device tpu", "device 'tpu' is not known"),
    pytest.param("--device cuda", "device cuda is not available", marks=NO_CUDA),
    ("--split valid", "split 'valid' is not known"),
    ("--data mnits", "unknown data 'mnits': did you mean mnist"),
    ("--data mnist:", "ends with ':'"),
    ("--data mnist:12", "'12' is neither a digit"),
    ("--data mnist:5-2", "5-2"),
    ("--data ring:pacgn", "pacgn"),
    ("--generator-layers nonsense", "nonsense"),
    ("--generator-layers '/ 128 64k4x3 / k3'", "28"),
    ("--generator-layers ''", "generator_layers"),
    ("--critic-layers '32k3p9 32k3p9 /'", "critic_layers"),
    ("--critic-activation tanhh", "tanhh"),
    ("--generator-activation lrelu:x", "lrelu:x"),
    ("--critic-norm batch", "critic_norm layer or none"),
    ("--pack 7 --critic-conditioning none", "pack 7 must divide batch"),
    ("--generator-norm none", "conditioning norm needs a generator_norm"),
    ("mnist --data ring", "conv"),
    ("--dry-run=3", "ignored explicit argument"),
    ("--run FILE", "is a file"),
    ("--run FILE/run", "cannot create"),
    ("--run .", "is not a run folder: it holds FILE"),
]


@pytest.mark.parametrize(("line", "words"), TRAIN_MISTAKES)
def test_a_mistake_with_train_is_one_sentence_and_leaves_no_trace(here, command, line, words):
    (here / "FILE").write_text("mine")
    said = command("train", "--threads", 1, "--steps", 2, *shlex.split(line)).sentence()  # a later flag wins
    assert words in said
    assert [p.name for p in here.iterdir()] == ["FILE"] and (here / "FILE").read_text() == "mine"


SAMPLE_MISTAKES = [
    ("", "required: RUN"),
    ("nowhere", "no run folder nowhere"),
    (".", "is not a run folder"),
    ("''", "is not a run folder"),
    ("FILE", "is not a run folder"),
    ("EMPTY", "is not a run folder: it holds no config.json"),
    ("x" * 300, "name too long"),
    ("RUN RUN", "does not take"),
    ("RUN -n 0", "n must be at least 1, not 0"),
    ("RUN -n -3", "n must be at least 1, not -3"),
    ("RUN -n 1.5", "'1.5' is not a whole number"),
    ("RUN -n many", "'many' is not a whole number"),
    ("RUN -n 10001", "at most 10000 samples"),
    ("RUN -n 1000000000000 --out a.npz", "do not fit into memory"),
    ("RUN --n 3", "unknown flag '--n'"),
    ("RUN --seed -1", "seed must be between 0"),
    ("RUN --seed 9223372036854775808", "seed must be between 0"),
    ("RUN --seed x", "'x' is not a whole number"),
    ("RUN --truncation -1", "truncation must be"),
    ("RUN --truncation nan", "truncation must be"),
    ("RUN --truncation inf", "truncation must be"),
    ("RUN --truncation x", "'x' is not a number"),
    ("RUN --label 10", "unknown label '10': did you mean 1 or 0? (known: 0, 1, 2, 3"),
    ("RUN --label -1", "unknown label '-1'"),
    ("RUN --label ''", "unknown label ''"),
    ("RUN --labels 1,11", "unknown label '11': did you mean 1"),
    ("RUN --labels ,", "unknown label ''"),
    ("RUN --label 1 --labels 1,2", "--label or --labels, not both"),
    ("DIGITS --label 3", "is an unconditional model"),
    ("DIGITS --labels 3,4", "is an unconditional model"),
    ("RUN --checkpoint 99", "no checkpoint of step 99: it has 2"),
    ("RUN --checkpoint first", "is not last, best or a step"),
    ("RUN --out FILE", "FILE exists"),
    ("RUN --out ''", "exists"),
    ("RUN --out a.jpg", "give a .png, a .npz or a folder/"),
    ("RUN --out nowhere/a.png", "the folder nowhere does not exist"),
    ("RUN --out nowhere/a/", "the folder nowhere does not exist"),
    ("RUN --out FILE/a.png", "the folder FILE does not exist"),
    ("RING --out a/", "are not images"),
]
WALK_MISTAKES = [
    ("", "required: RUN"),
    ("nowhere", "no run folder nowhere"),
    ("RUN --stops 1", "at least 2 stops"),
    ("RUN --frames 0", "at least 2 stops, 1 frame"),
    ("RUN --rows 0", "1 row"),
    ("RUN --stops x", "'x' is not a whole number"),
    ("RUN --stops 1000000 --frames 1000000", "do not fit into memory"),
    ("RUN --label 10", "unknown label '10'"),
    ("RUN --seed -1", "seed must be between 0"),
    ("DIGITS --label 3", "is an unconditional model"),
    ("RING", "are not images"),
    ("RUN --out a.mp4", "give a .gif or a .png"),
    ("RUN --out EMPTY", "give a .gif or a .png"),
    ("RUN --out nowhere/a.gif", "the folder nowhere does not exist"),
]
MISTAKES = [("sample", *row) for row in SAMPLE_MISTAKES] + [("interpolate", *row) for row in WALK_MISTAKES]


@pytest.mark.parametrize(("verb", "line", "words"), MISTAKES)
def test_a_mistake_with_a_trained_run_is_one_sentence_and_leaves_no_trace(
    here, command, verb, line, words, conditional_run, digits_run, ring_run
):
    (here / "FILE").write_text("mine")
    (here / "EMPTY").mkdir()
    names = {"RUN": str(conditional_run), "DIGITS": str(digits_run), "RING": str(ring_run)}
    said = command(verb, *(names.get(word, word) for word in shlex.split(line))).sentence().replace("File name", "name")
    assert words in said
    assert sorted(p.name for p in here.iterdir()) == ["EMPTY", "FILE"] and (here / "FILE").read_text() == "mine"
    assert not any((here / "EMPTY").iterdir())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tarin", "unknown command 'tarin': did you mean train"),
        ("''", "unknown command ''"),
        ("frobnicate", "unknown command 'frobnicate': known: "),
        ("--verison", "unknown flag '--verison': did you mean --version"),
        ("recipes extra", "does not take 'extra'"),
        ("recipes --all", "unknown flag '--all'"),
    ],
)
def test_a_mistake_before_any_command_is_one_sentence(command, line, words):
    assert words in command(*shlex.split(line)).sentence()


def test_a_message_names_the_nearest_and_not_all_of_many_flags(command):
    assert len(command("train", "--n-critc", "3").sentence()) < 120


def raising(error):
    def call(found):
        raise error

    return lambda name: call


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "disk"), "disk: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
    ],
)
def test_what_the_system_refuses_anywhere_is_one_sentence(command, monkeypatch, error, words):
    monkeypatch.setattr(cli, "function", raising(error))
    assert words in command("recipes").sentence()


def test_a_defect_of_ours_is_not_hidden(command, monkeypatch):
    monkeypatch.setattr(cli, "function", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        command("recipes")


def test_ctrl_c_outside_of_training_is_said_and_ends_with_130(command, monkeypatch):
    monkeypatch.setattr(cli, "function", raising(KeyboardInterrupt()))
    assert command("recipes") == Result(130, "", "wgan: interrupted\n")


def test_a_real_process_ends_with_2_and_one_line(tmp_path):
    words = [sys.executable, "-m", "wgan", "sample", "nowhere"]
    found = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2 and found.stdout == ""
    assert found.stderr.startswith("wgan: no run folder nowhere") and found.stderr.count("\n") == 1


def test_a_reader_that_goes_away_causes_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)  # as in `wgan recipes | head -0`
    with os.fdopen(writer) as out:
        found = subprocess.run([sys.executable, "-m", "wgan", "recipes"], stdout=out, stderr=subprocess.PIPE)
    assert found.stderr == b"" and found.returncode == 1
