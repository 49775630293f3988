import numpy as np
import pytest

from s2distill.data.clear_mask import is_clear


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        # ESA: 4 vegetation, 5 bare, 6 water, 7 unclassified, 11 snow.
        ("SCL", np.arange(12), [0, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1]),
        ("QA60", [0, 1024, 2048, 3072, 1], [1, 0, 0, 0, 1]),
        ("QA60", [0.0, np.nan, 1024.0], [1, 1, 0]),
        ("CLM", [0, 1, 255], [1, 0, 0]),
        ("dataMask", [0, 1, 255], [0, 1, 1]),
    ],
    ids=["SCL", "QA60", "QA60-float", "CLM", "dataMask"],
)
def test_each_mask_keeps_the_classes_that_show_the_ground(
    name, values, expected
):
    found = is_clear(name, np.asarray(values))
    assert found.dtype == bool
    assert found.astype(int).tolist() == expected
