"""Sums of test tiles in a file: scores, intervals and comparisons need no more.

A model is scored once, by a process of its own. What it leaves is what
`evaluation.scores` makes every score of, so the table can be written again
at any time, and two models compared tile by tile, without a look at a pixel.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from s2distill.atomic_write import atomic_file
from s2distill.evaluation.scores import Tile

_SUMS = "sums/"


def write_tiles(path: str | os.PathLike[str], tiles: Sequence[Tile]) -> None:
    """Writes tiles, all with the same names of sums."""
    arrays = {
        f"{_SUMS}{name}": np.stack([tile.sums[name] for tile in tiles])
        for name in tiles[0].sums
    }
    arrays["keys"] = np.array([tile.key for tile in tiles])
    arrays["cells"] = np.concatenate([tile.cells for tile in tiles])
    arrays["cells_in_tile"] = np.array([len(tile.cells) for tile in tiles])
    with atomic_file(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_tiles(path: str | os.PathLike[str]) -> tuple[Tile, ...]:
    """The tiles that `write_tiles` wrote, in order."""
    with np.load(pathlib.Path(path), allow_pickle=False) as file:
        arrays = dict(file)
    ends = np.cumsum(arrays["cells_in_tile"])[:-1]
    cells = np.split(arrays["cells"], ends)
    sums = {
        name.removeprefix(_SUMS): values
        for name, values in arrays.items()
        if name.startswith(_SUMS)
    }
    return tuple(
        Tile(
            key=str(key),
            sums={name: values[index] for name, values in sums.items()},
            cells=cells[index],
        )
        for index, key in enumerate(arrays["keys"])
    )
