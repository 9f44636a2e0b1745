"""Test that quality is quoted as a mean over seeds with its spread, or as one run: in `wgan recipes`, README and the pages."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest

from wgan.recipes import RECIPES

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SEEDS = {
    "mnist": ["recipes/mnist", "mnist-seed-1", "mnist-seed-2"],
    "fashion": ["recipes/fashion", "fashion-seed-1", "fashion-seed-2"],
}


def kept(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def over_seeds(recipe, metric):
    """Return the metric's value at the last step for each seed."""
    results = [kept(name)["metrics"]["results"][0]["figures"] for name in SEEDS[recipe]]
    return [next(f["value"] for f in figures if f["name"] == metric) for figures in results]


def six(metric):
    return [seed[metric] for seed in kept("mnist-six-seeds")["seeds"].values()]


def points(recipe):
    first = kept(f"recipes/{recipe}")["metrics"]["results"][0]["figures"]
    own = next(f["value"] for f in first if f["name"] == "modes-high-quality")
    return [
        own,
        *(kept("points-seeds")["seeds"][f"{recipe} {k}"]["last"]["modes-high-quality"]["value"] for k in (1, 2)),
    ]


def quoted(values, digits=4, unit=1):
    return f"{unit * statistics.mean(values):.{digits}f} ± {unit * statistics.stdev(values):.{digits}f}"


@pytest.mark.parametrize("name", RECIPES)
def test_every_expected_number_names_its_seeds_or_is_one_run(name):
    text = RECIPES[name].expected
    seeds = re.search(r"\((?:(\d+) seeds|one run)[;)]", text)
    assert bool(seeds) == bool(re.search(r"\d", text)), text
    assert ("±" in text) == bool(seeds and seeds[1]), text  # a spread is one over seeds


def test_expected_means_are_those_of_the_committed_runs():
    assert quoted(six("relative-fid")) in RECIPES["mnist"].expected and len(six("relative-fid")) == 6
    assert quoted(over_seeds("fashion", "cas"), 1, 100) in RECIPES["fashion"].expected
    for name in ("ring", "grid"):
        assert quoted(points(name), 1, 100) in RECIPES[name].expected


def table_of(page):
    lines = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| ")]
    return {
        cells[0].strip(): [c.strip() for c in cells[1:]] for cells in (line.strip("| ").split("|") for line in lines)
    }


def test_the_readme_and_the_page_quote_means_over_seeds():
    distance, right = quoted(six("relative-fid")), quoted(six("label-accuracy"), 1, 100) + " %"
    said = [
        cells[0] for name, cells in table_of("README.md").items() if "relative-fid" in name or "as requested" in name
    ]
    assert said == [distance, right]
    page = table_of("docs/recipes/mnist.md")
    three = [quoted(over_seeds("mnist", name), 3) for name in ("precision", "recall", "coverage")]
    assert page["precision, recall, coverage"][:2] == [", ".join(three), "3"]
    assert page["certified-w1, by the normal interval of then"][0] == quoted(over_seeds("mnist", "certified-w1"), 2)
    text = (ROOT / "docs/recipes/mnist.md").read_text()
    for row in ("relative-fid | " + distance + " | 6", "label-accuracy | " + right + " | 6"):
        assert row in text
    assert f"| cas | {quoted(over_seeds('mnist', 'cas'), 1, 100)} % | 3 |" in text


def test_the_table_of_recipes_says_what_the_command_says(script):
    assert (ROOT / "docs/recipes/README.md").read_text() == script("tools", "recipe_page").index()


def last(name):
    """Return the metrics of a committed run's last step, by name."""
    return {f["name"]: f for f in kept(name)["metrics"]["results"][0]["figures"]}


def test_the_gallery_quotes_the_committed_table():
    page, found = (ROOT / "docs/gallery.md").read_text(), last("breast-cancer")
    for digits, *names in ((3, "precision", "recall", "coverage"), (3, "sliced-w1"), (2, "exact-w1")):
        generated, real = (", ".join(f"{found[n][side]:.{digits}f}" for n in names) for side in ("value", "floor"))
        assert f"| {generated} | {real} |" in page
    gap, rows = found["certified-w1-gap"], kept("breast-cancer")["synthetic_rows"]
    assert found["certified-w1"]["value"] == 0 and f"| 0, {gap['value']:.2f} ± {gap['spread']:.2f} |" in page
    assert f"**{100 * rows['trained_on_synthetic']:.1f} % ± {100 * rows['deviation']:.1f}**" in page


