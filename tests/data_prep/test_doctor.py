"""The program on real data, as it is and with one fault each."""

import json
import sys

import numpy as np
import pytest
import rasterio

from data_prep import doctor


@pytest.fixture(scope="module")
def scene(real_data):
    """Paths of the seven dates."""
    return sorted(real_data("eotdl-boadella").glob("Boadella_*.tif"))


def _write(folder, scene, alter, rename=None):
    """Copies of the dates, each changed by `alter(number, planes)`.

    Of every other pixel, which takes a quarter of the time.
    """
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(scene):
        with rasterio.open(path) as dataset:
            planes, profile = dataset.read()[:, ::2, ::2], dataset.profile
        planes = alter(number, planes)
        profile.update(
            dtype=planes.dtype,
            height=planes.shape[1],
            width=planes.shape[2],
            photometric=None,
        )
        name = path.name if rename is None else rename(number, path.name)
        with rasterio.open(folder / name, "w", **profile) as dataset:
            dataset.write(planes)
    return folder


def _examine(folder, path, **flags):
    """The JSON report of a run."""
    file = folder / "report.json"
    doctor.run(doctor.Config(input=(str(path),), json=str(file), **flags))
    return json.loads(file.read_text())


def _serious(report):
    return {f["code"]: f["severity"] for f in report["findings"]}


def test_it_is_silent_on_a_good_folder(real_data, tmp_path, capsys):
    report = _examine(tmp_path, real_data("eotdl-boadella"))
    assert _serious(report) == {}
    assert report["kind"] == "geotiff_frames"
    assert report["shape"] == [7, 377, 380, 12]
    assert report["frames"] == 7
    assert report["crs"] == "EPSG:4326"
    assert "Nothing wrong was found" in capsys.readouterr().out


def _bands(one, other):
    order = list(range(12))
    order[one], order[other] = order[other], order[one]
    return lambda _, planes: planes[order]


