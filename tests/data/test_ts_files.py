"""Files .ts of the UCR and UEA archives: series and classes as they stand there, and what is refused."""

import numpy as np
import pytest
import torch

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.errors import WganError

HEADER = "# a comment\n% another\n@problemName Waves\n@timeStamps false\n@univariate false\n@classLabel true up down\n@data\n"


def lines(count=60, channels=2, steps=10):
    """Step t of channel c of series i is 100 i + 10 c + t; the classes take turns."""
    each = [[",".join(str(100 * i + 10 * c + t) for t in range(steps)) for c in range(channels)] for i in range(count)]
    return [":".join([*row, "up" if i % 2 else "down"]) for i, row in enumerate(each)]


def written(path, rows, header=HEADER):
    path.write_text(header + "\n".join(rows) + "\n")
    return path


def opened(path, split="all", **options):
    return open_source(str(path), split, options=ReadingOptions(**options))


def own(source):
    return source.signal.restore(source.batch(torch.arange(len(source)))[0].numpy())


def test_series_and_classes_are_read_as_they_stand(tmp_path):
    source = opened(written(tmp_path / "x.ts", lines()))
    assert (source.shape, source.is_signal, source.recipe) == ((2, 10), True, "signals")
    values = np.rint(own(source))
    order = np.argsort(values[:, 0, 0])
    i, c, t = np.ogrid[:60, :2, :10]
    assert np.array_equal(values[order], 100 * i + 10 * c + t)
    assert [source.class_names[k] for k in source.labels[order]] == ["down", "up"] * 30
    assert opened(tmp_path / "x.ts", labels="none").classes == 0


def test_one_channel_without_classes_is_read(tmp_path):
    rows = [line.split(":")[0] for line in lines(channels=1)]
    source = opened(written(tmp_path / "x.ts", rows, "@timeStamps false\n@classLabel false\n@data\n"))
    assert source.shape == (1, 10) and source.classes == 0


def test_a_target_is_told_and_not_read(tmp_path):
    rows = [line.rpartition(":")[0] + f":{i}.5" for i, line in enumerate(lines())]
    source = opened(written(tmp_path / "x.ts", rows, "@targetlabel true\n@data\n"))
    assert source.shape == (2, 10) and source.classes == 0
    assert "the target of each series, a number, is not read" in source.notes


def test_series_of_many_lengths_are_cut_into_windows(tmp_path):
    rows = [line for steps in (20, 30) for line in lines(40, 1, steps)]
    written(tmp_path / "x.ts", rows)
    with pytest.raises(WganError, match="of 2 lengths, from 20 to 30 steps: cut them with --window N"):
        opened(tmp_path / "x.ts")
    source = opened(tmp_path / "x.ts", window=10)
    assert source.shape == (1, 10) and len(source) == 40 * 2 + 40 * 3 and source.class_names == ("down", "up")


def test_the_other_part_next_to_it_is_told(tmp_path):
    written(tmp_path / "Wave_TEST.ts", lines())
    notes = opened(written(tmp_path / "Wave_TRAIN.ts", lines()), "train").notes
    assert "Wave_TEST.ts next to it is not read: a part of Wave_TRAIN.ts is held out" in notes


def changed(at, text):
    rows = lines()
    rows[at] = text
    return rows


REFUSED = {
    "a missing value": (changed(3, lines()[3].replace("305", "?")), HEADER, "signal 3, channel 0, step 5 (counted"),
    "a word": (changed(3, lines()[3].replace("305", "many")), HEADER, "line 11: '300,301,302,303,304,many"),
    "an empty channel": (changed(3, "1,2,3::up"), HEADER, "line 11: '' is no series of numbers"),
    "uneven channels": (changed(3, "1,2,3:1,2:up"), HEADER, "line 11: channels of 3 and 2 steps"),
    "no channels": (changed(3, "up"), HEADER, "line 11: channels of no steps"),
    "a channel too few": (changed(3, "1,2,3:up"), HEADER, "2 numbers of channels, 2 most often, and line 11 has 1"),
    "no class": (changed(3, lines()[3].rpartition(":")[0] + ":"), HEADER, "no label in line 11"),
    "time stamps": (["(0,1),(1,2):up"], "@timeStamps true\n@data\n", "holds time stamps"),
    "no series": ([], HEADER, "holds no series"),
    "a program": (["const a = 1;"], "", "is no .ts file of series: a line @data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_set_of_series_is_refused(tmp_path, name):
    rows, header, words = REFUSED[name]
    with pytest.raises(WganError) as error:
        opened(written(tmp_path / "x.ts", rows, header))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_film_and_a_named_class_are_refused(tmp_path):
    (tmp_path / "film.ts").write_bytes(b"\x47\x40\xff\xfe" * 200)
    with pytest.raises(WganError, match=r"film[.]ts is no [.]ts file of series"):
        opened(tmp_path / "film.ts")
    with pytest.raises(WganError, match="labels 'state' names the column of a table"):
        opened(written(tmp_path / "x.ts", lines()), labels="state")
    with pytest.raises(WganError, match="group is a column of a table"):
        opened(tmp_path / "x.ts", window=10, group="id")
