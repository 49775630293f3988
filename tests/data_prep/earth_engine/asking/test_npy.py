"""NPY files against NumPy's own reader and writer, where NumPy agrees."""

import io
import struct

import numpy as np
import pytest

from data_prep.earth_engine.asking.npy import read_npy
from data_prep.earth_engine.asking.npy import write_npy

BANDS = [(f"f{n // 12:02d}_B{n % 12}", "<u2") for n in range(1_188)]
DTYPES = [
    "u1",
    "<u2",
    ">i4",
    "<f4",
    "<f8",
    "<c8",
    "?",
    "S5",
    "<U3",
    "<M8[s]",
    [("B2", "<u2"), ("valid", "u1"), ("second", "<i4")],
    [("a b", "<f4"), ("é", ">u2")],
    [("vector", "<f4", (3,)), ("inner", [("x", "u1"), ("y", "<i2")])],
    np.dtype([("valid", "u1"), ("second", "<i4")], align=True),
    np.dtype(
        {
            "names": ["early", "late"],
            "formats": ["<u2", "u1"],
            "offsets": [1, 5],
            "itemsize": 9,
        }
    ),
]


def _make(dtype, shape=(3, 5)):
    """Random values of any type that holds plain bytes."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.random.default_rng(7).integers(0, 2, size, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype).reshape(shape)


def _join(array):
    return b"".join(write_npy(array))


def _same(one, two):
    assert one.dtype == two.dtype
    assert one.shape == two.shape
    for name in one.dtype.names or ():
        _same(one[name], two[name])
    if one.dtype.names is None:
        np.testing.assert_array_equal(one, two)


def _save(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def _file(header, body=b""):
    text = header.encode() if isinstance(header, str) else header
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[:40])
@pytest.mark.parametrize("shape", [(3, 5), (4,), (2, 3, 2), (0, 5), (1, 1)])
def test_what_is_written_is_read_back(dtype, shape):
    array = _make(dtype, shape)
    _same(read_npy(_join(array)), array)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[:40])
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0:UserWarning")
def test_numpy_reads_what_is_written_and_the_other_way_round(dtype):
    array = _make(dtype)
    _same(np.load(io.BytesIO(_join(array))), array)
    _same(read_npy(_save(array)), array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_the_format_are_read(version):
    array = _make([("B2", "<u2"), ("valid", "u1")])
    _same(read_npy(_save(array, version)), array)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0:UserWarning")
def test_names_of_the_whole_world_are_read():
    array = _make([("高さ", "<u2"), ("valid", "u1")])
    _same(read_npy(_save(array)), array)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::2],
        lambda a: a[:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a[1:4, 2:3],
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
    ids=["transposed", "skipped", "mirrored", "columns", "window", "repeated"],
)
@pytest.mark.parametrize("dtype", ["<u2", [("B2", "<u2"), ("valid", "u1")]])
def test_views_are_written_as_they_look(view, dtype):
    array = view(_make(dtype, (5, 7)))
    _same(read_npy(_join(array)), array)
    _same(read_npy(_save(array)), array)


def test_a_field_of_an_answer_is_written_without_the_others():
    array = _make([("B2", "<u2"), ("valid", "u1")])["B2"]
    assert not array.flags.c_contiguous
    assert len(write_npy(array)[1]) == array.size * 2
    _same(read_npy(_join(array)), array)


def test_more_bands_than_numpy_reads_are_read():
    array = _make(BANDS, (2, 3))
    content = _join(array)
    with pytest.raises(ValueError, match="Header info length"):
        np.load(io.BytesIO(content))
    _same(read_npy(content), array)
    # As the service writes it: the header of NumPy itself.
    saved = _save(array)
    assert struct.unpack("<H", saved[8:10])[0] > 10_000
    _same(read_npy(saved), array)


def test_files_of_one_run_share_no_numbers():
    # Headers are read once: those that are alike must not share arrays.
    one, two = _make("<u2"), _make("<u2") + np.uint16(1)
    found = [read_npy(_join(array)) for array in (one, two)]
    np.testing.assert_array_equal(found[0] + 1, found[1])
    other = read_npy(_join(_make("<u2", (5, 3))))
    assert other.shape == (5, 3)


def test_nothing_is_copied():
    array = _make("<u2")
    _, memory = write_npy(array)
    assert np.shares_memory(np.asarray(memory), array)
    content = _join(array)
    found = read_npy(content)
    assert np.shares_memory(found, np.frombuffer(content, np.uint8))
    assert not found.flags.writeable


def test_every_cut_file_is_refused():
    content = _join(_make([("B2", "<u2"), ("valid", "u1")]))
    for length in range(len(content)):
        with pytest.raises(ValueError, match="."):
            read_npy(content[:length])
    with pytest.raises(ValueError, match="46 bytes follow its header, 45 belo"):
        read_npy(content + b"\0")
    with pytest.raises(ValueError, match="44 bytes follow its header, 45 belo"):
        read_npy(content[:-1])


def test_objects_are_never_read_nor_written():
    array = np.array([[{"a": 1}, None]], dtype=object)
    with pytest.raises(ValueError, match="Python objects, which are never"):
        read_npy(_save(array))
    with pytest.raises(ValueError, match="Python objects, which are never"):
        read_npy(_save(np.zeros((2, 2), [("B2", "<u2"), ("x", "O")])))
    for refused in (array, np.zeros(2, [("B2", "<u2"), ("x", "O")])):
        with pytest.raises(TypeError):
            write_npy(refused)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin"),
        (b"\x93NUMPY\x01\x00", "does not begin"),
        (b'{"error": {"code": 500}}', "does not begin"),
        (b"PK\x03\x04 a zip of arrays", "does not begin"),
        (
            b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{}",
            "header claims 2147483648 bytes",
        ),
        (_file("{'descr': '<u2'"), "cut or changed"),
        (_file("[1, 2]"), "cut or changed"),
        (_file("{'descr': '<u2', 'shape': (2, 3)}"), "cut or changed"),
        (_file(b"\xff\xfe{}"), "cut or changed"),
        (
            b"\x93NUMPY\x03\x00" + struct.pack("<I", 4) + b"{'\xff'",
            "cut or changed.*utf-8",
        ),
        (_file("__import__('os').getcwd()"), "."),
        (
            _file("{'descr': 'no', 'fortran_order': False, 'shape': (1,)}"),
            "cut or changed",
        ),
        (
            _file("{'descr': '<u2', 'fortran_order': False, 'shape': 5}"),
            "cut or changed",
        ),
        (
            _file("{'descr': '<u2', 'fortran_order': False, 'shape': (-1,)}"),
            "0 bytes follow",
        ),
        (
            _file(
                "{'descr': '<u2', 'fortran_order': False, "
                f"'shape': ({2**32}, {2**32})}}"
            ),
            "0 bytes follow its header, 36893488147419103232 belong",
        ),
        (
            _file(
                "{'descr': '<u2', 'fortran_order': False, "
                f"'shape': ({10**30},)}}"
            ),
            "0 bytes follow",
        ),
        (_file("(" * 60_000), "."),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else "",
)
def test_what_is_no_npy_file_is_a_value_error(content, message):
    with pytest.raises(ValueError, match=message):
        read_npy(content)
