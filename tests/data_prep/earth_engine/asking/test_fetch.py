"""Pieces of an answer against the whole: nothing lost, nothing asked twice."""

import functools
import itertools
import sys

import numpy as np
import pytest

from data_prep.earth_engine.asking import fetch
from data_prep.earth_engine.asking.fetch import LIMIT_BANDS
from data_prep.earth_engine.asking.fetch import LIMIT_BYTES
from data_prep.earth_engine.asking.fetch import TimedOutError
from data_prep.earth_engine.asking.fetch import TooLargeError
from data_prep.earth_engine.asking.fetch import fetch_layer
from data_prep.earth_engine.asking.fetch import layer_grid
from data_prep.earth_engine.asking.fetch import plan_requests
from data_prep.earth_engine.layers import GUARD_BANDS
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import Recipe
from s2distill.data.bands import L2A_FILE_BANDS
from s2distill.errors import AnswerError
from s2distill.geo.grid import Grid
from tests.earth_engine_server import world

GRID = Grid("EPSG:32616", (10.0, 0.0, 737_280.0, 0.0, -10.0, 3_736_640.0), 7, 5)


def _make_stack(frames, bands=("B2", "B8", "B12")):
    (layer,) = make_layers(
        Recipe(bands=tuple(bands), frames_before=frames, frames_after=0)
    )
    return layer


def _answer(grid, bands):
    return world.make_answer(
        grid.crs, grid.transform, grid.height, grid.width, bands
    )


class Service:
    """Answers for any window; refuses what has more bytes than a limit."""

    def __init__(self, limit_bytes=LIMIT_BYTES):
        self.limit_bytes = limit_bytes
        self.answered = []
        self.refused = []

    def __call__(self, grid, bands):
        # An error that is being handled would be the context of the next.
        assert sys.exception() is None
        size = grid.height * grid.width
        size *= sum(np.dtype(world.band_type(b)).itemsize for b in bands)
        if size > self.limit_bytes:
            self.refused.append((grid, bands))
            raise TooLargeError(f"{size} bytes")
        self.answered.append((grid, bands))
        return _answer(grid, bands)


def _check_once(layer, grid, calls):
    """Each band of each pixel came once, always with its guard."""
    counts = {
        band: np.zeros((grid.height, grid.width), int)
        for band in layer.bands
        if band not in GUARD_BANDS
    }
    for window, bands in calls:
        assert bands[-2:] == GUARD_BANDS
        assert len(bands) <= LIMIT_BANDS
        assert len(set(bands)) == len(bands)
        row = round((window.transform[5] - grid.transform[5]) / -10)
        col = round((window.transform[2] - grid.transform[2]) / 10)
        for band in bands[:-2]:
            counts[band][
                row : row + window.height, col : col + window.width
            ] += 1
    assert all((count == 1).all() for count in counts.values())


@pytest.mark.parametrize("limit_bytes", [8, 11, 40, 100, 333, 500, 10**6])
@pytest.mark.parametrize("shape", [(5, 3), (1, 4), (3, 1), (1, 1)])
def test_pieces_make_the_whole_whatever_the_service_refuses(limit_bytes, shape):
    layer = _make_stack(2, ("B2", "B8"))
    grid = GRID.cropped(2, 1, *shape)
    service = Service(limit_bytes)
    found = fetch_layer(layer, grid, service)
    assert found.dtype == layer.dtype
    np.testing.assert_array_equal(found, _answer(grid, layer.bands))
    _check_once(layer, grid, service.answered)
    asked = [*service.answered, *service.refused]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("limit_bytes", [7, 3, 0])
def test_a_pixel_of_one_band_that_is_too_large_is_given_up(limit_bytes):
    # A second has four bytes, and the guard two and two.
    service = Service(limit_bytes)
    with pytest.raises(TooLargeError, match="8 bytes|6 bytes|5 bytes"):
        fetch_layer(_make_stack(2), GRID, service)
    grid, bands = service.refused[-1]
    assert (grid.height, grid.width) == (1, 1)
    assert len(bands) == 3


def test_halves_are_cut_along_the_longer_side():
    guard = dict.fromkeys(GUARD_BANDS, "uint16")
    layer = Layer("fine", 20, {"weak_count": "uint16", **guard})
    wide = Service(limit_bytes=6 * 3 * 4)
    fetch_layer(layer, GRID.cropped(0, 0, 3, 8), wide)
    assert [(g.height, g.width) for g, _ in wide.answered] == [(3, 4)] * 2
    high = Service(limit_bytes=6 * 5 * 3)
    fetch_layer(layer, GRID.cropped(0, 0, 9, 3), high)
    assert [(g.height, g.width) for g, _ in high.answered] == [(4, 3), (5, 3)]


