"""The mixer, against the real one and against a plain count of pixels."""

import json

import numpy as np
import pytest

from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from data_prep.earth_engine.tfrecord.mixer import write_mixer
from s2distill.errors import GridError
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from s2distill.geo.grid import Grid

UTM = (10.0, 0.0, 737200.0, 0.0, -10.0, 3736840.0)


def make_mixer(**changes):
    values = {
        "crs": "EPSG:32616",
        "transform": UTM,
        "patch_height": 5,
        "patch_width": 7,
        "patches_per_row": 3,
        "total_patches": 12,
    }
    return Mixer(**{**values, **changes})


def test_a_real_mixer_gives_the_grid_of_its_image(real_data):
    mixer = read_mixer(real_data("servir-aces") / "image_2021.json")
    assert mixer.patch_shape == (256, 256)
    assert (mixer.patches_per_row, mixer.total_patches) == (1, 1)
    step = 8.983152841195215e-05  # 10 m on the equator
    assert mixer.grid == Grid(
        "EPSG:4326",
        (step, 0.0, 89.39005136557161, 0.0, -step, 27.448158253564596),
        256,
        256,
    )


def test_what_is_written_is_the_real_file_byte_for_byte(real_data, tmp_path):
    real = real_data("servir-aces") / "image_2021.json"
    write_mixer(tmp_path / "mixer.json", read_mixer(real))
    assert (tmp_path / "mixer.json").read_bytes() == real.read_bytes()


