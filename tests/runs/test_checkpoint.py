"""Checkpoints: whole or not there, verified on load, damaged ones named and set aside, old ones dropped."""

import errno
import hashlib
import json
import os
import pickle
import stat
from pathlib import Path

import pytest
import torch

from wgan import files
from wgan.errors import WganError
from wgan.files import write_atomically
from wgan.runs import checkpoint
from wgan.runs.checkpoint import FORMAT, flatten, load, load_newest, part, retain, save, saved_steps


def tensors(value):
    return {"generator/weight": torch.full((3, 2), float(value)), "critic/count": torch.tensor(value)}


@pytest.fixture
def folder(tmp_path):
    """A folder with the checkpoints of steps 5 and 10, each full of its own number."""
    for step in (5, 10):
        save(tmp_path, step, tensors(step), {"config": "mnist"})
    return tmp_path


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def flip(path, position):
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)


def test_what_is_saved_is_loaded_with_its_manifest(folder):
    found = load(folder, 5)
    assert found.step == 5 and found.manifest["config"] == "mnist" and found.manifest["format"] == FORMAT
    assert set(found.tensors) == set(tensors(5))
    assert all(torch.equal(t, tensors(5)[k]) for k, t in found.tensors.items())


def test_the_same_tensors_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save(tmp_path / name, 5, tensors(5), {"config": "mnist"})
    for file in names(tmp_path / "one"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_state_is_flattened_by_name_and_taken_apart_again():
    nested = {"a": {"w": torch.ones(2), "0": {"mean": torch.zeros(3)}}, "ab": {"w": torch.ones(1)}}
    flat = flatten(nested)
    assert sorted(flat) == ["a/0/mean", "a/w", "ab/w"]
    assert sorted(part(flat, "a")) == ["0/mean", "w"]


def test_there_is_no_checkpoint_without_a_manifest(folder):
    (folder / "step-00000010.json").unlink()
    assert saved_steps(folder) == [5]
    assert load_newest(folder)[0].step == 5


@pytest.mark.parametrize(
    "name", ["step-5.json", "step-00000005.json.tmp", ".step-00000005.json", "astep-00000005.json"]
)
def test_other_files_are_no_checkpoints(tmp_path, name):
    (tmp_path / name).write_text("{}")
    assert saved_steps(tmp_path) == []


def test_a_missing_folder_has_none(tmp_path):
    assert saved_steps(tmp_path / "none") == []
    assert load_newest(tmp_path / "none") == (None, [])


@pytest.mark.parametrize("position", [0, 7, 8, 60, -1, -20])
def test_one_flipped_bit_of_the_tensors_is_named_and_set_aside(folder, position):
    flip(folder / "step-00000010.safetensors", position)
    with pytest.raises(WganError, match=r"step-00000010\.safetensors is damaged"):
        load(folder, 10)
    found, notes = load_newest(folder)
    assert found.step == 5 and torch.equal(found.tensors["critic/count"], torch.tensor(5))
    assert len(notes) == 1 and "step-00000010.safetensors" in notes[0] and "set aside" in notes[0]
    assert names(folder) == [
        "step-00000005.json",
        "step-00000005.safetensors",
        "step-00000010.json.damaged",
        "step-00000010.safetensors.damaged",
    ]


@pytest.mark.parametrize("size", [0, 1, 8, 100])
def test_a_torn_file_is_found(folder, size):
    path = folder / "step-00000010.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert load_newest(folder)[0].step == 5


def test_lost_tensors_are_found(folder):
    (folder / "step-00000010.safetensors").unlink()
    found, notes = load_newest(folder)
    assert found.step == 5 and "no readable tensors" in notes[0]


def manifest_with(folder, **changes):
    path = folder / "step-00000010.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


WRONG = [
    {"format": None},
    {"format": "1"},
    {"sha256": None},
    {"sha256": "0" * 64},
    {"bytes": 3},
    {"step": 5},
    {"step": None},
]


@pytest.mark.parametrize("changes", WRONG)
def test_a_changed_manifest_is_found(folder, changes):
    manifest_with(folder, **changes)
    found, notes = load_newest(folder)
    assert found.step == 5 and "step-00000010" in notes[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_none_is_found(folder, data):
    (folder / "step-00000010.json").write_bytes(data)
    found, notes = load_newest(folder)
    assert found.step == 5 and "step-00000010.json" in notes[0]


def test_a_newer_format_is_refused_and_left_as_it_is(folder):
    manifest_with(folder, format=FORMAT + 1)
    before = names(folder)
    with pytest.raises(WganError, match="install a newer wgan"):
        load_newest(folder)
    assert names(folder) == before


def test_when_all_are_damaged_there_is_none_and_each_is_named(folder):
    for step in (5, 10):
        flip(folder / f"step-{step:08d}.safetensors", 9)
    found, notes = load_newest(folder)
    assert found is None and len(notes) == 2


def test_a_pickle_is_not_run(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/sprung",)

    data = pickle.dumps(Trap())
    (folder / "step-00000010.safetensors").write_bytes(data)
    manifest_with(folder, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    found, notes = load_newest(folder)
    assert found.step == 5 and "no valid safetensors" in notes[0]
    assert not (tmp_path / "sprung").exists()


class Breaks:
    """Stands for os.replace, os.fsync or open: works until call `count`, which the system refuses."""

    def __init__(self, works, count):
        self.works, self.left = works, count

    def __call__(self, *arguments, **options):
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.works(*arguments, **options)


# a checkpoint is two files: each is synced, renamed, and its folder synced
@pytest.mark.parametrize(("name", "count"), [("replace", n) for n in (1, 2)] + [("fsync", n) for n in (1, 2, 3, 4)])
def test_a_system_error_at_any_moment_leaves_the_older_whole(folder, monkeypatch, name, count):
    """The older checkpoint."""
    before = {n: (folder / n).read_bytes() for n in names(folder)}
    with monkeypatch.context() as patch:
        patch.setattr(os, name, Breaks(getattr(os, name), count))
        with pytest.raises(WganError, match="No space left on device; what was saved before is whole"):
            save(folder, 15, tensors(15), {})
    assert all((folder / n).read_bytes() == data for n, data in before.items())
    assert not list(folder.glob(".*"))
    found, notes = load_newest(folder)
    assert notes == [] and found.step in (10, 15)
    assert torch.equal(found.tensors["critic/count"], torch.tensor(found.step))
    save(folder, 15, tensors(15), {})  # and when there is room again
    assert load_newest(folder)[0].step == 15


def test_the_folder_is_synced_after_each_rename(folder, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(handle):
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(source, target):
        calls.append(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    save(folder, 15, tensors(15), {})
    assert calls == ["file", "step-00000015.safetensors", "folder", "file", "step-00000015.json", "folder"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "replace", Breaks(os.replace, 1))
    with pytest.raises(WganError):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_a_folder_that_was_deleted_is_said_in_one_sentence(tmp_path):
    with pytest.raises(WganError, match=r"cannot write .*No such file"):
        save(tmp_path / "gone", 1, tensors(1), {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_never_saved(folder, value):
    bad = {**tensors(15), "critic/score.weight": torch.tensor([1.0, value])}
    before = names(folder)
    with pytest.raises(WganError, match=r"critic/score\.weight is not finite at step 15"):
        save(folder, 15, bad, {})
    assert names(folder) == before


def test_the_last_three_are_kept_and_those_that_are_named(tmp_path):
    for step in range(1, 8):
        save(tmp_path, step, tensors(step), {})
    retain(tmp_path, last=3, keep=[2])
    assert saved_steps(tmp_path) == [2, 5, 6, 7]
    assert len(names(tmp_path)) == 8


def test_one_that_was_not_planned_is_kept_while_it_is_the_newest(tmp_path):
    for step in range(5, 20, 2):
        save(tmp_path, step, tensors(step), {})
    retain(tmp_path, last=2, planned=lambda step: step % 5 == 0)
    assert saved_steps(tmp_path) == [5, 15, 19]
    save(tmp_path, 20, tensors(20), {})
    retain(tmp_path, last=2, planned=lambda step: step % 5 == 0)
    assert saved_steps(tmp_path) == [15, 20]


def test_what_a_kill_left_half_written_is_swept(folder):
    (folder / ".step-00000015.json.tmp").write_bytes(b"half")
    (folder / "step-00000015.safetensors").write_bytes(b"whole, but its manifest was never written")
    (folder / "step-00000020.json.damaged").write_bytes(b"kept: a person may want to look at it")
    retain(folder)
    assert saved_steps(folder) == [5, 10]
    assert len(names(folder)) == 5


def test_a_kill_while_removing_leaves_no_manifest_alone(folder, monkeypatch):
    """No manifest without its tensors."""

    class Killed(BaseException):
        pass

    unlink = Path.unlink
    seen = []

    def second_dies(path, missing_ok=False):
        seen.append(path.name)
        if len(seen) == 2:
            raise Killed
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", second_dies)
    with pytest.raises(Killed):
        checkpoint.remove(folder, 10)
    assert seen[0].endswith(".json")
    assert load_newest(folder)[0].step == 5


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_failed_write_leaves_what_was_there_and_no_more(tmp_path, monkeypatch, place):
    path = tmp_path / "x.json"
    files.write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, place, full)
    with pytest.raises(WganError, match="what was saved before is whole"):
        files.write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"] and path.read_bytes() == b"old"


def test_the_manifest_comes_after_its_tensors(tmp_path, monkeypatch):
    """A kill in between leaves tensors that nothing names, never a manifest without tensors."""
    written = []
    monkeypatch.setattr(checkpoint, "write_atomically", lambda path, data: written.append(path.suffix))
    save(tmp_path, 5, tensors(5), {})
    assert written == [".safetensors", ".json"]
