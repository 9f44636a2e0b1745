"""The guide: every page begins with a command, stays short, and its commands run in their order."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.child_processes import make_cheap
from helpers.documents import blocks, commands, shortened
from PIL import Image

import wgan
from wgan.cli import main as cli
from wgan.cli import processes

GUIDE = sorted((Path(__file__).parents[2] / "docs" / "guide").glob("*.md"))
PAGES = [page for page in GUIDE if page.name != "README.md"]
WORDS = 800  # of a page
COLUMNS = "-n 100 --metrics columns,row-copies"  # of tables
INCOME = ["<=50K", ">50K"]
PIXELS = "-n 100 --metrics sliced-w1"  # what applies to images of any kind


def short(words):
    """Return the words of a command, made short."""
    if words[0] == "evaluate" and words[1] in ("people", "rows.csv"):
        return [*words, *shlex.split(COLUMNS)]
    return [*words, *shlex.split(PIXELS)] if words[:2] == ["evaluate", "photos"] else shortened(words)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader's folder: images in two classes, a trained run of them and of digits, samples."""
    path = tmp_path_factory.mktemp("guide")
    draw = np.random.default_rng(0)
    for kind in ("cats", "dogs"):
        (path / "photos" / kind).mkdir(parents=True)
        for number in range(210):  # 20 held out to choose by, as augment_target needs
            pixels = draw.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / "photos" / kind / f"{number}.png")
    people(path / "people.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        make_cheap(patch.setattr)
        for line in ("train", "train photos", "sample mnist -n 200 --out digits.npz"):
            assert cli.main(short(line.split())) == 0
    return path


def people(path):
    """Write a table of numbers, words, dates and missing cells."""
    draw = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        town, month, (wage, bonus) = draw.integers(3), draw.integers(1, 9), draw.integers(100, 900, 2)
        place = f"{('Bonn', 'Ulm', '?')[town]},{(53111, 89073, 10115)[town]}"
        dates = f"2024-0{month}-11,2024-0{draw.integers(month, 10)}-12"
        rows.append(f"{draw.integers(18, 90)},{place},{dates},{wage},{bonus},{wage + bonus},{draw.choice(INCOME)}")
    path.write_text("\n".join(["age,town,zip,joined,left,wage,bonus,total,income", *rows]) + "\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_begins_with_a_command_and_its_picture(page):
    text = page.read_text()
    assert len(text.split()) <= WORDS
    first, picture = text.split("\n\n")[1:3]
    assert first.startswith(("```bash\nwgan ", "```console\n$ wgan "))
    assert picture.startswith("![")
    assert f"({page.name})" in (page.parent / "README.md").read_text()


def test_each_trouble_that_can_be_seen_has_a_picture():
    sections = (GUIDE[0].parent / "problems.md").read_text().split("\n## ")[1:]
    bare = {text.splitlines()[0] for text in sections if "![" not in text}
    assert bare == {
        "The critic diverges",
        "Not a number",
        "It is slow",
    }  # the first stands under the picture of the page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_commands_of_a_page_run_in_their_order(page, reader, tmp_path, monkeypatch, capsys):
    """Those in bash and console blocks; what stands in sh blocks needs several machines."""
    shutil.copytree(reader, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    make_cheap(monkeypatch.setattr)
    monkeypatch.setattr(processes, "launch", lambda *_: 0)
    lines = commands(page, "bash", "console")
    assert lines
    compared = False
    for words in lines:
        if words[-1:] == ["digits.npz"]:  # the reader makes it
            Path("digits.npz").unlink()
        # every part of a comparison runs once for a page
        less = ["--parts", "quality"] if words[0] == "compare" and compared else []
        compared |= words[0] == "compare"
        assert cli.main([*short(words), *less]) == 0, (words, capsys.readouterr())


@pytest.mark.parametrize("page", [p for p in GUIDE if blocks(p, "python")], ids=lambda p: p.stem)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_cheap(monkeypatch.setattr)
    train = wgan.train
    short = {"steps": 2, "batch": 8, "threads": 1}
    monkeypatch.setattr(wgan, "train", lambda *a, **k: train(*a, **{**k, **short}), raising=False)
    for text in blocks(page, "python"):
        exec(compile(text, page.name, "exec"), {"__name__": "__main__"})
