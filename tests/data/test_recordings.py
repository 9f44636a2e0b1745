"""Long series: tables with a row for each step, arrays and WAV files, cut into windows that never overlap across the split."""

import csv
import wave

import numpy as np
import pytest
import torch

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError

RATE = 8000


def table(path, series=2, steps=600, labels=False, names=("volt", "amp")):
    """Series k holds 10,000 k + t and its negative; the class changes after 200 steps."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *names, *(["state"] if labels else [])])
        for k in range(series):
            for t in range(steps):
                state = ["up" if t < 200 else "down"] if labels else []
                writer.writerow([f"m{k}", 10_000 * k + t, -(10_000 * k + t) / 2, *state])
    return path


def wav(path, values, rate=RATE, width=2):
    """values int16 [C, L]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((len(values), width, rate, 0, "NONE", ""))
        file.writeframes(values.T.astype("<i2" if width == 2 else "<i4").tobytes())


def tones(folder, count=60, steps=100, classes=("a", "b")):
    draw = np.random.default_rng(0)
    for i in range(count):
        wav(folder / classes[i % len(classes)] / f"{i:03d}.wav", draw.integers(-9000, 9000, (1, steps)))
    return folder


def opened(path, split="train", **options):
    return open_source(str(path), split, options=ReadingOptions(**options))


def own(source):
    """All samples in the user's units."""
    return source.signal.restore(source.batch(torch.arange(len(source)))[0].numpy())


