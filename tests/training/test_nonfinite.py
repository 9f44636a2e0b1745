"""Numbers that are not finite: named at their step, diagnosed, and stopped or tried again with other noise and lower rates."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.problems import images_config, points, points_config, train_on

from wgan.config import Config
from wgan.engine import Engine
from wgan.errors import NotFinite, WganError
from wgan.runs import checkpoint
from wgan.runs.folder import open_run
from wgan.runs.log import read_log
from wgan.training import loop, monitor, start
from wgan.training import step as phases
from wgan.training.watch import require_finite_weights

STEPS = 8
CONFIG = points_config(n_critic=1, steps=STEPS, checkpoint_every=2, evaluate_every=0, sample_every=0, dropout=0.2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out pictures and figures; every run trains on a few points."""
    monkeypatch.setattr(loop, "finish_pictures", lambda *_, **__: None)
    monkeypatch.setattr(monitor.Monitor, "measure", lambda *_: {})
    monkeypatch.setattr(monitor.Monitor, "alarms", lambda *_: [])
    train_on(monkeypatch, points())


def train(folder: Path, config: Config = CONFIG) -> loop.Outcome:
    return loop.train(config, folder, tty=False)


def break_at(patch: pytest.MonkeyPatch, step: int, streams: int, player: str = "critic") -> None:
    """Put a NaN into the first weight of `player` at `step`, as long as the noise stream is below `streams`."""
    phase = phases.generator_phase

    def broken(p: Any, source: Any, at: int) -> Any:
        stats = phase(p, source, at)
        if at == step - 1 and p.engine.stream < streams:
            with torch.no_grad():
                next(getattr(p, player).parameters()).view(-1)[1] = math.nan
        return stats

    patch.setattr(phases, "generator_phase", broken)


def kept(folder: Path) -> dict[str, bytes]:
    """Everything but clock times and TensorBoard's files."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "events"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name not in ("times.jsonl", ".lock")}


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_a_bad_weight_is_named_with_its_player_and_step(
    player: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last checkpoint is kept."""
    break_at(monkeypatch, 6, 99, player)
    with pytest.raises(WganError) as caught:
        train(tmp_path)
    said = str(caught.value)
    prefix = f"{player}/{'trunk' if player == 'critic' else 'body'}."
    assert said.startswith(prefix) and "is not finite at step 6" in said and "--on-nan rollback" in said
    assert not isinstance(caught.value, NotFinite) and "\n" not in said and len(said) < 300
    assert open_run(tmp_path).step == 4 and read_log(tmp_path)[-1]["step"] == 5
    report = json.loads((tmp_path / "not-finite-00000006.json").read_text())
    (bad,) = [name for name, t in report["tensors"].items() if t["finite"] < t["numbers"]]
    assert report["what"] == bad and bad.startswith(prefix) and bad in said
    found = report["tensors"][bad]
    assert found["numbers"] - found["finite"] == 1 and found["min"] < 0 < found["max"] and len(found["shape"]) == 2
    assert {name.split("/")[0] for name in report["tensors"]} == {"critic", "generator"}
    assert (tmp_path / "not-finite-00000006.json").stat().st_size < 20_000


def test_a_loss_is_diagnosed_with_every_statistic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    phase = phases.generator_phase
    poison = {"generator/loss": torch.tensor(math.inf)}
    monkeypatch.setattr(phases, "generator_phase", lambda *a: phase(*a) | (poison if a[2] == 2 else {}))
    with pytest.raises(WganError, match=r"generator/loss is not finite at step 3: stopped; try a smaller lr"):
        train(tmp_path)
    report = json.loads((tmp_path / "not-finite-00000003.json").read_text())
    assert report["step"] == 3 and report["retries"] == 0
    assert report["statistics"]["generator/loss"] == "inf" and math.isfinite(report["statistics"]["critic/loss"])
    assert report["rates"] == {"generator": 5e-4, "critic": 5e-4}


def test_a_moment_that_overflows_is_named_at_its_step(tmp_path: Path) -> None:
    """RMSProp divides by an infinite moment: the weight would stand still, and nothing else would show it."""
    config = CONFIG.replace(objective="wgan-clip", clip=1000, lr=10, optimizer="rmsprop", checkpoint_every=0)
    layers = "16 16 16 16 16 16"
    with pytest.raises(WganError, match=r"(critic|generator)/.*weight \(square_avg\) is not finite at step [1-6]:"):
        train(tmp_path, config.replace(critic_layers=layers, generator_layers=layers))


def test_a_broken_loss_is_named_with_the_weights_it_broke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    phase = phases.critic_phase

    def overflowing(p: Any, source: Any, step: int, *rest: Any) -> Any:
        if step == 2:
            with torch.no_grad():
                p.critic.score.weight.fill_(math.inf)
        return phase(p, source, step, *rest)

    monkeypatch.setattr(phases, "critic_phase", overflowing)
    with pytest.raises(WganError, match=r"critic/loss is not finite at step 3 \(in critic/.* and \d+ more\): stopped"):
        train(tmp_path)


# --- going back -------------------------------------------------------------------------------------------------------

