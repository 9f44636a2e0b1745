"""Options: one frozen record that checks itself; flags, config.json and docs come from it. No torch here."""

from wgan.config.config import (
    FIELDS,
    FORMAT,
    FREE_FIELDS,
    LATER,
    Config,
    check_names,
    check_value,
    differences,
    from_dict,
    from_json,
)

__all__ = [
    "FIELDS",
    "FORMAT",
    "FREE_FIELDS",
    "LATER",
    "Config",
    "check_names",
    "check_value",
    "differences",
    "from_dict",
    "from_json",
]
