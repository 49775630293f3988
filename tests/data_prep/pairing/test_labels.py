import numpy as np
import pytest
import shapely

from data_prep.pairing.image import Image
from data_prep.pairing.labels import LabelFiles
from data_prep.pairing.labels import Labels
from data_prep.pairing.labels import Layer
from data_prep.pairing.labels import check_labels_overlap
from data_prep.pairing.labels import read_labels
from s2distill.errors import ConfigError
from s2distill.errors import GridError
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32633", (0.5, 0, 0.0, 0, -0.5, 40.0), 80, 60)


def test_nothing_is_drawn_where_nobody_labelled():
    building = shapely.box(5, 10, 25, 30)
    area = shapely.box(0, 0, 10, 40)
    labels = Labels(
        buildings=Layer(np.array([building]), np.array([7.0])),
        area=Layer(np.array([area])),
    )
    drawn = labels.draw(GRID, np.ones((80, 60), np.uint8))
    assert set(drawn) == {"valid", "building", "centroid_density", "height_m"}
    np.testing.assert_array_equal(drawn["valid"][:, :20], 1)
    np.testing.assert_array_equal(drawn["valid"][:, 20:], 0)
    assert drawn["building"].sum() == 10 * 40
    assert np.isnan(drawn["height_m"][:, 20:]).all()
    assert (drawn["height_m"][drawn["building"] > 0] == 7).all()
    assert drawn["centroid_density"].sum() < 0.01  # its centre lies outside


def test_an_area_labels_no_ground_that_the_image_does_not_show():
    grid = Grid("EPSG:32633", (0.5, 0, 0, 0, -0.5, 10), 20, 20)
    everywhere = Layer(np.array([shapely.box(-5, -5, 20, 20)]))
    seen = np.zeros((20, 20), np.uint8)
    seen[:, :12] = 1
    drawn = Labels(buildings=everywhere, area=everywhere).draw(grid, seen)
    np.testing.assert_array_equal(drawn["valid"], seen)
    np.testing.assert_array_equal(drawn["building"], seen)


def test_without_an_area_labels_hold_where_the_image_shows_ground():
    labels = Labels(roads=Layer(np.array([shapely.box(0, 18, 30, 22)])))
    shown = np.ones((80, 60), np.uint8)
    shown[:, 40:] = 0
    drawn = labels.draw(GRID, shown)
    np.testing.assert_array_equal(drawn["valid"], shown)
    assert drawn["road"].sum() == 8 * 40
    assert labels.fields == ("road",)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (LabelFiles(height_field="h"), "--height_field=h without --buildings"),
        (LabelFiles(road_width_m=4.0), "without --roads"),
        (LabelFiles(area="a.gpkg"), "--labels_area=a.gpkg without"),
    ],
)
def test_a_setting_without_its_file_is_refused(files, words):
    with pytest.raises(ConfigError, match=words):
        read_labels(files, "EPSG:32633")


@pytest.mark.parametrize("name", ["buildings", "roads"])
def test_labels_beside_the_image_are_no_empty_ground(name):
    place = Grid("EPSG:32633", (0.5, 0, 5e5, 0, -0.5, 5e6), 80, 60)
    image = Image(path="city.tif", grid=place)
    left, bottom, right, top = place.bounds
    # Its bounds meet those of the image, its ground does not.
    around = shapely.box(left - 50, bottom - 50, right + 50, top + 50)
    ring = around.difference(
        shapely.box(left - 9, bottom - 9, right + 9, top + 9)
    )
    beside = Layer(np.array([ring]))
    with pytest.raises(
        GridError, match=f"none of the 1 {name} .*city.tif.*--labels_area"
    ):
        check_labels_overlap(Labels(**{name: beside}), image, place)
    # Somebody looked, and found nothing.
    area = Layer(np.array([around]))
    check_labels_overlap(Labels(**{name: beside}, area=area), image, place)
    corner = Layer(
        np.array([ring, shapely.box(left - 5, top - 1, left + 1, top)])
    )
    check_labels_overlap(Labels(**{name: corner}), image, place)
