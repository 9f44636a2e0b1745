"""The option `conditions`: NAME,NAME:category,..., names of what comes with each sample."""

from __future__ import annotations

from wgan.errors import WganError

CATEGORY = ":category"  # after the name of a condition whose values are numbers, but names of something


def condition_names(text: str) -> list[str]:
    """Return the names, in their order."""
    return [part.strip().removesuffix(CATEGORY) for part in text.split(",")] if text else []


def condition_categories(text: str) -> list[str]:
    """Return the names that are said to be categories."""
    parts = [part.strip() for part in text.split(",")]
    return [part.removesuffix(CATEGORY) for part in parts if part.endswith(CATEGORY)]


def check_conditions(text: str, labels: str) -> None:
    """Raise WganError for names that are empty or given twice, and for a column of labels beside them."""
    names = condition_names(text)
    if "" in names or len(set(names)) < len(names):
        raise WganError(f"conditions '{text}': write NAME or NAME,NAME, each name once")
    if names and labels not in ("auto", "none"):
        raise WganError(f"labels {labels} next to conditions: name it among the conditions, as one of them")
