"""The site of the docs: its navigation lists every page once, and it builds strictly where mkdocs is installed."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def listed(entries):
    """Return the pages of a navigation, in order."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            (value,) = entry.values()
            yield from [value] if isinstance(value, str) else listed(value)


def navigation():
    return list(listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))


def test_the_navigation_lists_every_page_once():
    pages = navigation()
    assert len(pages) == len(set(pages))
    wanted = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md") if p.parent.name != "recipes"}
    assert set(pages) == wanted | {"recipes/README.md"}  # whose table leads to each recipe's page


def test_a_link_to_the_source_becomes_its_name():
    spec = importlib.util.spec_from_file_location("site_links", ROOT / "tools" / "site_links.py")
    links = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(links)

    class Page:
        class file:
            src_uri = "lab/speed.md"

    text = (
        "see [losses.py](../../src/wgan/losses.py), [notes](../../benchmarks/NOTES.md) and [data](../reference/data.md)"
    )
    expected = "see `src/wgan/losses.py`, notes (`benchmarks/NOTES.md`) and [data](../reference/data.md)"
    assert links.on_page_markdown(text, page=Page) == expected
    assert links.on_page_markdown(r"| `RUN\|FILE` | a \| b |", page=Page) == r"| `RUN|FILE` | a \| b |"


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path):
    beside = Path(sys.executable).with_name("mkdocs")
    program = str(beside) if beside.exists() else shutil.which("mkdocs")
    if program is None:
        pytest.skip("pip install '.[docs]'")
    done = subprocess.run([program, "build", "--strict", "-q", "-d", tmp_path / "site"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert (tmp_path / "site" / "guide" / "start" / "index.html").exists()


def test_the_page_to_play_with_is_small_and_asks_no_server():
    page = DOCS / "play.html"
    text = page.read_text("utf-8")
    assert page.stat().st_size < 8e6
    assert "CC BY-SA 3.0" in text  # of the data that it learned from
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
