"""`wgan completion SHELL`: the script by which a shell completes commands, flags, recipes, runs and choices."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from wgan.cli.parser import Parser
from wgan.config import FIELDS
from wgan.config.objectives import FACTS
from wgan.errors import WganError, unknown
from wgan.recipes import RECIPES

SHELLS = ("bash", "zsh")
# what is completed by more than a list: recipes and files for data, runs by name and folders for a run
PREAMBLE = {
    "bash": """\
_wgan_data() { compgen -W "%(recipes)s" -- "$1"; compgen -f -- "$1"; }
_wgan_runs() { compgen -W "$(ls runs 2>/dev/null)" -- "$1"; compgen -d -- "$1"; }
""",
    "zsh": """\
_wgan_data() { _alternative 'recipes:recipe:(%(recipes)s)' 'files:file:_files' }
_wgan_runs() { _alternative 'runs:run:_path_files -W runs -/' 'folders:folder:_files -/' }
""",
}


def command(found: argparse.Namespace) -> int:
    """`wgan completion SHELL`: print the script."""
    if found.shell not in SHELLS:
        raise unknown("shell", found.shell, SHELLS)
    print(script(found.shell))
    return 0


def script(shell: str) -> str:
    """Return the completion script of a shell; WganError where shtab is not installed."""
    try:
        import shtab
    except ImportError:
        raise WganError("completion needs the package shtab: pip install 'wgan[completion]'") from None
    from wgan.cli.main import commands_of, parser

    p = parser()
    for name, one in commands_of(p).items():
        teach(one, name, {"file": shtab.FILE, "folder": shtab.DIRECTORY})
    p.epilog = None
    return str(shtab.complete(p, shell, preamble=PREAMBLE[shell] % {"recipes": " ".join(RECIPES)}))


def teach(p: Parser, name: str, places: Mapping[str, Any]) -> None:
    """Let each argument of a command say what completes it: a list, files, folders, or one of our functions."""
    for action in p._actions:
        metavar = str(action.metavar or "")
        option = FIELDS.get(action.dest.removeprefix("option_"))
        if option and option.choices:
            action.choices = option.choices
        elif option and option.kind is bool and action.nargs != 0:
            action.choices = ("0", "1")
        elif metavar == "OBJECTIVE":
            action.choices = tuple(FACTS)
        elif metavar == "RECIPE":
            action.choices = tuple(RECIPES)
        elif metavar == "COMMAND":
            action.choices = None
        elif complete := completed_by(action.dest, metavar, places):
            action.complete = complete  # type: ignore[attr-defined]


def completed_by(dest: str, metavar: str, places: Mapping[str, Any]) -> Any:
    """Return what completes an argument: a function of the shell's script, by shell; None for nothing."""
    if metavar in ("RECIPE|PATH", "SPEC") or dest == "option_data":
        return dict.fromkeys(SHELLS, "_wgan_data")
    if metavar.startswith("RUN"):
        return dict.fromkeys(SHELLS, "_wgan_runs")
    if metavar.startswith(("DIR", "FOLDER")):
        return places["folder"]
    return places["file"] if metavar.startswith(("FILE", "PATH")) else None
