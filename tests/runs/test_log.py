"""The log of a run: the same bytes for the same run, whole after any crash, and one sentence when it cannot be written."""

import errno
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import wgan.runs.log
from wgan.errors import WganError
from wgan.runs.log import LINE_LIMIT, Log, cut, read_log


def write(folder, steps, resume_step=0):
    with Log(folder, resume_step) as log:
        for step in steps:
            log.scalars(step, {"critic/wasserstein": step / 3, "generator/loss": np.float32(0.1)})
            if step == 4:
                log.event(step, "the critic's slope is 40")
        log.flush()


def accumulated(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "events"))
    events.Reload()
    return events


def test_a_line_is_the_step_then_the_tags_in_order(tmp_path):
    """With exact floats and no clock time."""
    with Log(tmp_path, 0) as log:
        log.scalars(7, {"z": 0.1, "a": np.float64(1 / 3), "m": 2})
        log.event(7, "slow")
    expected = '{"step": 7, "z": 0.1, "a": 0.3333333333333333, "m": 2.0}\n{"step": 7, "alarm": "slow"}\n'
    assert (tmp_path / "log.jsonl").read_text() == expected


def test_an_interrupted_and_resumed_run_leaves_the_same_bytes(tmp_path):
    (tmp_path / "one").mkdir()
    write(tmp_path / "one", range(1, 11))
    (tmp_path / "two").mkdir()
    write(tmp_path / "two", range(1, 8))
    with (tmp_path / "two" / "log.jsonl").open("ab") as file:
        file.write(b'{"step": 8, "crit')  # killed while writing
    write(tmp_path / "two", range(5, 11), resume_step=4)  # the checkpoint was of step 4
    assert (tmp_path / "two" / "log.jsonl").read_bytes() == (tmp_path / "one" / "log.jsonl").read_bytes()
    times = [json.loads(line)["step"] for line in (tmp_path / "two" / "times.jsonl").read_text().splitlines()]
    assert times == list(range(1, 11))
    assert not list(tmp_path.glob("*/.*"))


def test_a_run_from_the_start_writes_everything_anew(tmp_path):
    write(tmp_path, [0, 1, 2])
    write(tmp_path, [0, 1])
    assert [record["step"] for record in read_log(tmp_path)] == [0, 1]


def test_times_hold_what_depends_on_the_clock(tmp_path, monkeypatch):
    clock = iter([100.0, 102.0, 106.0])
    monkeypatch.setattr(wgan.runs.log.time, "monotonic", lambda: next(clock))
    with Log(tmp_path, 10) as log:
        log.scalars(20, {"a": 1.0})
        log.scalars(20, {"b": 1.0})  # a second line of one step is no second time
        log.scalars(30, {"a": 1.0})
    times = [json.loads(line) for line in (tmp_path / "times.jsonl").read_text().splitlines()]
    assert [(t["step"], t["seconds"], t["steps_per_second"]) for t in times] == [(20, 2.0, 5.0), (30, 6.0, 2.5)]
    assert all(t["unix"] > 1e9 for t in times)


@pytest.mark.parametrize("end", [b'{"step": 9', b'{"step": 9}', b"\0" * 4096, b"\xff\n", b"[" * 100_000, b"[]\n"])
def test_a_torn_end_is_dropped_by_reader_and_writer(tmp_path, end):
    write(tmp_path, [1, 2])
    whole = (tmp_path / "log.jsonl").read_bytes()
    for name in ("log.jsonl", "times.jsonl"):
        with (tmp_path / name).open("ab") as file:
            file.write(end)
    assert [record["step"] for record in read_log(tmp_path)] == [1, 2]
    write(tmp_path, [], resume_step=2)
    assert (tmp_path / "log.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "bad", [b"nonsense\n", b'{"step": "2"}\n', b'{"step": true}\n', b'{"step": -1}\n', b'{"step": 2, "a": []}\n', b"\n"]
)
def test_an_unreadable_line_in_the_middle_is_named(tmp_path, bad):
    good = b'{"step": %d, "a": 1.0}\n'
    (tmp_path / "log.jsonl").write_bytes(good % 1 + bad + good % 3)
    with pytest.raises(WganError, match=r"log\.jsonl line 2 "):
        read_log(tmp_path)
    with pytest.raises(WganError, match=r"log\.jsonl line 2 "):
        Log(tmp_path, 3)
    assert (tmp_path / "log.jsonl").read_bytes() == good % 1 + bad + good % 3  # a refusal changes nothing
    Log(tmp_path, 1).close()  # what is written again anyway may be unreadable
    assert (tmp_path / "log.jsonl").read_bytes() == good % 1


def test_a_huge_line_is_not_read_whole(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 1, "alarm": "' + b"x" * (2 * LINE_LIMIT) + b'"}\n')
    assert max(map(len, wgan.runs.log.raw_lines((tmp_path / "log.jsonl").open("rb")))) == LINE_LIMIT


