"""NPY files of very many bands, as bytes.

NumPy refuses headers of more than 10,000 characters unless told otherwise:
some 480 bands, and the client's own conversion to arrays has no such word.
To read such a header takes longer than all the rest, and those of one run
are alike: each is read once.
"""

import ast
import functools
import io
import math
import struct
from collections.abc import Sequence

import numpy as np

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 2**20  # 1,024 bands have some 22,000 characters


def read_npy(content: bytes) -> np.ndarray:
    """The array of a NPY file.

    Args:
      content: All bytes of the file.

    Returns:
      Read-only, over the same memory.

    Raises:
      ValueError: No NPY file, cut, or with Python objects in it.
    """
    if content[:6] != _MAGIC or len(content) < 12:
        raise ValueError("it does not begin as NPY files do")
    if content[6] == 1:
        start, (length,) = 10, struct.unpack("<H", content[8:10])
    else:
        start, (length,) = 12, struct.unpack("<I", content[8:12])
    if length > _MAX_HEADER:
        raise ValueError(f"its header claims {length} bytes")
    dtype, shape, fortran = _read_header(
        bytes(content[start : start + length]),
        "latin1" if content[6] < 3 else "utf-8",
    )
    count = math.prod(shape)
    body = memoryview(content)[start + length :]
    if len(body) != count * dtype.itemsize:
        raise ValueError(
            f"{len(body)} bytes follow its header, {count * dtype.itemsize} "
            "belong there"
        )
    array = np.frombuffer(body, dtype, count)
    return array.reshape(shape, order="F" if fortran else "C")


def write_npy(array: np.ndarray) -> Sequence[bytes | memoryview]:
    """The pieces of a NPY file, in order: its header, and the array's memory.

    Args:
      array: Of any type without Python objects; copied if it is no C array.
    """
    whole = np.ascontiguousarray(array)
    header = _make_header(whole.dtype, whole.shape)
    return header, memoryview(whole.reshape(-1).view(np.uint8))


@functools.lru_cache(maxsize=64)
def _make_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        file,
        {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        },
    )
    return file.getvalue()


@functools.lru_cache(maxsize=64)
def _read_header(
    text: bytes, encoding: str
) -> tuple[np.dtype, tuple[int, ...], bool]:
    try:
        header = ast.literal_eval(text.decode(encoding))
        dtype = np.lib.format.descr_to_dtype(header["descr"])
        shape = tuple(int(size) for size in header["shape"])
        fortran = bool(header["fortran_order"])
    except (SyntaxError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"its header is cut or changed: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never read")
    return dtype, shape, fortran
