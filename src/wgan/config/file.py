"""Options in a file: JSON, TOML or YAML with some of them, or the config.json of a run with all of them."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable
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
KINDS = {".json": "JSON", ".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}
FILES = "a .json, .toml or .yaml file, or the folder of a run"
MOST = 2**20  # bytes; a longer file holds no options


def read_options(path: Path) -> Config | dict[str, Any]:
    """Return the whole Config of a run's config.json (or of its folder), or the options that any other file holds.

    A name may be written with dashes. Raises WganError for a file that cannot be read, is none of JSON, TOML and YAML, or
    holds anything that is not an option, with the nearest name.
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
            raise WganError(f"{file}: '{name}' is not an option of a run: give it on the command line")
        check_names([option], f"option in {file}")
        if option in found:
            raise WganError(f"{file} has {option} twice")
        found[option] = value
    return found


def parsed(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file or the top table of a TOML or YAML file; WganError for anything else."""
    readers: dict[str, Callable[[str], Any]] = {"JSON": from_json, "TOML": tomllib.loads, "YAML": from_yaml}
    kind = KINDS.get(file.suffix.lower())
    if kind is None:
        raise WganError(f"{file}: options are read from {FILES}")
    text = text_of(file)
    try:
        values = readers[kind](text)
    except ImportError:
        raise WganError(f"{file}: reading YAML needs PyYAML: pip install 'wgan[yaml]', or write JSON or TOML") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise WganError(f"{file} is not valid {kind}: {reason}") from None
    if not isinstance(values, dict):
        raise WganError(f'{file} holds no options: expected an object such as {{"steps": 1000}}')
    return values


def from_json(text: str) -> Any:
    """Return the value of a JSON text; ValueError for text that is not JSON or gives an object two values of one name."""
    return json.loads(text, object_pairs_hook=lambda pairs: without_twins([name for name, _ in pairs], dict(pairs)))


def from_yaml(text: str) -> Any:
    """Return the value of a YAML text: a table of single values, which no tag can make anything else.

    Raises ValueError, with the line, for text that is not YAML or has a list, a table or a name twice in its table, and
    ImportError without PyYAML.
    """
    import yaml  # an extra

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(node, yaml.MappingNode):
            return None
        for name, value in node.value:
            # refused before it is built: a few aliases can stand for a list of a billion
            if not (isinstance(name, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)):
                raise ValueError(f"line {name.start_mark.line + 1}: an option has one value, a number or a word")
        return without_twins([name.value for name, _ in node.value], yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line}: {error.problem}") from None
    except yaml.YAMLError:  # of its reader, which knows no line
        raise ValueError("it has a character that YAML does not allow") from None


def without_twins(names: list[str], values: dict[Any, Any]) -> dict[str, Any]:
    """Return the values of a table; ValueError where a name stands in it twice."""
    twins = [name for name, times in Counter(names).items() if times > 1]
    if twins:
        raise ValueError(f"'{twins[0]}' stands in it twice")
    return {str(name): value for name, value in values.items()}


def text_of(file: Path) -> str:
    """Return the text of a file of options."""
    try:
        if not file.is_file():  # a pipe would make us wait forever
            raise WganError(f"no file {file}: --config takes {FILES}")
        if file.stat().st_size > MOST:
            raise WganError(f"{file} is too large for a file of options")
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise WganError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise WganError(f"cannot read {file}: {error.strerror}") from None