@pytest.mark.parametrize(
    ("alter", "code", "severity"),
    [
        (lambda i, p: p + 1000 * (i == 3), "offset_frame", "error"),
        (lambda i, p: p + 1000 * (i == 2), "offset_frame", "error"),
        (lambda _, p: p + 1000, "offset_suspected", "warning"),
        (lambda i, p: p * (i != 4), "black_frame", "error"),
        (
            lambda i, p: p * np.float32("nan" if i == 4 else 1),
            "nan_frame",
            "error",
        ),
        (_bands(3, 7), "band_order", "error"),
        (_bands(1, 3), "band_order", "warning"),
        (
            lambda _, p: (p / 40).clip(0, 255).astype("uint8"),
            "eight_bit",
            "error",
        ),
        (lambda _, p: (p // 40).clip(0, 255), "eight_bit", "error"),
        (
            lambda i, p: np.roll(p, (5, -4), (1, 2)) if i == 5 else p,
            "shifted_frame",
            "warning",
        ),
    ],
    ids=[
        "one frame +1000",
        "one half in cloud +1000",
        "all +1000",
        "black",
        "all NaN",
        "B4 for B8",
        "B2 for B4",
        "uint8",
        "8 bits as int16",
        "shifted",
    ],
)
def test_it_finds_each_fault_unprompted_and_nothing_else(
    scene, tmp_path, alter, code, severity
):
    folder = _write(tmp_path / "scene", scene, alter)
    assert _serious(_examine(tmp_path, folder)) == {code: severity}


def test_it_finds_a_copy_under_another_date(scene, tmp_path):
    folder = _write(tmp_path / "scene", scene, lambda _, p: p)
    twin = (folder / scene[5].name).read_bytes()
    (folder / "Boadella_2020-10-01.tif").write_bytes(twin)
    report = _examine(tmp_path, folder)
    assert _serious(report) == {"duplicate_frame": "warning"}


def test_it_finds_mixed_levels_where_a_stack_would_be_refused(scene, tmp_path):
    from s2distill.data.frame_stack import open_frames
    from s2distill.errors import ProductLevelError

    def rename(number, name):
        level = "MSIL1C" if number == 4 else "MSIL2A"
        return f"S2A_{level}_{name[9:]}"

    folder = _write(tmp_path / "scene", scene, lambda _, p: p, rename=rename)
    with pytest.raises(ProductLevelError):
        open_frames(str(folder))
    report = _examine(tmp_path, folder)
    assert _serious(report) == {"mixed_levels": "error"}
    assert report["levels"] == ["L1C", "L2A"]


def test_it_speaks_of_an_l1c_file_without_b10_that_passes_for_l2a(
    real_data, tmp_path
):
    """Twelve unnamed bands are taken for L2A; B9 says otherwise."""
    dn = np.load(real_data("eo-learn") / "REFERENCE_SCENES.npy") * 10_000
    for number, frame in enumerate(dn):
        planes = np.delete(np.moveaxis(frame, -1, 0), 10, axis=0)
        with rasterio.open(
            tmp_path / f"2015-08-0{number + 1}.tif",
            "w",
            driver="GTiff",
            height=101,
            width=100,
            count=12,
            dtype="uint16",
            crs="EPSG:32633",
            transform=rasterio.Affine(10, 0, 465180, 0, -10, 5080254),
        ) as dataset:
            dataset.write(np.rint(planes).astype(np.uint16))
    report = _examine(tmp_path, tmp_path)
    assert _serious(report) == {"level_contradicted": "error"}


def test_real_exports_of_earth_engine_are_described(real_data, tmp_path):
    folder = real_data("servir-aces")
    report = _examine(
        tmp_path,
        folder / "image_2021.tfrecord.gz",
        mixer=str(folder / "image_2021.json"),
    )
    assert _serious(report) == {}
    assert report["kind"] == "earth_engine_image"
    assert report["shape"] == [256, 256, 8]
    assert report["transform"][2] == 89.39005136557161
    report = _examine(tmp_path, folder / "training.tfrecord.gz")
    assert report["kind"] == "earth_engine_table"
    assert report["records"] == 8316
    (path,) = real_data("nasaharvest").glob("*.tif")
    report = _examine(tmp_path, path)
    assert _serious(report) == {}
    assert (report["kind"], report["frames"]) == ("geotiff_series", 12)
    assert report["nan_share"] == pytest.approx(109 / (206 * 289))


def test_records_are_examined_and_a_page_is_written(
    example_records, tmp_path, capsys
):
    folder = tmp_path / "set"
    example_records(folder, {"train": 4, "test": 2}, fields=("building",))
    report = _examine(tmp_path, folder, html=str(tmp_path / "page.html"))
    assert report["kind"] == "records"
    assert report["records"] == 6
    assert report["splits"] == {"train": 4, "validation": 0, "test": 2}
    # Random records all lie at one place, and have no statistics.
    assert {"splits_touch", "no_statistics"} <= set(_serious(report))
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith(f"{folder}\n")


def test_hostile_input_is_one_line_each(tmp_path, monkeypatch, capfd):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.tif").write_text("no raster")
    (tmp_path / "cut.tfrecord").write_bytes(bytes(range(40)))
    for name in ("none", "empty", "notes.tif", "cut.tfrecord"):
        path = tmp_path / name
        monkeypatch.setattr(sys, "argv", ["doctor", f"--input={path}"])
        with pytest.raises(SystemExit) as stop:
            doctor.main()
        assert stop.value.code == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert str(path) in err


@pytest.mark.parametrize(
    ("fail_on", "code"), [("never", 0), ("error", 0), ("warning", 1)]
)
def test_the_exit_code_follows_fail_on(
    monkeypatch, scene, tmp_path, fail_on, code
):
    """A shifted copy is a warning."""
    alter = _write(
        tmp_path / "scene",
        scene[4:],
        lambda i, p: np.roll(p, (6, 0), (1, 2)) if i == 1 else p,
    )
    arguments = ["doctor", f"--input={alter}", f"--fail_on={fail_on}"]
    monkeypatch.setattr(sys, "argv", arguments)
    if code:
        with pytest.raises(SystemExit) as stop:
            doctor.main()
        assert stop.value.code == code
    else:
        doctor.main()
