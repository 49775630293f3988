"""Cells: each place in the one that holds it, at the patch that shows it."""

import numpy as np
import pytest

from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place import place_at
from s2distill.errors import ConfigError

STACK = Layer("s2", 1, {"a": "uint8"})
FINE = Layer("fine", 20, {"a": "uint8"})


def _random_places(count, tile_px, rng):
    squares = {
        (crs, int(col), int(row)): date
        for crs, col, row, date in zip(
            rng.choice(["EPSG:32616", "EPSG:32716"], count),
            rng.integers(1_000, 1_020, count),
            rng.integers(30_000, 30_030, count),
            rng.choice(["", "2020-01-13"], count),
            strict=True,
        )
    }
    return [
        place_at(crs, col, row, tile_px, date=str(date))
        for (crs, col, row), date in squares.items()
    ]


@pytest.mark.parametrize("cell_tiles", [1, 3, 16])
def test_the_patch_of_a_place_is_its_own_ground(cell_tiles):
    places = _random_places(200, 6, np.random.default_rng(1))
    cells = make_cells(places, cell_tiles)
    seen = []
    for cell in cells:
        assert cell.patches == cell_tiles**2
        for index, place in cell.places:
            for layer in (STACK, FINE):
                patch = cell.expected_mixer(layer).patch_grid(index)
                assert patch == place.grid.refined(layer.factor)
            assert place.date == cell.date
            seen.append(place.key)
        indices = [index for index, _ in cell.places]
        assert indices == sorted(set(indices))
    assert sorted(seen) == sorted(place.key for place in places)


def test_cells_lie_on_a_lattice_of_their_own():
    for cell in make_cells(_random_places(80, 8, np.random.default_rng(2)), 5):
        left, bottom, right, top = cell.grid.bounds
        assert right - left == top - bottom == 400
        assert left % 400 == top % 400 == 0


def test_other_places_do_not_move_a_cell():
    places = _random_places(60, 4, np.random.default_rng(3))
    together = {
        (place.key, place.date): cell.key
        for cell in make_cells(places, 4)
        for _, place in cell.places
    }
    for place in places:
        (alone,) = make_cells([place], 4)
        assert alone.key == together[place.key, place.date]


def test_the_key_says_zone_corner_side_and_date():
    place = place_at("EPSG:32616", 1001, 30_001, 32, date="2020-06-01")
    (cell,) = make_cells([place], 16)
    # 62 x 16 = 992 and 1875 x 16 = 30,000 are the first column and row.
    left, top = 992 * 320, (30_000 + 16) * 320
    assert cell.key == f"utm16n-{left}-{top}-5120m-2020-06-01"
    # 9 columns from the left, and of 16 rows the second from below.
    assert [index for index, _ in cell.places] == [14 * 16 + 9]


def test_places_of_two_dates_are_two_cells():
    dates = ["", "2020-01-13", "2020-01-14"]
    places = [place_at("EPSG:32616", 8, 9, 4, date=date) for date in dates]
    keys = [cell.key for cell in make_cells(places, 2)]
    assert len(set(keys)) == 3
    assert keys[0].endswith("-80m")


def test_a_cell_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="--cell_tiles=0: a cell is at least"):
        make_cells([], 0)
