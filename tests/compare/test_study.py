"""Test a study as a whole on a ring, in seconds: what it runs, that it resumes, what it refuses, how it counts work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.studies import TINY, simulated, tiny

from wgan.cli.main import main
from wgan.compare.study import design as designs
from wgan.compare.study import page, share
from wgan.compare.study import run as studies
from wgan.compare.study.draws import config_of, draw
from wgan.compare.study.verdicts import answered, draws_of
from wgan.compare.study.work import NO_WORK, flop_of_step, steps_within
from wgan.data import open_source
from wgan.errors import WganError
from wgan.metrics.distances import sliced_w1
from wgan.runs.folder import open_run
from wgan.training import loop, monitor, recorder

TWIN = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from helpers.studies import tiny
from wgan.compare.study.run import study
from wgan.metrics.distances import sliced_w1
from wgan.training import loop, monitor, recorder
loop.finish_pictures = recorder.draw_grid = lambda *_, **__: None
monitor.exact_w1 = sliced_w1
study(tiny(), Path({out!r}), lambda text: print("begins", text))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The tiny study, run once, with what was trained."""
    out = tmp_path_factory.mktemp("study") / "out"
    with pytest.MonkeyPatch.context() as patch:  # nothing is drawn, and distances between samples are cheap ones
        patch.setattr(loop, "finish_pictures", lambda *_, **__: None)
        patch.setattr(recorder, "draw_grid", lambda *about: None)
        patch.setattr(monitor, "exact_w1", sliced_w1)
        yield studies.study(tiny(), out), out


def test_every_arm_tries_the_same_settings_and_seeds(whole):
    found, _ = whole
    for number in range(3):
        runs = [r for r in found["search"] if r["draw"] == number]
        assert [r["arm"] for r in runs] == ["gan", "wgan-gp"]
        assert runs[0]["setting"] == runs[1]["setting"] and runs[0]["seed"] == runs[1]["seed"]


def test_the_best_draws_resume_and_the_best_gets_fresh_seeds(whole):
    found, out = whole
    for arm in ("gan", "wgan-gp"):
        mine = [r for r in found["search"] if r["arm"] == arm]
        longer = [r for r in mine if "4" in r["selection"]]
        assert [r["draw"] for r in longer] == [min(mine, key=lambda r: r["selection"]["1"])["draw"]]
        fresh = [r for r in found["confirm"] if r["arm"] == arm]
        assert [r["seed"] for r in fresh] == [1000, 1001] and fresh[0]["setting"] == longer[0]["setting"]
        assert open_run(out / "runs" / longer[0]["name"]).step == longer[0]["steps"]
        assert all(set(r["readings"]) == {"0.25", "0.5", "1"} for r in fresh)


def test_runs_of_all_arms_take_the_same_work(whole):
    found, _ = whole
    flop = TINY["tasks"]["ring"]["flop"]
    assert all(flop * 0.9 < r["steps"] * r["flop_of_step"] <= flop for r in found["confirm"])


def test_noise_and_real_rows_stand_beside_the_runs(whole):
    found, _ = whole
    beside = found["tasks"]["ring"]["beside"]
    assert all(beside["real"][j] < beside["noise"][j] for j in found["tasks"]["ring"]["judges"])
    assert beside["noise"]["modes-covered"] < beside["real"]["modes-covered"] == 8


def test_gradients_are_watched_below_three_generators(whole):
    found, _ = whole
    assert {r["trained"] for r in found["gradients"]} == {0, 0.25, 1}
    first = found["gradients"][0]["curves"]["gan"]
    assert [k for k, _ in first] == [0, 1, 2, 4]
    starts = {r["curves"]["gan"][0][1] for r in found["gradients"] if (r["arm"], r["seed"]) == ("gan", 1000)}
    assert len(starts) == 3  # of other generators, below the same critic


def test_the_same_command_trains_nothing_again(whole, monkeypatch):
    found, out = whole
    monkeypatch.setattr(studies, "trained_run", None)
    again = studies.study(tiny(), out)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(found))
    assert json.loads((out / "compare.json").read_text()) == json.loads(json.dumps(found))


def test_a_lost_note_is_made_again_from_its_run(whole, monkeypatch):
    found, out = whole
    longer = next(r for r in found["search"] if "4" in r["selection"])
    (out / "notes" / f"{longer['name']}_1_of_4.json").unlink()
    monkeypatch.setattr(studies, "trained_run", None)
    assert studies.study(tiny(), out)["search"] == found["search"]