BACK = CONFIG.replace(on_nan="rollback", nan_retries=2, evaluate_every=0)


@pytest.mark.parametrize(("step", "to"), [(6, 4), (2, 0), (1, 0)])
def test_the_run_goes_back_with_other_noise_and_half_the_rates(
    step: int, to: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To its last checkpoint; the rates are the learning rates."""
    with monkeypatch.context() as patch:
        train(tmp_path / "plain")
        break_at(patch, step, 1)
        rates = []
        set_rates = phases.set_rates
        patch.setattr(phases, "set_rates", lambda p, s: (set_rates(p, s), rates.append(lr(p)))[0])
        assert train(tmp_path / "run", BACK).code == 0
    records = read_log(tmp_path / "run")
    (event,) = [r for r in records if "alarm" in r]
    assert event["step"] == to + 1 and "went back: critic/" in event["alarm"] and f"at step {step};" in event["alarm"]
    assert "noise stream 1, learning rates times 0.5, retry 1 of at most 2" in event["alarm"]
    assert [r["step"] for r in records if "critic/loss" in r] == list(range(1, STEPS + 1))  # none twice, none missing
    plain = {r["step"]: r for r in read_log(tmp_path / "plain") if "critic/loss" in r}
    same = {r["step"] for r in records if "critic/loss" in r and r == plain[r["step"]]}
    assert same == set(range(1, to + 1))  # from there on the noise is another
    assert rates == [5e-4] * step + [2.5e-4] * (STEPS - to)
    assert checkpoint.load(tmp_path / "run" / "checkpoints", STEPS).manifest["retries"] == 1


def lr(p: Any) -> float:
    rates = {o.param_groups[0]["lr"] for o in (p.generator_optimizer, p.critic_optimizer)}
    assert len(rates) == 1
    return float(rates.pop())


def test_it_goes_back_at_most_so_often_and_then_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    break_at(monkeypatch, 6, 99)
    with pytest.raises(WganError, match=r"is not finite at step 6.*stopped, after going back 2 times"):
        train(tmp_path, BACK)
    assert checkpoint.load(tmp_path / "checkpoints", 4).manifest["retries"] == 2
    assert json.loads((tmp_path / "not-finite-00000006.json").read_text())["retries"] == 2


def test_a_stopped_run_may_be_continued_with_rollback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    break_at(monkeypatch, 6, 1)
    with pytest.raises(WganError):
        train(tmp_path)
    assert train(tmp_path, BACK).code == 0
    assert open_run(tmp_path).step == STEPS and open_run(tmp_path).config.on_nan == "rollback"


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.mark.parametrize("moment", ["annotate", "event", "take_step", "save"])
@pytest.mark.parametrize("step", [1, 6])
def test_a_kill_around_a_rollback_changes_no_byte(
    moment: str, step: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    break_at(monkeypatch, step, 1)
    train(tmp_path / "whole", BACK)
    with monkeypatch.context() as patch:
        kill_after(patch, moment, 1 if moment in ("annotate", "event") else step + 1)
        with pytest.raises(Killed):
            train(tmp_path / "run", BACK)
    for _ in range(2):  # a finished run is finished
        train(tmp_path / "run", BACK)
        found, whole = kept(tmp_path / "run"), kept(tmp_path / "whole")
        assert sorted(n for n in found.keys() | whole.keys() if found.get(n) != whole.get(n)) == []


def kill_after(patch: pytest.MonkeyPatch, moment: str, count: int) -> None:
    """Die right after call `count` of what `moment` names."""
    from wgan.runs import log
    from wgan.training import nonfinite

    owner, name = {
        "annotate": (nonfinite, "go_back"),
        "event": (log.Log, "event"),
        "take_step": (loop, "take_step"),
        "save": (loop, "take_step"),
    }[moment]
    works, left = getattr(owner, name), [count + (1 if moment == "save" else 0)]

    def dies(*arguments: Any, **options: Any) -> Any:
        result = works(*arguments, **options)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return result

    patch.setattr(owner, name, dies)


# --- the parts --------------------------------------------------------------------------------------------------------


def test_each_noise_stream_differs_and_stream_0_is_unchanged() -> None:
    engines = [Engine(torch.device("cpu"), "fp32", 1, stream=s) for s in (0, 1, 2)]
    draws = [e.draws(0, 3, "critic latent 0", 4).normal(2) for e in engines]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == 3
    assert engines[0].purpose("x") == "x" and len({e.purpose("x") for e in engines}) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("player", ["critic", "generator"])
@pytest.mark.parametrize("config", [points_config(), images_config()])
def test_every_weight_is_looked_at(config: Config, player: str, value: float) -> None:
    from helpers.problems import SINGLE, images

    p = start.make_players(config, SINGLE, images() if config.data == "tiny" else points())
    require_finite_weights(p, 3)
    for name, weight in getattr(p, player).named_parameters():
        before = weight.detach().clone()
        with torch.no_grad():
            weight[(-1,) * weight.dim()] = value
        with pytest.raises(NotFinite, match=f"{player}/{name} is not finite at step 3"):
            require_finite_weights(p, 3)
        with torch.no_grad():
            weight.copy_(before)
