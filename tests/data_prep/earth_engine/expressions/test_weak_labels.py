import numpy as np
import pytest

from data_prep.earth_engine.recipe import OPEN_BUILDINGS_TEMPORAL
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server.small_earth.scenes import DATE_MS
from tests.earth_engine_server.small_earth.scenes import DAY_MS
from tests.earth_engine_server.small_earth.scenes import FINE_GRID
from tests.earth_engine_server.small_earth.scenes import compute_layer
from tests.earth_engine_server.small_earth.scenes import place_picture
from tests.earth_engine_server.small_earth.scenes import stripe
from tests.earth_engine_server.small_earth.world import World
from tests.earth_engine_server.small_earth.world import make_picture

RECIPE = Recipe(weak_labels=OPEN_BUILDINGS_TEMPORAL)
SHAPE = (FINE_GRID.height, FINE_GRID.width)
WEAK = ("weak_valid", "weak_presence", "weak_count", "weak_height")


class Years:
    """Images of the collection, each meant for a day."""

    def __init__(self):
        self.rng = np.random.default_rng(6)
        self.images = []

    def add(self, days, inside=None):
        bands = {
            "building_fractional_count": self.rng.uniform(0, 0.0216, SHAPE),
            "building_height": self.rng.uniform(0, 100, SHAPE),
            "building_presence": self.rng.random(SHAPE),
        }
        image = make_picture(
            bands,
            inside=inside,
            system__index=f"{len(self.images)}",
            inference_time_epoch_s=(DATE_MS + days * DAY_MS) / 1000,
        )
        self.images.append(place_picture(image, FINE_GRID))
        return image

    def compute(self, seed=0):
        assets = {OPEN_BUILDINGS_TEMPORAL: self.images}
        return compute_layer(RECIPE, "fine", World(FINE_GRID, assets, seed))


def expect(image):
    """What the bands of one image become, by name."""

    def scaled(band, factor):
        return np.floor(image.values[band] * factor + 0.5)

    return {
        "weak_valid": np.ones(SHAPE),
        "weak_presence": scaled("building_presence", 255),
        "weak_count": scaled("building_fractional_count", 1e6),
        "weak_height": scaled("building_height", 100),
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_year_nearest_to_the_place_is_taken(seed):
    years = Years()
    for days in (-550, -185, 181, 546):
        image = years.add(days)
        if days == 181:
            nearest = image
    answer = years.compute(seed)
    for band, expected in expect(nearest).items():
        np.testing.assert_array_equal(answer[band], expected)
    assert answer["weak_count"].max() > 255


@pytest.mark.parametrize("seed", range(3))
def test_tiles_of_one_year_are_joined_and_other_years_not_let_in(seed):
    years = Years()
    left = years.add(100, stripe(FINE_GRID, 12))
    right = years.add(100, ~stripe(FINE_GRID, 9) & stripe(FINE_GRID, 20))
    years.add(-300)
    answer = years.compute(seed)
    first, second = expect(left), expect(right)
    for band in WEAK:
        wanted = np.where(stripe(FINE_GRID, 9), first[band], second[band])
        wanted[:, 20:] = 0
        np.testing.assert_array_equal(answer[band], wanted)


def test_a_pixel_is_known_where_all_three_bands_are():
    years = Years()
    image = years.add(0)
    masks = {
        band: (years.rng.random(SHAPE) > 0.3).astype(float)
        for band in image.bands
    }
    image.masks.update(masks)
    known = np.all(list(masks.values()), 0)
    answer = years.compute()
    for band, expected in expect(image).items():
        np.testing.assert_array_equal(answer[band], expected * known)
    assert 0 < known.mean() < 1


def test_outside_of_the_collection_nothing_is_known():
    answer = Years().compute()
    assert not any(answer[band].any() for band in WEAK)


def test_an_image_elsewhere_is_not_looked_at():
    years = Years()
    image = years.add(0)
    years.images = [
        place_picture(
            image, FINE_GRID, bounds=(400_000, 3_600_000, 410_000, 3_610_000)
        )
    ]
    assert not years.compute()["weak_valid"].any()
