"""The handler of signals, and the end of a process that was interrupted: one line, never a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from wgan.cli import main as cli
from wgan.distributed import signals as stopping
from wgan.distributed.signals import Interrupted, Stop, stop_on_signal

# --- the handler ------------------------------------------------------------------------------------------------------


def test_the_first_signal_asks_and_the_second_leaves() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal() as stop:
        assert not stop.overdue() and not stop.reason
        signal.raise_signal(signal.SIGTERM)
        assert (stop.reason, stop.code) == ("SIGTERM", 143)
        for late, asked in ((False, time.monotonic() + 60), (True, time.monotonic() - stopping.PATIENCE - 1)):
            stop.asked = asked
            assert stop.overdue() == late
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_repeatable_work_is_left_at_once_optional_work_if_late() -> None:
    """Work that a resumed run does again stops at once; work that can be left out stops when time runs short."""
    stop = Stop(asked=-1e9)
    stop.leave(), stop.hurry()  # nobody asked
    stop.ask(signal.SIGINT, None)
    stop.asked = time.monotonic() + 60
    with pytest.raises(Interrupted):
        stop.leave()
    stop.hurry()
    stop.asked = time.monotonic() - stopping.PICTURES - 1
    with pytest.raises(Interrupted):
        stop.hurry()


def test_a_signal_is_only_noted_where_an_exception_would_be_lost() -> None:
    """Raised within a destructor it would be printed and forgotten; the evaluation would go on."""

    class Destructor:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with stop_on_signal() as stop, pytest.raises(Interrupted):
        Destructor()
        stop.leave()


# --- the process ------------------------------------------------------------------------------------------------------


def test_an_interruption_is_one_line_even_in_a_destructor() -> None:
    for how in ("raise KeyboardInterrupt", "Destructor()"):
        code = (
            "import sys, wgan.cli.main, wgan.__main__ as process\n"
            "class Destructor:\n"
            "    def __del__(self): raise KeyboardInterrupt\n"
            "def command(found):\n"
            f"    {how}\n"
            "    print('went on')\n"
            "wgan.cli.main.function = lambda name: command\n"
            "sys.argv = ['wgan', 'recipes']\n"
            "sys.exit(process.entry())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", "wgan: interrupted\n")


def test_the_end_of_the_process_is_not_interrupted() -> None:
    """And matplotlib's note about its list of fonts is not shown."""
    code = (
        "import sys, signal, logging, wgan.__main__ as process\n"
        "sys.argv = ['wgan', '--version']\n"
        "code = process.entry()\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "logging.getLogger('matplotlib.font_manager').warning('building the font cache')\n"
        "raise RuntimeError\n"
    )
    code = code.replace("code = process.entry()", "try: process.entry()\nexcept SystemExit: pass")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.strip().endswith("RuntimeError") and "font" not in done.stderr


def test_an_interrupt_that_no_command_heard_is_one_line(monkeypatch, capsys) -> None:
    """While modules are still read, say: main() has not begun."""
    import wgan.__main__ as program

    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    try:
        assert program.entry() == 130
    except KeyboardInterrupt:  # which would end the tests, not fail one
        pytest.fail("not heard")
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "interrupted" in said.err
