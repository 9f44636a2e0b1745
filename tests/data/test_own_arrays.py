"""A user's own arrays, from files and from Python: every layout is read as it is meant, bad input is one sentence."""

from __future__ import annotations

import gzip
import struct
import zipfile

import numpy as np
import pytest
import torch
from helpers.own_data import NAMES, N, files_in, refusal, rows, table
from helpers.problems import everything

import wgan
from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.own import arrays
from wgan.data.own import open as own_data
from wgan.data.own.in_memory import spec_of
from wgan.errors import WganError

pytestmark = pytest.mark.usefixtures("cache")

TINY = {"steps": 2, "batch": 8, "threads": 1, "n_critic": 1}


def by_first(x):
    """Samples in the order of their first pixel: the split has an order of its own."""
    return x[torch.argsort(x.flatten(1)[:, 0].long(), stable=True)]


def coloured():
    """uint8 [N, 8, 12, 3]; image i begins with the byte i."""
    images = np.random.default_rng(0).integers(0, 256, (N, 8, 12, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(N)
    images[0, 1, 1], images[1, 1, 1] = 0, 255  # the whole range is there
    return images


def save(path, array):
    np.save(path, array)
    return path


# --- images in arrays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x: x, ""),
        (lambda x: x.transpose(0, 3, 1, 2), ""),
        (lambda x: x / np.float32(255), "0 to 1 are read as 0 (black) to 1 (white)"),
        (lambda x: x / 127.5 - 1, "-1 to 1 are read as -1 (black) to 1 (white)"),
        (lambda x: x.astype(np.float64), "read as 0 (black) to 255 (white)"),
        (lambda x: x.astype(np.int64), "read as 0 (black) to 255 (white)"),
        (lambda x: x.astype(np.uint16) * 257, "read as 0 (black) to 65535 (white)"),
        (lambda x: x / 16.0 - 3, "are stretched"),
    ],
)
def test_every_layout_and_range_is_the_same_image(tmp_path, change, note):
    source = open_source(str(save(tmp_path / "x.npy", change(coloured()))), "all")
    assert source.shape == (3, 8, 12) and note in "".join(source.notes) and bool(note) == bool(source.notes)
    assert np.array_equal(by_first(everything(source)).numpy(), coloured().transpose(0, 3, 1, 2))


def test_grey_images_and_bits(tmp_path):
    grey = coloured()[..., 0]
    assert np.array_equal(by_first(everything(open_source(str(save(tmp_path / "x.npy", grey)), "all")))[:, 0], grey)
    bits = open_source(str(save(tmp_path / "b.npy", grey > 99)))
    assert set(everything(bits).unique().tolist()) == {0, 255}


def test_any_number_of_channels_is_kept_unless_three_are_asked(tmp_path):
    five = np.random.default_rng(0).integers(0, 256, (N, 5, 8, 8), dtype=np.uint8)
    path = save(tmp_path / "x.npy", five)
    assert open_source(str(path)).shape == (5, 8, 8)
    assert "5 channels, which cannot become 3" in refusal(path, channels=3)
    grey = save(tmp_path / "g.npy", coloured())
    assert open_source(str(grey), options=ReadingOptions(channels=1, size=16)).shape == (1, 16, 16)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("data", "target")])
def test_an_npz_has_labels_of_any_kind_beside(tmp_path, names):
    words = np.array(["b", "a", "c"])[np.arange(N) % 3]
    np.savez(tmp_path / "x.npz", **dict(zip(names, (coloured(), words), strict=True)))
    source = open_source(str(tmp_path / "x.npz"), "all")
    x, y = source.batch(torch.arange(N))
    assert source.class_names == ("a", "b", "c")
    assert [source.class_names[k] for k in y] == [words[i] for i in x[:, 0, 0, 0].tolist()]


def test_labels_lie_beside_an_npy(tmp_path):
    save(tmp_path / "x.labels.npy", np.arange(N) % 4 + 5)
    assert open_source(str(save(tmp_path / "x.npy", coloured()))).class_names == ("5", "6", "7", "8")


