"""What the name after a command means: data, a recipe or a run, by its folder, by its name under runs/, or the newest."""

import os
import shutil

import pytest
from conftest import TINY
from PIL import Image

import wgan
from wgan.api import plan
from wgan.cli import lookup, processes
from wgan.cli import main as cli

COMMANDS = {
    "sample": ["-n", "4", "--out", "made.png"],
    "interpolate": ["--stops", "2", "--frames", "1", "--rows", "1", "--out", "made.png"],
    "report": ["--out", "made.html"],
    "evaluate": ["-n", "100", "--metrics", "prdc", "--out", "made.json"],
}


@pytest.fixture
def runs(here, digits_run):
    """Two runs in runs/: `old`, and `new`, which changed last."""
    for name in ("old", "new"):
        shutil.copytree(digits_run, here / "runs" / name)
        age(here / "runs" / name, 0 if name == "new" else 1000)
    return here / "runs"


def age(run, seconds):
    """Let a run have changed so many seconds before 2001."""
    for path in (run, *run.rglob("*")):
        os.utime(path, (978307200 - seconds,) * 2)


def folder_of(words):
    """Return the folders that a command line means, without running it."""
    found = cli.parse(words)
    found.words = words
    lookup.find_runs(found)
    return found.paths if words[0] == "report" else [found.target if words[0] == "evaluate" else found.path]


# --- data -------------------------------------------------------------------------------------------------------------


def test_a_path_after_train_is_the_data(photos, here, command, cheap):
    given = command("train", "photos", "--size", "16", *TINY)
    assert given.code == 0, given
    config = wgan.open_run("runs/photos").config
    assert config.data == str(photos) and config.recipe == "images" and config.size == 16


@pytest.mark.parametrize("name", ["photos", "photos/", "./photos", "mnist:0-4", "swissroll"])
def test_a_name_of_data_means_what_data_means(photos, here, name):
    assert (
        plan(name, {"size": 16} if "photos" in name else {})[0]
        == plan(None, {"data": name, **({"size": 16} if "photos" in name else {})})[0]
    )


def test_a_recipe_wins_over_a_folder_of_its_name_and_says_so(photos, here, command, cheap):
    photos.rename(here / "gulrajani-ring")
    found = command("train", "gulrajani-ring", "--generator-layers", "4", "--critic-layers", "4", *TINY)
    assert found.err == "wgan: gulrajani-ring means the recipe; what is in this folder is ./gulrajani-ring\n"
    assert wgan.open_run("runs/gulrajani-ring").config.data == "ring:gulrajani"
    assert plan("./gulrajani-ring", {"size": 16})[0].data == str(here / "gulrajani-ring")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("photos --data mnist", "photos is data, and data mnist are given too: give one of them"),
        ("photo", "unknown recipe 'photo': "),
        ("photo", "; no file or folder has that name, either"),
        ("photo/", "no file or folder "),
        ("runs/old --run runs/new", "runs/old is a run folder, and runs/new is given as another: give one of them"),
        ("EMPTY.zip", "EMPTY.zip is empty"),
    ],
)
def test_what_can_be_no_data_is_one_sentence(photos, runs, here, command, words, said):
    (here / "EMPTY.zip").touch()
    assert said in command("train", *words.split()).sentence()


def test_a_run_folder_after_train_is_resumed(runs, command, cheap):
    found = command("train", "runs/old", "--steps", "3")
    assert found.code == 0 and "continuing: runs/old at step 2" in found.out and "finished step 3 of 3" in found.out


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_a_run_is_found_by_its_name_or_the_newest_is_taken(name, runs, here):
    assert folder_of([name, "old"]) == folder_of([name, "runs/old"]) == folder_of([name, "old/"]) == ["runs/old"]
    assert folder_of([name, str(runs / "old")]) == [str(runs / "old")]
    assert folder_of([name, *COMMANDS[name]]) == ["runs/new"]
    age(runs / "new", 2000)
    assert folder_of([name]) == ["runs/old"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_a_name_says_which_run_it_takes(name, runs, here, command, hasty):
    found = command(name, *COMMANDS[name])
    assert found.code == 0 and found.err.startswith("wgan: no run is named, taking the newest: runs/new\n")
    assert len(list(here.glob("made.*"))) == 1
    assert command(name, "old", *COMMANDS[name], *(["--force"] if name in ("sample", "interpolate") else [])).err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_name_that_no_run_has_is_one_sentence_with_the_nearest(name, runs, command):
    said = command(name, "odl").sentence()
    assert said == "no run folder odl, and none of that name in runs/: did you mean old? (known: new, old)"
    assert command(name, "ring").sentence() == (
        "no run folder ring, and none in runs/: train it first, with wgan train ring"
    )
    shutil.rmtree(runs)
    assert command(name, "old").sentence().startswith("no run folder old: give the folder that `wgan train` wrote")
    assert command(name).sentence().startswith("no run is named, and there is none in runs/: train one")


def test_a_folder_of_the_runs_name_does_not_hide_it(runs, here):
    """Images in ./old are samples that may be measured where --data says against what; nothing else takes them."""
    (here / "old").mkdir()
    Image.new("L", (28, 28)).save(here / "old" / "0.png")
    assert folder_of(["sample", "old"]) == folder_of(["evaluate", "old"]) == ["runs/old"]
    assert folder_of(["evaluate", "old", "--data", "mnist"]) == ["old"]
    assert folder_of(["sample", "./old"]) == ["old"]


def test_processes_that_a_command_starts_get_the_run_by_name(runs, command, monkeypatch):
    seen = []
    monkeypatch.setattr(processes, "launch", lambda words, n, restarts: seen.append(words) or 0)
    command("sample", "-n", "4", "--processes", "2")
    command("sample", "old", "--processes", "2")
    assert seen == [["sample", "runs/new", "-n", "4", "--processes", "2"], ["sample", "old", "--processes", "2"]]


def test_half_a_run_is_not_the_newest_and_says_what_it_lacks(runs, command):
    (runs / "new" / "run.json").unlink()
    assert folder_of(["sample"]) == ["runs/old"]
    assert "new is half written" in command("sample", "new").sentence()
