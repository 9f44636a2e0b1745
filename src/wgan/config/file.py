"""Options in a file: JSON or TOML with some of them, or the config.json of a run with all of them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from wgan.config.config import Config, check_names, from_dict
from wgan.errors import WganError

FLAGS = (
    "run",
    "run_dir",
    "config",
    "dry_run",
    "processes",
    "restarts",
    "timeout",
)  # of the command, no options of a run
MOST = 2**20  # bytes; a longer file holds no options


def read_options(path: Path) -> Config | dict[str, Any]:
    """Return the whole Config of a run's config.json (or of its folder), or the options that any other file holds.

    A name may be written with dashes. Raises WganError for a file that cannot be read, is neither JSON nor TOML, or holds
    anything that is no option, with the nearest name.
    """
    file = path / "config.json" if path.is_dir() else path
    values = parsed(file)
    if "format" in values:
        return from_dict(values, str(file))
    found: dict[str, Any] = {}
    for name, value in values.items():
        option = name.replace("-", "_")
        if isinstance(value, dict):
            raise WganError(f"{file}: '{name}' is a table: write its options outside of it, one a line")
        if option in FLAGS:
            raise WganError(f"{file}: '{name}' is no option of a run: give it on the command line")
        check_names([option], f"option in {file}")
        if option in found:
            raise WganError(f"{file} has {option} twice")
        found[option] = value
    return found


def parsed(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file or the top table of a TOML file; WganError for anything else."""
    kind = file.suffix.lower()
    if kind in (".yaml", ".yml"):
        raise WganError(f"{file}: YAML is not read: write the options as JSON or TOML, one `name = value` a line")
    if kind not in (".json", ".toml"):
        raise WganError(f"{file}: options are read from a .json or .toml file, or from the folder of a run")
    text = text_of(file)
    try:
        values = json.loads(text) if kind == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise WganError(f"{file} is not valid {kind[1:].upper()}: {reason}") from None
    if not isinstance(values, dict):
        raise WganError(f'{file} holds no options: expected an object such as {{"steps": 1000}}')
    return values


def text_of(file: Path) -> str:
    """Return the text of a file of options."""
    try:
        if not file.is_file():  # a pipe would make us wait forever
            raise WganError(f"no file {file}: --config takes a .json or .toml file, or the folder of a run")
        if file.stat().st_size > MOST:
            raise WganError(f"{file} is too large for a file of options")
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise WganError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise WganError(f"cannot read {file}: {error.strerror}") from None
