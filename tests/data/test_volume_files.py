"""Folders of volumes, one NIfTI or .npy file for each: as volumes or as slices, and what is refused."""

import gzip
import struct
import sys

import numpy as np
import pytest
import torch

from wgan.config import ReadingOptions
from wgan.data import open_source
from wgan.data.own import volume_files
from wgan.errors import WganError

FLOAT = ReadingOptions(depth="float")


def everything(source):
    values = source.batch(torch.arange(len(source)))[0].numpy()
    return values if source.depth is None else source.depth.restore(values)


def volumes(count, shape=(5, 6, 8), seed=0):
    """Volume i begins with the number i."""
    made = np.random.default_rng(seed).integers(100, 1000, (count, *shape)).astype(np.int16)
    made[:, 0, 0, 0] = np.arange(count)
    return made


def saved(folder, arrays, classes=1):
    for i, array in enumerate(arrays):
        place = folder / f"class{i % classes}" if classes > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{i:03d}.npy", array)
    return str(folder)


def test_a_folder_of_arrays_is_one_volume_each(tmp_path):
    made = volumes(60)
    source = open_source(saved(tmp_path / "v", made, classes=2), "all")
    assert source.shape == (1, 5, 6, 8) and source.class_names == ("class0", "class1")
    found = everything(source)[:, 0]
    first = found[:, 0, 0, 0].astype(int)
    assert sorted(first) == [*range(60)] and np.array_equal(found, made[first])
    assert source.labels.tolist() == (first % 2).tolist()


def test_kind_image_reads_slices_and_holds_out_whole_volumes(tmp_path):
    made = volumes(30)
    folder = saved(tmp_path / "v", made)
    train, test = (
        open_source(folder, s, options=ReadingOptions(kind="image", depth="float")) for s in ("train", "test")
    )
    assert train.shape == (1, 6, 8) and len(train) + len(test) == 150
    assert any("30 volumes read as 150 slices along the depth (z); " in note for note in train.notes)
    slices = {made[i, d].tobytes(): i for i in range(30) for d in range(5)}
    own = [{slices[x.astype(np.int16).tobytes()] for x in everything(source)[:, 0]} for source in (train, test)]
    assert own[0] | own[1] == {*range(30)} and not own[0] & own[1] and len(test) == 5 * len(own[1])


def test_larger_volumes_are_read_as_slices_of_any_number(tmp_path):
    folder = tmp_path / "v"
    saved(folder, [*volumes(4, (20, 36, 40)), volumes(1, (9, 36, 40))[0]])
    source = open_source(str(folder), "all", options=FLOAT)
    assert source.shape == (1, 36, 40) and len(source) == 89
    assert any("for a side of 40 is more than the 32 of volumes" in note for note in source.notes)
    with pytest.raises(WganError, match=r"volumes of 2 shapes, 1x20x36x40 most often, and 004\.npy has 1x9x36x40"):
        open_source(str(folder), options=ReadingOptions(kind="volume"))


def mixed(folder):
    saved(folder, [*volumes(40), volumes(1, (5, 6, 9))[0]])


def several(folder):
    saved(folder, [volumes(40)[None], *volumes(40)])


def damaged(folder):
    saved(folder, volumes(40))
    (folder / "003.npy").write_bytes(b"\x93NUMPY rubbish")


def nan(folder):
    saved(folder, [*volumes(40), np.full((5, 6, 8), np.nan)])


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (mixed, None, "holds volumes of 2 shapes, 1x5x6x8 most often, and 040.npy has 1x5x6x9"),
        (several, None, "is int16 [1, 40, 5, 6, 8]: every .npy of a folder is one volume"),
        (damaged, None, "cannot be read as an array"),
        (nan, None, "NaN or infinite values in 1 of 41 volumes"),
        (mixed, ReadingOptions(kind="signal"), "kind signal and window are for signals"),
        (mixed, ReadingOptions(labels="age"), "labels 'age' names the column of a table"),
        (mixed, ReadingOptions(conditions="age"), "leave conditions out"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, make, options, words):
    make(tmp_path / "v")
    with pytest.raises(WganError) as error:
        open_source(str(tmp_path / "v"), options=options)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_far_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "ROOM", 1000)
    with pytest.raises(WganError, match=r"holds 240 numbers, and all files together may hold 1,000"):
        open_source(saved(tmp_path / "v", volumes(40)))


