"""Many processes: the theorem that they are one, what they say when one of them fails, and going on with another number.

The processes are real ones on this machine; nothing here measures time.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import workers
import yaml
from children import wait_for as wait_until
from conftest import Result
from group import Together, workers_of
from problems import EXACT, images, images_config, points, points_config
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed.run import parse_args

from wgan import checkpoint, loop
from wgan.cli import parse
from wgan.config import Config, differences
from wgan.engine import Engine
from wgan.errors import WganError
from wgan.log import read_log
from wgan.losses import OBJECTIVES
from wgan.models import layers
from wgan.place import Place
from wgan.processes import Group
from wgan.recipes import configure
from wgan.rules import cautions
from wgan.state import require_divides
from wgan.stop import Stop
from wgan.synced import SharedDropout

STEPS = 20
EXACTLY = 1e-12
# The gradient of a bias that batch norm takes away again is 0; Adam and RMSProp divide its rounding by as little. At
# 5e-5, the rate of the published systems, all else keeps within EXACTLY.
NO_EFFECT = 1e-9


def idle(name: str, config: Config, tensors: dict[str, Tensor]) -> bool:
    """Return whether a tensor is such a bias, or the mean that it shifts."""
    player, _, key = name.partition("/")
    batch_norm = config.generator_norm if player in ("generator", "average") else config.critic_norm
    return batch_norm == "batch" and key.endswith(("bias", "running_mean")) and not key.endswith("norm.bias")


def farthest(one: dict[str, Tensor], many: dict[str, Tensor], config: Config) -> tuple[float, str]:
    """Return the largest difference between two states, and where."""
    assert one.keys() == many.keys()
    worst = (0.0, "")
    for name in one:
        scale = NO_EFFECT / EXACTLY if idle(name, config, one) else 1.0
        distance = float((one[name].double() - many[name].double()).abs().max()) / scale
        worst = max(worst, (distance, name))
    return worst


# --- the theorem ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, float]]]:
    """Every system trained by two processes: where their states lie, and the statistics of the last step."""
    folder = tmp_path_factory.mktemp("two")
    first, second = Together(folder, 2, workers.all_systems, str(folder), STEPS).results()
    assert first == second  # each process knows the statistics of the whole batch
    return folder, first


@pytest.mark.parametrize("name", workers.SYSTEMS)
def test_two_processes_are_one_process_after_twenty_steps(name: str, two: Any) -> None:
    folder, statistics = two
    config, source = workers.SYSTEMS[name]
    p, stats = workers.steps(config, source, Group(), STEPS)
    many = load_file(folder / f"{list(workers.SYSTEMS).index(name)}.safetensors")
    one = checkpoint.flatten(workers.state.state(p))
    distance, where = farthest(one, many, config)
    assert distance < EXACTLY, where
    assert stats == pytest.approx(statistics[name], rel=1e-9, abs=1e-11)
    start, _ = workers.steps(config, source, Group(), 1)
    assert farthest(checkpoint.flatten(workers.state.state(start)), many, config)[0] > 1e-4  # it was trained at all


# --- one scalar, one backward -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", workers.SYSTEMS)
def test_each_optimizer_step_follows_one_backward_of_one_scalar(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A penalty or class loss backpropagated on its own would be averaged before it is there, by PyTorch's DDP."""
    config, source = workers.SYSTEMS[name]
    p = loop.make_players(config, EXACT, source)
    calls: list[str] = []
    backward = Tensor.backward

    def counted(loss: Tensor, *arguments: Any, **options: Any) -> None:
        assert loss.dim() == 0
        calls.append("backward")
        backward(loss, *arguments, **options)

    monkeypatch.setattr(Tensor, "backward", counted)
    for optimizer in (p.critic_optimizer, p.generator_optimizer):
        step = optimizer.step
        monkeypatch.setattr(optimizer, "step", lambda step=step: (calls.append("step"), step()))
    loop.take_step(p, source, 0, Stop(), True)
    updates = config.n_critic * (2 if config.critic_update == "separate" else 1) + 1
    assert calls == ["backward", "step"] * updates


# --- microbatches -----------------------------------------------------------------------------------------------------