def test_two_processes_share_a_study(whole, tmp_path):
    """Each does a part, none does what the other has done, and both find what one finds alone."""
    found, _ = whole
    script, out = tmp_path / "study.py", tmp_path / "out"
    script.write_text(TWIN.format(tests=str(Path(__file__).parents[1]), out=str(out)))
    both = [subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    words = [process.communicate(timeout=240)[0].splitlines() for process in both]
    said = [[line for line in lines if line.startswith("begins")] for lines in words]
    assert [process.returncode for process in both] == [0, 0]
    assert all(said)
    assert len({*said[0], *said[1]}) == len(said[0]) + len(said[1])
    again = json.loads((out / "compare.json").read_text())
    alone = json.loads(json.dumps(found))
    assert {**again, "cpu_seconds": 0} == {**alone, "cpu_seconds": 0}
    assert again["cpu_seconds"].keys() == alone["cpu_seconds"].keys()


def test_what_a_killed_process_was_at_is_done_by_another(tmp_path):
    piece = share.Piece(tmp_path / "notes" / "a.json", lambda: {"done": True}, "a")
    with share.held(piece.note) as ours:
        assert ours and share.mine(piece, print) is None
    assert share.shared([piece], print) == [{"done": True}]


def test_a_folder_that_cannot_be_locked_is_one_sentence(tmp_path, monkeypatch):
    def refuse(lock):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(share.FileLock, "acquire", refuse)
    with (
        pytest.raises(WganError, match=r"cannot lock .*a\.json: Permission denied; give a folder"),
        share.held(tmp_path / "a.json"),
    ):
        pass


def test_another_design_is_refused(whole):
    _, out = whole
    with pytest.raises(WganError, match="another design"):
        studies.study(tiny(draws=4), out)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(WganError, match="not a study"):
        studies.study(tiny(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": {"r": {**TINY["tasks"]["ring"], "data": "sines"}}}, "signals"),
        ({"tasks": {"r": {**TINY["tasks"]["ring"], "architecture": "conv-plain"}}}, "architecture for ring"),
        ({"space": {"optimizer": ["adamm"]}}, "adam"),
        (
            {"space": {"lr": {"low": 1e-4, "high": 1e-2}, "n_critic": [1, 40]}, "draws": 9},
            r"gives \d+ steps .* at least",
        ),
    ],
)
def test_nothing_is_written_for_a_study_that_cannot_run(tmp_path, changes, words):
    with pytest.raises(WganError, match=words):
        studies.study(tiny(hypotheses=[], sentences=[], **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_design_is_not_replaced(tmp_path):
    (tmp_path / "design.json").write_text('{"format": 1, "des')
    with pytest.raises(WganError, match="is damaged"):
        studies.study(tiny(), tmp_path)
    assert (tmp_path / "design.json").read_text() == '{"format": 1, "des'


def test_a_threshold_that_noise_reaches_is_refused(tmp_path):
    task = {**TINY["tasks"]["ring"], "threshold": 50.0}
    with pytest.raises(WganError, match="must lie between"):
        studies.study(tiny(tasks={"ring": task}), tmp_path)


def test_a_diverged_run_counts_as_noise(whole):
    found, _ = whole
    rows = [{**r, "failed": "not finite", "selection": {}} for r in found["search"]]
    noise = found["tasks"]["ring"]["beside"]["noise"]["selection"]
    assert set(draws_of("ring", "gan", {**found, "search": rows}).values()) == {noise}


def test_the_page_shows_what_is_not_known_first(whole):
    found, _ = whole
    text = page.render(found)
    assert "is better &lt;than&gt; the GAN" in text and "<than>" not in text
    top = text[: text.index('id="verdicts"')]
    assert "2 seeds on ring are too few" in top and "2 of 2 hypotheses are undecided" in top


def test_the_first_screen_says_where_the_judges_disagree():
    found = simulated(better={"wgan-gp": 0.1}, resamples=99)
    assert not any("judges disagree" in text for text in page.limits(found))
    for r in found["confirm"]:
        if r["arm"] == "wgan-gp":
            r["readings"]["1"]["j2"] *= 1000
    again = {**found, **answered(found, 99)}
    assert any("on quality the judges disagree: j2" in text for text in page.limits(again))


def test_the_first_screen_says_where_nothing_was_learned():
    found = simulated(resamples=99)
    assert not any("hardly learned" in text for text in page.limits(found))
    for r in found["search"]:
        if r["task"] == "grid":
            r["selection"]["1"] = 0.8
    said = [text for text in page.limits(found) if "hardly learned" in text]
    assert len(said) == 1 and "no setting on grid reached 0.5" in said[0]
    words = page.cautions(found)
    assert words["modes"] == "of networks that have hardly learned" and not words["tracks"]
    assert f"<b>{words['modes']}</b>" in page.render(found)


def test_equal_arms_are_said_to_be_equal_beside_the_verdict():
    found = simulated(resamples=99)
    found["verdicts"]["gradient"] |= {"verdict": "contradicted", "equal": True}
    assert page.cautions(found)["gradient"].startswith("equal within a ratio of 1.25")


@pytest.mark.parametrize("broken", [(), ("gan",), ("gan", "wgan-gp")])
def test_one_seed_ends_in_a_page_without_a_verdict(broken):
    """Also where runs failed: gradients are not watched below these."""
    design = tiny(tasks={"ring": {**TINY["tasks"]["ring"], "seeds": 1}})
    found = simulated(design, better={"wgan-gp": 0.1}, resamples=99)
    confirm = [r | ({"failed": "not finite", "readings": {}} if r["arm"] in broken else {}) for r in found["confirm"]]
    gradients = [r for r in found["gradients"] if r["arm"] not in broken]
    again = {**found, "confirm": confirm, "gradients": gradients}
    again |= answered(again, resamples=99)
    assert {v["verdict"] for v in again["verdicts"].values()} == {"undecided"}
    assert "1 seeds on ring are too few" in page.render(again)


def test_work_is_counted_as_by_hand():
    design = tiny()
    task = design.tasks["ring"]
    config = config_of(design, task, "gan", {"lr": 1e-3, "n_critic": 2}, False)
    each = flop_of_step(config, open_source("ring", "train"))
    g, d = 2 * 16 * (2 * 8 + 8 * 2), 2 * 16 * (2 * 8 + 8 * 1)  # forward of 16 rows: 2 → 8 → 2 and 2 → 8 → 1
    first = 2 * 16 * (2 * 8)  # no gradient in the network's input is wanted
    critic = g + 2 * (3 * d - first)  # fakes; real and fake, forward and both gradients
    generator = 3 * g - first + 2 * d  # its critic gets no gradient in its weights
    assert each == 2 * critic + generator


def test_a_budget_of_too_few_steps_is_refused():
    assert steps_within(1e6, 1000) == 1000 and steps_within(1007e3, 1000) == 1004
    with pytest.raises(WganError, match="ask for at least"):
        steps_within(79e3, 1000)


def test_what_changes_no_work_is_left_out_of_the_check():
    design, source = tiny(), open_source("ring", "train")
    config = config_of(design, design.tasks["ring"], "gan", {"lr": 1e-3, "n_critic": 2}, False)
    other = {"lr": 5e-3, "critic_lr": 1e-4, "optimizer": "rmsprop", "beta1": 0.5, "beta2": 0.9, "clip": 0.02}
    assert other.keys() == set(NO_WORK)
    assert flop_of_step(config.replace(**other), source) == flop_of_step(config, source)


def test_draws_are_even_in_the_logarithm_however_many():
    space = {"lr": {"low": 1e-4, "high": 1e-2}, "n_critic": [1, 2]}
    found = [draw(space, k, 5) for k in range(400)]
    assert all(1e-4 <= f["lr"] <= 1e-2 for f in found) and 150 < sum(f["lr"] < 1e-3 for f in found) < 250
    assert 150 < sum(f["n_critic"] == 1 for f in found) < 250 and len({f["lr"] for f in found}) > 390
    assert draw({**space, "batch": [1]}, 3, 5)["lr"] != draw(space, 3, 6)["lr"]


@pytest.mark.parametrize("name", ["small", "short", "referee"])
def test_the_shipped_designs_are_whole(name):
    design = designs.read_design(name)
    source = open_source("grid", "train")
    for arm in design.arms:
        for number in range(5):
            config_of(design, design.tasks["grid"], arm, draw(design.space, number, design.seed), source.is_image)
    assert {h.kind for h in design.hypotheses} == set(designs.KINDS)
    least = min(2 / 2**task.seeds for task in design.tasks.values())
    assert least * len(design.hypotheses) <= 0.05  # so that something can be supported at all
    assert len(design.sentences) == 13 and all(s.needs or s.why for s in design.sentences)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"a": {"objective": "wgam-gp"}}}, "wgan-gp"),
        ({"arms": {"a": {"objective": "gan", "batsch": 3}}}, "batch"),
        ({"space": {"seed": [1]}}, "set by the study itself"),
        ({"space": {"lr": {"low": 2, "high": 1}}}, "0 < low < high"),
        ({"hypotheses": [{**TINY["hypotheses"][0], "kind": "qualty"}]}, "quality"),
        ({"hypotheses": [{**TINY["hypotheses"][0], "against": "hinge"}]}, "hinge"),
        ({"hypotheses": [{**TINY["hypotheses"][1], "trained": 0.3}]}, "0, 0.25 or 1"),
        ({"sentences": [{"text": "t", "source": "s", "needs": ["qality"]}]}, "quality"),
        ({"keep": 4}, "between 1 and draws"),
        ({"hypotheses": [{**TINY["hypotheses"][0], "task": "rign"}]}, "did you mean ring"),
        ({"tasks": {"ring": {**TINY["tasks"]["ring"], "flop": 0}}}, "must be above 0"),
        ({"tasks": {"ring": {**TINY["tasks"]["ring"], "seeds": 0}}}, "must be above 0"),
        ({"tasks": {"ring": {**TINY["tasks"]["ring"], "threshold": 0}}}, "must be above 0"),
        ({"tasks": {"ring": {"data": "ring"}}}, "flop"),
        ({"drawz": 4}, "drawz"),
    ],
)
def test_a_design_that_cannot_be_run_is_refused(changes, words):
    with pytest.raises(WganError, match=words):
        tiny(**changes)


def test_a_design_needs_its_tables():
    with pytest.raises(WganError, match="has no tasks"):
        designs.from_values({"title": "t"}, "d.toml")


def test_flags_that_a_design_decides_are_refused(capsys):
    assert main(["compare", "--design", "short", "--seeds", "2"]) == 2
    assert "leave --seeds out" in capsys.readouterr().err
    assert main(["compare", "--design", "shrt"]) == 2
    assert "referee, short" in capsys.readouterr().err
