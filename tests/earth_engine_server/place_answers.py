"""Whole answers for places, and ways to change them, without a server."""

import numpy as np

from data_prep.earth_engine.asking.fetch import layer_grid
from data_prep.earth_engine.layers import make_layers
from tests.earth_engine_server import world


def ask(place, recipe, frames_missing=1):
    """What the server answers for all layers of a place, read-only."""
    answers = {}
    for layer in make_layers(recipe):
        grid = layer_grid(place.grid, layer)
        answers[layer.name] = world.make_answer(
            grid.crs,
            grid.transform,
            grid.height,
            grid.width,
            layer.bands,
            frames_missing,
        )
        answers[layer.name].flags.writeable = False
    return answers


def edit(answers, layer, **bands):
    """The answers with some bands of a layer changed, by functions."""
    changed = {**answers, layer: answers[layer].copy()}
    for band, change in bands.items():
        changed[layer][band] = change(changed[layer][band])
    return changed


def pixel_positions(grid):
    """x and y of all pixel centres, [H, W] each."""
    left, _, _, top = grid.bounds
    size = grid.pixel_size[0]
    rows, cols = np.mgrid[0 : grid.height, 0 : grid.width]
    return left + (cols + 0.5) * size, top - (rows + 0.5) * size