IN_PARTS = [
    name
    for name, (config, _) in workers.SYSTEMS.items()
    if "batch" not in (config.generator_norm, config.critic_norm) and config.objective != "dragan"
]


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", IN_PARTS)
def test_microbatches_give_the_same_steps(name: str, size: int) -> None:
    config, source = workers.SYSTEMS[name]
    (whole, stats), (parts, others) = (
        workers.steps(c, source, Group(), 5) for c in (config, config.replace(microbatch=size))
    )
    distance, where = farthest(*(checkpoint.flatten(workers.state.state(p)) for p in (whole, parts)), config)
    assert distance < EXACTLY, where
    assert stats == pytest.approx(others, rel=1e-9, abs=1e-11)


def test_microbatches_may_change_when_a_run_goes_on_unless_batch_norm_sees_them() -> None:
    for norm, changed in (("layer", []), ("batch", ["microbatch: 0 -> 2"])):
        config = images_config(generator_norm=norm)
        assert differences(config, config.replace(microbatch=2)) == changed


def test_a_microbatch_bounds_what_goes_through_the_networks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config, source = points_config(batch=8, microbatch=2), points()
    p = loop.make_players(config, EXACT, source)
    seen: list[int] = []
    for network in (p.generator, p.critic):
        network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    loop.take_step(p, source, 0, Stop(), False)
    assert set(seen) == {2, 4}  # 4: two real and two fake


def test_microbatches_that_change_the_run_are_said_or_refused() -> None:
    assert any("batch norm with microbatch 2" in text for text in cautions(images_config(microbatch=2)))
    assert not cautions(images_config(microbatch=2, generator_norm="layer"))
    for options, words in (
        ({"microbatch": 4, "batch": 6}, "microbatch 4 must divide batch 6"),
        ({"microbatch": 4, "generator_batch": 6, "batch": 8}, "generator_batch 6"),
        ({"microbatch": 3, "pack": 2, "batch": 6, "critic_conditioning": "none"}, "pack 2 must divide microbatch 3"),
        ({"microbatch": 2, "objective": "dragan"}, "depends on the whole batch"),
    ):
        with pytest.raises(WganError, match=words):
            images_config(**options)


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), layers.Dropout(0.4)], ids=lambda layer: type(layer).__module__)
def test_dropout_masks_are_the_parts_of_one(layer: nn.Dropout) -> None:
    x = torch.ones(8, 3, 4, 4)
    for whole in (x, x.to(memory_format=torch.channels_last), x[:, 0, 0]):
        torch.manual_seed(3)
        expected = layer(whole)
        assert 0 < (expected == 0).float().mean() < 0.7
        place = Place()
        parts = []
        for index in range(4):
            torch.manual_seed(3)
            with place.within(index, 4):
                parts.append(SharedDropout(layer, place)(place.cut(whole)))
        assert torch.equal(torch.cat(parts), expected)
        torch.manual_seed(3)
        assert torch.equal(SharedDropout(layer, place)(whole), expected)


def test_places_cut_batches_that_lie_side_by_side() -> None:
    place, rows = Place(1, 2), torch.arange(8)
    assert place.cut(rows).tolist() == [4, 5, 6, 7]
    with place.within(1, 2):
        assert place.cut(rows).tolist() == [6, 7]
        with place.side_by_side(2):
            assert place.cut(rows).tolist() == [3, 7]
    with place.alone():
        assert place.cut(rows).tolist() == rows.tolist()
    assert place == Place(1, 2)


# --- what processes say to each other ---------------------------------------------------------------------------------


def test_what_processes_tell_each_other_arrives(tmp_path: Path) -> None:
    results = Together(tmp_path, 3, workers.talk).results()
    for rank, said in enumerate(results):
        assert said["tell"] == "from 0" and said["empty"] == ""
        assert said["collect"] == ["0", "11", "222"]
        assert said["lead"] == [0, "x"] and said["agree"] == rank
        assert said["mean"] == [1, 1, 1, 1, 0, 1, 2, 1, 4]
        assert said["spread"] and said["batch norm"] < EXACTLY
        kind = "WganError" if rank == 0 else "SaidElsewhere"
        led, number, agreed = said["errors"]
        assert led == f"{kind}: broken"
        assert number == "NotFinite: critic/loss is not finite at step 7"
        assert agreed.startswith(f"{kind}: process 1 on ") and agreed.endswith(": broken")


