"""docs/reference/commands.md names every command, and what it says of names, files and options is so."""

import json
import re
import tomllib
from pathlib import Path

from wgan.api import plan
from wgan.cli import main as cli
from wgan.recipes import configure

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "commands.md").read_text()


def test_the_page_has_a_row_for_each_command_and_no_other():
    assert set(re.findall(r"^\| `wgan (\w+)", PAGE, re.M)) == set(cli.commands_of(cli.parser()))


def test_the_page_says_which_commands_tell_programs():
    line = re.search(r"`--json` of (.*?) prints", PAGE, re.S)[1]
    assert set(re.findall(r"`(\w+)`", line)) == {
        name for name, p in cli.commands_of(cli.parser()).items() if "--json" in p.flags()
    }


def test_the_file_of_the_page_is_one(here):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    (here / "small.toml").write_text(text)
    (here / "small.json").write_text(json.dumps(tomllib.loads(text)))
    wanted = configure("small-mlp-gp", {"data": "mnist:0-4", "steps": 2000, "critic_lr": 2e-4})
    assert plan(None, {}, None, "small.toml").config == plan(None, {}, None, "small.json").config == wanted
