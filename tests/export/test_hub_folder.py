"""`wgan export --to hub`: the folder is a model like a run, bit for bit; what damages it or is in the way gets a sentence."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.report_runs import EVIL, figure, write_metrics

import wgan
from wgan.data.own.open import public_name
from wgan.errors import WganError
from wgan.export import hub
from wgan.export.card import card_of, card_text, plain
from wgan.export.hub import export_hub
from wgan.runs.exported import FILES

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format-1"
RUNS = ("digits_run", "conditional_run", "ring_run")


@pytest.fixture(params=[*RUNS, "format-1"])
def run(request):
    return FIXTURE if request.param == "format-1" else request.getfixturevalue(request.param)


@pytest.fixture
def exported(conditional_run, tmp_path):
    """The folder of a conditional model."""
    export_hub(wgan.load(conditional_run), tmp_path / "digits")
    return tmp_path / "digits"


def front(folder):
    """Return the front matter of a card."""
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_an_exported_model_gives_the_same_samples_bit_for_bit(run, tmp_path, command):
    said = command("export", run, "--to", "hub", "--out", tmp_path / "m")
    assert said.code == 0 and "wgan.load(" in said.out, said
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == sorted(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    before, after = (wgan.load(folder).sample(130, seed=5) for folder in (run, tmp_path / "m"))
    assert torch.equal(before, after)
    assert before.labels is after.labels is None or np.array_equal(before.labels, after.labels)
    for path, out in ((run, "a.npz"), (tmp_path / "m", "b.npz")):
        assert command("sample", path, "-n", "20", "--out", tmp_path / out).code == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_averaged_weights_are_exported_unless_raw(conditional_run, tmp_path):
    for raw in (False, True):
        export_hub(wgan.load(conditional_run, raw=raw), tmp_path / str(raw))
        assert torch.equal(wgan.load(tmp_path / str(raw)).sample(3), wgan.load(conditional_run, raw=raw).sample(3))
    said = [json.loads((tmp_path / name / "config.json").read_text())["weights"] for name in ("False", "True")]
    assert said == ["average", "raw"]
    assert not torch.equal(wgan.load(tmp_path / "True").sample(3), wgan.load(tmp_path / "False").sample(3))


def test_an_exported_model_is_evaluated_like_the_run(exported, conditional_run, tmp_path, command):
    said = command("evaluate", exported, "-n", "100", "--metrics", "fid-lenet", "--data", "mnist")
    assert said.code == 0, said
    assert (
        command(
            "evaluate",
            conditional_run,
            "-n",
            "100",
            "--metrics",
            "fid-lenet",
            "--checkpoint",
            "last",
            "--out",
            tmp_path / "run.json",
        ).code
        == 0
    )
    model, run = (json.loads(p.read_text()) for p in (exported / "metrics.json", tmp_path / "run.json"))
    assert model["results"][0]["figures"] == run["results"][0]["figures"]


def test_raw_weights_are_called_raw_wherever_they_are_shown(conditional_run, tmp_path):
    """The run averaged its weights, and the config says so; the folder holds the others."""
    export_hub(wgan.load(conditional_run, raw=True), tmp_path / "m")
    model = wgan.load(tmp_path / "m")
    report = wgan.evaluate(tmp_path / "m", n=100, metrics=["sliced-w1"], data="mnist")
    assert model.run.config.ema and report.results[0].about.generator == "raw"
    assert "raw generator at step 2" in model._repr_html_() and "raw weights" in dict(card_of(model, "m").facts)["step"]


def test_a_table_keeps_its_columns_units_and_classes(tmp_path, command, cheap):
    data = tmp_path / "secret-place" / "people.csv"
    data.parent.mkdir()
    rows = [f"{20 + i % 50},{100 * (i % 7)},{'yn'[i % 2]}" for i in range(200)]
    data.write_text("age,income,smokes\n" + "\n".join(rows) + "\n")
    assert (
        command(
            "train",
            "--data",
            data,
            "--labels",
            "smokes",
            "--steps",
            1,
            "--batch",
            8,
            "--threads",
            1,
            "--generator-layers",
            8,
            "--critic-layers",
            8,
            "--run",
            tmp_path / "run",
        ).code
        == 0
    )
    assert command("export", tmp_path / "run", "--to", "hub", "--out", tmp_path / "m", "--licence", "mine").code == 0
    for path, out in (("run", "a.csv"), ("m", "b.csv")):
        assert command("sample", tmp_path / path, "-n", "200", "--out", tmp_path / out).code == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    assert (tmp_path / "a.csv").read_text().startswith("age,income,smokes\n")
    texts = [(tmp_path / "m" / name).read_text() for name in ("README.md", "config.json")]
    assert not any("secret-place" in text for text in texts)
    assert "people.csv" in texts[0] and front(tmp_path / "m")["license"] == "mine"
    sentence = command("evaluate", tmp_path / "m", "-n", "100").sentence()
    assert "does not hold the data it was trained on: give them with --data" in sentence


# --- the card ---------------------------------------------------------------------------------------------------------


def test_the_card_names_the_licence_of_the_data_and_how_to_load(exported):
    text = (exported / "README.md").read_text()
    said = front(exported)
    assert said["library_name"] == "wgan" and said["license"] == "cc-by-sa-3.0"
    assert said["pipeline_tag"] == "unconditional-image-generation" and "images" in said["tags"]
    assert 'wgan.load("digits")' in text and "![samples" in text and "Not measured yet" in text
    assert "not finished" not in text and "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in text


def test_the_card_shows_metrics_beside_real_against_real(conditional_run, copy, tmp_path):
    run = copy(conditional_run)
    write_metrics(run, figure("fid-lenet", 12.3456, floor=0.25))
    model = wgan.load(run)
    found = card_of(model, "x")
    assert found.metrics == [] and any("not measured" in line for line in found.limits)  # of another step
    values = json.loads((run / "metrics.json").read_text())
    values["results"][0]["step"] = model.step
    (run / "metrics.json").write_text(json.dumps(values))
    export_hub(model, tmp_path / "m")
    assert "| fid-lenet | 12.35 | 0.25 | lower |" in (tmp_path / "m" / "README.md").read_text()


def test_a_damaged_metrics_file_is_left_out_of_the_card(conditional_run, copy, tmp_path):
    run = copy(conditional_run)
    for text in ("{", '{"results": [{"step": 2, "figures": [{"name": 7, "value": "x"}]}]}', "[]"):
        (run / "metrics.json").write_text(text)
        assert card_of(wgan.load(run), "x").metrics == []


def test_no_text_of_a_run_is_markup_in_the_card(exported, tmp_path):
    path = exported / "config.json"
    values = json.loads(path.read_text())
    values["facts"]["class_names"] = [f"{EVIL}\n# {i} | `x`" for i in range(10)]
    path.write_text(json.dumps(values))
    model = wgan.load(exported)
    text = card_text(card_of(model, EVIL), model, {"picture": "samples.png", "place": "m"})
    outside = "".join(text.split("```")[::2])
    assert "<script>" not in outside and "<img" not in outside and "\n# 0" not in outside
    assert plain("a|b\n<i>*_`") == "a\\|b &lt;i&gt;\\*\\_\\`"


@pytest.mark.parametrize(
    "spec", ["/home/ada/secret/photos", "./secret/photos/", "C:\\secret\\photos", "hf:/secret/photos"]
)
def test_a_path_loses_its_folders_in_public(spec):
    assert public_name(spec) == "photos"


def test_a_name_of_data_stays_as_it_is():
    assert [public_name(s) for s in ("mnist:0-4", "hf:ada/cats", "ring")] == ["mnist:0-4", "hf:ada/cats", "ring"]


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 300])
def test_a_licence_that_is_no_line_of_text_is_refused(text, conditional_run, tmp_path):
    with pytest.raises(WganError, match="in one line"):
        export_hub(wgan.load(conditional_run), tmp_path / "m", licence=text)
    assert list(tmp_path.iterdir()) == []


# --- what is in the way, and what is damaged --------------------------------------------------------------------------


def test_a_folder_that_is_there_is_replaced_only_with_force(exported, conditional_run, command):
    before = {p.name: p.read_bytes() for p in exported.iterdir()}
    words = ("export", conditional_run, "--to", "hub", "--out", exported, "--raw")
    assert "exists: give another --out, or --force" in command(*words).sentence()
    assert {p.name: p.read_bytes() for p in exported.iterdir()} == before
    assert command(*words, "--force").code == 0
    assert wgan.load(exported).run.exported.weights == "raw"
    (exported / "thesis.tex").write_text("years of work")
    assert "not replaced: it holds thesis.tex" in command(*words, "--force").sentence()
    assert (exported / "thesis.tex").exists() and wgan.load(exported)


def test_force_never_takes_a_run_for_an_exported_model(conditional_run, copy, command):
    run = copy(conditional_run)
    assert "is not replaced" in command("export", run, "--to", "hub", "--out", run, "--force").sentence()
    assert wgan.load(run).step == 2


def test_an_export_that_fails_leaves_nothing(conditional_run, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "save_png", lambda *_: (_ for _ in ()).throw(WganError("disk full")))
    with pytest.raises(WganError, match="disk full"):
        export_hub(wgan.load(conditional_run), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def change(folder, **changes):
    """Change what config.json says; a function is applied to what is there, None takes the key away."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    for key, value in changes.items():
        values[key] = value(values[key]) if callable(value) else value
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


