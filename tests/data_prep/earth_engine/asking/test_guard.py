"""The place guard against Krueger's series, and against every mix-up."""

import numpy as np
import pytest

from data_prep.earth_engine.asking.guard import MODULUS
from data_prep.earth_engine.asking.guard import check_place
from data_prep.earth_engine.asking.guard import expect_guard
from s2distill.errors import AnswerError
from s2distill.geo.grid import Grid
from tests.earth_engine_server import world

PLACES = {
    "Georgia": ("EPSG:32616", 737_280.0, 3_736_640.0),
    "on the central meridian": ("EPSG:32633", 499_840.0, 5_200_000.0),
    "Chile, west and south": ("EPSG:32719", 345_600.0, 6_299_200.0),
    "Kenya, over the equator": ("EPSG:32637", 256_000.0, 160.0),
    "Fiji, last zone": ("EPSG:32760", 800_000.0, 8_000_000.0),
    "Alaska, first zone": ("EPSG:32601", 300_160.0, 7_200_000.0),
    "Svalbard, far north": ("EPSG:32633", 520_000.0, 8_700_160.0),
}


def _make_grid(crs, left, top, height=32, width=32, pixel_m=10.0):
    return Grid(crs, (pixel_m, 0.0, left, 0.0, -pixel_m, top), height, width)


def _answer(grid):
    return world.make_answer(
        grid.crs,
        grid.transform,
        grid.height,
        grid.width,
        ("f00_B2", "longitude", "latitude"),
    )


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def grid(request):
    return _make_grid(*request.param)


def _to_lon_lat(crs, x, y):
    """Inverse transverse Mercator, Krueger 1912 to the third order in n."""
    code = int(crs.removeprefix("EPSG:"))
    zone, south = code % 100, code >= 32_700
    f = 1 / 298.257223563
    n = f / (2 - f)
    radius = 6_378_137 / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    xi = (y - 1e7 * south) / (0.9996 * radius)
    eta = (x - 5e5) / (0.9996 * radius)
    betas = (
        n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96,
        n**2 / 48 + n**3 / 15,
        17 * n**3 / 480,
    )
    deltas = (
        2 * n - 2 * n**2 / 3 - 2 * n**3,
        7 * n**2 / 3 - 8 * n**3 / 5,
        56 * n**3 / 15,
    )
    straight_xi, straight_eta = xi, eta
    for j, beta in enumerate(betas, 1):
        straight_xi -= beta * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        straight_eta -= beta * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    chi = np.arcsin(np.sin(straight_xi) / np.cosh(straight_eta))
    lat = chi + sum(
        delta * np.sin(2 * j * chi) for j, delta in enumerate(deltas, 1)
    )
    lon = np.arctan2(np.sinh(straight_eta), np.cos(straight_xi))
    lon_deg = np.degrees(lon) + 6 * zone - 183
    return (lon_deg + 180) % 360 - 180, np.degrees(lat)


def test_expected_numbers_are_those_of_kruegers_series(grid):
    rows, cols = np.array([0, 3, 31]), np.array([0, 30])
    found = expect_guard(grid, rows, cols)
    _, _, left, _, _, top = grid.transform
    for row, col in np.ndindex(3, 2):
        lon_lat = _to_lon_lat(
            grid.crs, left + 10 * cols[col] + 5, top - 10 * rows[row] - 5
        )
        for plane, degrees in zip(found, lon_lat, strict=True):
            assert 0 <= plane[row, col] < MODULUS
            off = plane[row, col] - degrees * 1e5
            # A whole number of turns, and what rounding leaves.
            assert abs(off - MODULUS * round(off / MODULUS)) < 0.501


def test_an_answer_of_its_own_place_passes(grid):
    check_place(_answer(grid), grid)
    fine = grid.cropped(3, 4, 6, 8).refined(20)
    check_place(_answer(fine), fine)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 7), (2, 3), (9, 9), (280, 5)]
)
def test_answers_of_any_size_are_compared(height, width):
    grid = _make_grid(*PLACES["Georgia"], height, width)
    check_place(_answer(grid), grid)
    for row_col in ((1, 0), (0, -1)):
        with pytest.raises(AnswerError, match="shows another place"):
            check_place(_answer(grid.cropped(*row_col, height, width)), grid)


@pytest.mark.parametrize(
    "row_col",
    [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (32, 0), (0, -32)],
)
def test_one_pixel_to_any_side_is_another_place(grid, row_col):
    answer = _answer(grid.cropped(*row_col, 32, 32))
    with pytest.raises(AnswerError, match="shows another place"):
        check_place(answer, grid)


