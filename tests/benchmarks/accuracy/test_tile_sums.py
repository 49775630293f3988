import numpy as np

from benchmarks.accuracy.tile_sums import read_tiles
from benchmarks.accuracy.tile_sums import write_tiles
from s2distill.evaluation.scores import Tile


def test_tiles_are_read_back_with_any_number_of_cells(tmp_path):
    rng = np.random.default_rng(5)
    tiles = [
        Tile(
            key=f"town {number}",
            sums={
                "building": rng.random(4),
                "height": rng.random((4, 3)),
                "building_histogram": rng.random((3, 8)).astype(np.float32),
            },
            cells=rng.random((cells, 2)),
        )
        for number, cells in enumerate((4, 0, 1))
    ]
    write_tiles(tmp_path / "tiles.npz", tiles)
    found = read_tiles(tmp_path / "tiles.npz")
    assert [tile.key for tile in found] == ["town 0", "town 1", "town 2"]
    for tile, other in zip(found, tiles, strict=True):
        assert set(tile.sums) == set(other.sums)
        for name, values in other.sums.items():
            assert tile.sums[name].dtype == values.dtype
            np.testing.assert_array_equal(tile.sums[name], values)
        np.testing.assert_array_equal(tile.cells, other.cells)
