"""docs/reference/export.md: every command and every program on it runs, and what it says of numbers is so."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import wgan
from wgan.cli import main as cli
from wgan.export import guard, onnx, page, patience, serve, worker

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "export.md").read_text()
SHORT = {"evaluate": ["-n", "100", "--metrics", "fid-lenet"]}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def commands(language):
    """Return the words of each command in the blocks of a language."""
    lines = [line.removeprefix("$ ") for text in blocks(language) for line in text.splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def folder(conditional_run, tmp_path_factory):
    """A folder in which each command of the page ran, from the first to the last."""
    pytest.importorskip("onnxruntime")
    made = tmp_path_factory.mktemp("page")
    shutil.copytree(conditional_run, made / "runs" / "mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for program, *words in commands("bash"):
            assert program == "wgan"
            assert cli.main([*words, *SHORT.get(words[0], [])]) == 0, words
    return made


def test_every_command_of_the_page_runs(folder):
    assert {"digits", "hundred.png", "digits.html", "digits.onnx", "critic.onnx"} <= {p.name for p in folder.iterdir()}
    assert (folder / "digits" / "metrics.json").exists()


def test_every_program_of_the_page_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    programs = blocks("python")
    assert len(programs) == 3
    for text in programs:
        exec(compile(text, "export.md", "exec"), {})


def test_what_needs_others_is_well_formed():
    """Commands that need a hub, or that serve until they are stopped."""
    shown = commands("console")
    assert [words[0] for words in shown] == ["wgan", "wgan", "wgan", "curl"]
    for words in shown[:3]:
        assert "function" in cli.parse(words[1:])


def test_the_request_of_the_page_is_answered(conditional_run):
    pytest.importorskip("uvicorn")
    from helpers.serving import Served

    words = commands("console")[-1]
    assert words[words.index("-H") + 1] == "Content-Type: application/json"
    with Served(serve.application(wgan.load(conditional_run))) as server:
        status, headers, data = server.ask("POST", "/sample", json.loads(words[words.index("-d") + 1]))
    assert status == 200 and headers["content-type"] == "image/png" and data.startswith(b"\x89PNG")


def test_the_numbers_of_the_page_are_those_of_the_program():
    assert f"`n` up to {serve.MOST:,}" in TEXT and f"{worker.REQUESTS} requests and\n{worker.SAMPLES:,} samples" in TEXT
    assert f"one request for {worker.SECONDS:g} seconds" in TEXT and (patience.HEAD, patience.TAKING) == (10, 120)
    assert f"at most {guard.Guard.most // 1024} kB" in TEXT and guard.Guard.seconds == 10
    assert f"over {onnx.CHECKED:,} latents" in TEXT and f"beyond {onnx.BOUND:.4f} the file" in TEXT
    assert onnx.BATCHES == (1, 2, 7, 64) and "batches of 1, 2, 7 and 64" in TEXT
    assert page.MOST_ROWS == 10_000