def test_a_number_that_is_not_finite_is_json_and_read_as_nan(tmp_path):
    with Log(tmp_path, 0) as log:
        log.scalars(1, {"a": math.nan, "b": math.inf, "c": 1.5})
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1, "a": null, "b": null, "c": 1.5}\n'
    (record,) = read_log(tmp_path)
    assert math.isnan(record["a"]) and math.isnan(record["b"]) and record["c"] == 1.5


def test_no_log_reads_as_empty_and_a_pipe_is_refused(tmp_path):
    assert read_log(tmp_path) == []
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(WganError, match="is not a file"):
        read_log(tmp_path)


def test_nothing_is_written_through_a_link_out_of_the_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "victim").write_bytes(b"")
    (tmp_path / "run" / "log.jsonl").symlink_to(tmp_path / "victim")
    (tmp_path / "run" / "times.jsonl").symlink_to(tmp_path / "absent")
    write(tmp_path / "run", [1])
    assert (tmp_path / "victim").read_bytes() == b"" and not (tmp_path / "absent").exists()
    assert [record["step"] for record in read_log(tmp_path / "run")] == [1]


def test_tensorboard_shows_the_same_and_forgets_what_was_undone(tmp_path):
    write(tmp_path, range(1, 8))
    with Log(tmp_path, 4) as log:
        for step in (5, 6):
            log.scalars(step, {"critic/wasserstein": -1.0})
        log.image(6, "samples", np.full((3, 5, 3), 9, np.uint8))
    events = accumulated(tmp_path)
    assert sorted(events.Tags()["scalars"]) == ["critic/wasserstein", "generator/loss"]
    shown = {event.step: event.value for event in events.Scalars("critic/wasserstein")}
    assert shown == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 1.0, 4: 4 / 3, 5: -1.0, 6: -1.0})
    assert [event.step for event in events.Scalars("critic/wasserstein")] == [1, 2, 3, 4, 5, 6]
    (image,) = events.Images("samples")
    assert (image.step, image.width, image.height) == (6, 5, 3)
    assert events.Tensors("alarm")[0].tensor_proto.string_val[0] == b"the critic's slope is 40"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("name", ["log", "times"])
def test_a_full_disk_is_one_sentence_naming_the_file(tmp_path, name):
    with Log(tmp_path, 0) as log:
        appender = getattr(log, name)
        os.dup2(os.open("/dev/full", os.O_WRONLY), appender.file.fileno())
        with pytest.raises(WganError, match=rf"cannot write .*{name}\.jsonl: no space left on device: free some"):
            log.scalars(1, {"a": 1.0})


def test_a_full_disk_under_the_events_raises_without_a_traceback(tmp_path):
    """The caller gets the error, and no other thread prints a traceback."""
    code = (
        "import resource, sys; from wgan.errors import WganError; from wgan.runs.log import Log\n"
        "log = Log(sys.argv[1], 0); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try:\n for step in range(1000): log.event(step, 'x' * 100)\n"
        "except WganError as error: log.close(); print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=600)
    assert "events.out.tfevents" in done.stdout and done.stdout.endswith("file too large\n")
    assert done.stderr == "" and done.returncode == 0


def test_a_failed_opening_keeps_the_log(tmp_path, monkeypatch):
    write(tmp_path, [1, 2])
    before = (tmp_path / "log.jsonl").read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WganError, match="no space left"):
        cut(tmp_path / "log.jsonl", 1)
    assert (tmp_path / "log.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events", "log.jsonl", "times.jsonl"]


def test_a_write_that_is_taken_in_parts_is_whole(tmp_path):
    class Slow:
        taken = b""

        def write(self, data):
            self.taken += data[:3]
            return len(data[:3])

    with Log(tmp_path, 0) as log:
        file, log.log.file = log.log.file, Slow()
        log.scalars(1, {"a": 1.0})
        slow, log.log.file = log.log.file, file
    assert slow.taken == b'{"step": 1, "a": 1.0}\n'


def test_a_folder_that_is_missing_or_deleted_is_one_sentence(tmp_path):
    with pytest.raises(WganError, match="no such file"):
        Log(tmp_path / "absent", 0)
    with Log(tmp_path, 0) as log:
        log.flush()
        (tmp_path / "log.jsonl").unlink()
        with pytest.raises(WganError, match=r"log\.jsonl: it was deleted"):
            log.flush()


def test_each_line_is_on_its_way_at_once(tmp_path):
    with Log(tmp_path, 0) as log:
        log.scalars(1, {"a": 1.0})
        assert read_log(tmp_path) == [{"step": 1, "a": 1.0}]
        assert len(accumulated(tmp_path).Scalars("a")) == 1


def test_no_torch_is_needed():
    code = "import sys, tempfile; from wgan.runs.log import Log; Log(tempfile.mkdtemp(), 0).scalars(1, {'a': 1.0})"
    subprocess.run([sys.executable, "-c", code + "; assert 'torch' not in sys.modules"], check=True, timeout=600)
