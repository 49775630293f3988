import numpy as np
import pytest

from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.styles import STYLE_WEIGHTS
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import UNSEEN_STYLES
from data_prep.simulation.styles import draw
from data_prep.simulation.styles import find_style
from data_prep.simulation.styles import weights_of
from s2distill.errors import ConfigError


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


def test_unseen_styles_are_drawn_only_when_named():
    assert UNSEEN_STYLES
    assert not UNSEEN_STYLES.keys() & STYLE_WEIGHTS.keys()
    assert weights_of(tuple(STYLE_WEIGHTS)) == STYLE_WEIGHTS
    weights = weights_of(("greenhouses", "village", "estate"))
    assert weights == {"estate": 1.5, "village": 3.0, "greenhouses": 1.0}


def test_the_order_of_the_names_changes_no_draw():
    one = weights_of(("village", "estate", "village"))
    other = weights_of(("estate", "village"))
    assert list(one.items()) == list(other.items())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("village", "atlantis"), "no style atlantis; there are grid_suburb"),
        ((), r"\(none\): no style is named; .*greenhouses"),
    ],
)
def test_styles_that_are_not_there_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        weights_of(names)


@pytest.mark.parametrize("name", [*STYLES, *UNSEEN_STYLES])
def test_a_style_is_possible(name):
    style = find_style(name)
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
