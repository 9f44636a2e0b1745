"""The options of wgan.train that an editor knows are those of Config, and `import wgan` stays light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wgan.config import FIELDS
from wgan.config.keywords import Options

ROOT = Path(__file__).parents[2]
SNIPPET = """
import torch
from torch import nn
import wgan

run: wgan.Run = wgan.train("mnist", steps=3, objective="hinge", lr=1e-4, critic_lr=None, flip=True)
wgan.train(generator=nn.Linear(1, 1), optimizer=lambda w: torch.optim.SGD(w, 0.1), objective=wgan.Objective(abs, abs, abs))
wgan.train(penalty_weight="auto", on_step=lambda step, numbers: wgan.STOP)
samples: wgan.Samples = wgan.load(run).sample(3)
wgan.train(stepz=3)
wgan.train(steps="many")
wgan.train(objective="wgan-pg")
wgan.trane()
"""


def test_the_keywords_are_written_from_config(script):
    tool = script("tools", "keywords")
    assert tool.FILE.read_text() == tool.page()
    assert [*Options.__annotations__] == [name for name in FIELDS if name not in ("recipe", "data")]
    assert not Options.__required_keys__


def test_each_keyword_has_the_help_of_its_option():
    body = ast.parse((ROOT / "src/wgan/config/keywords.py").read_text()).body[-1].body[1:]
    texts = {a.target.id: " ".join(t.value.value.split()) for a, t in zip(body[::2], body[1::2], strict=True)}
    for name, text in texts.items():
        assert text.startswith(FIELDS[name].help), name
        assert f"(default: {FIELDS[name].word(FIELDS[name].default)}" in text, name


def test_import_wgan_loads_nothing_but_the_standard_library():
    code = "import sys; before = {*sys.modules}; import wgan; print(*sorted(m for m in {*sys.modules} - before if m[0] != '_'))"
    found = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT / "src")
    assert [name for name in found.stdout.split() if "wgan" in name] == ["wgan"], found
    assert not {name.partition(".")[0] for name in found.stdout.split()} - sys.stdlib_module_names - {"wgan"}


@pytest.mark.slow
def test_a_type_checker_knows_every_option(tmp_path):
    (tmp_path / "use.py").write_text(SNIPPET)
    words = [sys.executable, "-m", "mypy", "--follow-imports=silent", str(tmp_path / "use.py")]
    found = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "MYPYPATH": "src"})
    errors = [line for line in found.stdout.splitlines() if ": error:" in line]
    lines = {int(line.rpartition("use.py:")[2].partition(":")[0]) for line in errors}
    assert lines == {10, 11, 12, 13}, found.stdout
