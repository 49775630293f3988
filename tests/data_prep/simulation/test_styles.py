import numpy as np
import pytest

from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.styles import STYLE_WEIGHTS
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import draw


def test_draws_come_as_often_as_their_weights_say():
    rng = np.random.default_rng(0)
    weights = {"a": 1.0, "never": 0.0, "b": 3.0, "c": 6.0}
    drawn = [draw(rng, weights) for _ in range(5000)]
    for name, weight in weights.items():
        share = drawn.count(name) / len(drawn)
        assert share == pytest.approx(weight / 10, abs=0.025)
    assert "never" not in drawn


def test_each_style_can_be_drawn():
    assert STYLE_WEIGHTS.keys() == STYLES.keys()
    assert min(STYLE_WEIGHTS.values()) > 0


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_possible(name):
    style = STYLES[name]
    for low, high in (
        style.block_m,
        style.elongation,
        style.street_m,
        style.gap_m,
        style.setback_m,
    ):
        assert 0 < low <= high
    for share in (style.keep, style.unpaved, style.vacancy, style.slanted):
        assert 0 <= share <= 1
    assert style.roofs.keys() <= MATERIALS.keys()
    # Two rows of houses fit between parallel streets.
    depth = np.sqrt(style.house_m2[0])
    assert (
        2 * (depth + style.setback_m[0]) + style.street_m[1]
        < (style.block_m[0])
    )
