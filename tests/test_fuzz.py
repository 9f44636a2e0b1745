"""Hostile input: whatever a file or a command line holds, it works or is refused in one sentence, in bounded time and memory.

CI runs about 200 cases; `pytest -m slow tests/test_fuzz.py -s` runs 10,000 and more and prints how they came out.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import pickle
import resource
import shutil
import struct
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from children import make_cheap
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from wgan import checkpoint, cli, desk, loop
from wgan.api import plan
from wgan.config import FIELDS, Config, from_json
from wgan.data import open_source
from wgan.data.source import Options
from wgan.errors import WganError
from wgan.generate import load
from wgan.recipes import configure
from wgan.report import write_report
from wgan.run import open_run
from wgan.subjects import read_arrays
from wgan.writers import write_folder, write_npz

SECONDS, BYTES = 10.0, 1 << 30
SPRUNG = "a pickle was run"


class Trap:
    """Unpickled, it ends the process, which no test survives."""

    def __reduce__(self) -> Any:
        return spring, ()


def spring() -> None:
    raise SystemExit(SPRUNG)


PICKLE = pickle.dumps(Trap())


class Bench:
    """Runs cases: each must work or raise one sentence, in time, and write nothing outside its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.counts = folder, Counter[str]()
        self.inside, self.outside = folder / "inside", folder / "outside"
        self.outside.mkdir()
        (self.outside / "mine.txt").write_text("mine")

    def fresh(self) -> Path:
        """Return an empty folder for one case."""
        shutil.rmtree(self.inside, ignore_errors=True)
        self.inside.mkdir()
        return self.inside

    def judge_bombs(self, work: Callable[[], Any]) -> None:
        """Run a case of several large pictures, each of which has its ten seconds."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules[__name__], "SECONDS", 80.0)
            self.judge(work)

    def judge(self, work: Callable[[], Any]) -> None:
        """Run one case and hold it to the rules."""
        begun = time.process_time()  # of all threads: pictures are decoded on several
        try:
            work()
            self.counts["worked"] += 1
        except WganError as error:
            said = str(error)
            assert "\n" not in said and 10 < len(said) < 1000, said
            self.counts["refused"] += 1
        assert time.process_time() - begun < SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < self.baseline + BYTES
        assert {p.name for p in self.folder.iterdir()} <= {"inside", "outside", "run"}
        assert [p.read_text() for p in self.outside.iterdir()] == ["mine"]

    @functools.cached_property
    def baseline(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, ring: Path) -> Bench:
    made = Bench(tmp_path_factory.mktemp("fuzz"))
    load(ring).sample(2)
    assert made.baseline
    return made


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny finished run with two checkpoints, and no plots or evaluations in this module."""
    folder = tmp_path_factory.mktemp("ring") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch.setattr)
        patch.setattr(loop, "finish_pictures", lambda *_, **__: None)
        patch.setattr(desk, "draw_sheet", lambda *_: None)
        patch.setattr("wgan.log.Events", lambda *_, **__: Quiet())
        options = dict(generator_layers="4", critic_layers="4", batch=4, n_critic=1, threads=1)
        loop.train(configure("gulrajani-ring", {**options, "steps": 2, "checkpoint_every": 1}), folder, tty=False)
        yield folder


class Quiet:
    """Stands for TensorBoard's file: opening one takes longer than a case."""

    class file:
        flush = close = staticmethod(lambda: None)

    scalars = image = text = staticmethod(lambda *_: None)


# --- hostile bytes ----------------------------------------------------------------------------------------------------


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


# --- files of a run ---------------------------------------------------------------------------------------------------


@cases(30, 2500)
def test_config_files(data: st.DataObject, bench: Bench, ring: Path) -> None:
    valid = (ring / "config.json").read_text()
    raw = data.draw(edited(valid) | mutations(valid.encode()))
    bench.judge(lambda: from_json(raw.decode("utf-8", "replace"), "config.json"))


@cases(40, 1500)
def test_a_run_folder_with_a_damaged_file_is_sampled_or_refused(data: st.DataObject, bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    damage(data, run)

    def use() -> None:
        opened = open_run(run)
        opened.log(), opened.step, opened.best
        model = load(opened)
        samples = model.sample(3)
        write_npz(samples, run / "samples.npz", model)

    bench.judge(use)


@cases(15, 500)
def test_a_run_folder_with_a_damaged_file_is_continued_or_refused(
    data: st.DataObject, bench: Bench, ring: Path
) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    config = open_run(ring).config.replace(steps=3)
    damage(data, run)
    bench.judge(lambda: loop.train(config, run, tty=False))


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


@pytest.mark.parametrize("player", ["generator", "critic"])
@pytest.mark.parametrize("layers", ["40000 40000", "2000000000 2000000000", "9" * 30])
def test_a_config_of_networks_far_larger_than_the_checkpoint(
    player: str, layers: str, bench: Bench, ring: Path
) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, f"{player}_layers": layers}))
    refused = bench.counts["refused"]
    bench.judge(lambda: load(run))
    assert bench.counts["refused"] == refused + 1


