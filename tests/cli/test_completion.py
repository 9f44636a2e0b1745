"""wgan completion: the script is tried in a real shell, with the words that someone has typed so far."""

import shlex
import subprocess
import sys

import pytest

from wgan.cli import main as cli
from wgan.recipes import RECIPES


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    """Return a function that completes a line in bash, within a folder that holds a run and a file."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "runs" / "moons").mkdir(parents=True)
    (folder / "photos.zip").touch()
    made = subprocess.run([sys.executable, "-m", "wgan", "completion", "bash"], capture_output=True, text=True)
    assert made.returncode == 0 and made.stderr == ""
    (folder / "script").write_text(made.stdout)

    def complete(line):
        words = line.split(" ")
        text = f"source ./script\nCOMP_WORDS=({shlex.join(words)})\nCOMP_CWORD={len(words) - 1}\n"
        text += '_shtab_wgan "${COMP_WORDS[@]}"\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
        found = subprocess.run(["bash", "-c", text], capture_output=True, text=True, cwd=folder)
        assert found.stderr == "", found.stderr
        return set(found.stdout.split())

    return complete


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("wgan ", set(cli.commands_of(cli.parser()))),
        ("wgan in", {"interpolate"}),
        ("wgan train sma", {name for name in RECIPES if name.startswith("sma")}),
        ("wgan train ph", {"photos.zip"}),
        ("wgan train --crit", {"--critic", "--critic-layers", "--critic-norm", "--critic-lr"}),
        ("wgan train --objective wgan-", {"wgan-clip", "wgan-gp", "wgan-lp", "wgan-div"}),
        ("wgan train --data photos", {"photos.zip"}),
        ("wgan sample mo", {"moons"}),
        ("wgan sample --tr", {"--truncation"}),
        ("wgan compare lsg", {"lsgan"}),
        ("wgan benchmark gri", {"grid"}),
        ("wgan train --config pho", {"photos.zip"}),
    ],
)
def test_bash_completes_what_was_begun(bash, line, some):
    found = bash(line)
    assert some <= found, found
    assert all(word.startswith(line.split(" ")[-1]) for word in found)


def test_a_zsh_script_names_every_command(command):
    found = command("completion", "zsh")
    assert found.code == 0 and found.out.startswith("#compdef wgan\n") and "_wgan_runs()" in found.out
    assert all(f"    {name}:'" in found.out for name in cli.commands_of(cli.parser()))


def test_another_shell_or_no_shtab_is_one_sentence(command, monkeypatch):
    assert "unknown shell 'fsh': did you mean zsh" in command("completion", "fsh").sentence()
    assert "required: SHELL" in command("completion").sentence()
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert (
        command("completion", "bash").sentence() == "completion needs the package shtab: pip install 'wgan[completion]'"
    )
