"""Real places in memory, whole or with one fault, and what is found in them."""

import dataclasses
import datetime
import json

import numpy as np
import pytest

from data_prep.diagnosis.diagnose import diagnose
from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject
from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.bands import S2_BANDS
from s2distill.geo.grid import Grid

L2A_BANDS = tuple(band for band in S2_BANDS if band != "B10")
L1C_BANDS = tuple(S2_BANDS)
# Every third pixel of the 377 x 380: lake, shore, forest, rock and houses.
PART = np.s_[::3, ::3]


def _make_subject(frames, **fields):
    """A subject of one place."""
    height, width = frames[0].shape
    grid = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 4.69e6), height, width)
    values = {
        "kind": "geotiff_frames",
        "source": "test",
        "records": len(frames),
        "shape": (len(frames), height, width, len(frames[0].bands)),
        "bands": frames[0].bands,
        "places": (Place(name="", frames=tuple(frames), grid=grid),),
        "looked_at": "all",
        "crs": grid.crs,
        "transform": grid.transform,
        "frames": len(frames),
        "pixel_m": 10.0,
    }
    return Subject(**{**values, **fields})


def _make_frame(values, bands, name="a.tif", **fields):
    """A frame that is seen everywhere."""
    inside = fields.pop("inside", np.ones(values.shape[:2], bool))
    return Frame(
        name=name, bands=tuple(bands), values=values, inside=inside, **fields
    )


def _change(subject, alter):
    """The subject with each frame's values changed by `alter(i, values)`."""
    places = []
    for place in subject.places:
        frames = [
            dataclasses.replace(frame, values=alter(i, frame.values))
            for i, frame in enumerate(place.frames)
        ]
        places.append(dataclasses.replace(place, frames=tuple(frames)))
    return dataclasses.replace(subject, places=tuple(places))


def _keep_bands(subject, bands):
    """The subject with some of its bands."""
    places = []
    for place in subject.places:
        frames = []
        for frame in place.frames:
            columns = [frame.bands.index(band) for band in bands]
            frames.append(
                dataclasses.replace(
                    frame,
                    bands=tuple(bands),
                    values=np.ascontiguousarray(frame.values[..., columns]),
                )
            )
        places.append(dataclasses.replace(place, frames=tuple(frames)))
    return dataclasses.replace(
        subject, places=tuple(places), bands=tuple(bands)
    )


def _swap_values(subject, *pairs):
    """The subject with the values of bands exchanged under their names."""
    order = list(range(len(subject.bands)))
    for one, other in pairs:
        i, j = subject.bands.index(one), subject.bands.index(other)
        order[i], order[j] = order[j], order[i]
    return _change(subject, lambda _, values: values[..., order])


def _codes(subject, model=""):
    """Code -> severity of all findings that are more than a note."""
    return {
        f.code: f.severity
        for f in diagnose(subject, model).findings
        if f.severity != "note"
    }


def _time_s(text):
    moment = datetime.datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=datetime.UTC).timestamp())


@pytest.fixture(scope="session")
def make_subject():
    return _make_subject


@pytest.fixture(scope="session")
def make_frame():
    return _make_frame


@pytest.fixture(scope="session")
def change():
    return _change


@pytest.fixture(scope="session")
def keep_bands():
    return _keep_bands


@pytest.fixture(scope="session")
def swap_values():
    return _swap_values


@pytest.fixture(scope="session")
def codes():
    return _codes


@pytest.fixture(scope="session")
def l2a(real_data):
    """Seven dates of a real L2A place; number 1 is all cloud, 2 half."""
    import rasterio

    frames = []
    for path in sorted(real_data("eotdl-boadella").glob("Boadella_*.tif")):
        with rasterio.open(path) as dataset:
            values = np.moveaxis(dataset.read(), 0, -1)[PART]
        frames.append(
            _make_frame(
                values,
                L2A_BANDS,
                path.name,
                product_level="L2A",
                time_utc_s=_time_s(path.stem[-10:]),
            )
        )
    return _make_subject(frames)


@pytest.fixture(scope="session")
def l1c(real_data):
    """Five dates of a real L1C place, DN; the first two are cloudy."""
    folder = real_data("eo-learn")
    dn = np.load(folder / "REFERENCE_SCENES.npy") * 10_000
    times = json.loads((folder / "timestamps.json").read_text())[:5]
    return _make_subject(
        [
            _make_frame(
                np.rint(values).astype(np.uint16),
                L1C_BANDS,
                f"L1C_{i}.tif",
                product_level="L1C",
                time_utc_s=_time_s(time),
            )
            for i, (values, time) in enumerate(zip(dn, times, strict=True))
        ]
    )


