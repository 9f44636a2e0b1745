"""Starting many processes: a wrong environment or flag is one sentence, killed ones start again, the examples parse."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Result
from helpers.child_processes import wait_for as wait_until
from helpers.process_group import workers_of
from torch.distributed.run import parse_args

from wgan.cli.main import parse
from wgan.distributed.group import Group
from wgan.recipes import configure
from wgan.runs import checkpoint
from wgan.runs.log import read_log
from wgan.training.state import require_divides

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


@pytest.mark.slow
def test_processes_restart_after_a_kill_and_stop_on_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


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


def test_the_kubernetes_example_is_a_job_of_equal_commands() -> None:
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
