"""An exported model: a folder with model.safetensors and config.json, read like a run, and nothing in it is trusted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wgan.config import Config, from_dict
from wgan.errors import WganError
from wgan.runs.facts import RunFacts, parse

FORMAT = 1  # of the config.json of an exported model
WEIGHTS = "model.safetensors"
FILES = ("config.json", WEIGHTS, "README.md", "samples.png")
HUB = "hf:"  # hf:user/name is a model of the Hugging Face hub
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Exported:
    """What an exported model says of its weights: the step they were taken after, their kind and their sha256."""

    step: int
    weights: str  # average | raw
    sha256: str


def to_json(config: Config, facts: RunFacts, exported: Exported) -> str:
    """Return the text of config.json: how to build the network, and what its samples mean.

    `range` is that of the numbers of an image; None = in the units that `facts` holds.
    """
    values = {
        "format": FORMAT,
        "library_name": "wgan",
        "step": exported.step,
        "weights": exported.weights,
        "sha256": exported.sha256,
        "range": [-1, 1] if len(facts.shape) == 3 and facts.depth is None else None,
        "facts": facts.to_json(),
        "options": json.loads(config.to_json()),
    }
    return json.dumps(values, indent=2) + "\n"


def is_exported(text: str) -> bool:
    """Return whether the text of a config.json is that of an exported model, not of a run."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and "library_name" in values


def read(text: str, path: Path) -> tuple[Config, RunFacts, Exported]:
    """Return what the text of the config.json at `path` says; WganError for what no export has written."""
    values = json.loads(text)
    if values["library_name"] != "wgan":
        raise WganError(f"{path.parent} is a model of another library: its config.json does not say library_name wgan")
    number = values.get("format")
    if type(number) is not int or number < 1:
        raise WganError(f"{path} has no format number: not a model that wgan exported")
    if number > FORMAT:
        raise WganError(f"{path} has format {number}, this wgan reads up to {FORMAT}: install a newer wgan")
    facts, options = values.get("facts"), values.get("options")
    if not isinstance(facts, dict) or not isinstance(options, dict):
        raise WganError(f"{path} lacks facts or options: the exported model is damaged")
    return from_dict(options, str(path)), parse(json.dumps(facts), path), _weights(values, path)


def _weights(values: Mapping[str, Any], path: Path) -> Exported:
    step, kind, sha256 = (values.get(name) for name in ("step", "weights", "sha256"))
    if type(step) is not int or not 0 <= step < 2**53 or kind not in ("average", "raw") or not isinstance(sha256, str):
        raise WganError(f"{path} says of its weights what no export has written: the exported model is damaged")
    return Exported(step, kind, sha256)


def local(path: str | Path) -> Path:
    """Return the folder of a run or a model; hf:user/name is downloaded first, into the cache of huggingface_hub.

    $HF_ENDPOINT is another hub. Raises WganError without that package, for a name that is none, or without an answer.
    """
    text = str(path)
    return Path(path) if not text.startswith(HUB) else _download(text.removeprefix(HUB))


def hub_name(name: str) -> str:
    """Return the name of a model on the hub; WganError for what can be none."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise WganError(f"'{name}' is not a name on the hub: write user/name, for example hf:ada/digits")
    return name


def _download(name: str) -> Path:
    hub_name(name)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise WganError("a model of the hub needs huggingface_hub: pip install 'wgan[hub]'") from None
    try:
        endpoint = os.environ.get("HF_ENDPOINT") or None
        return Path(snapshot_download(name, endpoint=endpoint, allow_patterns=["config.json", WEIGHTS]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WganError(f"cannot download {HUB}{name}: {str(error).strip().splitlines()[0]}") from None
