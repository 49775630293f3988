"""Arrays: their order is found, and what was cut or padded is refused."""

import numpy as np
import pytest

from data_prep.earth_engine.batch.tensor_bands import STACK
from data_prep.earth_engine.batch.tensor_bands import STACK_LENGTH
from data_prep.earth_engine.batch.tensor_bands import scalar_bands
from data_prep.earth_engine.batch.tensor_bands import split_stack
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import AnswerError

LAYER = make_layers(
    Recipe(bands=("B3", "B4"), frames_before=1, frames_after=1)
)[0]
DEPTH = len(LAYER.bands)


def _make_values(rng, height=3, width=5, *, by_pixel):
    planes = rng.integers(0, 60_000, (DEPTH, height, width)).astype(np.float32)
    order = np.moveaxis(planes, 0, -1) if by_pixel else planes
    bands = dict(zip(LAYER.bands, planes, strict=True))
    values = {name: bands[name] for name in scalar_bands(LAYER)}
    values[STACK] = order.ravel().reshape(height, width, DEPTH)
    values[STACK_LENGTH] = np.full((height, width), DEPTH, np.float32)
    return bands, values


@pytest.mark.parametrize("by_pixel", [False, True])
def test_bands_are_found_in_either_order(by_pixel):
    bands, values = _make_values(np.random.default_rng(4), by_pixel=by_pixel)
    found = split_stack(LAYER, values)
    assert list(found) == list(LAYER.bands)
    for name, plane in bands.items():
        np.testing.assert_array_equal(found[name], plane)


def test_the_bands_beside_are_validity_and_guard():
    assert scalar_bands(LAYER) == (
        "f00_valid", "f01_valid", "longitude", "latitude",
    )  # fmt: skip


@pytest.mark.parametrize("by_pixel", [False, True])
def test_what_lies_in_the_margin_does_not_count(by_pixel):
    bands, values = _make_values(
        np.random.default_rng(7), 6, 9, by_pixel=by_pixel
    )
    values[STACK_LENGTH][:, 1] = 0
    values["longitude"][5] = 1
    found = split_stack(LAYER, values, margin_px=2)
    for name, plane in bands.items():
        np.testing.assert_array_equal(found[name], plane[2:4, 2:7])


@pytest.mark.parametrize("length", [DEPTH - 1, DEPTH + 1])
def test_an_array_of_another_length_is_refused(length):
    _, values = _make_values(np.random.default_rng(5), by_pixel=False)
    values[STACK_LENGTH][2, 1] = length
    with pytest.raises(AnswerError, match=f"{DEPTH} bands: they were cut or"):
        split_stack(LAYER, values)


@pytest.mark.parametrize("name", scalar_bands(LAYER))
def test_an_array_of_other_pixels_is_refused(name):
    _, values = _make_values(np.random.default_rng(6), by_pixel=True)
    values[name] = values[name] + (np.arange(5) == 4)
    with pytest.raises(AnswerError, match="s2 does not agree with the bands"):
        split_stack(LAYER, values)