@pytest.mark.parametrize(
    "change",
    {
        "upside down": lambda a: a[::-1],
        "mirrored": lambda a: a[:, ::-1],
        "half a turn": lambda a: a[::-1, ::-1],
        "transposed": lambda a: a.T,
        "a quarter turn": lambda a: np.rot90(a),
        "rolled by a row": lambda a: np.roll(a, 1, axis=0),
        "rolled by a column": lambda a: np.roll(a, 1, axis=1),
        "one pixel": lambda a: np.broadcast_to(a[16, 16], a.shape),
        "nothing": lambda a: np.zeros_like(a),
        "doubled": lambda a: a[np.arange(32)[:, None] // 2, np.arange(32) // 2],
    }.items(),
    ids=lambda change: change[0],
)
def test_an_answer_that_is_turned_or_changed_is_refused(grid, change):
    with pytest.raises(AnswerError, match="shows another place"):
        check_place(change[1](_answer(grid)), grid)


def test_longitude_and_latitude_may_not_change_places(grid):
    answer = _answer(grid)
    swapped = answer.copy()
    swapped["longitude"] = answer["latitude"]
    swapped["latitude"] = answer["longitude"]
    with pytest.raises(AnswerError, match="its longitude is"):
        check_place(swapped, grid)


@pytest.mark.parametrize("pixel_m", [5.0, 9.0, 10.4, 20.0])
def test_another_scale_is_refused(grid, pixel_m):
    _, _, left, _, _, top = grid.transform
    other = _make_grid(grid.crs, left, top, pixel_m=pixel_m)
    with pytest.raises(AnswerError, match="shows another place"):
        check_place(_answer(other), grid)


def test_the_same_numbers_in_another_zone_are_another_place(grid):
    _, _, left, _, _, top = grid.transform
    for crs in ("EPSG:32617", "EPSG:32734"):
        other = _make_grid(crs, left, top)
        with pytest.raises(AnswerError, match=f"the answer for {grid.crs} "):
            check_place(_answer(other), grid)


@pytest.mark.parametrize(
    "distance_m", [320, 64_000, 72_640, 72_960, 145_600, 655_360]
)
@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_place_about_a_turn_of_the_numbers_away_is_another(
    grid, distance_m, axis
):
    # 65,536 units of latitude are some 72.9 km, the distance at which the
    # numbers begin again.
    _, _, left, _, _, top = grid.transform
    moved = {"x": (left + distance_m, top), "y": (left, top - distance_m)}
    other = _make_grid(grid.crs, *moved[axis])
    with pytest.raises(AnswerError, match="shows another place"):
        check_place(_answer(other), grid)


def test_one_wrong_corner_is_found():
    grid = _make_grid(*PLACES["Georgia"], 25, 40)
    for row, col in ((0, 0), (0, 39), (24, 0), (24, 39)):
        answer = _answer(grid)
        answer["latitude"][row, col] += 50
        with pytest.raises(
            AnswerError, match=f"at row {row}, column {col} its latitude is"
        ):
            check_place(answer, grid)


def test_the_message_names_both_numbers():
    grid = _make_grid(*PLACES["Georgia"])
    answer = _answer(grid)
    right = int(answer["longitude"][0, 0])
    answer["longitude"] += 7
    with pytest.raises(
        AnswerError,
        match=r"EPSG:32616 \(737280.0, .* at row 0, column 0 its longitude is "
        f"{right + 7}, {right} belongs there",
    ) as caught:
        check_place(answer, grid)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("off", [-2, -1, 1, 2])
def test_what_rounding_may_leave_passes_also_where_the_numbers_begin_again(
    grid, off
):
    answer = _answer(grid)
    for band in ("longitude", "latitude"):
        moved = (answer[band].astype(int) + off) % MODULUS
        answer[band] = moved
    check_place(answer, grid)
    answer["latitude"] = (answer["latitude"].astype(int) + off) % MODULUS
    if abs(off) == 2:
        with pytest.raises(AnswerError, match="its latitude"):
            check_place(answer, grid)


def test_the_numbers_begin_again_inside_of_a_place():
    # Latitude 33.42336 = 51 * 0.65536: the first northern place of its turn.
    found = []
    for top in range(3_699_520, 3_702_720, 320):
        grid = _make_grid("EPSG:32616", 737_280.0, float(top))
        answer = _answer(grid)
        if np.ptp(answer["latitude"].astype(int)) > MODULUS // 2:
            check_place(answer, grid)
            found.append(top)
    assert len(found) == 1


def test_numbers_of_an_export_are_compared_as_they_are(grid):
    answer = _answer(grid)
    floats = answer.astype([(b, "<f4") for b in answer.dtype.names])
    check_place(floats, grid)


@pytest.mark.parametrize(("pixels", "is_seen"), [(2, False), (6, True)])
def test_on_the_fine_grid_three_metres_are_seen_and_one_is_not(
    grid, pixels, is_seen
):
    fine = grid.cropped(3, 4, 6, 8).refined(20)
    answer = _answer(fine.cropped(pixels, 0, fine.height, fine.width))
    if not is_seen:
        check_place(answer, fine)
        return
    with pytest.raises(AnswerError, match="shows another place"):
        check_place(answer, fine)
