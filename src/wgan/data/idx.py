"""IDX, the format of the MNIST family: two zero bytes, a type, the number of dimensions, the sizes, the values."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from wgan.errors import WganError

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LONGEST_HEADER = 4 + 4 * 255  # the number of dimensions is one byte
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_RATIO = 1032  # no deflate stream grows more than this
MAX_DIMENSIONS = 32  # what every NumPy since 1.26 can hold


def read_idx(source: bytes | bytearray | str | Path, name: str = "") -> np.ndarray:
    """Return the array of IDX data given as bytes or as a path, plain or gzip, in native byte order.

    Never allocates more than the given bytes justify. Bytes given as a bytearray are shared, not copied.
    Raises WganError, naming `name` or the path, when the data is truncated, too long, or no IDX.
    """
    name = name or (str(source) if isinstance(source, (str, Path)) else "IDX data")
    data = _read(source, name) if isinstance(source, (str, Path)) else source
    if data[:2] == GZIP_MAGIC:
        data = _inflate_declared(data, name)
    dtype, shape, offset = read_header(data, name)
    if 0 in shape:
        raise WganError(f"{name} is empty: its shape is {_show(shape)}")
    found, wanted = len(data) - offset, math.prod(shape) * dtype.itemsize
    if found != wanted:
        what = "truncated" if found < wanted else "too long"
        raise WganError(f"{name} is {what}: its shape {_show(shape)} needs {wanted} bytes of values, it holds {found}")
    array = np.frombuffer(data, dtype, offset=offset).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_header(data: bytes | bytearray, name: str) -> tuple[np.dtype, tuple[int, ...], int]:
    """Return type, shape and the offset of the values from the start of IDX `data`; WganError if it is none."""
    if len(data) < 4:
        raise WganError(f"{name} is truncated: an IDX header has at least 4 bytes, it holds {len(data)}")
    zeros, code, dimensions = struct.unpack_from(">HBB", data)
    if zeros or code not in DTYPES or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise WganError(f"{name} is not IDX: it starts with {bytes(data[:4]).hex()}, not with a magic such as 00000803")
    offset = 4 + 4 * dimensions
    if len(data) < offset:
        raise WganError(f"{name} is truncated: its IDX header needs {offset} bytes, it holds {len(data)}")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    return np.dtype(DTYPES[code]), shape, offset


def inflate(packed: bytes | bytearray, size: int, name: str) -> bytearray:
    """Return the `size` bytes in one gzip member, inflating at most one byte more; WganError for any other length."""
    unpacker = zlib.decompressobj(wbits=31)  # 31 = gzip with its checksum
    try:
        data = bytearray(unpacker.decompress(packed, size + 1))  # a bytearray, so that tensors on it are writable
    except zlib.error:
        raise WganError(f"{name} is damaged: its gzip data does not decompress") from None
    if len(data) > size or unpacker.unused_data:
        raise WganError(f"{name} is too long: it should decompress to {size} bytes and holds more")
    if not unpacker.eof or len(data) < size:
        raise WganError(f"{name} is truncated: it should decompress to {size} bytes and holds {len(data)}")
    return data


def _inflate_declared(packed: bytes | bytearray, name: str) -> bytearray:
    """Inflate gzip IDX to exactly the size its header declares, so that a small file cannot fill the memory."""
    try:
        start = zlib.decompressobj(wbits=31).decompress(packed, LONGEST_HEADER)
    except zlib.error:
        raise WganError(f"{name} is damaged: its gzip data does not decompress") from None
    dtype, shape, offset = read_header(start, name)
    size = offset + math.prod(shape) * dtype.itemsize
    if size > DEFLATE_RATIO * len(packed):
        raise WganError(f"{name} is truncated: {len(packed)} bytes of gzip cannot hold its shape {_show(shape)}")
    return inflate(packed, size, name)


def _read(path: str | Path, name: str) -> bytearray:
    try:
        return bytearray(Path(path).read_bytes())
    except OSError as error:
        raise WganError(f"cannot read {name}: {error.strerror}") from None


def _show(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