def test_bands_are_cut_before_the_ground():
    layer = _make_stack(4)
    service = Service(_answer(GRID, layer.bands).nbytes - 1)
    fetch_layer(layer, GRID, service)
    assert len(service.refused) == 1
    assert {grid for grid, _ in service.answered} == {GRID}
    assert [len(bands) for _, bands in service.answered] == [18 + 2, 18 + 2]


def test_a_service_that_cannot_compute_so_much_ground_is_not_asked_forever():
    layer = _make_stack(32, L2A_FILE_BANDS[:10])
    grid = GRID.cropped(0, 0, 8, 8)
    refused, answered = [], []

    def ask(window, bands):
        if window.height * window.width > 16:
            refused.append((window, bands))
            raise TooLargeError("User memory limit exceeded.")
        answered.append((window, bands))
        return np.zeros(
            (window.height, window.width), [(b, layer.types[b]) for b in bands]
        )

    fetch_layer(layer, grid, ask)
    # 512 bands in halves down to 32: 1 + 2 + 4 + 8 + 16 are refused, of each
    # of the 16 the halves of the ground too, and their halves are answered.
    assert len(refused) == 31 + 2 * 16
    assert len(answered) == 4 * 16
    _check_once(layer, grid, answered)


@pytest.mark.parametrize("bands", [("B2",), L2A_FILE_BANDS])
def test_what_times_out_in_an_eighth_is_given_up_at_once(bands):
    asked = []

    def ask(window, bands):
        asked.append(window.height * window.width * (len(bands) - 2))
        raise TimedOutError("HTTP 400: Computation timed out.")

    layer = _make_stack(16, bands)
    with pytest.raises(TimedOutError, match="HTTP 400: Computation timed out"):
        fetch_layer(layer, GRID.cropped(0, 0, 16, 16), ask)
    whole = 16 * 16 * (len(layer.bands) - 2)
    assert asked == [whole, whole // 2, whole // 4, whole // 8]


def test_halvings_for_size_do_not_count_where_one_times_out():
    layer = _make_stack(1)
    grid = GRID.cropped(0, 0, 32, 32)
    answered = []

    def ask(window, bands):
        pixels = window.height * window.width
        if pixels > 64:
            raise TooLargeError("User memory limit exceeded.")
        if pixels > 8:  # three more
            raise TimedOutError("Computation timed out.")
        answered.append((window, bands))
        return _answer(window, bands)

    found = fetch_layer(layer, grid, ask)
    np.testing.assert_array_equal(found, _answer(grid, layer.bands))
    _check_once(layer, grid, answered)


def test_any_number_of_frames_is_planned_within_the_limits():
    grid = GRID.cropped(0, 0, 32, 32)
    for frames in range(1, 100):
        layer = _make_stack(frames, L2A_FILE_BANDS)
        planned = plan_requests(layer, grid)
        bands = [band for _, group in planned for band in group]
        assert (*bands, *GUARD_BANDS) == layer.bands
        assert {window for window, _ in planned} == {(0, 0, 32, 32)}
        # 18 bands a frame, 1,022 beside the guard: 56 frames and a bit.
        assert len(planned) == (1 if frames <= 56 else 2)
        assert max(len(group) for _, group in planned) + 2 <= 1_024


@pytest.mark.parametrize(
    ("number", "groups"),
    [(1, 1), (1_022, 1), (1_023, 2), (2_044, 2), (2_045, 3)],
)
def test_the_guard_counts_among_1024_bands(number, groups):
    types = {f"b{n}": "uint8" for n in range(number)}
    layer = Layer("s2", 1, {**types, **dict.fromkeys(GUARD_BANDS, "uint16")})
    planned = plan_requests(layer, GRID)
    assert len(planned) == groups
    sizes = sorted(len(bands) for _, bands in planned)
    assert sum(sizes) == number
    assert sizes[-1] - sizes[0] <= 1


def _tiles(windows, height, width):
    count = np.zeros((height, width), int)
    for row, col, rows, cols in windows:
        assert rows > 0
        assert cols > 0
        count[row : row + rows, col : col + cols] += 1
    return (count == 1).all() and count.shape == (height, width)


def test_plans_cover_any_place_once_and_keep_any_limit():
    rng = np.random.default_rng(4)
    kinds = np.array(["uint8", "uint16", "int32"])
    for _ in range(80):
        height, width = (int(n) for n in rng.integers(1, 50, 2))
        types = {
            f"b{n}": str(kinds[rng.integers(3)])
            for n in range(rng.integers(1, 300))
        }
        guard = dict.fromkeys(GUARD_BANDS, "uint16")
        layer = Layer("s2", 1, {**types, **guard})
        grid = GRID.cropped(0, 0, height, width)
        # At least one pixel of 64 bands of 4 bytes can be had.
        limit = int(rng.integers(300, 100_000))
        planned = plan_requests(layer, grid, limit_bytes=limit)
        assert len(set(planned)) == len(planned)
        windows = {window for window, _ in planned}
        groups = {bands for _, bands in planned}
        assert set(planned) == set(itertools.product(windows, groups))
        assert sorted(b for bands in groups for b in bands) == sorted(types)
        assert _tiles(windows, height, width)
        for (_, _, rows, cols), bands in planned:
            size = 4 + sum(np.dtype(types[band]).itemsize for band in bands)
            assert rows * cols * size <= limit


def test_a_plan_ends_where_no_answer_is_small_enough():
    layer = _make_stack(2)
    planned = plan_requests(layer, GRID, limit_bytes=1)
    assert {window[2:] for window, _ in planned} == {(1, 1)}
    assert len({window for window, _ in planned}) == 35


def test_a_place_that_fits_is_one_request_and_one_pixel_more_is_not():
    layer = _make_stack(32, L2A_FILE_BANDS[1:11])
    # 10 bands of 2 bytes and 12 bytes of facts in 32 frames, 4 of the guard.
    side = 221
    assert 221**2 * 1_028 <= LIMIT_BYTES < 222**2 * 1_028
    assert len(plan_requests(layer, GRID.cropped(0, 0, side, side))) == 1
    larger = plan_requests(layer, GRID.cropped(0, 0, side + 1, side + 1))
    assert len(larger) == 2
    assert {window for window, _ in larger} == {(0, 0, 222, 222)}


def test_planned_pieces_are_cut_further_where_the_service_wants_it(monkeypatch):
    layer = _make_stack(20)
    grid = GRID.cropped(0, 0, 11, 13)
    monkeypatch.setattr(
        fetch,
        "plan_requests",
        functools.partial(plan_requests, limit_bytes=9_000),
    )
    planned = fetch.plan_requests(layer, grid)
    assert len({window for window, _ in planned}) > 1
    assert len({bands for _, bands in planned}) > 1
    service = Service(2_000)
    found = fetch_layer(layer, grid, service)
    np.testing.assert_array_equal(found, _answer(grid, layer.bands))
    _check_once(layer, grid, service.answered)
    assert service.refused


def test_the_grid_of_the_fine_layer_is_20_times_finer():
    fine = make_layers(Recipe(weak_labels="w"))[1]
    grid = layer_grid(GRID, fine)
    assert (grid.height, grid.width) == (140, 100)
    assert grid.pixel_size == (0.5, 0.5)
    assert grid.bounds == GRID.bounds
    found = fetch_layer(fine, grid, Service())
    np.testing.assert_array_equal(found, _answer(grid, fine.bands))


def test_an_answer_in_one_piece_is_not_copied():
    layer = _make_stack(3)
    answers = []

    def ask(grid, bands):
        answers.append(_answer(grid, bands))
        return answers[-1]

    assert fetch_layer(layer, GRID, ask) is answers[0]


def test_types_and_order_of_an_answer_may_differ_while_its_numbers_fit():
    layer = _make_stack(2)

    def ask(grid, bands):
        answer = _answer(grid, bands)
        shuffled = np.zeros(
            answer.shape,
            [(b, ("<f8", "<i4", ">u4")[n % 3]) for n, b in enumerate(bands)][
                ::-1
            ],
        )
        for band in bands:
            shuffled[band] = answer[band]
        return shuffled

    found = fetch_layer(layer, GRID, ask)
    assert found.dtype == layer.dtype
    np.testing.assert_array_equal(found, _answer(GRID, layer.bands))


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("<i4", -1, "int32 with values from -1 to"),
        ("<i4", 65_536, "to 65536, which uint16"),
        ("<f4", 0.5, "float32 with values from 0.5 to"),
        ("<f8", np.nan, "float64 with values from nan to nan"),
        ("<f8", np.inf, "to inf, which uint16"),
    ],
)
def test_a_number_that_its_type_does_not_hold_is_refused(kind, value, shown):
    layer = _make_stack(1)

    def ask(grid, bands):
        answer = _answer(grid, bands)
        types = [(b, kind if b == "f00_B8" else answer.dtype[b]) for b in bands]
        other = np.zeros(answer.shape, types)
        for band in bands:
            other[band] = answer[band]
        other["f00_B8"][4, 3] = value
        return other

    with pytest.raises(
        AnswerError, match="band f00_B8 came as .*which uint16 d"
    ) as caught:
        fetch_layer(layer, GRID, ask)
    assert shown in str(caught.value)


def test_other_errors_pass_through():
    def ask(grid, bands):
        raise AnswerError("of another place")

    with pytest.raises(AnswerError, match="of another place"):
        fetch_layer(_make_stack(1), GRID, ask)
