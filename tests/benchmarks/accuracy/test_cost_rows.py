import numpy as np
import pytest

from benchmarks.accuracy.cost_rows import at_reference_speed
from benchmarks.accuracy.cost_rows import find_forward
from benchmarks.accuracy.cost_rows import fit_frames


def _forward(frames, seconds, product_gflops=200.0):
    return {
        "frames": frames,
        "seconds_per_km2": seconds,
        "product_gflops": product_gflops,
    }


def test_a_faster_machine_is_no_better_network():
    slow = _forward(8, 0.9, product_gflops=100.0)
    fast = _forward(8, 0.3, product_gflops=300.0)
    assert at_reference_speed(slow) == pytest.approx(0.45)
    assert at_reference_speed(fast) == pytest.approx(0.45)


def test_a_line_through_times_on_a_line_is_that_line():
    # Each on a machine of another speed, which must not matter.
    forward = [
        _forward(t, (0.5 + 0.05 * t) * 200 / speed, speed)
        for t, speed in ((1, 150), (8, 220), (16, 90), (32, 400))
    ]
    found = fit_frames(forward)
    assert found["fixed_seconds_per_km2"] == pytest.approx(0.5)
    assert found["seconds_per_km2_and_frame"] == pytest.approx(0.05)
    assert found["largest_departure"] == pytest.approx(0, abs=1e-9)


def test_times_that_grow_with_the_square_depart_from_a_line():
    found = fit_frames([_forward(t, 0.01 * t**2) for t in (1, 8, 16, 32)])
    assert found["largest_departure"] > 0.3


def test_two_points_show_no_line():
    assert fit_frames([_forward(1, 1.0), _forward(8, 2.0)]) is None


def test_a_network_of_images_has_one_time_for_any_number_of_frames():
    frames = {"forward": [_forward(t, t) for t in (1, 8)]}
    image = {"forward": [_forward(0, 7)]}
    assert find_forward(frames, 8)["seconds_per_km2"] == 8
    assert find_forward(frames, 16) is None
    assert find_forward(image, 8)["seconds_per_km2"] == 7
    assert np.isclose(at_reference_speed(find_forward(image, 1)), 7)