@cases(10, 300)
def test_links_out_of_the_folder(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """A link where a run writes is refused or replaced; what it points to stays as it is."""
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    files = ["log.jsonl", "times.jsonl", ".log.jsonl.part", ".config.json.tmp", "config.json", ".lock"]
    files += [
        "checkpoints/.step-00000003.json.tmp",
        "checkpoints/step-00000003.safetensors",
        "checkpoints/step-00000001.json",
    ]
    folder = data.draw(st.sampled_from(["", "checkpoints", "samples", "events"]))
    path = run / (folder or data.draw(st.sampled_from(files)))
    shutil.rmtree(path, ignore_errors=True) if folder else path.unlink(missing_ok=True)
    path.symlink_to(bench.outside if folder else bench.outside / "mine.txt")
    steps = data.draw(st.sampled_from([2, 3]))
    bench.judge(lambda: loop.train(open_run(ring).config.replace(steps=steps), run, tty=False))


@pytest.mark.parametrize("name", ["checkpoints", "samples", "events", ".lock"])
def test_a_link_where_a_run_writes_is_refused_by_name(name: str, bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(bench.outside / ("mine.txt" if name == ".lock" else ""))
    with pytest.raises(WganError, match=f"{name} is a symbolic link"):
        loop.train(open_run(ring).config.replace(steps=3), run, tty=False)
    bench.judge(lambda: None)  # nothing was written outside


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2]},
        {"shape": [0]},
        {"shape": [65536, 65536, 1]},
        {"class_names": [3]},
        {"classes": -1},
        {"classes": 3, "class_names": ["a"]},
        {"precision": "fp8"},
        {"threads": 0},
    ],
    ids=str,
)
def test_facts_that_no_run_has_are_refused(change: dict[str, Any], bench: Bench, ring: Path) -> None:
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, **change}))
    with pytest.raises(WganError, match="says what no run can be: the run folder is damaged"):
        open_run(run)