def test_train_and_test_arrays_are_the_split(tmp_path):
    x, y = coloured(), np.arange(N) % 2
    np.savez(tmp_path / "x.npz", x_train=x[:45], y_train=y[:45], x_test=x[45:], y_test=y[45:])
    source = open_source(str(tmp_path / "x.npz"), "test")
    assert everything(source)[:, 0, 0, 0].tolist() == list(range(45, N))


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({"images": coloured(), "labels": np.arange(N) % 2}, str(tmp_path / "x.safetensors"))
    assert open_source(str(tmp_path / "x.safetensors")).classes == 2


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_find_their_labels_and_their_test_part(tmp_path, packed):
    pack, end = (gzip.compress, ".gz") if packed else (bytes, "")
    x = coloured()[..., 0]
    for part, start, stop in (("train", 0, 45), ("t10k", 45, N)):
        (tmp_path / f"{part}-images-idx3-ubyte{end}").write_bytes(pack(idx(x[start:stop])))
        (tmp_path / f"{part}-labels-idx1-ubyte{end}").write_bytes(pack(idx(np.arange(start, stop, dtype=np.uint8) % 3)))
    for spec, split, count in ((tmp_path, "train", 45), (tmp_path, "test", 15)):
        source = open_source(str(spec), split)
        images, labels = source.batch(torch.arange(count))
        assert len(source) == count and source.shape == (1, 8, 12) and source.class_names == ("0", "1", "2")
        assert (images[:, 0, 0, 0] % 3).tolist() == labels.tolist()
    alone = open_source(str(tmp_path / f"train-images-idx3-ubyte{end}"), "all")
    assert len(alone) == 45 and alone.classes == 3


# --- bad input --------------------------------------------------------------------------------------------------------


def array_with(value, shape=(N, 3)):
    x = np.random.default_rng(0).normal(size=shape)
    x[3, 1] = value
    return x


def labelled(path, labels):
    np.savez(path, images=coloured(), labels=labels)


def damaged_header(path):
    """An array whose header's opening brace became a letter: to NumPy, a Python text that never ends."""
    header = b"z" + repr({"descr": "|u1", "fortran_order": False, "shape": (N, 8, 8)}).encode()[1:].ljust(117) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(N * 64)
    if path.suffix == ".npy":
        path.write_bytes(raw)
    else:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("images.npy", raw)