@pytest.fixture(scope="session")
def ten_bands(l2a):
    """The real L2A place in the default bands."""
    return _keep_bands(l2a, DEFAULT_BANDS)


@pytest.fixture(scope="session")
def clear_ten(ten_bands):
    """Its four clear dates."""
    return _make_subject(ten_bands.places[0].frames[3:])


@pytest.fixture(scope="session")
def measured_l2a(l2a):
    return measure_subject(l2a)


@pytest.fixture(scope="session")
def l2a_diagnosis(l2a):
    return diagnose(l2a)


@pytest.fixture(scope="session")
def black_diagnosis(l2a):
    """The L2A place with date number 3 all black."""
    return diagnose(_change(l2a, lambda i, v: v * (i != 3)))


@pytest.fixture(scope="session")
def l2a_statistics(clear_ten):
    """Statistics of the pixels of the clear dates, as training makes them."""
    from s2distill.data.normalize import BandStatistics

    pixels = np.concatenate(
        [f.values.reshape(-1, 10) for f in clear_ten.places[0].frames]
    )
    low, middle, high = np.percentile(pixels / 10_000, (16, 50, 84), axis=0)
    return BandStatistics(
        bands=clear_ten.bands,
        centre=tuple(middle.tolist()),
        scale=tuple(((high - low) / 2).tolist()),
    )


@pytest.fixture(scope="session")
def make_model(l2a_statistics, tmp_path_factory):
    """Writes the card of a model that fits the L2A place, with changes."""
    from s2distill.serving.card import ModelCard
    from s2distill.serving.card import write_card

    def make(**changes):
        values = {
            "kind": "student",
            "bands": l2a_statistics.bands,
            "product_level": "L2A",
            "quantification_dn": 10_000.0,
            "offset_dn": 0.0,
            "statistics": l2a_statistics,
            "label_factor": 20,
            "frames": 4,
        }
        folder = tmp_path_factory.mktemp("model")
        write_card(folder, ModelCard(**{**values, **changes}))
        return str(folder)

    return make


@pytest.fixture(scope="session")
def real_records(ten_bands, tmp_path_factory):
    """Writes record folders cut from the real place; returns the folder.

    Tiles of 32 px on a grid with a gap, split by column; `alter(key, image,
    valid)` may change a record.
    """
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    def write(alter=None, *, splits=("train", "validation", "test"), **spec):
        folder = tmp_path_factory.mktemp("records") / "set"
        fields = {"bands": DEFAULT_BANDS, "tile_px": 32, "label_factor": 2}
        spec = RecordSpec(**{**fields, **spec})
        frames = ten_bands.places[0].frames
        stack = np.stack([f.values for f in frames]).astype(np.uint16)
        with RecordWriter(
            folder,
            spec,
            provenance={},
            split_rule={"gap_m": 40.0},
            records_per_shard=3,
        ) as writer:
            for col, split in enumerate(splits):
                for row in range(3):
                    top, left = 40 * row, 40 * col
                    image = stack[:, top : top + 32, left : left + 32]
                    valid = np.ones(image.shape[:3], np.uint8)
                    key = f"{split}-{row}"
                    if alter is not None:
                        image, valid = alter(key, image.copy(), valid)
                    example = _example(spec, key, image, valid, (top, left))
                    writer.write(split, example)
        return folder

    return write


def _example(spec, key, image, valid, corner):
    top, left = corner
    example = {
        "key": key,
        "s2": {
            "image": image,
            "valid": valid,
            "time_utc_s": 1_578_900_000 + 432_000 * np.arange(len(image)),
        },
        "meta": {
            "crs": "EPSG:32631",
            "transform": np.array(
                [10.0, 0, 5e5 + 10 * left, 0, -10.0, 4.69e6 - 10 * top]
            ),
            "product_level": spec.product_level,
            "quantification_dn": spec.quantification_dn,
            "offset_dn": spec.offset_dn,
            "provenance": "{}",
        },
    }
    side = spec.label_px
    if "image" in spec.fields:
        rgb = np.arange(side * side * 3, dtype=np.int64).reshape(side, side, 3)
        example["image"] = {
            "rgb": (rgb % 251 + 1).astype(np.uint8),
            "valid": np.ones((side, side), np.uint8),
        }
    if "building" in spec.fields:
        building = np.zeros((side, side), np.uint8)
        building[:8, :16] = 1  # 128 of 4096 px
        density = np.zeros((side, side), np.float16)
        density[4, 4] = 3.0
        example["label"] = {
            "valid": np.ones((side, side), np.uint8),
            "building": building,
            "centroid_density": density,
        }
    example["s2"]["time_utc_s"] = example["s2"]["time_utc_s"].astype(np.int64)
    return example