def test_pictures_beside_arrays_stay_pictures(tmp_path):
    from PIL import Image

    saved(tmp_path / "v", volumes(2))
    for i in range(40):
        Image.fromarray(volumes(1, (1, 8, 8), i)[0, 0].astype(np.uint8)).save(tmp_path / "v" / f"p{i}.png")
    assert open_source(str(tmp_path / "v")).is_image


def header(shape, kind=4, bits=16, slope=2.0, shift=-7.0):
    """The 352 bytes before the values of a NIfTI-1 file (int16 by default)."""
    found = bytearray(352)
    struct.pack_into("<i", found, 0, 348)
    struct.pack_into("<8h", found, 40, len(shape), *shape, *(1,) * (7 - len(shape)))
    struct.pack_into("<2h", found, 70, kind, bits)
    struct.pack_into("<8f", found, 76, *(1.0,) * 8)
    struct.pack_into("<3f", found, 108, 352.0, slope, shift)
    found[344:348] = b"n+1\0"
    return bytes(found)


def nifti(folder, arrays, ending=".nii.gz"):
    folder.mkdir()
    for i, array in enumerate(arrays):
        data = header(array.shape) + array.astype("<i2").tobytes(order="F")
        (folder / f"scan{i:03d}{ending}").write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    return str(folder)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_files_are_volumes_in_their_scaled_values(tmp_path, ending):
    pytest.importorskip("nibabel")
    made = volumes(45, (8, 6, 5))  # [x, y, z]
    source = open_source(nifti(tmp_path / "v", made, ending), "all")
    assert source.shape == (1, 5, 6, 8)
    found = {round(float(x[0, 0, 0])): x for x in everything(source)[:, 0]}
    assert sorted(found) == [2 * i - 7 for i in range(45)]
    for i in range(45):
        np.testing.assert_allclose(found[2 * i - 7], made[i].T * 2.0 - 7, atol=1e-3)


def test_nifti_files_are_slices_where_asked_or_large(tmp_path):
    pytest.importorskip("nibabel")
    made = volumes(3, (40, 36, 45))
    source = open_source(nifti(tmp_path / "v", made), "all", options=FLOAT)
    assert source.shape == (1, 36, 40) and len(source) == 135
    whole = {x.astype(np.int64).tobytes() for x in np.rint(everything(source)[:, 0])}
    assert whole == {(made[i, :, :, z].T.astype(np.int64) * 2 - 7).tobytes() for i in range(3) for z in range(45)}
    alone = tmp_path / "v" / "scan001.nii.gz"
    last = open_source(str(alone), "test", options=ReadingOptions(kind="image", depth="float", size=8))
    assert last.shape == (1, 8, 8) and len(last) == 11
    assert any("11 slices are held out, the last ones" in note for note in last.notes)


def test_a_missing_package_and_damage_are_one_sentence(tmp_path, monkeypatch):
    folder = nifti(tmp_path / "v", volumes(45, (8, 6, 5)))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "nibabel", None)
        with pytest.raises(WganError, match=r"needs nibabel, install it with pip install 'wgan\[nifti\]'"):
            open_source(folder)
    pytest.importorskip("nibabel")
    for damage in (
        b"",
        b"rubbish" * 100,
        gzip.compress(header((8, 6, 5)))[:-20],
        gzip.compress(header((8, 6, 5)) + b"few"),
    ):
        (tmp_path / "v" / "scan007.nii.gz").write_bytes(damage)
        with pytest.raises(WganError, match=r"scan007\.nii\.gz cannot be read as NIfTI: [^\n]+$"):
            open_source(folder)
    (tmp_path / "v" / "scan007.nii.gz").write_bytes(gzip.compress(header((30000, 30000, 30000))))
    with pytest.raises(WganError, match="27,000,000,000,000 numbers"):
        open_source(folder)
    (tmp_path / "v" / "scan007.nii.gz").write_bytes(gzip.compress(header((8, 6, 5, 40)) + bytes(19200)))
    with pytest.raises(WganError, match=r"has the shape \[8, 6, 5, 40\]: NIfTI files hold one volume"):
        open_source(folder)
