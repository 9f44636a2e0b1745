"""Real processes that train, forked from a server that has torch loaded already, so that each starts at once.

They are children of multiprocessing's fork server and not of pytest, whose threads would not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import sys
import time
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "wgan.cli.train",
        "wgan.cli.evaluate",
        "wgan.cli.sample",
        "wgan.training.loop",
        "torch._dynamo",  # every optimizer imports it
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "tensorboard.summary.writer.record_writer",
    ]
)

RING = shlex.split(
    "gulrajani-ring --generator-layers 16 --critic-layers 16 --batch 16 --n-critic 2 --threads 1 --steps 24"
)
CADENCE = shlex.split("--log-every 1 --sample-every 8 --checkpoint-every 5 --evaluate-every 6")


def make_cheap(set_attribute):
    """Replace the evaluation by a figure that costs nothing and has its minimum midway: the best step is kept too."""
    from wgan.training.monitor import SELECTION, Monitor

    def measure(self, players, step):
        figure = float((step * 3) % 11)
        self.note(step, figure)
        return {SELECTION: figure}

    set_attribute(Monitor, "measure", measure)
    set_attribute(Monitor, "alarms", lambda self, step, figures: [])


def body(words, output, kill_at, pause):
    """Run `wgan WORDS` in this process; die by SIGKILL just before a file called `kill_at` is renamed into place."""
    with open(output, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from wgan.cli import main as cli
    from wgan.distributed import signals
    from wgan.training import step as phases

    make_cheap(setattr)
    signals.PATIENCE = signals.PLOTS = signals.PICTURES = (
        600.0  # how busy the machine is must not decide what a test sees
    )
    ask = signals.Stop.ask

    def noted(self, number, frame):
        os.write(1, b"asked\n")
        ask(self, number, frame)

    signals.Stop.ask = noted
    replace, check = os.replace, phases.require_finite

    def fatal(source, target):
        if kill_at and Path(target).name == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    def slow(stats, step):
        time.sleep(pause)
        check(stats, step)

    os.replace, phases.require_finite = fatal, slow
    sys.exit(cli.main(words))


class Child:
    """One process that runs `wgan WORDS`; what it prints goes to the file `output`."""

    def __init__(self, words, output, kill_at="", pause=0.0):
        self.output = Path(output)
        self.process = CONTEXT.Process(target=body, args=(list(words), str(output), kill_at, pause))
        self.process.start()

    def send(self, number):
        os.kill(self.process.pid, number)

    def code(self, seconds=120):
        """Wait for the end; return the exit code as a shell gives it (128 + signal)."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"still running after {seconds} s: {self.text()}")
        number = self.process.exitcode
        return number if number >= 0 else 128 - number

    def text(self):
        return self.output.read_text()


def wait_for(condition, seconds=120):
    """Wait until condition() is true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.003)


def logged(run, step):
    """Return whether log.jsonl of a run has a line for `step` or a later one."""
    path = Path(run) / "log.jsonl"
    return path.is_file() and path.read_bytes().count(b'{"step"') >= step


def finished_bytes(run, last):
    """Return what two runs must agree on, by name: everything but clock times, events and older checkpoints."""
    names = ["config.json", "run.json", "log.jsonl", "losses.png", "progress.gif"]
    names += [f"checkpoints/step-{last:08d}.json", f"checkpoints/step-{last:08d}.safetensors"]
    names += sorted(f"samples/{p.name}" for p in (Path(run) / "samples").iterdir())
    return {name: (Path(run) / name).read_bytes() for name in names}
