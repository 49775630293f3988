import numpy as np

from data_prep.diagnosis.subject import Frame


def test_a_frame_gives_its_bands_by_name():
    values = np.random.default_rng(0).integers(0, 9, (3, 4, 2))
    frame = Frame(
        name="a",
        bands=("B8", "B2"),
        values=values,
        inside=np.ones((3, 4), bool),
    )
    assert frame.shape == (3, 4)
    np.testing.assert_array_equal(frame.band("B2"), values[..., 1])
