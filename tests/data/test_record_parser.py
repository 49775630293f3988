"""Windows of parsed records against slices of what was written."""

import numpy as np
import pytest
import tensorflow as tf

from s2distill.data.manifest import read_manifest
from s2distill.data.record_parser import RecordParser
from s2distill.data.schema import ANSWERS
from s2distill.data.schema import TEACHER_FEATURES

BANDS, TILE, FACTOR = ("B2", "B8", "B12"), 6, 4
SMALL = {"bands": BANDS, "tile_px": TILE, "label_factor": FACTOR}
ALL = ("image", "view", "building", "road", "height", "teacher")
VIEW = ("view_angle_deg", "view_azimuth_deg")
# Arrays of the parser: where they stand in a record.
PLANES = {
    "rgb": ("image", "rgb"),
    "image_valid": ("image", "valid"),
    "label_valid": ("label", "valid"),
    "building": ("label", "building"),
    "centroid_density": ("label", "centroid_density"),
    "road": ("label", "road"),
    "height_m": ("label", "height_m"),
    "teacher_building_probs": ("teacher", "building_probs"),
    "teacher_road_probs": ("teacher", "road_probs"),
    "teacher_centroid_density": ("teacher", "centroid_density"),
    "teacher_height_m": ("teacher", "height_m"),
    "teacher_height_scale_m": ("teacher", "height_scale_m"),
    "teacher_valid": ("teacher", "valid"),
}


@pytest.fixture
def write(example_records, tmp_path):
    """Writes records; gives (spec, serialized records, what was written)."""

    def make(name, fields, count=2, **changes):
        folder = tmp_path / name
        written = example_records(
            folder,
            {"train": count},
            frames=(2, 4),
            fields=fields,
            prefix=name,
            seed=len(fields),
            **SMALL,
            **changes,
        )["train"]
        manifest = read_manifest(folder)
        files = [str(folder / shard.file) for shard in manifest.shards]
        serialized = list(tf.data.TFRecordDataset(files).as_numpy_iterator())
        return manifest.spec, serialized, written

    return make


def _corner(lots, side):
    """Row and column at which a window of `side` pixels begins."""
    return tuple(int(np.floor(lot * (TILE - side + 1))) for lot in lots)


def _assert_window(window, example, corner, side):
    row, col = corner
    rows, cols = slice(row, row + side), slice(col, col + side)
    assert window["key"].numpy().decode() == example["key"]
    np.testing.assert_array_equal(
        window["s2_dn"], example["s2"]["image"][:, rows, cols]
    )
    np.testing.assert_array_equal(
        window["s2_valid"], example["s2"]["valid"][:, rows, cols]
    )
    fine = tuple(
        slice(begin * FACTOR, (begin + side) * FACTOR) for begin in corner
    )
    for name, (group, field) in PLANES.items():
        if name in window:
            expected = example[group][field][fine]
            assert window[name].dtype == expected.dtype
            np.testing.assert_array_equal(window[name], expected, name)


@pytest.mark.parametrize("side", [1, 4, TILE])
def test_windows_are_slices_of_the_written_record(write, side):
    spec, serialized, written = write("all", ALL, teacher_scales=True)
    parser = RecordParser([spec], crop_px=side)
    rng = np.random.default_rng(side)
    lots = np.concatenate(
        [rng.random((3, 2)), [[0, 0], [0.999, 0.999], [0, 0.999]]]
    ).astype(np.float32)
    for record, example in zip(serialized, written, strict=True):
        windows = parser.cut_windows(
            tf.constant(record), tf.constant(0), tf.constant(lots)
        )
        assert len(windows) == len(lots)
        for window, lot in zip(windows, lots, strict=True):
            assert set(PLANES) < set(window)
            _assert_window(window, example, _corner(lot, side), side)
            view_deg = [example["image"][name] for name in VIEW]
            np.testing.assert_array_equal(window["view_deg"], view_deg)


def test_calling_the_parser_is_cutting_one_window(write):
    spec, serialized, written = write("all", ALL, count=1)
    parser = RecordParser([spec], crop_px=3)
    lots = tf.constant([0.3, 0.8])
    one = parser(tf.constant(serialized[0]), tf.constant(0), lots)
    (twin,) = parser.cut_windows(
        tf.constant(serialized[0]), tf.constant(0), lots[None]
    )
    assert set(one) == set(twin)
    for name in one:
        np.testing.assert_array_equal(one[name], twin[name], name)
    _assert_window(one, written[0], _corner((0.3, 0.8), 3), 3)


def test_without_a_crop_the_tile_comes_whole(write):
    spec, serialized, written = write("all", ALL, count=1)
    window = RecordParser([spec])(
        tf.constant(serialized[0]), tf.constant(0), tf.constant([0.9, 0.9])
    )
    _assert_window(window, written[0], (0, 0), TILE)


