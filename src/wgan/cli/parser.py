"""What every command's flags are made of: a parser that answers a mistake with one sentence, and how a flag is spelt."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from wgan.cli.output import narrowed, terminal_width, wrapped
from wgan.config import FIELDS, ReadingOptions
from wgan.config.option import SWITCH, Option, options_of
from wgan.errors import WganError

RUN = "a run: its folder, or its name under runs/ (default: the newest)"
METAVARS = {int: "N", float: "X", str: "TEXT", bool: "[0|1]"}


class Help(argparse.RawDescriptionHelpFormatter):
    """Help whose words stay whole, and whose examples fit a narrow terminal."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(" ".join(text.split()), width).splitlines()

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(narrowed(indent + line, terminal_width()) for line in text.splitlines()) + "\n"


class Parser(argparse.ArgumentParser):
    """argparse with one sentence and the nearest flag for a mistake, instead of the whole usage.

    usual: the flags that --help shows, all of them where it is empty; --help-all shows the rest, too.
    """

    def __init__(self, usual: Collection[str] = (), **options: Any) -> None:
        plain = {"allow_abbrev": False, "formatter_class": Help, "add_help": False}
        super().__init__(**{**plain, **options})
        self.usual = frozenset(usual)
        self.add_argument("-h", "--help", action="help", help="show this help and exit")
        if usual:
            self.add_argument("--help-all", action=WholeHelp, nargs=0, help="show every option, in groups, and exit")

    def format_help(self) -> str:
        """Return the help of the usual flags, or of all where none are."""
        flagged = [a for a in self._actions if a.option_strings and a.help != argparse.SUPPRESS]
        hidden = [a for a in flagged if self.usual and not self.usual & set(a.option_strings)]
        helps = [a.help for a in hidden]
        for action in hidden:
            action.help = argparse.SUPPRESS
        text = super().format_help()
        for action, said in zip(hidden, helps, strict=True):
            action.help = said
        more = wrapped(f"{len(hidden)} more options, in groups: {self.prog} --help-all", terminal_width())
        return text + (f"\n{more}\n" if hidden else "")

    def error(self, message: str) -> NoReturn:
        raise WganError(message)

    def flags(self) -> list[str]:
        """Return every flag that help shows."""
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        return [flag for action in shown for flag in action.option_strings]


class WholeHelp(argparse.Action):
    """--help-all: the help of every flag."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        if isinstance(parser, Parser):
            parser.usual = frozenset()
        parser.print_help()
        parser.exit()


def dashed(word: str) -> str:
    """Return --n-critic=a_b for --n_critic=a_b: a flag may be written either way; what is not a flag stays."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def whole(text: str) -> int:
    """Return `text` as a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a whole number") from None


def number(text: str) -> float:
    """Return `text` as a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a number") from None


def add_option(p: Any, known: Option, dest: str, why: str = "") -> None:
    """Declare the flag of an option of Config; a switch may also be written --NAME and --no-NAME."""
    metavar = "NAME" if known.choices else METAVARS[known.kind]
    flag = dashed(f"--{known.name}")
    p.add_argument(flag, dest=dest, metavar=metavar, help=why + flag_help(known))
    if known.kind is bool:
        said = f"the same as {flag} 0" if known.default else argparse.SUPPRESS
        p.add_argument(flag.replace("--", "--no-", 1), dest=dest, action="store_const", const="0", help=said)


def flag_help(known: Option) -> str:
    """Return the help line of an option with its choices and its default."""
    choices = f" [{', '.join(known.choices)}]" if known.choices else ""
    default = f" (default: {word})" if (word := known.word(known.default)) else ""
    return f"{known.help}{choices}{default}".replace("%", "%%")


def switched(words: Sequence[str]) -> list[str]:
    """Return the words of `wgan train` with --flip=1 for a bare --flip: argparse would take the next word for its value."""
    switches = {dashed(f"--{name}") for name, known in FIELDS.items() if known.kind is bool}
    after = [*words[1:], ""]
    return [
        f"{word}=1" if word in switches and next_word.lower() not in SWITCH else word
        for word, next_word in zip(words, after, strict=True)
    ]


def add_reading(p: Any, why: str = "") -> None:
    """Declare the flags that say how a user's own data are read."""
    for name, known in options_of(ReadingOptions).items():
        add_option(p, known, name, why)


def reading(found: argparse.Namespace) -> dict[str, Any]:
    """Return which of these flags were given, by name."""
    return {name: value for name in options_of(ReadingOptions) if (value := getattr(found, name)) is not None}


def add_run(p: Any) -> None:
    """Declare the run that a command is about."""
    p.add_argument("path", nargs="?", metavar="RUN", help=RUN)


def add_weights(p: Any) -> None:
    """Declare which weights of a run a command takes."""
    p.add_argument("--checkpoint", default="last", metavar="WHICH", help="last, best or a step (default: last)")
    p.add_argument("--raw", action="store_true", help="use the raw generator, not the averaged one")


def add_threads(p: Any) -> None:
    """Declare how many threads a command uses."""
    p.add_argument("--threads", type=whole, metavar="N", help="CPU threads (default: as many as the run trained with)")


def add_processes(p: Any) -> None:
    """Declare the flags of a command whose work many processes can share."""
    p.add_argument(
        "--restarts",
        type=whole,
        default=3,
        metavar="N",
        help="how often to restart all processes when one dies (default: 3)",
    )
    p.add_argument(
        "--processes", type=whole, metavar="N", help="share the work among N processes, see docs/reference/scaling.md"
    )
    p.add_argument(
        "--timeout",
        type=number,
        default=600.0,
        metavar="S",
        help="seconds without an answer after which a process counts as stuck (default: 600)",
    )


def add_json(p: Any) -> None:
    """Declare that the answer is for a program."""
    p.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
