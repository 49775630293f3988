import numpy as np

from s2distill.evaluation.ratio import ratio
from s2distill.evaluation.ratio import to_number


def test_ratio_is_nan_only_where_the_denominator_is_zero():
    found = ratio(np.array([3.0, 0.0, 0.0]), np.array([4.0, 5.0, 0.0]))
    np.testing.assert_array_equal(found, [0.75, 0.0, np.nan])


def test_undefined_number_is_none_and_zero_is_zero():
    assert to_number(np.nan) is None
    assert to_number(np.inf) is None
    assert to_number(np.float32(0)) == 0.0
