import numpy as np
import pytest

from s2distill.errors import ConfigError
from s2distill.training.edge import weigh_edges


def _weigh(probs, weight, edge_weight=2.0, radius_px=2):
    found = weigh_edges(
        probs, weight, edge_weight=edge_weight, radius_px=radius_px
    )
    return np.asarray(found)


def test_pixels_within_the_radius_of_an_outline_weigh_more():
    probs = np.zeros((1, 3, 12, 1), "float32")
    probs[:, :, 6:] = 1
    found = _weigh(probs, np.ones_like(probs))
    # Columns 4 and 5 see a 1 within two pixels, columns 6 and 7 a 0.
    want = np.ones(12)
    want[4:8] = 3
    np.testing.assert_array_equal(found[0, 1, :, 0], want)


def test_weights_are_those_of_a_loop_over_windows():
    rng = np.random.default_rng(0)
    shape = (2, 9, 11, 1)
    probs = rng.random(shape).astype("float32")
    weight = (rng.random(shape) < 0.6) * rng.random(shape)
    weight = weight.astype("float32")
    found = _weigh(probs, weight, edge_weight=1.5, radius_px=1)
    for b, y, x, _ in np.ndindex(shape):
        rows, cols = (slice(max(i - 1, 0), i + 2) for i in (y, x))
        seen = probs[b, rows, cols][weight[b, rows, cols] > 0]
        edge = np.ptp(seen) if seen.size else 0
        want = weight[b, y, x, 0] * (1 + 1.5 * edge)
        assert found[b, y, x, 0] == pytest.approx(want, rel=1e-5)


def test_the_border_of_what_is_known_is_no_edge():
    probs = np.ones((1, 5, 8, 1), "float32")
    weight = np.ones_like(probs)
    weight[:, :, 4:] = 0
    np.testing.assert_array_equal(_weigh(probs * weight, weight), weight)


def test_a_radius_of_no_pixel_is_refused():
    plane = np.ones((1, 4, 4, 1), "float32")
    with pytest.raises(ConfigError, match="radius_px must be at least 1"):
        _weigh(plane, plane, radius_px=0)
