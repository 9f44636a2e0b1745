"""Hostile bytes, damaged files and odd values for the tests that try them."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from helpers.fuzzing import Bench

SPRUNG = "a pickle was run"


class Trap:
    """Unpickled, it ends the process, which no test survives."""

    def __reduce__(self) -> Any:
        return spring, ()


def spring() -> None:
    raise SystemExit(SPRUNG)


PICKLE = pickle.dumps(Trap())


def bomb(size: int = 1 << 28) -> bytes:
    """A zip whose one array unpacks to a quarter of a GiB, and says that it is far more."""
    packed = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40,)}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file, file.open("images.npy", "w") as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        for _ in range(size >> 24):
            entry.write(bytes(1 << 24))
    return packed.getvalue()


def tensors_claiming(shape: list[int], dtype: str = "F32", end: int = 4) -> bytes:
    """A safetensors file whose header promises a shape it does not hold."""
    head = json.dumps({"generator/w": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4)


HUGE = st.integers(-(2**63), 2**70)
CLAIMS = st.builds(tensors_claiming, st.lists(HUGE, max_size=3), st.sampled_from(["F32", "F64", "BF16", "X"]), HUGE)
HEADERS = st.builds(lambda n: struct.pack("<Q", n) + b"{" * 40, st.integers(0, 2**64 - 1))
NASTY = [
    PICKLE,
    b"",
    b"{}",
    b"\x1f\x8b",
    b"BZh9",
    b"\xfd7zXZ\x00\x00",
    b"\x00" * 64,
    b"[" * 100_000,
    b"\x93NUMPY\x01\x00\xff\xff",
    b"PK\x05\x06" + bytes(18),
]


def npy_with(header: str) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)


SHAPES = st.tuples(HUGE, st.integers(-3, 2**40)).map(
    lambda s: npy_with(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {s}}}")
)
OBJECTS = io.BytesIO()
np.save(OBJECTS, np.array([Trap()], dtype=object), allow_pickle=True)


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return strategies for damaged forms of `valid`: cut, flipped, spliced, or something else altogether."""
    at = st.integers(0, max(len(valid) - 1, 0))

    def flipped(places: list[tuple[int, int]]) -> bytes:
        data = bytearray(valid)
        for place, bit in places:
            data[place] ^= 1 << bit
        return bytes(data)

    return st.one_of(
        at.map(lambda n: valid[:n]),
        st.lists(st.tuples(at, st.integers(0, 7)), min_size=1, max_size=4).map(flipped),
        st.tuples(at, st.binary(max_size=20)).map(lambda s: valid[: s[0]] + s[1] + valid[s[0] :]),
        st.sampled_from(NASTY),
        st.binary(max_size=200),
    )


NAMES = ["..", ".", "", "../outside", "/tmp/x", "a/b", "N/A", "\0", "<b>", "9" * 400, "é" * 200]
LEAVES = st.one_of(
    st.none(), st.booleans(), HUGE, st.floats(), st.text(max_size=8), st.sampled_from(["1e999", "../../x", "<script>"])
)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3), max_leaves=5
)


def edited(text: str) -> st.SearchStrategy[bytes]:
    """Return JSON objects with some values replaced, removed or added."""
    values = json.loads(text)
    changes = st.dictionaries(st.sampled_from(sorted(values)) | st.text(max_size=6), VALUES, min_size=1, max_size=3)
    return st.tuples(changes, st.sets(st.sampled_from(sorted(values)), max_size=1)).map(
        lambda c: json.dumps({k: v for k, v in {**values, **c[0]}.items() if k not in c[1]}).encode("utf-8", "replace")
    )


def cases(ci: int, slow: int) -> Callable[[Any], Any]:
    """Run a test on `ci` cases, and on `slow` ones in the slow set."""

    def decorate(test: Callable[..., None]) -> Any:
        @pytest.mark.parametrize("many", [ci, pytest.param(slow, marks=pytest.mark.slow)])
        def run(many: int, bench: Bench, ring: Path, request: pytest.FixtureRequest) -> None:
            quiet = settings(
                max_examples=many,
                deadline=None,
                database=None,
                derandomize=many == ci,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            before = Counter(bench.counts)
            quiet(given(st.data())(lambda data: test(data, bench, ring)))()
            bench_counts = dict(bench.counts - before)
            print(f"\n{test.__name__}: {sum(bench_counts.values())} cases, {bench_counts}")

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return decorate


def damage(data: st.DataObject, run: Path) -> None:
    """Damage one file of a run; a checkpoint's sum is sometimes made to fit, so that its contents are looked at."""
    names = sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.suffix in (".json", ".jsonl", ".safetensors"))
    path = run / data.draw(st.sampled_from(names))
    valid = path.read_bytes()
    ways = mutations(valid)
    if path.suffix == ".json":
        ways |= edited(valid.decode())
    if path.suffix == ".safetensors":
        ways |= CLAIMS | HEADERS
    raw = data.draw(ways)
    path.write_bytes(raw)
    if path.suffix == ".safetensors" and data.draw(st.booleans()):
        manifest = path.with_suffix(".json")
        fitting = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **fitting}))


@functools.lru_cache
def hostile_npz() -> tuple[bytes, ...]:
    def zipped(**entries: bytes) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in entries.items():
                file.writestr(name, data)
        return packed.getvalue()

    pickled = zipped(**{"images.npy": OBJECTS.getvalue()}), zipped(**{"images.npy": PICKLE})
    outside = zipped(**{"../../outside/evil.npy": OBJECTS.getvalue(), "/tmp/evil.npy": b"x"})
    return (*pickled, outside, bomb(), OBJECTS.getvalue())
