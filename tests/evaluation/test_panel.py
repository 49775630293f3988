import dataclasses

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from s2distill.evaluation import drawing
from s2distill.evaluation.panel import Example
from s2distill.evaluation.panel import draw_contact_sheet
from s2distill.evaluation.panel import draw_panel
from s2distill.evaluation.panel import make_frame_pictures
from s2distill.evaluation.panel import paint_map

CENTRE, SCALE = (0.1, 0.2, 0.05, 0.3), (0.02, 0.04, 0.01, 0.1)


def _frames(seed=0):
    """[3, 5, 7, 4] reflectance, its normalised form, and validity."""
    rng = np.random.default_rng(seed)
    reflectance = rng.uniform(0.02, 0.3, (3, 5, 7, 4))
    valid = (rng.random((3, 5, 7)) < 0.7).astype(np.float32)
    valid[1] = 1
    valid[1, 0, 0] = 0
    valid[:, 4, 6] = 0
    s2 = (reflectance - np.array(CENTRE)) / np.array(SCALE)
    return reflectance, np.where(valid[..., None] > 0, s2, 0), valid


def _pictures(s2, valid):
    return make_frame_pictures(
        s2, valid, centre=CENTRE, scale=SCALE, rgb=(2, 0, 3)
    )


def test_pictures_are_the_clearest_frame_and_the_masked_mean_stretched():
    reflectance, s2, valid = _frames()
    frame, mean = _pictures(s2, valid)
    expected = np.full((5, 7, 3), np.nan)
    for row, col in np.ndindex(5, 7):
        seen = reflectance[valid[:, row, col] > 0, row, col]
        if len(seen):
            expected[row, col] = seen[:, [2, 0, 3]].mean(axis=0)
    low, high = np.nanpercentile(expected, [1, 99.5])
    inside = ~np.isnan(expected)
    np.testing.assert_allclose(
        mean[inside],
        np.clip((expected - low) / (high - low), 0, 1)[inside],
        atol=1e-6,
    )
    clear = np.clip((reflectance[1][..., [2, 0, 3]] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(frame[1:4], clear[1:4], atol=1e-6)


def test_pixels_never_seen_are_grey():
    _, s2, valid = _frames()
    frame, mean = _pictures(s2, valid)
    np.testing.assert_allclose(mean[4, 6], to_rgb(drawing.NO_DATA))
    np.testing.assert_allclose(frame[0, 0], to_rgb(drawing.NO_DATA))


def test_values_of_unseen_pixels_do_not_move_the_pictures():
    _, s2, valid = _frames()
    spoiled = np.where(valid[..., None] > 0, s2, np.nan)
    for before, after in zip(
        _pictures(s2, valid), _pictures(spoiled, valid), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_frames_without_a_valid_pixel_are_grey_throughout():
    _, s2, valid = _frames()
    for picture in _pictures(s2, 0 * valid):
        np.testing.assert_allclose(
            picture, np.broadcast_to(to_rgb(drawing.NO_DATA), (5, 7, 3))
        )


def test_map_mixes_colours_by_presence_and_buildings_cover_roads():
    building = np.array([[0.0, 1.0, 0.25]])
    road = np.array([[1.0, 1.0, 0.0]])
    picture = paint_map(building, road, np.array([[1, 1, 1]]))
    house, ground = map(
        np.array, map(to_rgb, (drawing.BUILDING, drawing.GROUND))
    )
    np.testing.assert_allclose(
        picture[0],
        [to_rgb(drawing.ROAD), house, 0.25 * house + 0.75 * ground],
    )


def test_map_is_grey_where_truth_is_unknown():
    picture = paint_map(np.ones((1, 2)), None, np.array([[1, 0]]))
    np.testing.assert_allclose(picture[0, 0], to_rgb(drawing.BUILDING))
    np.testing.assert_allclose(picture[0, 1], to_rgb(drawing.NO_DATA))


@pytest.fixture
def example():
    rng = np.random.default_rng(1)
    building = (rng.random((8, 12)) < 0.4).repeat(10, 0).repeat(10, 1)
    truth = {"building": building.astype(float)}
    return Example(
        title="town-7",
        side_m=60,
        frame_rgb=rng.random((4, 6, 3)),
        mean_rgb=rng.random((4, 6, 3)),
        frames=8,
        image_rgb=rng.random((80, 120, 3)),
        truth=truth,
        known=np.ones((80, 120)),
        answers={"teacher": truth, "student": truth},
    )


def _colour_share(path, colour):
    picture = matplotlib.image.imread(path)[..., :3]
    return np.mean(np.all(np.abs(picture - to_rgb(colour)) < 0.02, axis=-1))


def test_panel_shows_truth_and_two_answers_in_the_same_colour(
    example, tmp_path
):
    draw_panel(tmp_path / "all.png", example)
    alone = dataclasses.replace(example, answers={})
    draw_panel(tmp_path / "truth.png", alone)
    shares = [
        _colour_share(tmp_path / name, drawing.BUILDING)
        for name in ("all.png", "truth.png")
    ]
    # Three maps instead of one, on sheets of equal size but for a row.
    assert 2.5 < shares[0] / shares[1] < 3.5


def test_panel_without_an_image_leaves_that_picture_out(example, tmp_path):
    bare = dataclasses.replace(example, image_rgb=None, answers={})
    draw_panel(tmp_path / "bare.png", bare)
    draw_panel(tmp_path / "full.png", example)
    bare, full = (
        matplotlib.image.imread(tmp_path / name).shape[0]
        for name in ("bare.png", "full.png")
    )
    assert full > 1.5 * bare


def test_contact_sheet_has_a_row_for_each_example(example, tmp_path):
    draw_contact_sheet(tmp_path / "one.png", [example])
    draw_contact_sheet(tmp_path / "three.png", [example] * 3)
    one, three = (
        matplotlib.image.imread(tmp_path / name).shape[0]
        for name in ("one.png", "three.png")
    )
    assert three > 2 * one