# --- which numbers of processes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "processes", "words"),
    [
        ({"batch": 10}, 4, "cannot share batch 10 evenly: start 1, 2, 5, 10 processes, or use batch 8 or 12"),
        ({"batch": 8, "generator_batch": 10}, 4, "generator_batch 10"),
        ({"batch": 8, "microbatch": 4}, 4, "in microbatches of 4: start 1, 2 processes, or use batch 16"),
        ({"batch": 2}, 4, "start 1, 2 processes, or use batch 4"),
    ],
)
def test_a_number_that_does_not_divide_the_batch_is_refused_with_those_that_do(
    options: dict[str, Any], processes: int, words: str
) -> None:
    with pytest.raises(WganError, match=words):
        require_divides(points_config(**options), Group(world=processes))


def test_a_number_that_divides_is_taken() -> None:
    for n in (1, 2, 4, 8):
        require_divides(points_config(batch=8, generator_batch=16), Group(world=n))
    require_divides(images_config(batch=8, pack=2, critic_conditioning="none"), Group(world=4))


# --- runs -------------------------------------------------------------------------------------------------------------


def trained(folder: Path, processes: int, name: str, options: dict[str, Any], fault: str = "") -> list[int]:
    """Train in a group; return what each process returned."""
    meeting = folder / f"{name} {processes} {fault} {len(list(folder.iterdir()))}"
    return Together(meeting, processes, workers.train, str(folder / name), options, 120.0, fault).results()


def final(run: Path, step: int) -> dict[str, Tensor]:
    return checkpoint.load(run / "checkpoints", step).tensors


def contents(run: Path) -> dict[str, bytes]:
    """What two equal runs have in common to the last byte."""
    files = [*run.rglob("*.png"), *run.rglob("step-*6.*"), run / "log.jsonl", run / "run.json", run / "config.json"]
    return {p.name: p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert trained(folder, 2, "run", {}) == [0, 0]
    return folder / "run"


def test_a_run_goes_on_with_another_number_of_processes(whole: Path, tmp_path: Path) -> None:
    config = images_config(**{**workers.EIGHT, "n_critic": 2, "ema": 0.9, "checkpoint_every": 2})
    for name, turns in {"up": (1, 4), "down": (4, 1)}.items():
        for processes, last in zip(turns, (3, 6), strict=True):
            assert set(trained(tmp_path, processes, name, {"steps": last})) == {0}
        assert farthest(final(whole, 6), final(tmp_path / name, 6), config)[0] < EXACTLY
        assert [r["step"] for r in read_log(tmp_path / name) if "critic/loss" in r] == [1, 2, 3, 4, 5, 6]
        for mine, theirs in zip(read_log(tmp_path / name), read_log(whole), strict=True):
            assert figures(mine) == pytest.approx(figures(theirs), rel=1e-6, abs=1e-8)


def figures(record: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in record.items() if not isinstance(value, str)}


def test_only_the_first_process_writes(whole: Path) -> None:
    assert not (whole.parent / "run-1").exists()  # where the second one was told to
    facts = json.loads((whole / "run.json").read_text())
    assert facts["processes"] == 2 and facts["threads"] == 1


@pytest.mark.parametrize(
    ("fault", "codes"),
    [("one hears SIGTERM", [143, 143]), ("leader hears SIGINT", [130, 130])],
)
def test_a_signal_to_one_process_stops_all_at_the_same_step_and_the_run_goes_on(
    fault: str, codes: list[int], whole: Path, tmp_path: Path
) -> None:
    assert trained(tmp_path, 2, "run", {}, fault) == codes
    assert max(checkpoint.moments(tmp_path / "run" / "checkpoints")) == (3, 0)
    assert trained(tmp_path, 2, "run", {}) == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize(("fault", "victim"), [("killed", 1), ("leader killed", 0)])
def test_a_killed_process_ends_the_others_and_the_run_goes_on_with_the_same_bits(
    fault: str, victim: int, whole: Path, tmp_path: Path
) -> None:
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 120.0, fault)
    codes = group.join()
    assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == 0
    assert json.loads((tmp_path / "meeting" / f"result-{1 - victim}").read_text()) == 3
    said = group.text(1 - victim)
    assert "Traceback" not in said
    assert ("another process ended: training stopped, the last checkpoint is kept" in said) == (victim == 1)
    assert trained(tmp_path, 2, "run", {}) == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)


