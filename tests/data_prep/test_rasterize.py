import numpy as np
import pytest
import shapely

from data_prep import rasterize
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32616", (0.5, 0.0, 100.0, 0.0, -0.5, 900.0), 40, 60)


def _box(row, col, height, width):
    """A polygon over whole pixels of GRID."""
    return shapely.box(
        100 + 0.5 * col,
        900 - 0.5 * (row + height),
        100 + 0.5 * (col + width),
        900 - 0.5 * row,
    )


def test_the_sum_is_the_number_of_centroids_inside():
    rng = np.random.default_rng(0)
    points = rng.uniform([-5, -5], [45, 65], (50, 2))
    inside = (points >= 0).all(1) & (points < [40, 60]).all(1)
    density = rasterize.make_centroid_density(points, 40, 60, sigma_px=2.72)
    assert density.sum() == pytest.approx(inside.sum(), rel=1e-5)
    assert density.dtype == np.float32


def test_a_centroid_far_from_the_edge_is_a_gaussian():
    density = rasterize.make_centroid_density(
        np.array([[30.5, 33.5]]), 61, 67, sigma_px=2.0
    )
    rows, cols = np.mgrid[:61, :67]
    squared = (rows - 30) ** 2 + (cols - 33) ** 2
    want = np.exp(-squared / 8) / (2 * np.pi * 4)
    np.testing.assert_allclose(density, want, atol=1e-5)  # cut at 4 sigma


def test_row_and_column_are_not_swapped():
    density = rasterize.make_centroid_density(
        np.array([[5.5, 50.5]]), 40, 60, sigma_px=1.0
    )
    assert np.unravel_index(density.argmax(), density.shape) == (5, 50)


def test_no_centroid_gives_an_empty_density():
    assert not rasterize.make_centroid_density(
        np.zeros((0, 2)), 4, 5, sigma_px=1.0
    ).any()


def test_a_box_of_whole_pixels_is_drawn_exactly():
    mask = rasterize.rasterize_mask([_box(3, 7, 10, 20)], GRID)
    want = np.zeros((40, 60), np.uint8)
    want[3:13, 7:27] = 1
    np.testing.assert_array_equal(mask, want)


def test_courtyards_stay_open():
    ring = _box(0, 0, 12, 12).difference(_box(4, 4, 4, 4))
    mask = rasterize.rasterize_mask([ring], GRID)
    assert mask.sum() == 144 - 16
    assert not mask[4:8, 4:8].any()


def test_the_taller_of_two_overlapping_buildings_is_seen():
    boxes = [_box(0, 0, 10, 10), _box(0, 5, 10, 10)]
    for values, middle in [((3.0, 9.0), 9.0), ((9.0, 3.0), 9.0)]:
        heights = rasterize.rasterize_values(boxes, values, GRID)
        assert heights[5, 7] == middle
        assert heights[5, 2] == values[0]
        assert heights[5, 12] == values[1]
        assert heights[20, 2] == 0


def test_an_unknown_height_is_drawn_as_unknown():
    heights = rasterize.rasterize_values([_box(0, 0, 4, 4)], [np.nan], GRID)
    assert np.isnan(heights[:4, :4]).all()


def test_nothing_to_draw_gives_zeros():
    assert not rasterize.rasterize_mask([], GRID).any()
    assert not rasterize.rasterize_mask([shapely.Polygon()], GRID).any()


def test_centroids_count_in_pixels_from_the_top_left():
    points = rasterize.find_centroids([_box(3, 7, 10, 20)], GRID)
    np.testing.assert_allclose(points, [[8.0, 17.0]])