def test_a_table_is_cut_into_windows_of_each_series(tmp_path):
    path = table(tmp_path / "x.csv")
    parts = [opened(path, split, window=16, step=4, group="id") for split in ("train", "test")]
    assert (
        parts[0].shape == (2, 16) and parts[0].signal.channels == ["volt", "amp"] and parts[0].signal.dtype == "float64"
    )
    train, test = (np.rint(own(part)) for part in parts)
    for windows in (train, test):
        assert (
            np.diff(windows[:, 0], axis=1) == 1
        ).all()  # in the order of the rows, never from one series to the next
        assert (np.abs(windows[:, 0] + 2 * windows[:, 1]) <= 1).all()
    assert (np.diff(np.sort(train[:, 0, 0]))[:50] == 4).all()
    for k in (0, 1):  # the last part of each series is held out, and no step of it was trained on
        seen, held = ({v for v in np.unique(part[:, 0]) if v // 10_000 == k} for part in (train, test))
        assert seen and held and max(seen) < min(held)
    assert any("2 series are cut into" in note and "the last 25 % of each" in note for note in parts[0].notes)


def test_of_many_series_some_are_held_out_whole(tmp_path):
    path = table(tmp_path / "x.csv", series=40, steps=40)
    train, test = (own(opened(path, split, window=16, step=8, group="id")) for split in ("train", "test"))
    machines = [{round(v) // 10_000 for v in part[:, 0, 0]} for part in (train, test)]
    assert not machines[0] & machines[1] and len(machines[0] | machines[1]) == 40 and len(test) == 40


def test_of_few_short_series_some_are_held_out_whole(tmp_path):
    """The last quarter of each would hold no window."""
    path = table(tmp_path / "x.csv", series=15, steps=80)
    train, test = (opened(path, split, window=30, step=10, group="id") for split in ("train", "test"))
    assert any("whole series are held out" in note for note in train.notes)
    machines = [{round(v) // 10_000 for v in own(part)[:, 0, 0]} for part in (train, test)]
    assert not machines[0] & machines[1] and len(machines[0] | machines[1]) == 15 and len(train) + len(test) == 90


def test_a_table_without_groups_is_one_series(tmp_path):
    path = table(tmp_path / "x.csv", series=1, steps=2000)
    with pytest.raises(WganError, match="column id"):
        opened(path, window=20)
    short = tmp_path / "y.csv"
    short.write_text("\n".join(line.partition(",")[2] for line in path.read_text().splitlines()))
    train = own(opened(short, window=20))
    assert (np.diff(np.sort(np.rint(train[:, 0, 0]))) == 20).all()


def test_a_window_over_two_classes_is_left_out(tmp_path):
    path = table(tmp_path / "x.csv", labels=True)
    source = opened(path, "all", window=16, step=4, group="id", labels="state")
    assert source.class_names == ("down", "up") and any("over steps of several classes" in n for n in source.notes)
    starts = np.rint(own(source)[:, 0, 0]) % 10_000
    assert ((starts + 15 < 200) == (source.labels.numpy() == 1)).all() and ((starts < 185) | (starts >= 200)).all()


def test_long_signals_of_an_array_are_cut(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3 * 900.0).reshape(3, 900))
    windows = np.rint(own(opened(tmp_path / "x.npy", "all", window=30, step=10)))
    assert (np.diff(windows[:, 0], axis=1) == 1).all() and len(np.unique(windows[:, 0, 0] // 900)) == 3


def test_a_folder_of_wav_files_is_signals(tmp_path):
    source = opened(tones(tmp_path / "tones"), "all")
    assert (source.shape, source.recipe, source.class_names) == ((1, 100), "signals", ("a", "b"))
    assert source.signal.rate == RATE and source.signal.dtype == "int16"
    stored = np.sort(own(source)[:, 0].round(), axis=None)
    expected = np.random.default_rng(0).integers(-9000, 9000, 6000)
    assert np.array_equal(stored, np.sort(expected))
    assert len(opened(tmp_path / "tones", "all", window=50)) == 120


def test_folders_that_name_a_split_are_one(tmp_path):
    for part, count in (("train", 50), ("test", 20)):
        tones(tmp_path / "x" / part, count)
    assert [len(opened(tmp_path / "x", split)) for split in ("train", "test")] == [50, 20]
    assert [len(opened(tmp_path / "x", split, window=50)) for split in ("train", "test")] == [100, 40]


def test_a_changed_recording_is_other_data(tmp_path):
    before = opened(tones(tmp_path / "x")).fingerprint
    wav(tmp_path / "x" / "a" / "000.wav", np.ones((1, 100)) * 7)
    assert opened(tmp_path / "x").fingerprint != before


def other(folder, **how):
    wav(tones(folder) / "a" / "strange.wav", **{"values": np.arange(100)[None], **how})


def cut(folder):
    data = (tones(folder) / "a" / "000.wav").read_bytes()
    (folder / "a" / "000.wav").write_bytes(data[:-50])


def damaged(folder):
    (tones(folder) / "a" / "000.wav").write_bytes(b"RIFF....not a recording")


WRONG = {
    "another rate": (
        lambda f: other(f, rate=16000),
        {},
        "2 sampling rates, 8000 most often, and a/strange.wav has 16000",
    ),
    "another number of channels": (
        lambda f: other(f, values=np.ones((2, 100))),
        {},
        "2 numbers of channels, 1 most often",
    ),
    "another length": (lambda f: other(f, values=np.arange(90)[None]), {}, "2 lengths, from 90 to 100 steps: cut them"),
    "32 bits": (lambda f: other(f, width=4), {}, "strange.wav has 32 bits: WAV files of 16 bits are read"),
    "cut short": (cut, {}, "a/000.wav is cut short"),
    "no WAV": (damaged, {}, "a/000.wav cannot be read as WAV"),
    "short": (tones, {"window": 101}, "60 of 60 series of"),
    "a column": (tones, {"labels": "state"}, "names the column of a table"),
    "a group": (tones, {"window": 50, "group": "id"}, "group is a column of a table"),
}


@pytest.mark.parametrize("name", WRONG)
def test_recordings_that_do_not_fit_are_refused(tmp_path, name):
    make, options, words = WRONG[name]
    make(tmp_path / "x")
    with pytest.raises(WganError) as error:
        opened(tmp_path / "x", **options)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 601, "group": "id"}, "2 of 2 series of"),
        ({"window": 420, "step": 30, "group": "id", "labels": "state"}, "lies over steps of several classes"),
        ({"window": 16, "group": "machine"}, "has no column 'machine'"),
        ({"window": 16, "group": "id", "labels": "nothing"}, "has no column 'nothing'"),
        ({"window": 16, "group": "id", "columns": "amp=skip"}, "is read as signals: leave them out"),
        ({"step": 4}, "give window too"),
        ({"group": "id"}, "give window too"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(tmp_path, options, words):
    with pytest.raises(WganError) as error:
        opened(table(tmp_path / "x.csv", labels="labels" in options), **options)
    assert words in str(error.value)


def test_one_series_too_short_to_hold_out_a_part_is_refused(tmp_path):
    with pytest.raises(WganError, match="no windows of 550 steps to train and to measure on: the series are too short"):
        opened(table(tmp_path / "x.csv", series=1), window=550, step=1, group="id")


def test_a_missing_number_is_named(tmp_path):
    path = table(tmp_path / "x.csv")
    path.write_text(path.read_text().replace("\nm0,5,", "\nm0,,"))
    with pytest.raises(WganError, match=r"column volt .* holds nothing in line 7"):
        opened(path, window=16, group="id")


def machines(path, speeds, steps=200):
    """Series k runs at speeds[k], kind a or b in turn; its channel holds 1,000 k + t. A list is a speed for each part."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "volt", "speed", "kind"])
        for k, speed in enumerate(speeds):
            for t in range(steps):
                now = speed[t * len(speed) // steps] if isinstance(speed, list) else speed
                writer.writerow([f"m{k}", 1000 * k + t, now, "ab"[k % 2]])
    return path


def test_windows_keep_the_conditions_of_their_steps(tmp_path):
    path = machines(tmp_path / "x.csv", [10, 20.5, 30])
    for split in ("train", "test"):
        source = opened(path, split, window=16, step=4, group="id", conditions="speed,kind")
        assert (
            source.shape == (1, 16)
            and source.signal.channels == ["volt"]
            and source.conditions.names == ["speed", "kind"]
        )
        series = np.rint(own(source)[:, 0, 0]) // 1000
        speeds, kinds = source.told[:, 0].numpy(), source.told[:, 1:].numpy()
        for k, speed in enumerate((10, 20.5, 30)):
            expected = source.conditions.encode(np.array([[speed, k % 2]]))[0]
            assert np.allclose(speeds[series == k], expected[0]) and np.allclose(kinds[series == k], expected[1:])


def test_a_window_over_two_values_is_left_out(tmp_path):
    path = machines(tmp_path / "x.csv", [[10, 40], 20, 30])
    notes = opened(path, window=16, step=4, group="id", conditions="speed,kind").notes
    assert any(note.endswith("windows over steps of several values of condition speed are left out") for note in notes)
    path = machines(tmp_path / "y.csv", [[*range(200)]] * 3)
    with pytest.raises(
        WganError, match="lies over steps of several values of condition speed; give a smaller --window"
    ):
        opened(path, window=16, group="id", conditions="speed,kind")


def test_the_group_may_be_a_condition(tmp_path):
    path = machines(tmp_path / "x.csv", [10, 20])
    source = opened(path, window=16, step=4, group="id", conditions="id,speed,kind")
    series = np.rint(own(source)[:, 0, 0]) // 1000
    assert source.signal.channels == ["volt"]
    assert len({tuple(row) for row in source.told[series == 0].tolist()}) == 1


def test_windows_of_an_array_have_the_condition_of_its_signal(tmp_path):
    signals = np.arange(30)[:, None] * 1000 + np.arange(100)
    np.savez(tmp_path / "x.npz", samples=signals.astype(float), load=np.arange(30) / 2)
    source = opened(tmp_path / "x.npz", window=20, conditions="load")
    expected = source.conditions.encode((np.rint(own(source)[:, 0, :1]) // 1000) / 2)
    assert source.shape == (1, 20) and np.allclose(source.told.numpy(), expected, atol=1e-5)
    np.savez(tmp_path / "y.npz", samples=signals.astype(float), load=np.arange(29) / 2)
    with pytest.raises(WganError, match=r"condition load of shape \[29\]: expected \[30\]"):
        opened(tmp_path / "y.npz", window=20, conditions="load")


@pytest.mark.parametrize(
    ("cell", "words"),
    [("", "no value of condition speed for 1 of 400 samples"), ("NaN", "no value of condition speed for 1 of 400")],
)
def test_a_step_without_its_condition_is_refused(tmp_path, cell, words):
    path = machines(tmp_path / "x.csv", [10, 20])
    lines = path.read_text().splitlines()
    lines[7] = lines[7].replace(",10,", f",{cell},")
    path.write_text("\n".join(lines))
    with pytest.raises(WganError, match=words):
        opened(path, window=16, group="id", conditions="speed,kind")
    with pytest.raises(WganError, match=r"no column 'sped' for a condition.*speed"):
        opened(path, window=16, group="id", conditions="sped")
