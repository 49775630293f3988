import math

import keras
import numpy as np
import pytest

from s2distill.models.decoder import decode
from s2distill.models.decoder import refinement_steps


@pytest.mark.parametrize(
    ("factor", "steps"),
    [(20, (2, 2, 5)), (1, (1,)), (7, (7,)), (12, (2, 2, 3)), (25, (5, 5))],
)
def test_steps_are_primes_in_rising_order(factor, steps):
    assert refinement_steps(factor) == steps
    assert math.prod(refinement_steps(factor)) == factor


def test_a_factor_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        refinement_steps(0)


@pytest.mark.parametrize("factor", [1, 3, 4, 20])
def test_answers_stand_on_the_label_grid(factor):
    x = keras.Input((None, None, 16))
    model = keras.Model(x, decode(x, factor, blocks=1, min_channels=8))
    features = np.random.default_rng(0).normal(size=(2, 3, 5, 16))
    for name, answer in model(features.astype("float32")).items():
        assert tuple(answer.shape) == (2, 3 * factor, 5 * factor, 1), name