def test_the_gallery_quotes_the_committed_icons():
    page, found = (ROOT / "docs/gallery.md").read_text(), last("icons")
    for digits, prefix in ((2, ""), (2, "random-")):
        names = [prefix + name for name in ("precision", "recall", "coverage")]
        generated, real = (", ".join(f"{found[n][side]:.{digits}f}" for n in names) for side in ("value", "floor"))
        assert f"| {generated} | {real} |" in page
    distance, bound, right = found["random-relative-fid"], found["certified-w1"], found["cas"]
    assert f"| {distance['value']:.4f} ± {distance['spread']:.4f} | {distance['floor']:.4f} |" in page
    assert f"| {found['sliced-w1']['value']:.3f} | {found['sliced-w1']['floor']:.3f} |" in page
    assert f"(1,000 against {bound['n_real']}) | {bound['value']:.2f} | {bound['floor']:.0f} |" in page
    assert f"| {100 * right['value']:.1f} % | {100 * right['floor']:.1f} % |" in page


def test_the_bound_of_the_default_run_is_the_committed_one():
    page, found = (ROOT / "docs/recipes/mnist.md").read_text(), last("mnist-betting-bound")
    bound, gap = found["certified-w1"]["value"], found["certified-w1-gap"]
    assert f"certified-w1 {bound:.3f} from a held-out gap of {gap['value']:.3f} ± {gap['spread']:.3f}" in page
    normal = gap["value"] - 1.645 * gap["spread"]
    assert f"gives {normal:.3f}" in page and normal - 0.05 < bound < normal


def test_clothes_and_digits_are_compared_by_distance_over_noise():
    page, found = (ROOT / "docs/recipes/fashion.md").read_text(), kept("over_noise")
    for name in ("random-relative-fid", "random-coverage", "sliced-w1"):
        distances = []
        for data in ("fashion", "mnist"):
            values, draws = found[data][name]["values"], found[data][name]["draws"]
            assert len(draws) == 6
            distances.append(abs(statistics.mean(values) - statistics.mean(draws)) / statistics.stdev(draws))
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} | ") and "against" in line)
        assert [cell.split(" (")[0] for cell in row.strip("| ").split(" | ")[1:]] == [f"{d:.1f}" for d in distances]
    assert found["fashion"]["random-relative-fid"]["values"] == over_seeds("fashion", "random-relative-fid")


def section(title):
    text = (ROOT / "docs" / "gallery.md").read_text().replace("\u2212", "-")
    return text[text.index(f"## {title}") :].split("\n## ")[0]


def cells(text, first):
    """Return the cells after the first of the row of a table that begins with it."""
    (row,) = re.findall(rf"^\| {re.escape(first)}.*$", text, re.MULTILINE)
    return [cell.strip() for cell in row.strip("|").split("|")[1:]]


CONDITIONS = {"condition-error": 3, "condition-bias": 3, "condition-accuracy": 4}
VOLUMES = {"volume-mean-w1": 3, "voxel-w1": 3, "random-relative-fid": 3, "sliced-w1": 5}


@pytest.mark.parametrize(
    ("file", "toy", "title", "digits"),
    [
        ("conditions", "gaussian", "A Gaussian whose mean", {**CONDITIONS, "sliced-w1": 3}),
        ("conditions", "calorimeter", "A toy calorimeter", {**CONDITIONS, "condition-error": 2}),
        ("volumes", "blobs", "Volumes whose total", VOLUMES),
        ("strokes", "strokes", "Digits by angle", {"condition-error": 3, "condition-bias": 3, "sliced-w1": 4}),
    ],
)
def test_toys_quote_their_results(file, toy, title, digits):
    found, text = kept(file), section(title)
    found = found.get(toy, found)  # some files hold several toys
    figures = {f["name"]: f for f in found["metrics"]["results"][0]["figures"]}
    assert {*digits} == {*figures}
    for name, places in digits.items():
        value, real = cells(text, name)
        assert value == f"{figures[name]['value']:.{places}f}"
        printed = real.split(" ")[0]
        assert printed == f"{figures[name]['floor']:.{len(printed.partition('.')[2])}f}"
    steps = found["metrics"]["results"][0]["step"]
    assert f"| {steps:,} steps | generated | real against real |" in text
    assert all(f"$ {command}" in text for command in found["commands"])


def test_what_strokes_keep_of_each_condition_is_quoted():
    text = section("Digits by angle").replace("\n", " ")
    notes = [last("strokes")[name]["note"] for name in ("condition-error", "condition-bias")]
    error, bias = (dict(part.split(":") for part in note.split()) for note in notes)
    assert f"an error of {error['angle']} and a bias of {bias['angle']} (" in text
    assert f"the thickness {error['thickness']} and {bias['thickness']}:" in text


def test_the_law_of_the_gaussian_is_quoted():
    text = section("A Gaussian whose mean")
    for row in kept("conditions")["gaussian"]["law"]:
        (m, n), (s, t) = row["found_mean"], row["found_deviation"]
        assert cells(text, f"{row['mean']:g} |") == [f"{x:.2f}" for x in (m, s, n, t)]


