"""Run folders in tests: a run of 24 steps with every kind of record, and what two folders must agree on."""

import json

from helpers.child_processes import CADENCE, RING

WORDS = ["train", *RING, *CADENCE]
LAST = 24


def bytes_of(folder):
    """Return the bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def without_events(folder):
    """The same without TensorBoard's files, which hold clock times."""
    return {name: data for name, data in bytes_of(folder).items() if not name.startswith("events")}


def json_of(folder, name, **changes):
    """Return a JSON file of a run with some values changed, and those left out that are given as `...`."""
    values = {**json.loads((folder / name).read_text()), **changes}
    return json.dumps({k: v for k, v in values.items() if v is not ...}).encode()


def files(folder):
    """Return the names of every file below a folder, in order."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