def claiming(path, size=1 << 40):
    """An .npz whose directory says that its one array unpacks to a terabyte."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("images.npy", b"x" * 100)
        packed.infolist()[0].file_size = size


BAD = [
    ("x.npz", claiming, "would unpack to 1,099,511,627,776 bytes", {}),
    ("x.npy", lambda p: save(p, array_with(np.nan)), "1 NaN or infinite values, the first in row 4, column 1", {}),
    ("x.npy", lambda p: save(p, array_with(np.inf, (N, 8, 8))), "NaN or infinite", {}),
    ("x.npy", lambda p: save(p, np.ones((N, 3))), "every column is constant", {}),
    ("x.npy", lambda p: save(p, np.ones((N, 8, 8))), "every value is 1", {}),
    ("x.npy", lambda p: save(p, np.zeros((0, 8, 8))), "no samples", {}),
    ("x.npy", lambda p: save(p, np.zeros(99)), "expected images [N, H, W]", {}),
    ("x.npy", lambda p: save(p, np.zeros((9, 3))), "has 9 samples: at least 40", {}),
    ("x.npy", lambda p: save(p, np.array(["a"] * N)), "expected numbers", {}),
    ("x.npy", lambda p: np.save(p, np.array([{}] * N), allow_pickle=True), "never unpickled", {}),
    ("x.npy", lambda p: p.write_bytes(b"\x93NUMPY"), "cannot be read", {}),
    ("x.npy", lambda p: p.write_bytes(b"?"), "cannot be read as an array: it is not in NumPy's format", {}),
    ("x.npy", lambda p: damaged_header(p), "cannot be read as an array: it is damaged", {}),
    ("x.npz", lambda p: p.write_bytes(b"PK"), "cannot be read", {}),
    ("x.npz", lambda p: damaged_header(p), "cannot be read as arrays: it is damaged", {}),
    ("x.safetensors", lambda p: p.write_bytes(b"PK"), "cannot be read", {}),
    ("x.npz", lambda p: np.savez(p, a=[1], b=[2]), "expected an array named images", {}),
    ("x.npz", lambda p: labelled(p, np.arange(9)), "60 samples and labels of shape [9]", {}),
    ("x.npz", lambda p: labelled(p, np.full(N, np.nan)), "labels must be whole numbers or texts", {}),
    ("x.npz", lambda p: labelled(p, np.arange(N)), "60 classes for 60 samples", {}),
    ("x.csv", lambda p: p.write_text("a,b\n"), "no rows", {}),
    ("x.csv", lambda p: p.write_bytes(b"\xff\xfe\x00"), "is not UTF-8 text", {}),
    ("x.csv", lambda p: table(p, [*rows(), [1]]), "1 cell in line 62", {"labels": "colour"}),
    ("x.csv", lambda p: table(p, rows()), "no column 'color': did you mean colour", {"labels": "color"}),
    ("x.csv", lambda p: table(p, [[*r[:4], ""] for r in rows()]), "no label in line 2", {"labels": "colour"}),
    ("x.csv", lambda p: table(p, [r[:2] for r in rows()], ["a", "a"]), "two columns called 'a'", {}),
    ("x.csv", lambda p: table(p, [r[:2] for r in rows()], NAMES[:2]), "are for images", {"size": 32}),
    ("x-images-idx3-ubyte", lambda p: p.write_bytes(idx(coloured()[..., 0])[:-9]), "truncated", {}),
]


@pytest.mark.parametrize(("name", "make", "said", "options"), BAD, ids=[b[2] for b in BAD])
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, cache, name, make, said, options):
    make(tmp_path / name)
    assert said in refusal(tmp_path / name, **options)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("name", ["x.npy", "x.csv"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, cache, monkeypatch, name):
    """An array or a table."""
    path = tmp_path / name
    make = np.save if name == "x.npy" else lambda p, x: np.savetxt(p, x, delimiter=",")
    make(path, np.random.default_rng(0).normal(size=(N, 2)))
    original = own_data.prepare_arrays

    def change(*arguments):
        make(tmp_path / f"new-{name}", np.ones((N, 3)))
        (tmp_path / f"new-{name}").replace(path)  # as careful programs save
        return original(*arguments)

    monkeypatch.setattr(own_data, "prepare_arrays", change)
    assert f"{name} changed while it was read: run the command again" in refusal(path)
    assert files_in(cache) == []


def test_a_small_array_is_read_once_and_needs_no_file(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(2000, 50))
    np.save(tmp_path / "x.npy", x)
    found = arrays.load_npy(tmp_path / "x.npy")
    monkeypatch.setattr(arrays, "MAPPED", 10_000)
    assert isinstance(arrays.load_npy(tmp_path / "x.npy"), np.memmap) and not isinstance(found, np.memmap)
    (tmp_path / "x.npy").write_bytes(b"")  # of a mapped file these pages would be gone, and reading them fatal
    assert np.array_equal(found, x)


def test_39_samples_are_too_few_and_40_are_not(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(39, 2)))
    assert "has 39 samples: at least 40 are needed" in refusal(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.random.default_rng(0).normal(size=(40, 2)))
    assert len(open_source(str(tmp_path / "y.npy"))) == 30


# --- data from Python -------------------------------------------------------------------------------------------------


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return torch.from_numpy(coloured()[i]).permute(2, 0, 1), i % 3


def test_arrays_tensors_datasets_and_iterables_are_the_same():
    images = coloured().transpose(0, 3, 1, 2)
    specs = {spec_of(images), spec_of(torch.from_numpy(images.copy())), spec_of(iter(images))}
    assert len(specs) == 1
    plain = open_source(specs.pop(), "all")
    pairs = open_source(spec_of(Pairs()), "all")
    both = open_source(spec_of((images, np.arange(N) % 3)), "all")
    assert (
        torch.equal(everything(plain), everything(pairs)) and plain.classes == 0 and pairs.classes == both.classes == 3
    )


def test_every_way_of_giving_samples_and_labels_is_the_same_data():
    x, y = coloured(), np.arange(N) % 3
    pair = spec_of((x, y))
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    sets = torch.utils.data.TensorDataset(*tensors)
    ways = [[x, y], tensors, (list(x), y.tolist()), sets, torch.utils.data.DataLoader(sets, batch_size=4, shuffle=True)]
    assert [spec_of(way) for way in ways] == [pair] * len(ways)
    assert spec_of(torch.utils.data.TensorDataset(tensors[0])) == spec_of(x)


class DataFrame:
    """Stands for a table of pandas, which is not installed."""

    def __iter__(self):
        return iter("ab")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, "cannot be a int"),
        ({}, "a dict needs names of arrays"),
        ([], "no samples"),
        ([np.zeros(2), np.zeros(3), np.zeros(2)], "2 shapes"),
        ([[[1], [2, 3], [4]]] * 3, "lists of different lengths"),
        (DataFrame(), r"such a DataFrame: give one of pandas or polars alone"),
    ],
)
def test_other_things_are_refused(data, said):
    with pytest.raises(WganError, match=said):
        spec_of(data)


def test_a_message_about_data_from_python_names_no_hash():
    with pytest.raises(WganError, match=r"^the array given as data has 5 samples"):
        open_source(spec_of(np.zeros((5, 2))))
    with pytest.raises(WganError, match=r"^the array given as data holds 1 NaN"):
        open_source(spec_of(np.where(np.arange(120).reshape(60, 2) == 7, np.nan, 1.0)))


def test_training_on_an_array(tmp_path, cheap):
    x = np.random.default_rng(0).normal(5, 2, (N, 3))
    small = {"generator_layers": "8", "critic_layers": "8", **TINY}
    run = wgan.train(data=x, run=tmp_path / "run", **small)
    assert run.config.recipe == "vectors" and run.facts.shape == (3,)
    again = wgan.train(data=x, run=tmp_path / "run", **{**small, "steps": 3})
    assert again.step == 3
    with pytest.raises(WganError, match="data: given"):
        wgan.train(data=x + 1, run=tmp_path / "run", **small)


def test_arrays_without_names_are_samples_and_labels(tmp_path, cache):
    """What numpy.savez(FILE, X, y) writes: arr_0 and arr_1."""
    np.savez(tmp_path / "plain.npz", np.random.default_rng(0).integers(0, 255, (60, 16, 16)), np.arange(60) % 3)
    found = open_source(str(tmp_path / "plain.npz"))
    assert found.classes == 3 and not [n for n in found.notes if n.startswith("not read")]


@pytest.mark.parametrize("shape", [(28, 28, 500), (64, 64, 300), (32, 32, 3, 600), (50, 50, 1, 300)])
def test_samples_that_the_last_axis_counts_are_told(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    assert "the last one seems to; move it there, numpy.moveaxis(x, -1, 0)" in refusal(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.moveaxis(np.load(tmp_path / "x.npy"), -1, 0))
    assert len(open_source(str(tmp_path / "y.npy"), "all")) == shape[-1]


def test_as_many_long_pictures_as_rows_are_still_pictures(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (48, 1, 48, 300), dtype=np.uint8))
    assert open_source(str(tmp_path / "x.npy")).shape == (1, 48, 300)


@pytest.mark.parametrize(("width", "side"), [(784, 28), (785, 28), (64, 8), (783, 0), (100, 10)])
def test_rows_of_pixels_are_told_how_to_be_images(width, side, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (60, width))
    np.save(tmp_path / "x.npy", rows)
    found = [n for n in open_source(str(tmp_path / "x.npy")).notes if "may be pixels" in n]
    assert found == (
        [f"{side**2} whole numbers from 0 to 255 may be pixels: an array [N, {side}, {side}] is read as images"]
        if side
        else []
    )
    for other in (rows / 2, rows - 1, 2 * rows, rows // 64):  # fractions, below 0, above 255, hardly any greys
        np.save(tmp_path / "y.npy", other)
        assert not any("may be pixels" in n for n in open_source(str(tmp_path / "y.npy")).notes)