def test_the_sums_of_the_calorimeter_are_quoted():
    text = section("A toy calorimeter").replace("\n", " ")
    sums = kept("conditions")["calorimeter"]["sums"]
    of = {p: [row for row in sums if row["particle"] == p] for p in ("electron", "pion")}
    for rows in of.values():
        a, b, c = (f"{row['mean']:.1f}" for row in rows)
        assert f"{a}, {b} and {c}" in text
    ranges = [f"{rows[0]['deviation']:.0f} to {rows[-1]['deviation']:.0f}" for rows in of.values()]
    assert f"scatter by {' and '.join(ranges)} GeV" in text


SIGNALS = {
    "spectrum distance": (3, "spectrum-distance"),
    "autocorrelation distance": (4, "autocorrelation-distance"),
    "values of the channel": (3, "channel-w1"),
    "precision, recall, coverage of steps": (3, "precision", "recall", "coverage"),
    "precision, recall, coverage in random": (3, "random-precision", "random-recall", "random-coverage"),
    "random-relative-fid": (3, "random-relative-fid"),
    "a linear model": (2, "signal-detection"),
    "sliced W1": (3, "sliced-w1"),
    "exact W1": (2, "exact-w1"),
}


@pytest.mark.parametrize(("name", "title"), [("power", "A power meter")])
def test_signals_of_packages_quote_their_results(name, title):
    found, text = kept("signals")[name], section(title)
    figures = {f["name"]: f for f in found["metrics"]["results"][0]["figures"]}
    for row, (digits, *names) in SIGNALS.items():
        value, real = cells(text, row)
        assert value.split(" ± ")[0] == ", ".join(f"{figures[n]['value']:.{digits}f}" for n in names)
        assert real.split(" ± ")[0] == ", ".join(f"{figures[n]['floor']:.{digits}f}" for n in names)
    assert f"| {found['metrics']['results'][0]['step']:,} steps | generated | real against real |" in text
    assert all(f"$ {command}" in text for command in found["commands"]) and f"{found['cpu_seconds']} s" in text
    assert cells(text, "copies") == [f"{100 * figures['copies'][side]:.0f} %" for side in ("value", "floor")]


HEIGHTS = {
    "precision, recall, coverage of pixels": (3, "precision", "recall", "coverage"),
    **{
        row: SIGNALS[row]
        for row in ("precision, recall, coverage in random", "random-relative-fid", "sliced W1", "exact W1")
    },
}


def test_the_heights_quote_their_results():
    found, text = kept("terrain")["terrain"], section("Heights in metres")
    figures = {f["name"]: f for f in found["metrics"]["results"][0]["figures"]}
    for row, (digits, *names) in HEIGHTS.items():
        value, real = (cell.split(" ± ")[0] for cell in cells(text, row))
        assert value == ", ".join(f"{figures[n]['value']:.{digits}f}" for n in names)
        assert real == ", ".join(f"{figures[n]['floor']:.{digits}f}" for n in names)
    assert cells(text, "copies") == [f"{100 * figures['copies'][side]:.1f} %" for side in ("value", "floor")]
    assert f"| {found['metrics']['results'][0]['step']:,} steps | generated | real against real |" in text
    assert all(f"$ {command}" in text for command in found["commands"]) and f"{found['cpu_seconds']} s" in text
    law, words = found["law"], text.replace("\n", " ")
    fake, real = (law["slope_metres"][k] for k in ("generated", "real"))
    assert f"by {fake:.1f} m (root mean square), real ground by {real:.1f} m" in words
    mean, spread = (
        [f"{law[name][k]:.0f} m" for k in ("generated", "train", "real")]
        for name in ("mean_metres", "deviation_of_tile_means")
    )
    assert f"a mean of {mean[0]} (training tiles {mean[1]}, held-out ones {mean[2]}" in words
    assert f"scatter by {spread[0]} ({spread[1]}, {spread[2]})" in words


def test_the_first_system_quotes_its_seeds_at_both_rates():
    runs = kept("published-s0-seeds")["runs"]
    page = table_of("docs/recipes/conv-clip-five.md")
    for rate, row in ((1e-3, page["1e-3, seeds 0, 1, 2"]), (5e-5, page["5e-5, seeds 0, 1, 2"])):
        of_rate = [[m["relative-fid"] for m in r["measured"]] for r in runs if r["lr"] == rate]
        assert len(of_rate) == 3 and len(row) == 3
        for said, values in zip(row, zip(*of_rate, strict=True), strict=True):
            told = [float(number) for number in re.findall(r"[\d.]+", said)]
            assert told == pytest.approx([*values], abs=0.06)
