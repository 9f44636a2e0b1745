"""hf:user/name and --push against a stand-in for the hub on loopback: no token, no network."""

import sys

import pytest
import torch
from helpers.hub_server import Hub
from huggingface_hub import constants

import wgan
from wgan.errors import WganError
from wgan.export.hub import export_hub
from wgan.runs.exported import FILES, hub_name

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "")
    with Hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield found


@pytest.fixture
def pushed(hub, conditional_run, tmp_path, command):
    """The answer of a push of the conditional run."""
    words = ("--to", "hub", "--out", tmp_path / "m", "--push", "ada/digits")
    return command("export", conditional_run, *words)


def test_a_pushed_model_is_loaded_by_its_name(pushed, hub, conditional_run, tmp_path, command):
    assert pushed.code == 0 and pushed.out.endswith("pushed to " + hub.url + "/ada/digits\n"), pushed
    assert set(FILES) <= set(hub.files)
    assert torch.equal(wgan.load("hf:ada/digits").sample(7), wgan.load(conditional_run).sample(7))
    assert 'wgan.load("hf:ada/digits")' in hub.files["README.md"].decode()
    for path, out in ((conditional_run, "a.npz"), ("hf:ada/digits", "b.npz")):
        assert command("sample", path, "-n", "3", "--out", tmp_path / out).code == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert not any("README" in path and "resolve" in path for path in hub.asked)  # only what is needed is fetched


def test_a_name_that_is_not_there_gets_one_sentence(hub, command, tmp_path):
    sentence = command("sample", "hf:ada/missing", "--out", tmp_path / "s.png").sentence()
    assert sentence.startswith("cannot download hf:ada/missing")


def test_a_hub_that_refuses_the_push_is_quoted_in_one_sentence(hub, conditional_run, tmp_path, command, monkeypatch):
    monkeypatch.setattr(hub, "post", lambda handler, body: handler.answer({"error": "no"}, 403))
    words = ("--to", "hub", "--out", tmp_path / "m", "--push", "ada/digits")
    assert command("export", conditional_run, *words).sentence().startswith("cannot push to ada/digits: ")
    assert wgan.load(tmp_path / "m").step == 2  # what was written stays


@pytest.mark.parametrize("name", ["", "digits", "../x", "a/b/c", "a b", "a/..", "/etc/passwd"])
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(WganError, match="is not a name on the hub"):
        hub_name(name)


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch, conditional_run, tmp_path, command):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'wgan[hub]'" in command("sample", "hf:ada/digits").sentence()
    words = ("--to", "hub", "--out", tmp_path / "n", "--push", "ada/digits")
    assert "pip install 'wgan[hub]'" in command("export", conditional_run, *words).sentence()
    assert not (tmp_path / "n").exists()  # said before anything is written
    export_hub(wgan.load(conditional_run), tmp_path / "m")  # the folder needs no extra