HOSTILE = [
    ({"format": 99}, "has format 99, this wgan reads up to 1"),
    ({"format": None}, "has no format number"),
    ({"library_name": "diffusers"}, "another library"),
    ({"facts": None}, "lacks facts or options"),
    ({"options": 3}, "lacks facts or options"),
    ({"step": -1}, "damaged"),
    ({"weights": "../../etc/passwd"}, "damaged"),
    ({"sha256": "0" * 64}, "sha256"),
    ({"facts": lambda f: {**f, "shape": [4096, 65536, 65536]}}, "says what no run can be"),
    ({"facts": lambda f: {**f, "shape": [1, 64, 64]}}, "does not fit"),
    ({"facts": lambda f: {**f, "classes": 9, "class_names": list("012345678")}}, "does not fit"),
    ({"options": lambda o: {**o, "generator_layers": "999999 999999 999999"}}, "does not fit"),
    ({"options": lambda o: {**o, "latent": 10**9}}, "latent"),
    ({"options": lambda o: {**o, "surprise": 1}}, "surprise"),
]


@pytest.mark.parametrize(("changes", "said"), HOSTILE, ids=lambda v: None if isinstance(v, dict) else v[:25])
def test_a_hostile_config_gets_one_sentence(exported, changes, said, command, tmp_path):
    change(exported, **changes)
    sentence = command("sample", exported, "--out", tmp_path / "s.png").sentence()
    assert said in sentence and not (tmp_path / "s.png").exists()


