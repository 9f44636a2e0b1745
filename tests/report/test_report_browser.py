"""Look at a report in a real browser: nothing complains, nothing is fetched, the slider moves, it fits the screen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.browser import PROGRAM, Browser
from helpers.report_runs import figure, write_metrics, write_run
from PIL import Image

from wgan.report import page as report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium to look at the report with"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the page of one run and the page of two."""
    folder = tmp_path_factory.mktemp("pages")
    runs = [write_run(folder / "one", grids=5), write_run(folder / "two", grids=3, seed=1, objective="wgan-lp")]
    write_metrics(
        runs[0], *(figure(name, 0.5, note="a long note " * 9) for name in ("fid-lenet", "coverage", "copies"))
    )
    report.write_report(runs[:1], folder / "one.html")
    report.write_report(runs, folder / "two.html")
    return folder / "one.html", folder / "two.html"


@pytest.fixture(scope="module")
def browser():
    with Browser() as found:
        yield found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("number", [0, 1])
def test_a_page_fits_and_nothing_complains(browser, pages, tmp_path, number, width, dark):
    browser.open(pages[number], width, 900, dark)
    assert browser.complaints() == []
    assert browser.requests() == [pages[number].as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.screenshot(tmp_path / "shot.png", whole=False)
    paper = np.asarray(Image.open(io.BytesIO((tmp_path / "shot.png").read_bytes())).convert("L"))[2, 2]
    assert (paper < 60) == dark and (paper > 200) == (not dark)


def test_the_slider_moves_the_grid_and_the_other_runs_follow(browser, pages):
    browser.open(pages[1])
    state = (
        "[...document.querySelectorAll('[data-viewer]')]"
        ".map(v => [v.querySelector('[data-step]').textContent, v.querySelector('img').src])"
    )
    before = browser.run(state)
    assert [step for step, _ in before] == ["step 200", "step 200"]
    browser.run("document.querySelector('input').scrollIntoView({block: 'center'})")
    place = browser.run(
        "(r => [r.left + r.width * 0.02, r.top + r.height / 2])(document.querySelector('input').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(*place, kind, button="left", clickCount=1)
    after = browser.run(state)
    assert [step for step, _ in after] == ["step 0", "step 0"]
    assert all(a[1] != b[1] for a, b in zip(after, before, strict=True))
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
    )
    # 5 grids here, 3 there: the other shows its newest grid up to step 50
    assert [step for step, _ in browser.run(state)] == ["step 50", "step 0"]
    spoken = "[...document.querySelectorAll('input')].map(range => range.getAttribute('aria-valuetext'))"
    assert browser.run(spoken) == ["step 50", "step 0"]
    for kind in ("keyUp", "keyDown"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    assert [step for step, _ in browser.run(state)] == ["step 100", "step 100"]
    assert browser.complaints() == []


def test_play_runs_through_the_grids_and_stops_at_the_last(browser, pages):
    browser.open(pages[0])
    browser.run("document.querySelector('button').click()")
    wait = (
        "new Promise(done => { const look = () => document.querySelector('button').textContent === 'Play' ? done() "
        ": setTimeout(look, 50); look(); })"
    )
    browser.run(wait)
    assert browser.run("document.querySelector('[data-step]').textContent") == "step 200"


def test_a_chart_tells_the_values_under_the_mouse(browser, pages):
    browser.open(pages[0])
    browser.run("document.querySelector('[data-chart] svg').scrollIntoView({block: 'center'})")
    place = browser.run(
        "(r => [r.left + r.width / 2, r.top + r.height / 2])(document.querySelector('[data-chart] svg').getBoundingClientRect())"
    )
    browser.mouse(*place)
    assert browser.run("document.querySelector('.tip').hidden") is False
    text = browser.run("document.querySelector('.tip').innerText")
    assert text.startswith("step ") and "training" in text
    browser.mouse(1, 1)
    assert browser.run("document.querySelector('.tip').hidden") is True


def test_without_scripts_grid_animation_and_curves_are_there(browser, pages, tmp_path):
    browser.open(pages[0], scripts=False)
    browser.screenshot(tmp_path / "plain.png")
    browser.open(pages[0], scripts=True)
    browser.screenshot(tmp_path / "full.png")
    plain, full = (Image.open(tmp_path / f"{name}.png") for name in ("plain", "full"))
    # only the slider's row is missing
    assert 20 < full.height - plain.height < 60
    assert len(plain.convert("RGB").getcolors(1 << 24)) > 200
