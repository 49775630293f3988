import dataclasses

import numpy as np
import pytest

from s2distill.data import schema
from s2distill.errors import BandError
from s2distill.errors import ProductLevelError
from s2distill.errors import RecordError

SPEC = schema.RecordSpec(bands=("B2", "B8"), tile_px=3, label_factor=5)


def flat_names(features):
    return {
        f"{group}/{name}" if name else group
        for group, inner in features.items()
        for name in (inner.keys() if hasattr(inner, "keys") else [None])
    }


def test_a_specification_survives_json():
    spec = dataclasses.replace(SPEC, fields=("image", "road"), offset_dn=-1000)
    assert schema.RecordSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"fields": ("image", "teacher")}, ("building", "road", "height")),
        ({"fields": ("image",)}, ()),
        (
            {"fields": ("teacher",), "teacher_answers": ("building", "height")},
            ("building", "height"),
        ),
    ],
)
def test_a_teacher_gives_all_answers_unless_they_are_named(given, held):
    spec = dataclasses.replace(SPEC, **given)
    assert spec.teacher_answers == held
    assert schema.RecordSpec.from_json(spec.to_json()) == spec
    assert spec.to_json()["teacher_answers"] == list(held)


def test_the_first_versions_teacher_gave_all_answers():
    spec = dataclasses.replace(SPEC, fields=("teacher",))
    content = spec.to_json()
    del content["teacher_answers"]
    assert schema.RecordSpec.from_json(content) == spec


@pytest.mark.parametrize(
    ("held", "learnt"),
    [
        (("teacher", "height", "road"), ("road",)),
        (("height", "image", "building"), ("building", "height")),
        (("road", "building"), ("building", "road")),
        (("height",), ()),
        ((), ()),
    ],
)
def test_a_height_is_learnt_on_buildings_alone(held, learnt):
    assert schema.learnable(held) == learnt


def test_labels_are_finer_by_the_factor():
    assert SPEC.label_px == 15
    features = schema.make_features(
        dataclasses.replace(SPEC, fields=("image",))
    )
    assert features["image"]["rgb"].shape == (15, 15, 3)
    assert features["s2"]["image"].shape == (None, 3, 3, 2)
    assert features["s2"]["image"].np_dtype == np.uint16


@pytest.mark.parametrize(
    ("fields", "present"),
    [
        ((), set()),
        (("image",), {"image/rgb", "image/valid"}),
        (("view",), {"image/view_angle_deg", "image/view_azimuth_deg"}),
        (
            ("building",),
            {"label/valid", "label/building", "label/centroid_density"},
        ),
        (("road",), {"label/valid", "label/road"}),
        (("road", "height"), {"label/valid", "label/road", "label/height_m"}),
        (
            ("teacher",),
            {
                "teacher/building_probs",
                "teacher/road_probs",
                "teacher/centroid_density",
                "teacher/height_m",
                "teacher/valid",
            },
        ),
    ],
)
def test_what_a_set_does_not_hold_is_absent(fields, present):
    check_features(dataclasses.replace(SPEC, fields=fields), present)


@pytest.mark.parametrize(
    ("answers", "present"),
    [
        (("building",), {"building_probs", "centroid_density"}),
        (("road",), {"road_probs"}),
        (
            ("building", "height"),
            {"building_probs", "centroid_density", "height_m"},
        ),
    ],
)
def test_answers_that_a_teacher_does_not_give_are_absent(answers, present):
    spec = dataclasses.replace(
        SPEC, fields=("teacher",), teacher_answers=answers
    )
    check_features(spec, {f"teacher/{name}" for name in {"valid", *present}})


def test_the_scale_of_a_height_is_there_where_the_teacher_tells_it():
    spec = dataclasses.replace(
        SPEC,
        fields=("teacher",),
        teacher_answers=("road", "height"),
        teacher_scales=True,
    )
    held = ("road_probs", "height_m", "height_scale_m")
    assert spec.teacher_features == held
    check_features(spec, {f"teacher/{name}" for name in ("valid", *held)})
    assert schema.RecordSpec.from_json(spec.to_json()) == spec


def check_features(spec, present):
    features = schema.make_features(spec)
    always = {"key", "s2/image", "s2/valid", "s2/time_utc_s"}
    found = {n for n in flat_names(features) if not n.startswith("meta/")}
    assert found == always | present


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"fields": ("hight",)}, RecordError, r"fields \['hight'\]; there are"),
        ({"tile_px": 0}, RecordError, "tile_px=0, label_factor=5"),
        ({"label_factor": 0}, RecordError, "label_factor=0: both"),
        ({"bands": ("B2", "B99")}, BandError, "band 'B99'"),
        (
            {"fields": ("teacher",), "teacher_answers": ("road", "building")},
            RecordError,
            "answers road,building: give some of building, road, height, in",
        ),
        (
            {"fields": ("teacher",), "teacher_answers": ("car",)},
            RecordError,
            "teacher_answers car: give some of",
        ),
        (
            {"fields": ("image",), "teacher_answers": ("road",)},
            RecordError,
            "teacher_answers road of records without the field teacher; add",
        ),
        (
            {
                "fields": ("teacher",),
                "teacher_answers": ("building",),
                "teacher_scales": True,
            },
            RecordError,
            "teacher_scales of teacher_answers building: a scale is that of",
        ),
        ({"product_level": "L3"}, ProductLevelError, "level 'L3'"),
    ],
)
def test_an_impossible_specification_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(SPEC, **change)