def test_fields_a_folder_lacks_are_zeros_with_validity_0(write):
    sets = [
        write("labelled", ("image", "building")),
        write("bare", ()),
        write("soft", ("teacher",)),
    ]
    parser = RecordParser([spec for spec, _, _ in sets], crop_px=4)

    # As the pipeline calls it: traced, the folder known only when it runs.
    @tf.function
    def cut(record, folder, lots):
        return parser.cut_windows(record, folder, lots)

    lots = np.array([[0.1, 0.9], [0.5, 0.4]], np.float32)
    has = (
        ("image", "label", "building"),
        (),
        ("teacher",),
    )
    for folder, (_, serialized, written) in enumerate(sets):
        windows = cut(
            tf.constant(serialized[0]), tf.constant(folder), tf.constant(lots)
        )
        for window, lot in zip(windows, lots, strict=True):
            assert "road" not in window  # no folder has it
            present = {
                name: window[name]
                for name, (group, _) in PLANES.items()
                if name in window and group in has[folder]
            }
            frames = {n: window[n] for n in ("key", "s2_dn", "s2_valid")}
            _assert_window(frames | present, written[0], _corner(lot, 4), 4)
            for name in set(PLANES) & set(window) - set(present):
                assert window[name].shape[:2] == (16, 16)
                assert not window[name].numpy().any(), name
            assert bool(window["has_building"]) == (folder == 0)
            assert not window["has_road"]
            assert not window["has_height"]
            assert np.isnan(window["view_deg"]).all()


def test_without_any_labels_no_label_arrays_are_made(write):
    spec, serialized, _ = write("soft", ("teacher",), count=1)
    window = RecordParser([spec])(
        tf.constant(serialized[0]), tf.constant(0), tf.constant([0.0, 0.0])
    )
    flags = {name for name in window if name.startswith("has_")}
    assert flags == {f"has_teacher_{answer}" for answer in ANSWERS}
    assert not {name for name in window if "label" in name}
    assert "teacher_valid" in window
    assert "rgb" not in window
    assert "view_deg" not in window


def test_a_scale_that_a_folder_lacks_is_zeros(write):
    sets = [
        write("told", ("teacher",), count=1, teacher_scales=True),
        write("untold", ("teacher",), count=1),
        write(
            "alone",  # a height without buildings, so its scale is of no use
            ("teacher",),
            count=1,
            teacher_answers=("height",),
            teacher_scales=True,
        ),
    ]
    parser = RecordParser([spec for spec, _, _ in sets])
    for folder, (_, serialized, written) in enumerate(sets):
        window = parser(
            tf.constant(serialized[0]), tf.constant(folder), tf.zeros([2])
        )
        told = written[0]["teacher"].get("height_scale_m")
        expected = told if folder == 0 else np.zeros((24, 24), np.float16)
        np.testing.assert_array_equal(
            window["teacher_height_scale_m"], expected
        )


def test_answers_a_folder_lacks_are_zeros_and_flagged(write):
    given = (("building", "height"), ("road",), ("height",))
    sets = [
        write(
            f"soft{number}",
            ("image", "teacher"),
            count=1,
            teacher_answers=answers,
        )
        for number, answers in enumerate(given)
    ]
    parser = RecordParser([spec for spec, _, _ in sets])
    # A height without buildings beside it is of no use.
    for folder, known in enumerate((("building", "height"), ("road",), ())):
        _, serialized, written = sets[folder]
        window = parser(
            tf.constant(serialized[0]), tf.constant(folder), tf.zeros([2])
        )
        for answer, names in TEACHER_FEATURES.items():
            assert bool(window[f"has_teacher_{answer}"]) == (answer in known)
            for name in names:
                expected = written[0]["teacher"][name] if answer in known else 0
                np.testing.assert_array_equal(
                    window[f"teacher_{name}"], expected
                )
        np.testing.assert_array_equal(
            window["teacher_valid"], written[0]["teacher"]["valid"]
        )


def test_height_is_of_no_use_without_buildings(write):
    spec, serialized, _ = write("roads", ("road", "height"), count=1)
    parser = RecordParser([spec])
    window = parser(
        tf.constant(serialized[0]), tf.constant(0), tf.constant([0.0, 0.0])
    )
    assert "height_m" not in window
    assert not window["has_height"]
    assert window["has_road"]


def test_row_axes_name_every_array_with_rows(write):
    spec, serialized, _ = write("all", ALL, count=1, teacher_scales=True)
    parser = RecordParser([spec], crop_px=2)
    window = parser(
        tf.constant(serialized[0]), tf.constant(0), tf.constant([0.0, 0.0])
    )
    with_rows = {n for n, x in window.items() if x.shape.rank > 1}
    assert set(parser.row_axes) == with_rows
    for name, axis in parser.row_axes.items():
        side = 2 if name.startswith("s2") else 2 * FACTOR
        assert window[name].shape[axis] == side
        assert window[name].shape[axis + 1] == side
