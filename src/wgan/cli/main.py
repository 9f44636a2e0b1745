"""The `wgan` command: names to functions, no logic. Nothing here imports torch before a command runs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wgan import __version__
from wgan.cli import epochs
from wgan.cli.arguments import ADDED
from wgan.cli.lookup import find_runs
from wgan.cli.output import complain, replace_unprintable
from wgan.cli.parser import Parser, dashed, switched
from wgan.cli.synonyms import COMMANDS
from wgan.config.synonyms import explained, meaning, plain_word
from wgan.distributed.launch import in_group, rank
from wgan.errors import LostContact, SaidElsewhere, WganError, nearest

EXAMPLES = """\
examples:
  wgan train                            train the default recipe on MNIST
  wgan train photos/ --size 64          train on your own images
  wgan sample mnist -n 100 --label 7    make samples with the run runs/mnist
  wgan help train                       show the options that people use
"""


def parser() -> Parser:
    """Return the parser of every command."""
    p = Parser(
        prog="wgan",
        description="Train Wasserstein GANs and measure them honestly.",
        epilog=EXAMPLES,
        usage="wgan COMMAND [...]",
    )
    p.add_argument("-V", "--version", action="version", version=f"wgan {__version__}", help="show the version and exit")
    commands = p.add_subparsers(title="commands", prog="wgan", metavar="COMMAND", parser_class=Parser)
    for add in ADDED:
        add(commands)
    return p


def commands_of(p: Parser) -> dict[str, Parser]:
    """Return the parser of each command by its name."""
    (action,) = (a for a in p._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def function(name: str) -> Callable[[argparse.Namespace], int]:
    """Return the function of a command; imported late, because all but the report load torch."""
    match name:
        case "train":
            from wgan.cli.train import train as command
        case "sample":
            from wgan.cli.sample import sample as command
        case "interpolate":
            from wgan.cli.sample import interpolate as command
        case "evaluate":
            from wgan.cli.evaluate import evaluate as command
        case "encode":
            from wgan.cli.encode import encode as command
        case "score":
            from wgan.cli.encode import score as command
        case "invert":
            from wgan.cli.encode import invert as command
        case "runs":
            from wgan.cli.runs import command
        case "log":
            from wgan.cli.log import command
        case "env":
            from wgan.cli.environment import command
        case "completion":
            from wgan.cli.completion import command
        case "help":
            from wgan.cli.about import show_help as command
        case "version":
            from wgan.cli.about import show_version as command
        case "data":
            from wgan.cli.data import command
        case "recipes":
            from wgan.cli.listing import recipes as command
        case "report":
            from wgan.report.page import command
        case "compare":
            from wgan.compare.run import command
        case "benchmark":
            from wgan.cli.benchmark import command
        case "export":
            from wgan.cli.export import command
        case "serve":
            from wgan.cli.serve import command
    return command


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; WganError with the nearest command or flag for what is not known."""
    p = parser()
    tables = commands_of(p)
    if words and not words[0].startswith("-") and words[0] not in tables:
        raise unknown_command(words[0], tables)
    spelt = [dashed(word) for word in words]
    found, rest = p.parse_known_args(switched(spelt) if spelt[:1] == ["train"] else spelt)
    if rest and rest[0].startswith("-"):
        flag = rest[0].partition("=")[0]
        raise WganError(f"unknown flag '{flag}': {right_flag(flag, spelt, tables.get(words[0], p).flags())}")
    if rest:
        raise WganError(f"wgan {words[0]} does not take '{rest[0]}': see wgan {words[0]} --help")
    return found


def unknown_command(word: str, known: Iterable[str]) -> WganError:
    """Return the error for a word that is not a command."""
    return WganError(f"unknown command '{word}': {meaning(word, COMMANDS) or nearest(word, known)}")


def right_flag(flag: str, words: Sequence[str], flags: Sequence[str]) -> str:
    """Return what to write instead of an unknown flag."""
    if words[0] == "train" and plain_word(flag) in map(plain_word, epochs.SPELLINGS):
        return epochs.in_steps(words, flag, parse)
    return explained(flag, flags)


def require_whole_names(words: Sequence[str]) -> None:
    """Raise WganError where neighbouring words are one name that is there: blanks need quotes."""
    for at in range(1, len(words)):
        for end in range(at + 2, len(words) + 1):
            some = words[at:end]
            if any(word.startswith("-") or not word for word in some):
                break
            name = " ".join(some)
            if Path(name).exists() and not Path(some[0]).exists():
                raise WganError(f"'{name}' is one name with blanks: write it in quotes")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 2 for a user's mistake (one sentence on stderr), 130 for Ctrl-C.

    In a group of processes rank 0 speaks for all; 3 = another process was lost.
    """
    words = list(sys.argv[1:] if words is None else words)
    replace_unprintable()
    try:
        require_whole_names(words)
        found = parse(words)
        if "function" not in found:
            parser().print_help()
            return 0
        if in_group() and "processes" not in found:
            raise WganError(f"wgan {found.function} runs in one process: start it without torchrun")
        found.words = words
        find_runs(found)
    except WganError as error:
        if rank() == 0:  # every process of a group makes the same mistake here
            complain(str(error))
        return 2
    try:
        return function(found.function)(found)
    except SaidElsewhere:
        return 2
    except LostContact as error:
        if error.speaks:
            complain(str(error))
        return 3
    except WganError as error:
        complain(f"{f'process {rank()}: ' if rank() else ''}{error}")
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (wgan recipes | head): nothing to say, no one to say it to
        return 1
    except OSError as error:
        complain(f"the system refused {error.filename or 'to read or write'}: {error.strerror}")
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        complain("not enough memory: use a smaller batch or narrower layers, see --dry-run")
        return 2
