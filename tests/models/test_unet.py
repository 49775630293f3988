import keras
import numpy as np
import pytest

from s2distill.models.unet import unet


def _model(channels, joined_at=()):
    image = keras.Input((None, None, channels[0]))
    others = {level: keras.Input((None, None, 3)) for level in joined_at}
    out = unet(image, channels, blocks=1, joined=others)
    return keras.Model([image, *others.values()], out)


def _random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("size", [(16, 24), (13, 17), (1, 2)])
def test_it_keeps_the_grid_of_any_image(size):
    out = _model((4, 6, 8))([_random(2, *size, 4)])
    assert tuple(out.shape) == (2, *size, 4)


def test_joined_features_have_influence_where_they_are():
    model = _model((4, 6, 8), joined_at=(1,))
    image, features = _random(1, 64, 64, 4), _random(1, 32, 32, 3)
    before = np.asarray(model([image, features]))
    features[:, :2, :2] += 1
    change = np.abs(np.asarray(model([image, features])) - before).max(-1)[0]
    assert change[:4, :4].max() > 1e-3
    assert change[48:, 48:].max() == 0


def test_the_coarsest_level_sees_farther_than_the_finest():
    def reach(channels):
        model = _model(channels)
        image = _random(1, 64, 64, 4)
        before = np.asarray(model([image]))
        image[:, 32, 32] += 1
        change = np.abs(np.asarray(model([image])) - before).max((0, 2, 3))
        return np.ptp(np.nonzero(change)[0])

    assert reach((4,)) < reach((4, 6)) < reach((4, 6, 8))


def test_features_without_a_level_are_refused():
    with pytest.raises(ValueError, match=r"of 2 levels .* levels \[2\]"):
        _model((4, 6), joined_at=(2,))
