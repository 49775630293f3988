import numpy as np
import pytest

from s2distill.evaluation.counting import count_cells
from s2distill.evaluation.counting import count_mae
from s2distill.evaluation.counting import count_r2
from s2distill.evaluation.counting import sum_counts


def _densities(seed, shape=(12, 20)):
    rng = np.random.default_rng(seed)
    return rng.random(shape), rng.random(shape), np.ones(shape)


def test_cells_are_the_sums_of_squares_row_by_row():
    density, true, weight = _densities(0)
    cells = count_cells(density, true, weight, cell_px=4)
    assert cells.shape == (15, 2)
    assert cells[7, 0] == pytest.approx(true[4:8, 8:12].sum())
    assert cells[7, 1] == pytest.approx(density[4:8, 8:12].sum())


def test_cells_that_do_not_fit_are_left_out():
    density, true, weight = _densities(1)
    cells = count_cells(density, true, weight, cell_px=8)
    assert cells[:, 0] == pytest.approx(
        [true[:8, :8].sum(), true[:8, 8:16].sum()]
    )


def test_a_tile_smaller_than_a_cell_is_one_cell():
    density, true, weight = _densities(2)
    cells = count_cells(density, true, weight, cell_px=100)
    np.testing.assert_allclose(cells, [[true.sum(), density.sum()]])


def test_invalid_pixels_do_not_move_a_count():
    density, true, weight = _densities(3)
    weight[0, :3] = 0
    before = count_cells(density, true, weight, cell_px=4)
    density[0, :3] = np.nan
    true[0, :3] = 99
    after = count_cells(density, true, weight, cell_px=4)
    np.testing.assert_array_equal(after, before)


def test_a_cell_that_is_mostly_unknown_does_not_count():
    density, true, weight = _densities(4)
    weight[:4, :2] = 0  # half of the first cell is known: it stays
    weight[:4, 4:7] = 0  # a quarter of the second: it goes
    cells = count_cells(density, true, weight, cell_px=4)
    assert len(cells) == 14
    assert cells[0, 0] == pytest.approx(true[:4, 2:4].sum())
    assert cells[1, 0] == pytest.approx(true[:4, 8:12].sum())


def test_r2_and_mae_equal_their_definitions_over_all_tiles():
    rng = np.random.default_rng(5)
    tiles = [rng.uniform(0, 40, (n, 2)) for n in (3, 1, 6)]
    sums = sum(sum_counts(tile) for tile in tiles)
    true, predicted = np.concatenate(tiles).T
    expected = 1 - np.sum((predicted - true) ** 2) / np.sum(
        (true - true.mean()) ** 2
    )
    assert float(count_r2(sums)) == pytest.approx(expected, abs=1e-9)
    assert float(count_mae(sums)) == pytest.approx(
        np.abs(predicted - true).mean()
    )


def test_r2_is_no_correlation():
    true = np.array([1.0, 2, 3, 4])
    doubled = np.stack([true, 2 * true], axis=-1)
    # SSE = 1 + 4 + 9 + 16, SST = 5.
    assert float(count_r2(sum_counts(doubled))) == pytest.approx(1 - 30 / 5)


def test_guessing_the_mean_scores_zero():
    true = np.array([1.0, 5, 9])
    guess = np.stack([true, np.full(3, 5.0)], axis=-1)
    assert float(count_r2(sum_counts(guess))) == pytest.approx(0)


def test_r2_is_undefined_where_all_counts_are_the_same():
    same = np.array([[0.3, 0.1], [0.3, 0.5], [0.3, 0.3]])
    assert np.isnan(count_r2(sum_counts(same)))
    assert np.isnan(count_r2(sum_counts(np.zeros((0, 2)))))
    assert np.isnan(count_mae(sum_counts(np.zeros((0, 2)))))