def test_a_stuck_process_is_named_after_the_timeout(tmp_path: Path) -> None:
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 2.0, "stopped")
    group.processes[0].join(120)
    os.kill(group.processes[1].pid, signal.SIGKILL)
    group.join()
    assert json.loads((tmp_path / "meeting" / "result-0").read_text()) == 3
    assert "process 1 gave no answer for 2 s (stuck, or cut off)" in group.text(0) and "Traceback" not in group.text(0)
    found, notes = checkpoint.load_newest(tmp_path / "run" / "checkpoints")
    assert found is not None and found.step == 3 and not notes  # what was saved before is whole


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("other versions", "differs from process 0 (torch: "),
        ("other options", "differs from process 0 (batch: 8 -> 16): start every process with the same options"),
        ("no data", "process 1 on "),
        ("full disk", "cannot write: no space left"),
        ("drift", "machines that round differently cannot train together"),
    ],
)
def test_a_mistake_on_one_process_is_one_sentence_of_the_first_and_ends_all(
    fault: str, words: str, tmp_path: Path
) -> None:
    group = Together(tmp_path / "meeting", 2, workers.train, str(tmp_path / "run"), {}, 120.0, fault)
    assert group.results() == [2, 2]
    (sentence,) = [line for line in group.text(0).splitlines() if line.startswith("wgan: ")]
    assert words in sentence and "Traceback" not in group.text(0) + group.text(1)
    assert "wgan: " not in group.text(1)


def test_a_loss_that_is_not_finite_on_one_process_stops_all_or_all_go_back(tmp_path: Path) -> None:
    assert trained(tmp_path, 2, "stopped", {}, "not a number") == [2, 2]
    (name,) = [p.name for p in (tmp_path / "stopped").glob("not-finite-*")]
    assert name == "not-finite-00000004.json"
    assert trained(tmp_path, 2, "back", {"on_nan": "rollback"}, "not a number") == [0, 0]
    assert any("went back" in str(r.get("alarm", "")) for r in read_log(tmp_path / "back"))
    assert max(checkpoint.moments(tmp_path / "back" / "checkpoints")) == (6, 0)


def test_bits_do_not_depend_on_chance(whole: Path, tmp_path: Path) -> None:
    assert trained(tmp_path, 2, "run", {}, "another order") == [0, 0]
    assert contents(tmp_path / "run") == contents(whole)


# --- starting ---------------------------------------------------------------------------------------------------------


def environment(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


def test_a_port_in_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch, command: Any, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment(monkeypatch, RANK=0, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        said = command("train", "--run", tmp_path / "run", "--timeout", "5").sentence()
    assert f"port {port} is in use" in said and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"RANK": 0, "WORLD_SIZE": 2}, "MASTER_ADDR is not set"),
        ({"RANK": 2, "WORLD_SIZE": 2}, "RANK 2 is not below WORLD_SIZE 2"),
        ({"RANK": 0, "WORLD_SIZE": "two"}, "WORLD_SIZE must be a whole number, not 'two'"),
    ],
)
def test_a_wrong_environment_is_one_sentence(
    values: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch, command: Any, tmp_path: Path
) -> None:
    environment(monkeypatch, **values)
    assert command("train", "--run", tmp_path / "run").code == 2
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(values["WORLD_SIZE"]))
    if values["RANK"] == 0:
        assert words in command("train", "--run", tmp_path / "run").sentence()


def test_a_command_that_is_for_one_process_says_so(monkeypatch: pytest.MonkeyPatch, command: Any) -> None:
    environment(monkeypatch, RANK=0, WORLD_SIZE=2)
    assert command("recipes").sentence() == "wgan recipes runs in one process: start it without torchrun"
    monkeypatch.setenv("RANK", "1")
    assert command("recipes") == (2, "", "")


def test_mistakes_in_flags_are_said_before_anything_starts(command: Any, tmp_path: Path) -> None:
    for flags, words in (
        (["--processes", "0"], "processes must be between 1 and 1024"),
        (["--processes", "2", "--restarts", "-1"], "restarts must be 0 or more"),
        (["--timeout", "0"], "timeout must be above 0"),
        (["--processes", "3", "--dry-run"], "3 processes cannot share batch"),
    ):
        assert words in command("train", *flags, "--run", tmp_path / "run").sentence()


