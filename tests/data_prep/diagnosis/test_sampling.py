import pytest

from data_prep.diagnosis.sampling import describe_windows
from data_prep.diagnosis.sampling import plan_windows
from data_prep.diagnosis.sampling import spread


def test_few_are_all_taken_and_many_evenly_with_both_ends():
    assert spread(3, 5) == [0, 1, 2]
    assert spread(101, 3) == [0, 50, 100]
    assert spread(7, 1) == [0]
    assert spread(0, 4) == []


def test_a_small_raster_is_read_whole():
    windows = plan_windows(377, 380)
    assert windows == [[(0, 0, 377, 380)]]
    assert describe_windows(windows) == ""


@pytest.mark.parametrize(("height", "width"), [(10980, 5000), (300, 4000)])
def test_a_large_raster_is_read_by_windows_inside_it(height, width):
    windows = plan_windows(height, width)
    sizes = {window[2:] for row in windows for window in row}
    assert len(sizes) == 1
    tall, wide = sizes.pop()
    corners = [window[:2] for row in windows for window in row]
    assert len(set(corners)) == len(corners) > 1
    assert max(row for row, _ in corners) == height - tall
    assert max(col for _, col in corners) == width - wide
    assert describe_windows(windows).startswith(f"{len(corners)} windows")