@pytest.mark.parametrize(
    ("value", "text"),
    [  # what Double.toString gives
        (500000.0, "500000.0"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-12345678.9, "-1.23456789E7"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (8.983152841195215e-05, "8.983152841195215E-5"),
        (1 / 3, "0.3333333333333333"),
    ],
)
def test_numbers_are_written_as_java_does(value, text, tmp_path):
    transform = (10.0, 0.0, value, 0.0, -10.0, 0.0)
    write_mixer(tmp_path / "m.json", make_mixer(transform=transform))
    written = (tmp_path / "m.json").read_text()
    assert f'"doubleMatrix": [10.0, 0.0, {text}, 0.0, -10.0, 0.0]' in written


@pytest.mark.parametrize("where", ["disk", "ram://mixers"])
def test_a_mixer_comes_back_as_it_was(where, tmp_path):
    rng = np.random.default_rng(1)
    folder = tmp_path if where == "disk" else where
    for number in range(20):
        rows, per_row = rng.integers(1, 9, 2)
        mixer = make_mixer(
            transform=(
                float(rng.uniform(1e-6, 100)),
                0.0,
                float(rng.uniform(-1e7, 1e8)),
                0.0,
                -float(rng.uniform(1e-6, 100)),
                float(rng.uniform(-1e-5, 1e-5)),
            ),
            patches_per_row=int(per_row),
            total_patches=int(rows * per_row),
        )
        write_mixer(f"{folder}/{number}.json", mixer)
        assert read_mixer(f"{folder}/{number}.json") == mixer


def test_patches_cover_every_pixel_once_row_by_row():
    mixer = make_mixer()
    whole = mixer.grid
    assert (whole.height, whole.width) == (20, 21)
    count = np.zeros((whole.height, whole.width), int)
    for index in range(12):
        grid = mixer.patch_grid(index)
        row = round((UTM[5] - grid.transform[5]) / 10)
        col = round((grid.transform[2] - UTM[2]) / 10)
        assert (row, col) == (index // 3 * 5, index % 3 * 7)
        assert (row, col) == mixer.patch_corner(index)
        count[row : row + grid.height, col : col + grid.width] += 1
    assert (count == 1).all()


def test_a_margin_grows_a_patch_at_each_side():
    grid = make_mixer().patch_grid(4, margin_px=(3, 2))
    assert grid.transform == (10, 0, 737200 + 50, 0, -10, 3736840 - 20)
    assert (grid.height, grid.width) == (5 + 6, 7 + 4)


def test_a_refined_mixer_covers_the_same_ground_with_as_many_patches():
    mixer = make_mixer()
    fine = mixer.refined(20)
    assert fine.grid == mixer.grid.refined(20)
    assert fine.patch_shape == (100, 140)
    for index in range(12):
        assert fine.patch_grid(index).bounds == pytest.approx(
            mixer.patch_grid(index).bounds
        )


@pytest.mark.parametrize("index", [-1, 12])
def test_there_is_no_patch_beyond_the_last(index):
    with pytest.raises(RecordError, match=f"no patch {index}: .* counts 12"):
        make_mixer().patch_grid(index)


def real_content():
    return {
        "projection": {
            "crs": "EPSG:32616",
            "affine": {"doubleMatrix": list(UTM)},
        },
        "patchDimensions": [7, 5],
        "patchesPerRow": 3,
        "totalPatches": 12,
    }


def _without(content, dotted):
    *parents, last = dotted.split(".")
    for key in parents:
        content = content[key]
    del content[last]


@pytest.mark.parametrize(
    "key",
    [
        "projection",
        "projection.crs",
        "projection.affine",
        "projection.affine.doubleMatrix",
        "patchDimensions",
        "patchesPerRow",
        "totalPatches",
    ],
)
def test_a_missing_key_is_named(key, tmp_path):
    content = real_content()
    _without(content, key)
    path = tmp_path / "m.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match=rf"m.json: no key {key}"):
        read_mixer(path)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"totalPatches": 11}, RecordError, "11 do not make whole rows .* 3"),
        ({"totalPatches": 0}, RecordError, "totalPatches of 0"),
        ({"totalPatches": 12.0}, RecordError, "12.0, expected int"),
        ({"patchesPerRow": "3"}, RecordError, "'3', expected int"),
        ({"patchesPerRow": True}, RecordError, "True, expected int"),
        ({"patchDimensions": [7]}, RecordError, r"\[7\]: a width and a"),
        ({"patchDimensions": [7, 0]}, RecordError, "patchDimensions of 0"),
        ({"patchDimensions": [7, 5.5]}, RecordError, "must be finite numbers"),
    ],
)
def test_a_broken_mixer_is_refused_in_one_line(changes, error, words, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**real_content(), **changes}))
    with pytest.raises(error, match=rf"m.json: .*{words}") as caught:
        read_mixer(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        ([10, 1, 0, 0, -10, 0], GridError, "rotated"),
        ([10, 0, 0, 0, -10], GridError, "has 5 numbers"),
        ([0, 0, 0, 0, -10, 0], GridError, "no pixel size"),
        (["a", 0, 0, 0, -10, 0], RecordError, "must be finite numbers"),
        ([float("nan"), 0, 0, 0, -10, 0], RecordError, "must be finite"),
    ],
)
def test_a_broken_transform_is_refused(matrix, error, words, tmp_path):
    content = real_content()
    content["projection"]["affine"]["doubleMatrix"] = matrix
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(error, match=rf"m.json: .*{words}"):
        read_mixer(tmp_path / "m.json")


def test_an_unknown_crs_is_refused(tmp_path):
    content = real_content()
    content["projection"]["crs"] = "EPSG:99"
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(GridError, match=r"m.json: unknown CRS 'EPSG:99'"):
        read_mixer(tmp_path / "m.json")


@pytest.mark.parametrize("folder", ["disk", "ram://nothing"])
def test_an_absent_mixer_tells_when_there_is_none(folder, tmp_path):
    path = f"{tmp_path if folder == 'disk' else folder}/no.json"
    with pytest.raises(RecordError, match="no mixer at .*maskedThreshold"):
        read_mixer(path)


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_what_is_no_mixer_is_refused(text, tmp_path):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(RecordError, match=r"m.json"):
        read_mixer(tmp_path / "m.json")


def test_a_refused_write_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_mixer(tmp_path / "file" / "m.json", make_mixer())
