import numpy as np
import pytest
import rasterio

from data_prep.diagnosis.geotiff_header import read_header
from data_prep.diagnosis.open_frame_files import open_frame_files
from s2distill.errors import RasterError


def _write(folder, name, *, left=5e5, shape=(40, 50), bands=("B2", "B8")):
    rng = np.random.default_rng(len(name) + int(left))
    path = folder / name
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=shape[0],
        width=shape[1],
        count=len(bands),
        dtype="uint16",
        crs="EPSG:32631",
        transform=rasterio.Affine(10, 0, left, 0, -10, 4.6e6),
    ) as dataset:
        dataset.descriptions = bands
        dataset.write(rng.integers(1, 9000, (len(bands), *shape), np.uint16))
    return read_header(str(path))


def test_the_folder_of_a_real_place_holds_that_place_and_another(real_data):
    paths = sorted(real_data("eotdl-boadella").glob("*.tif*"))
    headers = [read_header(str(p)) for p in paths]
    subject = open_frame_files("x", headers, (), ())
    assert [len(place.frames) for place in subject.places] == [7, 1]
    assert subject.records == 8
    assert subject.shape == (7, 377, 380, 12)
    assert subject.crs == "EPSG:4326"
    assert subject.frames == 7
    assert subject.pixel_m == pytest.approx(10, rel=0.01)
    with rasterio.open(paths[4]) as dataset:
        np.testing.assert_array_equal(
            subject.places[0].frames[4].band("B4"), dataset.read(4)
        )


def test_frames_come_by_time_whatever_their_names(tmp_path):
    headers = [
        _write(tmp_path, name)
        for name in ("a_2021-05-01.tif", "b_2020-05-01.tif")
    ]
    subject = open_frame_files("x", headers, (), ())
    names = [frame.name for frame in subject.places[0].frames]
    assert names == ["b_2020-05-01.tif", "a_2021-05-01.tif"]


def test_places_are_told_apart_by_overlap(tmp_path):
    headers = [
        _write(tmp_path, f"2020-01-0{i + 1}.tif", left=left)
        for i, left in enumerate((5e5, 5.1e5, 5e5 + 100, 5.1e5, 5e5))
    ]
    subject = open_frame_files("x", headers, (), ())
    assert [len(place.frames) for place in subject.places] == [3, 2]
    assert [place.name for place in subject.places] == ["place 1", "place 2"]


def test_a_large_raster_is_looked_at_in_part_and_says_so(tmp_path):
    header = _write(tmp_path, "2020-01-01.tif", shape=(1100, 30))
    subject = open_frame_files("x", [header], (), ())
    frame = subject.places[0].frames[0]
    assert frame.shape == (768, 30)
    assert "windows of 256 x 30 px" in subject.looked_at
    assert subject.shape == (1, 1100, 30, 2)


def test_of_many_frames_some_are_read_evenly_spread(tmp_path, monkeypatch):
    from data_prep.diagnosis import open_frame_files as module

    monkeypatch.setattr(module, "_MOST_VALUES", 3 * 40 * 50 * 2)
    headers = [_write(tmp_path, f"2020-01-0{i + 1}.tif") for i in range(5)]
    subject = open_frame_files("x", headers, (), ())
    names = [frame.name for frame in subject.places[0].frames]
    assert names == [f"2020-01-0{i}.tif" for i in (1, 3, 5)]
    assert subject.looked_at.startswith("3 of 5 files")
    assert subject.frames == 5


def test_a_file_cut_in_its_pixels_is_named_and_the_others_are_read(tmp_path):
    headers = [_write(tmp_path, f"2020-01-0{i + 1}.tif") for i in range(2)]
    whole = (tmp_path / "2020-01-02.tif").read_bytes()
    (tmp_path / "2020-01-02.tif").write_bytes(whole[: len(whole) // 2])
    subject = open_frame_files("x", headers, (), ())
    (finding,) = subject.findings
    assert (finding.code, finding.severity) == ("unreadable_file", "error")
    assert finding.where == ("2020-01-02.tif",)
    assert len(subject.places[0].frames) == 1


def test_when_no_pixel_can_be_read_that_is_an_error(tmp_path):
    header = _write(tmp_path, "2020-01-02.tif")
    whole = (tmp_path / "2020-01-02.tif").read_bytes()
    (tmp_path / "2020-01-02.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RasterError, match=r"2020-01-02\.tif"):
        open_frame_files("x", [header], (), ())