def test_a_huge_critic_in_the_config_takes_no_memory(exported):
    """The weights hold no critic, so nothing would tell its size before it was built."""
    change(exported, options=lambda o: {**o, "critic_layers": "999999 999999 999999"})
    assert wgan.load(exported).sample(2).shape == (2, 1, 28, 28)


@pytest.mark.parametrize("damage", ["gone", "torn", "other", "folder"])
def test_damaged_weights_get_one_sentence(exported, damage, command):
    path = exported / "model.safetensors"
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "gone":
        path.write_bytes(data[:-7] if damage == "torn" else bytes(len(data)))
    assert "model.safetensors" in command("sample", exported).sentence()


def test_weights_of_another_network_are_refused(exported, ring_run, tmp_path, command):
    export_hub(wgan.load(ring_run), tmp_path / "ring")
    shutil.copy(tmp_path / "ring" / "model.safetensors", exported)
    sha256 = hashlib.sha256((exported / "model.safetensors").read_bytes()).hexdigest()
    change(exported, sha256=sha256)
    assert "does not fit its config.json" in command("sample", exported).sentence()


@pytest.mark.parametrize("words", [("--checkpoint", "1"), ("--checkpoint", "best"), ("--raw",)])
def test_a_checkpoint_the_model_does_not_hold_is_refused(exported, words, command):
    assert "is an exported model" in command("sample", exported, *words).sentence()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "pickle"), "unknown target 'pickle'"),
        (("--to", "hub", "--push", "no name"), "is not a name on the hub"),
        (("--to", "hub", "--out", "a/b/c"), "does not exist"),
    ],
)
def test_a_mistake_in_the_words_gets_one_sentence(conditional_run, words, said, command, here):
    assert said in command("export", conditional_run, *words).sentence()
    assert list(here.iterdir()) == []
