"""`--processes N`: start a command N times on this machine, as torchrun does it and through torchrun's own agent."""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from wgan.errors import WganError

# How a command that runs as many processes ends. torchrun restarts every process when one ends with a code other than 0:
# right for a process that died, wrong for a user's mistake (2), Ctrl-C (130) or SIGTERM (143), which a restart would only
# repeat. So the first process that ends for good writes its code into the file that OUTCOME names, and ends with 0; so do
# the others. The agent sees a success and restarts nothing, and `launch` returns the code in the file. Without a file
# the code is the agent's: a process died more often than `--restarts` allows.
OUTCOME = "WGAN_OUTCOME"  # file in which a worker leaves an exit code for which a restart is pointless
MOST = 1024


def launch(words: Sequence[str], processes: int, restarts: int) -> int:
    """Run `wgan WORDS` in so many processes that form one group; return the exit code of the whole.

    When one of them dies, all are started again, at most `restarts` times; a run resumes from its newest checkpoint.
    """
    if not 1 <= processes <= MOST:
        raise WganError(f"processes must be between 1 and {MOST}, not {processes}")
    if restarts < 0:
        raise WganError(f"restarts must be 0 or more, not {restarts}")
    os.environ.setdefault("LOGLEVEL", "CRITICAL")  # torchrun's own reports; ours are one sentence
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # until the engine sets it: no warning, no crowd at the start
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback())  # one machine: nothing for the network
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    options = ["--standalone", "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    options += ["--monitor-interval", "0.2", "--local-addr", "127.0.0.1"]
    with tempfile.TemporaryDirectory(prefix="wgan-") as folder:
        file = Path(folder) / "code"
        os.environ[OUTCOME] = str(file)
        code = 0
        try:
            torchrun.run(torchrun.parse_args([*options, "-m", "wgan", *map(unlike, words)]))
        except SignalException as signal:
            code = 128 + signal.sigval
        except ChildFailedError as error:
            rank, first = error.get_first_failure()
            how = f"was ended by {first.signal_name()}" if first.exitcode < 0 else f"ended with code {first.exitcode}"
            sys.stdout.flush()
            if not is_over():  # or it died when all was done
                print(
                    f"wgan: process {rank} {how}, after {restarts} restarts; the last checkpoint is kept",
                    file=sys.stderr,
                )
            code = 1
        finally:
            del os.environ[OUTCOME]
        return int(file.read_text()) if file.is_file() else code


def unlike(word: str) -> str:
    """Return --run as --run-dir: torchrun would take it for an abbreviation of its own --run-path."""
    flag, equals, value = word.partition("=")
    return f"{flag}-dir{equals}{value}" if flag == "--run" else word


def loopback() -> str:
    """Return the name of this machine's loopback interface."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def in_group() -> bool:
    """Return whether the environment says that there are other processes."""
    return os.environ.get("WORLD_SIZE", "") not in ("", "1")


def rank() -> int:
    """Return this process's number in its group; 0 when it is alone."""
    text = os.environ.get("RANK", "0")
    return int(text) if in_group() and text.isdecimal() else 0


def is_over() -> bool:
    """Return whether another process of the group has already said how the command ends."""
    return OUTCOME in os.environ and Path(os.environ[OUTCOME]).exists()


def final_code(code: int) -> int:
    """Leave for `launch` an exit code for which a restart is pointless; return what to exit with.

    A mistake, a signal, or that rank 0, the one that writes, has done its work.
    """
    if OUTCOME not in os.environ or (code not in (2, 130, 143) and (code or rank())):
        return code
    with suppress(FileExistsError), open(os.environ[OUTCOME], "x") as file:
        file.write(str(code))
    return 0


def leave(code: int) -> NoReturn:
    """End this process of a group at once: the interpreter's own end can abort on a thread of the connections.

    C++ ends a program whose thread is still joinable with "terminate called without an active exception".
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that went away
            stream.flush()
    os._exit(code)
