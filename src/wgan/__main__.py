"""`wgan` and `python -m wgan`: the process around the command, which a Ctrl-C ends without a traceback at any moment."""

from __future__ import annotations

import logging
import os
import signal
import sys


def interrupted() -> int:
    """Say that Ctrl-C ended the command; return its exit code."""
    print("wgan: interrupted", file=sys.stderr, flush=True)
    return 130


def in_destructor(problem: sys.UnraisableHookArgs) -> None:
    """Leave when Ctrl-C fell into code that cannot raise, a destructor: Python would print it and continue."""
    if not issubclass(problem.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(problem)
        return
    if sys.stdout.isatty():
        print("\x1b[?25h", end="", flush=True)  # the live line hides the cursor
    os._exit(interrupted())


def entry() -> int:
    """Run the command line of this process; return its exit code."""
    sys.unraisablehook = in_destructor
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it lists the machine's fonts is no news to the user
    try:
        from wgan.cli.main import main
        from wgan.distributed import launch

        code = 0 if launch.is_over() else launch.final_code(main())
        return launch.leave(code) if launch.in_group() else code
    except KeyboardInterrupt:
        return interrupted()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: the interpreter's own end is not to be interrupted


if __name__ == "__main__":
    sys.exit(entry())
