"""Test that the reference is what the program says: options, flags, and the files of a run folder."""

import re
from pathlib import Path

import pytest

from wgan.cli.main import commands_of, parser
from wgan.config import FIELDS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def tool(script):
    return script("tools", "reference_pages")


def test_the_pages_are_written_from_the_source(tool):
    assert tool.OPTIONS.read_text() == tool.options_page()
    assert tool.COMMANDS.read_text() == tool.commands_page()


def test_every_option_and_every_flag_stands_on_its_page(tool):
    rows = re.findall(r"^\| `--([\w-]+)`", tool.options_page(), re.M)
    assert sorted(rows) == sorted(name.replace("_", "-") for name in FIELDS if name != "recipe")
    sections = dict(re.findall(r"^### wgan (\w+)\n(.*?)(?=^### |\Z)", tool.commands_page(), re.M | re.S))
    for name, command in commands_of(parser()).items():
        said = sections.get(name, "")
        known = {f"--{field.replace('_', '-')}" for field in FIELDS} if "options.md" in said else set()
        missing = [f for f in command.flags() if f"`{f}" not in said and f.replace("--no-", "--") not in known]
        assert [f for f in missing if f not in ("-h", "--help", "--help-all")] == [], name


def test_every_file_of_a_run_is_on_the_page_of_the_folder(digits_run, reported_run):
    page = (REFERENCE / "run_folder.md").read_text()
    named = [re.escape(word).replace("N", r"[\w-]+") for word in re.findall(r"^\| (`.*?) \|", page, re.M)]
    patterns = [word for cell in named for word in re.findall("`([^`]+)`", cell)]
    files = {str(f.relative_to(run)) for run in (digits_run, reported_run) for f in run.rglob("*") if f.is_file()}
    assert len(files) > 12 and "checkpoints/step-00000002.safetensors" in files
    for file in files:
        shown = file.replace(".json", ".safetensors") if file.startswith("checkpoints/") else file
        assert any(re.fullmatch(p, shown) or (shown.startswith(p) and p.endswith("/")) for p in patterns), file
