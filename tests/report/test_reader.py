"""Test what a report reads off a run folder, and folders that are incomplete, damaged or hostile."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest
import torch
from helpers.problems import KERAS
from helpers.report_runs import EVIL, FACTS, Elements, figure, page_of, write_metrics, write_run
from PIL import Image
from torch import nn

from wgan.cli.main import parse
from wgan.config import Config
from wgan.recipes import RECIPES, configure
from wgan.report import page as report
from wgan.report import reader
from wgan.runs import checkpoint
from wgan.training.optim import OPTIMIZERS
from wgan.training.state import optimizer_state

DAMAGE = [
    b"",
    b"\x00\xff" * 50,
    b"[" * 100_000,
    b'{"step": 1}\n\xff\n{}\n',
    b"\x89PNG\r\n\x1a\n" + b"x" * 60,
    b"GIF89a" + b"\xff" * 9,
]
GOOD = {"name": "good", "value": 1, "floor": "x", "note": {"a": []}}
NO_FIGURES = [5, {"name": "x"}, {"name": 3, "value": 1}, {"name": "y", "value": 10**400}, GOOD]


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", grids=1, gif=False)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_command_repeats_the_config(recipe):
    config = configure(recipe, {"seed": 5, "lr": 1.25e-5, "generator_layers": "/ 256 128k3", "steps": 77})
    words = shlex.split(reader.repeat_command(config, "my run"))
    found = parse(words[1:])
    assert words[:3] == ["wgan", "train", recipe] and found.run == "runs/my run"
    given = {k[len("option_") :]: v for k, v in vars(found).items() if k.startswith("option_") and v is not None}
    assert configure(found.name, given) == config
    assert set(given) <= {"seed", "lr", "generator_layers", "steps"}


def test_the_command_of_an_untouched_recipe_is_the_shortest():
    assert reader.repeat_command(configure("mlp-clip"), "mlp-clip") == "wgan train mlp-clip"


def test_the_parameter_counts_are_those_of_run_json(run):
    counts = {"generator": 12, "critic": 34}
    (run / "run.json").write_text(json.dumps({**FACTS, "parameters": counts}))
    assert reader.gather(run, "run").parameters == counts
    assert "34 parameters" in page_of(run)[0]


@pytest.mark.parametrize(
    "bad", [7, ["generator"], {"critic": "many"}, {"critic": -1}, {"critic": True}, {"critic": 2**63}]
)
def test_parameter_counts_that_are_none_are_left_out(run, bad):
    (run / "run.json").write_text(json.dumps({**FACTS, "parameters": bad}))
    assert reader.gather(run, "run").parameters == {}


@pytest.mark.parametrize(
    "options", [{"optimizer": "adam"}, {"optimizer": "rmsprop"}, KERAS, {**KERAS, "fast": 0}], ids=str
)
def test_an_old_run_is_counted_whatever_its_optimizer(run, options):
    """A run.json without `parameters`: the optimizer's tensors in the checkpoint tell, under any optimizer's names."""
    weights = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(5))]
    config = Config(**options)
    made = OPTIMIZERS[config.optimizer](weights, 0.1, config)
    sum(w.sum() for w in weights).backward()
    made.step()
    state = {"critic": {"0": torch.ones(99)}, "critic_optimizer": optimizer_state(made)}
    (run / "checkpoints").mkdir()
    checkpoint.save(run / "checkpoints", 1, checkpoint.flatten(state), {}, 0)
    assert reader.gather(run, "run").parameters == {"critic": 17}


def test_trained_numbers_are_those_of_the_newest_checkpoint(run):
    (run / "checkpoints").mkdir()
    shapes = {"generator/body.weight": [9, 9], "generator_optimizer/0/exp_avg": [3, 4]}
    shapes |= {"generator_optimizer/0/exp_avg_sq": [3, 4], "generator_optimizer/0/step": []}
    shapes |= {"generator_optimizer/1/exp_avg": [5], "critic_optimizer/0/square_avg_eps": [7, 2]}
    text = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}).encode()
    (run / "checkpoints" / "step-00000009.safetensors").write_bytes(b"older")
    (run / "checkpoints" / "step-00000010.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert reader.gather(run, "run").parameters == {"generator": 17, "critic": 14}
    (run / "checkpoints" / "step-00000011.safetensors").write_bytes(b"\xff" * 40)
    assert reader.gather(run, "run").notes == ["checkpoints are left out: step-00000011.safetensors is damaged"]


def test_the_time_of_a_continued_run_is_the_sum_of_its_parts(run):
    lines = [(1, 10.0), (2, 20.0), (3, 5.0), (4, 7.5)]
    (run / "times.jsonl").write_text("".join(json.dumps({"step": s, "seconds": t}) + "\n" for s, t in lines))
    assert reader.gather(run, "run").seconds == 27.5


# --- folders that are incomplete, damaged or hostile ------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["run.json", "log.jsonl", "times.jsonl", "samples", "progress.gif", "metrics.json"])
def test_a_missing_piece_is_left_out(reported_run, tmp_path, missing):
    import shutil

    folder = shutil.copytree(reported_run, tmp_path / "copy")
    (shutil.rmtree if missing == "samples" else os.unlink)(folder / missing)
    page, notes = page_of(folder)
    assert notes == [] and page.rstrip().endswith("</html>")
    assert ("has no metrics yet" in page) == (missing == "metrics.json")
    assert ("Nothing has been logged" in page) == (missing == "log.jsonl")


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "metrics.json",
        "log.jsonl",
        "times.jsonl",
        "walk.gif",
        "progress.gif",
        "neighbours.png",
        "samples/step-00000200.png",
    ],
)
@pytest.mark.parametrize("bytes_", DAMAGE)
def test_a_damaged_piece_never_stops_the_page(run, name, bytes_):
    (run / name).write_bytes(bytes_)
    page, notes = page_of(run)
    assert page.rstrip().endswith("</html>")
    if name not in ("log.jsonl", "times.jsonl"):
        assert len(notes) == 1 and name in notes[0] and len(notes[0]) < 120, notes


@pytest.mark.parametrize(
    "text", [{"results": 5}, {"results": [5, {"figures": "x"}]}, [], {"results": [{"figures": NO_FIGURES}]}]
)
def test_figures_that_are_none_are_left_out(run, text):
    (run / "metrics.json").write_text(json.dumps(text))
    page, _ = page_of(run)
    assert ("<th>good</th>" in page) == ("good" in json.dumps(text))


def test_text_from_a_run_folder_is_escaped(tmp_path):
    facts = {
        **FACTS,
        "class_names": [EVIL] * 10,
        "device": EVIL,
        "precision": EVIL,
        "threads": EVIL,
        "shape": [EVIL],
        "versions": {EVIL: EVIL},
    }
    run = write_run(tmp_path / "<b>bad'\" &", facts=facts, grids=1, data=EVIL, gif=False)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(
        json.dumps({**config, "recipe": EVIL, "generator_layers": EVIL, "precision": "auto"})
    )
    write_metrics(run, figure(EVIL, 1.0, note=EVIL, extractor=EVIL, better=EVIL))
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 200, "alarm": EVIL}) + "\n" + json.dumps({"step": 200, EVIL: 1.0}) + "\n")
    for page in (page_of(run)[0], page_of(run, write_run(tmp_path / "other", grids=1, gif=False))[0]):
        seen = Elements(page)
        assert sum(tag == "script" for tag, _ in seen.found) == 2 and page.count("</script>") == 2
        assert sum(tag == "b" for tag, _ in seen.found) <= 1  # the bar of a digit, of the page's own
        assert all(a.get("src", "data:").startswith("data:") for tag, a in seen.found)
        assert not any(name.startswith("on") for _, a in seen.found for name in a)
        assert "alert(1)" in seen.text


@pytest.mark.parametrize(
    "name", ["walk.gif", "neighbours.png", "metrics.json", "log.jsonl", "run.json", "samples/step-00000000.png"]
)
def test_a_link_out_of_the_folder_is_not_followed(run, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text('{"step": 1, "alarm": "a secret"}\n')
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(secret)
    page, notes = page_of(run)
    assert "a secret" not in page and any(name in n and "link out of the run folder" in n for n in notes)


def test_linked_samples_and_a_linked_config_are_refused(run, tmp_path, command):
    (run / "samples").rename(tmp_path / "elsewhere")
    (run / "samples").symlink_to(tmp_path / "elsewhere")
    page, notes = page_of(run)
    assert "samples is left out: it is a link out of the run folder" in notes and "data:image/png" not in page
    (run / "config.json").rename(tmp_path / "config.json")
    (run / "config.json").symlink_to(tmp_path / "config.json")
    assert "link out of the run folder" in command("report", run).sentence()


def test_pipes_devices_and_huge_files_are_left_out(run):
    os.mkfifo(run / "walk.gif")
    with open(run / "neighbours.png", "wb") as file:
        file.truncate(1 << 40)
    (run / "metrics.json").mkdir()
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").symlink_to("log.jsonl")
    _, notes = page_of(run)
    assert [n.partition(" ")[0] for n in notes] == ["log.jsonl", "metrics.json", "walk.gif", "neighbours.png"]


def test_a_picture_of_too_many_pixels_is_left_out(run):
    Image.new("1", (5000, 5000)).save(run / "neighbours.png")
    assert page_of(run)[1] == ["neighbours.png is left out: it has too many pixels"]


def test_a_log_that_was_torn_or_tampered_with_still_gives_curves(run):
    with open(run / "log.jsonl", "a") as log:
        log.write('nonsense\n{"step": 150, "critic/loss": 1e308, "generator/loss": null}\n')
        log.write('{"step": 9, "critic/loss": 2}\n{"step": 3, "cri')
    page, notes = page_of(run)
    assert notes == ["log.jsonl has 1 line that cannot be read"]
    assert not any("nan" in d or "inf" in d for d in re.findall(r'd="([^"]*)"', page))


def test_a_disordered_log_with_many_long_alarms_is_put_right(run):
    rows = [{"step": 5, "critic/loss": 50.0}, {"step": 9, "critic/loss": 90.0}, {"step": 7, "critic/loss": 70.0}]
    rows += [{"step": 8, "alarm": "x" * 10_000}] * 101
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = reader.gather(run, "run")
    steps, values = found.curves["critic/loss"]
    assert steps.tolist() == [5, 7, 9] and values.tolist() == [50, 70, 90] and found.step == 9
    assert len(found.alarms) == 100 and found.alarms[0] == (8, "x" * reader.TEXT)
    assert found.notes == ["log.jsonl has 101 alarms: the first 100 are shown"]


def test_each_text_and_each_list_of_a_run_folder_has_its_limit(run):
    long = "x" * 1000
    facts = {
        **FACTS,
        "class_names": [long] * 2000,
        "device": long,
        "versions": {long + str(i): long for i in range(50)},
    }
    (run / "run.json").write_text(json.dumps(facts))
    found = reader.gather(run, "run")
    assert found.class_names == ["x" * 20] * 1000 and found.facts["device"] == "x" * reader.TEXT
    assert found.facts["versions"] == {"x" * reader.TEXT: "x" * reader.TEXT}


def test_a_text_that_is_no_unicode_does_not_stop_the_page(run):
    (run / "run.json").write_text(json.dumps({**FACTS, "device": "half \ud800 a character"}))
    assert "half ? a character" in page_of(run)[0]


def test_a_file_that_is_too_large_is_not_read(run):
    with open(run / "metrics.json", "wb") as file:
        file.truncate(reader.SMALL + 1)
    assert reader.gather(run, "run").notes == ["metrics.json is left out: it has more than 4 MB"]


def test_metrics_of_up_to_eight_checkpoints_are_read(run):
    """With their steps."""
    each = [{"checkpoint": f"c{i}", "step": 10 * i, "figures": [figure("fid-lenet", float(i))]} for i in range(9)]
    (run / "metrics.json").write_text(json.dumps({"results": each}))
    found = reader.gather(run, "run").results
    assert [(r["label"], r["step"], r["figures"][0]["value"]) for r in found] == [
        (f"c{i}", 10 * i, i) for i in range(8)
    ]


def test_the_page_replaces_a_link_and_does_not_follow_it(run, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (run / "report.html").symlink_to(precious)
    report.write_report([run], run / "report.html")
    assert precious.read_text() == "keep me" and not (run / "report.html").is_symlink()


@pytest.mark.parametrize("prepare", ["nowhere", "empty", "torn", "no json", "pdf", "no folder"])
def test_a_mistake_is_one_sentence(command, run, tmp_path, prepare):
    words = ["report", run]
    if prepare == "nowhere":
        words = ["report", tmp_path / "nowhere"]
    elif prepare == "empty":
        (tmp_path / "empty").mkdir()
        words = ["report", tmp_path / "empty"]
    elif prepare == "torn":
        (run / "config.json").write_text('{"format": 1, "recipe"')
    elif prepare == "no json":
        (run / "config.json").write_bytes(b"\xff\xfe")
    elif prepare == "pdf":
        words += ["--out", tmp_path / "x.pdf"]
    else:
        words += ["--out", tmp_path / "no" / "x.html"]
    assert command(*words).sentence()
    assert not (run / "report.html").exists()