@cases(10, 400)
def test_class_names_that_lead_elsewhere(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Folders are named after classes: whatever these are called, the pictures stay where they were asked for."""
    names = data.draw(st.lists(st.sampled_from(NAMES) | st.text(max_size=300), min_size=1, max_size=3))
    out = bench.fresh() / "out"

    class Made:
        class_names = names

    samples = FakeSamples(np.zeros((3, 4, 4), np.uint8), len(names))
    before = {p for p in bench.folder.rglob("*") if bench.inside not in p.parents}
    bench.judge(lambda: write_folder(samples, out, Made()))  # type: ignore[arg-type]
    assert {p for p in bench.folder.rglob("*") if bench.inside not in p.parents} == before
    assert len([p for p in out.rglob("*.png") if p.is_file()]) == 3


class FakeSamples:
    """Three black images with labels."""

    def __init__(self, pixels: np.ndarray, classes: int) -> None:
        self.pixels, self.labels = pixels, torch.arange(3) % classes

    def to_images(self) -> np.ndarray:
        return self.pixels


# --- data -------------------------------------------------------------------------------------------------------------


@functools.lru_cache
def valid_npz() -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, images=np.zeros((5, 8, 8), np.uint8), labels=np.arange(5))
    return packed.getvalue()


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


@cases(30, 2500)
def test_arrays_of_samples(data: st.DataObject, bench: Bench, ring: Path) -> None:
    path = bench.fresh() / data.draw(st.sampled_from(["x.npz", "x.npy"]))
    path.write_bytes(data.draw(mutations(valid_npz()) | SHAPES | st.sampled_from(hostile_npz())))
    bench.judge(lambda: {name: array.shape for name, array in read_arrays(path).items()})


@functools.lru_cache
def valid_image(kind: str) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(packed, kind)
    return packed.getvalue()


@cases(15, 700)
def test_images_of_a_folder(data: st.DataObject, bench: Bench, ring: Path, monkeypatch: Any = None) -> None:
    folder = bench.fresh() / "images"
    folder.mkdir()
    for i in range(40):  # as many as training needs
        (folder / f"good{i}.png").write_bytes(valid_image("PNG"))
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "GIF"]))
    (folder / f"bad.{kind.lower()}").write_bytes(data.draw(mutations(valid_image(kind)) | st.just(big_png())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
        patch.setenv("XDG_CACHE_HOME", str(bench.inside / "cache"))
        bench.judge(lambda: len(open_source(str(folder), "train")))


@functools.lru_cache
def big_png() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in its header."""
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@functools.lru_cache
def own_file(kind: str) -> bytes:
    """A valid file of 40 samples of each kind of data that a user may bring."""
    images, labels = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8), np.arange(40) % 2
    packed = io.BytesIO()
    if kind == "npy":
        np.save(packed, images)
    elif kind == "npz":
        np.savez(packed, images=images, labels=labels)
    elif kind == "csv":
        return b"a,b,kind\n" + b"".join(b"%d,%d.5,x\n" % (i, i % 7) for i in range(40))
    elif kind == "safetensors":
        return save({"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)})
    elif kind == "idx3-ubyte":
        return struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes()
    elif kind == "idx3-ubyte.gz":
        return gzip.compress(own_file("idx3-ubyte"), mtime=0)
    elif kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(40):
                archive.writestr(f"class{i % 2}/{i}.png", valid_image("PNG"))
    else:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for i in range(40):
                entry = tarfile.TarInfo(f"class{i % 2}/{i}.png")
                entry.size = len(valid_image("PNG"))
                tar.addfile(entry, io.BytesIO(valid_image("PNG")))
    return packed.getvalue()


@functools.lru_cache
def hostile_archive(kind: str) -> bytes:
    """A zip or tar of pictures with names that lead elsewhere, links out of it, and a picture that unpacks to 256 MiB."""
    packed = io.BytesIO()
    names = ["../../outside/evil.png", "/tmp/evil.png", "a/../../evil.png", "\\evil.png", "x" * 300 + ".png"]
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [*names, *(f"{i}.png" for i in range(500))]:
                archive.writestr(name, valid_image("PNG"))
            with archive.open("bomb.png", "w") as entry:
                for _ in range(16):
                    entry.write(bytes(1 << 24))
    else:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in [*names, *(f"{i}.png" for i in range(500))]:
                entry = tarfile.TarInfo(name)
                entry.size = len(valid_image("PNG"))
                tar.addfile(entry, io.BytesIO(valid_image("PNG")))
            for name, target in (("link.png", "/etc/passwd"), ("up.png", "../../outside/mine.txt")):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
    return packed.getvalue()


KINDS = ["npy", "npz", "csv", "safetensors", "idx3-ubyte", "idx3-ubyte.gz", "zip", "tar"]


@cases(24, 1200)
def test_own_files(data: st.DataObject, bench: Bench, ring: Path) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    ways = mutations(own_file(kind))
    if kind in ("npy", "npz"):
        ways |= SHAPES | st.sampled_from(hostile_npz())
    if kind == "safetensors":
        ways |= CLAIMS | HEADERS
    if kind in ("zip", "tar"):
        ways |= st.just(hostile_archive(kind))
    path = bench.fresh() / (f"train-images-{kind}" if "idx" in kind else f"own.{kind}")
    path.write_bytes(data.draw(ways))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
        bench.judge(lambda: open_source(str(path), "train").batch(torch.arange(2)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_valid_files_are_read_and_so_is_what_is_harmless_in_a_hostile_archive(
    kind: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.fresh() / (f"train-images-{kind}" if "idx" in kind else f"own.{kind}")
    monkeypatch.setenv("WGAN_CACHE", str(bench.inside / "cache"))
    path.write_bytes(own_file(kind))
    bench.judge(lambda: open_source(str(path), "train").batch(torch.arange(2)))
    assert bench.counts["worked"]
    if kind in ("zip", "tar"):
        path.write_bytes(hostile_archive(kind))
        before = bench.counts["worked"]
        unlabelled = Options(labels="none")
        bench.judge(lambda: open_source(str(path), "train", options=unlabelled).batch(torch.arange(2)))
        assert bench.counts["worked"] == before + 1


@pytest.mark.slow
def test_many_pictures_that_unpack_to_gigabytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGAN_CACHE", str(bench.fresh() / "cache"))
    folder, wide = bench.inside / "folder", io.BytesIO()
    folder.mkdir()
    Image.new("RGB", (9_999, 10_000)).save(wide, "PNG", compress_level=1)
    for i in range(40):
        (folder / f"{i}.png").write_bytes(valid_image("PNG") if i > 7 else wide.getvalue())
    bench.judge_bombs(lambda: open_source(str(folder), "train"))
    with zipfile.ZipFile(bench.inside / "own.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(10):
            with archive.open(f"bomb{i}.png", "w") as entry:
                for _ in range(15):
                    entry.write(bytes(1 << 24))
        for i in range(990):
            archive.writestr(f"{i}.png", valid_image("PNG"))
    bench.judge_bombs(lambda: open_source(str(bench.inside / "own.zip"), "train"))


# --- the report -------------------------------------------------------------------------------------------------------


@cases(15, 500)
def test_a_report_of_a_damaged_run_folder(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Whatever a run folder says, its page holds no script but its own two, and nothing of another place."""
    run = Path(shutil.copytree(ring, bench.fresh() / "run"))
    evil = "<script>alert(1)</script><img src=http://x onerror=alert(2)>"
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "classes": 1, "class_names": [evil]}))
    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": 3, "alarm": evil}) + "\n")
    damage(data, run)

    def report() -> None:
        write_report([run], run / "report.html")
        page = (run / "report.html").read_text("utf-8")
        assert page.count("<script") == page.count("</script>") == 2 and "<img src=http" not in page

    bench.judge(report)


# --- the command line -------------------------------------------------------------------------------------------------

FLAGS = [f"--{name.replace('_', '-')}" for name in FIELDS] + ["--run", "-n", "--out", "--label", "--help", "--", "-"]
WORDS = st.one_of(
    st.sampled_from(["train", "sample", "evaluate", "interpolate", "mnist", "mlp-clip", "gulrajani-ring", *FLAGS]),
    st.text(max_size=12),
    st.sampled_from(
        ["0", "-1", "1e999", "nan", "None", "../../x", "\0", "a" * 5000, "٣", "1_0", "{", "%s", "--lr=1e-3"]
    ),
    HUGE.map(str),
)


@cases(40, 2500)
def test_command_lines(data: st.DataObject, bench: Bench, ring: Path) -> None:
    """Nothing is trained: what would be has passed every check of its options."""
    words = ["train" if data.draw(st.booleans()) else "sample", *data.draw(st.lists(WORDS, max_size=6))]

    def use() -> None:
        found = cli.parse(words)
        try:
            plan_or_open(found)
        except OSError as error:  # as main() says it
            raise WganError(f"the system refused {error.filename}: {error.strerror}") from None

    def plan_or_open(found: Any) -> None:
        given = {k[7:]: v for k, v in vars(found).items() if k.startswith("option_") and v is not None}
        if found.function == "train":
            plan(found.name, given)
        else:
            open_run(found.path)

    try:
        bench.judge(use)
    except SystemExit as stop:  # --help
        assert not stop.code
        bench.counts["worked"] += 1


# --- nothing that is read can run -------------------------------------------------------------------------------------


def read_model(run: Path) -> None:
    load(run).sample(1)


def read_state(run: Path) -> None:
    checkpoint.load_newest(run / "checkpoints")


def read_lines(run: Path) -> None:
    open_run(run).log()


def test_no_loader_runs_a_pickle(ring: Path, tmp_path: Path) -> None:
    """A pickle in place of every file that is read: refused in one sentence or passed over, and never run."""
    with pytest.raises(SystemExit, match=SPRUNG):
        pickle.loads(PICKLE)  # the trap works
    files = sorted(p.relative_to(ring) for p in ring.rglob("*") if p.is_file() and p.name != ".lock")
    assert {p.suffix for p in files} >= {".json", ".jsonl", ".safetensors"}
    for i, name in enumerate(files):
        run = Path(shutil.copytree(ring, tmp_path / str(i)))
        (run / name).write_bytes(PICKLE)
        for work in (read_model, read_state, read_lines):
            try:
                work(run)
            except WganError as error:
                assert "\n" not in str(error)
    for i, raw in enumerate([PICKLE, *hostile_npz()]):
        for suffix in (".npz", ".npy"):
            path = tmp_path / f"data{i}{suffix}"
            path.write_bytes(raw)
            try:
                assert all(array.dtype != object for array in read_arrays(path).values())
            except WganError as error:
                assert "\n" not in str(error)
    for suffix in (".npz", ".npy", ".safetensors", ".csv", ".png", ".zip", ".tar", ".parquet"):
        path = tmp_path / f"own{suffix}"
        path.write_bytes(PICKLE)
        with pytest.raises(WganError):
            open_source(str(path), "train")


def test_the_defaults_of_config_are_known() -> None:
    assert from_json(Config().to_json(), "here") == Config()
