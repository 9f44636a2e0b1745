"""Groups of real processes in tests: forked from a server that has torch loaded, found through a file, heard through files."""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from pathlib import Path

from helpers.child_processes import CONTEXT


def join(rank, world, folder):
    """Make this process number `rank` of `world`; they meet in a file, so that no port can be taken."""
    import torch.distributed as dist

    from wgan.distributed import rendezvous

    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(world))
    os.environ.update(GLOO_SOCKET_IFNAME=loopback())
    rendezvous.rendezvous = lambda patience: dist.FileStore(str(folder / "meeting"), world)


def loopback():
    """Return the name of the loopback interface."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def body(work, rank, world, folder, arguments):
    """Run work(*arguments) as one process of a group; write what it returned, or exit with 1 and a traceback."""
    with open(folder / f"output-{rank}", "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    join(rank, world, folder)
    try:
        result = work(*arguments)
    except BaseException:
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)
    (folder / f"result-{rank}").write_text(json.dumps(result))


class Together:
    """`world` processes that run `work`, a function of a module, with the same arguments."""

    def __init__(self, folder, world, work, *arguments):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes = [
            CONTEXT.Process(target=body, args=(work, rank, world, self.folder, arguments)) for rank in range(world)
        ]
        for process in self.processes:
            process.start()

    def text(self, rank=0):
        return (self.folder / f"output-{rank}").read_text()

    def join(self, seconds=600):
        """Wait for all; return their exit codes."""
        for process in self.processes:
            process.join(seconds)
        late = [r for r, process in enumerate(self.processes) if process.is_alive()]
        for rank in late:
            self.processes[rank].kill()
        assert not late, f"still running after {seconds} s: {late}, {self.text(late[0])}"
        return [process.exitcode for process in self.processes]

    def results(self, seconds=600):
        """Wait for all to succeed; return what they returned."""
        codes = self.join(seconds)
        assert codes == [0] * len(codes), "\n".join(self.text(r) for r in range(len(codes)))
        return [json.loads((self.folder / f"result-{r}").read_text()) for r in range(len(codes))]


def workers_of(launcher):
    """Return the processes that run `wgan` for a launcher, by the order of their start (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if parent == launcher and b"wgan" in words:
            found.append(int(folder.name))
    return sorted(found)