def test_a_group_of_one_leaves_engine_and_networks_as_they_are() -> None:
    p = loop.make_players(images_config(dropout=0.2), EXACT, images())
    kinds = {type(m).__name__ for network in (p.generator, p.critic) for m in network.modules()}
    assert "SyncedBatchNorm" not in kinds and "SharedDropout" not in kinds


def test_draws_of_many_processes_are_the_parts_of_one() -> None:
    for count in (2, 4):
        for kind in ("normal", "uniform"):
            one = EXACT.draws(0, 1, "x", 8)(kind, (3,))
            parts = []
            for index in range(count):
                engine = replace(EXACT, place=Place(index, count))
                assert isinstance(engine, Engine)
                draws = engine.draws(0, 1, "x", 8 // count)
                parts.append(draws(kind, (3,)))
                assert torch.equal(draws.again()(kind, (3,)), parts[-1])
            assert torch.equal(torch.cat(parts), one)


def test_processes_are_started_again_when_one_is_killed_and_a_signal_to_the_launcher_stops_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of `--processes`, through torchrun's agent: as long as it needs to, and not until the run ends."""
    environment(monkeypatch)
    run, said = tmp_path / "run", tmp_path / "said"
    words = ["train", "gulrajani-ring", "--generator-layers", "16", "--critic-layers", "16", "--batch", "16"]
    words += ["--threads", "1", "--steps", "1000000", "--log-every", "1", "--sample-every", "0"]
    words += ["--evaluate-every", "0", "--checkpoint-every", "4", "--processes", "2", "--run", str(run)]
    with said.open("wb") as file:
        launcher = subprocess.Popen([sys.executable, "-m", "wgan", *words], stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: saved(run) >= 8)
        os.kill(workers_of(launcher.pid)[-1], signal.SIGKILL)
        wait_for(lambda: "all were started again (1 of at most 3 times)" in said.read_text())
        wait_for(lambda: "continuing: " in said.read_text())
        again = saved(run)
        wait_for(lambda: saved(run) > again)
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(600) == 143, said.read_text()
    finally:
        launcher.kill()
    text = said.read_text()
    assert f"stopped at step {saved(run)}, saved in {run}" in text and "Traceback" not in text
    assert [r["step"] for r in read_log(run) if "critic/loss" in r] == list(range(1, saved(run) + 1))
    assert json.loads((run / "run.json").read_text())["processes"] == 2
    assert launch_of(*words[:-2], "--run", str(tmp_path / "none"), "--batch", "15").sentence().startswith("2 processes")


def wait_for(condition: Any) -> None:
    wait_until(condition, 600)


def saved(run: Path) -> int:
    return max(checkpoint.moments(run / "checkpoints"), default=(0, 0))[0]


def launch_of(*words: str) -> Result:
    """Run a command to its end in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "wgan", *words], capture_output=True, text=True, timeout=600)
    return Result(done.returncode, done.stdout, done.stderr)


# --- files to copy ----------------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def test_the_slurm_example_is_a_script_whose_command_wgan_takes() -> None:
    path = EXAMPLES / "wgan.slurm"
    text = path.read_text()
    checked = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert text.startswith("#!/bin/bash\n") and "#SBATCH --nodes=4" in text
    command = text[text.index("srun torchrun") :].replace("\\\n", " ")
    words = shlex.split(command)
    found = parse_args(words[2:])
    assert found.module and found.training_script == "wgan" and found.max_restarts == 3
    assert parse(found.training_script_args).name == "mnist"


def test_the_kubernetes_example_is_a_pytorchjob_whose_commands_are_alike() -> None:
    job = yaml.safe_load((EXAMPLES / "wgan-pytorchjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert replicas["Master"]["replicas"] == 1 and set(replicas) == {"Master", "Worker"}
    commands = []
    for role in replicas.values():
        (container,) = role["template"]["spec"]["containers"]
        assert container["name"] == "pytorch" and role["restartPolicy"] == "OnFailure"  # what the operator looks for
        commands.append(container["command"])
    assert commands[0] == commands[1] and commands[0][:3] == ["python", "-m", "wgan"]
    found = parse(commands[0][3:])
    processes = sum(role["replicas"] for role in replicas.values())
    require_divides(configure("mnist", {"batch": found.option_batch}), Group(world=processes))


def test_every_objective_is_among_the_systems() -> None:
    assert set(OBJECTIVES) <= set(workers.SYSTEMS) and math.isclose(EXACTLY, 1e-12)
