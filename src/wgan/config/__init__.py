"""Options: one frozen record that checks itself; flags, config.json and docs come from it. No torch here."""

from wgan.config.config import (
    FIELDS,
    FORMAT,
    Config,
    changed,
    check_names,
    check_value,
    differences,
    from_dict,
    from_json,
)
from wgan.config.groups import (
    DataOptions,
    LegacyOptions,
    NetworkOptions,
    ObjectiveOptions,
    OptimizerOptions,
    OutputOptions,
    ReadingOptions,
    RuntimeOptions,
    part,
)

__all__ = [
    "FIELDS",
    "FORMAT",
    "Config",
    "DataOptions",
    "LegacyOptions",
    "NetworkOptions",
    "ObjectiveOptions",
    "OptimizerOptions",
    "OutputOptions",
    "ReadingOptions",
    "RuntimeOptions",
    "changed",
    "check_names",
    "check_value",
    "differences",
    "from_dict",
    "from_json",
    "part",
]
