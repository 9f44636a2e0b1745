"""Look at an exported page in a real browser, from disk: every control works, nothing complains, nothing is fetched."""

from pathlib import Path

import pytest
from helpers.browser import PROGRAM, Browser
from helpers.child_processes import make_cheap
from helpers.models import KINDS, TOLD, given_numbers, untrained
from helpers.pages import page_of

from wgan.cli import main as cli
from wgan.export.card import card_of
from wgan.export.page import render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium to look at the page with"),
]
PLAY = Path(__file__).parents[2] / "docs" / "play.html"
DONE = (
    "new Promise(done => { const look = () => / in [0-9.]+ s/.test(document.getElementById('said').textContent) "
    "? done() : setTimeout(look, 30); look(); })"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the pages of images by class, of points, and of a table with columns of any kind, with and without classes."""
    folder, made = tmp_path_factory.mktemp("pages"), []
    for kind in ("transposed", "vectors"):
        shape, classes, options = KINDS[kind]
        model = untrained(shape, classes, **options)
        made.append(folder / f"{kind}.html")
        made[-1].write_text(render(model, card_of(model, kind)))
    lines = [f"{i % 50},{'red' if i % 3 else 'blue'},2024-01-{1 + i % 28:02},{'NS'[i % 2]}" for i in range(200)]
    (folder / "shop.csv").write_text("\n".join(["amount,colour,day,shop", *lines]) + "\n")
    words = ["--data", str(folder / "shop.csv"), *["--steps", "1", "--batch", "16", "--threads", "1"]]
    for name, more in (("shop", ["--labels", "shop"]), ("asked", [])):
        with pytest.MonkeyPatch.context() as patch:
            make_cheap(patch.setattr)
            assert cli.main(["train", *words, *more, "--run", str(folder / name)]) == 0
        assert cli.main(["export", str(folder / name), "--to", "page", "--out", str(folder / f"{name}.html")]) == 0
        made.append(folder / f"{name}.html")
    return made


@pytest.fixture(scope="module")
def browser():
    with Browser() as found:
        yield found


def pixels(browser, box):
    """Return what a canvas shows, as text."""
    return browser.run(f"document.querySelector('#{box} canvas').toDataURL()")


def change(browser, name, value, event):
    browser.run(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('{event}')); }})(document.getElementById('{name}'))"
    )
    browser.run(DONE)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_page_fits_and_nothing_complains(browser, pages, number, width, dark):
    browser.open(pages[number], width, 900, dark)
    browser.run(DONE)
    assert browser.complaints() == []
    assert browser.requests() == [pages[number].as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_the_table_of_metrics_fits_a_phone(browser):
    browser.open(PLAY, 390, 900)
    browser.run(DONE)
    widths = browser.run("[...document.querySelectorAll('.scroll')].map(e => [e.scrollWidth, e.clientWidth])")
    assert widths and all(inside <= outside for inside, outside in widths), widths


def test_label_seed_slider_and_walk_change_what_is_seen(browser, pages):
    browser.open(pages[0])
    browser.run(DONE)
    first = pixels(browser, "samples")
    change(browser, "label", "7", "change")
    seven = pixels(browser, "samples")
    change(browser, "seed", "5", "change")
    assert len({first, seven, pixels(browser, "samples")}) == 3
    change(browser, "seed", "0", "change")
    assert pixels(browser, "samples") == seven  # the same seed, the same samples
    one = pixels(browser, "one")
    browser.run(
        "(e => { e.value = 3; e.dispatchEvent(new Event('input')); })(document.querySelector('#sliders input'))"
    )
    assert pixels(browser, "one") != one
    browser.run("document.getElementById('reset').click()")
    assert pixels(browser, "one") == one
    step = pixels(browser, "step")
    browser.run("(e => { e.value = 0.5; e.dispatchEvent(new Event('input')); })(document.getElementById('walk'))")
    assert pixels(browser, "step") != step
    browser.run("document.getElementById('play').click()")
    browser.run(
        "new Promise(done => { const look = () => document.getElementById('play').textContent === 'Play' ? done() "
        ": setTimeout(look, 50); look(); })"
    )
    assert pixels(browser, "step") == one and browser.complaints() == []


def test_a_sample_is_chosen_by_the_mouse_and_by_its_number(browser, pages):
    browser.open(pages[0])
    browser.run(DONE)
    place = browser.run(
        "(r => [r.left + r.width * 0.95, r.top + 5])(document.querySelector('#samples canvas').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(*place, kind, button="left", clickCount=1)
    assert browser.run("document.getElementById('number').value") == "9"
    nine = pixels(browser, "one")
    change(browser, "number", "3", "change")
    assert pixels(browser, "one") != nine
    change(browser, "number", "9", "change")
    assert pixels(browser, "one") == nine and browser.complaints() == []


def test_a_table_shows_its_columns_and_walks(browser, pages):
    browser.open(pages[2])
    browser.run(DONE)
    assert browser.run("document.querySelector('#samples thead').innerText").split() == [
        "amount",
        "colour",
        "day",
        "shop",
    ]
    cells = "[...document.querySelectorAll('#samples tbody tr')].map(row => row.innerText.split('\\t'))"
    assert {row[3] for row in browser.run(cells)} == {"N", "S"}
    change(browser, "label", "1", "change")
    rows = browser.run(cells)
    assert {row[3] for row in rows} == {"S"} and all(row[2].startswith("2024-01-") for row in rows)
    browser.run("document.querySelectorAll('#samples tbody tr')[4].click()")
    assert browser.run("document.getElementById('number').value") == "4"
    assert browser.run("document.querySelectorAll('#strip tbody tr').length") == 9
    assert browser.complaints() == []


def test_rows_have_the_values_that_are_asked_for(browser, pages):
    browser.open(pages[3])
    browser.run(DONE)
    cells = "[...document.querySelectorAll('#samples tbody tr')].map(row => row.innerText.split('\\t'))"
    assert len({row[1] for row in browser.run(cells)}) == 2
    browser.run("document.querySelector('details').open = true")
    shown = browser.run("[...document.querySelectorAll('#where label')].map(l => l.innerText.split('\\n')[0].trim())")
    assert shown == ["colour", "shop"]
    for value in ("blue", "red"):
        browser.run(
            f"(s => {{ s.value = [...s.options].find(o => o.text === '{value}').value; s.dispatchEvent(new Event('change')); }})"
            "(document.querySelector('#where select'))"
        )
        browser.run(DONE)
        assert {row[1] for row in browser.run(cells)} == {value}
    assert browser.complaints() == []


def test_conditions_have_a_slider_and_a_list(browser, tmp_path):
    shape, options = TOLD["transposed"]
    (tmp_path / "told.html").write_text(page_of(untrained(shape, conditions=given_numbers(), **options)))
    browser.open(tmp_path / "told.html")
    browser.run(DONE)
    assert browser.run("[...document.querySelectorAll('#told label')].map(l => l.firstChild.data.trim())") == [
        "energy",
        "count",
        "kind",
    ]
    levels = browser.run("[...document.querySelectorAll('#told option')].map(o => o.text)")
    assert levels == ["all in turn", "muon", "pion, charged"]  # the third was never learned
    seen = {pixels(browser, "samples")}
    for place, value in ((0, 85), (1, 2), (2, 1)):
        control = f"[...document.querySelectorAll('#told input, #told select')][{place}]"
        one = pixels(browser, "one")
        browser.run(f"(e => {{ e.value = {value}; e.dispatchEvent(new Event('input')); }})({control})")
        assert place == 2 or pixels(browser, "one") != one
        browser.run(f"{control}.dispatchEvent(new Event('change'))")
        browser.run(DONE)
        seen.add(pixels(browser, "samples"))
    assert len(seen) == 4
    assert browser.run("[...document.querySelectorAll('#told output')].map(o => o.textContent)") == ["85", "2", ""]
    assert browser.complaints() == []


def test_points_are_rows_that_can_be_saved(browser, pages):
    browser.open(pages[1])
    browser.run(DONE)
    assert browser.run("document.querySelectorAll('#samples tbody tr').length") == 20
    text = browser.run("csv(250)")
    lines = text.split("\n")
    assert lines[0] == "x0,x1,x2,x3,x4" and len(lines) == 252 and lines[-1] == ""
    shown = browser.run("[...document.querySelectorAll('#samples tbody tr')][7].innerText").split("\t")
    assert [float(cell) for cell in shown] == pytest.approx([float(c) for c in lines[8].split(",")], rel=1e-4, abs=1e-5)
